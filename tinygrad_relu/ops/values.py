"""Functions of values alone, which have no derivative and so no place in the table.

What they return is outside of the graph.  Where that would lose a gradient without a word, because the
result is a floating one, they raise.
"""

import functools

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, get_default_dtype, recording, sharing
from tinygrad_relu.errors import DTypeError, NotDifferentiable, ShapeError


def tensor_of(x):
    """Return `x` as a tensor: itself, or a copy of an array, a number or a sequence of them."""
    return x if isinstance(x, Tensor) else Tensor(x)


def tensors_of(*operands):
    """Return operands as tensors; numbers get the dtype that they would have beside the others."""
    kinds = [x if isinstance(x, (int, float)) else tensor_of(x).dtype for x in operands]
    dtype = np.result_type(*kinds)
    if dtype.kind == "f" and not any(getattr(kind, "kind", "") == "f" for kind in kinds):
        dtype = get_default_dtype()
    with np.errstate(all="ignore"):
        return [
            Tensor(x, False, dtype) if isinstance(x, (int, float)) else tensor_of(x) for x in operands
        ]


def check_broadcast(name, a, b):
    """Raise if two arrays or numbers cannot be broadcast against each other."""
    try:
        np.broadcast_shapes(np.shape(a), np.shape(b))
    except ValueError as error:
        raise ShapeError(f"{name}: a has shape {np.shape(a)}, and b has shape {np.shape(b)}") from error


def floating(name, x):
    """Return `x` as a tensor of a floating dtype, or raise."""
    x = tensor_of(x)
    if x.dtype.kind != "f":
        raise DTypeError(f"{name}: a floating dtype is needed, and x is {x.dtype}: cast it first")
    return x


def array_of(name, x):
    """Return the array of a tensor, or all else as it is; or raise where NumPy cannot compute with it."""
    if isinstance(x, Tensor):
        return x.detach().numpy()
    if isinstance(x, (list, tuple, np.ndarray)):
        x = np.asarray(x)
        if x.dtype.kind not in "biuf":
            raise DTypeError(f"{name}: {x.dtype} data cannot be computed with")
    return x


def without_derivative(function):
    """Let a function of arrays take and return tensors, outside of the graph."""
    name = function.__name__

    @functools.wraps(function)
    def of_tensors(*arguments, **keywords):
        with np.errstate(all="ignore"):
            result = function(
                *[array_of(name, x) for x in arguments],
                **{word: array_of(name, x) for word, x in keywords.items()},
            )
        given = (*arguments, *keywords.values())
        wanted = recording() and any(isinstance(x, Tensor) and x.requires_grad for x in given)
        if wanted and np.asarray(result).dtype.kind == "f":
            raise NotDifferentiable(
                f"{name}: it has no derivative, so the gradient would end here: pass x.detach() if that "
                "is meant"
            )
        return sharing(np.asarray(result))

    return checked_call(of_tensors)
