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
