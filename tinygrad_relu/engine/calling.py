"""How arguments find their parameters, for ops and for plain functions alike."""

import functools
import inspect
import re
import reprlib

import numpy as np

from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    GraphError,
    IndexingError,
    RangeError,
    ShapeError,
    TensorError,
)

# PyTorch's words for what is called here by the array API standard's.
SYNONYMS = {
    "dim": "axis", "dims": "axes", "keepdim": "keepdims", "dim0": "axis1", "dim1": "axis2",
    "start_dim": "start_axis", "end_dim": "end_axis", "size": "shape",
    "end": "stop", "n": "rows", "m": "columns",
}

# What Python and NumPy raise where arguments are bad, and the words that tell what about them.
BAD_ARGUMENTS = (
    TensorError, ValueError, IndexError, OverflowError, ZeroDivisionError, TypeError, AttributeError,
)
ABOUT_SHAPES = (
    "shape", "broadcast", "size", "array dimension", "core dimension", "axis", "axes", "align", "empty",
)
ABOUT_DTYPES = ("ufunc", "dtype", "data type", "cast", "boolean")

# How our messages begin, and how those end that tell the arguments of an op.
NAME = re.compile(r"[A-Za-z_][\w.]*")
GIVEN = " (with "

# Which op a NumPy ufunc stands for; filled by `install`.
UFUNCS = {}


def parameter_for(word, names, title, function):
    """Return which of the parameters `names` of a function a keyword stands for, in any words."""
    if word in names:
        return word
    if SYNONYMS.get(word) in names:
        return SYNONYMS[word]
    for position, general in enumerate(("input", "other")):
        if word == general and position < len(names):
            return names[position]
    raise ArgumentError(
        f"{title}: unknown keyword {word!r}: the signature is {title}{inspect.signature(function)}"
    )


def named_parameters(keywords, names, title, function):
    """Return keyword arguments under the names of the parameters that they stand for."""
    named = {}
    for word, value in keywords.items():
        name = parameter_for(word, names, title, function)
        if name in named:
            raise ArgumentError(f"{title}: {name} is given twice, by another word, too")
        named[name] = value
    return named


def kind_of(error):
    """Return which of our errors says what a built-in one says, or None where it is no bad argument."""
    text = str(error)
    if isinstance(error, OverflowError | ZeroDivisionError):
        return RangeError
    if isinstance(error, np.exceptions.AxisError):
        return ShapeError
    if isinstance(error, ValueError):
        return ShapeError if any(word in text for word in ABOUT_SHAPES) else RangeError
    if isinstance(error, IndexError):
        return IndexingError
    if isinstance(error, TypeError):
        return DTypeError if any(word in text for word in ABOUT_DTYPES) else ArgumentError
    return ArgumentError if isinstance(error, AttributeError) else None


def described(name, value, with_dtype=False):
    """Return an argument in the words of a message: of arrays the shape, and maybe the dtype."""
    if isinstance(value, (tuple, list)) and value and all(has_shape(part) for part in value[:6]):
        return ", ".join(described(f"{name}[{k}]", x, with_dtype) for k, x in enumerate(value[:6]))
    if not has_shape(value):
        return f"{name}={reprlib.repr(value)}"
    return f"{name} of shape {value.shape}{f' and dtype {value.dtype}' if with_dtype else ''}"


def has_shape(value):
    """Tell whether a value is a tensor or an array."""
    return isinstance(getattr(value, "shape", None), tuple) and hasattr(value, "dtype")


def explained(error, title, given):
    """Return an error of NumPy, or of a function further in, as that of the function `title`.

    Parameters
    ----------
    error : Exception
        One of ours keeps its kind.  If it begins with the name of another function, ours takes its place.
    title : str
        The function that the user called.
    given : sequence of (str, object)
        Its arguments, by name.
    """
    inner, found, problem = str(error).partition(": ")
    ours = isinstance(error, TensorError)
    if ours and inner == title:
        return error
    for name, value in given:
        if isinstance(error, AttributeError) and value is error.obj:
            return ArgumentError(f"{title}: {name} is a {type(value).__name__}: pass a tensor")
    if not (ours and found and NAME.fullmatch(inner)) or any(inner == name for name, _ in given):
        problem = str(error)
    else:
        problem = problem.rpartition(GIVEN)[0] or problem
    kind = type(error) if ours else kind_of(error)
    typed = issubclass(kind, DTypeError)
    words = [described(name, value, typed) for name, value in given[:6] if value is not None]
    return kind(f"{title}: {problem}{GIVEN + ', '.join(words) + ')' if words else ''}")


def check_detached(name, error):
    """Raise one of ours where PyTorch refused to make an array of what it records."""
    if "requires grad" in str(error):
        raise GraphError(
            f"{name}: data is recorded by PyTorch, whose graph ends here, and with it the gradient: say "
            "so with data.detach(), or let the function that uses it cross by interop.torch_function"
        ) from error


def by_name(signature, arguments, keywords):
    """Return the arguments of a call with the names of their parameters, as far as they fit."""
    pairs = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            pairs += [(f"{name}[{k}]", value) for k, value in enumerate(arguments[len(pairs):])]
        elif len(pairs) < len(arguments):
            pairs.append((name, arguments[len(pairs)]))
    return [(name, value) for name, value in (*pairs, *keywords.items()) if name != "self"]


def checked_signature(function):
    """Let a function take ``dim`` for ``axis`` and so on, and say how it is called when it is not.

    A call that does not fit the signature raises `ArgumentError`.  All other errors pass: this is for
    functions that call the user's own.
    """
    return checked(function, ())


def checked_call(function, title=None):
    """Let a function take ``dim`` for ``axis`` and so on, and raise nothing but errors of its own.

    What NumPy, Python or a function further in finds wrong with the arguments becomes one of our errors,
    with the name of this function and what it was given.
    """
    return checked(function, BAD_ARGUMENTS, title)


def checked(function, translated, title=None):
    """Return `function` with its keywords under any of their names and errors `translated`."""
    title = title or function.__qualname__.rpartition("<locals>.")[2].removesuffix(".__init__")

    names = None

    @functools.wraps(function)
    def call(*arguments, **keywords):
        nonlocal names
        if keywords:
            if names is None:       # of most functions they are never asked for
                names = tuple(name for name in parameter_names(function) if name != "self")
            keywords = named_parameters(keywords, names, title, function)
        try:
            return function(*arguments, **keywords)
        except (AttributeError, TypeError, *translated) as error:
            signature = inspect.signature(function)
            misfit = misfit_of(error, signature, arguments, keywords)
            if misfit is not None:
                raise ArgumentError(
                    f"{title}: {misfit}: the signature is {title}{signature}"
                ) from error
            given = by_name(signature, arguments, keywords)
            lacks = isinstance(error, AttributeError) and any(v is error.obj for _, v in given)
            if not translated and not lacks:
                raise
            mended = explained(error, title, given)
            if mended is error:
                raise
            raise mended from error

    return call


def parameter_names(function):
    """Return the names of the parameters of a function.

    A plain function has them in its code; a signature takes twenty times as long, and hundreds of them
    are longer than all else that is done at import.
    """
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return tuple(inspect.signature(function).parameters)
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[:count]


def misfit_of(error, signature, arguments, keywords):
    """Return what is wrong with a call that does not fit a signature, or None if `error` is another."""
    if not isinstance(error, TypeError) or isinstance(error, TensorError):
        return None
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as misfit:
        return misfit
    return None
