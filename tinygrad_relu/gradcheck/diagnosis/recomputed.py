"""Wrong values that a backward works with: a forward that it computes anew otherwise, inputs moved."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.conditions import masks_at_level
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS, STRAIGHT
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_LIVE, MOST_ELEMENTS, MOST_BEHIND = 60, 50_000, 8
LINEAR = (np.multiply, *PRODUCTS)


def recomputed_mutations(graph):
    """Yield the backward with values that are not those of the forward."""
    yield from inputs_after_a_step(graph)
    if len(graph.live) > MOST_LIVE or sum(step.value.size for step in graph.steps) > MOST_ELEMENTS:
        return
    yield from products_of_others(graph)
    for k in graph.live:
        step = graph.steps[k]
        if step.function is not None and step.elementwise:
            for key, operands, value, label, cost, words in other_values(graph, k):
                said = f"the backward computes {described(graph, k)} otherwise than the forward: {words}"
                for own in (None, operands) if operands else (None,):
                    yield Mutation(
                        ("recomputed", k, key, own is None), label, cost,
                        walked_with(graph, k, value, own), said, step.line, step.name,
                    )


def other_values(graph, k):
    """Yield what may be taken for the result of a step: ``(key, operands, value, label, cost, words)``.

    Its operands are None where its own rule may still have the right ones.
    """
    step = graph.steps[k]
    for slot, x in enumerate(step.operands):
        if x.shape == step.value.shape and step.flowing[slot]:
            label, words = skipped(step, slot)
            yield ("skipped", slot), None, x, label, 24.9, words
    for slot, x in enumerate(step.operands):
        if step.flowing[slot] or two_values(x) is None or x.shape != step.value.shape:
            continue
        low, high = two_values(x) if x.dtype != bool else (False, True)
        for number, (name, data) in enumerate(graph.data):
            for key, mask in masks_at_level(x == high, data) if data.shape == x.shape else ():
                operands = list(step.operands)
                operands[slot] = np.where(mask, high, low)
                words = f"its mask is taken with >= for >, or < for <=, of {name}"
                value, label = step.call(operands), Label.MASK_NOT_STRICT
                yield ("level", slot, number, key), operands, value, label, 24, words


def skipped(step, slot):
    """Return what it is called to take the operand of a step for its result, and in words."""
    slopes = step.slopes()[slot]
    sides = two_values(slopes)
    if step.function in STRAIGHT:
        return Label.MISSING_TERM, f"{step.name} is left out"
    if sum(step.flowing) == 1 and len(step.operands) > 1 and sides is not None and 0 in sides:
        return Label.MASK_FORGOTTEN, f"the mask of {step.name} is left out"
    if slopes.size and np.ptp(slopes) == 0:
        return Label.MISSING_FACTOR, f"the factor {slopes.flat[0]:.6g} of {step.name} is left out"
    if len(step.operands) > 1 and step.function in (np.multiply, np.divide):
        return Label.MISSING_FACTOR, f"{step.name} is left out"
    return Label.PRE_ACTIVATION, f"{step.name} is left out, so that it is the value before"


def products_of_others(graph):
    """Yield products of which one operand is computed anew, otherwise than in the forward."""
    for link in links(graph):
        step = link.first
        if step.function not in LINEAR or len(step.references) != 2 or len(link.members) > 1:
            continue
        operand = step.references[1 - link.slot(link.members[0])]
        for k in behind(graph, operand):
            for key, _, value, label, cost, words in other_values(graph, k):
                yield link.mutation(
                    ("anew", k, key), label, cost - 0.4,
                    product_rule(link, operand, k, value),
                    f"the rule of {step.name} computes {described(graph, k)} otherwise than the forward: "
                    f"{words}",
                )


def behind(graph, operand):
    """Yield the elementwise steps that an operand is made of, without any other in between."""
    ahead = [operand]
    for _ in range(MOST_BEHIND):
        if not ahead:
            return
        k = ahead.pop(0)
        if graph.steps[k].function is not None and graph.steps[k].flows:
            if graph.steps[k].elementwise:
                yield k
            if graph.steps[k].elementwise or graph.steps[k].function is np.transpose:
                ahead += [p for _, p in graph.edges(k)]


def product_rule(link, operand, k, value):
    """Return the rule of a product with an operand in which step `k` has another value."""
    known = []

    def rule(number, g, _):
        if not known:
            known.append(values_with(link.graph, k, value, operand)[operand])
        operands = list(link.graph.steps[number].operands)
        operands[1 - link.slot(number)] = known[0]
        return link.graph.steps[number].pull(g, operands)[link.slot(number)]

    return rule


def walked_with(graph, k, value, own):
    """Return the changes of a walk back in which step `k`, and all that comes of it, has other values."""
    operands, latest = None, ([], {})

    def extra(g, now, number):
        nonlocal operands, latest
        # Of the outputs what arrives is given, whatever they are.
        given = [now[n] for n in graph.outputs if n in graph.live]
        if len(latest[0]) != len(given) or not all(map(np.array_equal, latest[0], given)):
            if operands is None:
                operands = operands_with(graph, k, value) | ({k: own} if own else {})
            latest = given, walk(graph, now, operands)
        return latest[1].get(number, 0) - now[number]

    return [
        Change(number, number, lambda g, now, number=number: extra(g, now, number))
        for number in graph.inputs
        if number in graph.live
    ]


def operands_with(graph, k, value):
    """Return the operands of each step that has others once the result of step `k` is another one."""
    values = values_with(graph, k, value, len(graph.steps) - 1)
    return {
        j: [values.get(p, graph.steps[p].value) for p in step.references]
        for j, step in enumerate(graph.steps)
        if j > k and any(p in values for p in step.references)
    }


def values_with(graph, k, value, last):
    """Return the values of the steps that have others once that of step `k` is another, up to a last."""
    values = {k: value}
    for j in range(k + 1, last + 1):
        step = graph.steps[j]
        if any(p in values for p in step.references):
            values[j] = step.call([values.get(p, graph.steps[p].value) for p in step.references])
    return values


def walk(graph, right, operands):
    """Return the cotangent of each step, with other operands of some."""
    found = {n: right[n] for n in graph.outputs if n in graph.live}
    for k in reversed(graph.live):
        step = graph.steps[k]
        if k not in found or not step.references:
            continue
        parts = step.pull(found[k], operands.get(k))
        for slot, parent in graph.edges(k):
            found[parent] = found[parent] + parts[slot] if parent in found else parts[slot]
    return found


# ------------------------------------------------------------------------------------ after a step


def inputs_after_a_step(graph):
    """Yield products that take an input after a step along its gradient: the update comes too early."""
    for link in links(graph):
        step = link.first
        if step.function not in LINEAR or len(step.references) != 2:
            continue
        other = 1 - link.slot(link.members[0])
        number = origin(graph, step.references[other])
        if number is None:
            continue

        def rule(k, g, now, link=link, number=number):
            at = 1 - link.slot(k)
            moved, way = now[number], graph.steps[k].references[at]
            operands = list(graph.steps[k].operands)
            operands[at] = graph.steps[way].call([moved]) if way != number else moved
            return link.right(k, g) + graph.steps[k].pull(g, operands)[link.slot(k)]

        yield Mutation(
            ("after a step", link.members, link.path), Label.STALE_BUFFER, 27, link.exchanged(rule), "",
            step.line, step.name,
            lambda c, step=step, number=number: Mutation(
                (), Label.STALE_BUFFER, 24.5, [],
                f"the rule of {step.name} takes {described(graph, number)} after {c:.6g} times its "
                "gradient was added, not as it was in the forward: update when all gradients are there",
                step.line, step.name,
            ),
        )


def origin(graph, k):
    """Return the input that a step is, or is a transpose of; None if it is none."""
    if graph.steps[k].function is np.transpose:
        (k,) = graph.steps[k].references
    return k if k in graph.inputs else None
