"""The fast mode: many parameters are compared along directions, in few calls, and mistakes are found."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.diagnosis import Label


def net(dtype=np.float64, change=lambda found: None):
    """Return a loss with its gradients, which `change` may spoil, and 3600 parameters of a net."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape).astype(dtype) for shape in ((16, 40), (16, 20)))
    parameters = {
        "w": rng.standard_normal((40, 60)) / 6, "b": np.zeros(60), "v": rng.standard_normal((60, 20)) / 8,
        "c": np.zeros(20),
    }

    def loss_and_grad(p):
        hidden = np.maximum(x @ p["w"] + p["b"], 0)
        off = hidden @ p["v"] + p["c"] - y
        d = 2 * off / off.size
        dz = (d @ p["v"].T) * (hidden > 0)
        found = {"w": x.T @ dz, "b": dz.sum(0), "v": hidden.T @ d, "c": d.sum(0)}
        change(found)
        return np.mean(off**2), found

    return loss_and_grad, {name: value.astype(dtype) for name, value in parameters.items()}

def test_fast_mode_finds_one_element_among_many():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60, 100))

    def backward(x, change=True):
        g = np.cos(x)
        g[17, 33] *= 1.5 if change else 1
        return g

    def f(x):
        return np.sin(x).sum()

    assert tg.check_gradients(f, [x], lambda x: backward(x, False)).fast
    assert tg.check_gradients(f, [x], lambda x: backward(x, False)).ok
    report = tg.check_gradients(f, [x], backward)
    assert report.inputs[0].worst[0].index == (17, 33)
    assert report.inputs[0].worst[0].ratio == pytest.approx(1.5, abs=1e-3)


def test_directions_that_settle_the_question_need_no_points_nearby():
    function, parameters = net()
    report = tg.check_gradients(function, [parameters])
    assert report.fast and report.ok and report.calls <= 150


@pytest.mark.parametrize("factor", [0.0625, 0.5, 3.0])
def test_a_factor_is_named_in_single_precision(factor):
    def change(found):
        found["w"] *= np.float32(factor)

    function, parameters = net(np.float32, change)
    report = tg.check_gradients(function, [parameters])
    assert report["w"].label is Label.CONSTANT_FACTOR and "times what it should be" in str(report)
    assert report["w"].explanations[0].details["factor"] == pytest.approx(factor, rel=0.02)
    assert [entry.name for entry in report.inputs if not entry.ok] == ["w"]


@pytest.mark.parametrize("fast", [False, True])
def test_gradients_that_only_rounding_spoils_are_named(fast):
    def backward(x, y):
        return x + (x.dtype == np.float32) * x.dtype.type(0.5), y

    x = np.linspace(1, 2, 5, dtype=np.float32)
    report = tg.check_gradients(lambda x, y: 0.5 * np.sum(x * x + y * y), [x, x], backward, fast=fast)
    assert report.ok
    (note,) = report.notes
    assert "right in float64" in note and note.startswith("x along" if fast else "x[")
    report = tg.check_gradients(lambda x: 0.5 * np.sum(x * x), [x], lambda x: x * 2, fast=fast)
    assert not report.ok and not report.notes


def test_one_zero_among_many_has_no_factor():
    def change(found):
        found["b"][3] = 0.0

    function, parameters = net(change=change)
    report = tg.check_gradients(function, [parameters])
    assert report["b"].label is Label.UNEXPLAINED and report["b"].worst[0].index == (3,)
