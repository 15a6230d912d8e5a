"""Elements in other places: rolled, flipped, repeated, padded; and diagonals."""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.indexing import index, number_of, place, tensor_of, whole_numbers
from tinygrad_relu.ops.putting import of_dtype
from tinygrad_relu.ops.shapes import (
    broadcast_to,
    checked_axes,
    checked_axis,
    copy,
    numbers_as_vectors,
    reshape,
    swapaxes,
)
from tinygrad_relu.ops.table import op
from tinygrad_relu.ops.taking import along


@op(
    np.roll,
    domain=[case(real(2, 3), shifts=(1, -2), axes=(0, 1)), case(real(4), shifts=(1, 2), axes=(0, 0))],
    x=lambda g, shifts, axes: rolled(g, tuple(-shift for shift in np.atleast_1d(shifts).tolist()), axes),
)
def rolled(x, /, shifts, axes):
    """The elements moved by `shifts` along `axes`, round the end: what `roll` records."""


def numbers(name, word, values):
    """Return whole numbers, given as one or as a sequence, as a tuple."""
    if isinstance(values, (Tensor, np.ndarray)):
        values = values.tolist()
    values = values if isinstance(values, (tuple, list)) else (values,)
    return tuple(number_of(name, word, value) for value in values)


def spelled_out(values):
    """Return the arguments of a function that takes its numbers one by one or as one sequence."""
    return values[0] if len(values) == 1 and isinstance(values[0], (tuple, list)) else values


@checked_call
def roll(x, shifts, axes=None):
    """Move elements along axes; those that leave at the end come back at the beginning.

    Parameters
    ----------
    x : Tensor
    shifts : int or tuple of int
    axes : int or tuple of int, optional
        As many as there are shifts.  Without them the flattened tensor is rolled.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.roll(tg.arange(5), 2)
    tensor([3, 4, 0, 1, 2], dtype=int64)
    """
    x, shifts = tensor_of("roll", x), numbers("roll", "shifts", shifts)
    if axes is None and len(shifts) == 1:
        return reshape(rolled(reshape(x, -1), shifts, (0,)), *x.shape)
    axes = () if axes is None else numbers("roll", "axes", axes)
    if len(axes) != len(shifts):
        raise ArgumentError(f"roll: {len(shifts)} shifts for {len(axes)} axes: give one each")
    return rolled(x, shifts, tuple(checked_axis("roll", axis, x.ndim) for axis in axes))


@checked_call
@numbers_as_vectors
def flip(x, axes, *more):
    """The elements in reverse order along `axes`, in memory of their own.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.flip(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([[2., 1.],
            [4., 3.]], dtype=float64)
    """
    x = tensor_of("flip", x)
    axes = checked_axes("flip", spelled_out((axes, *more)), x.ndim)
    return copy(index(x, tuple(slice(None, None, -1 if k in axes else None) for k in range(x.ndim))))


@checked_call
def fliplr(x):
    """Columns in reverse order: `flip` along axis 1."""
    x = tensor_of("fliplr", x)
    checked_axis("fliplr", 1, x.ndim)
    return flip(x, 1)


@checked_call
def flipud(x):
    """Rows in reverse order: `flip` along axis 0."""
    x = tensor_of("flipud", x)
    checked_axis("flipud", 0, x.ndim)
    return flip(x, 0)


@checked_call
def rot90(x, k=1, axes=(0, 1)):
    """Turn by `k` right angles in the plane of two axes, from the first to the second.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.rot90(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[2., 4.],
            [1., 3.]], dtype=float64)
    """
    x = tensor_of("rot90", x)
    axes = checked_axes("rot90", axes, x.ndim)
    if len(axes) != 2:
        raise ArgumentError(f"rot90: {len(axes)} axes were given: a plane has two")
    turns = number_of("rot90", "k", k) % 4
    if turns % 2 == 0:
        return flip(x, axes) if turns else flip(x, ())
    return swapaxes(flip(x, axes[1]), *axes) if turns == 1 else flip(swapaxes(x, *axes), axes[1])


def repeated(name, x, counts):
    """Return `x` beside itself, `counts` times along each axis; missing axes are put before."""
    if any(count < 0 for count in counts):
        raise RangeError(f"{name}: {counts} repetitions: each is at least 0")
    lengths = (1,) * (len(counts) - x.ndim) + x.shape
    apart = broadcast_to(
        reshape(x, *(n for length in lengths for n in (1, length))),
        tuple(n for pair in zip(counts, lengths) for n in pair),
    )
    return reshape(apart, *(count * length for count, length in zip(counts, lengths)))


@checked_call
def tile(x, dims, *more):
    """`x` beside itself, ``dims[k]`` times along each axis; missing axes and counts are 1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tile(tg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]], dtype=float64)
    """
    x, counts = tensor_of("tile", x), numbers("tile", "each of dims", spelled_out((dims, *more)))
    return repeated("tile", x, (1,) * (x.ndim - len(counts)) + counts)


@checked_call
def repeat(x, *sizes):
    """`x` beside itself, ``sizes[k]`` times along each axis: PyTorch's ``repeat``, not NumPy's.

    There are at least as many sizes as axes.  For NumPy's see `repeat_interleave`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0]).repeat(2, 1)
    tensor([[1., 2.],
            [1., 2.]], dtype=float64)
    """
    x, counts = tensor_of("repeat", x), numbers("repeat", "each of sizes", spelled_out(sizes))
    if len(counts) < x.ndim:
        raise ShapeError(f"repeat: {len(counts)} sizes for x of shape {x.shape}: give one for each axis")
    return repeated("repeat", x, counts)


@checked_call
def repeat_interleave(x, repeats, axis=None):
    """Each element, or entry along `axis`, as often as `repeats` says: NumPy's ``repeat``.

    Parameters
    ----------
    x : Tensor
    repeats : int or Tensor of int
        One number for all, or one for each.
    axis : int, optional
        Without it the flattened tensor is taken.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.repeat_interleave(tg.tensor([1.0, 2.0]), tg.tensor([1, 3]))
    tensor([1., 2., 2., 2.], dtype=float64)
    """
    x = tensor_of("repeat_interleave", x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    axis = checked_axis("repeat_interleave", axis, x.ndim)
    repeats = whole_numbers("repeat_interleave", repeats)
    length = x.shape[axis]
    if repeats.ndim > 1 or repeats.size not in (1, length):
        raise ShapeError(
            f"repeat_interleave: repeats has shape {repeats.shape}: give one number, or one for each "
            f"of the {length} entries of axis {axis}"
        )
    if repeats.size and repeats.min() < 0:
        raise RangeError(f"repeat_interleave: {repeats.min()} repetitions: each is at least 0")
    if repeats.size != 1:
        return index(x, along(axis, np.repeat(np.arange(length), repeats)))
    count, before, after = int(repeats.item()), x.shape[:axis], x.shape[axis + 1 :]
    apart = broadcast_to(reshape(x, *before, length, 1, *after), (*before, length, count, *after))
    return reshape(apart, *before, length * count, *after)


# ----------------------------------------------------------------------------------- padding


@checked_call
def pad(x, pad, mode="constant", value=None):
    """Put elements before and behind the last axes.

    Parameters
    ----------
    x : Tensor
    pad : tuple of int
        In PyTorch's order: before and behind the last axis, then the one before it, and so on.
        A negative number takes elements away.
    mode : {"constant", "reflect", "replicate", "circular"}
        With `value`, mirrored at the outermost element, with the outermost element, or with those
        from the other side.  PyTorch pads so one to three axes, and at least one axis less than
        there are; here any number of axes can be padded in any mode.
    value : number, optional
        For "constant", 0 if it is not given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import tinygrad_relu.nn.functional as F
    >>> F.pad(tg.tensor([1.0, 2.0, 3.0]), (1, 2))
    tensor([0., 1., 2., 3., 0., 0.], dtype=float64)
    >>> F.pad(tg.tensor([1.0, 2.0, 3.0]), (1, 2), mode="reflect")
    tensor([2., 1., 2., 3., 2., 1.], dtype=float64)
    """
    x, widths = tensor_of("pad", x), numbers("pad", "each of pad", pad)
    if len(widths) % 2 or len(widths) > 2 * x.ndim:
        raise ShapeError(
            f"pad: {len(widths)} numbers for x of shape {x.shape}: give two for each of the last axes"
        )
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ArgumentError(
            f"pad: mode is {mode!r}: it is 'constant', 'reflect', 'replicate' or 'circular'"
        )
    pairs = {x.ndim - 1 - k: (widths[2 * k], widths[2 * k + 1]) for k in range(len(widths) // 2)}
    for axis, (before, behind) in pairs.items():
        if min(before, behind, before + behind) + x.shape[axis] < 0:
            raise ShapeError(
                f"pad: {(before, behind)} takes more than there is of axis {axis} of x of shape {x.shape}"
            )
    if mode == "constant":
        return padded(x, pairs, False if value is None else value)     # which is 0 in any dtype
    if value is not None:
        raise ArgumentError(f"pad: value is for mode 'constant', and mode is {mode!r}")
    for axis, (before, behind) in pairs.items():
        if before or behind:
            x = index(x, along(axis, sources(x.shape[axis], before, behind, mode)))
    return x


def padded(x, pairs, value):
    """Return `x` within a larger box of `value`; `pairs` holds the widths for each padded axis."""
    value = of_dtype("pad", "value", value, x)
    if value.ndim:
        raise ShapeError(f"pad: value has shape {value.shape}: pass one number")
    key, hole, shape = [], [], []
    for axis, length in enumerate(x.shape):
        before, behind = pairs.get(axis, (0, 0))
        kept = slice(max(-before, 0), length - max(-behind, 0))
        key.append(kept)
        hole.append(slice(max(before, 0), max(before, 0) + max(kept.stop - kept.start, 0)))
        shape.append(length + before + behind)
    if any(before < 0 or behind < 0 for before, behind in pairs.values()):
        x = index(x, tuple(key))
    box = place(x, tuple(shape), tuple(hole))
    if not value.requires_grad and value.item() == 0:
        return box
    inside = np.zeros(tuple(shape), bool)
    inside[tuple(hole)] = True
    return where(inside, box, value)


def sources(length, before, behind, mode):
    """Return which element of an axis each element of the padded axis is a copy of."""
    positions = np.arange(-before, length + behind)
    if mode == "reflect":
        if max(before, behind) >= length:
            raise ShapeError(f"pad: {(before, behind)} is not less than the length {length} to reflect")
        positions = np.abs(positions)
        return np.where(positions >= length, 2 * (length - 1) - positions, positions)
    if mode == "replicate":
        if length == 0:
            raise ShapeError("pad: an axis without elements has none to replicate")
        return np.clip(positions, 0, length - 1)
    kept = np.arange(max(-before, 0), length - max(-behind, 0))
    if max(before, behind) > len(kept):
        raise ShapeError(f"pad: {(before, behind)} is more than the length {len(kept)} to go round")
    return kept[np.arange(-max(before, 0), len(kept) + max(behind, 0)) % max(len(kept), 1)]


# --------------------------------------------------------------------------------- diagonals


def diagonal_view(x, offset, axis1, axis2):
    """Return a diagonal as a view that can be written to if `x` can: NumPy's own is read-only."""
    x = np.asarray(x)
    view = np.diagonal(x, offset, axis1, axis2)
    view.flags.writeable = x.flags.writeable
    return view


def on_diagonal(x, shape, offset, axis1, axis2):
    """Return zeros of `shape` with `x` on a diagonal."""
    y = np.zeros(shape, x.dtype)
    diagonal_view(y, offset, axis1, axis2)[...] = x
    return y


DIAGONALS = [
    ((3, 3), {"offset": 0, "axis1": 0, "axis2": 1}),
    ((2, 4, 3), {"offset": -1, "axis1": 1, "axis2": -1}),
    ((2, 4, 3), {"offset": 1, "axis1": 2, "axis2": 0}),
]


@op(
    diagonal_view,
    domain=[case(real(*shape), **statics) for shape, statics in DIAGONALS],
    x=lambda g, x_shape, offset, axis1, axis2: place_on_diagonal(g, x_shape, offset, axis1, axis2),
)
def take_diagonal(x, /, offset, axis1, axis2):
    """A diagonal of the matrices in two axes, as the last axis: what `diagonal` records.  A view."""


@op(
    on_diagonal,
    domain=[
        case(real(*np.diagonal(np.empty(shape), **statics).shape), shape=shape, **statics)
        for shape, statics in DIAGONALS
    ],
    x=lambda g, offset, axis1, axis2: take_diagonal(g, offset, axis1, axis2),
)
def place_on_diagonal(x, /, shape, offset, axis1, axis2):
    """Zeros of `shape` with `x` on a diagonal: the reverse of taking it."""


@checked_call
def diagonal(x, offset=0, dim1=0, dim2=1):
    """A diagonal of the matrices in two axes, as the last axis.  A view.

    Parameters
    ----------
    x : Tensor
    offset : int, default 0
        How far above the main diagonal; below it, if negative.  Beyond the matrix it is empty.
    dim1, dim2 : int
        The axes of rows and columns.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.diagonal(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([2.], dtype=float64)
    """
    x = tensor_of("diagonal", x)
    first, second = checked_axes("diagonal", (dim1, dim2), x.ndim)
    return take_diagonal(x, number_of("diagonal", "offset", offset), first, second)


@checked_call
def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    """Matrices with the last axis of `x` on a diagonal and zeros elsewhere, in two new axes.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.diag_embed(tg.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]], dtype=float64)
    """
    x = tensor_of("diag_embed", x)
    checked_axis("diag_embed", -1, x.ndim)
    first, second = checked_axes("diag_embed", (dim1, dim2), x.ndim + 1)
    offset = number_of("diag_embed", "offset", offset)
    size = x.shape[-1] + abs(offset)
    shape = list(x.shape[:-1])
    for axis in sorted((first, second)):
        shape.insert(axis, size)
    return place_on_diagonal(x, tuple(shape), offset, first, second)


@checked_call
def diag(x, diagonal=0):
    """The diagonal of a matrix, copied, or the matrix with a tensor of one axis on its diagonal.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.diag(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([1., 4.], dtype=float64)
    >>> tg.diag(tg.tensor([5.0]), 1)
    tensor([[0., 5.],
            [0., 0.]], dtype=float64)
    """
    x, offset = tensor_of("diag", x), number_of("diag", "diagonal", diagonal)
    if x.ndim not in (1, 2):
        raise ShapeError(f"diag: x has shape {x.shape}: pass one axis or two, or see diagonal")
    return diag_embed(x, offset) if x.ndim == 1 else copy(take_diagonal(x, offset, 0, 1))


@checked_call
def diagflat(x, offset=0):
    """The matrix with all elements of `x` on a diagonal; see `diag_embed`."""
    return diag_embed(reshape(x, -1), offset)


def triangle(name, x, k, lower):
    """Return `x` with zeros on one side of a diagonal of its last two axes."""
    x = tensor_of(name, x)
    if x.ndim < 2:
        raise ShapeError(f"{name}: x has shape {x.shape}: pass at least two axes")
    rows, columns = x.shape[-2:]
    k = number_of(name, "diagonal", k)
    # Small whole numbers are compared four times as fast as large ones.
    kind = np.int16 if rows + columns + abs(k) < 2**15 else np.int64
    place = np.arange(-k, columns - k, dtype=kind), np.arange(rows, dtype=kind)[:, None]
    # False is 0 in any dtype, so that x keeps its own.
    return where(place[0] <= place[1] if lower else place[0] >= place[1], x, False)


@checked_call
def tril(x, diagonal=0):
    """`x` with zeros above a diagonal of its last two axes.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tril(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[1., 0.],
            [3., 4.]], dtype=float64)
    """
    return triangle("tril", x, diagonal, True)


@checked_call
def triu(x, diagonal=0):
    """`x` with zeros below a diagonal of its last two axes.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.triu(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[1., 2.],
            [0., 4.]], dtype=float64)
    """
    return triangle("triu", x, diagonal, False)
