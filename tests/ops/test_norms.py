"""Norms, counts, and reductions that leave NaN out, against NumPy."""

import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, ShapeError

INF, NAN = math.inf, math.nan
ORDERS = [0, 0.5, 1, 2, 3, -1, -2, INF, -INF]


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_along_an_axis_are_numpys(p, keepdims, rng):
    x = rng.standard_normal((3, 4, 2))
    for axis in (0, 1, -1):
        found = tg.norm(tg.tensor(x), p, dim=axis, keepdim=keepdims).numpy()
        np.testing.assert_allclose(found, np.linalg.norm(x, p, axis, keepdims), rtol=1e-14)
    found = tg.norm(tg.tensor(x), p, (0, 2))
    rows = x.transpose(1, 0, 2).reshape(4, -1)
    np.testing.assert_allclose(found.numpy(), np.linalg.norm(rows, p, 1), rtol=1e-14)
    assert tg.norm(tg.tensor(x.astype(np.float32)), p).dtype == np.float32


def test_a_norm_without_axis_is_of_all_elements(rng):
    x = rng.standard_normal((3, 4))
    for p in (2, "fro"):
        assert tg.norm(tg.tensor(x), p).item() == pytest.approx(np.linalg.norm(x))
    assert tg.tensor(x).norm().item() == pytest.approx(np.linalg.norm(x))
    assert tg.norm(tg.zeros(0)).item() == 0


@pytest.mark.parametrize("p", [p for p in ORDERS if p != 0])
def test_derivatives_of_norms(p, rng):
    x = tg.tensor(rng.permutation(np.arange(1, 7.0)).reshape(2, 3) * [1, -1, 1], requires_grad=True)
    f = lambda v: tg.norm(v, p, 1)
    assert tg.gradcheck(f, x)
    assert tg.gradgradcheck(f, x)


@pytest.mark.parametrize("p", [0.5, 1, 2, 3, INF])
def test_norms_at_zero_have_a_derivative_of_zero(p):
    x = tg.tensor([[0.0, 0.0], [0.0, 2.0]], requires_grad=True)
    tg.norm(x, p, 1).sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e-300, 1e307])
@pytest.mark.parametrize("p", [2, 3])
def test_norms_do_not_leave_the_range_before_their_result_does(scale, p):
    x = tg.tensor([3 * scale, -4 * scale, 0.0], requires_grad=True)
    y = tg.norm(x, p)
    expected = (3**p + 4**p) ** (1 / p)
    assert y.item() == pytest.approx(expected * scale, rel=1e-14)
    y.backward()
    expected = [(3 / expected) ** (p - 1), -((4 / expected) ** (p - 1)), 0]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-13)


def test_one_row_out_of_range_does_not_change_the_others():
    x = tg.tensor([[3e200, 4e200], [3.0, 4.0], [0.0, 0.0], [INF, 1.0], [NAN, 1.0]])
    np.testing.assert_allclose(tg.norm(x, 2, 1).numpy(), [5e200, 5, 0, INF, NAN])


def test_reductions_that_leave_nan_out(rng):
    x = rng.standard_normal((3, 4))
    x[0, 1] = x[2, :] = NAN
    for axis in (0, 1):
        np.testing.assert_allclose(tg.nansum(tg.tensor(x), axis).numpy(), np.nansum(x, axis))
    np.testing.assert_allclose(tg.nanmean(tg.tensor(x), 0).numpy(), np.nanmean(x, 0))
    assert np.isnan(tg.nanmean(tg.tensor(x), 1).numpy()).tolist() == [False, False, True]
    assert tg.nanmean(tg.tensor(x.astype(np.float32)), 0, keepdim=True).dtype == np.float32
    t = tg.tensor([1.0, NAN, 4.0], requires_grad=True)
    tg.nanmean(t).backward()
    assert t.grad.tolist() == [0.5, 0, 0.5]
    assert tg.nansum(tg.tensor([1, 2])).item() == 3


def test_pairs_are_what_their_names_say(rng):
    x = tg.tensor(rng.standard_normal((3, 4)))
    for pair, one in ((tg.var_mean, tg.var), (tg.std_mean, tg.std)):
        first, second = pair(x, 1, correction=0, keepdim=True)
        np.testing.assert_array_equal(first.numpy(), one(x, 1, 0, True).numpy())
        np.testing.assert_array_equal(second.numpy(), tg.mean(x, 1, True).numpy())
    low, high = tg.aminmax(x, dim=1)
    np.testing.assert_array_equal(low.numpy(), x.numpy().min(1))
    np.testing.assert_array_equal(high.numpy(), x.numpy().max(1))
    assert tg.aminmax(x).max.item() == x.numpy().max()


def test_count_nonzero_counts_along_axes():
    x = tg.tensor([[0.0, 2.0, NAN], [0.0, 0.0, -1.0]])
    assert tg.count_nonzero(x).item() == 3
    assert tg.count_nonzero(x, dim=0).tolist() == [0, 1, 2]
    assert tg.count_nonzero(x > 0, dim=(0, 1)).item() == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: tg.norm(x, "nuc"), ArgumentError, "norm: p is 'nuc'"),
        (lambda x: tg.norm(x, NAN), ArgumentError, "norm: p is nan"),
        (lambda x: tg.norm(x > 0), DTypeError, "norm: a floating dtype"),
        (lambda x: tg.norm(x, 2, 2), ShapeError, "axis 2"),
        (lambda x: tg.norm(x, 2, (0, 0)), ShapeError, "duplicate"),
        (lambda x: tg.nanmean(x > 0), DTypeError, "nanmean: a floating dtype"),
        (lambda x: tg.aminmax(x[:0]), ShapeError, "no identity"),
    ],
)
def test_bad_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call(tg.ones(2, 3))
