"""`Section`: an elementwise function within a graph, which may be written out in several steps."""

import functools
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import name_of
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_STEPS = 16  # of a function that is written out
#: Mistakes that name other steps of the graph.
OF_PLACES = ("place", "formula at", "mask", "data")

@dataclass
class Section:
    """An elementwise function within a graph: from `start` to `end`, in as many rounds as a loop has.

    Attributes
    ----------
    starts, ends : tuple of int
    slopes : list of ndarray
        The derivative of each round.
    partial : bool
        Whether `start` reaches `end` by other ways, too: one factor of a product.
    """

    graph: object
    starts: tuple
    ends: tuple
    slopes: list
    partial: bool = False

    def value(self, number):
        """Return the value of a step."""
        return self.graph.steps[number].value

    def exchanged(self, wrong):
        """Return the changes that put ``wrong(round, cotangents)`` in the place of the derivative."""

        def change(j):
            def extra(g, cotangents):
                return g * (wrong(j, cotangents) - self.slopes[j])

            return Change(self.ends[j], self.starts[j], extra)

        return [change(j) for j in range(len(self.ends))]

    def mutation(self, key, label, cost, wrong, words, **details):
        """Return a mutation that puts another derivative in the place of this one."""
        step = self.graph.steps[self.ends[0]]
        return Mutation(
            ("section", self.starts, self.ends, self.partial, *key),
            label,
            cost,
            self.exchanged(wrong),
            words,
            step.line,
            self.name,
            None,
            details,
            kind=self.kind_of(key, label),
        )

    def kind_of(self, key, label):
        """Return what other places with the same mistake share; nothing for mistakes of one place."""
        if (key == ("one",) and label is Label.MASK_FORGOTTEN) or key == ("inverted",):
            return ("section", label)  # of a maximum and a minimum alike
        return () if key[0] in OF_PLACES else ("section", self.name, self.partial, *key)

    @functools.cached_property
    def weighs(self):
        """Whether it ends with a product of two factors that both depend on the inputs."""
        step = self.graph.steps[self.ends[0]]
        return step.function in (np.multiply, np.divide) and sum(step.flowing) > 1

    @functools.cached_property
    def at_once(self):
        """Whether it is a known function, written in one line: nobody derives its steps one by one."""
        start, end = self.starts[0], self.ends[0]
        if self.known_name is None:
            return False
        inside, reached = [], {end}
        for k in range(end, start, -1):
            if k in reached:
                reached |= {p for _, p in self.graph.edges(k)}
                inside.append(self.graph.steps[k].statement)
        return len(inside) > 1 and len(set(inside)) == 1

    @functools.cached_property
    def name(self):
        """What the function is called."""
        return self.known_name or self.graph.steps[self.ends[0]].name

    @functools.cached_property
    def known_name(self):
        """What the function is known as, judged by all rounds of a loop; None if it is not."""
        if self.partial:
            return None
        starts, ends = (
            np.concatenate([np.ravel(self.value(k)) for k in ks]) for ks in (self.starts, self.ends)
        )
        return name_of(starts, ends)


def sections(graph):
    """Yield the sections of a graph, loops as one."""
    for members in graph.places():
        rounds = [list(sections_before(graph, k)) for k in members]
        if not rounds or len({len(found) for found in rounds}) != 1:
            shared = [found[:1] for found in rounds if found]
            rounds = shared if len(shared) == len(members) else []
        for round_by_round in zip(*rounds):
            yield Section(
                graph,
                tuple(start for start, _, _ in round_by_round),
                members,
                [slope for _, slope, _ in round_by_round],
                any(part for _, _, part in round_by_round),
            )


def sections_before(graph, end):
    """Yield each start of a section that ends at a step, with its derivative, nearest first."""
    step = graph.steps[end]
    if not step.elementwise:
        return
    operands = list(graph.edges(end))
    if len({parent for _, parent in operands}) > 1:
        slopes = step.slopes()
        for slot, parent in operands:
            if graph.steps[parent].value.shape == step.value.shape:
                yield parent, slopes[slot], True
    moved = {end: np.ones(step.value.shape)}
    for _ in range(MOST_STEPS):
        last = max(moved)
        here = graph.steps[last]
        parents = [p for _, p in graph.edges(last)]
        if not here.elementwise or not parents:
            return
        g = moved.pop(last)
        graph.send(last, g, moved)
        # What was broadcast, such as a slope that is learned, is held fast.
        moved = {p: x for p, x in moved.items() if graph.steps[p].value.shape == step.value.shape}
        if not moved:
            return
        if len(moved) == 1:
            ((start, slope),) = moved.items()
            yield start, slope, False
