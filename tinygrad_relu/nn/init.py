"""Initialisation of weights, in place and outside of any graph."""

import math

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tinygrad_relu.grad_mode import no_grad
from tinygrad_relu.ops.operands import whole
from tinygrad_relu.ops.special import erfinv
from tinygrad_relu.random import source_of

FANS = {"fan_in": 1, "fan_out": 0}


def checked_weight(name, tensor, least=0, most=None):
    """Return a tensor to be filled, of so many axes, or raise."""
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{name}: a {type(tensor).__name__} cannot be filled in place: pass a tensor")
    if tensor.dtype.kind != "f":
        raise DTypeError(f"{name}: the tensor is {tensor.dtype}: pass one of a floating dtype")
    if tensor.ndim < least or (most is not None and tensor.ndim > most):
        wanted = f"{least} axes" if least == most else f"{least} axes or more"
        raise ShapeError(
            f"{name}: a weight of shape {tensor.shape} has no inputs and outputs to count: it needs "
            f"{wanted}"
        )
    return tensor


def fill(tensor, values):
    """Write values into a tensor, and return it."""
    with no_grad():
        tensor[...] = values
    return tensor


def fan_of(name, weight, mode):
    """Return how many inputs ('fan_in') or outputs ('fan_out') a weight (outputs, inputs, ...) has."""
    if mode not in FANS:
        raise ArgumentError(f"{name}: mode is {mode!r}: it is 'fan_in' or 'fan_out'")
    return weight.shape[FANS[mode]] * math.prod(weight.shape[2:])


def checked_scale(name, word, value):
    """Return a scale, which is a number that is not negative, or raise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value >= 0:
        raise RangeError(f"{name}: {word} is {value!r}: it is a number, not negative")
    return value


@checked_call
def calculate_gain(nonlinearity, param=None):
    """Return by how much to widen weights for what comes after them.

    Parameters
    ----------
    nonlinearity : str
        'linear', 'conv1d', 'conv2d', 'conv_transpose1d', 'conv_transpose2d', 'sigmoid', 'tanh', 'relu',
        'leaky_relu' or 'selu'.
    param : float, optional
        The negative slope of a leaky ReLU, 0.01 if it is not given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, (int, float, np.number)):
        raise ArgumentError(f"calculate_gain: param is {param!r}: it is a number")
    gains = {
        **dict.fromkeys(("linear", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"), 1.0),
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1.0 + slope * slope)),
        "selu": 0.75,       # by trial, in PyTorch
    }
    if nonlinearity not in gains:
        raise ArgumentError(
            f"calculate_gain: nonlinearity is {nonlinearity!r}: it is one of {', '.join(gains)}"
        )
    return gains[nonlinearity]


# ------------------------------------------------------------------------------------- fixed numbers

@checked_call
def constant_(tensor, val):
    """Fill `tensor` with a number, in place, and return it."""
    return fill(checked_weight("constant_", tensor), val)


@checked_call
def ones_(tensor):
    """Fill `tensor` with 1, in place, and return it."""
    return fill(checked_weight("ones_", tensor), 1.0)


@checked_call
def zeros_(tensor):
    """Fill `tensor` with 0, in place, and return it."""
    return fill(checked_weight("zeros_", tensor), 0.0)


@checked_call
def eye_(tensor):
    """Make a matrix the identity, as far as it goes, in place, and return it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.init.eye_(tg.zeros(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]], dtype=float64)
    """
    return fill(tensor, np.eye(*checked_weight("eye_", tensor, 2, 2).shape))


@checked_call
def dirac_(tensor, groups=1):
    """Make the weight of a convolution the identity of as many channels as it can, in place.

    Parameters
    ----------
    tensor : Tensor of shape (outputs, inputs, ...), of three axes or more
    groups : int
        So many times the identity, one below the other.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.init.dirac_(tg.zeros(1, 1, 3))
    tensor([[[0., 1., 0.]]], dtype=float64)
    """
    name = "dirac_"
    outputs, inputs, *window = checked_weight(name, tensor, 3).shape
    groups = whole(name, "groups", groups, 1)
    if outputs % groups:
        raise ShapeError(f"{name}: {outputs} outputs do not go into {groups} groups")
    values = np.zeros(tensor.shape)
    centre = tuple(length // 2 for length in window)
    for group in range(groups):
        for k in range(min(outputs // groups, inputs)):
            values[(group * (outputs // groups) + k, k, *centre)] = 1
    return fill(tensor, values)


# --------------------------------------------------------------------------------------------- drawn

@checked_call
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Draw `tensor` evenly from `a` to `b`, in place, and return it."""
    source = source_of("uniform_", generator)
    if not a <= b:
        raise RangeError(f"uniform_: from {a!r} to {b!r} there is nothing")
    return fill(checked_weight("uniform_", tensor), source.uniform(a, b, tensor.shape))


@checked_call
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Draw `tensor` from a normal distribution, in place, and return it."""
    source = source_of("normal_", generator)
    checked_scale("normal_", "std", std)
    return fill(checked_weight("normal_", tensor), source.normal(mean, std, tensor.shape))


@checked_call
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Draw `tensor` from the part of a normal distribution between `a` and `b`, in place.

    Parameters
    ----------
    tensor : Tensor
    mean, std : float
        Of the whole distribution.
    a, b : float
        The limits themselves, not in units of `std`.
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.nn.init.trunc_normal_(tg.zeros(1000), std=5.0)
    >>> bool((w.abs() <= 2).all())
    True
    """
    name = "trunc_normal_"
    source = source_of(name, generator)
    if not a < b:
        raise RangeError(f"{name}: from {a!r} to {b!r} there is nothing")
    if not std > 0:
        raise RangeError(f"{name}: std is {std!r}: it is positive")
    # By inversion: what is even between the values of erf at the limits is taken back by its inverse.
    low, high = (math.erf((limit - mean) / (std * math.sqrt(2))) for limit in (a, b))
    drawn = Tensor(source.uniform(low, high, checked_weight(name, tensor).shape))
    values = erfinv(drawn).numpy() * (std * math.sqrt(2)) + mean
    return fill(tensor, np.clip(values, a, b))


@checked_call
def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Draw `tensor` evenly, with the variance ``gain ** 2 * 2 / (inputs + outputs)``, in place.

    Notes
    -----
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.nn.init.xavier_uniform_(tg.zeros(2, 4))
    >>> bool((w.abs() <= 1.0).all())
    True
    """
    std = xavier_std("xavier_uniform_", tensor, gain)
    return uniform_(tensor, -math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator)


@checked_call
def xavier_normal_(tensor, gain=1.0, generator=None):
    """Draw `tensor` from a normal distribution with the variance of `xavier_uniform_`, in place."""
    return normal_(tensor, 0.0, xavier_std("xavier_normal_", tensor, gain), generator)


def xavier_std(name, tensor, gain):
    """Return the standard deviation that Glorot and Bengio give a weight."""
    checked_weight(name, tensor, 2)
    fans = fan_of(name, tensor, "fan_in") + fan_of(name, tensor, "fan_out")
    return checked_scale(name, "gain", gain) * math.sqrt(2.0 / max(fans, 1))


@checked_call
def kaiming_uniform_(tensor, a=0.0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw `tensor` evenly, so that the variance is kept through a ReLU layer, in place.

    Parameters
    ----------
    tensor : Tensor
        Of shape (outputs, inputs, ...).
    a : float
        The negative slope of a leaky ReLU.
    mode : {'fan_in', 'fan_out'}
        Whether to keep the variance of the values going forward or of the gradients going back.
    nonlinearity : str
        See `calculate_gain`.
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
    bound = math.sqrt(3.0) * kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@checked_call
def kaiming_normal_(tensor, a=0.0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw `tensor` from a normal distribution, so that the variance is kept; see `kaiming_uniform_`."""
    std = kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def kaiming_std(name, tensor, a, mode, nonlinearity):
    """Return the standard deviation that He et al. give a weight."""
    fan = fan_of(name, checked_weight(name, tensor, 2), mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


@checked_call
def orthogonal_(tensor, gain=1.0, generator=None):
    """Make the rows of `tensor`, flattened behind its first axis, orthogonal, in place; or its columns.

    Parameters
    ----------
    tensor : Tensor of two axes or more
    gain : float
        The length of rows, or of columns where there are more rows than columns.
    generator : numpy.random.Generator, optional

    Notes
    -----
    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", 2013.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.nn.init.orthogonal_(tg.zeros(2, 4), gain=2.0)
    >>> tg.allclose(w @ w.T, 4 * tg.eye(2))
    True
    """
    name = "orthogonal_"
    source = source_of(name, generator)
    rows, *others = checked_weight(name, tensor, 2).shape
    columns = math.prod(others)
    drawn = source.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    # With positive numbers on the diagonal of r, all orthogonal matrices are equally likely:
    # Mezzadri, "How to generate random matrices from the classical compact groups", 2007.
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    values = checked_scale(name, "gain", gain) * (q if rows >= columns else q.T)
    return fill(tensor, values.reshape(tensor.shape))


@checked_call
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Draw a matrix from a normal distribution, and set a share of each column to 0, in place.

    Parameters
    ----------
    tensor : Tensor of two axes
    sparsity : float
        Which share of each column is 0, rounded up.
    std : float
    generator : numpy.random.Generator, optional

    Notes
    -----
    Martens, "Deep learning via Hessian-free optimization", 2010.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> (tg.nn.init.sparse_(tg.zeros(4, 3), 0.5) == 0).sum(0)
    tensor([2, 2, 2], dtype=int64)
    """
    name = "sparse_"
    source = source_of(name, generator)
    rows, columns = checked_weight(name, tensor, 2, 2).shape
    if not 0 <= sparsity <= 1:
        raise RangeError(f"{name}: sparsity is {sparsity!r}: it lies between 0 and 1")
    values = source.normal(0.0, checked_scale(name, "std", std), (rows, columns))
    for column in range(columns):
        values[source.permutation(rows)[: math.ceil(sparsity * rows)], column] = 0
    return fill(tensor, values)
