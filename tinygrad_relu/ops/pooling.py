"""Pooling: the maximum or the mean of what a window sees, or of each of so many parts."""

import math

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tinygrad_relu.kernels.windows import first_maxima
from tinygrad_relu.ops.convolution import check_reach, images, images_to_columns, window_layout
from tinygrad_relu.ops.indexing import take_along_axis
from tinygrad_relu.ops.operands import tensor_from, whole, whole_numbers
from tinygrad_relu.ops.reductions import mean, sum
from tinygrad_relu.ops.shapes import concat, part, reshape


def pooling_layout(name, size, axes, kernel_size, stride, padding, dilation, ceil_mode):
    """Return the window and the layout of a pooling over images of `size`.

    With `ceil_mode` the padding behind grows, so that the last place sees the rest of the image; a
    place that would begin in the padding behind is left out, as in PyTorch.
    """
    window = whole_numbers(name, "kernel_size", kernel_size, axes, 1)
    stride = window if stride is None or stride == () else stride
    stride, padding, dilation = window_layout(name, stride, padding, dilation, axes)
    window = (1, *window) if axes == 1 else window
    for (before, _), elements in zip(padding, window):
        if 2 * before > elements:
            raise RangeError(
                f"{name}: padding {before} is more than half of the window of {elements} elements"
            )
    check_reach(name, size, window, padding, dilation)
    if ceil_mode:
        grown = []
        for length, elements, step, (before, after), apart in zip(
            size, window, stride, padding, dilation
        ):
            rest = length + before + after - apart * (elements - 1) - 1
            last = math.ceil(rest / step)
            if last * step >= length + before:
                last -= 1
            grown.append((before, after + max(last * step - rest, 0)))
        padding = tuple(grown)
    return window, (stride, padding, dilation)


def pool_maxima(name, axes, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Answer the maximum poolings over one axis and over two."""
    ranked, restored = images(name, input, axes)
    x = unrounded(name, input, ranked)
    if x.dtype.kind != "f":
        # Ranks are exact as floats, where large integers are not.
        order = np.unique(x.numpy(), return_inverse=True)[1]
        ranked = sharing(order.reshape(x.shape).astype(np.float64))
    elif x.dtype not in (np.float32, np.float64):
        raise DTypeError(f"{name}: input is {x.dtype}: pass float32 or float64")
    window, layout = pooling_layout(
        name, x.shape[2:], axes, kernel_size, stride, padding, dilation, ceil_mode
    )
    places = first_maxima(ranked.detach().numpy(), window, layout)
    if places.size and places.min() < 0:
        raise RangeError(f"{name}: a window of {window} would see nothing but padding: pad less")
    return picked(x, places, restored, return_indices)


def unrounded(name, input, images):
    """Return `images` with the dtype and the values of `input`, which floats may not hold all of."""
    given = tensor_from(name, "input", input)
    return images if given.dtype.kind == "f" else reshape(given, *images.shape)


def picked(x, places, restored, return_indices):
    """Return the elements of images at `places`, and these if they are asked for."""
    flat = reshape(x, *x.shape[:2], x.shape[2] * x.shape[3])
    indices = Tensor(places)
    chosen = reshape(indices, *places.shape[:2], places.shape[2] * places.shape[3])
    values = take_along_axis(flat, chosen, -1)
    values = restored(reshape(values, *places.shape))
    return (values, restored(indices)) if return_indices else values


@checked_call
def max_pool1d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Maximum of a sliding window along one axis; see `max_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.max_pool1d(tg.tensor([[1.0, 5.0, 2.0, 3.0]]), 2)
    tensor([[5., 3.]], dtype=float64)
    """
    return pool_maxima(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


@checked_call
def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """Maximum of a window that slides over images.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, height, width) or (channels, height, width)
    kernel_size : int or pair of int
        The window.
    stride : int or pair of int, optional
        As far as the window reaches, if it is not given.
    padding, dilation : int or pair of int
        Padding is never a maximum; it may be half of the window at most.
    ceil_mode : bool
        Whether the last place may reach beyond the image.
    return_indices : bool
        Whether the numbers of the maxima in each flattened image are returned, too.

    Returns
    -------
    Tensor, or a pair of them
        The first of several maxima takes the gradient, as in PyTorch; NaN counts as the largest.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.max_pool2d(tg.tensor([[[1.0, 5.0], [2.0, 3.0]]]), 2, return_indices=True)
    (tensor([[[5.]]], dtype=float64), tensor([[[1]]], dtype=int64))
    """
    return pool_maxima(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def counts(length, elements, step, padding, places, count_include_pad):
    """Return how many elements each place of a window counts along one axis.

    Padding that `ceil_mode` has added never counts, as in PyTorch.
    """
    first = np.arange(places) * step - padding
    stop = np.minimum(first + elements, length + padding)
    if not count_include_pad:
        first, stop = np.maximum(first, 0), np.minimum(stop, length)
    return stop - first


def pool_means(
    name, axes, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=None
):
    """Answer the mean poolings over one axis and over two."""
    x, restored = images(name, input, axes)
    window, layout = pooling_layout(name, x.shape[2:], axes, kernel_size, stride, padding, 1, ceil_mode)
    stride, padding, _ = layout
    sizes = [
        (n + sum_of(p) - elements) // step + 1
        for n, p, elements, step in zip(x.shape[2:], padding, window, stride)
    ]
    columns = images_to_columns(x, window, layout)
    sums = sum(reshape(columns, *x.shape[:2], math.prod(window), *sizes), 2)
    if divisor_override is not None:
        divisor = whole(name, "divisor_override", divisor_override)
        if divisor == 0:
            raise RangeError(f"{name}: divisor_override is 0")
        return restored(sums / divisor)
    down, across = (
        counts(n, elements, step, before, places, count_include_pad)
        for n, elements, step, (before, _), places in zip(x.shape[2:], window, stride, padding, sizes)
    )
    return restored(sums / np.multiply.outer(down, across).astype(x.dtype))


def sum_of(padding):
    """Return padding before and after in one number."""
    before, after = padding
    return before + after


@checked_call
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Mean of a sliding window along one axis; see `avg_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.avg_pool1d(tg.tensor([[1.0, 5.0, 2.0, 4.0]]), 2)
    tensor([[3., 3.]], dtype=float64)
    """
    return pool_means("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


@checked_call
def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):
    """Mean of a window that slides over images.

    Parameters
    ----------
    input, kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`; padding is zeros.
    count_include_pad : bool
        Whether the mean is over padding, too.
    divisor_override : int, optional
        What to divide by instead.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.avg_pool2d(tg.ones(1, 2, 2), 2, padding=1)
    tensor([[[0.25, 0.25],
             [0.25, 0.25]]], dtype=float64)
    """
    return pool_means(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )


# ------------------------------------------------------------------------- so many parts, of any size

def parts(name, length, count):
    """Return where each of `count` parts of an axis begins and stops, which may overlap by one."""
    if length == 0:
        raise ShapeError(f"{name}: an axis of length 0 has no parts")
    return [(k * length // count, -(-(k + 1) * length // count)) for k in range(count)]


def part_counts(name, output_size, size, axes):
    """Return into how many parts each axis goes; None keeps the length, as in PyTorch."""
    if not isinstance(output_size, (tuple, list)):
        output_size = (output_size,) * axes
    if len(output_size) != axes:
        raise ArgumentError(f"{name}: output_size is {output_size!r}: pass one number, or {axes}")
    wanted = tuple(
        length if n is None else whole(name, "output_size", n, 1)
        for n, length in zip(output_size, size[2 - axes :])
    )
    return (1, *wanted) if axes == 1 else wanted


def means_of_parts(x, axis, bounds):
    """Return the means of parts along an axis."""
    if len({stop - first for first, stop in bounds}) == 1 and bounds[0][1] * len(bounds) == x.shape[axis]:
        shape = (*x.shape[:axis], len(bounds), bounds[0][1], *x.shape[axis + 1 :])
        return mean(reshape(x, *shape), axis + 1)
    return concat([mean(part(x, axis, *bound), axis, True) for bound in bounds], axis)


def adaptive_means(name, axes, input, output_size):
    """Answer the adaptive mean poolings: a part is a rectangle, so one axis goes after the other."""
    x, restored = images(name, input, axes)
    wanted = part_counts(name, output_size, x.shape[2:], axes)
    for axis, count in zip((2, 3), wanted):
        x = means_of_parts(x, axis, parts(name, x.shape[axis], count))
    return restored(x)


@checked_call
def adaptive_avg_pool1d(input, output_size):
    """Means of `output_size` parts of the last axis; see `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.adaptive_avg_pool1d(tg.tensor([[1.0, 2.0, 6.0]]), 2)
    tensor([[1.5, 4. ]], dtype=float64)
    """
    return adaptive_means("adaptive_avg_pool1d", 1, input, output_size)


@checked_call
def adaptive_avg_pool2d(input, output_size):
    """Means of so many parts of images, which overlap where the size is no multiple of their number.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, height, width) or (channels, height, width)
    output_size : int, or pair of int or None
        The height and the width of the result; None keeps that of `input`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.adaptive_avg_pool2d(tg.tensor([[[1.0, 2.0], [3.0, 6.0]]]), 1)
    tensor([[[3.]]], dtype=float64)
    """
    return adaptive_means("adaptive_avg_pool2d", 2, input, output_size)


@checked_call
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """Maxima of so many parts of images; the parts are those of `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.adaptive_max_pool2d(tg.tensor([[[1.0, 2.0, 3.0]]]), (1, 2))
    tensor([[[2., 3.]]], dtype=float64)
    """
    name = "adaptive_max_pool2d"
    x, restored = images(name, input, 2)
    x = unrounded(name, input, x)
    rows, columns = (
        parts(name, n, count)
        for n, count in zip(x.shape[2:], part_counts(name, output_size, x.shape[2:], 2))
    )
    array = x.detach().numpy()
    places = np.empty((*x.shape[:2], len(rows), len(columns)), np.intp)
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            seen = array[:, :, top:bottom, left:right]
            seen = seen.reshape(*x.shape[:2], (bottom - top) * (right - left))
            row, column = np.divmod(seen.argmax(-1), right - left)
            places[:, :, i, j] = (row + top) * x.shape[3] + column + left
    return picked(x, places, restored, return_indices)
