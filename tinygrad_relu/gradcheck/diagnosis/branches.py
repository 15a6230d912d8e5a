"""Wrong rules of several ways at once: lost and confused branches, gates with another condition."""

import itertools
from collections import Counter, defaultdict

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.conditions import other_conditions
from tinygrad_relu.gradcheck.diagnosis.functions import GATES, derivative
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import (
    Mutation,
    described,
    for_one_operand,
    links,
)
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.step import summed_to
from tinygrad_relu.gradcheck.diagnosis.trace import Change

# So many ways into one step that all their subsets are tried.
MOST_WAYS = 6

#: What gradients are multiplied by once too often, and of how many steps behind.
TOO_OFTEN = (
    "{v} * (1 - {v}), the derivative of the sigmoid",
    "1 - {v}**2, the derivative of tanh",
    "({v} > 0), the derivative of ReLU",
    "sigmoid({v}) * (1 - sigmoid({v})), the derivative of the sigmoid",
    "1 - tanh({v})**2, the derivative of tanh",
    "exp({v})",
    "0.5 / sqrt({v}), the derivative of the root",
)
MOST_NEAR = 8


def branch_mutations(graph, alone=False):
    """Yield wrong rules of several links at once, and of gates; `alone`, those of one way into a gate."""
    if alone:
        for k in graph.live:
            if graph.steps[k].function is np.where:
                for mutation in other_conditions(graph, k):
                    yield from for_one_operand(graph, mutation)
        return
    ways = defaultdict(list)
    for link in links(graph):
        if len(link.members) == 1:
            ways[link.parent(link.members[0])].append(link)
    yield from once_too_often(graph)
    for parent, found in ways.items():
        if 3 <= len(found) <= MOST_WAYS:
            yield from several_dropped(graph, parent, found)
        yield from confused(graph, parent, found)
    yield from lost_ways(graph)
    for k in graph.live:
        if graph.steps[k].function is np.where:
            yield from other_conditions(graph, k)
    for found in ways.values():
        for link in found:
            if link.first.elementwise and len(link.first.references) > 1:
                yield from slopes_of_others(link)


def once_too_often(graph):
    """Yield gradients with the derivative of an activation that they do not go through.

    Such as that of the sigmoid after ``p - y``, in which it has cancelled.
    """
    for k in graph.live:
        step = graph.steps[k]
        if step.function is None:
            yield from before_an_input(graph, k)
            continue
        near = [j for j in graph.live if j >= k and graph.steps[j].value.shape == step.value.shape]
        for j in near[:MOST_NEAR]:
            for name in TOO_OFTEN:
                slope = derivative(name, graph.steps[j].value)
                if slope is None or not np.ptp(slope):
                    continue
                change = Change(k, k, lambda g, _, slope=slope: g * (slope - 1))
                yield Mutation(
                    ("too often", k, j, name), Label.WRONG_FUNCTION, 24.6, [change],
                    f"the gradient of {described(graph, k)} is multiplied by {name.format(v='v')}, of "
                    f"{described(graph, j)}, which does not belong there",
                    step.line, step.name,
                )


def before_an_input(graph, k):
    """Yield for the gradient of an input that of what an activation may have made it of."""
    for name in TOO_OFTEN[:2]:
        slope = derivative(name, graph.steps[k].value)
        if k in graph.inputs and slope is not None and np.ptp(slope) and (slope > 0).all():
            yield Mutation(
                ("before", k, name), Label.PRE_ACTIVATION, 25.1,
                [Change(k, k, lambda g, _, slope=slope: g * (slope - 1))],
                f"is multiplied by {name.format(v='v')}: it is the gradient of what comes before this "
                "activation, which is not in the forward",
            )


def several_dropped(graph, parent, found):
    """Yield subsets of the terms of one gradient: a later line sets what it should add to."""
    for count in range(2, len(found)):
        for dropped in itertools.combinations(found, count):
            changes = [
                Change(link.members[0], parent, lambda g, _, link=link: -link.right(link.members[0], g))
                for link in dropped
            ]
            key = tuple((link.members, link.path) for link in dropped)
            names = " and ".join(f"{link.first.name} ({link.first.line})" for link in dropped)
            yield Mutation(
                ("several dropped", parent, key),
                Label.MISSING_TERM,
                22.6,
                changes,
                f"of the gradient of {described(graph, parent)} the terms that come back through "
                f"{names} are "
                "missing: is it set (=) where it should be added to (+=)?",
                dropped[0].first.line,
                dropped[0].first.name,
            )


def lost_ways(graph):
    """Yield what comes back to a step by one of its uses, and does not go on to one of its operands.

    Who writes down by hand what a logarithm of probabilities gets by each of its uses may forget in one
    of them the sum of all, by which they are normalised.
    """
    uses = Counter(p for k in graph.live for _, p in graph.edges(k))
    for link in links(graph):
        forks = {k: link.parent(k) for k in link.members}
        first = graph.steps[forks[link.members[0]]]
        if any(uses[p] < 2 for p in forks.values()) or len(list(graph.edges(forks[link.members[0]]))) < 2:
            continue
        for path in [first.paths[slot] for slot, _ in graph.edges(forks[link.members[0]])]:
            if all(path in graph.steps[p].paths for p in forks.values()):
                slots = {k: graph.steps[p].paths.index(path) for k, p in forks.items()}
                yield lost_way(link, forks, slots, path)


def lost_way(link, forks, slots, path):
    """Return the mutation by which one use of a step sends nothing to one of its operands."""
    graph = link.graph

    def change(k):
        fork = graph.steps[forks[k]]
        return Change(k, fork.references[slots[k]],
                      lambda g, _: -fork.pull(link.right(k, g))[slots[k]])

    first = link.members[0]
    own, operand = forks[first], graph.steps[forks[first]].references[slots[first]]
    return Mutation(
        ("lost way", link.members, link.path, path), Label.MISSING_TERM, 23.3,
        [change(k) for k in link.members],
        f"what {link.first.name} sends back to {described(graph, own)} does not go on to "
        f"{described(graph, operand)}: one term of the sum is left out",
        link.first.line, link.first.name,
    )


def confused(graph, parent, found):
    """Yield two products into one gradient, each with the other one's operand."""
    products = [
        link for link in found if link.first.function in PRODUCTS and len(link.first.references) == 2
    ]
    if len(products) > 1:
        yield from same_operand(graph, parent, products)
    for a, b in itertools.combinations(products, 2):
        one, other = (link.first.operands[1 - link.slot(link.members[0])] for link in (a, b))
        if one.shape != other.shape:
            continue
        changes = [*with_operand(a, other), *with_operand(b, one)]
        yield Mutation(
            ("confused", a.members, b.members, parent),
            Label.WRONG_FUNCTION,
            25,
            changes,
            f"two products ({a.first.line} and {b.first.line}) send back to {described(graph, parent)} "
            "with "
            "each other's operand",
            a.first.line,
            a.first.name,
        )


def same_operand(graph, parent, products):
    """Yield several products into one gradient, all with the operand of one of them: copied lines."""
    operands = [link.first.operands[1 - link.slot(link.members[0])] for link in products]
    if len({x.shape for x in operands}) > 1:
        return
    for link, value in zip(products, operands):
        number = link.first.references[1 - link.slot(link.members[0])]
        yield Mutation(
            ("same operand", link.members, parent), Label.WRONG_FUNCTION, 25.1,
            [change for other in products if other is not link for change in with_operand(other, value)],
            f"all {len(products)} products that {described(graph, parent)} goes into send back with "
            f"{described(graph, number)}, and each has to with its own operand",
            link.first.line, link.first.name,
        )


def with_operand(link, value):
    """Return the changes that take another value for the other operand of a product."""

    def rule(k, g, _):
        operands = list(link.graph.steps[k].operands)
        operands[1 - link.slot(k)] = value
        return link.graph.steps[k].pull(g, operands)[link.slot(k)]

    return link.exchanged(rule)


def slopes_of_others(link):
    """Yield, for the derivative by one operand, a value or the derivative by another."""
    k, step = link.members[0], link.first
    slot = link.slot(k)
    shape = link.operand(k).shape
    right = step.slopes()[slot]
    found = [("the result", step.value, "result")]
    found += [
        (described(link.graph, step.references[s]), x, ("operand", s))
        for s, x in enumerate(step.operands)
    ]
    for other in range(len(step.operands)):
        if other != slot and step.operands[other].dtype == float and step.function is not np.where:
            slope = step.slopes()[other] if step.flowing[other] else None
            if slope is None:
                wide = [np.array(np.broadcast_to(x, step.value.shape)) for x in step.operands]
                slope = step.slope_by_differences(wide, other, True)
            found.append((f"the derivative by operand {other + 1}", slope, ("slope", other)))
    sides = np.unique(right)
    if len(sides) == 2:
        found.append(("the mask upside down", sides.sum() - right, "inverted"))
    for words, wrong, key in found:
        wrong = np.broadcast_to(np.asarray(wrong, np.float64), step.value.shape)
        lacks_log = step.function is np.power and key == "result"
        yield link.mutation(
            ("slope of other", key),
            Label.MISSING_FACTOR if lacks_log
            else Label.MASK_FROM_WRONG_TENSOR if key == "inverted" or other_side(step, key)
            else Label.WRONG_FUNCTION,
            24.3,
            lambda _, g, c, wrong=wrong: summed_to(g * wrong, shape),
            f"{words} is taken for the derivative of {step.name} by operand {slot + 1}",
        )


def other_side(step, key):
    """Tell whether it is the other operand of a gate that a derivative is taken by."""
    return step.function in GATES and key[0] == "slope"
