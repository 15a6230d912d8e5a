"""Taylor's test: with the right gradient the remainder falls with the square of the step."""

import numpy as np

from tinygrad_relu.gradcheck.neighbourhood import Direction, random_moves

# A function is called linear if errors of this part of its slope would be seen.
CLEAR = 1e-4


def taylor_order(at, seed):
    """Return the order of ``f(x + h v) - f(x) - h g.v`` in h, along one random direction of all inputs.

    It needs no tolerance: 2 for a right gradient, 1 for a wrong one.  Remainders that do not stand out
    from rounding tell nothing; if none does, and the slope stands out far, the function is linear there,
    and the order infinite.

    Returns
    -------
    float
        NaN if nothing can be told.
    """
    moves = random_moves(at, np.random.default_rng([seed, 4]))
    if not moves:
        return float("nan")
    line = Direction(at, moves)
    slope = line.analytic()[0][0]
    noise = 10 * at.noise[0]
    steps = 0.1 * 0.5 ** np.arange(12.0)
    rises = np.array([line(h)[1][0] for h in steps])
    with np.errstate(all="ignore"):
        remainders = np.abs(rises - steps * slope)
    if not np.isfinite(slope) or not np.isfinite(rises[-1]):
        return float("nan")
    clear = np.isfinite(remainders) & (remainders > noise + 32 * at.eps * np.abs(steps * slope))
    if not clear.any():
        return float("inf") if CLEAR * np.abs(steps[0] * slope) > noise else float("nan")
    # The smallest steps tell; larger ones still hold terms of higher order.
    usable = np.flatnonzero(clear)
    usable = usable[max(0, len(usable) - 5):]
    if len(usable) < 3:
        return float("nan")
    return float(np.polyfit(np.log2(steps[usable]), np.log2(remainders[usable]), 1)[0])
