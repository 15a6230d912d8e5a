"""Weights of samples or classes: along another axis, of another vector, twice or not at all.

A backward by hand multiplies them in where it likes, as in ``(p - y) * w[:, None]``, and not where the
forward does.
"""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, for_one_operand
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_WEIGHTS, MOST_VECTORS, MOST_LIVE = 4, 12, 120


def weight_mutations(graph, alone=False):
    """Yield gradients with other weights; `alone`, for one operand of an earlier step."""
    weights = weights_of(graph)
    if not weights or len(graph.live) > MOST_LIVE:
        return
    others = dict(itertools.islice(vectors_at_hand(graph).items(), MOST_VECTORS))
    # What was multiplied together before, as w * c[y], is seen by its parts only.
    weights |= {name: x for name, x in others.items() if "[" in name}
    weights = dict(itertools.islice(weights.items(), MOST_WEIGHTS))
    for j in graph.live:
        shape = graph.steps[j].value.shape
        if len(shape) and graph.steps[j].function is not None:
            for mutation in weighted_otherwise(graph, j, shape, weights, others):
                if alone:
                    yield from for_one_operand(graph, mutation)
                else:
                    yield mutation


def weights_of(graph):
    """Return the vectors of plain data that something is multiplied by, by what they are called."""
    found = {}
    for k in graph.live:
        step = graph.steps[k]
        for p in step.references if step.function is np.multiply else ():
            value = graph.steps[p].value
            plain = not graph.steps[p].flows and value.dtype == float
            if plain and sum(n > 1 for n in value.shape) == 1 and value.all() and np.ptp(value):
                found.setdefault(described(graph, p), value.ravel())
    return found


def vectors_at_hand(graph):
    """Return all vectors of data, and what is taken of them by indices, by what they are called."""
    found = {name: x for name, x in graph.data if x.ndim == 1 and x.size > 1}
    numbers = {name: x for name, x in found.items() if x.dtype.kind in "iu" and x.min() >= 0}
    vectors = {name: x for name, x in found.items() if x.dtype == float and x.all() and np.ptp(x)}
    for (name, x), (index, places) in itertools.product(list(vectors.items()), numbers.items()):
        if places.max() < x.size:
            vectors[f"{name}[{index}]"] = x[places]
    return vectors


def weighted_otherwise(graph, j, shape, weights, others):
    """Yield the gradient of one step with other weights."""
    for key, label, cost, words, ratio in ratios(shape, weights, others):
        yield Mutation(
            ("weighted", j, key), label, cost, [Change(j, j, lambda g, _, ratio=ratio: g * (ratio - 1))],
            f"{words}, in the gradient of {described(graph, j)}",
            graph.steps[j].line, graph.steps[j].name,
        )


def ratios(shape, weights, others):
    """Yield by what a gradient of a shape is multiplied if weights are wrong: key, label, cost, words."""
    for name, w in weights.items():
        for axis in (a for a, n in enumerate(shape) if n == w.size):
            right = along(w, axis, len(shape))
            yield ("missing", name, axis), Label.MISSING_FACTOR, 23.6, f"the weights {name} are missing", 1 / right
            yield (("twice", name, axis), Label.WRONG_FUNCTION, 23.7,
                   f"the weights {name} are multiplied in twice", right)
            for other, v in others.items():
                for b in (b for b, n in enumerate(shape) if n == v.size):
                    if b == axis and np.array_equal(v, w):
                        continue
                    where = f"along axis {b}" + (f", and not along axis {axis}" if b != axis else "")
                    words = f"{other} {'stands' if b == axis else 'is multiplied in'} {where}"
                    # Along the same axis it may as well be that only a part of them is missing.
                    yield (("other", name, other, axis, b), Label.WRONG_FUNCTION, 23.8 + 0.5 * (b == axis),
                           f"for the weights {name} {words}", along(v, b, len(shape)) / right)
    for name, v in others.items():
        for axis in (a for a, n in enumerate(shape) if n == v.size):
            wide = along(v, axis, len(shape))
            for key, label, cost, words, ratio in (
                ("without", Label.MISSING_FACTOR, 23.7, "is missing", 1 / wide),
                ("again", Label.WRONG_FUNCTION, 24.2, "is multiplied in once too often", wide),
            ):
                yield (key, name, axis), label, cost, f"the factor {name} along axis {axis} {words}", ratio


def along(x, axis, ndim):
    """Return a vector as an array that is broadcast along all other axes."""
    return x.reshape([-1 if a == axis else 1 for a in range(ndim)])
