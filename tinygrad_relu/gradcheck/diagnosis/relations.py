"""How two steps of a graph are related, which says what it means to take one for the other."""

import enum

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label

#: Functions that put pieces together.
JOINING = (np.concatenate, np.stack, np.hstack, np.vstack)
PRODUCTS = (np.matmul, np.dot, np.einsum, np.tensordot, np.inner, np.outer, np.vdot)


class Relation(enum.Enum):
    """What lies between two steps."""

    ACTIVATION = enum.auto()  # one is a bent function of the other, element by element
    LINEAR = enum.auto()  # one is a straight function of the other
    GATE = enum.auto()  # one is let through into the other, or not
    FACTOR = enum.auto()  # one is an operand of a product, or a part of a longer function
    NORMALISED = enum.auto()  # one comes of the other alone, but not element by element
    NONE = enum.auto()


def relation(graph, a, b):
    """Return how two steps are related."""
    early, late = sorted((a, b))
    found = between(graph, early, late)
    if found in (Relation.ACTIVATION, Relation.LINEAR):
        return found
    return Relation.NORMALISED if comes_of(graph, early, late) else found


def between(graph, early, late):
    """Return what lies between two steps of which one is made of the other element by element."""
    shape = graph.steps[late].value.shape
    if graph.steps[early].value.shape != shape:
        return Relation.NONE
    moved, alone, nearly = {late: np.ones(shape)}, True, True
    bent = curved = False
    while moved and max(moved) > early:
        k = max(moved)
        step = graph.steps[k]
        parents = [p for _, p in graph.edges(k)]
        g = moved.pop(k)
        if not step.elementwise or not parents:
            alone = nearly = False
            continue
        inside = {p for p in parents if graph.steps[p].value.shape == shape and p >= early}
        # A term beside it, such as a bias, does not matter; a factor does, even if it is ``-k``, but for
        # the numbers that are learned in an activation.
        beside = bool(inside) and step.function in STRAIGHT
        smaller = {p for p in parents if graph.steps[p].value.size < step.value.size}
        alone = alone and (len(inside) == len(set(parents)) or beside)
        nearly = nearly and (len(inside | smaller) == len(set(parents)) or beside)
        bent = bent or not is_straight(graph, k)
        curved = curved or step.function not in (*STRAIGHT, np.multiply, np.divide)
        slopes = step.slopes()
        for slot, p in graph.edges(k):
            if p in inside:
                moved[p] = moved.get(p, 0) + g * slopes[slot]
    if early not in moved:
        return Relation.NONE
    slope = moved[early]
    if alone:
        return Relation.ACTIVATION if bent and np.ptp(slope) > 0 else Relation.LINEAR
    if nearly and curved and np.ptp(slope) > 0:
        return Relation.ACTIVATION
    sides = (0, 1) if (slope == 0).any() and slope.any() else two_values(slope)
    return Relation.GATE if sides is not None and 0 in sides else Relation.FACTOR


def is_straight(graph, k):
    """Tell whether a step adds, or multiplies by plain data that do not let through or stop."""
    step, edges = graph.steps[k], list(graph.edges(k))
    if step.function in (np.multiply, np.divide) and len(edges) == 1:
        (slot, _), = edges
        upper = step.function is np.multiply or slot == 0
        return upper and two_values(np.asarray(step.slopes()[slot])) is None
    return step.function in STRAIGHT


def of_data(own, other):
    """Return which mistake it is to take one array of data for another, or None if they differ in all.

    Parameters
    ----------
    own, other : ndarray
        What is meant, and what is taken.
    """
    with np.errstate(all="ignore"):
        ratio, apart = own / other, np.ptp(own - other)
    if apart <= 1e-12 * np.abs(own).max(initial=0):
        return Label.MISSING_TERM
    known = np.isfinite(ratio).mean() > 0.5  # of two diagonal matrices it says nothing
    if known and not np.isinf(ratio).any() and np.nanmin(np.abs(ratio), initial=1) > 0 and any(
        np.nanmax(np.nanmax(ratio, axis) - np.nanmin(ratio, axis)) <= 1e-12 * np.nanmax(np.abs(ratio))
        for axis in range(ratio.ndim)
    ):
        return Label.MISSING_FACTOR
    if two_values(own) is None or two_values(other) is None:
        return None
    # Labels that are smoothed, say, and those that are not; else masks.
    same = np.array_equal(own == own.max(), other == other.max())
    return Label.MISSING_TERM if same else Label.MASK_FROM_WRONG_TENSOR


STRAIGHT = {np.add, np.subtract, np.negative}
#: Functions that put elements elsewhere, and what it is called to forget that.
REORDERED = {
    np.transpose: Label.TRANSPOSED, np.swapaxes: Label.TRANSPOSED, np.sort: Label.PERMUTED,
    np.flip: Label.PERMUTED, np.rot90: Label.PERMUTED, np.roll: Label.SHIFTED,
}


def comes_of(graph, early, late):
    """Tell whether the later step depends on the inputs by the earlier one only, without a product."""
    reached = {late}
    for k in range(late, early, -1):
        if k in reached:
            if graph.steps[k].function in PRODUCTS:
                return False
            parents = {p for _, p in graph.edges(k)}
            if not parents or min(parents) < early:
                return False
            reached |= parents
    return early in reached


def comes_from(graph, late, early):
    """Tell whether the value of a step depends on that of an earlier one."""
    ahead = {late}
    for k in range(late, early, -1):
        if k in ahead:
            ahead |= {p for _, p in graph.edges(k)}
    return early in ahead
