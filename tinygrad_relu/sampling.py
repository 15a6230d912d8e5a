"""Drawing tensors at random, and filling tensors in place with what is drawn."""

import numpy as np

from tinygrad_relu.creation import asarray, of_shape, shape_and_dtype
from tinygrad_relu.engine import Tensor, add_methods, checked_call, get_default_dtype, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tinygrad_relu.random import source_of


@checked_call
def rand(*shape, size=(), generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn evenly from 0 (included) to 1.

    Parameters
    ----------
    *shape : int or tuple of int
    generator : Generator or numpy.random.Generator, optional
        The one that `manual_seed` seeds, if none is given.
    """
    draw = source_of("rand", generator).random

    def fill(n, kind):
        # Rounded to a smaller dtype, what is just below 1 would be 1.
        floating("rand", kind)
        return np.minimum(np.asarray(draw(n)).astype(kind), np.nextafter(kind.type(1), kind.type(0)))

    return of_shape("rand", fill, shape or size, requires_grad, dtype, device)


@checked_call
def randn(*shape, size=(), generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn from the standard normal distribution; see `rand`."""
    draw = source_of("randn", generator).standard_normal
    dtype = floating("randn", dtype or get_default_dtype())

    def fill(n, kind):
        return np.asarray(draw(n)).astype(kind)

    return of_shape("randn", fill, shape or size, requires_grad, dtype, device)


@checked_call
def randint(
    low, high=None, shape=None, generator=None, requires_grad=False, dtype=None, device=None
):
    """Return whole numbers drawn evenly from `low` to before `high`.

    As in PyTorch, ``randint(high, shape)`` begins at 0, and a floating `dtype` may be asked for.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.randint(0, 1, (2,)), tg.randint(1, (2,))
    (tensor([0, 0], dtype=int64), tensor([0, 0], dtype=int64))
    """
    if isinstance(high, (tuple, list)) and shape is None:
        low, high, shape = 0, low, high
    elif high is None:
        low, high = 0, low
    if shape is None:
        raise ArgumentError(
            "randint: shape is missing: the forms are randint(low, high, shape) and randint(high, shape)"
        )
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    draw = source_of("randint", generator).integers

    def fill(n, kind):
        drawn_as = np.int64 if kind.kind == "f" else kind       # which raises where `high` does not fit
        return np.asarray(draw(low, high, n, dtype=drawn_as)).astype(kind)

    return of_shape("randint", fill, (shape,), requires_grad, dtype or np.int64, device)


@checked_call
def randperm(count, generator=None, requires_grad=False, dtype=None, device=None):
    """Return the numbers from 0 to before `count` in random order."""
    if count < 0:
        raise RangeError(f"randperm: count is {count}: it is not negative")
    order = source_of("randperm", generator).permutation(count)
    return asarray(order.astype(dtype or np.int64), requires_grad, device=device)


@checked_call
def rand_like(x, generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn evenly from 0 to 1, in the shape and dtype of `x`."""
    shape, dtype = shape_and_dtype(x, dtype)
    dtype = floating("rand_like", dtype)
    return rand(
        shape, generator=generator, requires_grad=requires_grad, dtype=dtype, device=device
    )


@checked_call
def randn_like(x, generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn from the standard normal distribution, in the shape and dtype of `x`."""
    shape, dtype = shape_and_dtype(x, dtype)
    dtype = floating("randn_like", dtype)
    return randn(
        shape, generator=generator, requires_grad=requires_grad, dtype=dtype, device=device
    )


@checked_call
def randint_like(
    x, low, high=None, generator=None, requires_grad=False, dtype=None, device=None
):
    """Return whole numbers, drawn as by `randint`, in the shape and dtype of `x`."""
    shape, dtype = shape_and_dtype(x, dtype)
    return randint(low, high, shape, generator, requires_grad, dtype, device)


def floating(name, dtype):
    """Return `dtype`, or raise if fractions would be lost in it."""
    if np.dtype(dtype).kind != "f":
        raise DTypeError(
            f"{name}: the numbers are fractions, which dtype {np.dtype(dtype)} cannot hold: take a "
            "floating dtype"
        )
    return dtype


def given_by(x):
    """Return the array of what a distribution is given by; no gradient passes through a draw."""
    return x.detach().numpy() if isinstance(x, Tensor) else x


@checked_call
def normal(mean=0.0, std=1.0, shape=None, generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn from normal distributions.

    Parameters
    ----------
    mean, std : Tensor or float
        Broadcast against each other, and into `shape` if that is given.  No gradient passes to them:
        for that write ``mean + std * randn(shape)``.
    shape : tuple of int, optional
    generator : Generator or numpy.random.Generator, optional
    requires_grad : bool, default False
    dtype : dtype, optional
        That of `mean` and `std` if one is a floating tensor, else the default.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.normal(tg.tensor([1.0, 2.0]), 0.0)
    tensor([1., 2.], dtype=float64)
    """
    center, spread = given_by(mean), given_by(std)
    if np.any(np.asarray(spread) < 0):
        raise RangeError("normal: std is negative somewhere: it is at least 0")
    if dtype is None:
        kinds = [x.dtype for x in (center, spread) if getattr(x, "dtype", None) is not None]
        kinds = [kind for kind in kinds if kind.kind == "f"]
        dtype = np.result_type(*kinds) if kinds else get_default_dtype()
    drawn = source_of("normal", generator).normal(center, spread, shape)
    return asarray(np.asarray(drawn).astype(floating("normal", dtype)), requires_grad, device=device)


@checked_call
def bernoulli(x, p=None, generator=None, requires_grad=False, dtype=None, device=None):
    """Return 1 with the probability that each element of `x` says, and 0 otherwise.

    With `p`, that is the probability of all, and `x` gives shape and dtype only.  No gradient passes
    to the probabilities.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.bernoulli(tg.tensor([0.0, 1.0]))
    tensor([0., 1.], dtype=float64)
    """
    shape, dtype = shape_and_dtype(x, dtype)
    chance = np.asarray(given_by(x if p is None else p))
    if not np.all((chance >= 0) & (chance <= 1)):
        raise RangeError("bernoulli: a probability is not between 0 and 1")
    hits = source_of("bernoulli", generator).random(shape) < chance
    return asarray(np.asarray(hits).astype(dtype), requires_grad, device=device)


@checked_call
def multinomial(x, num_samples, replacement=False, generator=None):
    """Draw indices of the elements of `x`, with probabilities in proportion to them.

    Parameters
    ----------
    x : Tensor
        Numbers that are not negative, and not all 0, along one axis; or rows of them.
    num_samples : int
        How many to draw, from each row.
    replacement : bool, default False
        Whether one index may be drawn again.
    generator : Generator or numpy.random.Generator, optional
        The one that `manual_seed` seeds, if none is given.

    Returns
    -------
    Tensor of int64
        Of shape (num_samples,), or (rows, num_samples).

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.multinomial(tg.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
    tensor([1, 1, 1], dtype=int64)
    """
    if np.iscomplexobj(x.detach() if isinstance(x, Tensor) else x):
        raise DTypeError("multinomial: x is complex: pass real numbers")
    weights = np.asarray(x.detach() if isinstance(x, Tensor) else x, np.float64)
    if weights.ndim not in (1, 2):
        raise ShapeError(f"multinomial: x has shape {weights.shape}: one or two axes are needed")
    if isinstance(num_samples, bool) or not isinstance(num_samples, (int, np.integer)):
        raise ArgumentError(f"multinomial: num_samples is {num_samples!r}: it is a whole number")
    if num_samples < 1:
        raise RangeError(f"multinomial: num_samples is {num_samples}: at least one is drawn")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise RangeError("multinomial: x holds a number that is negative, infinite or NaN")
    possible = (weights > 0).sum(-1).min(initial=weights.shape[-1])
    if possible < (1 if replacement else num_samples):
        raise RangeError(
            f"multinomial: {num_samples} samples are asked for, and only {possible} elements of a row "
            "are not 0"
        )
    generator = source_of("multinomial", generator)
    if replacement:
        return sharing(with_replacement(weights, num_samples, generator))
    # The first to arrive of processes of these rates are such a sample: Efraimidis and Spirakis, 2006.
    with np.errstate(divide="ignore"):
        arrivals = generator.standard_exponential(weights.shape) / weights
    return sharing(np.argsort(arrivals, -1)[..., :num_samples].copy())


def with_replacement(weights, count, generator):
    """Return indices drawn independently, by inversion of the distribution function."""
    steps = np.cumsum(weights / weights.max(-1, keepdims=True), -1)
    drawn = generator.random((*weights.shape[:-1], count)) * steps[..., -1:]
    if weights.ndim == 1:
        steps, drawn = steps[None], drawn[None]
    found = np.array([np.searchsorted(row, at, "right") for row, at in zip(steps, drawn)])
    # A product may be rounded up to the end of the last step that has a width.
    last = [np.searchsorted(row, row[-1]) for row in steps]
    found = np.minimum(found, np.array(last, np.int64)[:, None])
    return found.reshape(*weights.shape[:-1], count).astype(np.int64)


@checked_call
def poisson(x, generator=None):
    """Draw from Poisson distributions of the rates `x`, in its shape and dtype.

    No gradient passes to the rates.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.poisson(tg.tensor([0.0, 0.0]))
    tensor([0., 0.], dtype=float64)
    """
    rates = x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x, np.float64)
    if not (rates >= 0).all():
        raise RangeError("poisson: a rate is negative or NaN")
    return sharing(np.asarray(source_of("poisson", generator).poisson(rates)).astype(rates.dtype))


# ------------------------------------------------------------------------------------- in place


def filled(name, x, draw, generator):
    """Fill a tensor in place with what `draw` gives of a generator and a shape."""
    x[...] = np.asarray(draw(source_of(name, generator), x.shape)).astype(x.dtype)
    return x


@checked_call
def uniform_(x, low=0.0, high=1.0, generator=None):
    """Fill with numbers drawn evenly from `low` to `high`, in place; PyTorch's `from` is our `low`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> bool((tg.zeros(3).uniform_(2.0, 3.0) >= 2.0).all())
    True
    """
    floating("uniform_", x.dtype)
    if not low <= high:
        raise RangeError(f"uniform_: low is {low}, and high is {high}: it is not lower")
    return filled("uniform_", x, lambda source, shape: source.uniform(low, high, shape), generator)


@checked_call
def normal_(x, mean=0.0, std=1.0, generator=None):
    """Fill with numbers drawn from a normal distribution, in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2).normal_(5.0, 0.0)
    tensor([5., 5.], dtype=float64)
    """
    floating("normal_", x.dtype)
    if not std >= 0:
        raise RangeError(f"normal_: std is {std}: it is at least 0")
    return filled("normal_", x, lambda source, shape: source.normal(mean, std, shape), generator)


@checked_call
def exponential_(x, lambd=1.0, generator=None):
    """Fill with numbers drawn from the exponential distribution of the rate `lambd`, in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> bool((tg.zeros(3).exponential_(0.5) >= 0).all())
    True
    """
    floating("exponential_", x.dtype)
    if not lambd > 0:
        raise RangeError(f"exponential_: lambd is {lambd}: it is larger than 0")
    mean = 1 / lambd
    return filled("exponential_", x, lambda source, shape: source.exponential(mean, shape), generator)


@checked_call
def bernoulli_(x, p=0.5, generator=None):
    """Fill with 1 of the probability `p`, a number or tensor, and 0 otherwise, in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2).bernoulli_(1.0)
    tensor([1., 1.], dtype=float64)
    """
    chance = np.asarray(p.detach() if isinstance(p, Tensor) else p)
    if not ((chance >= 0) & (chance <= 1)).all():
        raise RangeError("bernoulli_: a probability is not between 0 and 1")
    return filled("bernoulli_", x, lambda source, shape: source.random(shape) < chance, generator)


@checked_call
def random_(x, low=0, high=None, generator=None):
    """Fill with whole numbers drawn evenly from `low` on and below `high`, in place.

    With one number that is `high`.  Without any they go as far as the dtype holds all whole numbers.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> bool((tg.zeros(9, dtype=tg.int64).random_(3) < 3).all())
    True
    """
    if high is None and low != 0:
        low, high = 0, low
    if high is None:
        kind = x.dtype.kind
        high = 2 if kind == "b" else (
            2 ** (np.finfo(x.dtype).nmant + 1) if kind == "f" else np.iinfo(x.dtype).max
        )
    if not low < high:
        raise RangeError(f"random_: low is {low}, and high is {high}: it is not lower")
    return filled("random_", x, lambda source, shape: source.integers(low, high, shape), generator)


add_methods({
    "bernoulli": bernoulli,
    "bernoulli_": bernoulli_,
    "exponential_": exponential_,
    "multinomial": multinomial,
    "normal_": normal_,
    "random_": random_,
    "uniform_": uniform_,
})
