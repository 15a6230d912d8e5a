"""Softmax, its logarithm, and the losses of classes under it, each in one pass."""

from tinygrad_relu.kernels.rows import SoftmaxCotangent
from tinygrad_relu.kernels.softmax import ClassLosses, LessClass, LogSoftmax, Softmax
from tinygrad_relu.ops.domain import Draw, case, real
from tinygrad_relu.ops.exponential import exp
from tinygrad_relu.ops.indexing import take_along_axis
from tinygrad_relu.ops.reductions import in_dtype, sum
from tinygrad_relu.ops.shapes import squeeze, unsqueeze
from tinygrad_relu.ops.table import ZERO, fused, op

AXES = [case(real(2, 3), axis=-1), case(real(2, 3, 2), axis=1), case(real(3), axis=0)]


@fused(SoftmaxCotangent())
def softmax_cotangent(g, y, axis):
    """Return the cotangent of `x` for the cotangent `g` of ``y = softmax(x)``."""
    return y * (g - sum(g * y, axis, True))


@op(
    Softmax(),
    domain=AXES,
    x=lambda g, y, axis: softmax_cotangent(g, y, axis),
)
def softmax(x, /, axis):
    """``exp(x) / sum(exp(x))`` along `axis`, without overflow.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.softmax(tg.tensor([0.0, 0.0]), axis=0)
    tensor([0.5, 0.5], dtype=float64)
    """


@softmax.widened
def softmax_in_dtype(x, axis, *, dtype=None):
    """`softmax` of `x` cast to `dtype`: PyTorch's keyword."""
    return in_dtype(softmax, x, dtype, axis)


@op(
    LogSoftmax(),
    domain=AXES,
    x=lambda g, y, axis: g - exp(y) * sum(g, axis, True),
)
def log_softmax(x, /, axis):
    """``log(softmax(x))`` along `axis`, accurate where the softmax is near 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.log_softmax(tg.tensor([0.0, 1000.0]), axis=0)
    tensor([-1000.,     0.], dtype=float64)
    """


@log_softmax.widened
def log_softmax_in_dtype(x, axis, *, dtype=None):
    """`log_softmax` of `x` cast to `dtype`: PyTorch's keyword."""
    return in_dtype(log_softmax, x, dtype, axis)


classes_of_three = Draw(lambda rng, shape: rng.integers(0, 3, shape))


@op(
    ClassLosses(),
    domain=[case(real(4, 3), classes_of_three(4)), case(real(1, 3), classes_of_three(1))],
    x=lambda g, x, target: less_class(x, target, g),
    target=ZERO,
)
def class_losses(x, target, /):
    """``-log_softmax(x)`` at the class of each row, in one pass; `x` is (rows, classes)."""


@op(
    LessClass(),
    domain=[case(real(4, 3), classes_of_three(4), real(4))],
    x=lambda g, x, scale: softmax_cotangent(unsqueeze(scale, -1) * g, softmax(x, -1), -1),
    target=ZERO,
    scale=lambda g, x, target: sum(g * softmax(x, -1), -1) - squeeze(
        take_along_axis(g, unsqueeze(target, -1), -1), -1
    ),
)
def less_class(x, target, scale, /):
    """``(softmax(x) - one_hot(target)) * scale`` by rows, in one pass: what `class_losses` is made of."""
