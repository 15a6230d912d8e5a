"""Initialisers: their distributions, by moments and limits that are known."""

import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError

init = nn.init
DRAWN = [
    init.uniform_, init.normal_, init.trunc_normal_, init.xavier_uniform_, init.xavier_normal_,
    init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_,
    lambda w, generator=None: init.sparse_(w, 0.5, generator=generator),
]


def drawn(function, shape, *arguments, **keywords):
    w = tg.zeros(*shape)
    assert function(w, *arguments, generator=np.random.default_rng(11), **keywords) is w
    return w.numpy()


def test_even_and_normal():
    w = drawn(init.uniform_, (100, 100), -2, 4)
    assert w.min() >= -2 and w.max() <= 4
    assert w.mean() == pytest.approx(1, abs=0.06)
    assert w.std() == pytest.approx(6 / math.sqrt(12), rel=0.03)
    w = drawn(init.normal_, (100, 100), 3, 0.5)
    assert w.mean() == pytest.approx(3, abs=0.02) and w.std() == pytest.approx(0.5, rel=0.03)


def test_truncated_normal_has_the_moments_of_the_formula():
    mean, std, a, b = 1.0, 2.0, -1.0, 2.0
    w = drawn(init.trunc_normal_, (200, 200), mean, std, a, b)
    assert w.min() >= a and w.max() <= b
    # Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions, 1994, 13.10.1.
    low, high = (a - mean) / std, (b - mean) / std
    density = [math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (low, high)]
    mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    shift = (density[0] - density[1]) / mass
    variance = 1 + (low * density[0] - high * density[1]) / mass - shift**2
    assert w.mean() == pytest.approx(mean + std * shift, abs=0.02)
    assert w.std() == pytest.approx(std * math.sqrt(variance), rel=0.02)


def test_glorot_and_he():
    shape, inputs, outputs = (60, 40, 5), 200, 300
    std = math.sqrt(2 / (inputs + outputs))
    w = drawn(init.xavier_uniform_, shape, gain=2.0)
    assert np.abs(w).max() == pytest.approx(2 * std * math.sqrt(3), rel=0.01)
    assert drawn(init.xavier_normal_, shape).std() == pytest.approx(std, rel=0.03)
    w = drawn(init.kaiming_uniform_, shape, mode="fan_out", nonlinearity="relu")
    assert np.abs(w).max() == pytest.approx(math.sqrt(6 / outputs), rel=0.01)
    w = drawn(init.kaiming_normal_, shape, a=0.5)
    assert w.std() == pytest.approx(math.sqrt(2 / 1.25 / inputs), rel=0.03)
    w = drawn(init.kaiming_normal_, shape, nonlinearity="tanh")
    assert w.std() == pytest.approx(5 / 3 / math.sqrt(inputs), rel=0.03)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (4, 3, 2), (6, 1, 2), (3, 3)])
def test_orthogonal_rows_or_columns(shape):
    w = drawn(init.orthogonal_, shape, gain=2.0).reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_all_rotations_are_equally_likely():
    rng = np.random.default_rng(0)
    traces = [np.trace(init.orthogonal_(tg.zeros(3, 3), generator=rng).numpy()) for _ in range(400)]
    # The trace of a random orthogonal matrix has mean 0 and variance 1: Diaconis and Shahshahani, 1994.
    assert np.mean(traces) == pytest.approx(0, abs=0.15) and np.var(traces) == pytest.approx(1, abs=0.2)


def test_sparse_columns():
    w = drawn(init.sparse_, (10, 50), 0.25, std=2.0)
    assert ((w == 0).sum(0) == 3).all() and w[w != 0].std() == pytest.approx(2, rel=0.15)
    assert len({tuple(np.flatnonzero(column == 0)) for column in w.T}) > 10


def test_fixed_numbers():
    w = tg.ones(2, 3, requires_grad=True)
    assert init.zeros_(w) is w and not w.detach().numpy().any() and w.requires_grad
    assert init.ones_(w).detach().numpy().all() and init.constant_(w, 2.5).tolist() == [[2.5] * 3] * 2
    np.testing.assert_array_equal(init.eye_(tg.ones(3, 2)), np.eye(3, 2))


@pytest.mark.parametrize(("channels", "window"), [((3, 3), (3,)), ((2, 4), (2, 3)), ((4, 2), (5, 3))])
def test_dirac_passes_channels_through(channels, window, rng):
    outputs, inputs = channels
    w = init.dirac_(tg.ones(outputs, inputs, *window))
    kind = nn.functional.conv1d if len(window) == 1 else nn.functional.conv2d
    x = tg.tensor(rng.standard_normal((1, inputs, *(7, 6)[: len(window)])))
    y = kind(x, w, padding=tuple(length // 2 for length in window))
    count = min(outputs, inputs)
    inside = tuple(slice(0, length) for length in x.shape[2:])
    np.testing.assert_array_equal(y.numpy()[(0, slice(count), *inside)], x.numpy()[0, :count])
    assert not y.numpy()[0, count:].any()


def test_dirac_by_groups():
    w = init.dirac_(tg.ones(4, 2, 1), groups=2).numpy()[:, :, 0]
    np.testing.assert_array_equal(w, [[1, 0], [0, 1], [1, 0], [0, 1]])


def test_gains():
    assert init.calculate_gain("relu") == math.sqrt(2) and init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert init.calculate_gain("leaky_relu", 0.5) == math.sqrt(2 / 1.25)
    assert {init.calculate_gain(name) for name in ("linear", "conv2d", "sigmoid")} == {1}
    assert init.calculate_gain("selu") == 0.75


@pytest.mark.parametrize("function", DRAWN)
def test_values_follow_the_generator_and_the_seed(function):
    a, b, c = (
        function(tg.zeros(4, 4), generator=g).tolist()
        for g in (np.random.default_rng(1), tg.Generator(1), tg.Generator(2))
    )
    assert a == b != c
    tg.manual_seed(1)
    assert function(tg.zeros(4, 4)).tolist() == a


@pytest.mark.parametrize("function", [*DRAWN, init.zeros_, init.ones_, init.eye_])
def test_weights_are_filled_in_place_in_their_dtype(function):
    w = tg.zeros(3, 3, dtype=tg.float32, requires_grad=True)
    before = w._version
    assert function(w) is w and w.dtype == np.float32 and w.is_leaf and w.requires_grad
    assert w._version > before
    row = tg.zeros(2, 3, 3)
    function(row[1])
    assert not row.numpy()[0].any() and (row.numpy()[1].any() or function is init.zeros_)


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda: init.uniform_(tg.zeros(2), 2, 1), RangeError, "^uniform_: from 2 to 1"),
    (lambda: init.normal_(tg.zeros(2), 0, -1), RangeError, "^normal_: std is -1"),
    (lambda: init.trunc_normal_(tg.zeros(2), std=0), RangeError, "^trunc_normal_: std is 0"),
    (lambda: init.trunc_normal_(tg.zeros(2), a=2, b=2), RangeError, "^trunc_normal_: from 2 to 2"),
    (lambda: init.zeros_(np.zeros(2)), ArgumentError, "^zeros_: a ndarray cannot be filled"),
    (lambda: init.ones_(tg.tensor([1, 2])), DTypeError, "^ones_: the tensor is int64"),
    (lambda: init.eye_(tg.zeros(2)), ShapeError, "^eye_: .*needs 2 axes"),
    (lambda: init.xavier_uniform_(tg.zeros(2)), ShapeError, "^xavier_uniform_: .*no inputs and outputs"),
    (lambda: init.xavier_normal_(tg.zeros(2, 2), gain=-1), RangeError, "^xavier_normal_: gain is -1"),
    (lambda: init.kaiming_normal_(tg.zeros(2, 2), mode="in"), ArgumentError,
     "^kaiming_normal_: mode is 'in'"),
    (lambda: init.kaiming_normal_(tg.zeros(2, 2), nonlinearity="x"), ArgumentError,
     "^kaiming_normal_: nonlin"),
    (lambda: init.calculate_gain("leaky_relu", "x"), ArgumentError, "^calculate_gain: param is 'x'"),
    (lambda: init.orthogonal_(tg.zeros(2)), ShapeError, "^orthogonal_: .*2 axes or more"),
    (lambda: init.sparse_(tg.zeros(2, 2), 2), RangeError, "^sparse_: sparsity is 2"),
    (lambda: init.dirac_(tg.zeros(3, 2, 1), groups=2), ShapeError, "^dirac_: 3 outputs do not go into 2"),
    (lambda: init.normal_(tg.zeros(2), generator=5), ArgumentError, "^normal_: generator is a int"),
])
def test_errors_say_what(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_empty_weights_are_no_mistake():
    for function in (
        init.zeros_, init.uniform_, init.xavier_normal_, init.kaiming_uniform_, init.orthogonal_
    ):
        assert function(tg.zeros(0, 3)).shape == (0, 3)
