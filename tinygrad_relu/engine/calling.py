"""How arguments find their parameters, for ops and for plain functions alike."""

import functools
import inspect

from tinygrad_relu.errors import ArgumentError, RangeError, TensorError

# PyTorch's words for what is called here by the array API standard's.
SYNONYMS = {
    "dim": "axis", "dims": "axes", "keepdim": "keepdims", "dim0": "axis1", "dim1": "axis2",
    "start_dim": "start_axis", "end_dim": "end_axis", "size": "shape",
}

# Which op a NumPy ufunc stands for; filled by `install`.
UFUNCS = {}


def parameter_for(word, names, title, signature):
    """Return which of the parameters `names` a keyword stands for, in PyTorch's words or ours."""
    if word in names:
        return word
    if SYNONYMS.get(word) in names:
        return SYNONYMS[word]
    for position, general in enumerate(("input", "other")):
        if word == general and position < len(names):
            return names[position]
    raise ArgumentError(
        f"{title}: unknown keyword {word!r}: the signature is {title}{signature}"
    )


def named_parameters(keywords, names, title, signature):
    """Return keyword arguments under the names of the parameters that they stand for."""
    named = {}
    for word, value in keywords.items():
        name = parameter_for(word, names, title, signature)
        if name in named:
            raise ArgumentError(f"{title}: {name} is given twice, by another word, too")
        named[name] = value
    return named


def own_errors(function):
    """Raise what NumPy finds wrong with arguments as an error of ours, with the name of the function."""

    @functools.wraps(function)
    def owned(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except TensorError:
            raise
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise RangeError(f"{function.__name__}: {error}") from error
        except (TypeError, AttributeError) as error:
            raise ArgumentError(f"{function.__name__}: {error}") from error

    return owned


def checked_call(function):
    """Let a function take ``dim`` for ``axis`` and so on, and say how it is called when it is not.

    A call that does not fit the signature raises `ArgumentError`.
    """
    signature = inspect.signature(function)
    title = function.__qualname__.removesuffix(".__init__")
    names = tuple(name for name in signature.parameters if name != "self")

    @functools.wraps(function)
    def checked(*arguments, **keywords):
        if keywords:
            keywords = named_parameters(keywords, names, title, signature)
        try:
            return function(*arguments, **keywords)
        except AttributeError as error:
            for name, value in [*zip(signature.parameters, arguments), *keywords.items()]:
                if value is error.obj:
                    raise ArgumentError(
                        f"{title}: {name} is a {type(value).__name__}: pass a tensor"
                    ) from error
            raise
        except TypeError as error:
            try:
                signature.bind(*arguments, **keywords)
            except TypeError as misfit:
                raise ArgumentError(
                    f"{title}: {misfit}: the signature is {title}{signature}"
                ) from error
            raise

    return checked
