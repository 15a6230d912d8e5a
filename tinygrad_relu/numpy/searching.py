"""The NumPy dialect: elements by index, condition and order, and the distinct ones."""

from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor, sharing
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.numpy.calling import array_of, dialect, operands_of, over_axes, tensor_of
from tinygrad_relu.ops import arithmetic, logical, ordering, reductions, taking
from tinygrad_relu.ops.indexing import index, whole_numbers
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import cast, checked_axis, concat, ravel

# ---------------------------------------------------------------------------------------- by index


@dialect
def take(a, indices, axis=None):
    """Entries along an axis, in the shape of `indices`; of the flattened tensor without it.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.take(tnp.asarray([[1.0, 2.0], [3.0, 4.0]]), [1, -1, 0], axis=1)
    tensor([[2., 2., 1.],
            [4., 4., 3.]], dtype=float64)
    """
    a = tensor_of(a)
    a, axis = (ravel(a), 0) if axis is None else (a, checked_axis("take", axis, a.ndim))
    places = whole_numbers("take", indices, a.shape[axis], negative=True)
    return index(a, taking.along(axis, places))


@dialect
def take_along_axis(arr, indices, axis=-1):
    """What `indices` name along an axis; the other axes are broadcast."""
    return taking.take_along_dim(tensor_of(arr), indices, axis)


@dialect
def where(condition, x=None, y=None, /):
    """`x` where the condition is true, `y` elsewhere; of a condition alone, where it is true."""
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ArgumentError("where: both x and y are needed, or neither")
    return arithmetic.where(tensor_of(condition), *operands_of((x, y)))


@dialect
def nonzero(a):
    """The indices of the elements that are not 0, one tensor for each axis."""
    a = tensor_of(a)
    if a.ndim == 0:
        raise ShapeError("nonzero: a has no axes, so no element has an index")
    return taking.nonzero(a, as_tuple=True)


@dialect
def argwhere(a):
    """The indices of the elements that are not 0, one row each."""
    return taking.nonzero(tensor_of(a))


@dialect
def flatnonzero(a):
    """The indices into the flattened tensor of the elements that are not 0."""
    return nonzero(ravel(tensor_of(a)))[0]


@dialect
def isin(element, test_elements, assume_unique=False, invert=False):
    """Whether each element is one of `test_elements`, or with `invert` whether it is not."""
    return logical.isin(tensor_of(element), tensor_of(test_elements), assume_unique, invert)


@dialect
def union1d(ar1, ar2):
    """Distinct elements of both, in order."""
    return unique(concat([ravel(tensor_of(x)) for x in (ar1, ar2)], 0))


@dialect
def intersect1d(ar1, ar2):
    """Distinct elements that are in both, in order; those of the first are taken."""
    ar1, ar2 = tensor_of(ar1), tensor_of(ar2)
    found = unique(cast(ar1, np.result_type(ar1.dtype, ar2.dtype)))
    return found[isin(found, ar2)]


@dialect
def setdiff1d(ar1, ar2):
    """Distinct elements of the first that are not in the second, in order."""
    found = unique(ar1)
    return found[isin(found, ar2, invert=True)]


@dialect
def nanargmax(a, axis=None, *, keepdims=False):
    """Place of the first largest element that is not NaN."""
    return argmax(without_all_missing(a, axis, -np.inf), axis, keepdims=keepdims)


@dialect
def nanargmin(a, axis=None, *, keepdims=False):
    """Place of the first smallest element that is not NaN."""
    return argmin(without_all_missing(a, axis, np.inf), axis, keepdims=keepdims)


def without_all_missing(a, axis, instead):
    """Return the values of `a` with a number for NaN, or raise where there is nothing else."""
    values = array_of(a)
    if values.dtype.kind != "f":
        return values
    missing = np.isnan(values)
    if missing.all(axis).any():
        raise RangeError("all elements of a row are NaN: none is the largest or smallest")
    return np.where(missing, values.dtype.type(instead), values)


@dialect
@over_axes
def count_nonzero(a, axis=None, *, keepdims=False):
    """How many elements are not 0."""
    return sum(arithmetic.not_equal(tensor_of(a), 0), axis, keepdims)


@dialect
def argmax(a, axis=None, *, keepdims=False):
    """Index of the largest element, the first of several."""
    return reductions.argmax(tensor_of(a), axis, keepdims)


@dialect
def argmin(a, axis=None, *, keepdims=False):
    """Index of the smallest element, the first of several."""
    return reductions.argmin(tensor_of(a), axis, keepdims)


# ---------------------------------------------------------------------------------------- in order


def to_sort(a, axis, kind):
    """Return a tensor and the axis to sort along, which None makes that of the flattened one."""
    if kind not in (None, "quicksort", "mergesort", "heapsort", "stable"):
        raise ArgumentError(f"kind is {kind!r}: it is 'quicksort', 'mergesort', 'heapsort' or 'stable'")
    return (ravel(tensor_of(a)), 0) if axis is None else (tensor_of(a), axis)


@dialect
def sort(a, axis=-1, kind=None, *, descending=False, stable=True):
    """Elements in order along an axis, or flattened if that is None.  `kind` makes no difference.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.sort([3.0, 1.0, 2.0])
    tensor([1., 2., 3.], dtype=float64)
    """
    a, axis = to_sort(a, axis, kind)
    checked_axis("sort", axis, a.ndim)
    return ordering.sort(a, axis, descending).values


@dialect
def argsort(a, axis=-1, kind=None, *, descending=False, stable=True):
    """Indices that sort, equal elements in the order in which they stand."""
    a, axis = to_sort(a, axis, kind)
    return ordering.argsort(a if a.ndim else ravel(a), axis, descending)


@dialect
def searchsorted(a, v, /, side="left", sorter=None):
    """Where the elements of `v` would have to be put into the sorted vector `a`."""
    a = tensor_of(a)
    if a.ndim != 1:
        raise ShapeError(f"searchsorted: x1 has shape {a.shape}: one axis is needed")
    sorter = None if sorter is None else array_of(sorter)
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side is {side!r}: it is 'left' or 'right'")
    return ordering.searchsorted(a.detach(), tensor_of(v).detach(), side=side, sorter=sorter)


@dialect
def digitize(x, bins, right=False):
    """The number of the bin of each element, between edges that rise or fall."""
    return sharing(np.asarray(np.digitize(array_of(x), array_of(bins), right)))


# ---------------------------------------------------------------------------------------- distinct


class UniqueAllResult(NamedTuple):
    """What `unique_all` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` returns."""

    values: Tensor
    counts: Tensor


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` returns."""

    values: Tensor
    inverse_indices: Tensor


def distinct(a, axis, equal_nan):
    """Return the distinct elements of a tensor, first places, inverse and counts."""
    a = tensor_of(a)
    values = a.detach().numpy()
    _, first, inverse, counts = np.unique(values, True, True, True, axis, equal_nan=equal_nan)
    if axis is None:
        found = index(ravel(a), (first,))
    else:
        found = index(a, taking.along(checked_axis("unique", axis, a.ndim), first))
    return UniqueAllResult(found, sharing(first), sharing(inverse), sharing(counts))


@dialect
def unique(
    ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True,
    sorted=True,
):
    """Distinct elements in order, or distinct slices along an axis; what else was asked for, a tuple.

    The gradient goes to the first of equal elements.  Each NaN is the same one, unlike in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.unique([2, 1, 2], return_counts=True)
    (tensor([1, 2], dtype=int64), tensor([1, 2], dtype=int64))
    """
    found = distinct(ar, axis, equal_nan)
    wanted = (True, return_index, return_inverse, return_counts)
    chosen = tuple(part for part, wish in zip(found, wanted) if wish)
    return chosen if len(chosen) > 1 else chosen[0]


@dialect
def unique_all(x, /):
    """Distinct elements, their first places, which of them each element is, and how often each is."""
    return distinct(x, None, False)


@dialect
def unique_counts(x, /):
    """Distinct elements, and how often each is there."""
    found = distinct(x, None, False)
    return UniqueCountsResult(found.values, found.counts)


@dialect
def unique_inverse(x, /):
    """Distinct elements, and which of them each element is."""
    found = distinct(x, None, False)
    return UniqueInverseResult(found.values, found.inverse_indices)


@dialect
def unique_values(x, /):
    """Distinct elements in order; each NaN is one of its own."""
    return distinct(x, None, False).values
