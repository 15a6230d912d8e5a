"""The right rules of single links, given the gradient of another step."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import GATES, two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import described
from tinygrad_relu.gradcheck.diagnosis.naming import told_apart
from tinygrad_relu.gradcheck.diagnosis.numbers import is_number
from tinygrad_relu.gradcheck.diagnosis.relations import Relation, between, comes_from


def other_cotangents(link):
    """Yield the right rule of the gradient of another step."""
    if len(link.members) > 1:
        yield from other_cotangents_of_loop(link)
        return
    graph, k = link.graph, link.members[0]
    found = 0
    for other in graph.live:
        if graph.steps[other].value.shape != graph.steps[k].value.shape:
            continue
        found += 1
        if found > 16:
            return
        label, cost, why = what_cotangent(graph, k, other)
        yield link.mutation(
            ("cotangent", other),
            label,
            cost,
            lambda _, g, right, other=other: link.right(k, right[other]),
            f"the rule of {link.first.name} takes the gradient of {described(graph, other)} in the "
            "place of "
            f"that of {described(graph, k)}{why}",
        )
        yield link.mutation(
            ("value", other),
            Label.MISSING_FACTOR if other == k else Label.WRONG_FUNCTION,
            28,
            lambda _, g, right, other=other: link.right(k, graph.steps[other].value),
            f"the rule of {link.first.name} takes {described(graph, other)} in the place of the "
            "gradient of "
            f"{described(graph, k)}",
        )


def other_cotangents_of_loop(link):
    """Yield the right rule of the gradient of another step of each round of a loop."""
    graph, k = link.graph, link.members[0]
    groups = {}
    for j in graph.live:
        if graph.steps[j].value.shape == link.first.value.shape and graph.steps[j].references:
            groups.setdefault((graph.steps[j].site, graph.steps[j].function), []).append(j)
    for group in groups.values():
        # Of each round the one that comes next.
        where = tuple(next((j for j in group if j > k), -1) for k in link.members)
        if -1 in where:
            continue
        label, cost, why = what_cotangent(graph, k, where[0])
        taken, meant = told_apart(graph, link.members, link.members, where)
        yield link.mutation(
            ("cotangent", where),
            label,
            cost,
            lambda j, _, now, where=where: link.right(j, now[where[link.members.index(j)]]),
            f"the rule of {link.first.name} takes the gradient of {taken} in the place of that of "
            f"{meant}{why}",
        )


def what_cotangent(graph, k, other):
    """Return which mistake it is to take the gradient of another step: label, cost, and in words."""
    how = between(graph, *sorted((k, other)))
    if how is Relation.ACTIVATION and other < k and len(list(graph.edges(k))) == 1:
        return Label.WRONG_FUNCTION, 24.4, ": the derivative of the activation is multiplied in twice"
    if how is Relation.ACTIVATION and other < k:
        return Label.PRE_ACTIVATION, 24.5, ": it is on the wrong side of an activation"
    if how is Relation.ACTIVATION and lets_some_through(graph.steps[other]):
        return Label.MASK_FORGOTTEN, 24.5, ": the mask between them is forgotten"
    if how is Relation.ACTIVATION:
        return Label.MISSING_FACTOR, 24.5, ": the derivative of the activation between them is missing"
    if how is Relation.GATE and other > k:
        return Label.MASK_FORGOTTEN, 24.4, ": the mask between them is forgotten"
    count = divided_by_a_count(graph.steps[other])
    if how in (Relation.LINEAR, Relation.FACTOR) and other > k and count:
        return Label.AVERAGED, 24.5, f": it is not divided by {count:g}"
    if how is Relation.FACTOR and other > k:
        return Label.MISSING_FACTOR, 24.6, ": a factor between them is missing"
    if how is Relation.FACTOR:
        return Label.WRONG_FUNCTION, 25.4, ": a factor is multiplied in that does not belong there"
    if comes_from(graph, other, k):
        if np.cumsum in [graph.steps[j].function for j in range(k + 1, other + 1)]:
            return Label.MISSING_TERM, 25.2, ": it is not added up from the end"
        return Label.MISSING_FACTOR, 25.5, ": what lies between them is not gone back through"
    if gates_behind(graph, k) & gates_behind(graph, other):
        return Label.MASK_FROM_WRONG_TENSOR, 25.3, ": it is let through where the other one is not"
    return Label.WRONG_FUNCTION, 25.5, ""


def lets_some_through(step):
    """Tell whether a step is a gate, or the product with a mask."""
    if step.function is not np.multiply:
        return step.function in GATES
    given = [x for x, flows in zip(step.operands, step.flowing) if not flows]
    return any(0 in (two_values(x) or ()) for x in given)


def divided_by_a_count(step):
    """Return the whole number that a step divides by, such as that of the samples, or None."""
    numbers = [x for x in step.arguments[1:] if is_number(x)] if step.function is np.divide else []
    return next((x for x in numbers if x > 2 and x == round(x)), None)


def gates_behind(graph, k):
    """Return the steps that let the value of a step through, or not, element by element."""
    found, reached, shape = set(), {k}, graph.steps[k].value.shape
    for j in graph.live:
        step = graph.steps[j]
        if j > k and step.elementwise and step.value.shape == shape and reached & set(step.references):
            reached.add(j)
            found |= {j} if step.function in GATES else set()
    return found
