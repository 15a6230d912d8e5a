"""What may pass as *kinks meet*: what choices of slopes at each op explain, and no more."""

import numpy as np
import pytest

import tinygrad_relu as tg


def at_zero(slope, elsewhere):
    """Return a backward of a function of single elements with a slope of its own at 0."""
    return lambda dout, x: dout * np.where(x == 0, slope, elsewhere(np.where(x == 0, 1.0, x)))


def direction(slopes):
    """Return a gradient of a length, with given slopes at 0."""
    return lambda x: np.asarray(slopes, float) if not x.any() else x / np.linalg.norm(x)


@pytest.mark.parametrize("f", [
    lambda x: np.sqrt(x * x), lambda x: np.hypot(x, 0), lambda x: np.power(x**2, 0.5),
    lambda x: np.sqrt(x * x, dtype=x.dtype),
])
@pytest.mark.parametrize(("slope", "ok"), [
    (0, True), (1, True), (-0.5, True), (1.1, False), (100, False),
])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_root_of_a_square_has_one_kink(f, slope, ok, dtype):
    x = np.array([0.0, 1.0, -2.0], dtype)
    back = at_zero(slope, np.sign)
    assert tg.check_gradients(f, [x], lambda d, x: back(d, x).astype(dtype)).ok == ok


@pytest.mark.parametrize(("slopes", "ok"), [
    ([0, 0], True), ([1, 0], True), ([0.6, 0.8], True), ([1.1, 0], False), ([1, 1], False),
    ([5, 0], False), ([5, 5], False), ([5, 5, 5, 5], False), ([-7, 7], False),
])
def test_a_norm_has_one_kink(slopes, ok):
    x, back = np.zeros(len(slopes)), direction(slopes)
    assert tg.check_gradients(np.linalg.norm, [x], back).ok == ok
    assert tg.check_gradients(
        lambda x: np.exp(-np.sqrt(np.sum(x**2))), [x], lambda x: -back(x) * np.exp(-np.linalg.norm(x))
    ).ok == ok


def test_a_norm_of_a_function_of_tensors_has_one_kink():
    class Norm(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x * x).sum().sqrt()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * tg.tensor(direction([5.0, 5.0])(x.detach().numpy()))

    assert not tg.check_gradients(Norm.apply, [tg.zeros(2, dtype=tg.float64, requires_grad=True)]).ok


def test_roots_among_many_elements_are_looked_at_in_fast_mode(rng):
    x = rng.standard_normal(4000)
    x[::10] = 0
    assert not tg.check_gradients(lambda x: np.sqrt(x * x), [x], at_zero(100, np.sign)).ok
    assert tg.check_gradients(lambda x: np.sqrt(x * x), [x], at_zero(0, np.sign)).ok


@pytest.mark.parametrize(("f", "x", "back"), [
    (lambda x: np.cbrt(x) ** 4, 0.0, lambda x: 4 / 3 * np.cbrt(x)),
    (lambda x: x * np.sqrt(np.abs(x)), 0.0, lambda x: 1.5 * np.sqrt(np.abs(x))),
    (lambda x: np.sqrt(x) ** 3, 0.0, lambda x: 1.5 * np.sqrt(x)),
    (lambda x: np.arccos(x) ** 2, 1.0,
     lambda x: -2 * np.arccos(x) / np.sqrt(1 - x * x) if x < 1 else -2),
])
def test_a_steep_step_excuses_no_slope_of_a_smooth_whole_or_at_an_end(f, x, back):
    x, end, single = np.array([x, 0.5]), x, np.vectorize(back, otypes=[float])
    assert tg.check_gradients(f, [x], lambda d, x: d * single(x)).ok
    for wrong in (1.0, 5.0, 100.0):
        report = tg.check_gradients(
            f, [x], lambda d, x, wrong=wrong: d * np.where(x == end, wrong, single(x))
        )
        assert not report.ok and str(report.inputs[0].verdict) == "wrong"


def at_ties(slopes):
    """Return a gradient of the middle of three numbers, with given slopes where they tie."""
    def back(x):
        if x.max() == x.min():
            return np.array(slopes, float)
        return np.eye(3)[np.argsort(x, kind="stable")[1]]

    return back


@pytest.mark.parametrize(("slopes", "ok"), [
    ([1, 0, 0], True), ([1 / 3, 1 / 3, 1 / 3], True), ([5, 0, 0], False), ([-1, 0, 0], False),
    ([2, 2, 1], False), ([0, 0, 0], False), ([0.9, 0.9, 0.9], False),
])
def test_ties_of_a_sort_share_one_slope(slopes, ok):
    assert tg.check_gradients(lambda x: np.sort(x)[1], [np.ones(3)], at_ties(slopes)).ok == ok


@pytest.mark.parametrize(("slope", "ok"), [(0.0, True), (1.0, True), (5.0, False)])
def test_steps_that_cannot_be_followed_excuse_no_slope_far_from_all_around(slope, ok):
    def of_range(x):
        unequal = np.eye(3)[x.argmax()] - np.eye(3)[x.argmin()]
        return slope * np.array([1.0, -1.0, 0.0]) if np.ptp(x) == 0 else unequal

    def of_eigenvalue(x):
        vector = np.linalg.eigh((x + x.T) / 2)[1][:, -1]
        return np.diag([slope, 1 - slope]) if (x == np.eye(2)).all() else np.outer(vector, vector)

    assert tg.check_gradients(np.ptp, [np.ones(3)], of_range).ok == ok
    assert tg.check_gradients(
        lambda x: np.linalg.eigvalsh((x + x.T) / 2)[-1], [np.eye(2)], of_eigenvalue
    ).ok == ok


@pytest.mark.parametrize(("mask", "a", "ok"), [
    (np.greater, -3, True), (np.greater_equal, -3, True), (np.greater_equal, 0.5, True),
])
def test_usual_slopes_of_kinks_at_one_place_may_meet(mask, a, ok):
    x = np.array([0.0, 1.0, -2.0])
    report = tg.check_gradients(
        lambda x: np.abs(x) + a * np.maximum(x, 0), [x], lambda d, x: d * (np.sign(x) + a * mask(x, 0))
    )
    assert report.ok == ok


@pytest.mark.parametrize("seed", range(8, 14))
def test_usual_slopes_of_kinks_on_a_grid_may_meet(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-2, 3, (2, 3, 3)).astype(float)

    def backward(d, x, y):
        first, low, high = x >= y, np.minimum(x, 0), np.maximum(x, y)
        sign = np.sign(x - y)
        return d * (sign + first * low + high * (x < 0)), d * (~first * low - sign)

    assert tg.check_gradients(
        lambda x, y: np.abs(x - y) + np.maximum(x, y) * np.minimum(x, 0), [x, y], backward
    ).ok


@pytest.mark.parametrize("rows", [4, 9])
@pytest.mark.parametrize("mask", [np.greater, np.greater_equal])
def test_one_convention_for_all_samples_that_share_a_dead_weight(rows, mask, rng):
    x = rng.standard_normal((rows, 1))
    f = lambda w: np.maximum(x @ w, 0).sum()
    assert tg.check_gradients(f, [np.zeros((1, 2))], lambda w: x.T @ mask(x @ w, 0)).ok
    assert not tg.check_gradients(f, [np.zeros((1, 2))], lambda w: 1.5 * x.T @ np.ones((rows, 2)) + 3).ok


@pytest.mark.parametrize("mask", [np.less, np.less_equal])
def test_a_maximum_and_a_minimum_are_not_both_steep_at_one_place(mask):
    x = np.array([0.0, 1.0, -2.0])
    assert tg.check_gradients(
        lambda x: np.maximum(x, 0) + 0.25 * np.minimum(x, 0), [x],
        lambda d, x: d * ((x >= 0) + 0.25 * mask(x, 0)),
    ).ok == (mask is np.less)
