"""Softmax, and losses made of it."""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_relu.kernels.distance import SquaredDistance
from tinygrad_relu.kernels.softmax import ClassLosses, LessClass, LogSoftmax, Softmax
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.domain import Draw, case, real
from tinygrad_relu.ops.exponential import exp, square
from tinygrad_relu.ops.indexing import take_along_axis
from tinygrad_relu.ops.reductions import mean, sum
from tinygrad_relu.ops.shapes import permute, reshape, squeeze, unsqueeze
from tinygrad_relu.ops.table import ZERO, op

AXES = [case(real(2, 3), axis=-1), case(real(2, 3, 2), axis=1), case(real(3), axis=0)]


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


@op(
    SquaredDistance(),
    domain=[case(real(2, 3), real(2, 3)), case(real(), real())],
    a=lambda g, a, b: (g * 2) * (a - b),
    b=lambda g, a, b: (g * 2) * (b - a),
)
def squared_distance(a, b, /):
    """``sum((a - b) ** 2)`` over two tensors of one shape, in one pass."""


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


def reduced(name, losses, reduction):
    """Return the mean or the sum of `losses`, or `losses` themselves."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ArgumentError(f"{name}: reduction is {reduction!r}: it is 'mean', 'sum' or 'none'")


@checked_call
def mse_loss(input, target, reduction="mean"):
    """Squared difference, averaged, summed or elementwise.

    Parameters
    ----------
    input, target : Tensor
        Of one shape: broadcasting a loss is a mistake more often than not, so it raises.
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.mse_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(2., dtype=float64)
    """
    if input.shape != np.shape(target):
        raise ShapeError(
            f"mse_loss: input has shape {input.shape}, target has shape {np.shape(target)}: reshape "
            "one to the other"
        )
    if reduction == "mean":
        return squared_distance(input, target) / input.numel()
    if reduction == "sum":
        return squared_distance(input, target)
    return reduced("mse_loss", square(input - target), reduction)


@checked_call
def cross_entropy(input, target, reduction="mean"):
    """Negative log-likelihood of the right classes under a softmax over the scores.

    Parameters
    ----------
    input : Tensor
        Scores (logits) of shape (rows, classes, ...), or (classes,).
    target : Tensor or ndarray
        Either the numbers of the right classes, integers of the shape of `input` less its class
        axis; or probabilities, of the shape of `input`.
    reduction : {'mean', 'sum', 'none'}

    Returns
    -------
    Tensor
        'mean' divides by the number of predictions, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cross_entropy(tg.tensor([[0.0, 0.0], [9.0, 9.0]]), tg.tensor([0, 1]))
    tensor(0.69314718, dtype=float64)
    """
    if input.ndim == 0:
        raise ShapeError("cross_entropy: input has no axis of classes")
    target = target if isinstance(target, Tensor) else Tensor(target)
    if target.dtype.kind != "f":
        return reduced("cross_entropy", losses_of_classes(input, target), reduction)
    if target.shape != input.shape:
        raise ShapeError(
            f"cross_entropy: target probabilities have shape {target.shape}, and input has shape "
            f"{input.shape}: give them one shape, or pass integer classes"
        )
    axis = min(1, input.ndim - 1)
    terms = target * log_softmax(input, axis)
    if not target.requires_grad:
        # A probability of 0 counts for nothing, also against a score of -inf.
        terms = where(target == 0, 0.0, terms)
    return reduced("cross_entropy", -sum(terms, axis), reduction)


def losses_of_classes(input, target):
    """Return the losses for right classes that are given by their numbers."""
    if target.dtype.kind not in "iu":
        raise DTypeError(f"cross_entropy: target is {target.dtype}: pass integers or probabilities")
    axis = min(1, input.ndim - 1)
    if target.shape != input.shape[:axis] + input.shape[axis + 1 :]:
        raise ShapeError(
            f"cross_entropy: target has shape {target.shape}, and input of shape {input.shape} asks "
            f"for {input.shape[:axis] + input.shape[axis + 1 :]}"
        )
    if input.ndim > 2:
        input = permute(input, 0, *range(2, input.ndim), 1)
    rows = reshape(input, target.size, input.shape[-1])
    return reshape(class_losses(rows, reshape(target, target.size)), *target.shape)
