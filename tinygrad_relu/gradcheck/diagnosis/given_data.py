"""`with_data`: a function with the plain arrays that it has at hand replaced, to record them, too.

What a backward makes of data alone, such as ``weights[labels]``, asks nobody who is told of inputs.
"""

import functools
import types

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.recording import is_data


def with_data(function, replace, seen=None):
    """Return a function that finds other arrays where it finds plain ones of real numbers or masks.

    Parameters
    ----------
    function : callable
        Of the user's: a function, a `functools.partial`, or functions that it calls by its closure or its
        module.  It is not changed; what is reached in another way, by attributes or in dicts, stays.
    replace : callable
        ``replace(array) -> ndarray``, called once for each array.
    seen : dict, optional
        What was replaced already, by the identity of the object.

    Examples
    --------
    >>> import numpy as np
    >>> rate = np.array([1.0, 2.0])
    >>> with_data(lambda x: x * rate, lambda array: 10 * array)(3.0)
    array([30., 60.])
    """
    seen = {} if seen is None else seen

    def other(x):
        if is_data(x) and x.dtype.kind in "fb":
            if id(x) not in seen:
                seen[id(x)] = replace(x), x     # which is kept, so that no other gets its address
            return seen[id(x)][0]
        is_users = isinstance(x, (types.FunctionType, functools.partial))
        return with_data(x, replace, seen) if is_users else x

    if id(function) in seen:
        return seen[id(function)][0]
    if isinstance(function, functools.partial):
        keywords = {name: other(x) for name, x in function.keywords.items()}
        return functools.partial(other(function.func), *map(other, function.args), **keywords)
    if not isinstance(function, types.FunctionType):
        return function
    seen[id(function)] = function, function     # for one that calls itself
    cells = tuple(map(types.CellType, (other(cell.cell_contents) for cell in function.__closure__ or ())))
    used = {
        name: other(function.__globals__[name]) for name in names_in(function.__code__)
        if is_of_module(function, function.__globals__.get(name))
    }
    made = types.FunctionType(
        function.__code__, {**function.__globals__, **used}, function.__name__, function.__defaults__,
        cells or None,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    seen[id(function)] = made, function
    return made


def names_in(code):
    """Return the names that a piece of code, and the functions within, look up in the module."""
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return {*code.co_names, *(name for part in inner for name in names_in(part))}


def is_of_module(function, x):
    """Tell whether something is an array, or a function that is defined where another one is."""
    return isinstance(x, np.ndarray) or getattr(x, "__globals__", None) is function.__globals__
