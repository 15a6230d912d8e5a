"""Functions that are recorded as the steps that they are made of: each is a rule that people know."""

import numpy as np


def variance(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    """Write a variance out, so that its mean is a step of its own."""
    mean = np.mean(x, axis=axis, keepdims=True)
    if mean.number is not None:
        # What flows back through it is 0, and nobody writes it.
        mean.recording.steps[mean.number].flows = False
    apart = x - mean
    total = np.sum(np.square(apart), axis=axis, keepdims=keepdims)
    return (
        total / (np.size(x) / np.size(total) - ddof)
        if ddof
        else np.mean(np.square(apart), axis=axis, keepdims=keepdims)
    )


def deviation(x, *arguments, **keywords):
    """Write a standard deviation out."""
    return np.sqrt(variance(x, *arguments, **keywords))


def norm(x, ord=None, axis=None, keepdims=False):
    """Write a Euclidean norm out; None for any other."""
    if ord not in (None, 2, "fro") or (ord == 2 and axis is None and x.ndim > 1):
        return None
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


def log_sum_exp(x, axis=None, keepdims=False, **keywords):
    """Write the logarithm of a sum of exponentials out."""
    largest = np.max(x, axis=axis, keepdims=True)
    shifted = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    if keepdims:
        return shifted
    gone = range(x.ndim) if axis is None else [a % x.ndim for a in np.atleast_1d(axis)]
    return shifted.reshape(tuple(n for a, n in enumerate(x.shape) if a not in gone))


def quotient(x, y, **keywords):
    """Write ``x / (1 + exp(-z))`` out as `x` times a sigmoid, as is usual; None for any other."""
    if keywords or getattr(x, "recording", None) is None or getattr(y, "recording", None) is None:
        return None
    steps = y.recording.steps
    number = y.up_to_date()
    if number is None or x.up_to_date() is None or steps[number].function is not np.add:
        return None
    if not any(steps[k].function is np.exp for k in steps[number].references):
        return None
    ones = [one for one in steps[number].arguments if np.ndim(one) == 0 and one == 1]
    return x * (1.0 / y) if ones else None


def difference(x, n=1, axis=-1, **keywords):
    """Write the differences of neighbours out; None for any but the first ones."""
    if n != 1 or keywords:
        return None
    before, after = ([slice(None)] * x.ndim for _ in range(2))
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return x[tuple(after)] - x[tuple(before)]


#: Functions that are recorded as the steps that they are made of.
SPELLED_OUT = {
    np.var: variance, np.std: deviation, np.linalg.norm: norm, np.divide: quotient,
    np.diff: difference,
}
