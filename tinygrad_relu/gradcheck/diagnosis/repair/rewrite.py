"""`Rewrite`: one place of a backward written otherwise; and what all kinds of them are made with.

What is wrong is what a rewrite takes back: a sum in the place of a mean says that it is averaged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import two_values

ADDITIVE, MULTIPLICATIVE = (np.add, np.subtract), (np.multiply, np.divide)
REDUCTIONS = (np.sum, np.mean, np.max, np.min)
COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal)


@dataclass(frozen=True)
class Rewrite:
    """Another rule for the steps of one place.

    Attributes
    ----------
    means : callable
        ``means(c)``: what is wrong if this is right, how far it is behind others that serve as well, and
        in words what makes it right; or None where it means nothing.
    rule : callable
        ``rule(written, k, operands) -> ndarray``: the value of step `k`.
    free : bool
        Whether what the rule adds may be taken times any number ``c``, which is 1 otherwise.
    """

    means: Callable
    rule: Callable
    free: bool = False

    @classmethod
    def of(cls, label, cost, words, rule):
        """Return a rewrite whose meaning is known beforehand."""
        return cls(lambda _: (label, cost, words), rule)


def plainly(written, k, operands):
    """Return the value of a step as it is written."""
    return written.steps[k].called(operands)


def at_hand(written, place, shape):
    """Yield what can be broadcast to a shape, each once: a key for each round, and the first value."""
    for row in written.rows(len(place)):
        value = written.pool[row[0]]
        if value.ndim <= len(shape) and all(n in (1, m) for n, m in zip(value.shape[::-1], shape[::-1])):
            yield row, value


def taken(w, k, place, row):
    """Return what is at hand in the round of step `k`."""
    return w.pool[row[place.index(k)]]


def is_mask(x):
    """Tell whether an array lets some elements through and not others."""
    return x.dtype.kind == "b" or 0 in (two_values(x) or ())


def is_gradient(written, value):
    """Tell whether a value is, but for a number, the right gradient of something in the forward."""
    for key, x in written.pool.items():
        if key[0] in ("cotangent", "part") and x.shape == value.shape and x.size:
            largest = np.unravel_index(np.argmax(np.abs(x)), x.shape)
            c = value[largest] / x[largest] if x[largest] else 0.0
            if c and (np.abs(value - c * x) <= 1e-9 * np.abs(value).max(initial=0)).all():
                return True
    return False


def operand_changer(path):
    """Return what makes a rule of a function of one operand: ``change(written, k, x)``."""

    def with_operand(change):
        def rule(w, k, operands):
            operands = list(operands)
            slot = w.steps[k].paths.index(path)
            operands[slot] = change(w, k, operands[slot])
            return w.steps[k].called(operands)

        return rule

    return with_operand
