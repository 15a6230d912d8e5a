"""A step length that fulfils the strong Wolfe conditions.

Nocedal and Wright, "Numerical optimization", second edition, 2006, algorithms 3.5 and 3.6 and equation
3.59; where a point of the interpolation may lie is as in Schmidt's minFunc, which PyTorch follows.
"""

import math
from typing import NamedTuple

import numpy as np

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9


class Point(NamedTuple):
    """Where a search has looked: how far along, the value, the slope, and the gradient there."""

    t: float
    value: float
    slope: float
    gradient: np.ndarray


def cubic_minimum(a, b, low=None, high=None):
    """Return where between `low` and `high` the cubic through two points and their slopes is least."""
    low = min(a.t, b.t) if low is None else low
    high = max(a.t, b.t) if high is None else high
    a, b = (a, b) if a.t <= b.t else (b, a)
    with np.errstate(all="ignore"):
        mean = a.slope + b.slope - 3 * np.divide(a.value - b.value, a.t - b.t)
        square = mean * mean - a.slope * b.slope
        # Beyond where the function ends (NaN, infinities) there is nothing to fit.
        if not 0 <= square < math.inf:
            return (low + high) / 2
        root = math.sqrt(square)
        t = b.t - (b.t - a.t) * float(np.divide(b.slope + root - mean, b.slope - a.slope + 2 * root))
    # NaN becomes the lower end.
    return min(t if t > low else low, high)


def strong_wolfe(evaluate, start, t, reach, tolerance, most):
    """Return the best point found along a direction, and how many were looked at.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(t)`` returns the `Point` at the step length `t`.
    start : Point
        At 0; its slope is negative.
    t : float
        The first length to try.
    reach : float
        The largest absolute element of the direction: a bracket is narrow enough when it moves no
        parameter by more than `tolerance`.
    most : int
        How many more points to look at than the first.
    """

    def too_high(point):
        # NaN is too high: the function has ended on the way there.
        return not point.value <= start.value + SUFFICIENT_DECREASE * point.t * start.slope

    def flat(point):
        return abs(point.slope) <= -CURVATURE * start.slope

    before, here, looks = start, evaluate(t), 0
    while looks < most:
        if too_high(here) or (looks > 1 and here.value >= before.value):
            break
        if flat(here):
            return here, looks + 1
        if here.slope >= 0:
            break
        ahead = cubic_minimum(before, here, here.t + 0.01 * (here.t - before.t), 10 * here.t)
        before, here = here, evaluate(ahead)
        looks += 1
    else:
        # PyTorch goes back to the start where the last point is no better than it: the one before is.
        return here if here.value < start.value else before, looks + 1
    return zoomed(evaluate, before, here, too_high, flat, looks, reach, tolerance, most)


def zoomed(evaluate, a, b, too_high, flat, looks, reach, tolerance, most):
    """Return the best point of a bracket that is made narrower, and how many were looked at."""
    low, high = (b, a) if b.value < a.value else (a, b)
    stalled = False
    while looks < most and not abs(high.t - low.t) * reach < tolerance:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t, margin = cubic_minimum(low, high), 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stalled or t >= right or t <= left):
            # Two points in a row so near to an end make no progress: move away from it.
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near = False
        stalled = near
        here = evaluate(t)
        looks += 1
        if too_high(here) or here.value >= low.value:
            high = here
            if high.value < low.value:
                low, high = high, low
        elif flat(here):
            return here, looks + 1
        else:
            if here.slope * (high.t - low.t) >= 0:
                high = low
            low = here
    return low, looks + 1
