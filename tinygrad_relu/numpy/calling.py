"""How a function of the NumPy dialect is called: what it takes for a tensor, and what it raises."""

import functools
import inspect

import numpy as np

from tinygrad_relu.engine import Tensor, checked_device
from tinygrad_relu.engine.calling import NAME
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    IndexingError,
    RangeError,
    ShapeError,
    TensorError,
)
from tinygrad_relu.ops.shapes import cast, reshape, stack
from tinygrad_relu.ops.values import without_derivative


def dialect(function):
    """Raise what is wrong with a call as an error of ours, with the name of the function."""
    signature = inspect.signature(function)
    name = function.__name__

    @functools.wraps(function)
    def checked(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except TensorError as error:
            if str(error).startswith(f"{name}:"):
                raise
            raise type(error)(f"{name}: {without_names(str(error), signature)}") from error
        except np.exceptions.AxisError as error:
            raise ShapeError(f"{name}: {error}") from error
        except IndexError as error:
            raise IndexingError(f"{name}: {error}") from error
        except (BufferError, ValueError, OverflowError, ZeroDivisionError) as error:
            raise RangeError(f"{name}: {error}") from error
        except (TypeError, AttributeError) as error:
            raise ArgumentError(f"{name}: {misfit(signature, arguments, keywords) or error}") from error

    # NumPy has several names for some functions.
    checked.__signature__ = signature
    return checked


def without_names(message, signature):
    """Return a message without the names of functions further in, which the user did not call."""
    inner, found, rest = message.partition(": ")
    while found and NAME.fullmatch(inner) and inner not in signature.parameters:
        message = rest
        inner, found, rest = message.partition(": ")
    return message


def misfit(signature, arguments, keywords):
    """Return how a call does not fit a signature, or None."""
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        return f"{error}: the NumPy dialect takes {signature}"


def elementwise(op, *names):
    """Return an op of tensors as a function of anything that NumPy reads: of numbers alone, too.

    Parameters
    ----------
    op : callable
    *names : str
        Those of its operands, by position.
    """
    count = len(names)

    def function(*operands):
        return op(*operands_of(operands))

    def checked(*operands, **options):
        if options or len(operands) != count:
            given = f"{len(operands)} operands" + "".join(f", {word}=" for word in options)
            raise ArgumentError(
                f"{op.__name__}: {given} were given: the NumPy dialect takes ({', '.join(names)}, /)"
            )
        return inner(*operands)

    function.__name__ = op.__name__
    inner = dialect(function)
    checked.__name__ = checked.__qualname__ = op.__name__
    checked.__doc__ = op.__doc__
    checked.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names]
    )
    return checked


def as_floats(ufunc, op):
    """Return an op that casts integers to the floating dtype that NumPy's ufunc computes in first."""

    @functools.wraps(op)
    def of_floats(*operands):
        operands = [x if isinstance(x, (bool, int, float)) else tensor_of(x) for x in operands]
        given = [getattr(x, "dtype", type(x)) for x in operands]
        # A Python bool is no weak number to NumPy.
        given = [np.dtype(bool) if kind is bool else kind for kind in given]
        *wanted, _ = ufunc.resolve_dtypes((*given, None))
        pairs = zip(operands, wanted)
        return op(*[tensor_of(x, kind) if isinstance(x, Tensor) else x for x, kind in pairs])

    return of_floats


def of_numpy_for_whole(ufunc, op):
    """Return an op that leaves integers and booleans to NumPy's ufunc, which divides by 0 silently."""

    @functools.wraps(op)
    def of_either(*operands):
        kinds = [x if isinstance(x, (bool, int, float)) else x.dtype for x in operands]
        return (op if np.result_type(*kinds).kind == "f" else of_whole)(*operands)

    @without_derivative
    def of_whole(*operands):
        return ufunc(*operands)

    return of_either


def operands_of(operands):
    """Return operands that an op takes: numbers stay weak beside others, sequences become tensors."""
    if all(isinstance(x, (bool, int, float)) for x in operands):
        return [tensor_of(x) for x in operands]
    return [x if isinstance(x, (bool, int, float, np.ndarray)) else tensor_of(x) for x in operands]


def holds_tensors(x):
    """Tell whether a nested sequence has a tensor in it."""
    return isinstance(x, Tensor) or (isinstance(x, (list, tuple)) and any(map(holds_tensors, x)))


def tensor_of(x, dtype=None):
    """Return `x` as a tensor, in `dtype` if that is given; of a sequence of tensors their stack.

    An array is copied, since nobody would tell of a change to it before the backward pass.
    """
    if not isinstance(x, Tensor):
        if holds_tensors(x):
            x = stack([tensor_of(part) for part in x])
        elif x is None:
            raise DTypeError("None was given where numbers are needed")
        else:
            return Tensor(x, False, dtype)
    return x if dtype is None or np.dtype(dtype) == x.dtype else cast(x, np.dtype(dtype))


def summed(reduction, a, dtype, *arguments):
    """Return a reduction that is computed in `dtype`, and has it, which small integers would leave."""
    found = reduction(tensor_of(a, dtype), *arguments)
    return found if dtype is None else tensor_of(found, dtype)


def over_axes(function):
    """Let a reduction take axes as NumPy does: no list, and the empty tuple for none, not for all."""

    @functools.wraps(function)
    def reduced(a, axis=None, *arguments, **keywords):
        if isinstance(axis, list):
            raise ArgumentError(f"axis is {axis}: several axes are a tuple")
        if isinstance(axis, tuple) and not axis:
            a, axis = tensor_of(a), -1
            a, keywords = reshape(a, *a.shape, 1), keywords | {"keepdims": False}
        return function(a, axis, *arguments, **keywords)

    return reduced


def tensors_of(arrays):
    """Return a list of tensors from a sequence of anything that NumPy reads."""
    if not isinstance(arrays, (list, tuple, Tensor, np.ndarray)):
        raise ArgumentError(f"a {type(arrays).__name__} was given where a sequence of arrays is needed")
    return [tensor_of(x) for x in arrays]


def floating(x, dtype=None):
    """Return `x` as a tensor of a floating dtype: of integers and booleans float64."""
    x = tensor_of(x, dtype)
    return x if x.dtype.kind == "f" else cast(x, np.dtype(np.float64))


def array_of(x):
    """Return the values of `x` as an array, outside of the graph."""
    return tensor_of(x).detach().numpy() if isinstance(x, (Tensor, list, tuple)) else np.asarray(x)


def whole(numbers):
    """Return one whole number or several, given as anything that lists them, as a tuple."""
    found = array_of(numbers)
    if found.ndim > 1 or (found.size and found.dtype.kind not in "iu"):
        raise ArgumentError(f"{numbers!r} was given where whole numbers are needed")
    return tuple(found.reshape(-1).tolist())


def on_cpu(name, device):
    """Raise if another device than the one that there is was asked for."""
    checked_device(name, device)
