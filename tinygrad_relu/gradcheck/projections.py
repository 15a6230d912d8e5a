"""Comparison along random directions, for inputs that have too many elements to take one by one."""

import numpy as np

from tinygrad_relu.gradcheck.comparison import blank
from tinygrad_relu.gradcheck.elements import (
    BENT,
    lines_of,
    look_along,
    look_at_cones,
    look_at_ties,
    look_nearby,
)
from tinygrad_relu.gradcheck.kinks import Slant
from tinygrad_relu.gradcheck.neighbourhood import Direction, Element, random_moves

# How many elements are looked at where a direction disagrees: those with the largest gradients, and some
# at random.  So many that are wrong are enough to see whether they are off by one factor.
LARGEST, RANDOM, ENOUGH = 4, 4, 3
# In so many directions the elements are looked for that a direction with kinks disagrees by.
SEARCHES = 2


def compare(inspector, position, seed):
    """Compare the gradients of one input with differences along random directions.

    Where they disagree, single elements are looked at until some are found that do.

    Returns
    -------
    Comparison
    """
    at = inspector.at
    found = blank(at, position)
    if not at.point[position].size:
        return found
    wrong = look_along(inspector, lines_of(at, position, seed), found)
    for finding in found.lines:
        found.weigh(finding)
    if wrong is not None:
        locate(inspector, position, wrong, found, np.random.default_rng([seed, 3, position]))
    elif any(finding.slant in BENT for finding in found.lines):
        look_at_kinks(inspector, position, found, np.random.default_rng([seed, 7, position]))
        look_at_ties(inspector, position, seed, found)
        look_at_cones(inspector, position, found)
    look_nearby(inspector, position, seed, found)
    return found


def locate(inspector, position, line, found, rng):
    """Look at single elements where a direction disagrees, until some of them do."""
    at, shape = inspector.at, inspector.at.point[position].shape
    with np.errstate(all="ignore"):
        size = np.nan_to_num(np.abs(found.analytic[0] * at.scales[position]).ravel(), nan=np.inf)
    largest = np.argsort(size)[::-1][:LARGEST]
    others = rng.choice(size.size, min(RANDOM, size.size), replace=False)
    wrong = 0
    for flat in dict.fromkeys(np.stack([largest, others], 1).ravel().tolist()):
        wrong += look_at(inspector, position, np.unravel_index(flat, shape), found) is Slant.WRONG
        if wrong == ENOUGH:
            break
    if not wrong:
        for flat in bisected(at, position, line.moves[position]):
            look_at(inspector, position, np.unravel_index(flat, shape), found)


def look_at_kinks(inspector, position, found, rng):
    """Look at single elements on kinks: together, kinks of opposite turns tell next to nothing."""
    at, shape = inspector.at, inspector.at.point[position].shape
    for _ in range(SEARCHES):
        move = random_moves(at, rng, [position])[position]
        for flat in bisected(at, position, move):
            look_at(inspector, position, np.unravel_index(flat, shape), found)
        if found.wrong:
            return


def look_at(inspector, position, index, found):
    """Compare one element, and return what the comparison tells."""
    index = tuple(int(k) for k in index)
    if index not in found.findings:
        line = Element(inspector.at, position, index)
        found.keep(index, inspector.inspect(line), line.scale)
    return found.findings[index].slant


def bisected(at, position, move):
    """Return the places of a few elements to look at: halves are halved where they disagree more.

    One difference tells for one half how far it is off, and what is missing to the whole is in the other.
    """
    step = 0.5 * at.eps**0.4

    def off(start, stop):
        part = np.zeros(move.size)
        part[start:stop] = move.reshape(-1)[start:stop]
        line = Direction(at, {position: part.reshape(move.shape)})
        with np.errstate(all="ignore"):
            return line.analytic()[0] - (line(step)[1] - line(-step)[1]) / (2 * step)

    start, stop = 0, move.size
    whole = off(start, stop)
    while stop - start > 2:
        middle = (start + stop) // 2
        first = off(start, middle)
        second = whole - first
        if np.max(np.abs(first)) >= np.max(np.abs(second)):
            stop, whole = middle, first
        else:
            start, whole = middle, second
    return range(start, stop)
