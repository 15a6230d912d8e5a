"""Backwards that work with other values than the forward had: computed again otherwise, or moved.

All that comes later in the forward, and all rules that name it, then have other values.
"""

import functools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.conditions import compared_with_zero, masks_at_level
from tinygrad_relu.gradcheck.diagnosis.functions import GATES, two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS, STRAIGHT
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_MASKS = 6
MOST_LIVE, MOST_ELEMENTS, MOST_BEHIND = 60, 50_000, 8
LINEAR = (np.multiply, *PRODUCTS)


def recomputation_mutations(graph):
    """Yield the gradients at other intermediate values."""
    for members in graph.places():
        yield from without_steps(graph, members)
    masks = [k for k, step in enumerate(graph.steps) if is_mask(step)]
    for k in masks[:MOST_MASKS]:
        yield from with_other_mask(graph, k)


def value_mutations(graph):
    """Yield other values of single results, for all that follows or for one product; inputs moved."""
    yield from inputs_after_a_step(graph)
    if len(graph.live) > MOST_LIVE or sum(step.value.size for step in graph.steps) > MOST_ELEMENTS:
        return
    yield from products_of_others(graph)
    for k in graph.live:
        if graph.steps[k].function is not None and graph.steps[k].elementwise:
            yield from with_other_value(graph, k)


def values_with(graph, replaced, last):
    """Return the values that are not what they were, up to a last step.

    Parameters
    ----------
    graph : Graph
    replaced : dict of int to callable
        ``replaced[k](operands)`` is the value of step `k`, in the place of the true one.
    last : int
    """
    found = {}
    for k in range(min(replaced), last + 1):
        step = graph.steps[k]
        if k not in replaced and not any(p in found for p in step.references):
            continue
        operands = [found.get(p, x) for p, x in zip(step.references, step.operands)]
        value = np.asarray(replaced[k](operands) if k in replaced else step.call(operands))
        if value.shape != step.value.shape:
            raise ValueError("another shape")
        found[k] = value
    return found


class Recomputation:
    """The gradients that a backward gives with other values of some steps.

    Parameters
    ----------
    graph : Graph
    replaced : dict of int to callable
        ``replaced[k](operands)`` is the value of step `k`, in the place of the true one.
    rules : dict of int to callable
        ``rules[k](g)`` is what goes back to the operands of step `k`, in the place of its own rule.
    """

    def __init__(self, graph, replaced, rules):
        self.graph, self.replaced, self.rules = graph, replaced, rules

    @functools.cached_property
    def values(self):
        """dict of int to ndarray: The values that are not what they were."""
        return values_with(self.graph, self.replaced, len(self.graph.steps) - 1)

    @functools.cached_property
    def gradients(self):
        """list of ndarray: That of each input, for the cotangents of the outputs that were set."""
        graph, found = self.graph, dict(self.weights)
        for k in reversed(graph.live):
            step = graph.steps[k]
            g = found.setdefault(k, np.zeros(step.value.shape))
            if not step.references:
                continue
            if k in self.rules:
                parts = self.rules[k](g)
            elif any(p in self.values for p in step.references):
                operands = [self.values.get(p, x) for p, x in zip(step.references, step.operands)]
                parts = step.pull(g, operands)
            else:
                parts = step.pull(g)
            for slot, parent in graph.edges(k):
                found[parent] = found[parent] + parts[slot] if parent in found else parts[slot]
        return [found.get(k, np.zeros(graph.steps[k].value.shape)) for k in graph.inputs]

    def change(self, number):
        """Return the change of the gradient of one input."""
        graph = self.graph
        outputs = [k for k in graph.outputs if k is not None]

        def extra(g, right):
            # Called for one input after another, and for every set of cotangents.
            known = self.__dict__.get("weights")
            if known is None or any(known[k] is not right[k] for k in outputs):
                self.weights = {k: right[k] for k in outputs}
                self.__dict__.pop("gradients", None)
            return self.gradients[graph.inputs.index(number)] - right[number]

        return Change(number, number, extra)

    def mutation(self, key, label, cost, words, k):
        """Return the mutation that gives these gradients."""
        step = self.graph.steps[k]
        changes = [self.change(number) for number in self.graph.inputs if number in self.graph.live]
        return Mutation(
            ("computed again", *key), label, cost, changes, words, step.line, step.name, walks=2
        )


# ------------------------------------------------------------------------------- steps left out


def without_steps(graph, members):
    """Yield the forward computed again without a step, which is walked back through, or is not."""
    step = graph.steps[members[0]]
    if not step.elementwise or not step.value.size:
        return
    for slot, parent in graph.edges(members[0]):
        path = step.paths[slot]
        if graph.steps[parent].value.shape != step.value.shape:
            continue
        slots = {
            k: graph.steps[k].paths.index(path) for k in members if path in graph.steps[k].paths
        }
        if len(slots) != len(members):
            continue
        left_out, words = what_is_left_out(graph, step, slot)
        for passed in (True, False):
            # Where it is left out on the way back, too, all elements pass.
            label = Label.MASK_FORGOTTEN if passed and step.function in GATES else left_out
            replaced = {k: lambda operands, s=s: operands[s] for k, s in slots.items()}
            rules = {k: handed_to(graph, k, s) for k, s in slots.items()} if passed else {}
            yield Recomputation(graph, replaced, rules).mutation(
                ("without", members, slot, passed), label, 24.7 + 0.1 * passed,
                f"the backward computes the forward again, and {words}", members[0],
            )


def handed_to(graph, k, slot):
    """Return the rule that hands a cotangent on to one operand, as it is."""
    count = len(graph.steps[k].references)

    def rule(g):
        return [g if s == slot else np.zeros(graph.steps[k].operands[s].shape) for s in range(count)]

    return rule


def what_is_left_out(graph, step, slot):
    """Return the mistake that it is to leave out a step, and the end of a sentence."""
    name = f"leaves out {step.name} ({step.line})"
    others = [x for s, x in enumerate(step.operands) if s != slot]
    others += [x for x in step.arguments if isinstance(x, np.ndarray)]
    if step.function is np.where or any(only_zeros_and_ones(x) for x in others):
        return Label.MASK_FORGOTTEN, f"forgets the mask of {step.name} ({step.line})"
    if step.function in STRAIGHT:
        return Label.MISSING_TERM, f"{name}: its values are other ones than those of the forward"
    if step.function in (np.multiply, np.divide):
        data = [graph.steps[p] for s, p in enumerate(step.references) if s != slot]
        given = any(one.value.size > 1 and not one.flows for one in data)
        given = given or (step.function is np.divide and any(one.value.size > 1 for one in data))
        label = Label.MISSING_FACTOR if given else Label.WRONG_FUNCTION
        return label, f"{name}: its values are other ones than those of the forward"
    return Label.PRE_ACTIVATION, f"{name}: what comes before it is taken for what comes behind"


# ----------------------------------------------------------------------------------- other masks


def is_mask(step):
    """Tell whether a step stands for a mask that does not depend on the inputs."""
    return not step.references and step.function is None and not step.flows and (
        step.value.dtype == bool or (step.value.size > 2 and only_zeros_and_ones(step.value))
    )


def only_zeros_and_ones(x):
    """Tell whether an array is made of both, and of nothing else."""
    x = np.asarray(x)
    return x.size > 1 and bool(((x == 0) | (x == 1)).all()) and 0 < np.count_nonzero(x) < x.size


def with_other_mask(graph, k):
    """Yield all that a wrong mask does: everywhere, or on the way back only."""
    step = graph.steps[k]
    users = [j for j in graph.live if k in graph.steps[j].references]
    masks = (*other_masks(step.value.astype(bool)), *masks_of_data(graph, step.value.shape))
    if all(graph.steps[j].function in PRODUCTS for j in users):
        return  # an adjacency
    for number, (label, cost, words, mask) in enumerate(masks):
        mask = mask.astype(step.value.dtype)
        if np.array_equal(mask, step.value) or not users:
            continue
        # Behind a softmax the mask is often left out on the way back, where its weights are 0.
        passing = {j: handed_to(graph, j, s) for j in users for s in slots_passed(graph, j)}
        for rules in [{}, passing] if passing else [{}]:
            yield Recomputation(graph, {k: lambda _, mask=mask: mask}, rules).mutation(
                ("mask", k, number, bool(rules)), label, cost + 0.05 * bool(rules),
                f"the mask of {graph.steps[users[0]].name} is {words} when the backward computes the "
                "forward again",
                users[0],
            )
        changes = [c for j in users for c in with_operand(graph, j, k, mask)]
        yield Mutation(
            ("other mask", k, number), label, cost - 0.1, changes,
            f"the mask of {graph.steps[users[0]].name} is {words} on the way back",
            graph.steps[users[0]].line, graph.steps[users[0]].name,
        )


def slots_passed(graph, j):
    """Return the only operand of ``np.where`` that a gradient flows to, or none."""
    step = graph.steps[j]
    slots = [s for s, _ in graph.edges(j) if step.operands[s].shape == step.value.shape]
    return slots if step.function is np.where and len(slots) == 1 else []


def with_operand(graph, j, k, value):
    """Return the changes by which the rule of step `j` takes a value in the place of step `k`."""
    step = graph.steps[j]
    operands = [value if p == k else x for p, x in zip(step.references, step.operands)]
    return [
        Change(j, p, lambda g, _, s=s: step.pull(g, operands)[s] - step.pull(g)[s])
        for s, p in graph.edges(j)
    ]


def ends_once(mask, axis):
    """Tell whether a mask is open up to some place along an axis and then shut, or the converse."""
    steps = np.diff(mask.astype(int), axis=axis)
    return bool((steps >= 0).all() or (steps <= 0).all())


def other_masks(mask):
    """Yield what a mask is confused with: label, cost, words and the wrong one."""
    for axis in [a for a in range(mask.ndim) if 1 < mask.shape[a] <= 1000]:
        for by in (1, -1):
            beside = np.roll(mask, by, axis)
            ends = [slice(None)] * mask.ndim
            ends[axis] = slice(0, 1) if by > 0 else slice(-1, None)
            beside[tuple(ends)] = mask[tuple(ends)]
            words = f"off by one place along axis {axis}"
            # With one more at its end, of a mask that has one: that is < for <=.
            once = ends_once(mask, axis)
            label, cost = (Label.MASK_NOT_STRICT, 24.2) if once else (Label.MASK_FROM_WRONG_TENSOR, 24.6)
            yield label, cost, f"{words}: it covers one more", mask | beside
            yield label, cost, f"{words}: it covers one less", mask & beside
            yield Label.SHIFTED, 24.4, f"shifted by one place along axis {axis}", np.roll(mask, by, axis)
        yield (
            Label.MASK_FROM_WRONG_TENSOR, 24.6, f"reversed along axis {axis}", np.flip(mask, axis)
        )
    if mask.ndim >= 2 and mask.shape[-1] == mask.shape[-2]:
        turned = np.swapaxes(mask, -1, -2)
        yield Label.MASK_FROM_WRONG_TENSOR, 22.4, "that of the other side of the diagonal", turned
        diagonal = np.eye(mask.shape[-1], dtype=bool)
        yield Label.MASK_NOT_STRICT, 24.2, "open on the diagonal", mask | diagonal
        yield Label.MASK_NOT_STRICT, 24.2, "shut on the diagonal", mask & ~diagonal
    yield Label.MASK_FROM_WRONG_TENSOR, 24.5, "upside down", ~mask
    yield Label.MASK_FORGOTTEN, 24.1, "forgotten: all elements count", np.ones_like(mask)
    yield Label.MASK_FORGOTTEN, 24.1, "forgotten: all elements count", np.zeros_like(mask)


def masks_of_data(graph, shape):
    """Yield the masks that plain arrays at hand are, or give: label, cost, words and the mask."""
    for name, x in graph.data:
        if x.shape == shape and x.dtype == bool:
            yield Label.MASK_FROM_WRONG_TENSOR, 24.4, f"taken from {name}", x
        elif x.shape == shape:
            for sign, mask in compared_with_zero(x):
                yield Label.MASK_FROM_WRONG_TENSOR, 24.15, f"taken from {name} {sign} 0", mask


# -------------------------------------------------------------------- other values of one result


def with_other_value(graph, k):
    """Yield the backward with another value of one step, whose own rule has it, too, or has not."""
    step = graph.steps[k]
    for key, operands, value, label, cost, words in other_values(graph, k):
        again = {k: lambda _, value=value: value}
        own = {k: lambda g, operands=operands: step.pull(g, operands)} if operands else {}
        for rules in ({}, own) if own else ({},):
            yield Recomputation(graph, again, rules).mutation(
                ("value", k, key, bool(rules)), label, cost,
                f"the backward computes {described(graph, k)} otherwise than the forward: {words}", k,
            )


def other_values(graph, k):
    """Yield what may be taken for the result of a step: ``(key, operands, value, label, cost, words)``.

    Its operands are None where its own rule may still have the right ones.
    """
    step = graph.steps[k]
    for slot, x in enumerate(step.operands):
        if x.shape == step.value.shape and step.flowing[slot]:
            label, words = skipped(step, slot)
            yield ("skipped", slot), None, x, label, 25.4, words
            slopes = step.slopes()[slot]
            if np.ptp(slopes) and two_values(slopes) is None:
                words = "its derivative stands where its result should: was the array overwritten?"
                yield ("slopes", slot), None, slopes, Label.STALE_BUFFER, 52.0, words
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
            known.append(values_with(link.graph, {k: lambda _: value}, operand)[operand])
        operands = list(link.graph.steps[number].operands)
        operands[1 - link.slot(number)] = known[0]
        return link.graph.steps[number].pull(g, operands)[link.slot(number)]

    return rule


# ------------------------------------------------------------------------ after a step


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
                "gradient was added, and not as in the forward: update when all gradients are there",
                step.line, step.name,
            ),
        )


def origin(graph, k):
    """Return the input that a step is, or is a transpose of; None if it is none."""
    if graph.steps[k].function is np.transpose:
        (k,) = graph.steps[k].references
    return k if k in graph.inputs else None
