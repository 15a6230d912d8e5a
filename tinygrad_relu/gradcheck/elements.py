"""Comparison element by element."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.comparison import blank
from tinygrad_relu.gradcheck.kinks import ROUGH, Slant
from tinygrad_relu.gradcheck.neighbourhood import Direction, Element, random_moves

# So many elements that are wrong beyond doubt are enough; the others are as a glance finds them.
ENOUGH = 6
# How many elements of one input are looked at closely at most.
CLOSELY = 600
# So many inputs on kinks are looked at two by two.
MOST_TOGETHER = 8
# How far the points are where a backward is called later, at which what it keeps is clearly another.
FARTHER = (0.1, 0.1)
BENT = (Slant.ON_KINK, Slant.SEVERAL_KINKS)


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
    kinked = any(one.slant in BENT for one in found.findings.values())
    # In float32 single elements often do not stand out from rounding.
    if (kinked or at.eps > ROUGH) and found.findings and not found.wrong:
        # Each slope may lie between its sides, or within its error, and all of them together not.
        look_along(inspector, lines_of(at, position, seed), found)
    if kinked:
        look_at_ties(inspector, position, seed, found)
        look_at_cones(inspector, position, found)
    look_at_equals(inspector, position, found)
    look_nearby(inspector, position, seed, found)
    look_after_the_first_call(inspector, position, seed, found)
    return found


def compare_together(inspector, findings, seed):
    """Compare along directions in which inputs that are on kinks move alike, or in opposite ways.

    Two elements that tie may each have any part of the slope, but no more than all of it together.
    """
    at = inspector.at
    bent = [
        k for k, found in enumerate(findings)
        if not found.wrong and any(one.slant is Slant.ON_KINK for one in found.findings.values())
    ]
    rng = np.random.default_rng([seed, 6])
    for a, b in itertools.combinations(bent[:MOST_TOGETHER], 2):
        if at.point[a].shape != at.point[b].shape:
            continue
        move = np.maximum(at.sizes[a], at.sizes[b]) * rng.uniform(0.5, 1.5, at.point[a].shape)
        for sign in (1.0, -1.0):
            finding = inspector.judged(line := Direction(at, {a: move, b: sign * move}))
            if finding.slant is Slant.WRONG:
                finding = inspector.inspect(line)
            if finding.slant is Slant.WRONG:
                findings[a].lines.append(finding)
                findings[b].lines.append(finding)
                break


def lines_of(at, position, seed, sizes=None):
    """Return random directions for one input, the last one along which all of its gradient adds up.

    The moves are uneven, lest slopes of the same size cancel, and in proportion to `sizes`, by default
    those of the elements.
    """
    rng = np.random.default_rng([seed, 2, position])
    lines = [Direction(at, random_moves(at, rng, [position], sizes))]
    gradient = at.floating_gradient(0, position)
    if gradient is not None and np.isfinite(gradient).all():
        move = random_moves(at, rng, [position], sizes)[position]
        along = np.where(gradient == 0, move, np.copysign(move, gradient))
        lines.append(Direction(at, {position: along}))
    return lines


def look_along(inspector, lines, found):
    """Compare along lines, until one of them is wrong."""
    for line in lines:
        finding = inspector.judged(line)
        if finding.slant is Slant.WRONG:
            finding = inspector.inspect(line)
        found.lines.append(finding)
        if finding.slant is Slant.WRONG:
            return line
    return None


def look_at_ties(inspector, position, seed, found):
    """Compare along a line on which all elements grow, so that shares in ties add up."""
    if found.wrong:
        return
    at = inspector.at
    moves = random_moves(at, np.random.default_rng([seed, 8, position]), [position])
    line = Direction(at, {position: np.abs(moves[position])})
    if inspector.ties_counted_twice(line):
        finding = inspector.compared(line)[0]
        finding.slant = Slant.WRONG
        found.lines.append(finding)


def look_at_equals(inspector, position, found):
    """Compare along the line on which all elements grow alike, so that those that are equal stay so."""
    x = inspector.at.point[position]
    if found.wrong or np.unique(x).size == x.size:
        return
    move = np.full(x.shape, np.median(inspector.at.scales[position]))
    finding = inspector.tied_otherwise(Direction(inspector.at, {position: move}))
    if finding is not None:
        found.lines.append(finding)


def look_at_cones(inspector, position, found):
    """Compare where all elements on kinks move as the gradient does, which a length at 0 allows least."""
    at = inspector.at
    slants = {index: one.slant for index, one in found.findings.items() if one.slant in BENT}
    gradient = at.floating_gradient(0, position)
    if found.wrong or len(slants) < 2 or Slant.SEVERAL_KINKS in slants.values() or gradient is None:
        return
    move = np.zeros(gradient.shape)
    for index in slants:
        move[index] = gradient[index]
    if not move.any():
        return
    move *= max(at.scales[position][index] for index in slants) / np.abs(move).max()
    finding = inspector.beyond_a_cone(Direction(at, {position: move}))
    if finding is not None:
        found.lines.append(finding)


def look_nearby(inspector, position, seed, found):
    """Look for mistakes at points nearby where a gradient may pass only because of a kink here."""
    slants = {one.slant for one in found.lines}
    if found.wrong or Slant.SEVERAL_KINKS in slants:
        return
    at = inspector.at
    rounded = at.sizes_but_for_rounding()
    suspect = {*BENT} if rounded is None else {*BENT, Slant.NEAR_KINK}
    bent = (slants | {one.slant for one in found.findings.values()}) & suspect
    gradient = at.floating_gradient(0, position)
    ends = gradient is not None and not np.isfinite(gradient).all()
    # Where rounding hides much, points nearby are further witnesses along a direction.
    if not bent and not ends and not (slants and at.eps > ROUGH):
        return
    for sizes in [None] if rounded is None else [None, rounded]:
        wrong = inspector.wrong_nearby(lines_of(at, position, seed, sizes)[-1], sizes)
        if wrong:
            keep_from(wrong[0], inspector, position, found)
            return


def keep_from(there, inspector, position, found):
    """Keep what the largest elements of a gradient are at another point."""
    at = inspector.at
    size = np.abs(there.at.floating_gradient(0, position) * at.scales[position]).ravel()
    for flat in np.argsort(size)[::-1][:ENOUGH]:
        index = tuple(int(k) for k in np.unravel_index(flat, at.point[position].shape))
        element = Element(there.at, position, index, at.scales[position][index])
        found.elsewhere.append((index, there.compared(element)[0], float(element.scale)))


def look_after_the_first_call(inspector, position, seed, found):
    """Look for a gradient by hand that is what it was in the first call, at other points, too.

    That of all inputs may be so, if it was computed beforehand.
    """
    at = inspector.at
    first = at.floating_gradient(0, position)
    if found.wrong or first is None or not first.any() or at.problem.own_graph or at.eps > ROUGH:
        return
    line, others = lines_of(at, position, seed)[-1], list(inspector.nearby(FARTHER))
    for there in others:
        kept = [
            np.array_equal(at.floating_gradient(0, k), there.at.floating_gradient(0, k))
            for k in range(len(at.point))
        ]
        wrong = kept[position] and not all(kept)
        if not wrong or there.inspect(line.at_another(there.at)).slant is not Slant.WRONG:
            return
    if len(others) == len(FARTHER):
        keep_from(others[0], inspector, position, found)


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
