"""Joining along the axis that a name stands for, and splitting into views."""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import RangeError, ShapeError
from tinygrad_relu.ops.indexing import number_of, place, tensor_of
from tinygrad_relu.ops.shapes import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    checked_axis,
    concat,
    meshgrid,
    part,
    reshape,
    sequence_of_tensors,
    stack,
)
from tinygrad_relu.ops.taking import select


@checked_call
def hstack(tensors):
    """Tensors beside each other: joined along axis 1, or 0 if they have one axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.hstack([tg.ones(2, 1), tg.zeros(2, 2)])
    tensor([[1., 0., 0.],
            [1., 0., 0.]], dtype=float64)
    """
    tensors = [atleast_1d(x) for x in sequence_of_tensors("hstack", tensors)]
    return concat(tensors, 0 if tensors[0].ndim == 1 else 1)


@checked_call
def vstack(tensors):
    """Tensors above each other: joined along axis 0, each of one axis as a row.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.vstack([tg.ones(2), tg.zeros(1, 2)])
    tensor([[1., 1.],
            [0., 0.]], dtype=float64)
    """
    return concat([atleast_2d(x) for x in sequence_of_tensors("vstack", tensors)], 0)


@checked_call
def dstack(tensors):
    """Tensors behind each other: joined along axis 2, which is made where it is missing."""
    return concat([atleast_3d(x) for x in sequence_of_tensors("dstack", tensors)], 2)


@checked_call
def column_stack(tensors):
    """Tensors beside each other, each of one axis as a column.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.column_stack([tg.ones(2), tg.zeros(2)])
    tensor([[1., 0.],
            [1., 0.]], dtype=float64)
    """
    tensors = sequence_of_tensors("column_stack", tensors)
    return hstack([x if x.ndim > 1 else reshape(x, -1, 1) for x in tensors])


@checked_call
def cartesian_prod(*tensors):
    """All combinations of one element of each, one row each; of one tensor, that tensor.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cartesian_prod(tg.arange(2), tg.tensor([5, 6]))
    tensor([[0, 5],
            [0, 6],
            [1, 5],
            [1, 6]], dtype=int64)
    """
    tensors = sequence_of_tensors("cartesian_prod", tensors)
    if any(x.ndim != 1 for x in tensors):
        raise ShapeError(
            f"cartesian_prod: tensors have shapes {[x.shape for x in tensors]}: pass those of one axis"
        )
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(x, -1) for x in meshgrid(*tensors)], 1)


def cut(x, axis, stops):
    """Return the parts of `x` along `axis` that end before each of `stops`."""
    return tuple(
        part(x, axis, start, max(start, stop)) for start, stop in zip([0, *stops[:-1]], stops)
    )


@checked_call
def split(x, split_size_or_sections, axis=0):
    """Split into parts of one length, the last of which may be shorter, or of the lengths listed.

    Views, in a tuple.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> [part.tolist() for part in tg.split(tg.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    >>> [part.tolist() for part in tg.split(tg.arange(5), [1, 4])]
    [[0], [1, 2, 3, 4]]
    """
    x = tensor_of("split", x)
    axis = checked_axis("split", axis, x.ndim)
    length = x.shape[axis]
    if isinstance(split_size_or_sections, (tuple, list)):
        sections = [number_of("split", "each length", n) for n in split_size_or_sections]
        if any(n < 0 for n in sections) or sum(sections) != length:
            raise ShapeError(
                f"split: the lengths {sections} do not add up to {length}, that of axis {axis}"
            )
        return cut(x, axis, np.cumsum(sections).tolist())
    size = number_of("split", "split_size_or_sections", split_size_or_sections)
    if size < 0 or (size == 0 and length):
        raise RangeError(f"split: parts of length {size} of axis {axis} of length {length}")
    return cut(x, axis, [*range(size, length, size), length] if length else [0])


@checked_call
def tensor_split(x, indices_or_sections, axis=0):
    """Split into a number of parts that differ by at most 1 in length, or before indices.

    Views, in a tuple.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> [part.tolist() for part in tg.tensor_split(tg.arange(5), 3)]
    [[0, 1], [2, 3], [4]]
    >>> [part.tolist() for part in tg.tensor_split(tg.arange(5), (1, 4))]
    [[0], [1, 2, 3], [4]]
    """
    x = tensor_of("tensor_split", x)
    axis = checked_axis("tensor_split", axis, x.ndim)
    length = x.shape[axis]
    if isinstance(indices_or_sections, (Tensor, np.ndarray)):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, (tuple, list)):
        stops = [number_of("tensor_split", "each index", n) for n in indices_or_sections]
        # As slices do, those out of range stop at the end.
        stops = [min(max(n + length if n < 0 else n, 0), length) for n in stops]
        return cut(x, axis, [*stops, length])
    count = number_of("tensor_split", "indices_or_sections", indices_or_sections)
    if count < 1:
        raise RangeError(f"tensor_split: {count} sections: make at least one")
    short, longer = divmod(length, count)
    return cut(x, axis, np.cumsum([short + (k < longer) for k in range(count)]).tolist())


@checked_call
def hsplit(x, indices_or_sections):
    """Split beside each other, as `tensor_split` does: along axis 1, or 0 if there is one axis.

    A number of sections has to divide the length, unlike in `tensor_split`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> [part.tolist() for part in tg.hsplit(tg.tensor([[1, 2, 3]]), [1])]
    [[[1]], [[2, 3]]]
    """
    x = tensor_of("hsplit", x)
    return split_evenly("hsplit", x, indices_or_sections, 0 if x.ndim == 1 else 1, 1)


@checked_call
def vsplit(x, indices_or_sections):
    """Split above each other, along axis 0 of at least two; see `hsplit`."""
    return split_evenly("vsplit", tensor_of("vsplit", x), indices_or_sections, 0, 2)


@checked_call
def dsplit(x, indices_or_sections):
    """Split behind each other, along axis 2; see `hsplit`."""
    return split_evenly("dsplit", tensor_of("dsplit", x), indices_or_sections, 2, 3)


def split_evenly(name, x, indices_or_sections, axis, least):
    """Split along `axis` of at least so many, before indices or into a number of equal parts."""
    if x.ndim < least:
        raise ShapeError(f"{name}: x has shape {x.shape}: at least {least} axes are needed")
    count = indices_or_sections if isinstance(indices_or_sections, int) else 1
    if count > 0 and x.shape[axis] % count:
        raise ShapeError(f"{name}: {count} sections do not divide axis {axis} of shape {x.shape}")
    return tensor_split(x, indices_or_sections, axis)


@checked_call
def block_diag(*tensors):
    """A matrix with the given ones on its diagonal, and 0 beside them; vectors count as rows.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.block_diag(tg.tensor([[1.0, 2.0]]), tg.tensor([3.0]))
    tensor([[1., 2., 0.],
            [0., 0., 3.]], dtype=float64)
    """
    blocks = [atleast_2d(x) for x in tensors]
    for k, block in enumerate(blocks):
        if block.ndim != 2:
            raise ShapeError(f"block_diag: tensors[{k}] has shape {block.shape}: pass matrices")
    width, start, rows = sum(block.shape[1] for block in blocks), 0, []
    for block in blocks:
        key = (slice(None), slice(start, start + block.shape[1]))
        rows.append(place(block, (block.shape[0], width), key))
        start += block.shape[1]
    return concat(rows, 0)


@checked_call
def chunk(x, chunks, axis=0):
    """Split into at most `chunks` parts of one length, the last of which may be shorter.

    Views, in a tuple.  As in PyTorch, there may be fewer: see `tensor_split`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> [part.tolist() for part in tg.chunk(tg.arange(5), 4)]
    [[0, 1], [2, 3], [4]]
    """
    x = tensor_of("chunk", x)
    axis = checked_axis("chunk", axis, x.ndim)
    if number_of("chunk", "chunks", chunks) < 1:
        raise RangeError(f"chunk: {chunks} chunks: make at least one")
    if x.shape[axis] == 0:
        return cut(x, axis, [0] * chunks)
    return split(x, -(-x.shape[axis] // chunks), axis)


@checked_call
def unbind(x, axis=0):
    """The entries along `axis`, which they lose: views, in a tuple.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.unbind(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    (tensor([1., 3.], dtype=float64), tensor([2., 4.], dtype=float64))
    """
    x = tensor_of("unbind", x)
    axis = checked_axis("unbind", axis, x.ndim)
    return tuple(select(x, axis, k) for k in range(x.shape[axis]))
