"""What compositions ask of their operands before they compute: tensors, axes, numbers that fit."""

import numbers

import numpy as np

from tinygrad_relu.engine import Tensor, get_default_dtype
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tinygrad_relu.ops.shapes import cast


def tensor_from(name, word, value):
    """Return `value`, the argument `word` of the function `name`, as a tensor."""
    if isinstance(value, Tensor):
        return value
    if value is None:
        raise ArgumentError(f"{name}: {word} is None: a tensor or array is needed")
    try:
        return Tensor(value)
    except (ValueError, TypeError) as error:
        raise DTypeError(f"{name}: {word}: {error}") from error


def real_tensor(name, word, value):
    """Return `value` as a tensor of a floating dtype; integers and booleans get the default one."""
    x = tensor_from(name, word, value)
    return x if x.dtype.kind == "f" else cast(x, get_default_dtype())


def with_axes(name, word, value, least, most=None):
    """Return `value` as a floating tensor of at least `least` axes, and at most `most`."""
    x = real_tensor(name, word, value)
    if x.ndim < least or (most is not None and x.ndim > most):
        ending = "or more" if most is None else f"to {most}"
        wanted = least if least == most else f"{least} {ending}"
        raise ShapeError(f"{name}: {word} has shape {x.shape}: it needs {wanted} axes")
    return x


def same_shape(name, **values):
    """Return tensors of one shape, or raise: broadcasting in a loss is a mistake more often than not."""
    tensors = {word: real_tensor(name, word, value) for word, value in values.items()}
    (first, x), *others = tensors.items()
    for word, other in others:
        if other.shape != x.shape:
            raise ShapeError(
                f"{name}: {first} has shape {x.shape}, {word} has shape {other.shape}: reshape one to "
                "the other"
            )
    return list(tensors.values())


def whole(name, word, value, least=None):
    """Return `value` as an int that is at least `least`, or raise."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise ArgumentError(f"{name}: {word} is {value!r}: it is a whole number")
    if least is not None and value < least:
        raise RangeError(f"{name}: {word} is {value}: it is at least {least}")
    return int(value)


def whole_numbers(name, word, value, count, least=0):
    """Return `count` whole numbers from one, or from a sequence of as many."""
    if not isinstance(value, (tuple, list)):
        value = (value,) * count
    elif len(value) == 1:
        value = tuple(value) * count
    if len(value) != count:
        raise ArgumentError(f"{name}: {word} is {value!r}: pass one number, or {count}")
    return tuple(whole(name, word, n, least) for n in value)


def probability(name, word, value):
    """Return `value` if it lies between 0 and 1, both included."""
    if not isinstance(value, numbers.Real) or not 0 <= value <= 1:
        raise RangeError(f"{name}: {word} is {value!r}: it lies between 0 and 1")
    return value
