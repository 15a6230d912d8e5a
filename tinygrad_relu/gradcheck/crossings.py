"""The kinks that a line passes at its start, as a recording of what the function computes shows them.

The values of a function cannot tell relu(x) - relu(-x), of which no choice of slopes at 0 is right, from
a smooth one.  Its steps can, and they show which slopes the choices at each kink make together.
"""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.one_call import recorded
from tinygrad_relu.gradcheck.diagnosis.step import Reference, assign_at, same, take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Graph
from tinygrad_relu.gradcheck.differences import first_step

COMPARISONS = {np.greater, np.greater_equal, np.less, np.less_equal}
#: Functions that bend where their two operands are equal.
BENT_AT_TIES = {np.maximum, np.minimum, np.fmax, np.fmin} | COMPARISONS
UPPER, LOWER = {np.maximum, np.fmax}, {np.minimum, np.fmin}
#: Functions that bend where their operand is 0.
BENT_AT_ZERO = {np.abs, np.fabs, np.sign}
#: Functions whose slope is infinite where their operand is one of these numbers: a finite one is chosen.
# A length is a root of squares, and has a kink of many elements there.
STEEP_AT = {np.sqrt: (0.0,), np.cbrt: (0.0,), np.arccos: (-1.0, 1.0), np.arcsin: (-1.0, 1.0)}
#: Functions that bend nowhere by themselves: `where` does so where its condition changes.
SMOOTH = {
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.square, np.exp, np.expm1,
    np.log, np.log1p, np.log2, np.log10, np.sin, np.cos, np.arctan, np.sinh, np.cosh, np.tanh,
    np.logaddexp, np.matmul, np.dot, np.einsum, np.tensordot, np.outer, np.sum, np.mean, np.cumsum,
    np.where, np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.squeeze, np.expand_dims, np.copy,
    np.broadcast_to, np.concatenate, np.stack, np.repeat, np.tile, np.split, np.ones_like, np.zeros_like,
    np.sinc, np.tan, np.arcsinh, np.equal, np.not_equal, np.roll, np.flip, np.prod, np.diagonal, np.trace,
    np.inner, np.hstack, np.vstack, np.ravel, np.diag, np.tril, np.triu, np.pad,
    np.logical_and, np.logical_or, np.logical_not, np.bitwise_and, np.bitwise_or, np.invert, assign_at,
    same, take_at, None,
}
# A kink counts as passed at the start of a line if it lies within this part of a step.
AT_START = 1e-3
# In so many directions of each input kinks that lie on one surface are looked at, and how much apart
# they may be there, in proportion.
DIRECTIONS, APART = 2, 1e-2
# Elements that differ by this part are equal but for rounding.
TIED = 1e-12
# Of so many kinks all choices are tried.
MOST_KINKS = 6


class Crossing:
    """The kinks of single elements at the start of a line, which it leaves in at least one direction.

    Attributes
    ----------
    line : Element or Direction
    eps : float
    rounding : float or ndarray
        What slopes may be off by for rounding, besides what the precision allows.
    steps : list of Step
        What the function computes there.
    outputs : list of (int or None)
    kinks : list of (int, ndarray)
        The numbers of bent steps, and which of their elements are on a kink; a step that bends at
        several places, such as ``clip``, comes several times.
    opaque : bool
        Whether there are steps, too, the kinks of which are not known.
    """

    def __init__(self, problem, line, eps, rounding):
        self.problem, self.line, self.eps, self.rounding = problem, line, eps, rounding
        self.steps, self.outputs, _ = recorded(problem.taped, line.values(0.0))
        self.opaque = not all(is_known(self.steps, step) for step in self.steps)
        step = first_step(eps)
        away = [self.distances(line.values(t)) for t in (step, -step)]
        self.kinks = []
        for (k, here), *shifted in zip(bends_of(self.steps), *away):
            moved = np.fmax(*(np.abs(other - here) for _, other in shifted))
            self.kinks.append((k, (moved > 0) & (np.abs(here) <= AT_START * moved)))

    @classmethod
    def of(cls, problem, line, eps, rounding=0.0):
        """Return the crossing at the start of a line; None if it cannot be told."""
        if problem.taped is None:
            return None
        try:
            return cls(problem, line, eps, rounding)
        except Exception:       # the user's function, called with what it was not written for
            return None

    def distances(self, values):
        """Return for each bent step how far its elements are from their kinks, at other inputs."""
        found = bends_of(recorded(self.problem.taped, values)[0])
        expected = [(k, here.shape) for k, here in bends_of(self.steps)]
        if [(k, away.shape) for k, away in found] != expected:
            raise ValueError("other steps are taken there")
        return found

    @property
    def count(self):
        """How many kinks there are."""
        return sum(np.count_nonzero(mask) for _, mask in self.kinks)

    @property
    def of_single_elements(self):
        """Whether there are kinks other than those of roots and lengths."""
        roots = {*STEEP_AT, np.hypot, np.power}
        return any(mask.any() and self.steps[k].function not in roots for k, mask in self.kinks)

    def explains(self, finding, one_sided=False):
        """Tell whether choices of a slope at each kink may give slopes that are not between the sides.

        One kink alone allows only slopes between the sides, and so do kinks on one surface, which are one
        for the function, but for common conventions at each.  Kinks on several surfaces may each have any
        slope between those of its own sides.

        Parameters
        ----------
        finding : Finding
            The slopes along the line, for each set of cotangents, by the gradient and by differences.
        one_sided : bool
            Whether the function ends at the point, so that differences show one side only.

        Returns
        -------
        bool or None
            None where the steps do not tell.
        """
        slopes, numerical = finding.analytic, finding.numerical
        if self.opaque:         # alone, or together with other kinks, of which anything may come
            return True if self.count else None
        if self.count == 1 and not one_sided:
            return False
        try:
            if self.count == 0:         # unless there are some that the steps do not show
                there = self.slope([])
                if self.agree(slopes, there, there):
                    return True
                return False if self.agree(numerical, there, there) else None
            if self.count > 1 and self.on_one_surface():
                return self.agrees_with_a_convention(slopes)
            functions = [self.steps[k].function for k, _ in self.numbered()]
            if self.count > MOST_KINKS or not COMPARISONS.isdisjoint(functions):
                return True
            sides = [ONE_SIDED.get(function, (0.0, 1.0)) for function in functions]
            corners = [self.slope(chosen) for chosen in itertools.product(*sides)]
            low, high = np.min(corners, axis=0), np.max(corners, axis=0)
            if not one_sided and not STEEP_AT.keys().isdisjoint(functions):
                # What a root is taken of may have slope 0, as in a length; then it has that of a side.
                of_root = np.fmax(np.abs(finding.left), np.abs(finding.right))
                low, high = low - of_root, high + of_root
            return self.agree(slopes, low, high)
        except Exception:       # a step of a kind that was not thought of
            return None

    def agrees_with_a_convention(self, slopes):
        """Tell whether slopes are those of usual choices at kinks on one surface: 0 or that of a side.

        A maximum and a minimum that are flat on opposite sides, as max(x, 0) and min(x, 0), cannot both
        be steep.
        """
        facing = self.facing()
        for chosen in self.conventions():
            pairs = zip(chosen, self.numbered(), facing)
            steep = {(self.steps[k].function, side) for slope, (k, _), side in pairs if slope}
            uppers = {side for function, side in steep if function in UPPER}
            lowers = {side for function, side in steep if function in LOWER}
            if any(-side in lowers for side in uppers):
                continue
            there = self.slope(chosen)
            if self.agree(slopes, there, there):
                return True
        return False

    def conventions(self):
        """Yield usual choices of slopes: for each kink, or, where there are many, for each step."""
        numbers = [k for k, _ in self.numbered()]
        if not COMPARISONS.isdisjoint(self.steps[k].function for k in numbers):
            yield [0.0] * len(numbers)
            return
        places = list(range(len(numbers)))
        if len(numbers) > MOST_KINKS:
            kinds = list(dict.fromkeys(numbers))[:MOST_KINKS]
            places = [kinds.index(k) if k in kinds else 0 for k in numbers]
            numbers = kinds
        usual = [USUAL.get(self.steps[k].function, (0.0, 1.0)) for k in numbers]
        for chosen in itertools.product(*usual):
            yield [chosen[place] for place in places]

    def facing(self):
        """Return for each kink the side of their surface, 1 or -1, on which its operand comes through.

        It is that operand whose slope is chosen: the first one that something flows through.
        """
        found = self.distances(self.line.values(first_step(self.eps)))
        sides = []
        for (k, away), (_, mask) in zip(found, self.kinks):
            step = self.steps[k]
            first = step.arguments[0]
            leads = isinstance(first, Reference) and self.steps[step.references[first.slot]].flows
            lower = step.function in LOWER
            sides += ((1.0 if leads != lower else -1.0) * np.sign(away[mask])).tolist()
        return sides

    def agree(self, slopes, low, high):
        """Tell whether slopes lie between others, but for rounding."""
        doubt = self.eps**0.4 * (1e-3 + np.abs(slopes) + np.abs(low) + np.abs(high)) + self.rounding
        return bool(((low - doubt <= slopes) & (slopes <= high + doubt)).all())

    def numbered(self):
        """Return all kinks one by one, as a step and an index."""
        return [(k, tuple(index)) for k, mask in self.kinks for index in np.argwhere(mask).tolist()]

    def on_one_surface(self):
        """Tell whether, nearby, the distances from all kinks are in proportion, whichever input moves."""
        rng = np.random.default_rng(0)
        here, rows = self.line.values(0.0), []
        for position in [k for k, x in enumerate(here) if x.size] * DIRECTIONS:
            values, x = list(here), here[position]
            move = np.cbrt(self.eps) * np.maximum(np.abs(x), 1.0) * rng.uniform(-1, 1, x.shape)
            values[position] = np.asarray(x + move, x.dtype)
            found = self.distances(values)
            row = np.concatenate([away[mask] for (_, away), (_, mask) in zip(found, self.kinks)])
            if row.any():
                rows.append(row / row[np.abs(row).argmax()])
        return bool(len(rows) > 0 and (np.ptp(rows, axis=0) <= APART).all())

    def slope(self, chosen):
        """Return that along the line, for each set of cotangents, with a slope chosen at each kink."""
        live = [k for k, step in enumerate(self.steps) if step.flows]
        graph = Graph(self.steps, list(range(len(self.line.at.point))), self.outputs, live)
        for step in self.steps:
            step.connect(self.steps)
        for (k, index), slope in zip(self.numbered(), chosen):
            self.steps[k].choose_slope(index, slope)
        total = np.zeros(len(self.line.at.weights))
        for position, move in self.line.moves_of().items():
            moved = graph.push(position, move)
            total += [
                sum(np.sum(w * moved[k]) for w, k in zip(draw, self.outputs) if k in moved)
                for draw in self.line.at.weights
            ]
        return total


# The slopes of both sides, where they are not 0 and 1.
ONE_SIDED = {np.abs: (-1.0, 1.0), np.fabs: (-1.0, 1.0)}
# The slopes that are usual on kinks, where they are not 0 and 1.
USUAL = {np.abs: (-1.0, 0.0, 1.0), np.fabs: (-1.0, 0.0, 1.0)}


def bends_of(steps):
    """Return the numbers of steps that have kinks, and how far their elements are from them."""
    found = []
    for k, step in enumerate(steps):
        if step.function in BENT_AT_ZERO:
            found.append((k, operand(steps, step, 0)))
        elif step.function in BENT_AT_TIES:
            found.append((k, operand(steps, step, 0) - operand(steps, step, 1)))
        elif step.function is np.clip:
            x, *bounds = (operand(steps, step, slot) for slot in range(len(step.arguments)))
            if step.keywords or len(bounds) != 2:
                raise ValueError("limits that are not known")
            found += [(k, x - bound) for bound in bounds]
        elif step.function in STEEP_AT:
            x = operand(steps, step, 0)
            found += [(k, x - place) for place in STEEP_AT[step.function]]
        elif step.function is np.hypot:
            found.append((k, step.value))
        elif step.function is np.power and (operand(steps, step, 1) > 0).all():
            # Only the powers up to 1 are no smooth functions of 0.
            x, exponent = np.broadcast_arrays(operand(steps, step, 0), operand(steps, step, 1))
            found.append((k, np.where(exponent < 1, x, np.inf)))
    return found


def is_known(steps, step):
    """Tell whether all kinks of a step are among those that `bends_of` finds."""
    known = SMOOTH | BENT_AT_ZERO | BENT_AT_TIES | STEEP_AT.keys() | {np.hypot, np.clip}
    if step.function in known:
        return True
    if step.function is np.power:
        return bool(((operand(steps, step, 0) != 0) | (operand(steps, step, 1) > 0)).all())
    return step.function in (np.max, np.min) and not has_ties(step, operand(steps, step, 0))


def has_ties(step, x):
    """Tell whether several elements are the largest ones, or the smallest, of which a step takes one."""
    axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)
    picked = step.function(x, axis=axis, keepdims=True)
    near = np.abs(x - picked) <= TIED * np.abs(picked)
    return bool((np.sum(near, axis=axis) > 1).any())


def operand(steps, step, slot):
    """Return the value of an argument of a step."""
    given = step.arguments[slot]
    if isinstance(given, Reference):
        given = steps[step.references[given.slot]].value
    return np.asarray(given, np.float64)
