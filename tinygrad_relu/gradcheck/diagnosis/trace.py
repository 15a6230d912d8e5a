"""`Graph`: the recorded steps of the user's forward, and the walk back with one rule changed."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.one_call import recorded
from tinygrad_relu.gradcheck.diagnosis.step import Reference


@dataclass(frozen=True)
class Change:
    """What a wrong rule adds to the right cotangents.

    Attributes
    ----------
    at, to : int
        The step whose cotangent is read, and the earlier one (or the same) that gets more.
    extra : callable
        ``extra(g, cotangents) -> ndarray``: what is added at `to`, where `g` is the cotangent at
        `at` and ``cotangents[k]`` that of step `k`, as it is by then.
    """

    at: int
    to: int
    extra: object


class Now:
    """The cotangents as they are in the middle of a walk with changed rules.

    Parameters
    ----------
    right, moved : dict of int to ndarray
        The right ones, and by how much some of them are moved so far.
    """

    def __init__(self, right, moved):
        self.right, self.moved = right, moved

    def __getitem__(self, k):
        return self.right[k] + self.moved[k] if k in self.moved else self.right[k]


@dataclass
class Graph:
    """The steps from inputs to outputs.

    Attributes
    ----------
    steps : list of Step
    inputs, outputs : list of int
    live : list of int
        The steps that lie between inputs and outputs, in order.
    data : list of (str, ndarray)
        Plain arrays that the function had at hand, and what it calls them.
    """

    steps: list
    inputs: list
    outputs: list
    live: list = field(default_factory=list)
    known: dict = field(default_factory=dict)  # what was worked out about it already
    data: list = field(default_factory=list)

    @classmethod
    def of(cls, function, inputs, count):
        """Return the graph of ``function(inputs)``, of which the first `count` results matter."""
        steps, outputs, data = recorded(function, inputs)
        steps, outputs = computed_once(steps, outputs, len(inputs))
        for step in steps:
            step.connect(steps)
        graph = cls(steps, list(range(len(inputs))), outputs[:count], data=data)
        reached = {k for k in graph.outputs if k is not None and steps[k].flows}
        for k in range(len(steps) - 1, -1, -1):
            if k in reached:
                reached |= {p for p in steps[k].references if steps[p].flows}
        graph.live = sorted(reached)
        graph.cut_stabilisers()
        return graph

    def cut_stabilisers(self):
        """Let no gradient flow to a largest element whose shift cancels, as in a softmax.

        Nobody differentiates that, and a wrong rule near by would not cancel any more.
        """
        rng = np.random.default_rng(2)
        weights = [
            np.zeros(()) if k is None else rng.standard_normal(self.steps[k].value.shape)
            for k in self.outputs
        ]
        found = self.cotangents(weights)
        for k in self.live:
            step = self.steps[k]
            if step.function in (np.max, np.min, np.take_along_axis) and step.references:
                arriving = np.abs(found[step.references[0]]).max(initial=0)
                if np.abs(found[k]).max(initial=0) <= 1e-9 * arriving:
                    step.flows = False
        for k in self.live:
            self.steps[k].connect(self.steps)
        reached = {k for k in self.outputs if k is not None and self.steps[k].flows}
        for k in reversed(self.live):
            if k in reached:
                reached |= {p for _, p in self.edges(k)}
        self.live = sorted(reached)

    def edges(self, k):
        """Yield the slot and the earlier step of each operand of step `k` that a gradient flows to."""
        step = self.steps[k]
        for slot, parent in enumerate(step.references):
            if step.flowing[slot]:
                yield slot, parent

    def cotangents(self, weights):
        """Return the right cotangent of every live step, given those of the outputs."""
        found = {}
        for number, weight in zip(self.outputs, weights):
            if number is not None:
                weight = np.broadcast_to(weight, self.steps[number].value.shape)
                found[number] = found.get(number, 0) + np.array(weight, np.float64)
        for k in reversed(self.live):
            if k not in found:
                found[k] = np.zeros(self.steps[k].value.shape)
            self.send(k, found[k], found)
        return found

    def send(self, k, g, into):
        """Add to the operands of step `k` what goes back to them."""
        if not self.steps[k].references:
            return
        parts = self.steps[k].pull(g)
        for slot, parent in self.edges(k):
            into[parent] = into[parent] + parts[slot] if parent in into else parts[slot]

    def spread(self, changes, cotangents):
        """Return by how much changed rules move the gradient of each input.

        Parameters
        ----------
        changes : sequence of Change
        cotangents : dict of int to ndarray
            The right ones.

        Returns
        -------
        list of ndarray
        """
        there = defaultdict(list)
        for change in changes:
            there[change.at].append(change)
        moved = {}
        now = Now(cotangents, moved)
        with np.errstate(all="ignore"):
            for k in reversed(self.live):
                if k in there:
                    g = cotangents[k] + moved[k] if k in moved else cotangents[k]
                    for change in there[k]:
                        extra = change.extra(g, now)
                        moved[change.to] = moved[change.to] + extra if change.to in moved else extra
                if k in moved:
                    self.send(k, moved[k], moved)
        return [moved.get(k, np.zeros(self.steps[k].value.shape)) for k in self.inputs]

    def push(self, k, direction):
        """Return how every live step changes as input `k` moves in a direction: forward mode."""
        moved = {k: direction}
        for j in self.live:
            slots = [(slot, moved[p]) for slot, p in self.edges(j) if p in moved]
            if slots:
                moved[j] = self.steps[j].push(slots)
        return moved

    def gradients(self, weights):
        """Return the gradient of each input."""
        found = self.cotangents(weights)
        return [found.get(k, np.zeros(self.steps[k].value.shape)) for k in self.inputs]

    def places(self):
        """Yield the groups of live steps that one line of a backward stands for."""
        return grouped(self.steps, self.live)


def grouped(steps, live):
    """Yield the groups of steps that one instruction of the user's stands for.

    Steps that the same instruction made, in a loop or in a function that is called several times, are
    one group; each step is one by itself, too, but for those of a loop.

    Parameters
    ----------
    steps : list of Step
    live : list of int
        Those that are looked at.
    """
    seen = set()
    groups = defaultdict(list)
    for k in live:
        if steps[k].references:
            groups[steps[k].site, steps[k].function].append(k)
            groups[steps[k].site[:1], steps[k].function].append(k)
    looped = {
        k
        for (site, _), members in groups.items()
        if len(site) != 1 or steps[members[0]].site == site
        for k in members
        if len(members) > 2
    }
    alone = [(k,) for k in live if steps[k].references and k not in looped]
    for members in [*map(tuple, groups.values()), *alone]:
        if members not in seen:
            seen.add(members)
            yield members


def computed_once(steps, outputs, inputs):
    """Return the steps without those that compute again what an earlier one did, and the outputs.

    Such as ``np.maximum(x @ W, 0.1 * (x @ W))``: a backward has one such product.

    Parameters
    ----------
    steps : list of Step
        Of which the references are changed.
    outputs : list of (int or None)
    inputs : int
        How many of the steps are inputs.
    """
    kept, numbers, groups = [], {}, defaultdict(list)
    for k, step in enumerate(steps):
        step.references = [numbers[p] for p in step.references]
        key = step.function, tuple(step.references), step.part, step.value.shape, step.value.dtype
        same = [j for j in groups[key] if same_call(step, kept[j])] if k >= inputs else []
        numbers[k] = same[0] if same else len(kept)
        if not same:
            kept.append(step)
            if k >= inputs:
                groups[key].append(numbers[k])
    return kept, [k if k is None else numbers[k] for k in outputs]


def same_call(a, b):
    """Tell whether two steps of the same operands are the same, and not rounds of a loop."""
    return (
        (a.function is None or a.site != b.site)
        and same_arguments(a.arguments, b.arguments)
        and same_arguments(a.keywords, b.keywords)
        and np.array_equal(a.value, b.value, equal_nan=a.value.dtype.kind == "f")
    )


def same_arguments(a, b):
    """Tell whether two calls have the same arguments besides their operands."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same_arguments, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_arguments(a[name], b[name]) for name in a)
    if isinstance(a, Reference):
        return a.slot == b.slot
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
