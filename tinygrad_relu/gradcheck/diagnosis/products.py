"""Factors that are missing somewhere along a chain of products, in one gradient or in all."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS, comes_from
from tinygrad_relu.gradcheck.diagnosis.step import summed_to
from tinygrad_relu.gradcheck.diagnosis.trace import Change

SCALING = (np.multiply, np.divide)
MOST_FACTORS, MOST_VALUES = 12, 16


def product_mutations(graph):
    """Yield products with a factor missing, or with another one."""
    yield from missing_factors(graph)
    for link in links(graph):
        step = link.first
        if len(link.members) == 1 and step.function in SCALING:
            if link.operand(link.members[0]).shape != step.value.shape:
                yield from other_factors(graph, link)
            if step.function is np.divide and link.slot(link.members[0]) == 0:
                yield from divided_by_length(link)
        if step.function in PRODUCTS:
            yield from without_operand(link)
        if step.function in (np.square, np.power) and step.paths[link.slot(link.members[0])] == (0, 0):
            yield number_of_power(link)
    for k in graph.live:
        yield from product_of_derivatives(graph, k)


def product_of_derivatives(graph, k):
    """Yield the product of the derivatives of two factors for the derivative of their product."""
    step = graph.steps[k]
    if step.function is not np.multiply or sum(step.flowing) != 2:
        return
    slopes = [slopes_before(graph, p, step.value.shape) for p in step.references]
    for start in set(slopes[0]) & set(slopes[1]):
        a, b = (found[start] for found in slopes)
        u, v = step.operands
        yield Mutation(
            ("product of derivatives", k, start), Label.WRONG_FUNCTION, 23.6,
            [Change(k, start, lambda g, _, wrong=a * b - a * v - b * u: g * wrong)],
            f"the derivatives of both factors of {step.name} are multiplied: the rule is u' v + u v'",
            step.line, step.name,
        )


def slopes_before(graph, end, shape):
    """Return the derivatives of a step by all earlier ones that it is made of element by element."""
    found = {end: np.ones(shape)}
    for k in range(end, -1, -1):
        step = graph.steps[k]
        if k in found and step.elementwise:
            for slot, p in graph.edges(k):
                if graph.steps[p].value.shape == shape:
                    found[p] = found.get(p, 0) + found[k] * step.slopes()[slot]
    return found


def without_operand(link):
    """Yield the rule of a product with ones for the other operand: only what arrives is summed."""
    step = link.first
    if len(link.members) > 1 or len(step.references) != 2:
        return

    def rule(k, g, _):
        operands = list(link.graph.steps[k].operands)
        operands[1 - link.slot(k)] = np.ones(operands[1 - link.slot(k)].shape)
        return link.graph.steps[k].pull(g, operands)[link.slot(k)]

    other = step.references[1 - link.slot(link.members[0])]
    yield link.mutation(
        ("without operand",), Label.MISSING_FACTOR, 25.6, rule,
        f"{described(link.graph, other)}, the other factor of {step.name}, is not multiplied in: what "
        "arrives is only summed",
    )


def number_of_power(link):
    """Return the mutation that has ``n`` in the place of ``n * x**(n - 1)``."""
    step = link.first
    n = 2.0 if step.function is np.square else np.log(step.call([np.e, *step.operands[1:]]))
    return link.mutation(
        ("number of power",), Label.MISSING_FACTOR, 22.9,
        lambda k, g, _: summed_to(n * g, link.operand(k).shape),
        "of the derivative of a power only the number in front is multiplied in",
    )


def missing_factors(graph):
    """Yield the gradient of a later step without a factor that an earlier one was multiplied by."""
    factors = {}
    for k in graph.live:
        step = graph.steps[k]
        if step.function in SCALING and len(step.references) == 2:
            for slot, p in enumerate(step.references):
                value = graph.steps[p].value
                if value.ndim and value.dtype == float and value.all():
                    inverse = step.function is np.divide and slot == 1
                    if inverse or step.function is np.multiply:
                        factors.setdefault((p, inverse), value)
    for (p, inverse), value in list(factors.items())[:MOST_FACTORS]:
        ratio = value if inverse else 1 / value
        for j in graph.live:
            step = graph.steps[j]
            if j <= p or step.function is None or not fits(value.shape, step.value.shape):
                continue
            yield Mutation(
                ("factor", p, inverse, j), Label.MISSING_FACTOR, 24.8,
                [Change(j, j, lambda g, _, ratio=ratio: g * (ratio - 1))],
                f"the {'division by' if inverse else 'factor'} {described(graph, p)} is missing on the "
                f"way back from {described(graph, j)}",
                step.line, step.name,
            )


def fits(shape, wide):
    """Tell whether an array of a shape is broadcast to another one, and makes it no larger."""
    try:
        return np.broadcast_shapes(shape, wide) == wide
    except ValueError:
        return False


def other_factors(graph, link):
    """Yield the gradient of a factor that was broadcast, with another array to be summed over.

    A backward by hand has ``sum(dout * n)``, where ``n`` need not be a step of the forward: there the
    factor may have come before a division, as in ``gamma * centred / deviation``.
    """
    k = link.members[0]
    p, shape = link.parent(k), link.operand(k).shape
    slope, end = graph.steps[k].slopes()[link.slot(k)], k
    while True:
        wide = graph.steps[end].value.shape
        for number, (label, cost, words, value) in enumerate(values_for(graph, slope, wide, p)):
            yield Mutation(
                ("other factor", k, end, number), label, cost,
                [Change(end, p, lambda g, _, w=value, s=slope: summed_to(g * (w - s), shape))],
                f"the gradient of {described(graph, p)} is that of {described(graph, end)} times {words}",
                graph.steps[end].line, graph.steps[end].name,
            )
        later = [j for j in graph.live if end in graph.steps[j].references]
        if len(later) != 1 or not graph.steps[later[0]].elementwise:
            return
        following = graph.steps[later[0]]
        if following.value.shape != wide or following.references.count(end) != 1:
            return
        slope = slope * following.slopes()[following.references.index(end)]
        end = later[0]


def values_for(graph, slope, wide, own):
    """Yield what may be multiplied in, in the place of `slope`: label, cost, words and the values."""
    yield Label.MISSING_FACTOR, 25.4, "nothing: the factor that it was multiplied by is missing", (
        np.ones(wide)
    )
    found = 0
    for m in range(len(graph.steps) - 1, -1, -1):
        step = graph.steps[m]
        if step.value.shape != wide or step.value.dtype != float or found == MOST_VALUES or m == own:
            continue
        if np.array_equal(step.value, slope):
            continue
        found += 1
        words = f"{described(graph, m)}, which is not the factor that it was multiplied by"
        if only_scaled(step.value, slope):
            yield Label.MISSING_FACTOR, 25.2, f"{words}, but before it was scaled", step.value
        elif comes_from(graph, m, own):
            yield Label.WRONG_FUNCTION, 25.3, f"{words}, but comes of it", step.value
        elif step.flows:
            yield Label.PRE_ACTIVATION, 25.3, words, step.value
        else:
            yield Label.WRONG_FUNCTION, 25.5, words, step.value


def only_scaled(a, b):
    """Tell whether two arrays are the same but for factors along one of their axes."""
    with np.errstate(all="ignore"):
        ratio = b / a
    if not np.isfinite(ratio).all():
        return False
    scale = np.abs(ratio).max(initial=0)
    return any((np.ptp(ratio, axis=k) <= 1e-9 * scale).all() for k in range(ratio.ndim))


def divided_by_length(link):
    """Yield the length of an axis, or another plain number of elements, in the place of a divisor."""
    k = link.members[0]
    right = np.asarray(link.first.slopes()[0])
    lengths = {n for step in link.graph.steps for n in step.value.shape if n > 1}
    for n in sorted(lengths):
        if np.ptp(right) and n <= 10_000:
            yield link.mutation(
                ("length", n), Label.AVERAGED, 23.1,
                lambda _, g, c, n=n: summed_to(g / n, link.operand(k).shape),
                f"what goes back through {link.first.name} is divided by {n}, the length of an axis, and "
                "not by what the forward divides by",
            )
