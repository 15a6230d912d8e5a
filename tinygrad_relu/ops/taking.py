"""Elements taken out of a tensor by their indices, by a mask, or by a condition."""

import functools
from itertools import combinations as combinations_of
from itertools import combinations_with_replacement

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, IndexingError, RangeError, ShapeError
from tinygrad_relu.ops import arithmetic
from tinygrad_relu.ops.indexing import index as at
from tinygrad_relu.ops.indexing import number_of, take_along_axis, tensor_of, whole_numbers
from tinygrad_relu.ops.shapes import broadcast_to, checked_axis, copy, flatten, reshape


def along(axis, key):
    """Return the key that applies `key` to an axis, counted from the front."""
    return (slice(None),) * axis + (key,)


def array_of(name, x):
    """Return what a tensor, or anything that NumPy reads, holds."""
    try:
        return x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"{name}: {error}") from error


def mask_of(name, mask):
    """Return a boolean array, or raise."""
    mask = array_of(name, mask)
    if mask.dtype != bool:
        raise DTypeError(f"{name}: the mask has dtype {mask.dtype}: pass booleans, such as x > 0")
    return mask


@checked_call
def take(x, index):
    """Elements of the flattened tensor, in the shape of `index`, which may count from the end.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.take(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), [0, -1])
    tensor([1., 4.], dtype=float64)
    """
    x = tensor_of("take", x)
    return at(reshape(x, -1), (whole_numbers("take", index, x.size, negative=True),))


@checked_call
def gather(x, axis, index):
    """``x`` at `index` along `axis`, with the arguments in PyTorch's order.

    `index` has as many axes as `x`, and is no longer than it along the others.  Where one of the two has
    no axes and the other one at most, it counts as a vector; the result has the shape of `index`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.gather(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, tg.tensor([[1], [0]]))
    tensor([[2.],
            [3.]], dtype=float64)
    """
    x = tensor_of("gather", x)
    axis = checked_axis("gather", axis, x.ndim or 1)
    if x.ndim < 2:
        index = tensor_of("gather", index)
        if index.ndim < 2 and 0 in (x.ndim, index.ndim):
            return reshape(take_along_axis(reshape(x, -1), reshape(index, -1), axis), *index.shape)
    return take_along_axis(x, index, axis)


@checked_call
def take_along_dim(x, indices, axis=None):
    """``x`` at `indices` along `axis`, as NumPy's ``take_along_axis``; flattened if there is none.

    Unlike with `gather`, the other axes are broadcast, and indices may count from the end.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([[1.0, 5.0], [4.0, 2.0]])
    >>> tg.take_along_dim(x, x.argmax(1, keepdims=True), 1)
    tensor([[5.],
            [4.]], dtype=float64)
    """
    x = tensor_of("take_along_dim", x)
    if axis is None:
        x, axis, indices = flatten(x), 0, array_of("take_along_dim", indices).reshape(-1)
    axis = checked_axis("take_along_dim", axis, x.ndim)
    indices = whole_numbers("take_along_dim", indices, x.shape[axis], negative=True)
    if indices.ndim != x.ndim:
        raise ShapeError(
            f"take_along_dim: indices have shape {indices.shape} and x has shape {x.shape}: give as "
            "many axes"
        )
    try:
        shape = np.broadcast_shapes(
            x.shape[:axis] + (1,) + x.shape[axis + 1 :],
            indices.shape[:axis] + (1,) + indices.shape[axis + 1 :],
        )
    except ValueError:
        raise ShapeError(
            f"take_along_dim: indices of shape {indices.shape} and x of shape {x.shape} do not fit "
            f"along other axes than axis {axis}"
        ) from None
    before, after = shape[:axis], shape[axis + 1 :]
    x = stretched(x, (*before, x.shape[axis], *after))
    return take_along_axis(
        x, np.broadcast_to(indices, (*before, indices.shape[axis], *after)).copy(), axis
    )


def stretched(x, shape):
    """Return `x` in a shape that it is broadcast to, itself if it has it."""
    return x if x.shape == shape else broadcast_to(x, shape)


@checked_call
def index_select(x, axis, index):
    """The entries along `axis` that a list of indices names, in its order, as often as it names them.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.index_select(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, [1, 1, 0])
    tensor([[2., 2., 1.],
            [4., 4., 3.]], dtype=float64)
    """
    x = tensor_of("index_select", x)
    axis = checked_axis("index_select", axis, x.ndim or 1)
    index = whole_numbers("index_select", index, x.shape[axis] if x.ndim else 1)
    if index.ndim > 1:
        raise ShapeError(f"index_select: the index has shape {index.shape}: pass one axis of numbers")
    if x.ndim == 0:
        if index.size != 1:
            raise ShapeError(f"index_select: {index.size} indices for x without axes: pass one")
        return copy(x)
    return at(x, along(axis, index.reshape(-1)))


@checked_call
def select(x, axis, index):
    """One entry along `axis`, which is lost.  A view.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([[1.0, 2.0], [3.0, 4.0]]).select(1, -1)
    tensor([2., 4.], dtype=float64)
    """
    x = tensor_of("select", x)
    axis = checked_axis("select", axis, x.ndim)
    position = number_of("select", "index", index)
    if not -x.shape[axis] <= position < x.shape[axis]:
        raise IndexingError(
            f"select: index {position} is out of bounds for axis {axis} of length {x.shape[axis]}"
        )
    return at(x, along(axis, position))


@checked_call
def narrow(x, axis, start, length):
    """The `length` entries from `start` on along `axis`.  A view.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3], dtype=int64)
    """
    x = tensor_of("narrow", x)
    axis = checked_axis("narrow", axis, x.ndim)
    first, length = number_of("narrow", "start", start), number_of("narrow", "length", length)
    size = x.shape[axis]
    first += size if first < 0 else 0
    if length < 0 or not 0 <= first <= first + length <= size:
        raise RangeError(
            f"narrow: {length} entries from {start} on are not all within axis {axis} of length {size}"
        )
    return at(x, along(axis, slice(first, first + length)))


@checked_call
def masked_select(x, mask):
    """The elements where `mask` is true, in one axis; the two are broadcast against each other.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([[1.0, -2.0], [-3.0, 4.0]])
    >>> tg.masked_select(x, x > 0)
    tensor([1., 4.], dtype=float64)
    """
    x, mask = tensor_of("masked_select", x), mask_of("masked_select", mask)
    try:
        shape = np.broadcast_shapes(x.shape, mask.shape)
    except ValueError:
        raise ShapeError(
            f"masked_select: a mask of shape {mask.shape} does not fit x of shape {x.shape}"
        ) from None
    return at(stretched(x, shape), (np.broadcast_to(mask, shape).copy(),))


@checked_call
def nonzero(x, as_tuple=False):
    """The indices of the elements that are not 0: one row each, or one tensor for each axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nonzero(tg.tensor([[1.0, 0.0], [0.0, 4.0]]))
    tensor([[0, 0],
            [1, 1]], dtype=int64)
    """
    found = tensor_of("nonzero", x).detach().numpy()
    if as_tuple:
        return tuple(sharing(axis) for axis in np.nonzero(np.atleast_1d(found)))
    return sharing(np.argwhere(found))


@checked_call
def argwhere(x):
    """The indices of the elements that are not 0, one row each: see `nonzero`."""
    return nonzero(x)


@checked_call
def where(condition, input=None, other=None):
    """`input` where `condition` is true, `other` elsewhere; of a condition alone, where it is true.

    No gradient reaches the side that was not chosen, not even as ``0 * inf``.

    Parameters
    ----------
    condition : Tensor
    input, other : Tensor or number, optional
        Both or neither.

    Returns
    -------
    Tensor, or a tuple of index tensors, one for each axis, as ``nonzero(as_tuple=True)``

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([3.0, -4.0])
    >>> tg.where(x > 0, x, 0.0)
    tensor([3., 0.], dtype=float64)
    >>> tg.where(x > 0)
    (tensor([0], dtype=int64),)
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise ArgumentError("where: pass both input and other, or neither")
    return arithmetic.where(condition, input, other)


@functools.partial(checked_call, title="where")
def chosen_by(x, condition, other):
    """`x` where `condition` is true, and `other` elsewhere: the method of `where`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0]).where(tg.tensor([True, False]), 0.0)
    tensor([1., 0.], dtype=float64)
    """
    return where(condition, x, other)


@checked_call
def combinations(x, r=2, with_replacement=False):
    """All choices of `r` elements of one axis, one row each, in the order of `itertools`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.combinations(tg.tensor([1.0, 2.0, 3.0]))
    tensor([[1., 2.],
            [1., 3.],
            [2., 3.]], dtype=float64)
    """
    x = tensor_of("combinations", x)
    if x.ndim != 1:
        raise ShapeError(f"combinations: x has shape {x.shape}: pass a tensor of one axis")
    if number_of("combinations", "r", r) < 0:
        raise RangeError(f"combinations: r is {r}: choose at least 0 elements")
    choose = combinations_with_replacement if with_replacement else combinations_of
    rows = list(choose(range(x.size), r))
    return at(x, (np.array(rows, np.intp).reshape(len(rows), r),))
