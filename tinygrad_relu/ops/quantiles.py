"""Order statistics: medians and quantiles, with and without the elements that are NaN."""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.ops.arithmetic import ceil, floor, isinf, lerp, rint, where
from tinygrad_relu.ops.indexing import index, take_along_axis
from tinygrad_relu.ops.ordering import at_rank, places_in_order
from tinygrad_relu.ops.reductions import amax, mean
from tinygrad_relu.ops.shapes import (
    cast,
    checked_axis,
    flatten,
    numbers_as_vectors,
    permute,
    reshape,
    swapaxes,
)
from tinygrad_relu.ops.values import floating, tensor_of

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@checked_call
@numbers_as_vectors
def median(x, axis=None, keepdims=False):
    """Median, the lower of two: of all elements, or along one axis, with indices.

    NaN if an element is NaN.

    Returns
    -------
    Tensor, or along an axis a pair ``(values, indices)``
        Over all elements, those that are equal to the median share the gradient; along an axis, one of
        them takes it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.median(tg.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2., dtype=float64)
    """
    return median_of("median", tensor_of(x), axis, keepdims, False)


@checked_call
@numbers_as_vectors
def nanmedian(x, axis=None, keepdims=False):
    """`median` of the elements that are not NaN; NaN if there is none.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nanmedian(tg.tensor([4.0, float("nan"), 3.0]))
    tensor(3., dtype=float64)
    """
    return median_of("nanmedian", tensor_of(x), axis, keepdims, True)


def median_of(name, x, axis, keepdims, leave_out):
    """Return the median of all elements, or along an axis as `Ranked`; NaN may be left out."""
    whole = axis is None
    rows = flatten(x) if whole else x
    axis = 0 if whole else checked_axis(name, axis, x.ndim)
    values = rows.detach().numpy()
    if values.shape[axis] == 0:
        raise ShapeError(f"{name}: no elements have no median: x has shape {x.shape}")
    places = places_of_median(values, axis, leave_out)
    if not whole:
        return at_rank(x, places, axis, keepdims)
    value = values[places[0]]
    equal = index(rows, values == value if value == value else values != values)
    # Of equal numbers the largest is each of them, and they share its gradient.
    found = amax(equal) if value == value else mean(equal)
    return reshape(found, *[1] * x.ndim) if keepdims else found


def places_of_median(values, axis, leave_out):
    """Return where in each row the median is; NaN is left out, or the first of them is the answer."""
    missing = values != values
    if missing.any() and leave_out:
        # NaN comes last in order.
        ranks = np.maximum((~missing).sum(axis, keepdims=True) - 1, 0) // 2
        return np.take_along_axis(places_in_order(values, axis, False), ranks, axis)
    rank = (values.shape[axis] - 1) // 2
    places = np.take(np.argpartition(values, rank, axis), [rank], axis)
    spoiled = missing.any(axis, keepdims=True)
    return np.where(spoiled, missing.argmax(axis, keepdims=True), places)


@checked_call
def quantile(x, q, axis=None, keepdims=False, interpolation="linear"):
    """Quantiles of all elements, or along one axis: what a fraction `q` of them does not exceed.

    NaN where an element is NaN.

    Parameters
    ----------
    x : Tensor
        Of a floating dtype.
    q : float or Tensor
        From 0 to 1; of several in one axis, the results are stacked along a new first axis.
    axis : int, optional
    keepdims : bool, default False
    interpolation : {'linear', 'lower', 'higher', 'midpoint', 'nearest'}
        What lies between two elements.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.quantile(tg.tensor([1.0, 2.0, 3.0, 4.0]), 0.5)
    tensor(2.5, dtype=float64)
    """
    return quantiles_of("quantile", x, q, axis, keepdims, interpolation, False)


@checked_call
def nanquantile(x, q, axis=None, keepdims=False, interpolation="linear"):
    """`quantile` of the elements that are not NaN; NaN where there is none.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nanquantile(tg.tensor([1.0, float("nan"), 3.0]), 0.5)
    tensor(2., dtype=float64)
    """
    return quantiles_of("nanquantile", x, q, axis, keepdims, interpolation, True)


def quantiles_of(name, x, q, axis, keepdims, interpolation, leave_out):
    """Return quantiles along an axis, where NaN may be left out."""
    x, q = floating(name, x), checked_fractions(name, q)
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(
            f"{name}: interpolation is {interpolation!r}: it is one of {', '.join(INTERPOLATIONS)}"
        )
    if x.ndim == 0 and axis in (0, -1):
        axis = None
    if (x.size if axis is None else x.shape[checked_axis(name, axis, x.ndim)]) == 0:
        raise ShapeError(f"{name}: no elements have no quantiles: x has shape {x.shape}")
    if axis is None:
        rows, kept = flatten(x), (1,) * x.ndim
    else:
        axis = checked_axis(name, axis, x.ndim)
        rows = x if axis == x.ndim - 1 else swapaxes(x, axis, -1)
        kept = x.shape[:axis] + (1,) + x.shape[axis + 1 :]
    ranks = ranks_of(rows.detach().numpy(), q, leave_out)
    found = between_ranks(rows, ranks, interpolation)
    # From (rows, fractions) to (fractions, rows), in the order of the axes of x.
    if axis is not None:
        found = swapaxes(reshape(found, *rows.shape[:-1], 1, q.size), axis, -2)
        found = reshape(found, *kept, q.size)
    found = permute(found, found.ndim - 1, *range(found.ndim - 1))
    shape = kept if keepdims else () if axis is None else kept[:axis] + kept[axis + 1 :]
    return reshape(found, *q.shape, *shape)


def checked_fractions(name, q):
    """Return `q` as a float64 tensor of at most one axis, from 0 to 1, or raise."""
    if not isinstance(q, float):
        q = floating(name, q) if isinstance(q, Tensor) else tensor_of(q)
    q = cast(q, np.dtype(np.float64))
    values = q.detach().numpy()
    if q.ndim > 1:
        raise ShapeError(f"{name}: q has shape {q.shape}: a number or one axis of them is needed")
    if not ((values >= 0) & (values <= 1)).all():
        raise RangeError(f"{name}: q is {values.tolist()}: it is from 0 to 1")
    return q


def ranks_of(values, q, leave_out):
    """Return where in the order of each row the quantiles are, a number from 0 on."""
    missing = np.isnan(values)
    count = (~missing).sum(-1, keepdims=True)
    ranks = reshape(q, q.size) * np.maximum(count - 1, 0).astype(np.float64)
    if leave_out:
        return ranks
    # NaN comes last in order, and so is the whole row.
    return where(missing.any(-1, keepdims=True), values.shape[-1] - 1.0, ranks)


def between_ranks(rows, ranks, interpolation):
    """Return what is at `ranks` in the order of each row, or between them."""
    order = places_in_order(rows.detach().numpy(), -1, False)
    if interpolation == "nearest":
        ranks = rint(ranks)
    low, high = floor(ranks.detach()), ceil(ranks.detach())

    def at(k):
        return take_along_axis(rows, np.take_along_axis(order, k.numpy().astype(np.int64), -1), -1)

    below, above = at(low), at(high)
    if interpolation in ("lower", "higher"):
        return below if interpolation == "lower" else above
    weight = cast(ranks - low, rows.dtype) if interpolation == "linear" else 0.5
    # Between infinities, a difference would be NaN.
    return where((below == above) & isinf(below), below, lerp(below, above, weight))
