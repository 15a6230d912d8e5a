"""`Target`: a right gradient, and how far what an edited function gives may be from it."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.evidence import DIGITS, tolerance


class Target:
    """The right gradient of one input.

    Parameters
    ----------
    one : Evidence
    k : int
        The number of the input.
    """

    def __init__(self, one, k):
        self.expected, self.written = one.expected[k], one.analytic[k]
        self.size = np.abs(self.expected)
        self.largest = self.size.max(initial=0)
        # What is allowed for the wrong gradient grows with it: that for another one is its own.
        self.error = np.maximum(one.allowed[k] - tolerance(self.written, self.expected), 0) + 2e-300
        self.missed = ~self.elements(self.written)

    def elements(self, x):
        """Return which elements of a gradient are right."""
        x = np.asarray(x)
        scale, digits = max(self.largest, np.abs(x).max(initial=0)), DIGITS[x.dtype == np.float32]
        return np.abs(x - self.expected) <= self.error + 2 * digits * (self.size + scale)

    def is_reached(self, x):
        """Tell whether a gradient is right."""
        if x is None or np.shape(x) != self.expected.shape or not np.isfinite(x).all():
            return False
        return bool(self.elements(x).all())
