"""Probabilities of a softmax within the gradient of its logarithms, ``w * (p - y)``, that are others.

What a log-softmax, a logarithm of a sum of exponentials, or a softmax before a logarithm sends back to
the scores has the term ``c * p``, with a number ``c`` for each row.  A backward by hand computes `p`
from the scores, whatever steps the forward took.
"""

from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import sigmoid, softmax
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_ELEMENTS = 20_000


@dataclass(frozen=True)
class Scores:
    """Where a softmax, or logarithms of it, are made of scores.

    Attributes
    ----------
    z, end : int
        The steps of the scores and of the result.
    axis : int
        That of the classes.
    weight : callable
        ``weight(g)``: the number of each row by which the probabilities are multiplied on the way back.
    """

    z: int
    end: int
    axis: int
    weight: object


def cross_entropy_mutations(graph):
    """Yield what is written for the probabilities, in the gradient of scores."""
    for scores in scores_of(graph):
        z, step = graph.steps[scores.z].value, graph.steps[scores.end]
        right = softmax(z, scores.axis)
        for key, label, cost, words, wrong in instead_of(z, right, scores.axis):
            if not np.isfinite(wrong).all() or np.array_equal(wrong, right):
                continue
            yield Mutation(
                ("probabilities of", scores.z, scores.end, key), label, cost,
                [Change(scores.end, scores.z, lambda g, _, s=scores, x=wrong - right: s.weight(g) * x)],
                f"in the gradient of {described(graph, scores.z)}, {words} where its softmax belongs",
                step.line, step.name,
            )


def instead_of(z, p, axis):
    """Yield what may stand for the probabilities: key, label, cost, words and values."""
    largest = z.max(axis, keepdims=True)
    for other in (*range(z.ndim), None):
        if other != axis and (other is not None or z.ndim > 1):
            over = "all axes" if other is None else f"axis {other}"
            yield (("axis", other), Label.SUMMED, 22.4, f"a softmax over {over} stands, and not over "
                   f"axis {axis},", softmax(z, other))
    with np.errstate(all="ignore"):
        exponentials = np.exp(z)
    undivided = "exponentials stand that are not divided by their sum,"
    for key, e in (("exp", exponentials), ("shifted exp", np.exp(z - largest))):
        yield key, Label.MISSING_FACTOR, 22.4, undivided, e
    yield ("without exp", Label.MISSING_FACTOR, 22.6, "1 over the sum of exponentials stands",
           np.broadcast_to(1 / exponentials.sum(axis, keepdims=True), z.shape))
    yield "scores", Label.PRE_ACTIVATION, 22.5, "the scores stand", z
    yield "shifted scores", Label.PRE_ACTIVATION, 22.5, "the scores stand", z - largest
    yield "logarithms", Label.PRE_ACTIVATION, 22.5, "logarithms of probabilities stand", np.log(p)
    yield "sigmoid", Label.WRONG_FUNCTION, 22.7, "sigmoids stand", sigmoid(z)
    yield ("derivative", Label.WRONG_FUNCTION, 22.7, "the derivative of a sigmoid, p * (1 - p), stands",
           p * (1 - p))
    yield ("largest", Label.WRONG_FUNCTION, 22.8, "1 for the largest score and 0 for the others stand",
           1.0 * (z == largest))


def scores_of(graph):
    """Yield where log-softmaxes, logarithms of sums of exponentials and softmaxes are made of scores."""
    for end in graph.live:
        value = graph.steps[end].value
        if graph.steps[end].function is None or not 1 < value.size <= MOST_ELEMENTS:
            continue
        for axis in range(value.ndim):
            if value.shape[axis] > 1:
                yield from made_of_scores(graph, end, axis)
        yield from logarithms_of_sums(graph, end)


def made_of_scores(graph, end, axis):
    """Yield the scores that a step is the softmax of along an axis, or the logarithm of that."""
    value = graph.steps[end].value
    with np.errstate(all="ignore"):
        sums = value.sum(axis), np.exp(value).sum(axis)
    which = [np.abs(s - 1).max(initial=0) < 1e-9 for s in sums]
    if not any(which):
        return
    for k in graph.live:
        z = graph.steps[k].value
        if k >= end or z.shape != value.shape:
            continue
        p = softmax(z, axis)
        if which[1] and np.allclose(np.exp(value), p, 1e-9, 1e-12):
            yield Scores(k, end, axis, lambda g: -g.sum(axis, keepdims=True))
        elif which[0] and np.allclose(value, p, 1e-9, 1e-12):
            yield Scores(k, end, axis, lambda g, p=p: -(g * p).sum(axis, keepdims=True))
        else:
            continue
        return


def logarithms_of_sums(graph, end):
    """Yield the scores that a step is the logarithm of the sum of exponentials of, along an axis."""
    value = graph.steps[end].value
    for k in graph.live:
        z = graph.steps[k].value
        if k >= end or z.size <= value.size or not z.ndim or z.size > MOST_ELEMENTS:
            continue
        for axis in range(z.ndim):
            kept = tuple(1 if a == axis else n for a, n in enumerate(z.shape))
            if value.size != int(np.prod(kept)):
                continue
            largest = z.max(axis, keepdims=True)
            with np.errstate(all="ignore"):
                found = np.log(np.exp(z - largest).sum(axis, keepdims=True)) + largest
            if np.allclose(value.reshape(kept), found, 1e-9, 1e-12):
                yield Scores(k, end, axis, lambda g, kept=kept: g.reshape(kept))
                return
