"""Functions with several results: a cotangent that is not used, or that of another result."""

from itertools import combinations, permutations

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label

# Of more results only what is left out is looked for.
MOST_RESULTS = 6


def cotangents_confused(evidence, k):
    """Yield ``(label, cost, words, details)`` for cotangents left out, exchanged or taken for others.

    Parameters
    ----------
    evidence : list of Evidence
    k : int
        The input.
    """
    if any(one.graph is None for one in evidence) or len(evidence[0].cotangents) < 2:
        return
    for label, cost, words, order in wrong_orders([w.shape for w in evidence[0].cotangents]):
        if all(fits(one, k, order) for one in evidence):
            yield label, cost, words, {}


def wrong_orders(shapes):
    """Yield a label, a cost, words, and for each result whose cotangent is used for it, None for none."""
    count = len(shapes)
    for i in range(count):
        order = [None if i == j else j for j in range(count)]
        words = f"lacks what comes from result {i}: dout[{i}] is not used, or what is made of it is lost"
        yield Label.MISSING_TERM, 11.2, words, order
    if count > MOST_RESULTS:
        return
    alike = [pair for pair in combinations(range(count), 2) if shapes[pair[0]] == shapes[pair[1]]]
    for i, j in alike:
        order = list(range(count))
        order[i], order[j] = j, i
        yield Label.PERMUTED, 11.3, f"has dout[{i}] and dout[{j}] exchanged", order
    for i, j in [*alike, *(pair[::-1] for pair in alike)]:
        order = list(range(count))
        order[i] = j
        yield Label.PERMUTED, 11.4, f"takes dout[{j}] for dout[{i}], too", order
    if 2 < count <= 4 and len(set(shapes)) == 1:
        for order in permutations(range(count)):
            if sum(i != j for i, j in enumerate(order)) > 2:
                words = f"takes the parts of dout in another order: {list(order)}, counted from 0"
                yield Label.PERMUTED, 11.5, words, order


def fits(one, k, order):
    """Tell whether a gradient is the one for cotangents that are confused."""
    weights = [
        np.zeros_like(w) if j is None else one.cotangents[j] for w, j in zip(one.cotangents, order)
    ]
    wrong = one.graph.gradients(weights)[k]
    return bool((np.abs(one.analytic[k] - wrong) <= one.allowed[k]).all())
