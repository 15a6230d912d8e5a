"""The NumPy dialect: the same elements in other shapes and places."""

import numpy as np

from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.numpy.calling import array_of, dialect, tensor_of, tensors_of, whole
from tinygrad_relu.ops import joining, rearranging, shapes
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.taking import along

# ---------------------------------------------------------------------------------------- shapes


@dialect
def shape(a):
    """The length of each axis, a tuple."""
    return tensor_of(a).shape


@dialect
def ndim(a):
    """How many axes there are."""
    return tensor_of(a).ndim


@dialect
def size(a, axis=None):
    """How many elements there are, in all or along an axis."""
    a = tensor_of(a)
    return a.numel() if axis is None else a.shape[shapes.checked_axis("size", axis, a.ndim)]


@dialect
def reshape(a, shape, order="C", *, copy=None):
    """The elements, in row-major order, in another shape: one number or one tuple."""
    if order != "C":
        raise ArgumentError(f"reshape: order is {order!r}: only 'C', row-major order, is there")
    a = tensor_of(a)
    y = shapes.reshape(a, *whole(shape))
    shared = np.shares_memory(y.detach().numpy(), a.detach().numpy()) or y.numel() == 0
    if copy is False and not shared:
        raise RangeError("reshape: copy=False, and the elements cannot be viewed in that shape")
    return shapes.copy(y) if copy and shared else y


@dialect
def ravel(a, order="C"):
    """All elements in one axis, in row-major order."""
    return reshape(a, -1, order)


@dialect
def transpose(a, axes=None):
    """The axes in another order; in reverse order if none is given.  A view."""
    return shapes.permute(tensor_of(a), *(() if axes is None else whole(axes)))


@dialect
def permute_dims(a, axes=None):
    """The array API's name for `transpose`."""
    return transpose(a, axes)


@dialect
def swapaxes(a, axis1, axis2):
    """Two axes exchanged.  A view."""
    a = tensor_of(a)
    return shapes.swapaxes(a, *(shapes.checked_axis("swapaxes", k, a.ndim) for k in (axis1, axis2)))


@dialect
def matrix_transpose(x, /):
    """The last two axes exchanged.  A view."""
    return shapes.swapaxes(tensor_of(x), -2, -1)


@dialect
def moveaxis(a, source, destination):
    """Axes at other positions; the others keep their order.  A view."""
    a = tensor_of(a)
    source = shapes.checked_axes("moveaxis", whole(source), a.ndim)
    return shapes.movedim(a, source, whole(destination))


@dialect
def expand_dims(a, axis):
    """New axes of length 1, which become those that `axis` names."""
    a = tensor_of(a)
    new = axis if isinstance(axis, (tuple, list)) else (axis,)
    places = shapes.checked_axes("expand_dims", tuple(new), a.ndim + len(new))
    lengths = iter(a.shape)
    return shapes.reshape(
        a, *[1 if k in places else next(lengths) for k in range(a.ndim + len(new))]
    )


@dialect
def squeeze(a, axis=None):
    """Without axes of length 1: all, or those named, which raise if they are longer.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.squeeze(tnp.ones((1, 3, 1)), 0).shape
    (3, 1)
    """
    a = tensor_of(a)
    if axis is not None:
        axis = shapes.checked_axes("squeeze", axis, a.ndim or 1)    # a number counts as a vector of one
        if a.ndim and any(a.shape[k] != 1 for k in axis):
            raise ShapeError(f"squeeze: a has shape {a.shape}: axis {axis} is not all of length 1")
    return shapes.squeeze(a, axis)


@dialect
def atleast_1d(*arys):
    """With at least one axis; several give a tuple."""
    return shapes.atleast_1d(*map(tensor_of, arys))


@dialect
def atleast_2d(*arys):
    """With at least two axes; several give a tuple."""
    return shapes.atleast_2d(*map(tensor_of, arys))


@dialect
def atleast_3d(*arys):
    """With at least three axes; several give a tuple."""
    return shapes.atleast_3d(*map(tensor_of, arys))


@dialect
def broadcast_to(array, shape):
    """Repeated into a larger shape, in memory of its own."""
    return shapes.broadcast_to(tensor_of(array), whole(shape))


@dialect
def broadcast_arrays(*args):
    """In the shape to which all are broadcast; a tuple."""
    return shapes.broadcast_tensors(*map(tensor_of, args))


# -------------------------------------------------------------------------- joining and splitting


@dialect
def concatenate(arrays, /, axis=0):
    """End to end along an axis that is there; flattened first if it is None."""
    arrays = tensors_of(arrays)
    if axis is None:
        return shapes.concat([shapes.ravel(x) for x in arrays])
    return shapes.concat(arrays, axis)


@dialect
def concat(arrays, /, *, axis=0):
    """End to end; the array API's name for `concatenate`."""
    return concatenate(arrays, axis)


@dialect
def append(arr, values, axis=None):
    """`values` behind `arr`, along an axis or both flattened."""
    return concatenate([arr, values], axis)


@dialect
def stack(arrays, axis=0):
    """Beside each other along a new axis."""
    return shapes.stack(tensors_of(arrays), axis)


@dialect
def unstack(x, /, *, axis=0):
    """The entries along `axis`, a tuple."""
    return joining.unbind(tensor_of(x), axis)


@dialect
def block(arrays):
    """One tensor from nested lists of blocks: the innermost lie side by side along the last axis.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.block([[tnp.ones((1, 2)), 5.0 * tnp.ones((1, 1))], [tnp.zeros((1, 3))]])
    tensor([[1., 1., 5.],
            [0., 0., 0.]], dtype=float64)
    """
    depth = depth_of(arrays)
    ndim = max(depth, most_axes(arrays))
    return blocks_joined(arrays, ndim, depth)


def depth_of(arrays):
    """Return how deep lists are nested, which has to be the same everywhere."""
    if isinstance(arrays, tuple):
        raise ArgumentError("block: blocks stand in lists: a tuple was given")
    if not isinstance(arrays, list):
        return 0
    depths = {depth_of(part) for part in arrays}
    if len(depths) != 1:
        raise ArgumentError(f"block: a list is empty, or lists are nested to the depths {sorted(depths)}")
    return 1 + depths.pop()


def most_axes(arrays):
    """Return how many axes a block has at most."""
    if isinstance(arrays, list):
        return max(map(most_axes, arrays))
    return tensor_of(arrays).ndim


def blocks_joined(arrays, ndim, depth):
    """Return blocks, or lists of them `depth` deep, joined along the axis for that depth."""
    if not isinstance(arrays, list):
        x = tensor_of(arrays)
        return shapes.reshape(x, *[1] * (ndim - x.ndim), *x.shape)
    return shapes.concat([blocks_joined(part, ndim, depth - 1) for part in arrays], -depth)


@dialect
def hstack(tup):
    """Joined along axis 1, or 0 if they have one axis."""
    return joining.hstack(tensors_of(tup))


@dialect
def vstack(tup):
    """Joined along axis 0, each of one axis as a row."""
    return joining.vstack(tensors_of(tup))


@dialect
def dstack(tup):
    """Joined along axis 2, which is made where it is missing."""
    return joining.dstack(tensors_of(tup))


@dialect
def column_stack(tup):
    """Beside each other, each of one axis as a column."""
    return joining.column_stack(tensors_of(tup))


@dialect
def array_split(ary, indices_or_sections, axis=0):
    """A list of so many parts, the first of which may be longer by one, or those before indices."""
    return list(joining.tensor_split(tensor_of(ary), indices_or_sections, axis))


@dialect
def split(ary, indices_or_sections, axis=0):
    """A list of so many parts of one length, or those before indices.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> [part.tolist() for part in tnp.split(tnp.arange(6), 2)]
    [[0, 1, 2], [3, 4, 5]]
    """
    ary = tensor_of(ary)
    axis = shapes.checked_axis("split", axis, ary.ndim)
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % indices_or_sections:
        raise ShapeError(
            f"split: axis {axis} of length {ary.shape[axis]} has no {indices_or_sections} equal parts: "
            "use array_split"
        )
    return array_split(ary, indices_or_sections, axis)


@dialect
def hsplit(ary, indices_or_sections):
    """`split` along axis 1, or 0 if that is all there is."""
    ary = tensor_of(ary)
    return split(ary, indices_or_sections, min(1, ary.ndim - 1))


@dialect
def vsplit(ary, indices_or_sections):
    """`split` along axis 0."""
    return split(ary, indices_or_sections, 0)


@dialect
def dsplit(ary, indices_or_sections):
    """`split` along axis 2."""
    return split(ary, indices_or_sections, 2)


# ----------------------------------------------------------------------------------- other places


@dialect
def delete(arr, obj, axis=None):
    """A copy without the entries that `obj` names along an axis, or in the flattened tensor.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.delete([1.0, 2.0, 3.0], [0, -1])
    tensor([2.], dtype=float64)
    """
    arr = tensor_of(arr)
    if axis is None:
        arr, axis = shapes.reshape(arr, -1), 0
    axis = shapes.checked_axis("delete", axis, arr.ndim)
    kept = np.delete(np.arange(arr.shape[axis]), obj if isinstance(obj, slice) else array_of(obj))
    return arr[(slice(None),) * axis + (kept,)]


@dialect
def flip(m, axis=None):
    """In reverse order along axes; along all if none is given."""
    m = tensor_of(m)
    axes = range(m.ndim) if axis is None else shapes.checked_axes("flip", axis, m.ndim)
    return rearranging.flip(m, tuple(axes))


@dialect
def fliplr(m):
    """Columns in reverse order."""
    return rearranging.fliplr(tensor_of(m))


@dialect
def flipud(m):
    """Rows in reverse order."""
    return rearranging.flipud(tensor_of(m))


@dialect
def roll(a, shift, axis=None):
    """Moved along axes, round the end; one shift serves for several axes."""
    a, shifts = tensor_of(a), whole(shift)
    if axis is None:
        return rearranging.roll(a, sum(shifts))
    axes = whole(axis)
    count = max(len(shifts), len(axes))
    shifts, axes = (v * count if len(v) == 1 else v for v in (shifts, axes))
    return rearranging.roll(a, shifts, axes)


@dialect
def rot90(m, k=1, axes=(0, 1)):
    """Turned by `k` right angles in the plane of two axes."""
    return rearranging.rot90(tensor_of(m), k, axes)


@dialect
def tile(A, reps):  # noqa: N803
    """Beside itself, ``reps[k]`` times along each axis."""
    return rearranging.tile(tensor_of(A), whole(reps))


@dialect
def repeat(a, repeats, axis=None):
    """Each element, or entry along an axis, as often as `repeats` says.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.repeat(tnp.asarray([1.0, 2.0]), 2)
    tensor([1., 1., 2., 2.], dtype=float64)
    """
    return rearranging.repeat_interleave(tensor_of(a), repeats, axis)


MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@dialect
def pad(array, pad_width, mode="constant", *, constant_values=0):
    """With elements put before and behind each axis.

    Parameters
    ----------
    array : array_like
    pad_width : int, pair, or sequence of pairs
        How many before and behind: everywhere, on each axis, or of each axis from the first on.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        As in `numpy.pad`.
    constant_values : number
        One for all sides.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.pad(tnp.asarray([1.0, 2.0, 3.0]), (1, 2), mode="wrap")
    tensor([3., 1., 2., 3., 1., 2.], dtype=float64)
    """
    x = tensor_of(array)
    if mode not in MODES:
        raise ArgumentError(f"pad: mode is {mode!r}: it is one of {', '.join(MODES)}")
    found = array_of(pad_width)
    if found.dtype.kind not in "iu" or (found.size and found.min() < 0):
        raise ArgumentError(f"pad: pad_width is {pad_width!r}: it is whole numbers that are not negative")
    widths = np.broadcast_to(found, (x.ndim, 2)).tolist()
    if mode == "constant":
        return rearranging.padded(x, dict(enumerate(map(tuple, widths))), constant_values)
    for axis, width in enumerate(widths):
        if any(width):
            x = index(x, along(axis, np.pad(np.arange(x.shape[axis]), width, mode)))
    return x


# -------------------------------------------------------------------------------------- diagonals


@dialect
def diag(v, k=0):
    """The diagonal `k` of a matrix, or the matrix with a vector on it."""
    return rearranging.diag(tensor_of(v), k)


@dialect
def diagflat(v, k=0):
    """The matrix with all elements on its diagonal `k`."""
    return rearranging.diagflat(tensor_of(v), k)


@dialect
def diagonal(a, offset=0, axis1=0, axis2=1):
    """A diagonal of the matrices in two axes, as the last axis.  A view."""
    return rearranging.diagonal(tensor_of(a), offset, axis1, axis2)


@dialect
def tril(m, k=0):
    """With zeros above the diagonal `k` of the last two axes."""
    return rearranging.tril(tensor_of(m), k)


@dialect
def triu(m, k=0):
    """With zeros below the diagonal `k` of the last two axes."""
    return rearranging.triu(tensor_of(m), k)
