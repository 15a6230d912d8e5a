"""Order: sorted elements and where they stood, places in a sorted sequence, the largest, the distinct.

Places are found outside of the graph; values are then taken there, which the graph knows.  NaN counts as
larger than any number.
"""

from operator import index as whole
from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, sharing
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.ops.indexing import index, take_along_axis
from tinygrad_relu.ops.shapes import checked_axis, flatten, numbers_as_vectors, reshape
from tinygrad_relu.ops.values import tensor_of, without_derivative


class Sorted(NamedTuple):
    """What `sort` returns."""

    values: Tensor
    indices: Tensor


class TopK(NamedTuple):
    """What `topk` returns."""

    values: Tensor
    indices: Tensor


class Ranked(NamedTuple):
    """What `kthvalue` and, along an axis, `median` return."""

    values: Tensor
    indices: Tensor


def places_in_order(values, axis, descending):
    """Return the indices that sort `values`, equal ones in the order in which they stand."""
    if not descending:
        return np.argsort(values, axis, kind="stable")
    backwards = np.argsort(np.flip(values, axis), axis, kind="stable")
    return values.shape[axis] - 1 - np.flip(backwards, axis)


@checked_call
@numbers_as_vectors
def sort(x, axis=-1, descending=False, stable=True):
    """Elements in order along `axis`, and where they stood.

    Parameters
    ----------
    x : Tensor
    axis : int, default -1
    descending : bool, default False
        The largest first.
    stable : bool, default True
        Equal elements stay in the order in which they stand, whatever is asked for here.

    Returns
    -------
    Sorted
        A pair ``(values, indices)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.sort(tg.tensor([3.0, 1.0, 2.0]))
    Sorted(values=tensor([1., 2., 3.], dtype=float64), indices=tensor([1, 2, 0], dtype=int64))
    """
    x = tensor_of(x)
    axis = checked_axis("sort", axis, x.ndim)
    places = places_in_order(x.detach().numpy(), axis, descending)
    return Sorted(take_along_axis(x, places, axis), sharing(places))


@checked_call
@numbers_as_vectors
def argsort(x, axis=-1, descending=False, stable=True):
    """Indices that sort `x` along `axis`; see `sort`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.argsort(tg.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([0, 2, 1], dtype=int64)
    """
    x = tensor_of(x).detach()
    return sharing(places_in_order(x.numpy(), checked_axis("argsort", axis, x.ndim), descending))


def checked_count(name, k, low, x, axis):
    """Return `k` as an int from `low` to the length of `axis`, or raise."""
    try:
        k = whole(k)
    except TypeError:
        raise ArgumentError(f"{name}: k is {k!r}: it is a whole number") from None
    if not low <= k <= x.shape[axis]:
        raise RangeError(
            f"{name}: k is {k}: it is {low} to {x.shape[axis]}, the length of axis {axis} of x of shape "
            f"{x.shape}"
        )
    return k


@checked_call
@numbers_as_vectors
def topk(x, k, axis=-1, largest=True, sorted=True):
    """The `k` largest elements along `axis`, and where they stand.

    Parameters
    ----------
    x : Tensor
    k : int
    axis : int, default -1
    largest : bool, default True
        Else the smallest.
    sorted : bool, default True
        They always come in order, the best first, whatever is asked for here.

    Returns
    -------
    TopK
        A pair ``(values, indices)``.  Which of equal elements come in last is arbitrary.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.topk(tg.tensor([3.0, 1.0, 2.0]), 2)
    TopK(values=tensor([3., 2.], dtype=float64), indices=tensor([0, 2], dtype=int64))
    """
    x = tensor_of(x)
    axis = checked_axis("topk", axis, x.ndim)
    k, length = checked_count("topk", k, 0, x, axis), x.shape[axis]
    values = x.detach().numpy()
    if 0 < k < length:
        few = np.argpartition(values, length - k if largest else k - 1, axis)
    else:
        few = np.argsort(values, axis)
    few = np.sort(np.take(few, range(length - k, length) if largest else range(k), axis), axis)
    order = places_in_order(np.take_along_axis(values, few, axis), axis, largest)
    places = np.take_along_axis(few, order, axis)
    return TopK(take_along_axis(x, places, axis), sharing(places))


def at_rank(x, places, axis, keepdims):
    """Return the elements of `x` at `places`, one along `axis`, with these, as `Ranked`."""
    values, indices = take_along_axis(x, places, axis), sharing(places)
    if not keepdims:
        shape = x.shape[:axis] + x.shape[axis + 1 :]
        values, indices = reshape(values, *shape), reshape(indices, *shape)
    return Ranked(values, indices)


@checked_call
@numbers_as_vectors
def kthvalue(x, k, axis=-1, keepdims=False):
    """The `k`-th smallest element along `axis`, counted from 1, and where it stands.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.kthvalue(tg.tensor([3.0, 1.0, 2.0]), 2)
    Ranked(values=tensor(2., dtype=float64), indices=tensor(2, dtype=int64))
    """
    x = tensor_of(x)
    axis = checked_axis("kthvalue", axis, x.ndim)
    k = checked_count("kthvalue", k, 1, x, axis)
    places = np.argpartition(x.detach().numpy(), k - 1, axis)
    return at_rank(x, np.take(places, [k - 1], axis), axis, keepdims)


@without_derivative
def searchsorted(sorted_sequence, values, out_int32=False, right=False, side=None, sorter=None):
    """Where `values` would have to be put into a sorted sequence for it to stay sorted.

    Parameters
    ----------
    sorted_sequence : Tensor
        One sequence, or several along the last axis.
    values : Tensor or float
        Any, or for several sequences, of as many axes, those before the last of the same lengths.
    out_int32 : bool, default False
    right : bool, default False
        Whether after elements that are equal, rather than before them.
    side : {'left', 'right'}, optional
        The same, in NumPy's words.
    sorter : Tensor, optional
        Indices that sort the sequence.

    Raises
    ------
    RangeError
        The sequence is not sorted.  (PyTorch gives something.)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.searchsorted(tg.tensor([1.0, 3.0, 5.0]), tg.tensor([3.0, 6.0]))
    tensor([1, 3], dtype=int64)
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(f"searchsorted: side is {side!r} and right is {right}: give one of them")
    side = "right" if right or side == "right" else "left"
    rows, values = np.asarray(sorted_sequence), np.asarray(values)
    if rows.ndim == 0:
        raise ShapeError("searchsorted: sorted_sequence has no axis")
    if sorter is not None:
        rows = np.take_along_axis(rows, np.asarray(sorter), -1)
    if (rows[..., 1:] < rows[..., :-1]).any():
        raise RangeError("searchsorted: sorted_sequence is not sorted along its last axis")
    kind = np.int32 if out_int32 else np.int64
    if rows.ndim == 1:
        return np.asarray(np.searchsorted(rows, values, side), kind)
    if rows.shape[:-1] != values.shape[:-1]:
        raise ShapeError(
            f"searchsorted: sorted_sequence has shape {rows.shape} and values have shape "
            f"{values.shape}: all axes before the last have to agree"
        )
    found = np.empty(values.shape, kind)
    for place in np.ndindex(rows.shape[:-1]):
        found[place] = np.searchsorted(rows[place], values[place], side)
    return found


@checked_call
def bucketize(x, boundaries, out_int32=False, right=False):
    """The number of the bucket of each element between `boundaries`, which are sorted.

    Bucket k is between boundaries k - 1 and k, the latter included, or with `right` the former.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.bucketize(tg.tensor([0.0, 1.0, 1.5]), tg.tensor([1.0, 2.0]))
    tensor([0, 0, 1], dtype=int64)
    """
    boundaries = tensor_of(boundaries)
    if boundaries.ndim != 1:
        raise ShapeError(f"bucketize: boundaries have shape {boundaries.shape}: one axis is needed")
    return searchsorted(boundaries, x, out_int32, right)


class Mode(NamedTuple):
    """What `mode` returns."""

    values: Tensor
    indices: Tensor


@checked_call
@numbers_as_vectors
def mode(x, axis=-1, keepdims=False):
    """The element that is there most often along `axis`, and where it stands last.

    Of several that are there equally often it is the smallest; NaN counts as a number.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.mode(tg.tensor([2.0, 1.0, 3.0, 1.0]))
    Mode(values=tensor(1., dtype=float64), indices=tensor(3, dtype=int64))
    """
    x = tensor_of(x)
    axis = checked_axis("mode", axis, x.ndim)
    rows = np.moveaxis(x.detach().numpy(), axis, -1)
    if rows.shape[-1] == 0:
        raise ShapeError(f"mode: of no elements: x has shape {x.shape}")
    places = np.empty(rows.shape[:-1], np.intp)
    for place in np.ndindex(places.shape):
        _, inverse, counts = np.unique(rows[place], return_inverse=True, return_counts=True)
        places[place] = np.flatnonzero(inverse == counts.argmax())[-1]
    places = np.expand_dims(places, axis)
    values = take_along_axis(x, places, axis)
    if keepdims:
        return Mode(values, sharing(places))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return Mode(reshape(values, *shape), sharing(places.reshape(shape)))


@checked_call
def msort(x):
    """Elements in order along the first axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.msort(tg.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.], dtype=float64)
    """
    return sort(x, 0).values


@checked_call
def unique_consecutive(x, return_inverse=False, return_counts=False, axis=None):
    """The first of each run of equal elements, or of equal slices along `axis`.

    Parameters
    ----------
    x : Tensor
    return_inverse, return_counts : bool, default False
        Return, too, to which run each element belongs, and how long each run is.
    axis : int, optional

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.unique_consecutive(tg.tensor([2, 2, 1, 2]), return_counts=True)
    (tensor([2, 1, 2], dtype=int64), tensor([2, 1, 1], dtype=int64))
    """
    x = tensor_of(x)
    shape, whole_axis = x.shape, axis is None
    x = flatten(x) if whole_axis else x
    axis = checked_axis("unique_consecutive", 0 if whole_axis else axis, x.ndim)
    entries = np.moveaxis(x.detach().numpy(), axis, 0)
    differs = (entries[1:] != entries[:-1]).any(tuple(range(1, entries.ndim)))
    new = np.append(True, differs)[: len(entries)]
    starts = np.flatnonzero(new)
    found = [index(x, (slice(None),) * axis + (starts,))]
    if return_inverse:
        inverse = np.cumsum(new) - 1
        found.append(sharing(inverse.reshape(shape if whole_axis else -1)))
    if return_counts:
        found.append(sharing(np.diff(np.append(starts, len(entries)))))
    return tuple(found) if len(found) > 1 else found[0]


@checked_call
def unique(x, sorted=True, return_inverse=False, return_counts=False, axis=None):
    """Distinct elements in order, or distinct slices along `axis`; each NaN is distinct.

    Parameters
    ----------
    x : Tensor
    sorted : bool, default True
        They always come in order, whatever is asked for here.
    return_inverse : bool, default False
        Return, too, which of them each element of `x` is.
    return_counts : bool, default False
        Return, too, how often each of them is there.
    axis : int, optional

    Returns
    -------
    Tensor, or a tuple of what was asked for
        The gradient goes to the first of equal elements.  (PyTorch has none.)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.unique(tg.tensor([2, 1, 2]), return_counts=True)
    (tensor([1, 2], dtype=int64), tensor([1, 2], dtype=int64))
    """
    x = tensor_of(x)
    if axis is not None:
        axis = checked_axis("unique", axis, x.ndim)
    _, first, inverse, counts = np.unique(x.detach().numpy(), True, True, True, axis, equal_nan=False)
    found = [index(flatten(x) if axis is None else x, (slice(None),) * (axis or 0) + (first,))]
    if return_inverse:
        found.append(sharing(inverse.reshape(x.shape if axis is None else -1)))
    if return_counts:
        found.append(sharing(counts))
    return tuple(found) if len(found) > 1 else found[0]
