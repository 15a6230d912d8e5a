"""Wrong gradients that a kink, or an element nearly 0, once hid, and right ones at the same places."""

import numpy as np
import pytest

import tinygrad_relu as tg


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize("seed", range(6))
def test_both_sides_of_a_kink_are_looked_at(seed):
    x = np.array([0.0, 1.0])
    for f, x, back, ok in [
        (relu, x, lambda d, x: d * (x >= 0), True),
        (relu, x, lambda d, x: d, False),                       # the mask forgotten
        (relu, x[:1], lambda d, x: d * 0.9 * (x >= 0), False),
        (np.abs, x, lambda d, x: d * np.where(x < 0, -0.5, np.sign(x)), False),
    ]:
        assert tg.check_gradients(f, [x], back, seed=seed).ok == ok


@pytest.mark.parametrize("nearly_zero", [0.3 - 3 * 0.1, 1e-15, -1e-12, -1e-8])
def test_a_kink_that_is_missed_by_rounding_hides_nothing(nearly_zero):
    x = np.array([nearly_zero, 1.0])
    assert tg.check_gradients(relu, [x], lambda d, x: d * (x > 0)).ok
    assert not tg.check_gradients(relu, [x], lambda d, x: d).ok


@pytest.mark.parametrize("x", [
    np.array([-1e-14]), np.array([-1e-6, -2e-6], "f4"), np.array([-1e-8, -2e-8], "f4"),
])
def test_the_flat_side_of_a_kink_is_flat_at_every_scale(x):
    assert tg.check_gradients(relu, [x], lambda d, x: d * (x > 0)).ok
    assert not tg.check_gradients(relu, [x], lambda d, x: 2 * d).ok


@pytest.mark.parametrize("size", [1000, 3100])      # element by element, and along directions
@pytest.mark.parametrize(("slope", "ok"), [(0.0, True), (1.0, True), (10.0, False), (-1.0, False)])
def test_many_elements_on_kinks_are_each_looked_at(size, slope, ok, rng):
    x = rng.standard_normal(size)
    x[::10] = 0
    assert tg.check_gradients(relu, [x], lambda d, x: d * np.where(x == 0, slope, x > 0)).ok == ok


@pytest.mark.parametrize("size", [400, 4000])
@pytest.mark.parametrize("shared", [True, False])
def test_ties_of_many_windows_share_one_slope_each(size, shared, rng):
    x = rng.standard_normal((size // 4, 4))
    x[::7, :2] = 3.0

    def backward(d, x):
        largest = x == x.max(1, keepdims=True)
        return d[:, None] * largest / (largest.sum(1, keepdims=True) if shared else 1)

    assert tg.check_gradients(lambda x: x.max(1), [x], backward).ok == shared


def at_zero(slope):
    """The gradient of the sum of the lengths of rows, with a choice at 0."""
    def backward(d, rows):
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return d[:, None] * np.where(lengths == 0, slope, rows / np.where(lengths == 0, 1, lengths))
    return backward


@pytest.mark.parametrize(("slope", "ok"), [(0.0, True), (0.57, True), (0.6, False), (1.0, False)])
@pytest.mark.parametrize("length", [
    lambda rows: np.linalg.norm(rows, axis=1), lambda rows: np.sqrt((rows**2).sum(1)),
])
@pytest.mark.parametrize("summed", [True, False])
def test_slopes_of_a_length_at_zero_lie_in_a_ball(length, slope, ok, summed, rng):
    rows = rng.standard_normal((4, 3))
    rows[1:3] = 0      # slopes of 0.6 make a vector that is longer than 1
    if summed:
        report = tg.check_gradients(
            lambda rows: length(rows).sum(), [rows], lambda rows: at_zero(slope)(np.ones(4), rows)
        )
    else:
        report = tg.check_gradients(length, [rows], at_zero(slope))
    assert report.ok == ok, report


@pytest.mark.parametrize("seed", range(5))
def test_units_of_opposite_signs_that_meet_are_no_length(seed):
    rng = np.random.default_rng(seed)
    first, last = tg.tensor(rng.standard_normal((4, 8))), tg.tensor(rng.standard_normal((8, 1)))
    x = tg.tensor(np.vstack([np.zeros(4), rng.standard_normal((2, 4))]), requires_grad=True)
    assert tg.check_gradients(lambda x: (tg.relu(x @ first) @ last).sum(), [x]).ok


@pytest.mark.parametrize(("extra", "ok"), [(0.0, True), (5.0, False)])
def test_where_a_function_ends_its_one_side_has_the_slope(extra, ok):
    x = np.array([0.0, 1.0])
    slope = lambda x: 1.5 * np.sqrt(x) + extra * (x == 0)
    assert tg.check_gradients(lambda x: x**1.5, [x], lambda d, x: d * slope(x)).ok == ok
    # A convention of ReLU is one there, too.
    assert tg.check_gradients(
        lambda x: x**1.5 + relu(x), [x], lambda d, x: d * (slope(x) + (x > 0))
    ).ok == ok
