"""How course exercises write a function and its gradient, brought to the form of `check_gradients`.

Two forms are known beside ``backward(dout, *inputs)``: a forward that returns a cache for its backward,
and a slope for each element of the only input.
"""

import functools
import inspect

import numpy as np


def brought_to_form(forward, backward, inputs):
    """Return a function, its backward and their inputs as `check_gradients` takes them.

    Parameters
    ----------
    forward, backward : callable
    inputs : sequence or dict

    Examples
    --------
    >>> import numpy as np
    >>> def square_forward(x):
    ...     return x * x, (x,)
    >>> def square_backward(dout, cache):
    ...     return 2 * dout * cache[0]
    >>> f, df, _ = brought_to_form(square_forward, square_backward, [np.ones(2)])
    >>> f(np.ones(2)), df(np.ones(2), np.ones(2))
    (array([1., 1.]), array([2., 2.]))
    """
    if takes_cache(forward, backward):
        return without_cache(forward), with_its_cache(forward, backward), arrays_of(forward, inputs)
    if gives_slopes(forward, backward, inputs):
        return forward, times_slope(backward), inputs
    return forward, backward, inputs


def parameters_of(function):
    """Return the names of the parameters of a function that have to be given."""
    return [
        name for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
    ]


def takes_cache(forward, backward):
    """Tell whether a backward takes a cotangent and what the forward returns beside its result."""
    taken = parameters_of(backward)
    return len(taken) == 2 and "cache" in taken[1].lower() and taken[1] not in parameters_of(forward)


def arrays_of(forward, inputs):
    """Return inputs without numbers that have a default: such an ``eps`` gets no gradient."""
    if not isinstance(inputs, dict):
        return inputs
    needed = parameters_of(forward)
    return {
        name: value for name, value in inputs.items() if name in needed or not isinstance(value, float)
    }


def without_cache(forward):
    """Return a function that gives the first of what `forward` returns."""
    @functools.wraps(forward)
    def result(*inputs, **named):
        return forward(*inputs, **named)[0]

    return result


def with_its_cache(forward, backward):
    """Return a backward of the inputs, which calls `forward` for the cache."""
    @functools.wraps(forward)       # it takes what forward takes, behind dout
    def gradients(dout, *inputs, **named):
        return backward(dout, forward(*inputs, **named)[1])

    del gradients.__wrapped__
    return gradients


def gives_slopes(forward, backward, inputs):
    """Tell whether a derivative takes the only input, without dout, of a function of its elements."""
    values = list(inputs.values()) if isinstance(inputs, dict) else list(inputs)
    if len(values) != 1 or parameters_of(backward) != parameters_of(forward):
        return False
    x = np.asarray(values[0])
    return x.ndim > 0 and np.shape(forward(x.copy())) == x.shape


def times_slope(derivative):
    """Return a backward that multiplies a cotangent by slopes."""
    return lambda dout, x: dout * derivative(x)
