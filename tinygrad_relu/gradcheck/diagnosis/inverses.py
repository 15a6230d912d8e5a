"""Inverses and solutions of linear systems, of whose two inverses on the way back one is forgotten."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import described, links

INVERTING = (np.linalg.inv, np.linalg.solve)


def inverse_mutations(graph):
    """Yield what is left of the derivative by the matrix that is inverted without one of its inverses."""
    for link in links(graph):
        is_matrix = link.first.paths[link.slot(link.members[0])] == (0, 0)
        if link.first.function in INVERTING and is_matrix:
            yield from with_one_inverse(link)


def with_one_inverse(link):
    """Yield ``-inv(A).T @ g @ inv(A).T`` with the inverse on one side, or with transposes forgotten."""
    step = link.first
    name = described(link.graph, link.parent(link.members[0]))
    left, right = "behind", "in front"
    for key, side, rule in (
        (("left",), left, lambda inverse, g, b: -inverse.T @ g @ b.T),
        (("right",), right, lambda inverse, g, b: -g @ (inverse @ b).T),
        (("left", "turned"), left, lambda inverse, g, b: -inverse @ g @ b),
        (("right", "turned"), right, lambda inverse, g, b: -(g @ (inverse @ b).T).T),
        (("left of b",), left, lambda inverse, g, b: -inverse @ b @ g.T),
    ):
        yield link.mutation(
            ("one inverse", *key), Label.MISSING_FACTOR, 23.9,
            lambda k, g, _, rule=rule: rule(*matrices(link.graph.steps[k], g)),
            f"of the two inverses of {name} in the derivative of {step.name} the one {side} is missing",
        )


def matrices(step, g):
    """Return the inverse of a step, its cotangent, and what is multiplied by the inverse, as matrices."""
    inverse = np.linalg.inv(step.operands[0])
    if step.function is np.linalg.inv:
        return inverse, g, np.eye(len(inverse))
    b = next(x for x in (*step.operands[1:], *step.arguments[1:]) if isinstance(x, np.ndarray))
    return inverse, g.reshape(len(inverse), -1), b.reshape(len(inverse), -1)
