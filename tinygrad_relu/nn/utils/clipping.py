"""Limits for gradients: of all together, or of each element."""

import math
import numbers
from collections.abc import Iterable

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, RangeError
from tinygrad_relu.grad_mode import no_grad


def tensors_of(name, tensors):
    """Return one tensor, or an iterable of them, as a list, or raise."""
    if isinstance(tensors, Tensor):
        return [tensors]
    if not isinstance(tensors, Iterable):
        raise ArgumentError(f"{name}: a {type(tensors).__name__} was given: pass model.parameters()")
    tensors = list(tensors)
    for k, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise ArgumentError(f"{name}: item {k} is a {type(tensor).__name__}: pass tensors")
    return tensors


def gradients_of(name, parameters):
    """Return the gradients that there are of parameters."""
    return [p.grad for p in tensors_of(name, parameters) if p.grad is not None]


def limit(name, word, value):
    """Return a limit, which is a number that is not negative, or raise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ArgumentError(f"{name}: {word} is {value!r}: it is a number")
    if not value >= 0:
        raise RangeError(f"{name}: {word} is {value!r}: it is not negative")
    return float(value)


@checked_call
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False):
    """Return the norm of all elements of several tensors, as if they were one vector.

    Parameters
    ----------
    tensors : Tensor or iterable of Tensor
    norm_type : float
        The order, positive; ``inf`` for the largest absolute value.
    error_if_nonfinite : bool
        Whether a norm that is infinite or NaN raises.

    Returns
    -------
    Tensor of no axes

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.utils.get_total_norm([tg.tensor([3.0]), tg.tensor([[4.0]])])
    tensor(5., dtype=float64)
    """
    name = "get_total_norm"
    order = limit(name, "norm_type", norm_type)
    if order == 0:
        raise RangeError(f"{name}: norm_type is {norm_type!r}: it is positive")
    arrays = [tensor.detach().numpy() for tensor in tensors_of(name, tensors)]
    dtype = np.result_type(*arrays) if arrays else np.float64
    with np.errstate(all="ignore"):
        total = norm_of([np.abs(array.astype(np.float64)) for array in arrays if array.size], order)
        result = np.asarray(total, dtype)
    if error_if_nonfinite and not math.isfinite(total):
        raise RangeError(f"{name}: the norm is {total}: an element is infinite or NaN, or too large")
    return Tensor(result)


def norm_of(sizes, order):
    """Return the norm of an order of arrays of absolute values."""
    largest = max((np.max(size) for size in sizes), key=lambda m: (math.isnan(m), m), default=0.0)
    if order == math.inf or not 0 < largest < math.inf:
        return largest
    # Over the largest, no power overflows, and not all of them vanish.
    return largest * sum(float(np.sum((size / largest) ** order)) for size in sizes) ** (1 / order)


@checked_call
def clip_grads_with_norm_(parameters, max_norm, total_norm):
    """Multiply the gradients of parameters by ``max_norm / total_norm``, in place, if that is below 1."""
    name = "clip_grads_with_norm_"
    gradients = gradients_of(name, parameters)
    total = total_norm.item() if isinstance(total_norm, Tensor) else total_norm
    # PyTorch's form: what is a little too small is never divided by 0.
    factor = limit(name, "max_norm", max_norm) / (total + 1e-6)
    if not factor >= 1:
        with no_grad():
            for gradient in gradients:
                gradient *= factor


@checked_call
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Make the gradients of parameters smaller, in place, so that their norm is at most `max_norm`.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient count for nothing.
    max_norm : float
    norm_type : float
        The order, positive; ``inf`` for the largest absolute value.
    error_if_nonfinite : bool
        Whether a norm that is infinite or NaN raises, and changes nothing.

    Returns
    -------
    Tensor of no axes
        The norm as it was.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([0.0, 0.0], requires_grad=True)
    >>> (w * tg.tensor([30.0, 40.0])).sum().backward()
    >>> tg.nn.utils.clip_grad_norm_([w], 1.0)
    tensor(50., dtype=float64)
    >>> w.grad
    tensor([0.59999999, 0.79999998], dtype=float64)
    """
    parameters = tensors_of("clip_grad_norm_", parameters)
    limit("clip_grad_norm_", "max_norm", max_norm)
    gradients = gradients_of("clip_grad_norm_", parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


@checked_call
def clip_grad_value_(parameters, clip_value):
    """Limit each element of the gradients of parameters to ``[-clip_value, clip_value]``, in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([0.0, 0.0], requires_grad=True)
    >>> (w * tg.tensor([30.0, 0.5])).sum().backward()
    >>> tg.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([1. , 0.5], dtype=float64)
    """
    name = "clip_grad_value_"
    most = limit(name, "clip_value", clip_value)
    with no_grad():
        for gradient in gradients_of(name, parameters):
            gradient.clamp_(-most, most)
