"""Initialisation of weights, in place."""

import math

from tinygrad_relu.creation import default_generator
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.grad_mode import no_grad


def fan_of(weight, mode):
    """Return how many inputs ('fan_in') or outputs ('fan_out') a weight (outputs, inputs) has."""
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"init: mode is {mode!r}: it is 'fan_in' or 'fan_out'")
    if weight.ndim < 2:
        raise ShapeError(f"init: a weight of shape {weight.shape} has no inputs and outputs to count")
    field = math.prod(weight.shape[2:])
    return weight.shape[1 if mode == "fan_in" else 0] * field


def gain_of(nonlinearity, a):
    """Return by how much to widen weights for what comes after them."""
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1.0 + a * a)),
    }
    if nonlinearity not in gains:
        raise ArgumentError(f"init: nonlinearity is {nonlinearity!r}: it is one of {sorted(gains)}")
    return gains[nonlinearity]


@no_grad
def uniform_(weight, low=0.0, high=1.0, generator=None):
    """Draw `weight` evenly from `low` to `high`, in place, and return it."""
    weight[...] = (generator or default_generator()).uniform(low, high, weight.shape)
    return weight


@no_grad
def normal_(weight, mean=0.0, std=1.0, generator=None):
    """Draw `weight` from a normal distribution, in place, and return it."""
    weight[...] = (generator or default_generator()).normal(mean, std, weight.shape)
    return weight


@no_grad
def constant_(weight, value):
    """Fill `weight` with a number, in place, and return it."""
    weight[...] = value
    return weight


def kaiming_uniform_(weight, a=0.0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw `weight` evenly, so that the variance is kept through a ReLU layer.

    Parameters
    ----------
    weight : Tensor
        Of shape (outputs, inputs, ...).
    a : float
        The negative slope of a leaky ReLU.
    mode : {'fan_in', 'fan_out'}
        Whether to keep the variance of the values going forward or of the gradients going back.
    nonlinearity : str
    generator : numpy.random.Generator, optional

    Notes
    -----
    He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> w = tg.nn.init.kaiming_uniform_(tg.zeros(3, 6), generator=np.random.default_rng(0))
    >>> bool((w.abs() <= 1.0).all())
    True
    """
    bound = gain_of(nonlinearity, a) * math.sqrt(3.0 / max(fan_of(weight, mode), 1))
    return uniform_(weight, -bound, bound, generator)


def kaiming_normal_(weight, a=0.0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw `weight` from a normal distribution, so that the variance is kept; see `kaiming_uniform_`."""
    std = gain_of(nonlinearity, a) / math.sqrt(max(fan_of(weight, mode), 1))
    return normal_(weight, 0.0, std, generator)
