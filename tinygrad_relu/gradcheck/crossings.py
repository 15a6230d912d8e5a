"""How many kinks a line passes at its start, as a recording of what the function computes tells.

The values of a function cannot tell relu(x) - relu(-x), of which no choice of slopes at 0 is right, from
a smooth one.  Its steps can.
"""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.recording import recorded
from tinygrad_relu.gradcheck.diagnosis.step import Reference, assign_at, same, take_at
from tinygrad_relu.gradcheck.differences import first_step

COMPARISONS = {np.greater, np.greater_equal, np.less, np.less_equal}
#: Functions that bend where their two operands are equal.
BENT_AT_TIES = {np.maximum, np.minimum, np.fmax, np.fmin} | COMPARISONS
#: Functions that bend where their operand is 0.
BENT_AT_ZERO = {np.abs, np.fabs, np.sign}
#: Functions that bend nowhere by themselves: `where` does so where its condition changes.
SMOOTH = {
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.square, np.exp, np.expm1,
    np.log, np.log1p, np.log2, np.log10, np.sin, np.cos, np.arctan, np.sinh, np.cosh, np.tanh,
    np.logaddexp, np.matmul, np.dot, np.einsum, np.tensordot, np.outer, np.sum, np.mean, np.cumsum,
    np.where, np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.squeeze, np.expand_dims, np.copy,
    np.broadcast_to, np.concatenate, np.stack, np.repeat, np.tile, np.split, np.ones_like, np.zeros_like,
    np.logical_and, np.logical_or, np.logical_not, np.bitwise_and, np.bitwise_or, np.invert, assign_at,
    same, take_at, None,
}
# A kink counts as passed at the start of a line if it lies within this part of a step.
AT_START = 1e-3


def kinks_passed(problem, line, eps):
    """Return how many kinks of single elements lie where a line starts; None if that cannot be told.

    A kink counts if the line leaves it in at least one direction.
    """
    if problem.own_graph or problem.traced is None:
        return None
    step = first_step(eps)
    try:
        here, *away = [recorded(problem.traced, line.values(t))[0] for t in (0.0, step, -step)]
        bends = bends_of(here)
        others = [bends_of(steps) for steps in away]
    except Exception:       # the user's function, called with what it was not written for
        return None
    if bends is None or any(other is None or len(other) != len(bends) for other in others):
        return None
    count = 0
    for distance, *shifted in zip(bends, *others):
        if any(other.shape != distance.shape for other in shifted):
            return None
        moved = np.maximum(*(np.abs(other - distance) for other in shifted))
        count += np.count_nonzero((moved > 0) & (np.abs(distance) <= AT_START * moved))
    return count


def bends_of(steps):
    """Return for each step that has kinks how far its elements are from them; None if one is unknown."""
    found = []
    for step in steps:
        if step.function in BENT_AT_ZERO:
            found.append(operand(steps, step, 0))
        elif step.function in BENT_AT_TIES:
            found.append(operand(steps, step, 0) - operand(steps, step, 1))
        elif step.function is np.clip:
            x, *bounds = (operand(steps, step, slot) for slot in range(len(step.arguments)))
            if step.keywords or len(bounds) != 2:
                return None
            found += [x - bound for bound in bounds]
        elif step.function not in SMOOTH:
            return None
    return found


def operand(steps, step, slot):
    """Return the value of an argument of a step."""
    given = step.arguments[slot]
    if isinstance(given, Reference):
        given = steps[step.references[given.slot]].value
    return np.asarray(given, np.float64)
