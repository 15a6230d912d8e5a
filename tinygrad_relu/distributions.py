"""Distributions to draw from, and the logarithms of their densities: the plain part of PyTorch's."""

import math
import numbers

import numpy as np

from tinygrad_relu.creation import asarray, get_default_dtype
from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.grad_mode import no_grad
from tinygrad_relu.ops.arithmetic import clamp
from tinygrad_relu.ops.exponential import exp, log, logaddexp, sigmoid
from tinygrad_relu.ops.neural import log_softmax
from tinygrad_relu.ops.shapes import broadcast_tensors, cast
from tinygrad_relu.ops.special import erf
from tinygrad_relu.ops.taking import gather, where
from tinygrad_relu.sampling import bernoulli, multinomial, rand, randn

__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "Uniform", "kl_divergence"]

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def real(value, other=None):
    """Return a number or tensor as a floating tensor; a number takes the dtype of `other`, if any."""
    if isinstance(value, numbers.Real) and isinstance(other, Tensor) and other.dtype.kind == "f":
        return asarray(value, dtype=other.dtype)
    x = asarray(value)
    return x if x.dtype.kind == "f" else cast(x, get_default_dtype())


def check(fine, title, what):
    """Raise unless all elements of a boolean tensor are true; NaN is found, too."""
    if not bool(fine.detach().all()):
        raise RangeError(f"{title}: {what}")


class Distribution:
    """What has `sample`, `log_prob` and `entropy`; `batch_shape` is the shape of its parameters.

    `rsample`, where it is there, lets gradients pass to the parameters; `sample` does not.
    """

    batch_shape = ()

    @checked_call
    def sample(self, sample_shape=()):
        """Draw, with `sample_shape` axes in front of those of the parameters; not recorded."""
        with no_grad():
            return self.rsample(sample_shape)

    @property
    def stddev(self):
        """Tensor: The standard deviation."""
        return self.variance.sqrt()

    def __repr__(self):
        return f"{type(self).__name__}(batch_shape={self.batch_shape})"


class Normal(Distribution):
    """The normal distribution.

    Parameters
    ----------
    loc, scale : Tensor or float
        Mean and standard deviation, broadcast against each other.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> p = tg.distributions.Normal(tg.tensor([0.0, 1.0]), 2.0)
    >>> p.sample((3,)).shape
    (3, 2)
    >>> tg.distributions.kl_divergence(p, p)
    tensor([0., 0.], dtype=float64)
    """

    @checked_call
    def __init__(self, loc, scale):
        self.loc, self.scale = broadcast_tensors(real(loc, scale), real(scale, loc))
        check(self.scale > 0, "Normal", "scale is not above 0 somewhere")
        self.batch_shape = self.loc.shape

    mean = property(lambda self: self.loc, doc="Tensor: The mean.")
    variance = property(lambda self: self.scale.square(), doc="Tensor: The variance.")

    @checked_call
    def rsample(self, sample_shape=()):
        """Draw so that gradients pass to the parameters."""
        shape = (*sample_shape, *self.batch_shape)
        return self.loc + self.scale * randn(shape, dtype=self.loc.dtype)

    @checked_call
    def log_prob(self, value):
        """Return the logarithm of the density at `value`."""
        distance = (real(value, self.loc) - self.loc) / self.scale
        return -0.5 * distance.square() - log(self.scale) - HALF_LOG_2PI

    @checked_call
    def cdf(self, value):
        """Return the probability of what is not above `value`."""
        return 0.5 * (1 + erf((real(value, self.loc) - self.loc) / (self.scale * math.sqrt(2))))

    @checked_call
    def entropy(self):
        """Return the entropy in nats."""
        return 0.5 + HALF_LOG_2PI + log(self.scale)


class Uniform(Distribution):
    """The uniform distribution from `low` (included) to `high`.

    Parameters
    ----------
    low, high : Tensor or float
        Broadcast against each other.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.distributions.Uniform(0.0, 4.0).entropy().exp()
    tensor(4., dtype=float64)
    """

    @checked_call
    def __init__(self, low, high):
        self.low, self.high = broadcast_tensors(real(low, high), real(high, low))
        check(self.low < self.high, "Uniform", "low is not below high somewhere")
        self.batch_shape = self.low.shape

    mean = property(lambda self: (self.low + self.high) / 2, doc="Tensor: The mean.")
    variance = property(lambda self: (self.high - self.low).square() / 12, doc="Tensor: The variance.")

    @checked_call
    def rsample(self, sample_shape=()):
        """Draw so that gradients pass to the parameters."""
        shape = (*sample_shape, *self.batch_shape)
        return self.low + (self.high - self.low) * rand(shape, dtype=self.low.dtype)

    @checked_call
    def log_prob(self, value):
        """Return the logarithm of the density at `value`, minus infinity outside."""
        value = real(value, self.low)
        inside = (value >= self.low) & (value < self.high)
        return where(inside, -log(self.high - self.low), -math.inf)

    @checked_call
    def entropy(self):
        """Return the entropy in nats."""
        return log(self.high - self.low)


def probabilities_or_logits(title, probs, logits):
    """Return which of two parameters was given, as a floating tensor, and whether it is the first."""
    if (probs is None) == (logits is None):
        raise ArgumentError(f"{title}: pass probs or logits, one of them")
    return real(logits if probs is None else probs), probs is not None


def kept_from_ends(probs):
    """Return probabilities that have a finite logarithm, as far from 0 and 1 as the dtype tells apart."""
    least = float(np.finfo(probs.dtype).eps)
    return clamp(probs, least, 1 - least)


class Categorical(Distribution):
    """A number from 0 to before n, each with a probability of its own.

    Parameters
    ----------
    probs : Tensor, optional
        Numbers that are not negative, along the last axis; they are divided by their sum.
    logits : Tensor, optional
        Their logarithms, up to a constant, in place of them.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> p = tg.distributions.Categorical(logits=tg.tensor([[0.0, 0.0], [0.0, -1e9]]))
    >>> p.log_prob(tg.tensor([0, 0]))
    tensor([-0.69314718,  0.        ], dtype=float64)
    >>> p.sample()[1]
    tensor(0, dtype=int64)
    """

    @checked_call
    def __init__(self, probs=None, logits=None):
        x, are_probs = probabilities_or_logits("Categorical", probs, logits)
        if x.ndim == 0:
            raise ShapeError("Categorical: the parameter has no axis: the categories are along its last")
        if are_probs:
            total = x.sum(-1, keepdims=True)
            check((x >= 0).all(-1, keepdims=True) & (total > 0), "Categorical",
                  "probs: a number is negative or NaN, or all of a row are 0")
            self.probs = x / total
            self.logits = log(kept_from_ends(self.probs))
        else:
            check(x == x, "Categorical", "a logit is NaN")
            self.logits = log_softmax(x, -1)
            self.probs = exp(self.logits)
        self.batch_shape = x.shape[:-1]

    @checked_call
    def sample(self, sample_shape=()):
        """Draw numbers; they are not recorded."""
        count = math.prod(sample_shape)
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        drawn = multinomial(rows, max(count, 1), replacement=True)[:, :count]
        return drawn.T.reshape(*sample_shape, *self.batch_shape)

    @checked_call
    def log_prob(self, value):
        """Return the logarithm of the probability of each number."""
        value = cast(asarray(value), np.dtype(np.int64))
        count = self.logits.shape[-1]
        inside = (value >= 0) & (value < count)
        check(inside, "Categorical.log_prob", f"value: an element is not from 0 to {count - 1}")
        index, logits = broadcast_tensors(value.unsqueeze(-1), self.logits)
        return gather(logits, -1, index[..., :1]).squeeze(-1)

    @checked_call
    def entropy(self):
        """Return the entropy in nats."""
        return -(clamp(self.logits, min=float(np.finfo(self.logits.dtype).min)) * self.probs).sum(-1)


class Bernoulli(Distribution):
    """1 with a probability, else 0.

    Parameters
    ----------
    probs : Tensor or float, optional
    logits : Tensor or float, optional
        ``log(probs / (1 - probs))``, in place of it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.distributions.Bernoulli(0.25).log_prob(1.0).exp()
    tensor(0.25, dtype=float64)
    """

    @checked_call
    def __init__(self, probs=None, logits=None):
        x, are_probs = probabilities_or_logits("Bernoulli", probs, logits)
        if are_probs:
            check((x >= 0) & (x <= 1), "Bernoulli", "probs: a number is not between 0 and 1")
            inner = kept_from_ends(x)
            self.probs, self.logits = x, log(inner) - log(1 - inner)
        else:
            self.probs, self.logits = sigmoid(x), x
        self.batch_shape = x.shape

    mean = property(lambda self: self.probs, doc="Tensor: The mean.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="Tensor: The variance.")

    @checked_call
    def sample(self, sample_shape=()):
        """Draw zeros and ones; they are not recorded."""
        shape = (*sample_shape, *self.batch_shape)
        return bernoulli(self.probs.detach().expand(shape))

    @checked_call
    def log_prob(self, value):
        """Return the logarithm of the probability of each 0 or 1."""
        return real(value, self.logits) * self.logits - logaddexp(self.logits, 0.0)

    @checked_call
    def entropy(self):
        """Return the entropy in nats."""
        return logaddexp(self.logits, 0.0) - self.probs * self.logits


def between_normals(p, q):
    """Return the divergence of two normal distributions."""
    ratio = (p.scale / q.scale).square()
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).square() - 1 - log(ratio))


def between_categories(p, q):
    """Return the divergence of two categorical distributions; what has no probability adds nothing."""
    return where(p.probs > 0, p.probs * (p.logits - q.logits), 0.0).sum(-1)


def between_bernoullis(p, q):
    """Return the divergence of two Bernoulli distributions."""
    difference = p.probs * (p.logits - q.logits)
    return difference + logaddexp(q.logits, 0.0) - logaddexp(p.logits, 0.0)


DIVERGENCES = {Normal: between_normals, Categorical: between_categories, Bernoulli: between_bernoullis}


@checked_call
def kl_divergence(p, q):
    """Return the Kullback-Leibler divergence of two distributions of one kind, elementwise.

    Parameters
    ----------
    p, q : Normal, Categorical or Bernoulli

    Examples
    --------
    >>> from tinygrad_relu.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5, dtype=float64)
    """
    if type(p) is not type(q) or type(p) not in DIVERGENCES:
        raise ArgumentError(
            f"kl_divergence: {type(p).__name__} and {type(q).__name__}: it is there for two of "
            f"{', '.join(kind.__name__ for kind in DIVERGENCES)}"
        )
    return DIVERGENCES[type(p)](p, q)
