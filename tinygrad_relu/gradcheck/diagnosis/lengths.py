"""Wrong backwards of what is divided by its own length or sum: vectors scaled to unit length, shares.

With ``u = x / n`` and the derivative ``w`` of ``n`` by ``x``, the gradient ``d`` of ``u`` goes back as
``(d - w * sum(d * u)) / n``; of a Euclidean length ``w`` is ``u``, of a sum it is 1.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described
from tinygrad_relu.gradcheck.diagnosis.statistics import axes_of, base_of_square, root_of
from tinygrad_relu.gradcheck.diagnosis.trace import Change


@dataclass(frozen=True)
class Scaled:
    """Where something is divided by a size of itself.

    Attributes
    ----------
    x, unit : int
        The steps of what is divided, and of the quotient.
    axes : tuple of int
        Those of the sum.
    size, slope : ndarray
        What it is divided by, broadcast to its shape, and the derivative of that.
    """

    x: int
    unit: int
    axes: tuple
    size: np.ndarray
    slope: np.ndarray


def length_mutations(graph):
    """Yield wrong backwards of all that is divided by its own length or sum."""
    for found in scaled_by_own_size(graph):
        yield from wrong_scalings(graph, found)
    for k in graph.live:
        if graph.steps[k].function is np.sum and axes_of(graph.steps[k]) is not None:
            yield from signs_for_directions(graph, k)


def scaled_by_own_size(graph):
    """Yield each division of something by its own length, or by its own sum."""
    for k in graph.live:
        total = graph.steps[k]
        if total.function is not np.sum or len(total.references) != 1:
            continue
        axes, x = axes_of(total), base_of_square(graph, total.references[0])
        root = root_of(graph, k) if x is not None else None
        if axes is None:
            continue
        if root is not None:
            yield from divisions(graph, x, root, axes, True)
        yield from divisions(graph, total.references[0], k, axes, False)


def signs_for_directions(graph, k):
    """Yield, for a sum of squares under a root, the derivative of a sum of sizes."""
    x = base_of_square(graph, graph.steps[k].references[0])
    root = root_of(graph, k) if x is not None else None
    if root is None:
        return
    axes, value, length = axes_of(graph.steps[k]), graph.steps[x].value, graph.steps[root].value

    def extra(g, _):
        wide, g = (a if a.ndim == value.ndim else np.expand_dims(a, axes) for a in (length, g))
        return g * (np.sign(value) - value / wide)

    yield Mutation(
        ("sign for direction", root), Label.WRONG_FUNCTION, 24, [Change(root, x, extra)],
        "sign(x), the derivative of a sum of sizes, is taken for x over its length, that of the "
        f"length, where x is {described(graph, x)}",
        graph.steps[root].line, graph.steps[root].name,
    )


def divisions(graph, x, size, axes, euclidean):
    """Yield the divisions of step `x` by a step that is its size."""
    value, divisor = graph.steps[x].value, graph.steps[size].value
    if divisor.ndim < value.ndim and divisor.ndim:
        divisor = np.expand_dims(divisor, axes)
    for k in graph.live:
        step = graph.steps[k]
        if step.function is not np.divide or step.references[:1] != [x] or len(step.references) != 2:
            continue
        if step.value.shape == value.shape and np.allclose(step.value, value / divisor, 1e-10):
            slope = step.value if euclidean else np.ones(value.shape)
            yield Scaled(x, k, axes, np.broadcast_to(divisor, value.shape), slope)


def wrong_scalings(graph, found):
    """Yield the wrong backwards of one division."""
    u, n, w, over = graph.steps[found.unit].value, found.size, found.slope, found.axes
    x, step = graph.steps[found.x].value, graph.steps[found.unit]

    def right(d):
        return (d - w * (d * u).sum(over, keepdims=True)) / n

    euclidean = w is u
    what = "what is scaled to unit length" if euclidean else "what is divided by its sum"
    # Of a softmax one says so: see `softmaxes`.
    behind = 0.3 * (graph.steps[found.x].function is np.exp)
    mistakes = [*scaling_mistakes(u, n, w, over), *sums_over_others(u, n, w, over)]
    if euclidean:
        mistakes += with_vector(x, u, n, over)
    for key, label, cost, words, rule in mistakes:
        yield Mutation(
            ("scaled to one", found.unit, key), label, cost + behind,
            [Change(found.unit, found.x, lambda g, _, rule=rule: rule(g) - right(g))],
            f"the way back through {what}, {described(graph, found.x)}, {words}", step.line, step.name,
        )


def scaling_mistakes(u, n, w, over):
    """Yield wrong rules: key, label, cost, words and rule of the gradient."""

    def along(d):
        return w * (d * u).sum(over, keepdims=True)

    size = "length" if w is u else "sum"
    yield ("constant", Label.MISSING_TERM, 19.4, f"takes the {size} for a constant: the term that "
           f"comes back through the {size} is missing", lambda d: d / n)
    yield "undivided", Label.MISSING_FACTOR, 21.9, f"is not divided by the {size}", lambda d: d - along(d)
    yield ("squared", Label.WRONG_FUNCTION, 22, f"is divided by the square of the {size}",
           lambda d: (d - along(d)) / n**2)
    yield ("times", Label.WRONG_FUNCTION, 22, f"is multiplied by the {size}, and has to be divided",
           lambda d: (d - along(d)) * n)
    yield ("bracket", Label.MISSING_FACTOR, 22.1, f"divides only one of its two terms by the {size}: are "
           "there brackets missing?", lambda d: d - along(d) / n)
    yield ("bracket behind", Label.MISSING_FACTOR, 22.1, f"divides only one of its two terms by the "
           f"{size}: are there brackets missing?", lambda d: d / n - along(d))
    yield ("plus", Label.WRONG_FUNCTION, 20.4, "has the wrong sign before its second term",
           lambda d: (d + along(d)) / n)
    yield ("averaged", Label.AVERAGED, 22, "averages d * u, where it has to be summed",
           lambda d: (d - w * (d * u).mean(over, keepdims=True)) / n)
    alone = Label.NOT_SUMMED if w is u else Label.WRONG_FUNCTION  # each share as if it were the only one
    yield "not summed", alone, 22.2, "does not sum d * u", lambda d: (d - w * d * u) / n
    yield ("no inner", Label.MISSING_FACTOR, 22.3, "sums d, where it has to sum d * u",
           lambda d: (d - w * d.sum(over, keepdims=True)) / n)
    if w is u:
        yield ("no outer", Label.MISSING_FACTOR, 22.3, "does not multiply the sum of d * u by u",
               lambda d: (d - (d * u).sum(over, keepdims=True)) / n)
    yield ("only second", Label.MISSING_TERM, 22.5, "lacks its first term", lambda d: -along(d) / n)


def sums_over_others(u, n, w, over):
    """Yield the rule with the sum over other axes than those of the length."""
    for length in range(1, u.ndim + 1):
        for axes in itertools.combinations(range(u.ndim), length):
            if axes != over:
                yield (
                    ("axes", axes), Label.SUMMED, 21.8,
                    f"sums d * u over {'all axes' if length == u.ndim else axes}, where it should over "
                    f"{over}",
                    lambda d, a=axes: (d - w * (d * u).sum(a, keepdims=True)) / n,
                )


def with_vector(x, u, n, over):
    """Yield the rule with the vector itself where the unit vector belongs, once or twice."""
    words = "takes the vector before it was scaled for the unit vector"
    for key, a, b in (("vector", x, u), ("both vectors", x, x)):
        yield (
            key, Label.MISSING_FACTOR, 21.7, words if key == "vector" else f"{words}, in both places",
            lambda d, a=a, b=b: (d - a * (d * b).sum(over, keepdims=True)) / n,
        )
