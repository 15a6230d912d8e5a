"""`Evidence`: what the backward returned and what is right, at the point of the check and near it."""

import inspect
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.recording import is_data
from tinygrad_relu.gradcheck.diagnosis.step import Reference
from tinygrad_relu.gradcheck.diagnosis.trace import Graph

# What rounding may make of a gradient, in proportion to it: in float64, and in float32.
DIGITS = (2e-9, 3e-5)
# How many numbers the inputs may have for a second point to be worth the differences.
MOST_DIFFERENCES = 300

#: Functions that bend, or decide, where their operands are equal.
BENT = {
    np.absolute, np.maximum, np.minimum, np.clip, np.greater, np.greater_equal, np.less, np.less_equal,
}


@dataclass
class Evidence:
    """The gradients under one set of cotangents, at one point.

    Attributes
    ----------
    inputs, cotangents : list of ndarray
    analytic, expected : list of ndarray
        What the backward says (shaped as it should be), and what is right.
    allowed : list of ndarray
        How far each element may be off.
    graph : Graph or None
        That of the forward at this point.
    right : dict of int to ndarray
        The right cotangent of each step of the graph.
    """

    inputs: list
    cotangents: list
    analytic: list
    expected: list
    allowed: list
    graph: Graph | None = None
    right: dict | None = None

    def residue(self, k):
        """Return what is wrong with the gradient of input `k`."""
        return self.analytic[k] - self.expected[k]


def tolerance(analytic, expected, error=0.0):
    """Return how far two gradients may differ by rounding alone, and by the error of differences."""
    with np.errstate(all="ignore"):
        scale = max(np.abs(expected).max(initial=0), np.abs(analytic).max(initial=0))
        digits = DIGITS[np.asarray(analytic).dtype == np.float32]
        return 8 * np.asarray(error) + digits * (np.abs(expected) + scale) + 1e-300


def usable(analytic, shapes):
    """Tell whether gradients can be compared: all there, finite, of the right shapes."""
    return all(
        a is not None
        and np.shape(a) == shape
        and np.asarray(a).dtype.kind in "biuf"
        and np.isfinite(a).all()
        for a, shape in zip(analytic, shapes)
    )


def as_right(analytic, expected):
    """Return gradients with those that cannot be compared replaced by the right ones."""
    return [np.asarray(a) if usable([a], [e.shape]) else e for a, e in zip(analytic, expected)]


def evidence_for(case):
    """Return the evidence of a case: its draws, and a point near by where it can be had.

    Where the graph of the forward can be looked at, and its gradient is the numerical one, it takes
    the place of that, being exact.

    Returns
    -------
    evidence : list of Evidence
    right_beside : bool
        Whether the point is on a kink, next to which nothing is wrong.
    """
    base = []
    for draw in case.draws:
        analytic = as_right(draw.analytic, draw.numerical)
        allowed = [tolerance(*three) for three in zip(analytic, draw.numerical, draw.error)]
        base.append(
            Evidence(list(case.inputs), list(draw.cotangents), analytic, list(draw.numerical), allowed)
        )
    graph, right_beside = graph_of(case, case.inputs), False
    if graph is not None and any(map(on_kink, graph.steps)):
        # What the slope is there is a choice, and not the mistake that shows next to it.
        apart = nearby(case, graph, (0.05,))
        if shown(case, apart):
            return apart, False
        right_beside = bool(apart) and not any(wrong_in(apart, k) for k in range(len(case.wrong)))
    here = [judged(graph, one) for one in base] if graph is not None else [None]
    near = nearby(case, graph)
    if all(one is not None for one in here):
        return here + near, right_beside
    return near if near and graph is not None else base + near, right_beside


def shown(case, evidence):
    """Tell whether each gradient that was found wrong is wrong in some evidence."""
    return all(
        wrong_in(evidence, k)
        for k, wrong in enumerate(case.wrong)
        if wrong and usable([case.draws[0].analytic[k]], [case.draws[0].numerical[k].shape])
    ) and bool(evidence)


def wrong_in(evidence, k):
    """Tell whether a gradient is wrong in some evidence."""
    return any((np.abs(one.residue(k)) > one.allowed[k]).any() for one in evidence)


def on_kink(step):
    """Tell whether some element of a step is just where its function bends."""
    if step.function not in BENT or not (step.flows or step.value.dtype == bool):
        return False
    if step.function is np.absolute:
        return bool((step.operands[0] == 0).any())
    operands = [step.operands[x.slot] if isinstance(x, Reference) else x for x in step.arguments]
    pairs = [(operands[0], other) for other in operands[1:3] if other is not None]
    return any(np.any(np.equal(*pair)) for pair in pairs)


def judged(graph, one):
    """Return evidence with the gradients of the graph for the right ones, or None if they are not."""
    right = graph.cotangents(one.cotangents)
    found = [right.get(k, np.zeros(graph.steps[k].value.shape)) for k in graph.inputs]
    for mine, theirs, allowed in zip(found, one.expected, one.allowed):
        scale = np.abs(theirs).max(initial=0)
        rest = trust(one.inputs) * (np.abs(theirs) + 1e-2 * scale)
        if not (np.abs(mine - theirs) <= 10 * allowed + rest).all():
            return None
    allowed = [tolerance(a, e) for a, e in zip(one.analytic, found)]
    return Evidence(one.inputs, one.cotangents, one.analytic, found, allowed, graph, right)


def trust(inputs):
    """Return how far a graph may be off from differences, in proportion, and still be trusted."""
    return 1e-5 if all(np.asarray(x).dtype == np.float64 for x in inputs) else 2e-2


def graph_of(case, inputs):
    """Return the graph of the forward at `inputs`, or None where it cannot be looked at."""
    if case.traced is None:
        return None
    count = len(case.draws[0].cotangents)
    try:
        graph = Graph.of(case.traced, inputs, count)
    except Exception:  # the user's function, called with what it was not written for
        return None
    known = {name for name, _ in graph.data}
    graph.data += [(name, x) for name, x in data_of(case.written) if name not in known]
    return graph


def data_of(function):
    """Return the names and values of arrays that a function of the user's has at hand."""
    try:
        used = inspect.getclosurevars(inspect.unwrap(function))
    except TypeError:  # none that is written in Python
        return []
    found = [*used.nonlocals.items(), *used.globals.items()]
    return [(name, x.copy()) for name, x in found if is_data(x)]


def nearby(case, graph, distances=(0.0, 0.05)):
    """Return evidence at a point near by, where the graph is trusted if differences agree with it."""
    if graph is None:
        return nearby_by_differences(case)
    for apart in distances:
        rng = np.random.default_rng(0)
        found = evidence_at([moved(x, rng, apart) for x in case.inputs], case, graph, rng)
        if found:
            break
    return found


def beside(case):
    """Return the evidence at a point beside a kink that has no sides, such as a length at 0."""
    graph = graph_of(case, case.inputs)
    return nearby(case, graph, (0.05,)) if graph is not None else []


def nearby_by_differences(case):
    """Return evidence at a point near by from differences, for functions of few numbers."""
    if sum(np.size(x) for x in case.inputs) > MOST_DIFFERENCES or case.own_graph:
        return []
    inputs = [moved(x, np.random.default_rng(0), 0.0).astype(np.float64) for x in case.inputs]
    draw = case.draws[0]
    weights = [np.asarray(w, np.float64) for w in draw.cotangents]
    try:
        analytic = case.backward([x.copy() for x in inputs], [w.copy() for w in weights])
        expected = [differences(case, inputs, weights, k) for k in range(len(inputs))]
    except Exception:  # the user's functions, where they may not be defined
        return []
    if not all(np.isfinite(e).all() for e in expected):
        return []
    analytic = as_right([None if a is None else np.array(a) for a in analytic], expected)
    allowed = [tolerance(a, e, 1e-8 * (1 + np.abs(e).max(initial=0))) for a, e in zip(analytic, expected)]
    return [Evidence(inputs, weights, analytic, expected, allowed)]


def differences(case, inputs, weights, k):
    """Return the derivative with respect to input `k`, by differences of the fourth order."""
    found = np.zeros(inputs[k].shape)
    for index in np.ndindex(found.shape):
        h = 1e-4 * max(1e-2, abs(inputs[k][index]))
        sides = []
        for step in (2 * h, h, -h, -2 * h):
            shifted = [x.copy() for x in inputs]
            shifted[k][index] += step
            sides.append(sum(float(np.sum(w * y)) for w, y in zip(weights, case.forward(shifted))))
        found[index] = (8 * (sides[1] - sides[2]) - (sides[0] - sides[3])) / (12 * h)
    return found


def evidence_at(inputs, case, graph, rng):
    """Return evidence at other inputs, or nothing if the graph there is another, or not to be trusted."""
    near = graph_of(case, inputs)
    if near is None or len(near.steps) != len(graph.steps):
        return []
    if any(a.function is not b.function for a, b in zip(near.steps, graph.steps)):
        return []
    found = []
    shapes = [x.shape for x in inputs]
    for draw in case.draws[:2]:
        weights = [np.asarray(w, np.float64) for w in draw.cotangents]
        try:
            analytic = case.backward([x.copy() for x in inputs], [w.copy() for w in weights])
            analytic = [None if a is None else np.array(a) for a in analytic]
        except Exception:
            return found
        right = near.cotangents(weights)
        expected = [right.get(k, np.zeros(shape)) for k, shape in zip(near.inputs, shapes)]
        if not agrees_along_a_line(case, inputs, weights, expected, rng):
            return found
        broken = [usable([a], [e.shape]) for a, e in zip(draw.analytic, draw.numerical)]
        if not usable(
            [a for a, ok in zip(analytic, broken) if ok], [s for s, ok in zip(shapes, broken) if ok]
        ):
            return found
        analytic = as_right(analytic, expected)
        allowed = [tolerance(a, e) for a, e in zip(analytic, expected)]
        found.append(Evidence(inputs, weights, analytic, expected, allowed, near, right))
    return found


def moved(x, rng, apart):
    """Return an input a few per cent away; signs and zeros stay, unless they are to be moved `apart`."""
    x = np.asarray(x)
    factor = 1 + 0.05 * rng.uniform(-1, 1, x.shape)
    scale = np.abs(x).max(initial=0) or 1.0
    return (x * factor + apart * scale * rng.uniform(-1, 1, x.shape)).astype(x.dtype)


def agrees_along_a_line(case, inputs, weights, expected, rng, only=None):
    """Tell whether a gradient, or that of one input, is that of the forward, in one random direction."""
    direction = [
        rng.standard_normal(x.shape) * (only is None or only == k) for k, x in enumerate(inputs)
    ]
    slope = sum(float(np.sum(e * v)) for e, v in zip(expected, direction))
    size = sum(float(np.sum(np.abs(e * v))) for e, v in zip(expected, direction))
    quotients = []
    for h in (1e-5, 3e-6, 1e-6) if trust(inputs) < 1e-3 else (1e-2, 3e-3, 1e-3):
        sides = []
        for sign in (h, -h):
            try:
                shifted = [(x + sign * v).astype(x.dtype) for x, v in zip(inputs, direction)]
                outputs = case.forward(shifted)
            except Exception:
                return False
            sides.append(sum(float(np.sum(w * y)) for w, y in zip(weights, outputs)))
        quotients.append((sides[0] - sides[1]) / (2 * h))
    return min(abs(q - slope) for q in quotients) <= trust(inputs) * max(size, 1e-12)
