"""Numbers that mean something: 2, 1/2, the length of an axis."""

from fractions import Fraction

import numpy as np

LARGEST_DENOMINATOR = 30
WORDS = {
    2.0: "twice",
    0.5: "half",
    -1.0: "minus once",
    -2.0: "minus twice",
    3.0: "three times",
    4.0: "four times",
    0.25: "a quarter of",
    -0.5: "minus half",
}


def simple(c, lengths=()):
    """Return how to say a number in front of ``times``, or None if it is not a simple one.

    Parameters
    ----------
    c : float
    lengths : sequence of int
        Those of axes, and numbers of elements.

    Examples
    --------
    >>> simple(0.125, [8])
    '1/8'
    >>> simple(0.37)
    """
    for n in (*range(1, 13), *lengths):
        for sign in (1, -1):
            if close(c, sign * n):
                return f"{sign * n}"
            if n and close(c, sign / n):
                return f"{'-' if sign < 0 else ''}1/{n}"
    return None


def told(c):
    """Return a number in few characters: a fraction where it is one of small numbers.

    Examples
    --------
    >>> told(7 / 3), told(1.25), told(2 ** 0.5), told(1 + 1e-7)
    ('7/3', '1.25', '1.41421', '1.0000001')
    """
    decimal = f"{c:.6g}"
    if float(decimal) == np.sign(c) != c:
        return f"{c:.10g}"
    near = Fraction(c).limit_denominator(LARGEST_DENOMINATOR) if np.isfinite(c) else None
    short = len(decimal.strip("-0.").replace(".", "")) <= 4 or near is None or near.denominator == 1
    if short or near == 0 or abs(c - near) > 1e-7 * abs(c):
        return decimal
    return f"{near.numerator}/{near.denominator}"


def close(a, b):
    """Tell whether two numbers are the same but for rounding."""
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def is_number(x):
    """Tell whether an argument is a plain number."""
    return isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool)


def probing(k):
    """Return the random numbers for directions along which the gradient of input `k` is looked at.

    They are none that the user is likely to have drawn: along an input of unit length, say, much is 0.
    """
    return np.random.default_rng([k, 271828])
