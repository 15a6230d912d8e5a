"""The slopes of a function along a line on all sides of a point, where its steps cannot be followed.

Where several kinks meet a right slope may lie outside of those of the two sides along its line, but not
far beyond those that the function has in the pieces around.
"""

import numpy as np

from tinygrad_relu.gradcheck.neighbourhood import random_moves

# At so many points around the slopes are looked at, at these distances in turn.
POINTS = 48
RADII, ROUGH_RADII = (1e-2, 1e-4), (5e-2, 1e-2)
# The part of such a distance that the differences there take.
STEP = 1e-2


def range_of_slopes(line, sides, rough, seed):
    """Return the least and the largest slope that may be right at the start of a line.

    These are twice as far apart as the slopes seen.  Where all kinks have slope 0, that of the whole is
    often 0, and where all have that of their steep side, twice the mean of what is seen around.

    Parameters
    ----------
    line : Element or Direction
    sides : list of ndarray
        The slopes of the two sides at the point itself, one entry for each set of cotangents.
    rough : bool
        Whether numbers are less precise than float64.
    seed : int
        Of the points around.

    Returns
    -------
    low, high : ndarray
    """
    around = slopes_around(line, rough, np.random.default_rng([seed, 10]))
    with np.errstate(invalid="ignore"):
        seen = np.stack([*sides, *around, 2 * np.mean(around, axis=0), 0 * around[0]])
    seen = np.where(np.isfinite(seen), seen, 0.0)
    low, high = seen.min(axis=0), seen.max(axis=0)
    return low - 0.5 * (high - low), high + 0.5 * (high - low)


def slopes_around(line, rough, rng):
    """Return the slopes along a line at random points around its start."""
    radii = ROUGH_RADII if rough else RADII
    found = []
    for number in range(POINTS):
        radius = radii[number % len(radii)]
        moves = random_moves(line.at, rng)
        rises = [
            line.at.rises([
                np.asarray(x + radius * moves.get(k, 0.0), x.dtype) for k, x in enumerate(line.values(t))
            ])
            for t in (STEP * radius, -STEP * radius)
        ]
        with np.errstate(invalid="ignore"):
            found.append((rises[0] - rises[1]) / (2 * STEP * radius))
    return np.array(found)
