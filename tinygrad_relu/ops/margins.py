"""Losses with a margin: what should be larger, or nearer, has to be so by a margin to cost nothing."""

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import RangeError, ShapeError
from tinygrad_relu.ops.arithmetic import clamp_min, minimum, where
from tinygrad_relu.ops.exponential import square
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.losses import class_count, class_numbers, class_weights, reduced, rows_of_classes
from tinygrad_relu.ops.norms import cosine_similarity, pairwise_distance
from tinygrad_relu.ops.operands import real_tensor, same_shape, tensor_from, with_axes
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import cast, reshape


def signs(name, target, shape):
    """Return a target of ones and minus ones that broadcasts to `shape`."""
    target = tensor_from(name, "target", target)
    try:
        fits = np.broadcast_shapes(target.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{name}: target has shape {target.shape}, and the losses have shape {shape}")
    return target


@checked_call
def hinge_embedding_loss(input, target, margin=1.0, reduction="mean"):
    """`input` where `target` is 1, and ``max(margin - input, 0)`` where it is -1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.hinge_embedding_loss(tg.tensor([0.5, 0.25]), tg.tensor([1, -1]), reduction="none")
    tensor([0.5 , 0.75], dtype=float64)
    """
    name = "hinge_embedding_loss"
    input = real_tensor(name, "input", input)
    target = signs(name, target, input.shape)
    # As in PyTorch, what is neither 1 nor -1 counts as both.
    apart = where(target != 1, clamp_min(margin - input, 0.0), 0.0)
    return reduced(name, apart + where(target != -1, input, 0.0), reduction)


@checked_call
def margin_ranking_loss(input1, input2, target, margin=0.0, reduction="mean"):
    """``max(margin - target * (input1 - input2), 0)``: `target` is 1 where `input1` should be larger.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.margin_ranking_loss(tg.tensor([1.0]), tg.tensor([3.0]), tg.tensor([1]), margin=0.5)
    tensor(2.5, dtype=float64)
    """
    name = "margin_ranking_loss"
    input1, input2 = same_shape(name, input1=input1, input2=input2)
    target = cast(signs(name, target, input1.shape), input1.dtype)
    return reduced(name, clamp_min(-target * (input1 - input2) + margin, 0.0), reduction)


@checked_call
def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction="mean"):
    """``1 - cosine`` where `target` is 1, and ``max(cosine - margin, 0)`` where it is -1.

    Parameters
    ----------
    input1, input2 : Tensor of shape (rows, width) or (width,)
    target : Tensor of shape (rows,) or ()
    margin : float
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([[1.0, 0.0]])
    >>> tg.nn.functional.cosine_embedding_loss(x, tg.tensor([[0.0, 2.0]]), tg.tensor([1]))
    tensor(1., dtype=float64)
    """
    name = "cosine_embedding_loss"
    input1, input2 = same_shape(name, input1=input1, input2=input2)
    input1 = with_axes(name, "input1", input1, 1, 2)
    cosine = cosine_similarity(input1, input2, -1)
    target = signs(name, target, cosine.shape)
    apart = where(target == -1, clamp_min(cosine - margin, 0.0), 0.0)
    return reduced(name, where(target == 1, 1 - cosine, apart), reduction)


@checked_call
def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean"
):
    """``max(distance(anchor, positive) - distance(anchor, negative) + margin, 0)``.

    Parameters
    ----------
    anchor, positive, negative : Tensor of shape (..., width)
        Of one shape.
    margin : float
        How much nearer the positive has to be, at least 0.
    p, eps : float
        Those of `pairwise_distance`.
    swap : bool
        Whether the distance of the positive from the negative counts where it is the smaller one
        (Balntas et al., "Learning local feature descriptors with triplets", 2016).
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> a, near, far = tg.tensor([[0.0, 0.0]]), tg.tensor([[0.0, 1.0]]), tg.tensor([[1.5, 0.0]])
    >>> tg.nn.functional.triplet_margin_loss(a, near, far, eps=0.0)
    tensor(0.5, dtype=float64)
    """
    name = "triplet_margin_loss"
    anchor, positive, negative = same_shape(
        name, anchor=anchor, positive=positive, negative=negative
    )
    if not margin >= 0:
        raise RangeError(f"{name}: margin is {margin}: it is not negative")
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced(name, clamp_min(near - far + margin, 0.0), reduction)


@checked_call
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, reduction="mean"):
    """Mean over all classes, and 0 for the right one, of ``max(margin - right + score, 0) ** p``.

    Parameters
    ----------
    input : Tensor of shape (rows, classes) or (classes,)
        Scores.
    target : Tensor of shape (rows,) or ()
        The numbers of the right classes.
    p : {1, 2}
    margin : float
    weight : Tensor of shape (classes,), optional
        How much each right class counts.  The mean is over the rows, whatever they weigh.
    reduction : {'mean', 'sum', 'none'}

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.multi_margin_loss(tg.tensor([[0.5, 1.0, -3.0]]), tg.tensor([0]))
    tensor(0.5, dtype=float64)
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise RangeError(f"{name}: p is {p!r}: it is 1 or 2")
    input, target = with_axes(name, "input", input, 1, 2), tensor_from(name, "target", target)
    count = class_count(name, input, target)
    classes = class_numbers(name, target, count, None).numbers
    rows = rows_of_classes(input)
    right = np.arange(count) == classes[:, None]
    excess = clamp_min(margin - sum(where(right, rows, 0.0), 1, True) + rows, 0.0)
    weights = class_weights(name, weight, count)
    losses = where(right, 0.0, excess if p == 1 else square(excess))
    if weights is not None:
        losses = losses * reshape(index(weights, (classes.copy(),)), -1, 1)
    return reduced(name, reshape(sum(losses, 1) / count, *target.shape), reduction)
