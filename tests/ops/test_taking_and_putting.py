"""Functions of indices and masks: values by NumPy, gradients by differences, errors by name."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    IndexingError,
    RangeError,
    ShapeError,
    TensorError,
)

MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, False, False]])
PICKED = np.array([[0, 3, 3], [2, 2, 2]])       # of axis 1, for two of three rows
ONCE = np.array([[1, 0, 3], [2, 3, 0]])         # the same, none twice


def with_put(x, key, values):
    y = x.copy()
    y[key] = values
    return y


def with_added(x, key, values):
    y = x.copy()
    np.add.at(y, key, values)
    return y


def along_rows(index):
    return np.arange(len(index))[:, None], index


# Ours, and the same by NumPy, for x of shape (3, 4) and v of shape (2, 3), or what is taken of these.
SAME = {
    "take": (lambda x, v: tg.take(x, [[0, -1], [5, 5]]), lambda x, v: np.take(x, [[0, -1], [5, 5]])),
    "take_along_dim": (
        lambda x, v: tg.take_along_dim(x, [[-1], [0], [2]], dim=1),
        lambda x, v: np.take_along_axis(x, np.array([[-1], [0], [2]]), 1),
    ),
    "take_along_dim broadcast": (
        lambda x, v: tg.take_along_dim(x, [[2, 0]], 1), lambda x, v: x[:, [2, 0]]
    ),
    "take_along_dim flat": (lambda x, v: tg.take_along_dim(x, [7, 1]), lambda x, v: x.ravel()[[7, 1]]),
    "gather": (lambda x, v: x.gather(1, PICKED), lambda x, v: x[along_rows(PICKED)]),
    "index_select": (
        lambda x, v: x.index_select(dim=1, index=tg.tensor([1, 1, 0])), lambda x, v: x[:, [1, 1, 0]]
    ),
    "select": (lambda x, v: x.select(1, -2), lambda x, v: x[:, -2]),
    "narrow": (lambda x, v: x.narrow(1, -3, 2), lambda x, v: x[:, 1:3]),
    "masked_select": (lambda x, v: tg.masked_select(x, MASK), lambda x, v: x[MASK]),
    "masked_select broadcast": (
        lambda x, v: tg.masked_select(x[:1], MASK), lambda x, v: np.broadcast_to(x[:1], (3, 4))[MASK]
    ),
    "where": (lambda x, v: tg.where(MASK, input=x, other=x * x), lambda x, v: np.where(MASK, x, x * x)),
    "scatter": (lambda x, v: tg.scatter(x, 1, ONCE, v), lambda x, v: with_put(x, along_rows(ONCE), v)),
    "scatter, repeated": (
        lambda x, v: x.scatter(1, PICKED, v), lambda x, v: with_put(x, along_rows(PICKED), v)
    ),
    "scatter of a longer src": (
        lambda x, v: tg.scatter(x, 1, ONCE[:1, :2], v),
        lambda x, v: with_put(x, along_rows(ONCE[:1, :2]), v[:1, :2]),
    ),
    "scatter a number": (
        lambda x, v: tg.scatter(x, 1, ONCE, value=2.5), lambda x, v: with_put(x, along_rows(ONCE), 2.5)
    ),
    "scatter_add": (
        lambda x, v: tg.scatter_add(x, 1, PICKED, v), lambda x, v: with_added(x, along_rows(PICKED), v)
    ),
    "index_add": (
        lambda x, v: tg.index_add(x[:, :3], 0, [2, 2], v, alpha=-1.5),
        lambda x, v: with_added(x[:, :3], (np.array([2, 2]),), -v - v / 2),
    ),
    "index_copy": (
        lambda x, v: tg.index_copy(x[:, :3], 0, [2, 2], v), lambda x, v: with_put(x[:, :3], [2, 2], v)
    ),
    "index_fill": (
        lambda x, v: tg.index_fill(x, 1, [-1, 0, 3], 2.5),
        lambda x, v: with_put(x, (slice(None), [-1, 0]), 2.5),
    ),
    "index_put": (
        lambda x, v: x.index_put((tg.tensor([[-1], [0]]), tg.tensor([1, 0, 1])), v),
        lambda x, v: with_put(x, (np.array([[-1], [0]]), np.array([1, 0, 1])), v),
    ),
    "index_put broadcast": (
        lambda x, v: tg.index_put(x, [[0, 0, 1]], v[:, :1].sum()),
        lambda x, v: with_put(x, [0, 0, 1], v[:, :1].sum()),
    ),
    "index_put a mask": (
        lambda x, v: tg.index_put(x, (MASK,), v.reshape(-1)), lambda x, v: with_put(x, MASK, v.ravel())
    ),
    "index_put accumulated": (
        lambda x, v: tg.index_put(x, ([0, 0], [1, 1]), v[:, 0], accumulate=True),
        lambda x, v: with_added(x, ([0, 0], [1, 1]), v[:, 0]),
    ),
    "put": (
        lambda x, v: x.put(PICKED, v), lambda x, v: with_put(x.ravel(), PICKED.ravel(), v.ravel())
        .reshape(3, 4)
    ),
    "put accumulated": (
        lambda x, v: tg.put(x, PICKED - 4, v, accumulate=True),
        lambda x, v: with_added(x.ravel(), PICKED.ravel() - 4, v.ravel()).reshape(3, 4),
    ),
    "masked_fill": (lambda x, v: x.masked_fill(MASK, -1), lambda x, v: np.where(MASK, -1, x)),
    "masked_fill with a tensor": (
        lambda x, v: tg.masked_fill(x, MASK[0], v[0, 0]), lambda x, v: np.where(MASK[0], v[0, 0], x)
    ),
    "masked_scatter": (
        lambda x, v: tg.masked_scatter(x, MASK[0], tg.cat([v, v], 1)),
        lambda x, v: with_put(x, np.broadcast_to(MASK[0], (3, 4)), np.hstack([v, v]).ravel()[:9]),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_values_are_numpys_in_both_dtypes(name, rng):
    ours, theirs = SAME[name]
    for dtype in (np.float64, np.float32):
        x, v = rng.standard_normal((3, 4)).astype(dtype), rng.standard_normal((2, 3)).astype(dtype)
        expected, found = theirs(x, v), ours(tg.tensor(x), tg.tensor(v))
        assert found.dtype == dtype and found.shape == expected.shape
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", SAME)
def test_derivatives_agree_with_differences_at_first_and_second_order(name, rng):
    ours, _ = SAME[name]
    inputs = [tg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((3, 4), (2, 3))]
    weight = tg.tensor(rng.standard_normal(ours(*inputs).shape))

    def f(x, v):
        return ours(x, v).square() * weight + v.sum() * x.sum()     # which both take part in

    assert tg.gradcheck(f, inputs)
    assert tg.gradgradcheck(f, inputs)


def reduced_by_hand(x, index, src, reduce, include_self):
    """Reduce along axis 1, one element after the other."""
    brought = {}
    for position, column in np.ndenumerate(index):
        brought.setdefault((position[0], column), []).append(src[position])
    y = x.copy()
    fold = {"sum": np.sum, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce]
    for place, values in brought.items():
        y[place] = fold([x[place], *values] if include_self else values)
    return y


REDUCTIONS = [
    (reduce, include) for reduce in ("sum", "mean", "amax", "amin") for include in (True, False)
]


@pytest.mark.parametrize(("reduce", "include_self"), REDUCTIONS)
def test_scatter_reduce_against_loops_and_differences(reduce, include_self, rng):
    x, src = rng.permutation(12).reshape(3, 4) / 3, rng.permutation(6).reshape(2, 3) + 0.2
    expected = reduced_by_hand(x, PICKED, src, reduce, include_self)

    def f(x, src):
        return tg.scatter_reduce(x, 1, PICKED, src, reduce, include_self=include_self)

    np.testing.assert_allclose(f(x, src).numpy(), expected, rtol=1e-15)
    single = f(x.astype(np.float32), src.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.numpy(), expected, rtol=1e-6)
    inputs = [tg.tensor(x, requires_grad=True), tg.tensor(src, requires_grad=True)]
    assert tg.gradcheck(f, inputs)
    assert tg.gradgradcheck(lambda x, src: f(x, src).square(), inputs)


@pytest.mark.parametrize(("reduce", "include_self"), REDUCTIONS)
def test_scatter_reduce_of_integers(reduce, include_self):
    x, src = np.arange(12).reshape(3, 4), np.array([[-7, 2, 9], [3, 1, -4]])
    found = tg.scatter_reduce(x, 1, PICKED, src, reduce, include_self=include_self)
    assert found.dtype == np.int64
    expected = reduced_by_hand(x.astype(float), PICKED, src, reduce, include_self)
    np.testing.assert_array_equal(found.numpy(), np.floor(expected))


def test_ties_of_a_reduction_share_the_gradient_equally():
    x, src = tg.tensor([2.0, 1.0], requires_grad=True), tg.tensor([2.0, 2.0, 1.0], requires_grad=True)
    index = np.array([0, 0, 0])
    tg.scatter_reduce(x, 0, index, src, "amax").sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1 / 3, 1.0])
    np.testing.assert_allclose(src.grad.numpy(), [1 / 3, 1 / 3, 0.0])
    x.grad = src.grad = None
    tg.scatter_reduce(x, 0, index, src, "amax", include_self=False).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.0, 1.0])
    np.testing.assert_allclose(src.grad.numpy(), [0.5, 0.5, 0.0])


@pytest.mark.parametrize(
    "put",
    [
        lambda x, v: tg.scatter(x, 0, [1, 1, 2, 1], v),
        lambda x, v: tg.index_copy(x, 0, [1, 1, 2, 1], v),
        lambda x, v: tg.index_put(x, ([1, 1, -1, 1],), v),
        lambda x, v: tg.put(x, [1, 1, 2, 1], v),
    ],
)
def test_the_last_value_stays_and_the_overwritten_have_no_gradient(put):
    x, v = tg.zeros(3, requires_grad=True), tg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = put(x, v)
    np.testing.assert_array_equal(y.detach().numpy(), [0.0, 4.0, 3.0])
    y.backward(np.array([10.0, 20.0, 30.0]))
    np.testing.assert_array_equal(v.grad.numpy(), [0.0, 0.0, 30.0, 20.0])
    np.testing.assert_array_equal(x.grad.numpy(), [10.0, 0.0, 0.0])


def test_nothing_is_put_in_place_and_the_callers_indices_may_change(rng):
    x = tg.tensor(np.zeros((3, 4)), requires_grad=True)
    index = ONCE.copy()
    y = tg.scatter(x, 1, index, 1.0)
    index[...] = 1
    y.sum().backward()
    assert not x.detach().numpy().any()
    np.testing.assert_array_equal(x.grad.numpy(), 1 - with_put(np.zeros((3, 4)), along_rows(ONCE), 1.0))


def test_no_index_changes_nothing():
    x = tg.tensor([[1.0, 2.0]])
    none = np.zeros((0, 0), int)
    for y in (
        tg.scatter(x, 1, [], tg.zeros(1, 2)), tg.scatter_add(x, 1, none, tg.zeros(0, 0)),
        tg.index_fill(x, 1, [], 5.0), tg.index_add(x, 0, [], tg.zeros(0, 2)),
        tg.index_put(x, ([],), tg.zeros(0, 2)), tg.masked_fill(x, [False, False], 1.0),
    ):
        np.testing.assert_array_equal(y.numpy(), x.numpy())
    assert tg.index_select(x, 1, []).shape == (1, 0)
    assert tg.masked_select(x, [False, False]).shape == (0,)


def test_where_things_are_not_zero():
    x = tg.tensor([[0.0, 3.0], [4.0, 0.0]], requires_grad=True)
    np.testing.assert_array_equal(tg.nonzero(x).numpy(), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(tg.argwhere(x).numpy(), [[0, 1], [1, 0]])
    for found in (tg.nonzero(x, as_tuple=True), tg.where(x != 0)):
        np.testing.assert_array_equal([axis.numpy() for axis in found], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(x[tg.where(x > 3)].detach().numpy(), [4.0])
    assert tg.nonzero(tg.tensor(1.0)).shape == (1, 0)


def test_masks_named_together_name_each_element_once(rng):
    rows, columns = np.array([True, False, True]), np.array([False, True, True, False])
    x = tg.tensor(rng.standard_normal((3, 4)), requires_grad=True)
    assert tg.gradgradcheck(lambda x: x[rows, columns].square(), x)
    x[np.array([0, 0]), np.array([False, True, False, False])].sum().backward()    # once is not enough
    assert x.grad[0, 1].item() == 2.0


def test_integers_and_booleans_stay():
    x = tg.arange(3)
    assert tg.masked_fill(x, [True, False, False], 7).dtype == np.int64
    assert tg.scatter(x == 1, 0, [0], True).tolist() == [True, True, False]
    added = tg.index_add(tg.arange(3, dtype=np.uint8), 0, [0, 0], np.array([1, 2], np.uint8))
    assert added.dtype == np.uint8 and added.tolist() == [3, 1, 2]


Z = np.zeros((3, 4))
WRONG = {
    "take: index 12 is out": (IndexingError, lambda: tg.take(Z, [12])),
    "take: the index has dtype float64": (DTypeError, lambda: tg.take(Z, [1.0])),
    "take_along_dim: index 4": (IndexingError, lambda: tg.take_along_dim(Z, [[4]], 1)),
    "take_along_dim: indices have shape": (ShapeError, lambda: tg.take_along_dim(Z, [0], 1)),
    "take_along_dim: indices of shape": (ShapeError, lambda: tg.take_along_dim(Z, [[0], [0]], 1)),
    "gather: axis 2 is": (ShapeError, lambda: tg.gather(Z, 2, ONCE)),
    "index_select: index -1 .* not from the end": (IndexingError, lambda: tg.index_select(Z, 0, [-1])),
    "index_select: the index has shape": (ShapeError, lambda: tg.index_select(Z, 0, [[0]])),
    "index_select: axis 2": (ShapeError, lambda: tg.index_select(Z, 2, [0])),
    "masked_select: the mask has dtype int64": (DTypeError, lambda: tg.masked_select(Z, [1, 0, 1, 0])),
    "masked_select: a mask of shape": (ShapeError, lambda: tg.masked_select(Z, [True, False])),
    "where: pass both": (ArgumentError, lambda: tg.where(MASK, 1.0)),
    "scatter: pass one": (ArgumentError, lambda: tg.scatter(Z, 0, ONCE)),
    "scatter: index 4": (IndexingError, lambda: tg.scatter(Z, 1, [[4]], 1.0)),
    "scatter: index -1": (IndexingError, lambda: tg.scatter(Z, 1, [[-1]], 1.0)),
    "scatter: x, index and src": (ShapeError, lambda: tg.scatter(Z, 1, [0], 1.0)),
    "scatter: an index of shape": (ShapeError, lambda: tg.scatter(Z, 0, [[0], [1]], np.zeros((1, 1)))),
    "scatter_add: an index of shape": (
        ShapeError, lambda: tg.scatter_add(Z, 0, np.zeros((1, 5), int), np.zeros((1, 5)))
    ),
    "scatter_add: src has dtype float64 and x has dtype int64": (
        DTypeError, lambda: tg.scatter_add(Z.astype(int), 1, ONCE, ONCE * 1.0)
    ),
    "scatter_reduce: reduce is 'least'": (
        ArgumentError, lambda: tg.scatter_reduce(Z, 0, ONCE, ONCE, "least")
    ),
    "index_add: source has shape": (ShapeError, lambda: tg.index_add(Z, 0, [0, 1], Z)),
    "index_add: index 3": (IndexingError, lambda: tg.index_add(Z, 0, [3], Z[:1])),
    "index_copy: source has shape": (ShapeError, lambda: tg.index_copy(Z, 1, [0], Z)),
    "index_fill: value has shape": (ShapeError, lambda: tg.index_fill(Z, 1, [0], [1.0])),
    "index_fill: index -5": (IndexingError, lambda: tg.index_fill(Z, 1, [-5], 1.0)),
    "index_put: indices is a tuple": (ArgumentError, lambda: tg.index_put(Z, tg.tensor([0]), 1.0)),
    "index_put: the indices are for more": (IndexingError, lambda: tg.index_put(Z, ([0],) * 3, 1.0)),
    "index_put: index 3": (IndexingError, lambda: tg.index_put(Z, ([3],), 1.0)),
    "index_put: a mask of shape": (IndexingError, lambda: tg.index_put(Z, (MASK[:2],), 1.0)),
    "index_put: values of shape": (ShapeError, lambda: tg.index_put(Z, ([0, 1],), np.zeros(3))),
    "index_put: values has dtype": (DTypeError, lambda: tg.index_put(Z > 0, ([0, 1],), 1.0)),
    "put: 3 elements": (ShapeError, lambda: tg.put(Z, [0, 1], np.zeros(3))),
    "masked_fill: value has dtype": (
        DTypeError, lambda: tg.masked_fill(np.arange(2), [True, False], 1.5)
    ),
    "masked_fill: value has shape": (ShapeError, lambda: tg.masked_fill(Z, MASK, Z)),
    "masked_scatter: 2 elements": (RangeError, lambda: tg.masked_scatter(Z, MASK, np.zeros(2))),
    "masked_scatter: a mask of shape": (ShapeError, lambda: tg.masked_scatter(Z, MASK[:2], Z)),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_use_raises_with_the_name_of_the_function(message):
    kind, call = WRONG[message]
    with pytest.raises(TensorError, match=message) as caught:
        call()
    assert caught.type is kind
