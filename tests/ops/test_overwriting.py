"""Parts of a copy written over, and products and extrema of groups; by NumPy and by differences."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, ShapeError


def over(x, key, values):
    y = x.copy()
    y[key] = values
    return y


PARTS = {
    "select_scatter": (
        (4,), lambda x, s: tg.select_scatter(x, s, 0, -1), lambda x, s: over(x, -1, s)
    ),
    "slice_scatter": (
        (3, 2), lambda x, s: x.slice_scatter(s, 1, 1, None, 2), lambda x, s: over(x, np.s_[:, 1::2], s)
    ),
    "diagonal_scatter": (
        (3,), lambda x, s: tg.diagonal_scatter(x, s, offset=1),
        lambda x, s: over(x, (np.arange(3), np.arange(1, 4)), s),
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_written_over_in_a_copy(name, rng):
    shape, ours, numpys = PARTS[name]
    x, s = rng.standard_normal((3, 4)), rng.standard_normal(shape)
    given = tg.tensor(x)
    np.testing.assert_array_equal(ours(given, tg.tensor(s)).numpy(), numpys(x, s))
    assert given.tolist() == x.tolist()
    assert tg.gradcheck(ours, (tg.tensor(x, requires_grad=True), tg.tensor(s, requires_grad=True)))


def test_parts_that_do_not_fit_are_named():
    x = tg.zeros(3, 4)
    with pytest.raises(ShapeError, match=r"select_scatter: src has shape \(3,\).*\(4,\)"):
        tg.select_scatter(x, tg.ones(3), 0, 0)
    with pytest.raises(ShapeError, match=r"diagonal_scatter: src has shape \(4,\).*\(3,\)"):
        tg.diagonal_scatter(x, tg.ones(4))
    with pytest.raises(DTypeError, match="slice_scatter: src has dtype float64 and x has dtype int64"):
        tg.slice_scatter(tg.zeros(3, dtype=tg.int64), tg.ones(3))


# -------------------------------------------------------------------------- products of groups

INDEX = np.array([[0, 0, 2, 0, 0, 2, 0]])


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_products_of_scattered_elements_are_numpys(include_self, dtype, rng):
    x, src = rng.integers(1, 5, (1, 4)).astype(dtype), rng.integers(-3, 4, (1, 7)).astype(dtype)
    expected = x.copy() if include_self else np.where(np.isin(np.arange(4), INDEX), 1, x).astype(dtype)
    np.multiply.at(expected, (0, INDEX[0]), src[0])
    found = tg.scatter_reduce(x, 1, INDEX, src, "prod", include_self=include_self)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("include_self", [True, False])
def test_derivatives_of_products_are_right_where_factors_are_zero(include_self, rng):
    x = tg.tensor([[0.0, 2.0, 3.0, 4.0]], requires_grad=True)
    src = tg.tensor([[1.5, 0.0, 0.0, -2.0, 0.5, 3.0, 0.7]], requires_grad=True)

    def product(x, src):
        return tg.scatter_reduce(x, 1, INDEX, src, "prod", include_self=include_self)

    assert tg.gradcheck(product, (x, src)) and tg.gradgradcheck(product, (x, src))
    # One infinite group does not spoil the other.
    far = tg.scatter_reduce(tg.ones(2), 0, [0, 0, 1], tg.tensor([np.inf, 2.0, 3.0]), "prod")
    assert far.tolist() == [np.inf, 3]


@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
def test_index_reduce_reduces_whole_entries(reduce, rng):
    x, source = rng.standard_normal((3, 2)), rng.standard_normal((4, 2))
    index = np.array([2, 0, 2, 2])
    whole = {"prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce]
    for include_self in (True, False):
        expected = x.copy()
        for k in (0, 2):
            own = x[k : k + 1] if include_self else x[:0]
            expected[k] = whole(np.concatenate([own, source[index == k]]), 0)
        found = tg.index_reduce(x, 0, index, source, reduce, include_self=include_self)
        np.testing.assert_allclose(found.numpy(), expected)
        turned = tg.index_reduce(x.T, 1, index, source.T, reduce, include_self)
        np.testing.assert_allclose(turned.numpy(), expected.T)
    inputs = [tg.tensor(value, requires_grad=True) for value in (x, source)]
    assert tg.gradcheck(lambda x, s: tg.index_reduce(x, 0, index, s, reduce), inputs)
    with pytest.raises(ArgumentError, match="index_reduce: reduce is 'least'"):
        tg.index_reduce(x, 0, index, source, "least")
