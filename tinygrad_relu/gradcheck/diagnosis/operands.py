"""Rules of single links with another value in the place of an operand, or with the operand rearranged."""

from dataclasses import replace

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import name_of, two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, is_square, later, values_like
from tinygrad_relu.gradcheck.diagnosis.naming import rounds_of, told_apart
from tinygrad_relu.gradcheck.diagnosis.relations import (
    JOINING,
    PRODUCTS,
    REORDERED,
    STRAIGHT,
    Relation,
    comes_from,
    of_data,
    relation,
)
from tinygrad_relu.gradcheck.diagnosis.step import summed_to, take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Change

# Loops of up to so many rounds are told from those that only go on and on.
MOST_ROUNDS = 4


def other_operands(link):
    """Yield the rule with another value in the place of an operand that it names."""
    step = link.first
    elementwise = step.elementwise
    if elementwise and len(step.references) < 2:
        return  # a function of one operand: see `sections`
    for slot in range(len(step.references)):
        path = step.paths[slot]
        if any(path not in link.graph.steps[k].paths for k in link.members):
            continue
        if not names_operand(link, slot):
            continue
        value = step.operands[slot]
        for where in substitutes(link, path, value.shape):
            yield from operand_from(link, path, where)
        if value.ndim == 2 and not elementwise:
            for where in substitutes(link, path, value.shape[::-1]):
                yield from operand_from(link, path, where, True)
        yield from operand_rearranged(link, path, value)
        if step.flowing[slot] and path != link.path:
            yield gradient_of_operand(link, path)
    if elementwise:
        yield from powers_of_operands(link)
    if is_square(step.value) and step.function in PRODUCTS:
        yield link.mutation(
            ("cotangent transposed",),
            Label.TRANSPOSED,
            24.2,
            lambda k, g, _: link.right(k, np.swapaxes(g, -1, -2)),
            f"the rule of {step.name} takes the gradient that arrives transposed",
        )


def gradient_of_operand(link, path):
    """Return the mutation that takes the gradient of an operand in the place of its value."""

    def rule(k, g, now):
        step = link.graph.steps[k]
        slot = step.paths.index(path)
        values = list(step.operands)
        values[slot] = now[step.references[slot]]
        return step.pull(g, values)[link.slot(k)]

    own = link.first.references[link.first.paths.index(path)]
    return link.mutation(
        ("its gradient", path), Label.STALE_BUFFER, 24.4, rule,
        f"the rule of {link.first.name} uses the gradient of {described(link.graph, own)} in its place",
    )


def names_operand(link, slot):
    """Tell whether what goes back depends on an operand."""
    step = link.first
    values = list(step.operands)
    if values[slot].dtype != float or values[slot].size > 20_000:
        return False
    g = np.ones(step.value.shape)
    values[slot] = values[slot] * 1.5 + 0.25
    mine = link.slot(link.members[0])
    try:
        return not np.array_equal(step.pull(g)[mine], step.pull(g, values)[mine])
    except Exception:  # outside of its domain
        return False


def substitutes(link, path, shape):
    """Yield the steps that an operand might be confused with, one for each member of the group."""
    own = tuple(
        link.graph.steps[k].references[link.graph.steps[k].paths.index(path)] for k in link.members
    )
    found = list(values_like(link.graph, shape, link.members))
    if len(own) > 1:
        found += [own[::-1], later(own, own, 1), later(own, own, -1)]
        found += [own[1:] + own[:1], own[-1:] + own[:-1]]  # as x[t - 1] takes the last one for the first
        found += [own[-1:] * len(own), own[:1] * len(own)]
        found += [tuple(turned)] if (turned := keys_turned(link.graph, own)) else []
        if link.graph.steps[own[-1]].references:  # as it is left behind by the loop
            after = [k for k in link.graph.live if same_site(link.graph, k, own[-1])]
            after = [k for k in after if link.graph.steps[k].value.shape == shape]
            found += [tuple(after[-1:]) * len(own)] if after else []
    for where in found:
        same_values = all(
            np.array_equal(link.graph.steps[a].value, link.graph.steps[b].value)
            for a, b in zip(where, own)
        )
        if not same_values and link.graph.steps[where[0]].value.dtype == float:
            yield where


def keys_turned(graph, own):
    """Return for what was taken at ``x[i, j]``, in a loop, the steps that took ``x[j, i]``, or None."""
    steps = [graph.steps[k] for k in own]
    if not all(step.function is take_at and is_pair(step.arguments[1]) for step in steps):
        return None
    at = {(step.references[0], step.arguments[1]): k for step, k in zip(steps, own)}
    found = [at.get((step.references[0], step.arguments[1][::-1])) for step in steps]
    return None if None in found else found


def is_pair(key):
    """Tell whether a key is two plain numbers."""
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(n, (int, np.integer)) for n in key)


def operand_from(link, path, where, turned=False):
    """Yield the mutation that takes an operand from other steps, maybe their transpose."""
    graph = link.graph

    def rule(k, g, _):
        step = graph.steps[k]
        values = list(step.operands)
        value = graph.steps[where[link.members.index(k)]].value
        values[step.paths.index(path)] = value.T if turned else value
        return step.pull(g, values)[link.slot(k)]

    owns = [graph.steps[k].references[graph.steps[k].paths.index(path)] for k in link.members]
    # Of a loop the last round: the first one often begins with zeros.
    pairs = [(a, b) for a, b in zip(owns, where) if a != b]
    own, other = pairs[-1] if pairs else (owns[0], where[0])
    varies = len({*owns}) > 1
    label, cost = how_confused(graph, link, path, own, other, varies)
    if label is Label.STALE_BUFFER and rounds_apart(graph, own, other) > 1:
        label = Label.WRONG_FUNCTION  # what is left from the round before is that of the round before
    if len(where) > 1 and list(where) in (owns[::-1], keys_turned(graph, owns)):
        label, cost = Label.PERMUTED, 23.8
    if is_mask_of_data(graph, own) and is_mask_of_data(graph, other):
        label = Label.MASK_FROM_WRONG_TENSOR
    names = told_apart(graph, link.members, owns, where)
    mutation = link.mutation(
        ("operand", path, where, turned),
        label,
        cost + 0.3 * turned,
        rule,
        f"the rule of {link.first.name} uses {' in the place of '.join(names)}",
    )
    by = next((by for by in (1, -1) if len(owns) > 1 and list(where) == later(owns, owns, by)), None)
    yield replace(mutation, kind=("operand of another round", by)) if by else mutation


def is_mask_of_data(graph, k):
    """Tell whether a step is given, and lets some elements through and not others."""
    sides = two_values(graph.steps[k].value) if not graph.steps[k].flows else None
    return sides is not None and 0 in sides


def other_piece(graph, own, other):
    """Return the only pieces in which two steps differ that put pieces together, or else the steps."""
    a, b = graph.steps[own], graph.steps[other]
    alike = a.function is b.function and len(a.references) == len(b.references)
    if a.function not in JOINING or not alike:
        return own, other
    differing = [pair for pair in zip(a.references, b.references) if pair[0] != pair[1]]
    return differing[0] if len(differing) == 1 else (own, other)


def rounds_apart(graph, own, other):
    """Return by how many rounds of a loop two steps of one site are apart, if it is not long."""
    rounds = rounds_of(graph, own)
    if other not in rounds or own not in rounds or len(rounds) > MOST_ROUNDS:
        return 0
    return abs(rounds[own] - rounds[other])


def how_confused(graph, link, path, own, other, varies=True):
    """Return which kind of mistake it is to take one step's value for that of another, and its cost.

    `varies` is whether the rounds of a loop have different values there.
    """
    own, other = other_piece(graph, own, other)
    constants = [not graph.steps[k].references and k not in graph.inputs for k in (own, other)]
    if all(constants) and len(link.members) > 1 and varies:
        return Label.SHIFTED, 24  # data do not get old
    values = [np.asarray(graph.steps[k].value, float) for k in (own, other)]
    if all(constants) and values[0].shape == values[1].shape and (label := of_data(*values)):
        return label, 24.2
    if same_site(graph, own, other) and of_one_kind(graph, own, other):
        return Label.STALE_BUFFER, 24
    if link.first.function is np.divide and {own, other} <= set(link.first.references):
        return Label.MISSING_FACTOR, 24  # of a quotient 1 is left
    late = graph.steps[max(own, other)]
    direct = min(own, other) in late.references
    if direct and other < own and late.function is np.power:
        return Label.PRE_ACTIVATION, 23.4
    if direct and late.function in REORDERED:
        return REORDERED[late.function], 23
    how = relation(graph, own, other)
    if how is Relation.ACTIVATION:
        if direct and other < own and late.function is np.minimum:
            return Label.MASK_FORGOTTEN, 23  # an activation is a maximum
        itself = link.first.elementwise and path == link.path
        early, late = (graph.steps[k].value for k in sorted((own, other)))
        if itself or name_of(early, late) in ("the square", "abs"):
            return Label.WRONG_FUNCTION, 24
        return Label.PRE_ACTIVATION, 23
    if direct and late.function is np.where and min(own, other) in chosen_by(graph, late):
        return Label.PRE_ACTIVATION, 23  # as a leaky ReLU whose slope is learned
    if direct and late.function is np.multiply and weighs_itself(graph, late, min(own, other)):
        return Label.PRE_ACTIVATION, 23  # as x times its sigmoid
    if direct and how in (Relation.FACTOR, Relation.LINEAR) and late.function in STRAIGHT:
        beside = [p for p in late.references if p != min(own, other)]
        apart = [graph.steps[p].flows and not comes_from(graph, p, min(own, other)) for p in beside]
        if apart and all(apart):
            return Label.MISSING_TERM, 24  # the noise of a draw, the other branch
        if how is Relation.FACTOR:
            return Label.STALE_BUFFER, 24  # x and x + f(x): before and after an update
    if how is Relation.LINEAR and link.first.elementwise:
        return Label.WRONG_FUNCTION, 23.5
    multiplied = how is Relation.NORMALISED and late.function in (np.multiply, np.divide)
    if direct and (how is Relation.FACTOR or multiplied):
        return (Label.MISSING_FACTOR if other < own else Label.WRONG_FUNCTION), 24
    if how in (Relation.NORMALISED, Relation.LINEAR):
        return Label.PRE_ACTIVATION, 24
    if how is Relation.FACTOR and other < own and late.function in (np.multiply, np.divide):
        return Label.MISSING_FACTOR, 24.1
    if direct and other < own and late.function in PRODUCTS:
        return Label.MISSING_FACTOR, 24.1
    # Of an input the later value is rather one that it was overwritten with.
    behind = own not in graph.inputs and link.first.elementwise
    behind = behind and comes_from(graph, other, link.members[0])
    if behind or other in link.first.references or graph.steps[other].function is None:
        return Label.WRONG_FUNCTION, 24.2
    # A state before a step and after it, or two that have nothing to do with each other.
    made = comes_from(graph, max(own, other), min(own, other))
    return Label.STALE_BUFFER if made else Label.WRONG_FUNCTION, 25


def chosen_by(graph, step):
    """Return the steps that the condition of ``np.where`` compares."""
    return graph.steps[step.references[0]].references if step.references else []


def weighs_itself(graph, product, k):
    """Tell whether a product is that of step `k` and of a function of it, element by element."""
    others = [p for p in product.references if p != k]
    return bool(others) and all(made_of(graph, p, k) for p in others)


def made_of(graph, late, early):
    """Tell whether a step comes of an earlier one element by element."""
    ahead, shape = {late}, graph.steps[early].value.shape
    for k in range(late, early, -1):
        if k in ahead and graph.steps[k].elementwise and graph.steps[k].value.shape == shape:
            ahead |= {p for _, p in graph.edges(k)}
    return early in ahead


def of_one_kind(graph, a, b):
    """Tell whether two steps come of the same inputs, or the later one of the earlier one."""
    inputs = [{k for k in graph.inputs if comes_from(graph, one, k)} for one in (a, b)]
    return inputs[0] == inputs[1] or comes_from(graph, max(a, b), min(a, b))


def same_site(graph, a, b):
    """Tell whether two steps are the same instruction of the user's."""
    return graph.steps[a].site == graph.steps[b].site and graph.steps[a].references


def operand_rearranged(link, path, value):
    """Yield the rule with an operand transposed, flipped or shifted."""
    variants = []
    if is_square(value):
        variants.append((Label.TRANSPOSED, "transposed", lambda x: np.swapaxes(x, -1, -2)))
    axes = [k for k, n in enumerate(value.shape) if n > 1]
    if value.ndim >= 2 and not link.first.elementwise:
        word = "only reshaped, where its axes have to be exchanged"
        variants.append((Label.PERMUTED, word, reshaped_for_transposed))
    if (len(axes) >= 2 and not link.first.elementwise) or 2 <= len(axes) <= 3:
        variants.append((Label.PERMUTED, "flipped", lambda x: np.flip(x, axes[-2:])))
    for axis in axes[:4]:
        if value.shape[axis] <= 64:
            variants.append(
                (Label.PERMUTED, f"reversed along axis {axis}", lambda x, k=axis: np.flip(x, k))
            )
            variants.append(
                (Label.SHIFTED, f"shifted along axis {axis}", lambda x, k=axis: np.roll(x, 1, k))
            )
            variants.append(
                (Label.SHIFTED, f"shifted along axis {axis}", lambda x, k=axis: np.roll(x, -1, k))
            )
    for axis in axes[:3] if not link.first.elementwise or len(axes) == value.ndim else ():
        variants += [
            (Label.AVERAGED, f"averaged over axis {axis}", lambda x, k=axis: as_mean(x, k)),
            (
                Label.WRONG_FUNCTION,
                f"with its first entry along axis {axis} in the place of all",
                lambda x, k=axis: np.broadcast_to(np.take(x, [0], k), x.shape),
            ),
        ]
    for number, (label, word, arrange) in enumerate(variants):

        def rule(k, g, _, arrange=arrange):
            step = link.graph.steps[k]
            values = list(step.operands)
            slot = step.paths.index(path)
            values[slot] = arrange(values[slot])
            return step.pull(g, values)[link.slot(k)]

        own = link.first.references[link.first.paths.index(path)]
        yield link.mutation(
            ("arranged", path, number),
            label,
            24 if label is Label.TRANSPOSED else 26.5 if label is Label.AVERAGED else 25,
            rule,
            f"the rule of {link.first.name} takes {described(link.graph, own)} {word}",
        )


def reshaped_for_transposed(x):
    """Return an array whose transpose has the elements in the order of `x` itself."""
    turned = np.swapaxes(x, -1, -2)
    return np.swapaxes(x.reshape(turned.shape), -1, -2)


def as_mean(x, axis):
    """Return an array with its mean along an axis in all places."""
    return np.broadcast_to(x.mean(axis, keepdims=True), x.shape)


def swapped_operands(graph):
    """Yield products whose operands get each other's gradient."""
    for k in graph.live:
        step = graph.steps[k]
        if step.function is not np.multiply or step.flowing != [True, True]:
            continue
        a, b = (graph.steps[p].value for p in step.references)
        if a.shape != step.value.shape or b.shape != step.value.shape:
            continue
        changes = [
            Change(k, step.references[0], lambda g, _, a=a, b=b: g * (a - b)),
            Change(k, step.references[1], lambda g, _, a=a, b=b: g * (b - a)),
        ]
        yield Mutation(
            ("swapped", k),
            Label.WRONG_FUNCTION,
            24.4,
            changes,
            "each operand of the product is multiplied into its own gradient, and not into that of the "
            "other",
            step.line,
            step.name,
        )


def powers_of_operands(link):
    """Yield the local derivative with an operand or the result too often in it, or too seldom."""
    step = link.first
    if len(step.references) < 2 and step.function is not np.power:
        return
    for slot in (*range(len(step.references)), None):
        for power in (-2, -1, 1, 2):

            def rule(k, g, _, slot=slot, power=power):
                here = link.graph.steps[k]
                value = here.value if slot is None else here.operands[slot]
                # Of the size only: a minus is a mistake of its own.
                slope = here.slopes()[link.slot(k)] * np.abs(np.asarray(value, np.float64)) ** power
                return summed_to(g * slope, link.operand(k).shape)

            what = "the result" if slot is None else described(link.graph, step.references[slot])
            # What is divided by has one over it in its derivative.
            lost = 1 if step.function is np.divide and slot == 1 else -1
            yield link.mutation(
                ("power", slot, power),
                Label.MISSING_FACTOR if power == lost else Label.WRONG_FUNCTION,
                25.5,
                rule,
                f"the derivative of {step.name} has a wrong power of {what} in it "
                f"({power:+d} too {'much' if power > 0 else 'little'})",
            )
