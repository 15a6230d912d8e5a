"""Drawing from given probabilities."""

import numpy as np

from tinygrad_relu.creation import default_generator
from tinygrad_relu.engine import Tensor, checked_call, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError


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
    generator : numpy.random.Generator, optional
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
    generator = generator or default_generator()
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
