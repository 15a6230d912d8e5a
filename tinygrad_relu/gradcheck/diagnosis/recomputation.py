"""Backwards that compute the forward again, and not in the same way: without a mask, say.

All that comes later in the forward, and all rules that name it, then have other values.
"""

import functools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation
from tinygrad_relu.gradcheck.diagnosis.relations import STRAIGHT
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_MASKS = 6


def recomputation_mutations(graph):
    """Yield the gradients at other intermediate values."""
    for members in graph.places():
        yield from without_steps(graph, members)
    masks = [k for k, step in enumerate(graph.steps) if is_mask(step)]
    for k in masks[:MOST_MASKS]:
        yield from with_other_mask(graph, k)


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
        graph, found = self.graph, {}
        for k in range(min(self.replaced), len(graph.steps)):
            step = graph.steps[k]
            if k not in self.replaced and not any(p in found for p in step.references):
                continue
            operands = [found.get(p, x) for p, x in zip(step.references, step.operands)]
            value = np.asarray(self.replaced[k](operands) if k in self.replaced else step.call(operands))
            if value.shape != step.value.shape:
                raise ValueError("another shape")
            found[k] = value
        return found

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
        label, words = what_is_left_out(graph, step, slot)
        for passed in (True, False):
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
    if step.function is np.where or any(only_zeros_and_ones(x) for x in others):
        return Label.MASK_FORGOTTEN, f"forgets the mask of {step.name} ({step.line})"
    if step.function in STRAIGHT:
        return Label.MISSING_TERM, f"{name}: its values are other ones than those of the forward"
    if step.function in (np.multiply, np.divide):
        return Label.WRONG_FUNCTION, f"{name}: its values are other ones than those of the forward"
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
    for number, (label, cost, words, mask) in enumerate(other_masks(step.value.astype(bool))):
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


def other_masks(mask):
    """Yield what a mask is confused with: label, cost, words and the wrong one."""
    for axis in [a for a in range(mask.ndim) if 1 < mask.shape[a] <= 1000]:
        for by in (1, -1):
            beside = np.roll(mask, by, axis)
            ends = [slice(None)] * mask.ndim
            ends[axis] = slice(0, 1) if by > 0 else slice(-1, None)
            beside[tuple(ends)] = mask[tuple(ends)]
            words = f"off by one place along axis {axis}"
            yield Label.MASK_NOT_STRICT, 24.2, f"{words}: it covers one more", mask | beside
            yield Label.MASK_NOT_STRICT, 24.2, f"{words}: it covers one less", mask & beside
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
    yield Label.MASK_FORGOTTEN, 24.3, "forgotten: all elements count", np.ones_like(mask)
    yield Label.MASK_FORGOTTEN, 24.3, "forgotten: all elements count", np.zeros_like(mask)
