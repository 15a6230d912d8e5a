"""Losses: how far off predictions are, in one number or element by element.

Two tensors of different shapes raise, unless a docstring says otherwise: broadcasting a loss is a mistake
more often than not.
"""

import math

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, DTypeError, IndexingError, RangeError, ShapeError
from tinygrad_relu.kernels.distance import SquaredDistance
from tinygrad_relu.ops.arithmetic import absolute, clamp_min, where
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.exponential import exp, log, log1p, square
from tinygrad_relu.ops.indexing import index, take_along_axis
from tinygrad_relu.ops.neural import class_losses, log_softmax
from tinygrad_relu.ops.operands import real_tensor, same_shape, tensor_from, with_axes
from tinygrad_relu.ops.reductions import mean, sum
from tinygrad_relu.ops.shapes import permute, reshape, unsqueeze
from tinygrad_relu.ops.table import op


def twice(g, a, mean):
    """Return the factor of the difference in the cotangent of `squared_distance`."""
    return g * (2 / max(a.numel(), 1) if mean else 2)


@op(
    SquaredDistance(),
    domain=[case(real(2, 3), real(2, 3)), case(real(), real()), case(real(3), real(3), mean=True)],
    a=lambda g, a, b, mean: twice(g, a, mean) * (a - b),
    b=lambda g, a, b, mean: twice(g, a, mean) * (b - a),
)
def squared_distance(a, b, /, mean=False):
    """``sum((a - b) ** 2)`` over two tensors of one shape, or their mean, in one pass."""


def reduced(name, losses, reduction):
    """Return the mean or the sum of `losses`, or `losses` themselves."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ArgumentError(f"{name}: reduction is {reduction!r}: it is 'mean', 'sum' or 'none'")


# ------------------------------------------------------------------------------------------ distances

@checked_call
def mse_loss(input, target, reduction="mean"):
    """Squared difference, averaged, summed or elementwise.

    Parameters
    ----------
    input, target : Tensor
        Of one shape.
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.mse_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(2., dtype=float64)
    """
    if reduction == "mean":
        return squared_distance(input, target, True)
    if reduction == "sum":
        return squared_distance(input, target, False)
    input, target = same_shape("mse_loss", input=input, target=target)
    return reduced("mse_loss", square(input - target), reduction)


@checked_call
def l1_loss(input, target, reduction="mean"):
    """Absolute difference; its derivative at 0 is 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.l1_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(1., dtype=float64)
    """
    input, target = same_shape("l1_loss", input=input, target=target)
    return reduced("l1_loss", absolute(input - target), reduction)


@checked_call
def huber_loss(input, target, reduction="mean", delta=1.0):
    """Half of the squared difference up to `delta`, and beyond that linear with the slope `delta`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.huber_loss(tg.tensor([0.5, 3.0]), tg.tensor([0.0, 0.0]), reduction="none")
    tensor([0.125, 2.5  ], dtype=float64)
    """
    input, target = same_shape("huber_loss", input=input, target=target)
    if not isinstance(delta, (int, float, np.number)) or not delta > 0:
        raise RangeError(f"huber_loss: delta is {delta!r}: it is a positive number")
    away = absolute(input - target)
    losses = where(away <= delta, square(input - target) / 2, delta * (away - delta / 2))
    return reduced("huber_loss", losses, reduction)


@checked_call
def smooth_l1_loss(input, target, reduction="mean", beta=1.0):
    """`huber_loss` divided by `beta`, its delta; `l1_loss` for 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.smooth_l1_loss(tg.tensor([1.0, 3.0]), tg.tensor([0.0, 0.0]), "none", beta=2.0)
    tensor([0.25, 2.  ], dtype=float64)
    """
    input, target = same_shape("smooth_l1_loss", input=input, target=target)
    if not isinstance(beta, (int, float, np.number)) or not beta >= 0:
        raise RangeError(f"smooth_l1_loss: beta is {beta!r}: it is a number, not negative")
    away = absolute(input - target)
    if beta == 0:
        return reduced("smooth_l1_loss", away, reduction)
    losses = where(away < beta, square(input - target) / (2 * beta), away - beta / 2)
    return reduced("smooth_l1_loss", losses, reduction)


# -------------------------------------------------------------------------------------------- classes

@checked_call
def cross_entropy(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """Negative log-likelihood of the right classes under a softmax over the scores.

    Parameters
    ----------
    input : Tensor
        Scores (logits) of shape (rows, classes, ...), or (classes,).
    target : Tensor or ndarray
        Either the numbers of the right classes, integers of the shape of `input` less its class
        axis; or probabilities, of the shape of `input`.
    weight : Tensor of shape (classes,), optional
        How much each class counts.
    ignore_index : int
        A number that is no class: such predictions count for nothing.
    reduction : {'mean', 'sum', 'none'}
    label_smoothing : float
        Which share of each target is spread over all classes evenly.

    Returns
    -------
    Tensor
        'mean' divides by the number of predictions or, for the numbers of classes, by the sum of the
        weights of the right classes that are not ignored, as in PyTorch: NaN, if all are.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cross_entropy(tg.tensor([[0.0, 0.0], [9.0, 9.0]]), tg.tensor([0, 1]))
    tensor(0.69314718, dtype=float64)
    """
    name = "cross_entropy"
    input, target = real_tensor(name, "input", input), tensor_from(name, "target", target)
    if input.ndim == 0:
        raise ShapeError("cross_entropy: input has no axis of classes")
    if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing <= 1:
        raise RangeError(f"{name}: label_smoothing is {label_smoothing!r}: it lies between 0 and 1")
    if target.dtype.kind == "f":
        return probability_losses(input, target, weight, reduction, label_smoothing)
    count = class_count(name, input, target)
    rows = rows_of_classes(input)
    if weight is None and label_smoothing == 0 and not 0 <= ignore_index < count:
        try:
            losses = class_losses(rows, target if target.ndim == 1 else reshape(target, target.size))
        except IndexingError:
            pass                # some are ignored, or there is no such class
        else:
            losses = reshape(losses, *target.shape) if reduction == "none" else losses
            return reduced(name, losses, reduction)
    classes = class_numbers(name, target, count, ignore_index)
    logs = log_softmax(rows, -1)
    losses = -picked(logs, classes.numbers)
    weights = class_weights(name, weight, rows.shape[-1])
    chosen = None
    if weights is not None:
        chosen = index(weights, (classes.numbers.copy(),))
        losses = losses * chosen
    if label_smoothing:
        spread = -sum(logs if weights is None else logs * weights, -1) / rows.shape[-1]
        losses = (1 - label_smoothing) * losses + label_smoothing * spread
    return averaged(name, losses, chosen, classes, reduction)


def probability_losses(input, target, weight, reduction, label_smoothing):
    """Answer `cross_entropy` for targets that are probabilities."""
    name = "cross_entropy"
    if target.shape != input.shape:
        raise ShapeError(
            f"cross_entropy: target probabilities have shape {target.shape}, and input has shape "
            f"{input.shape}: give them one shape, or pass integer classes"
        )
    axis = min(1, input.ndim - 1)
    count = input.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / count
    terms = target * log_softmax(input, axis)
    if not target.requires_grad:
        # A probability of 0 counts for nothing, also against a score of -inf.
        terms = where(target == 0, 0.0, terms)
    weights = class_weights(name, weight, count)
    if weights is not None:
        terms = terms * reshape(weights, count, *[1] * (input.ndim - axis - 1))
    return reduced(name, -sum(terms, axis), reduction)


class ClassNumbers:
    """Right classes as a flat array, which of them count (None for all), and their shape."""

    def __init__(self, numbers, counts, shape):
        self.numbers, self.counts, self.shape = numbers, counts, shape


def class_count(name, input, target):
    """Return how many classes there are, or raise where the numbers of right ones do not fit scores."""
    if target.dtype.kind not in "iu":
        raise DTypeError(f"{name}: target is {target.dtype}: pass integers or probabilities")
    axis = min(1, input.ndim - 1)
    wanted = input.shape[:axis] + input.shape[axis + 1 :]
    if target.shape != wanted:
        raise ShapeError(
            f"{name}: target has shape {target.shape}, and input of shape {input.shape} asks for {wanted}"
        )
    return input.shape[axis]


def class_numbers(name, target, count, ignore_index):
    """Return the right classes, with 0 for those that are ignored."""
    numbers = target.detach().numpy().reshape(-1)
    ignored = numbers == ignore_index
    counts = None
    if ignored.any():
        numbers, counts = np.where(ignored, 0, numbers), ~ignored
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < count:
        raise IndexingError(
            f"{name}: target has classes from {numbers.min()} to {numbers.max()}, and input has {count}"
        )
    return ClassNumbers(numbers, counts, target.shape)


def rows_of_classes(input):
    """Return scores as a matrix, with a row for each prediction."""
    if input.ndim == 2:
        return input
    if input.ndim > 2:
        input = permute(input, 0, *range(2, input.ndim), 1)
    return reshape(input, math.prod(input.shape[:-1]), input.shape[-1])


def class_weights(name, weight, count):
    """Return one weight for each class, or None."""
    if weight is None:
        return None
    weight = with_axes(name, "weight", weight, 1, 1)
    if weight.size != count:
        raise ShapeError(f"{name}: weight has shape {weight.shape}, and there are {count} classes")
    return weight


def picked(rows, numbers):
    """Return the element of each row that a class has."""
    return reshape(take_along_axis(rows, numbers[:, None].astype(np.intp), -1), len(numbers))


def averaged(name, losses, weights, classes, reduction):
    """Return losses without those that are ignored, reduced; the mean is over the weights."""
    if classes.counts is not None:
        losses = where(classes.counts, losses, 0.0)
    if reduction == "none":
        return reshape(losses, *classes.shape)
    if reduction != "mean" or (weights is None and classes.counts is None):
        return reduced(name, losses, reduction)
    if weights is None:
        return sum(losses) / float(classes.counts.sum())
    return sum(losses) / sum(weights if classes.counts is None else where(classes.counts, weights, 0.0))


@checked_call
def nll_loss(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """Minus the element of the right class; `cross_entropy` of scores that are logarithms already.

    Parameters
    ----------
    input : Tensor
        Logarithms of probabilities, of shape (rows, classes, ...), or (classes,).
    target, weight, ignore_index, reduction
        As in `cross_entropy`, with the numbers of classes.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nll_loss(tg.tensor([[-0.5, -1.0], [-0.25, -3.0]]), tg.tensor([0, 1]))
    tensor(1.75, dtype=float64)
    """
    name = "nll_loss"
    input, target = with_axes(name, "input", input, 1), tensor_from(name, "target", target)
    classes = class_numbers(name, target, class_count(name, input, target), ignore_index)
    rows = rows_of_classes(input)
    losses = -picked(rows, classes.numbers)
    weights = class_weights(name, weight, rows.shape[-1])
    if weights is not None:
        weights = index(weights, (classes.numbers.copy(),))
        losses = losses * weights
    return averaged(name, losses, weights, classes, reduction)


# -------------------------------------------------------------------------------------- probabilities

def weighted(name, losses, weight):
    """Return losses times weights that broadcast to them."""
    if weight is None:
        return losses
    weight = real_tensor(name, "weight", weight)
    check_broadcast(name, "weight", weight, losses)
    return losses * weight


def check_broadcast(name, word, value, losses):
    """Raise where a factor would make losses larger."""
    try:
        if np.broadcast_shapes(value.shape, losses.shape) == losses.shape:
            return
    except ValueError:
        pass
    raise ShapeError(f"{name}: {word} of shape {value.shape} does not broadcast to {losses.shape}")


@checked_call
def binary_cross_entropy(input, target, weight=None, reduction="mean"):
    """``-(target * log(input) + (1 - target) * log(1 - input))`` for probabilities.

    Logarithms count as -100 at least, and the derivative is finite at 0 and 1, both as in PyTorch.

    Parameters
    ----------
    input, target : Tensor
        Of one shape; `input` lies between 0 and 1, or it raises.
    weight : Tensor, optional
        Broadcastable to `input`.
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.binary_cross_entropy(tg.tensor([0.5, 0.0]), tg.tensor([1.0, 1.0]), reduction="none")
    tensor([  0.69314718, 100.        ], dtype=float64)
    """
    name = "binary_cross_entropy"
    input, target = same_shape(name, input=input, target=target)
    values = input.detach().numpy()
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise RangeError(f"{name}: input goes from {values.min()} to {values.max()}: it lies in [0, 1]")
    losses = -(target * logarithm(input) + (1 - target) * logarithm(1 - input))
    return reduced(name, weighted(name, losses, weight), reduction)


def logarithm(x):
    """Return the logarithm of `x`, but at least -100; the derivative is ``1 / max(x, 1e-12)``.

    So it is in PyTorch, whose `binary_cross_entropy` has besides the derivative 0 where input and target
    are both 0 or both 1; here it is 1 and -1 there, which is the truth.
    """
    small = x < 1e-12
    value = clamp_min(log(where(small, x.detach(), x)), -100.0)
    return where(small, value.detach() + (x - x.detach()) * 1e12, value)


@checked_call
def binary_cross_entropy_with_logits(
    input, target, weight=None, reduction="mean", pos_weight=None
):
    """`binary_cross_entropy` of ``sigmoid(input)``, without overflow.

    Parameters
    ----------
    input, target : Tensor
        Of one shape; `input` are scores (logits).
    weight : Tensor, optional
        Broadcastable to `input`.
    reduction : {'mean', 'sum', 'none'}
    pos_weight : Tensor, optional
        Broadcastable to `input`: how much more a target of 1 counts than one of 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.binary_cross_entropy_with_logits(tg.tensor([0.0, 800.0]), tg.tensor([1.0, 1.0]))
    tensor(0.34657359, dtype=float64)
    """
    name = "binary_cross_entropy_with_logits"
    input, target = same_shape(name, input=input, target=target)
    # log(1 + exp(-x)), by whichever exponential is small: each side is smooth by itself, also at 0.
    positive = input > 0
    softplus = where(positive, 0.0, -input) + log1p(exp(where(positive, -input, input)))
    factor = 1
    if pos_weight is not None:
        pos_weight = real_tensor(name, "pos_weight", pos_weight)
        check_broadcast(name, "pos_weight", pos_weight, input)
        factor = 1 + (pos_weight - 1) * target
    losses = (1 - target) * input + factor * softplus
    return reduced(name, weighted(name, losses, weight), reduction)


@checked_call
def kl_div(input, target, reduction="mean", log_target=False):
    """``target * (log(target) - input)``: Kullback and Leibler's divergence, of logarithms `input`.

    Parameters
    ----------
    input, target : Tensor
        Of one shape; a target of 0 counts for nothing.
    reduction : {'mean', 'batchmean', 'sum', 'none'}
        'batchmean' divides the sum by the first length, and is what mathematics means.
    log_target : bool
        Whether `target` are logarithms, too.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.kl_div(tg.tensor([[-1.0, -1.0]]), tg.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(1., dtype=float64)
    """
    input, target = same_shape("kl_div", input=input, target=target)
    if log_target:
        losses = exp(target) * (target - input)
    else:
        zero = target == 0
        some = where(zero, 1.0, target)
        losses = some * log(some) - target * input
        if not target.requires_grad:
            losses = where(zero, 0.0, losses)
    if reduction == "batchmean":
        if input.ndim == 0:
            raise ShapeError("kl_div: input has no axis for the mean over a batch")
        return sum(losses) / input.shape[0]
    return reduced("kl_div", losses, reduction)


@checked_call
def poisson_nll_loss(input, target, log_input=True, full=False, eps=1e-8, reduction="mean"):
    """Negative log-likelihood of counts under Poisson's distribution.

    Parameters
    ----------
    input, target : Tensor
        Of one shape.
    log_input : bool
        Whether `input` is the logarithm of the rate.
    full : bool
        Whether Stirling's approximation of ``log(target!)`` is added for targets above 1.
    eps : float
        Added to a rate before its logarithm is taken.
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.poisson_nll_loss(tg.tensor([0.0]), tg.tensor([2.0]))
    tensor(1., dtype=float64)
    """
    input, target = same_shape("poisson_nll_loss", input=input, target=target)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        some = where(target > 1, target, 1.0)
        stirling = some * log(some) - some + 0.5 * log(2 * math.pi * some)
        losses = losses + where(target > 1, stirling, 0.0)
    return reduced("poisson_nll_loss", losses, reduction)


@checked_call
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """Negative log-likelihood under normal distributions with the means `input`.

    Parameters
    ----------
    input, target : Tensor
        Of one shape.
    var : Tensor
        Variances, broadcastable to `input`, not negative; they count as `eps` at least, which the
        derivative does not see, as in PyTorch.
    full : bool
        Whether the constant ``log(2 * pi) / 2`` is added.
    eps : float
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> one = tg.tensor([1.0])
    >>> tg.nn.functional.gaussian_nll_loss(one, tg.tensor([3.0]), one)
    tensor(2., dtype=float64)
    """
    name = "gaussian_nll_loss"
    input, target = same_shape(name, input=input, target=target)
    var = real_tensor(name, "var", var)
    if var.ndim == input.ndim - 1 and var.shape == input.shape[:-1]:
        var = unsqueeze(var, -1)
    check_broadcast(name, "var", var, input)
    values = var.detach().numpy()
    if (values < 0).any():
        raise RangeError(f"{name}: var has negative elements")
    var = var + np.maximum(eps - values, 0).astype(values.dtype)
    losses = (log(var) + square(input - target) / var) / 2
    return reduced(name, losses + math.log(2 * math.pi) / 2 if full else losses, reduction)
