"""Convolution, as neural networks mean it: correlation of images with windows of weights.

Three ops, each linear in both of its inputs, and each an adjoint of the others: so every derivative of
each is one of them.  `layout` is (stride, padding, dilation), for each of two axes one of each, padding
being (before, after).  What has one axis is done as an image of height 1.
"""

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.kernels.windows import (
    convolved,
    convolved_adjoint,
    convolved_weight,
    rolled_up,
    unrolled,
)
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.operands import whole, whole_numbers, with_axes
from tinygrad_relu.ops.shapes import reshape
from tinygrad_relu.ops.table import op

PLAIN = ((1, 1), ((0, 0), (0, 0)), (1, 1))
UNEVEN = ((2, 1), ((1, 0), (1, 2)), (1, 2))


@op(
    convolved,
    domain=[
        case(real(2, 2, 4, 5), real(3, 2, 2, 3), layout=PLAIN, groups=1),
        case(real(2, 4, 4, 5), real(2, 2, 3, 2), layout=UNEVEN, groups=2),
    ],
    x=lambda g, weight, x_shape, layout, groups: (
        convolution_adjoint(g, weight, x_shape[2:], layout, groups)
    ),
    weight=lambda g, x, weight_shape, layout, groups: (
        convolution_weight(g, x, weight_shape[2:], layout, groups)
    ),
)
def convolution(x, weight, /, layout, groups):
    """Images (images, channels, height, width) under weights (outputs, channels / groups, ...)."""


@op(
    convolved_adjoint,
    domain=[
        case(real(2, 3, 3, 3), real(3, 2, 2, 3), size=(4, 5), layout=PLAIN, groups=1),
        case(real(2, 2, 2, 6), real(2, 2, 3, 2), size=(4, 5), layout=UNEVEN, groups=2),
    ],
    v=lambda g, weight, layout, groups: convolution(g, weight, layout, groups),
    weight=lambda g, v, weight_shape, layout, groups: (
        convolution_weight(v, g, weight_shape[2:], layout, groups)
    ),
)
def convolution_adjoint(v, weight, /, size, layout, groups):
    """The adjoint of `convolution` in its images, of `size`: the transposed convolution."""


@op(
    convolved_weight,
    domain=[
        case(real(2, 3, 3, 3), real(2, 2, 4, 5), window=(2, 3), layout=PLAIN, groups=1),
        case(real(2, 2, 2, 6), real(2, 4, 4, 5), window=(3, 2), layout=UNEVEN, groups=2),
    ],
    v=lambda g, x, layout, groups: convolution(x, g, layout, groups),
    x=lambda g, v, x_shape, layout, groups: convolution_adjoint(v, g, x_shape[2:], layout, groups),
)
def convolution_weight(v, x, /, window, layout, groups):
    """The adjoint of `convolution` in its weights, whose last two lengths are `window`."""


@op(
    unrolled,
    domain=[case(real(2, 2, 3, 4), window=(2, 2), layout=PLAIN),
            case(real(1, 2, 4, 5), window=(3, 2), layout=UNEVEN)],
    x=lambda g, x_shape, window, layout: columns_to_images(g, x_shape[2:], window, layout),
)
def images_to_columns(x, /, window, layout):
    """What a window sees at each place, as columns: (images, channels * window, places)."""


@op(
    rolled_up,
    domain=[case(real(2, 8, 6), size=(3, 4), window=(2, 2), layout=PLAIN),
            case(real(1, 12, 12), size=(4, 5), window=(3, 2), layout=UNEVEN)],
    x=lambda g, window, layout: images_to_columns(g, window, layout),
)
def columns_to_images(x, /, size, window, layout):
    """Columns added to the images that they came from: the adjoint of `images_to_columns`."""


# ---------------------------------------------------------------------------------- in PyTorch's words

def images(name, input, axes):
    """Return `input` with 4 axes, and what takes them away again, from a batch or one of it."""
    x = with_axes(name, "input", input, axes + 1, axes + 2)
    single = x.ndim == axes + 1
    shape = (1, *x.shape) if single else x.shape
    if axes == 1:
        shape = (*shape[:2], 1, shape[2])

    def restored(result):
        lengths = result.shape[:2] + result.shape[4 - axes :]
        return reshape(result, *(lengths[1:] if single else lengths))

    return reshape(x, *shape), restored


def window_layout(name, stride, padding, dilation, axes):
    """Return the layout of a window from numbers as PyTorch takes them."""
    stride = whole_numbers(name, "stride", stride, axes, 1)
    dilation = whole_numbers(name, "dilation", dilation, axes, 1)
    padding = tuple((n, n) for n in whole_numbers(name, "padding", padding, axes))
    if axes == 1:
        stride, dilation, padding = (1, *stride), (1, *dilation), ((0, 0), *padding)
    return stride, padding, dilation


def padding_by_name(name, padding, window, stride, dilation):
    """Return (before, after) for each axis for 'same' or 'valid'; 'same' pads more behind."""
    if padding == "valid":
        return ((0, 0),) * len(window)
    if padding != "same":
        raise ArgumentError(f"{name}: padding is {padding!r}: it is numbers, 'same' or 'valid'")
    if any(n != 1 for n in stride):
        raise RangeError(f"{name}: padding is 'same' and stride {stride}: the size stays only with 1")
    totals = [d * (n - 1) for d, n in zip(dilation, window)]
    return tuple((total // 2, total - total // 2) for total in totals)


def weights(name, weight, bias, axes, outputs):
    """Return weights with 4 axes, and a bias that adds to images, or None."""
    weight = with_axes(name, "weight", weight, axes + 2, axes + 2)
    if axes == 1:
        weight = reshape(weight, *weight.shape[:2], 1, weight.shape[2])
    if 0 in weight.shape:
        raise ShapeError(f"{name}: weight has shape {weight.shape}: a window needs elements")
    if bias is not None:
        bias, outputs = with_axes(name, "bias", bias, 1, 1), outputs(weight.shape)
        if bias.shape != (outputs,):
            raise ShapeError(f"{name}: bias has shape {bias.shape}, and there are {outputs} outputs")
        bias = reshape(bias, outputs, 1, 1)
    return weight, bias


def convolve(name, axes, input, weight, bias, stride, padding, dilation, groups):
    """Answer the convolutions over one axis and over two."""
    x, restored = images(name, input, axes)
    groups = whole(name, "groups", groups, 1)
    weight, bias = weights(name, weight, bias, axes, lambda shape: shape[0])
    if isinstance(padding, str):
        stride, _, dilation = window_layout(name, stride, 0, dilation, axes)
        padding = padding_by_name(name, padding, weight.shape[2:], stride, dilation)
    else:
        stride, padding, dilation = window_layout(name, stride, padding, dilation, axes)
    channels, outputs = weight.shape[1] * groups, weight.shape[0]
    if x.shape[1] != channels or outputs % groups:
        raise ShapeError(
            f"{name}: input has {x.shape[1]} channels, and weight of {outputs} x {weight.shape[1]} "
            f"channels in {groups} groups takes {channels} and gives a multiple of {groups}"
        )
    check_reach(name, x.shape[2:], weight.shape[2:], padding, dilation)
    y = convolution(x, weight, (stride, padding, dilation), groups)
    return restored(y if bias is None else y + bias)


def check_reach(name, size, window, padding, dilation):
    """Raise where a window is larger than the image with its padding."""
    for length, elements, (before, after), step in zip(size, window, padding, dilation):
        if step * (elements - 1) + 1 > length + before + after:
            raise ShapeError(
                f"{name}: a window of {window} elements, {dilation} apart, does not fit into {size} "
                f"with a padding of {padding}"
            )


@checked_call
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution along one axis; see `conv2d`.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, length) or (channels, length)
    weight : Tensor of shape (outputs, channels / groups, window)
    bias : Tensor of shape (outputs,), optional
    stride, padding, dilation, groups
        As in `conv2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.conv1d(tg.tensor([[1.0, 2.0, 4.0, 8.0]]), tg.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2., 4.]], dtype=float64)
    """
    return convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@checked_call
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution over images, which is correlation: the window is not mirrored.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, height, width) or (channels, height, width)
    weight : Tensor of shape (outputs, channels / groups, window height, window width)
    bias : Tensor of shape (outputs,), optional
    stride, padding, dilation : int or pair of int
        `padding` may be 'valid' (none) or 'same' (the size stays, with a stride of 1).
    groups : int
        In how many groups the channels are, each with outputs of its own.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.conv2d(tg.ones(1, 1, 3, 3), tg.ones(1, 1, 3, 3), padding="same")
    tensor([[[[4., 6., 4.],
              [6., 9., 6.],
              [4., 6., 4.]]]], dtype=float64)
    """
    return convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def convolve_transposed(
    name, axes, input, weight, bias, stride, padding, output_padding, groups, dilation
):
    """Answer the transposed convolutions over one axis and over two."""
    x, restored = images(name, input, axes)
    groups = whole(name, "groups", groups, 1)
    weight, bias = weights(name, weight, bias, axes, lambda shape: shape[1] * groups)
    layout = window_layout(name, stride, padding, dilation, axes)
    extra = whole_numbers(name, "output_padding", output_padding, axes)
    extra = (0, *extra) if axes == 1 else extra
    if weight.shape[0] != x.shape[1] or weight.shape[0] % groups:
        raise ShapeError(
            f"{name}: input has {x.shape[1]} channels, and weight takes {weight.shape[0]}, in {groups} "
            "groups of one size"
        )
    size = []
    for length, elements, step, (before, after), apart, more in zip(
        x.shape[2:], weight.shape[2:], *layout, extra
    ):
        if more and more >= max(step, apart):
            raise RangeError(f"{name}: output_padding {more} is not less than stride or dilation")
        size.append((length - 1) * step - before - after + apart * (elements - 1) + 1 + more)
    if min(size) < 1 or min(x.shape[2:]) < 1:
        raise ShapeError(f"{name}: input of shape {x.shape} gives images of {tuple(size)}")
    # What output_padding adds is seen by no window: it counts as padding that is taken away again.
    stride, padding, dilation = layout
    padding = tuple((before, after - more) for (before, after), more in zip(padding, extra))
    y = convolution_adjoint(x, weight, tuple(size), (stride, padding, dilation), groups)
    return restored(y if bias is None else y + bias)


@checked_call
def conv_transpose1d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """Transposed convolution along one axis; see `conv_transpose2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.conv_transpose1d(tg.tensor([[1.0, 2.0]]), tg.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[ 1., 10.,  2., 20.]], dtype=float64)
    """
    return convolve_transposed(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@checked_call
def conv_transpose2d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The adjoint of `conv2d` in its input, as a function of its own: every element stamps a window.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, height, width) or (channels, height, width)
    weight : Tensor of shape (channels, outputs / groups, window height, window width)
    bias : Tensor of shape (outputs,), optional
    stride, padding, output_padding, dilation : int or pair of int
        `output_padding` makes the result larger at its end, where several sizes could be meant.
    groups : int

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.conv_transpose2d(tg.tensor([[[[1.0, 2.0]]]]), tg.ones(1, 1, 1, 2))
    tensor([[[[1., 3., 2.]]]], dtype=float64)
    """
    return convolve_transposed(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@checked_call
def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """What a sliding window sees, as columns: (batch, channels * window, places).

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.unfold(tg.arange(6.0).reshape(1, 1, 2, 3), (2, 2))
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]], dtype=float64)
    """
    x, _ = images("unfold", input, 2)
    window = whole_numbers("unfold", "kernel_size", kernel_size, 2, 1)
    layout = window_layout("unfold", stride, padding, dilation, 2)
    check_reach("unfold", x.shape[2:], window, *layout[1:])
    columns = images_to_columns(x, window, layout)
    return columns if len(input.shape) == 4 else reshape(columns, *columns.shape[1:])


@checked_call
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns of windows added up to images: the adjoint of `unfold`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.fold(tg.ones(1, 4, 2), (2, 3), (2, 2))
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]], dtype=float64)
    """
    x = with_axes("fold", "input", input, 2, 3)
    window = whole_numbers("fold", "kernel_size", kernel_size, 2, 1)
    layout = window_layout("fold", stride, padding, dilation, 2)
    size = whole_numbers("fold", "output_size", output_size, 2, 1)
    check_reach("fold", size, window, *layout[1:])
    columns = x if x.ndim == 3 else reshape(x, 1, *x.shape)
    result = columns_to_images(columns, size, window, layout)
    return result if x.ndim == 3 else reshape(result, *result.shape[1:])
