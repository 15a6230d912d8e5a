"""What rounding hides, and what it does not: small slopes beside large ones, and functions in stairs."""

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.report import Verdict


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (5.0, False)])
def test_a_result_that_depends_on_one_element_alone_has_its_own_noise(factor, ok):
    c = np.array([1e-12, 1.0, 1.0, 1.0])
    at_first = np.array([factor, 1.0, 1.0, 1.0])
    assert tg.check_gradients(lambda x: c * x, [np.ones(4)], lambda d, x: d * c * at_first).ok == ok


@pytest.mark.parametrize("size", [1e-14, 1e-12])
@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (7.0, False)])
def test_a_straight_function_shows_small_slopes_far_away(size, factor, ok):
    report = tg.check_gradients(
        lambda x, s: x + size * s, [np.ones(4)] * 2, lambda d, x, s: (d, factor * size * d)
    )
    assert report.ok == ok, report


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (1.001, False)])
def test_steps_beyond_the_scale_where_that_is_small(factor, ok):
    x = np.array([1.0, -0.5, 0.3]) * 1e-10
    assert tg.check_gradients(np.exp, [x], lambda d, x: factor * d * np.exp(x)).ok == ok


def test_an_input_of_which_nothing_can_be_told_is_no_yes():
    report = tg.check_gradients(
        lambda x, s: x + 1e-17 * np.sin(s), [np.ones(4)] * 2,
        lambda d, x, s: (d, 3e-17 * d * np.cos(s)),
    )
    assert report.inputs[0].verdict is Verdict.RIGHT
    assert report.ok == (report.inputs[1].verdict is not Verdict.CANNOT_TELL)
    hidden = tg.check_gradients(
        lambda x, s: x + 1e-13 * np.sin(s), [np.ones(4)] * 2,
        lambda d, x, s: (d, 3e-13 * d * np.cos(s)),
    )
    assert not hidden.ok, hidden


@pytest.mark.parametrize(("f", "slope"), [
    (lambda x: np.exp(x * 1e-9) - 1, lambda x: 1e-9 * np.exp(x * 1e-9)),
    (lambda x: 1 - np.cos(x * 1e-6), lambda x: 1e-6 * np.sin(x * 1e-6)),
    (lambda x: np.round(x**2, 6), lambda x: 2 * x),
])
@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (2.0, False)])
def test_stairs_far_below_the_scale_are_rounding(f, slope, factor, ok):
    x = np.array([1.0, -0.5, 0.3])
    assert tg.check_gradients(f, [x], lambda d, x: factor * d * slope(x)).ok == ok


@pytest.mark.parametrize("seed", range(4))
def test_high_stairs_are_said_to_be_stairs(seed):
    x = np.array([1.1, 0.5, 0.3])
    report = tg.check_gradients(lambda x: np.round(x * 256) / 256, [x], lambda d, x: d, seed=seed)
    assert not report.ok and "moves in stairs" in str(report).replace("\n    ", " ")
    for digits in (2, 4, 6):
        stairs = tg.check_gradients(
            lambda x, digits=digits: np.round(x + 0.00003, digits), [x], lambda d, x: 0 * d
        )
        assert stairs.ok


def test_a_function_may_return_one_array_again_and_again():
    kept = np.empty(3)
    x = np.array([0.1, 0.2, 0.3])
    for factor in (1.0, 2.0):
        report = tg.check_gradients(
            lambda x: np.tanh(x, out=kept), [x],
            lambda d, x, factor=factor: factor * d * (1 - np.tanh(x) ** 2),
        )
        assert report.ok == (factor == 1.0)


@pytest.mark.parametrize("away", [1e-6, 1e-7, 1e-8, 1e-9])
def test_a_kink_however_near(away):
    x = 1 + np.array([away, -away, 1.0, -2.0])
    report = tg.check_gradients(lambda x: np.maximum(x - 1, 0).sum() * 3, [x], lambda x: (x > 1) * 3.0)
    assert report.ok, report
    wrong = tg.check_gradients(
        lambda x: np.maximum(x - 1, 0).sum() * 3, [x], lambda x: (x > 1) * 3.0 + (np.abs(x - 1) < 1e-5)
    )
    assert not wrong.ok, wrong


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (1.01, False)])
def test_a_function_that_turns_many_times_within_its_scale(factor, ok):
    x = np.array([1.0, 2.0, -3.0]) * 1e8
    assert tg.check_gradients(np.sin, [x], lambda d, x: factor * d * np.cos(x)).ok == ok


def test_the_line_on_taylor_does_not_contradict_the_verdict():
    hidden = tg.check_gradients(
        lambda x: np.sum(x**2) + 1e14, [np.array([1.0, 0.5, 0.3])], lambda x: 2.002 * x
    )
    assert "linear" not in str(hidden)
    x = 1 + np.array([1e-8, -1e-8, 1.0, -2.0])
    for seed in range(4):
        near = tg.check_gradients(
            lambda x: np.maximum(x - 1, 0).sum(), [x], lambda x: (x > 1) * 1.0, seed=seed
        )
        assert near.ok and "wrong slope" not in str(near)


# Functions of which a factor has few digits left, with what mpmath says of their derivatives.
STAIRS = {
    "a swish whose sigmoid is nearly 1": (
        lambda x: x * (1 - 1 / (1 + np.exp(-x))), lambda x: x * (1 - 1 / (1 + mpmath.exp(-x))),
        [20.0, 25.0, 31.3, 36.41],
    ),
    "what is left of tanh": (
        lambda x: x * (1 - np.tanh(x)), lambda x: x * (1 - mpmath.tanh(x)), [10.0, 15.9, 18.37],
    ),
    "the tail of GELU": (
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        lambda x: 0.5 * x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + 0.044715 * x**3))),
        [-7.1, -6.5, -5.66],
    ),
    "a quotient of small numbers": (
        lambda x: (np.exp(x) - 1) / x, lambda x: (mpmath.exp(x) - 1) / x, [1e-9, 3e-8, 1e-4],
    ),
}


@pytest.mark.parametrize("name", STAIRS)
def test_stairs_of_rounding_beneath_a_smooth_factor_are_no_slope(name):
    function, exact, points = STAIRS[name]
    for x in points:
        with mpmath.workdps(60):
            slope = float(mpmath.diff(exact, mpmath.mpf(x)))
        for factor in (1.0, 1 + 1e-9):
            report = tg.check_gradients(function, [np.array([x])], lambda d, _, s=factor * slope: d * s)
            assert report.inputs[0].verdict is not Verdict.WRONG, (x, report)
    # Where there are digits enough a mistake is one.
    with mpmath.workdps(60):
        slope = float(mpmath.diff(exact, mpmath.mpf(1.25)))
    assert not tg.check_gradients(function, [np.array([1.25])], lambda d, _: 1.01 * d * slope).ok


@pytest.mark.parametrize("sizes", [(1e6, 1.0, 1e-6), (1e4, 1.0, 1e-6), (1e8, 1.0, 1e-2)])
def test_a_zero_beside_large_slopes_is_wrong_where_a_larger_step_shows_a_small_one(sizes):
    weights, x = np.array(sizes), np.array([0.3, -0.5, 0.7])
    for wrong in ([*sizes[:2], 0.0], [*sizes[:2], 2 * sizes[2]]):
        report = tg.check_gradients(lambda x: (x * weights).sum(), [x], lambda _, w=wrong: np.array(w))
        assert not report.ok and [worst.index for worst in report.inputs[0].worst] == [(2,)]
    assert tg.check_gradients(lambda x: (x * weights).sum(), [x], lambda _: weights).ok

    def forgotten(a, b):
        return sizes[0] * np.sin(a).sum() + sizes[2] * np.sin(b).sum()

    report = tg.check_gradients(forgotten, [x, x], lambda a, b: (sizes[0] * np.cos(a), 0 * b))
    assert [entry.ok for entry in report.inputs] == [True, False]
