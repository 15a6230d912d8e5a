"""Wrong derivatives of a softmax that is written out as ``e / e.sum()``."""

from collections import defaultdict

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation
from tinygrad_relu.gradcheck.diagnosis.trace import Change


def softmaxes(graph):
    """Yield what is made of the derivative of a softmax that is written out as ``e / e.sum()``."""
    groups = defaultdict(list)
    for k, e, total in softmaxes_of(graph):
        groups[graph.steps[k].site].append((k, e, total))
    for found in groups.values():
        yield from softmax_rules(graph, found)
        for one in found if 1 < len(found) < 5 else ():
            yield from softmax_rules(graph, [one])
    yield from logarithms_of_sums(graph)


def logarithms_of_sums(graph):
    """Yield the logarithm of a sum of exponentials without its derivative, which is a softmax."""
    for k in graph.live:
        step = graph.steps[k]
        total = graph.steps[step.references[0]] if step.function is np.log else step
        e = graph.steps[total.references[0]] if total.function is np.sum and total is not step else step
        if e.function is not np.exp or e is step or total.value.ndim not in (0, e.value.ndim):
            continue
        change = Change(
            k, e.references[0], lambda g, _, y=e.value / total.value: np.broadcast_to(g, y.shape) - g * y
        )
        yield Mutation(
            ("log of a sum", k), Label.MISSING_FACTOR, 22.9, [change],
            "the derivative of the logarithm of a sum of exponentials, the softmax, is not multiplied in",
            step.line, "the logarithm of a sum",
        )


def softmaxes_of(graph):
    """Yield the division of each softmax, what is divided, and by what."""
    for k in graph.live:
        step = graph.steps[k]
        if step.function is not np.divide or len(step.references) != 2:
            continue
        e, total = step.references
        if graph.steps[total].function is not np.sum:
            continue
        summed = graph.steps[graph.steps[total].references[0]]
        if (
            summed.function is not graph.steps[e].function
            or summed.references != graph.steps[e].references
        ):
            continue
        if graph.steps[e].function is np.exp and graph.steps[total].value.ndim in (0, step.value.ndim):
            yield k, e, total


def softmax_rules(graph, found):
    """Yield wrong rules of a softmax, in all rounds of a loop, from its result to its exponents."""
    k, _, total = found[0]
    step = graph.steps[k]
    shape = graph.steps[total].value.shape or (1,) * step.value.ndim
    axes = tuple(i for i, n in enumerate(shape) if n != step.value.shape[i])
    yield from confused_softmaxes(graph, found, axes)
    for key, label, cost, rule, words in softmax_mistakes(axes, step.value.ndim):
        changes = [
            Change(
                k,
                graph.steps[e].references[0],
                lambda g, _, y=graph.steps[k].value, rule=rule: (
                    rule(g, y) - y * (g - (g * y).sum(axes, keepdims=True))
                ),
            )
            for k, e, total in found
        ]
        yield Mutation(
            ("softmax", k, len(found), key),
            label,
            cost,
            changes,
            f"the derivative of the softmax {words}",
            step.line,
            "softmax",
        )


def confused_softmaxes(graph, found, axes):
    """Yield the rule of a softmax with scores or exponentials for probabilities, in one place or both."""
    k, e, _ = found[0]
    step = graph.steps[k]

    def scores(e, shifted):
        k = graph.steps[e].references[0]
        before = graph.steps[k].references[:1] if graph.steps[k].function is np.subtract else []
        return graph.steps[before[0] if before and not shifted else k].value

    kinds = (
        (Label.PRE_ACTIVATION, "scores", lambda e: scores(e, False)),
        (Label.PRE_ACTIVATION, "shifted scores", lambda e: scores(e, True)),
        (
            Label.MISSING_FACTOR, "exponentials that are not divided by their sum",
            lambda e: graph.steps[e].value,
        ),
    )
    for label, word, values in kinds:
        for place in ("front", "sum", "both"):
            changes = []
            for k, e, _ in found:

                y, q = graph.steps[k].value, values(e)

                def extra(g, _, y=y, q=q, place=place):
                    a, b = (y if place == "sum" else q), (y if place == "front" else q)
                    wrong = a * (g - (g * b).sum(axes, keepdims=True))
                    return wrong - y * (g - (g * y).sum(axes, keepdims=True))

                changes.append(Change(k, graph.steps[e].references[0], extra))
            where = {"front": "in front", "sum": "in its sum", "both": "in both places"}[place]
            yield Mutation(
                ("softmax of", k, len(found), word, place), label, 22.6, changes,
                f"the derivative of the softmax takes {word} for its probabilities, {where}",
                step.line, "softmax",
            )


def softmax_mistakes(axes, ndim):
    """Yield wrong rules of a softmax over some axes: key, label, cost, rule and words."""

    def total(x, over=axes):
        return x.sum(over, keepdims=True)

    yield ("diagonal", Label.WRONG_FUNCTION, 21, lambda g, y: g * y * (1 - y),
           "is taken for that of a sigmoid, y * (1 - y): the elements off the diagonal are missing")
    yield "one", Label.MISSING_FACTOR, 20, lambda g, y: g, "is not multiplied in"
    yield ("unweighted", Label.MISSING_FACTOR, 23, lambda g, y: y * (g - total(g)),
           "lacks the factor y in the sum over g * y")
    yield ("mean", Label.AVERAGED, 22, lambda g, y: y * (g - (g * y).mean(axes, keepdims=True)),
           "averages g * y where it has to be summed")
    yield ("plus", Label.WRONG_FUNCTION, 22, lambda g, y: y * (g + total(g * y)),
           "has the wrong sign before the sum over g * y")
    yield ("no factor", Label.MISSING_FACTOR, 22, lambda g, y: g - total(g * y),
           "lacks the factor y in front")
    yield ("loss", Label.WRONG_FUNCTION, 24, lambda g, y: y - g,
           "is taken for y - g, which is that of a cross-entropy with its softmax, of labels g")
    yield "no sum", Label.MISSING_TERM, 21, lambda g, y: y * g, "lacks the term - y * sum(g * y)"
    yield "not summed", Label.NOT_SUMMED, 22.5, lambda g, y: y * (g - g * y), "does not sum g * y"
    yield "only sum", Label.MISSING_TERM, 22.5, lambda g, y: -y * total(g * y), "lacks the term y * g"
    for a in [a for a in range(ndim) if a not in axes]:
        yield (f"axis {a}", Label.SUMMED, 22, lambda g, y, a=a: y * (g - total(g * y, a)),
               f"sums g * y over axis {a}, and not over {axes}")
    if ndim > 1:
        yield ("all axes", Label.SUMMED, 22, lambda g, y: y * (g - total(g * y, None)),
               "sums g * y over all axes")
