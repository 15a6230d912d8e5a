"""Kinks of many elements together, such as that of a length at 0, where all slopes lie in a ball.

Each element of a gradient may lie between the slopes of its two sides there, and all together not.  A
direction shows it; but where kinks of opposite turns meet, none of which lies between the sides of the
whole, a right gradient looks the same.  They differ in whether the function turns one way only.
"""

import numpy as np

from tinygrad_relu.gradcheck.differences import first_step
from tinygrad_relu.gradcheck.neighbourhood import Direction

# In so many planes through a line the function is looked at, in so many directions of each.
PLANES, DIRECTIONS = 3, 128
# A turn of this part of the largest one is none, and a slope this much beyond all is.
NO_TURN, BEYOND = 1e-4, 1e-2
# How small the errors have to be, in proportion to the turns, for these to show anything.
SHOWN = 1e-2


def turns_one_way(line, eps, noise, rng):
    """Tell of which functions the slopes around a point rise, or fall, with every turn of a direction.

    Such a function is convex, or concave, as far as its slopes at the point tell, so that each right
    slope lies between those of the two sides in every direction.

    Parameters
    ----------
    line : Direction
        Which lies in all planes that are looked at.
    eps : float
    noise : ndarray
        That of the values.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of bool
        For each set of cotangents.
    """
    convex, concave = np.ones(noise.shape, bool), np.ones(noise.shape, bool)
    for _ in range(PLANES):
        other = {k: move * rng.uniform(-1.5, 1.5, move.shape) for k, move in line.moves.items()}
        slopes, doubt = slopes_around(line, other, eps, noise)
        turns = np.roll(slopes, 1, axis=0) + np.roll(slopes, -1, axis=0)
        turns -= 2 * np.cos(2 * np.pi / DIRECTIONS) * slopes
        least = NO_TURN * np.abs(turns).max(axis=0) + 4 * doubt
        shown = least <= SHOWN * np.abs(turns).max(axis=0)
        convex &= shown
        concave &= shown
        convex &= (turns > -least).all(axis=0) & (turns > least).any(axis=0)
        concave &= (turns < least).all(axis=0) & (turns < -least).any(axis=0)
    return convex | concave


def slopes_around(line, other, eps, noise):
    """Return the slopes of one side in all directions of the plane of two moves, and their doubt."""
    step = 0.25 * first_step(eps)
    slopes = []
    for angle in 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS:
        a, b = np.cos(angle), np.sin(angle)
        turned = Direction(line.at, {k: a * line.moves[k] + b * other[k] for k in line.moves})
        slopes.append((4 * turned(step / 2)[1] - turned(step)[1]) / step)
    return np.array(slopes), 8 * noise / step


def is_beyond(finding):
    """Tell for each set of cotangents whether a slope lies clearly beyond those of the two sides."""
    low, high = np.minimum(finding.left, finding.right), np.maximum(finding.left, finding.right)
    doubt = BEYOND * (np.abs(low) + np.abs(high)) + 4 * (finding.left_error + finding.right_error)
    with np.errstate(invalid="ignore"):
        return (finding.analytic < low - doubt) | (finding.analytic > high + doubt)
