"""Comparison element by element."""

import numpy as np

from tinygrad_relu.gradcheck.comparison import blank
from tinygrad_relu.gradcheck.kinks import Slant
from tinygrad_relu.gradcheck.neighbourhood import Direction, Element, random_moves

# So many elements that are wrong beyond doubt are enough; the others are as a glance finds them.
ENOUGH = 6
# How many elements of one input are looked at closely at most.
CLOSELY = 600


def compare(inspector, position, seed):
    """Compare the gradients of one input with differences, element by element.

    Returns
    -------
    Comparison
    """
    at = inspector.at
    found = blank(at, position)
    doubtful = []
    for index in np.ndindex(at.point[position].shape):
        line = Element(at, position, index)
        slope, settled = inspector.glance(line)
        scale = line.scale
        found.numerical[(slice(None), *index)] = slope.numerical / scale
        found.error[(slice(None), *index)] = slope.error / scale
        if settled:
            found.weigh(slope)
        else:
            doubtful.append((excess(slope), index))
    look_closely(inspector, position, doubtful, found)
    kinked = any(one.slant is not Slant.RIGHT for one in found.findings.values())
    if kinked and not found.wrong:
        # Each slope may lie between its sides, and all of them together not.
        rng = np.random.default_rng([seed, 2, position])
        for _ in range(2):
            line = Direction(at, random_moves(at, rng, [position]))
            found.lines.append(inspector.inspect(line))
    return found


def look_closely(inspector, position, doubtful, found):
    """Take more differences for elements that a glance does not settle, worst first."""
    at, wrong = inspector.at, 0
    doubtful.sort(key=lambda pair: -pair[0])
    for count, (_, index) in enumerate(doubtful):
        line = Element(at, position, index)
        finding = inspector.inspect(line)
        found.keep(index, finding, line.scale)
        found.weigh(finding)
        wrong += finding.slant is Slant.WRONG
        if wrong >= ENOUGH or count >= CLOSELY:
            break


def excess(finding):
    """Return how far the gradient is off, counted in errors of the difference."""
    with np.errstate(all="ignore"):
        ratio = np.abs(finding.analytic - finding.numerical) / (finding.error + 1e-300)
    return float(np.nanmax(np.where(np.isnan(ratio), np.inf, ratio)))
