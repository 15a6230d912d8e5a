"""Parts of a tensor written over: an entry, a slice or a diagonal of a copy, or the diagonal in place."""

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ShapeError
from tinygrad_relu.ops.assignment import overwrite, view_along
from tinygrad_relu.ops.indexing import index as at
from tinygrad_relu.ops.indexing import number_of, tensor_of
from tinygrad_relu.ops.putting import of_dtype
from tinygrad_relu.ops.rearranging import take_diagonal
from tinygrad_relu.ops.shapes import checked_axes, checked_axis
from tinygrad_relu.ops.taking import along


def written_over(name, x, src, step):
    """Return `x` with `src` in the view that `step`, an op and its statics, gives of it."""
    src = of_dtype(name, "src", src, x)
    wanted = view_along(x.detach(), (step,)).shape
    if src.shape != wanted:
        raise ShapeError(f"{name}: src has shape {src.shape}, and what it replaces has shape {wanted}")
    return overwrite(x, src, (step,))


@checked_call
def select_scatter(x, src, axis, index):
    """A copy of `x` with `src` in place of its entry ``select(x, axis, index)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.select_scatter(tg.zeros(2, 2), tg.tensor([3.0, 4.0]), 1, -1)
    tensor([[0., 3.],
            [0., 4.]], dtype=float64)
    """
    x = tensor_of("select_scatter", x)
    key = along(checked_axis("select_scatter", axis, x.ndim), number_of("select_scatter", "index", index))
    return written_over("select_scatter", x, src, (at, (key,)))


@checked_call
def slice_scatter(x, src, axis=0, start=None, end=None, step=1):
    """A copy of `x` with `src` in place of the entries ``start:end:step`` along `axis`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.slice_scatter(tg.zeros(5), tg.tensor([3.0, 4.0]), start=1, step=2)
    tensor([0., 3., 0., 4., 0.], dtype=float64)
    """
    x = tensor_of("slice_scatter", x)
    key = along(checked_axis("slice_scatter", axis, x.ndim), slice(start, end, step))
    return written_over("slice_scatter", x, src, (at, (key,)))


@checked_call
def diagonal_scatter(x, src, offset=0, dim1=0, dim2=1):
    """A copy of `x` with `src` on a diagonal: in place of ``diagonal(x, offset, dim1, dim2)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.diagonal_scatter(tg.zeros(2, 2), tg.tensor([3.0, 4.0]))
    tensor([[3., 0.],
            [0., 4.]], dtype=float64)
    """
    x = tensor_of("diagonal_scatter", x)
    axes = checked_axes("diagonal_scatter", (dim1, dim2), x.ndim)
    offset = number_of("diagonal_scatter", "offset", offset)
    return written_over("diagonal_scatter", x, src, (take_diagonal, (offset, *axes)))


@checked_call
def fill_diagonal_(x, fill_value, wrap=False):
    """Set the elements whose indices are all equal to a number, in place.

    Parameters
    ----------
    x : Tensor
        A matrix; of more axes all have the same length.
    fill_value : float
    wrap : bool, default False
        In a tall matrix go on with another diagonal, one row below the end of the one before.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2, 3).fill_diagonal_(5.0)
    tensor([[5., 0., 0.],
            [0., 5., 0.]], dtype=float64)
    """
    mask = np.zeros(x.shape, bool)
    np.fill_diagonal(mask, True, wrap)
    x[mask] = fill_value
    return x
