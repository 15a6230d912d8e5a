"""Sorting, searching, medians, quantiles, counts and draws against NumPy."""

import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    NotDifferentiable,
    RangeError,
    ShapeError,
)

NAN, INF = math.nan, math.inf


@pytest.fixture
def ties(rng):
    """Few distinct numbers, some of them NaN."""
    x = rng.integers(0, 4, (4, 6, 5)).astype(float)
    x[rng.random(x.shape) < 0.1] = NAN
    return x


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sort_is_stable_and_puts_nan_at_the_large_end(ties, axis):
    values, indices = tg.sort(tg.tensor(ties), axis)
    np.testing.assert_array_equal(indices.numpy(), np.argsort(ties, axis, kind="stable"))
    np.testing.assert_array_equal(values.numpy(), np.sort(ties, axis))
    values, indices = tg.sort(tg.tensor(ties), axis, descending=True)
    np.testing.assert_array_equal(values.numpy(), np.flip(np.sort(ties, axis), axis))
    negated = np.where(np.isnan(ties), -INF, -ties)
    np.testing.assert_array_equal(indices.numpy(), np.argsort(negated, axis, kind="stable"))
    np.testing.assert_array_equal(
        tg.argsort(tg.tensor(ties), axis, descending=True).numpy(), indices.numpy()
    )


def test_sort_takes_booleans_integers_and_nothing():
    assert tg.sort(tg.tensor([True, False])).values.tolist() == [False, True]
    assert tg.sort(tg.tensor([3, 1, 2], dtype=np.uint8), descending=True).values.tolist() == [3, 2, 1]
    assert tg.sort(tg.zeros(0)).values.shape == (0,)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [0, 1, 3, 6])
def test_topk_is_the_beginning_of_a_sort(ties, largest, k):
    values, indices = tg.topk(tg.tensor(ties), k, 1, largest)
    expected = tg.sort(tg.tensor(ties), 1, descending=largest).values.numpy()[:, :k]
    np.testing.assert_array_equal(values.numpy(), expected)
    np.testing.assert_array_equal(np.take_along_axis(ties, indices.numpy(), 1), expected)
    assert all(len(set(row)) == k for row in indices.numpy().swapaxes(1, 2).reshape(20, k).tolist())


def test_kthvalue_counts_from_one(ties):
    for k in (1, 4, 6):
        values, indices = tg.kthvalue(tg.tensor(ties), k, 1)
        np.testing.assert_array_equal(values.numpy(), np.sort(ties, 1)[:, k - 1])
        np.testing.assert_array_equal(
            np.take_along_axis(ties, indices.numpy()[:, None], 1)[:, 0], values.numpy()
        )
    assert tg.kthvalue(tg.tensor(ties), 1, 1, keepdim=True).values.shape == (4, 1, 5)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: tg.sort(x, 1).values, lambda x: tg.sort(x, 0, True).values,
        lambda x: tg.topk(x, 2, 1).values, lambda x: tg.kthvalue(x, 3, 1).values,
        lambda x: tg.median(x, 1).values, tg.median, lambda x: tg.quantile(x, 0.3, 1),
        lambda x: tg.nanmedian(x, 0, True).values, lambda x: tg.unique(x), lambda x: tg.unique(x, dim=0),
        lambda x: tg.quantile(x, [0.1, 0.55, 1.0], 0, interpolation="midpoint"), tg.nanmedian,
    ],
)
def test_derivatives_of_what_is_taken_from_an_order(f):
    at = [[0.3, -1.2, 2.1, 0.9], [1.7, 0.1, -0.6, 3.3], [2.6, -2.0, 1.1, 0.5]]
    x = tg.tensor(at, requires_grad=True)
    assert tg.gradcheck(f, x)
    assert tg.gradgradcheck(f, x)


def test_median_is_the_lower_of_two(rng):
    for shape in [(5,), (6,), (1,), (3, 4)]:
        x = rng.standard_normal(shape)
        expected = np.sort(x, None)[(x.size - 1) // 2]
        assert tg.median(tg.tensor(x)).item() == tg.nanmedian(tg.tensor(x)).item() == expected
    values, indices = tg.median(tg.tensor(x), 0)
    np.testing.assert_array_equal(values.numpy(), np.sort(x, 0)[1])
    np.testing.assert_array_equal(x[indices.numpy(), range(4)], values.numpy())
    assert tg.median(tg.tensor(x), keepdim=True).shape == (1, 1)
    assert tg.median(tg.tensor([3, 1, 2, 9])).item() == 2


def test_ties_share_the_gradient_of_a_median_of_all():
    x = tg.tensor([1.0, 2.0, 2.0, 3.0, 2.0], requires_grad=True)
    tg.median(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), [0, 1 / 3, 1 / 3, 0, 1 / 3])
    x = tg.tensor([1.0, 2.0, 2.0], requires_grad=True)
    tg.median(x, 0).values.backward()
    assert sorted(x.grad.tolist()) == [0, 0, 1]


def test_medians_with_nan(ties):
    values, indices = tg.median(tg.tensor(ties), 1)
    np.testing.assert_array_equal(np.isnan(values.numpy()), np.isnan(ties).any(1))
    taken = np.take_along_axis(ties, indices.numpy()[:, None], 1)[:, 0]
    np.testing.assert_array_equal(taken, values.numpy())
    assert np.isnan(tg.median(tg.tensor(ties)).item())
    kept = np.sort(ties[~np.isnan(ties)])
    assert tg.nanmedian(tg.tensor(ties)).item() == kept[(kept.size - 1) // 2]
    rows = np.array([[3.0, NAN, 1.0, 2.0], [NAN] * 4, [4.0, 4.0, NAN, 5.0]])
    np.testing.assert_array_equal(tg.nanmedian(tg.tensor(rows), 1).values.numpy(), [2, NAN, 4])
    x = tg.tensor([NAN, 1.0], requires_grad=True)
    tg.median(x).backward()
    assert x.grad.tolist() == [1, 0]


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_quantiles_are_numpys(ties, interpolation, axis, keepdims):
    clean = np.nan_to_num(ties) + np.linspace(0, 0.5, ties.size).reshape(ties.shape)
    for q in (0.0, 0.37, 1.0, np.array([0.1, 0.5, 0.93])):
        for ours, numpys, x in (
            (tg.quantile, np.quantile, clean), (tg.quantile, np.quantile, ties),
            (tg.nanquantile, np.nanquantile, ties),
        ):
            expected = numpys(x, q, axis=axis, method=interpolation, keepdims=keepdims)
            found = ours(tg.tensor(x), q, dim=axis, keepdim=keepdims, interpolation=interpolation)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)


def test_quantile_is_differentiable_by_its_fraction():
    x = tg.tensor([1.0, 2.0, 4.0, 8.0], requires_grad=True)
    q = tg.tensor([0.2, 0.5], requires_grad=True)
    assert tg.gradcheck(tg.quantile, [x, q])
    assert tg.quantile(x, q).dtype == np.float64
    single = tg.tensor(np.array([1, 2], np.float32))
    assert tg.quantile(single, 0.3).dtype == np.float32


def test_quantiles_of_infinities_and_of_nothing_but_nan():
    assert tg.quantile(tg.tensor([-INF, 1.0, INF, INF]), 0.9).item() == INF
    assert math.isnan(tg.nanquantile(tg.tensor([NAN, NAN]), 0.5).item())


@pytest.mark.parametrize("right", [False, True])
def test_searchsorted_and_bucketize_are_numpys(rng, right):
    side = "right" if right else "left"
    rows = np.sort(rng.integers(0, 6, (3, 7)).astype(float), 1)
    values = rng.integers(-1, 7, (3, 4)).astype(float)
    expected = np.stack([np.searchsorted(r, v, side) for r, v in zip(rows, values)])
    found = tg.searchsorted(tg.tensor(rows), tg.tensor(values), right=right)
    np.testing.assert_array_equal(found.numpy(), expected)
    assert found.dtype == np.int64
    for f in (
        lambda: tg.searchsorted(tg.tensor(rows[0]), tg.tensor(values), side=side),
        lambda: tg.bucketize(tg.tensor(values), tg.tensor(rows[0]), right=right),
    ):
        np.testing.assert_array_equal(f().numpy(), np.searchsorted(rows[0], values, side))
    shuffled = rng.permutation(7)
    sorter = np.argsort(rows[0][shuffled])
    found = tg.searchsorted(
        tg.tensor(rows[0][shuffled]), 2.5, out_int32=True, sorter=tg.tensor(sorter)
    )
    assert found.dtype == np.int32 and found.item() == np.searchsorted(rows[0], 2.5)


def test_unique_gives_what_rebuilds_its_input(ties):
    x = np.nan_to_num(ties)
    values, inverse, counts = tg.unique(tg.tensor(x), return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(values.numpy(), np.unique(x))
    np.testing.assert_array_equal(values.numpy()[inverse.numpy()], x)
    assert counts.sum().item() == x.size
    rows = x[:, 0, :2].astype(int)
    values, inverse = tg.unique(tg.tensor(rows), dim=0, return_inverse=True)
    np.testing.assert_array_equal(values.numpy(), np.unique(rows, axis=0))
    np.testing.assert_array_equal(values.numpy()[inverse.numpy()], rows)
    assert tg.unique(tg.tensor([NAN, 1.0, NAN])).shape == (3,)
    once = tg.tensor([2.0, 1.0, 2.0], requires_grad=True)
    tg.unique(once).sum().backward()
    assert once.grad.tolist() == [1, 1, 0]


def test_bincount_counts_or_sums_weights():
    x = np.array([0, 3, 3, 1])
    assert tg.bincount(tg.tensor(x)).tolist() == [1, 1, 0, 2]
    assert tg.bincount(tg.tensor(x), minlength=6).tolist() == [1, 1, 0, 2, 0, 0]
    assert tg.bincount(tg.tensor(x), tg.tensor([1, 2, 3, 4])).tolist() == [1.0, 4.0, 0.0, 5.0]
    assert tg.bincount(tg.tensor(x[:0]), minlength=2).tolist() == [0, 0]
    weights = tg.tensor([0.5, 1.5, -2.0, 3.0], requires_grad=True)
    assert tg.gradgradcheck(lambda w: tg.bincount(x, w), weights)


def test_histograms_are_numpys(rng):
    x = rng.standard_normal((20, 3))
    hist, edges = np.histogram(x, 7)
    found = tg.histogram(tg.tensor(x), 7)
    np.testing.assert_array_equal(found.hist.numpy(), hist)
    np.testing.assert_allclose(found.bin_edges.numpy(), edges, rtol=1e-14)
    np.testing.assert_array_equal(tg.histc(tg.tensor(x), 7).numpy(), hist)
    np.testing.assert_array_equal(
        tg.histc(tg.tensor(x), 4, -1, 1).numpy(), np.histogram(x, 4, (-1, 1))[0]
    )
    edges, weight = np.array([-2.0, 0.0, 0.5]), rng.random(x.shape)
    found = tg.histogram(tg.tensor(x), tg.tensor(edges), weight=tg.tensor(weight), density=True)
    np.testing.assert_allclose(found.hist.numpy(), np.histogram(x, edges, None, True, weight)[0])
    single = tg.tensor(x.astype(np.float32))
    assert tg.histc(single).dtype == tg.histogram(single, 3).bin_edges.dtype == np.float32
    assert tg.histc(tg.ones(5), 2).tolist() == [0, 5]


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_draws_in_proportion(replacement):
    weights = np.array([[0.0, 1.0, 3.0, 0.0, 6.0], [2.0, 2.0, 0.0, 1.0, 5.0]])
    generator = np.random.default_rng(5)
    draws = [tg.multinomial(tg.tensor(weights), 1, replacement, generator) for _ in range(3000)]
    for row in range(2):
        counts = np.bincount([int(d.numpy()[row, 0]) for d in draws], minlength=5) / 3000
        np.testing.assert_allclose(counts, weights[row] / 10, atol=0.04)
        assert (counts[weights[row] == 0] == 0).all()


def test_multinomial_without_replacement_draws_each_once():
    for _ in range(20):
        assert sorted(tg.multinomial(tg.tensor([1.0, 0.0, 1e-9, 5.0]), 3).tolist()) == [0, 2, 3]
    tg.manual_seed(3)
    first = tg.multinomial(tg.ones(50), 10, replacement=True).tolist()
    tg.manual_seed(3)
    assert tg.multinomial(tg.ones(50), 10, replacement=True).tolist() == first
    assert max(first) < 50 and len(set(first)) > 3


X = tg.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.sort(X, 2), ShapeError, "sort: axis 2"),
        (lambda: tg.argsort(X[0, 0], 1), ShapeError, "argsort: axis 1"),
        (lambda: tg.topk(X, 3), RangeError, "topk: k is 3"),
        (lambda: tg.topk(X, 1.0), ArgumentError, "topk: k is 1.0"),
        (lambda: tg.kthvalue(X, 0), RangeError, "kthvalue: k is 0"),
        (lambda: tg.median(tg.zeros(0)), ShapeError, "median: no elements"),
        (lambda: tg.nanmedian(X, 5), ShapeError, "nanmedian: axis 5"),
        (lambda: tg.quantile(X, 1.1), RangeError, "quantile: q is 1.1"),
        (lambda: tg.quantile(X, NAN), RangeError, "quantile: q is nan"),
        (lambda: tg.quantile(X, X / 9), ShapeError, "quantile: q has shape"),
        (lambda: tg.quantile(X, 0.5, interpolation="cubic"), ArgumentError, "interpolation is 'cubic'"),
        (lambda: tg.quantile(tg.tensor([1, 2]), 0.5), DTypeError, "quantile: a floating dtype"),
        (lambda: tg.nanquantile(tg.zeros(0), 0.5), ShapeError, "nanquantile: no elements"),
        (lambda: tg.searchsorted([2.0, 1.0], 1.0), RangeError, "not sorted"),
        (lambda: tg.searchsorted(X, tg.ones(3, 2)), ShapeError, "sorted_sequence has shape"),
        (lambda: tg.searchsorted(X[0], 1.0, side="up"), ArgumentError, "side is 'up'"),
        (lambda: tg.searchsorted(X[0], 1.0, right=True, side="left"), ArgumentError, "side is 'left'"),
        (lambda: tg.searchsorted(1.0, 1.0), ShapeError, "has no axis"),
        (lambda: tg.bucketize(X, X), ShapeError, "bucketize: boundaries"),
        (lambda: tg.unique(X, axis=2), ShapeError, "unique: axis 2"),
        (lambda: tg.bincount(X), DTypeError, "bincount: x is float64"),
        (lambda: tg.bincount([-1]), RangeError, "bincount: x holds -1"),
        (lambda: tg.bincount([[1]]), ShapeError, "bincount: x has shape"),
        (lambda: tg.bincount([1], [1.0, 2.0]), ShapeError, "bincount: weights"),
        (lambda: tg.bincount([1], minlength=-1), RangeError, "minlength"),
        (lambda: tg.histc(X, 0), RangeError, "histc: bins is 0"),
        (lambda: tg.histc(X, 2.5), ArgumentError, "histc: bins is 2.5"),
        (lambda: tg.histc(X, 2, 3, 1), RangeError, "histc: the bins begin at 3"),
        (lambda: tg.histc(X * NAN, 2), RangeError, "finite limits"),
        (lambda: tg.histc(tg.ones(2, requires_grad=True), 2), NotDifferentiable, "histc"),
        (lambda: tg.histogram(X, 2, weight=X[0]), ShapeError, "histogram: weight"),
        (lambda: tg.histogram(X, [2.0, 1.0]), RangeError, "increase"),
        (lambda: tg.histogram(X, 2, range=1), ArgumentError, "histogram"),
        (lambda: tg.multinomial(X, 3), RangeError, "multinomial: 3 samples"),
        (lambda: tg.multinomial(-X, 1), RangeError, "negative, infinite or NaN"),
        (lambda: tg.multinomial(X * 0, 1, True), RangeError, "only 0 elements"),
        (lambda: tg.multinomial(X[None], 1), ShapeError, "one or two axes"),
        (lambda: tg.multinomial(X, 0), RangeError, "at least one"),
        (lambda: tg.multinomial(X, 1.5), ArgumentError, "whole number"),
    ],
)
def test_bad_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call()
