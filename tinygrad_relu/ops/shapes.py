"""Shapes: other axes over the same elements, broadcasting, and joining."""

import functools
import itertools
import math
from operator import index as index_of

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.kernels.reduce import Broadcast, SumTo
from tinygrad_relu.kernels.view import Join, Permute, Reshape, SwapAxes
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.indexing import index, number_of, tensor_of
from tinygrad_relu.ops.table import op


@op(
    Reshape(),
    domain=[case(real(2, 3), shape=(3, 2)), case(real(2, 3), shape=(-1,)), case(real(), shape=(1, 1))],
    x=lambda g, x_shape: reshape(g, *x_shape),
)
def reshape(x, /, *shape):
    """The same elements in row-major order in another shape; one length may be -1.

    A view of the memory of `x` where that is possible.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]], dtype=int64)
    """


@op(
    Permute(),
    domain=[case(real(2, 3, 4), axes=(2, 0, 1)), case(real(2, 3), axes=(-1, 0))],
    x=lambda g, axes: permute(g, *inverse(axes)),
)
def permute(x, /, *axes):
    """The axes in another order; in reverse order if none is given.  A view."""


def inverse(axes):
    """Return the order of axes that undoes `axes`."""
    return tuple(int(k) for k in np.argsort([axis % len(axes) for axis in axes]))


@op(
    SwapAxes(),
    domain=[case(real(2, 3, 4), axis1=0, axis2=-1)],
    x=lambda g, axis1, axis2: swapaxes(g, axis1, axis2),
)
def swapaxes(x, /, axis1, axis2):
    """Two axes exchanged: PyTorch's ``transpose(dim0, dim1)``.  A view.

    A tensor without axes may be told to exchange axis 0 with itself, as in PyTorch.
    """


@op(
    Broadcast(),
    domain=[case(real(3), shape=(2, 3)), case(real(2, 1), shape=(4, 2, 3)), case(real(), shape=(2,))],
    x=lambda g, x_shape: sum_to(g, x_shape),
)
def broadcast_to(x, /, shape):
    """Repeat `x` into a larger shape by the rules of broadcasting, in memory of its own."""


@op(
    SumTo(),
    domain=[case(real(2, 3), shape=(3,)), case(real(4, 2, 3), shape=(2, 1)), case(real(2), shape=())],
    x=lambda g, x_shape: broadcast_to(g, x_shape),
)
def sum_to(x, /, shape):
    """Sum over the axes along which something of `shape` was broadcast: the reverse of that."""


@checked_call
def expand(x, *shape):
    """Repeat `x` into a larger shape, as PyTorch's ``expand``; -1 keeps a length.

    Unlike PyTorch's, the result has memory of its own.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([[1.0], [2.0]]).expand(-1, 3)
    tensor([[1., 1., 1.],
            [2., 2., 2.]], dtype=float64)
    """
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    if -1 in shape:
        new = len(shape) - x.ndim
        if new < 0 or -1 in shape[:new]:
            raise ShapeError(
                f"expand: -1 keeps the length of an axis that is there, and x of shape {x.shape} has "
                f"none at that place of {shape}"
            )
        shape = tuple(x.shape[k - new] if n == -1 else n for k, n in enumerate(shape))
    return broadcast_to(x, shape)


@op(
    lambda x: np.array(x, order="C"),
    domain=[case(real(2, 3))],
    x=lambda g: g,
)
def copy(x, /):
    """The same values in memory of their own."""


def converted(x, dtype):
    """Return an array in another dtype that there are ops for."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "biuf":
        raise TypeError(f"{dtype} data cannot be computed with: take booleans, integers or real floats")
    with np.errstate(all="ignore"):
        return np.asarray(x).astype(dtype)


@op(
    converted,
    domain=[case(real(2, 3), dtype=np.dtype(np.float64))],
    x=lambda g: g,
)
def cast(x, /, dtype):
    """The same values in another dtype.  Integers carry no gradient."""


@checked_call
def flatten(x, start_axis=0, end_axis=-1):
    """Merge the axes from `start_axis` to `end_axis`, both included, into one.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2, 3, 4).flatten(1).shape
    (2, 12)
    """
    first = checked_axis("flatten", start_axis, x.ndim or 1)
    last = checked_axis("flatten", end_axis, x.ndim or 1)
    if first > last:
        raise ShapeError(f"flatten: axis {start_axis} comes after axis {end_axis}")
    merged = math.prod(x.shape[first : last + 1])
    return reshape(x, *x.shape[:first], merged, *x.shape[last + 1 :])


@checked_call
def squeeze(x, axis=None):
    """Remove axes of length 1: all, or those named, which are left alone if they are longer.

    NumPy raises where a named axis is longer; this follows PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(1, 3, 1).squeeze().shape
    (3,)
    """
    axes = range(x.ndim) if axis is None else checked_axes("squeeze", axis, x.ndim or 1)
    return reshape(x, *[n for k, n in enumerate(x.shape) if n != 1 or k not in axes])


@checked_call
def unsqueeze(x, axis):
    """Insert an axis of length 1 so that it becomes `axis`: NumPy's ``expand_dims``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2, 3).unsqueeze(1).shape
    (2, 1, 3)
    """
    position = checked_axis("unsqueeze", axis, x.ndim + 1)
    return reshape(x, *x.shape[:position], 1, *x.shape[position:])


@checked_call
def expand_as(x, other):
    """Repeat `x` into the shape of `other`; see `expand`."""
    return expand(x, *np.shape(shaped(other)))


def shaped(x):
    """Return what has a shape: a tensor or an array as it is, anything else as an array."""
    return x.detach().numpy() if isinstance(x, Tensor) else x


@checked_call
def view_as(x, other):
    """The elements of `x` in the shape of `other`; see `reshape`."""
    return reshape(x, *np.shape(shaped(other)))


@checked_call
def ravel(x):
    """All elements in one axis, in row-major order."""
    return reshape(x, -1)


@checked_call
def unflatten(x, axis, sizes):
    """Split one axis into several of the lengths `sizes`, of which one may be -1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2, 12).unflatten(1, (3, -1)).shape
    (2, 3, 4)
    """
    x = tensor_of("unflatten", x)
    axis = checked_axis("unflatten", axis, x.ndim)
    sizes = [number_of("unflatten", "each of sizes", n) for n in np.atleast_1d(sizes).tolist()]
    rest = math.prod(n for n in sizes if n != -1)
    length = x.shape[axis]
    if (
        any(n < -1 for n in sizes) or sizes.count(-1) > 1
        or (rest != length if -1 not in sizes else rest == 0 or length % rest)
    ):
        raise ShapeError(f"unflatten: axis {axis} of length {length} cannot be split into {tuple(sizes)}")
    sizes = [length // rest if n == -1 else n for n in sizes]
    return reshape(x, *x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def numbers_as_vectors(function):
    """Let a function along an axis take a tensor without axes, as if it had one of length 1, as PyTorch.

    Its results have no axes, either.
    """

    @functools.wraps(function)
    def along_axis(x, *arguments, **keywords):
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim:
            return function(x, *arguments, **keywords)
        found = function(reshape(x, 1), *arguments, **keywords)
        if isinstance(found, tuple):
            return type(found)(*[without_axis(part) for part in found])
        return without_axis(found)

    return along_axis


def without_axis(x):
    """Return a vector of one element without its axis; of none, as `topk` may give it, as it is."""
    return reshape(x) if x.size == 1 else x


@checked_call
@numbers_as_vectors
def movedim(x, source, destination):
    """Move axes to other positions; the others keep their order.  A view.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)
    """
    x = tensor_of("movedim", x)
    source = checked_axes("movedim", source, x.ndim)
    destination = checked_axes("movedim", destination, x.ndim)
    if len(source) != len(destination):
        raise ArgumentError(
            f"movedim: {len(source)} axes are to be moved to {len(destination)} positions: give as many"
        )
    order = [axis for axis in range(x.ndim) if axis not in source]
    for position, axis in sorted(zip(destination, source)):
        order.insert(position, axis)
    return permute(x, *order)


@checked_call
def t(x):
    """The transpose of a matrix; a tensor of fewer axes as it is.  A view."""
    x = tensor_of("t", x)
    if x.ndim > 2:
        raise ShapeError(f"t: x has shape {x.shape}: of more than two axes, swap two with transpose")
    return permute(x)


@checked_call
def contiguous(x):
    """The tensor itself if its elements lie in row-major order, else a copy in which they do."""
    x = tensor_of("contiguous", x)
    return x if x.detach().numpy().flags.c_contiguous else copy(x)


def each(tensors, change):
    """Apply `change` to one tensor, or to each of several, which may come as one sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    elif len(tensors) == 1:
        return change(tensors[0])
    return tuple(change(x) for x in tensors)


@checked_call
def atleast_1d(*tensors):
    """Each tensor with at least one axis; several give a tuple."""

    def change(x):
        x = tensor_of("atleast_1d", x)
        return x if x.ndim >= 1 else reshape(x, 1)

    return each(tensors, change)


@checked_call
def atleast_2d(*tensors):
    """Each tensor with at least two axes, of which new ones come first; several give a tuple."""

    def change(x):
        x = tensor_of("atleast_2d", x)
        return x if x.ndim >= 2 else reshape(x, 1, -1)

    return each(tensors, change)


@checked_call
def atleast_3d(*tensors):
    """Each tensor with at least three axes, as in NumPy; several give a tuple.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.atleast_3d(tg.zeros(2)).shape, tg.atleast_3d(tg.zeros(2, 3)).shape
    ((1, 2, 1), (2, 3, 1))
    """

    def change(x):
        x = atleast_2d(x)
        return x if x.ndim >= 3 else reshape(x, *x.shape, 1)

    return each(tensors, change)


@checked_call
def broadcast_tensors(*tensors):
    """Tensors in the shape to which all of them are broadcast; a tuple.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> a, b = tg.broadcast_tensors(tg.zeros(2, 1), tg.ones(3))
    >>> a.shape, b.shape
    ((2, 3), (2, 3))
    """
    tensors = [tensor_of("broadcast_tensors", x) for x in tensors]
    try:
        shape = np.broadcast_shapes(*(x.shape for x in tensors))
    except ValueError:
        raise ShapeError(
            f"broadcast_tensors: the shapes {[x.shape for x in tensors]} do not fit each other"
        ) from None
    return tuple(x if x.shape == shape else broadcast_to(x, shape) for x in tensors)


@checked_call
def meshgrid(*tensors, indexing="ij"):
    """The coordinates of a grid: one tensor for each axis, each of the shape of the grid; a tuple.

    Parameters
    ----------
    *tensors : Tensor
        The positions along each axis: of one axis, or a number.
    indexing : {"ij", "xy"}
        "xy" swaps the first two axes of the grid.  PyTorch begins with "ij", NumPy with "xy".

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.meshgrid(tg.arange(2), tg.arange(3))[1]
    tensor([[0, 1, 2],
            [0, 1, 2]], dtype=int64)
    """
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing is {indexing!r}: it is 'ij' or 'xy'")
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    tensors = [tensor_of("meshgrid", x) for x in tensors]
    for x in tensors:
        if x.ndim > 1:
            raise ShapeError(f"meshgrid: a tensor of shape {x.shape} was given: pass those of one axis")
    count = len(tensors)
    grid = broadcast_tensors(
        *(reshape(x, *(-1 if j == k else 1 for j in range(count))) for k, x in enumerate(tensors))
    )
    return tuple(swapaxes(x, 0, 1) for x in grid) if indexing == "xy" and count > 1 else grid


@op(
    Join(),
    domain=[
        case(real(2, 3), real(1, 3), axis=0, stops=(2, 3)),
        case(real(2, 1), real(2, 2), real(2, 3), axis=-1, stops=(1, 3, 6)),
    ],
    tensors=lambda g, i, axis, stops: part(g, axis, stops[i - 1] if i else 0, stops[i]),
)
def join(*tensors, axis, stops):
    """Tensors end to end along `axis`, each up to its stop: what `concat` records."""


def part(x, axis, start, stop):
    """Return the elements of `x` from `start` to before `stop` along `axis`."""
    return index(x, (slice(None),) * (axis % x.ndim) + (slice(start, stop),))


@checked_call
def concat(tensors, axis=0):
    """Tensors end to end along an axis that is there: PyTorch's ``cat``, NumPy's ``concatenate``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cat([tg.tensor([1.0, 2.0]), tg.tensor([3.0])])
    tensor([1., 2., 3.], dtype=float64)
    """
    tensors = sequence_of_tensors("concat", tensors)
    lengths = [t.shape[checked_axis("concat", axis, t.ndim)] for t in tensors]
    others = {t.shape[: axis % t.ndim] + t.shape[axis % t.ndim + 1 :] for t in tensors}
    if len(others) > 1:
        raise ShapeError(
            f"concat: the shapes {[t.shape for t in tensors]} differ along other axes than axis {axis}"
        )
    return join(*tensors, axis=axis, stops=tuple(itertools.accumulate(lengths)))


@checked_call
def stack(tensors, axis=0):
    """Tensors of one shape beside each other along a new axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.stack([tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])], axis=1)
    tensor([[1., 3.],
            [2., 4.]], dtype=float64)
    """
    tensors = sequence_of_tensors("stack", tensors)
    if len({t.shape for t in tensors}) > 1:
        raise ShapeError(
            f"stack: the tensors have different shapes {[t.shape for t in tensors]}: use concat to "
            "join them along an axis that they have"
        )
    shape = tensors[0].shape
    axis = checked_axis("stack", axis, len(shape) + 1)
    wide = (*shape[:axis], 1, *shape[axis:])
    return join(*[reshape(t, wide) for t in tensors], axis=axis, stops=tuple(range(1, len(tensors) + 1)))


def sequence_of_tensors(name, tensors):
    """Return a list of tensors from a sequence of tensors and arrays."""
    if isinstance(tensors, (Tensor, np.ndarray)):
        tensors = list(tensors)
    if not isinstance(tensors, (list, tuple)) or not tensors:
        raise ArgumentError(f"{name}: pass a list of at least one tensor")
    return [t if isinstance(t, Tensor) else Tensor(t) for t in tensors]


def checked_axis(name, axis, ndim):
    """Return `axis` counted from the front, or raise."""
    try:
        axis = index_of(axis)
    except TypeError:
        raise ArgumentError(f"{name}: axis is {axis!r}: it is a whole number") from None
    if not -ndim <= axis < ndim:
        raise ShapeError(f"{name}: axis {axis} is out of bounds for {ndim} axes")
    return axis % ndim


def checked_axes(name, axes, ndim):
    """Return one axis or several as a tuple, counted from the front, or raise; none may come twice."""
    axes = axes if isinstance(axes, (tuple, list)) else (axes,)
    found = tuple(checked_axis(name, axis, ndim) for axis in axes)
    if len(set(found)) < len(found):
        raise ShapeError(f"{name}: an axis comes twice in {tuple(axes)}")
    return found
