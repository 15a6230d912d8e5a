"""Products of matrices in every layout are right, whatever the memory of the result held before."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import tinygrad_relu as tg

LENGTHS = [0, 1, 2, 3, 17]


def layouts(array):
    """Yield views with the values of `array`, as BLAS takes them and as it does not."""
    yield array
    yield np.asfortranarray(array)
    wide = np.full((array.shape[0], 2 * array.shape[1] + 3), np.nan, array.dtype)
    wide[:, 1 : array.shape[1] + 1] = array
    yield wide[:, 1 : array.shape[1] + 1]               # rows further apart than they are long
    yield np.repeat(array, 2, axis=1)[:, ::2]           # elements apart
    yield np.repeat(array, 2, axis=0)[::2]
    yield array[::-1].copy()[::-1]
    yield np.asfortranarray(np.vstack([array, array]))[: array.shape[0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m, k, n", list(itertools.product(LENGTHS, repeat=3)))
def test_every_layout_gives_the_product(m, k, n, dtype, rng):
    # Small whole numbers, whose products and sums are exact in any order.
    left = rng.integers(-8, 9, (m, k)).astype(dtype)
    right = rng.integers(-8, 9, (k, n)).astype(dtype)
    expected = np.einsum("ik,kj->ij", left, right)
    for a, b in itertools.product(layouts(left), layouts(right)):
        # What the result is written into may hold anything.
        np.full((m, n), np.nan, dtype)
        got = tg.asarray(a) @ tg.asarray(b)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.numpy(), expected)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1), (3, 4)])
def test_strides_of_axes_of_length_1_say_nothing(shape):
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    odd = np.lib.stride_tricks.as_strided(
        x, shape, [8 * 7919 if n == 1 else s for n, s in zip(shape, x.strides)]
    )
    for a in (odd, odd.T):
        np.testing.assert_array_equal((tg.asarray(a) @ tg.asarray(a.T)).numpy(), a @ a.T)


def test_long_products_are_right_to_rounding(rng):
    a, b = rng.standard_normal((2, 3000)), rng.standard_normal((3000, 2))
    got = (tg.asarray(a) @ tg.asarray(b)).numpy()
    for i, j in np.ndindex(2, 2):
        exact = float(sum(Fraction(x) * Fraction(y) for x, y in zip(a[i].tolist(), b[:, j].tolist())))
        assert abs(got[i, j] - exact) < 1e-12 * np.abs(a[i]) @ np.abs(b[:, j])


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("m, n", [(1, 1), (1, 3), (3, 1), (3, 3), (40, 50)])
def test_nan_and_infinity_reach_all_that_they_touch_without_a_warning(odd, m, n):
    a, b = np.ones((m, 4)), np.ones((4, n))
    a[0, 2] = odd
    got = (tg.asarray(a) @ tg.asarray(b)).numpy()
    np.testing.assert_array_equal(got[0], np.full(n, odd))
    np.testing.assert_array_equal(got[1:], np.full((m - 1, n), 4.0))
    b[2] = 0
    assert np.isnan((tg.asarray(a) @ tg.asarray(b)).numpy()[0]).all()
