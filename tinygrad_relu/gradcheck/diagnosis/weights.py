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
    """Yield by what a gradient of a shape is multiplied: key, label, cost, words and the ratio."""
    for name, w in weights.items():
        for axis, right in wide(w, shape):
            yield (
                ("missing", name, axis), Label.MISSING_FACTOR, 23.6, f"the weights {name} are missing",
                1 / right,
            )
            yield (
                ("twice", name, axis), Label.WRONG_FUNCTION, 23.7,
                f"the weights {name} are multiplied in twice", right,
            )
            yield from exchanged(name, w, axis, right, shape, others)
    for name, v in others.items():
        for axis, ratio in wide(v, shape):
            words = f"the factor {name} along axis {axis}"
            yield ("without", name, axis), Label.MISSING_FACTOR, 23.7, f"{words} is missing", 1 / ratio
            yield (
                ("again", name, axis), Label.WRONG_FUNCTION, 24.2,
                f"{words} is multiplied in once too often", ratio,
            )


def exchanged(name, w, axis, right, shape, others):
    """Yield other vectors in the place of weights, or the same ones along another axis."""
    for other, v in others.items():
        for b, wrong in wide(v, shape):
            if b == axis and np.array_equal(v, w):
                continue
            what = f"{other} stands" if b == axis else f"{other} is multiplied in"
            yield (
                ("other", name, other, axis, b), Label.WRONG_FUNCTION,
                # Along the same axis it may as well be that only a part of them is missing.
                24.3 if b == axis else 23.8,
                f"for the weights {name}, which belong to axis {axis}, {what} along axis {b}",
                wrong / right,
            )


def wide(x, shape):
    """Yield each axis of a shape that a vector fits, and the vector broadcast along all others."""
    for axis, n in enumerate(shape):
        if n == x.size:
            yield axis, x.reshape([-1 if a == axis else 1 for a in range(len(shape))])
