"""`Mutation`: one wrong rule somewhere in the backward; and what all kinds of them are made with."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.naming import described
from tinygrad_relu.gradcheck.diagnosis.trace import Change

# How many other values of the same shape are tried in the place of one.
MOST_VALUES = 24


@dataclass(frozen=True)
class Mutation:
    """A wrong rule.

    Attributes
    ----------
    key : tuple
        Names it in every graph of the same function.
    label : Label
    cost : float
        How far behind in the order of explanations that fit equally well; see `ranking`.
    changes : list of Change
    words : str
        What is wrong, as the end of a sentence: ``"the mask of np.maximum is forgotten"``.
    line : str
        Of the forward.
    op : str
    free : callable or None
        If given, the changes may be taken times any number ``c``, and ``free(c)`` says what that means,
        as a `Mutation` without changes, or None if it means nothing.
    base : sequence of Change
        Of a free one, changes that are always taken once.
    kind : tuple
        Other places with the same mistake have the same one; empty where that says nothing.
    """

    key: tuple
    label: Label
    cost: float
    changes: list
    words: str
    line: str = ""
    op: str = ""
    free: Callable | None = None
    details: dict = field(default_factory=dict)
    base: tuple = ()
    kind: tuple = ()


@dataclass(frozen=True)
class Link:
    """Where a cotangent goes from one step to an earlier one: one operand of each step of a group.

    Attributes
    ----------
    graph : Graph
    members : tuple of int
        The steps of the group.
    path : tuple
        Which operand it is, among the arguments of each.
    """

    graph: object
    members: tuple
    path: tuple

    @property
    def first(self):
        """Step: one of the group, to name it by."""
        return self.graph.steps[self.members[0]]

    def slot(self, k):
        """Return which operand of step `k` it is."""
        return self.graph.steps[k].paths.index(self.path)

    def parent(self, k):
        """Return the number of the step that the cotangent of step `k` goes to."""
        return self.graph.steps[k].references[self.slot(k)]

    def right(self, k, g):
        """Return what goes back if all is right."""
        return self.graph.steps[k].pull(g)[self.slot(k)]

    def exchanged(self, rule):
        """Return the changes that put ``rule(k, g, cotangents)`` in the place of what goes back."""

        def change(k):
            def extra(g, cotangents):
                wrong = np.asarray(rule(k, g, cotangents), np.float64)
                return np.broadcast_to(wrong, self.operand(k).shape) - self.right(k, g)

            return Change(k, self.parent(k), extra)

        return [change(k) for k in self.members]

    def operand(self, k):
        """Return the value of the operand."""
        return self.graph.steps[k].operands[self.slot(k)]

    def mutation(self, key, label, cost, rule, words, **details):
        """Return a mutation that exchanges the rule of this link."""
        return Mutation(
            (*key, self.members, self.path),
            label,
            cost,
            self.exchanged(rule),
            words,
            self.first.line,
            self.first.name,
            None,
            details,
            kind=self.kind_of(key),
        )


    def kind_of(self, key):
        """Return what other places with the same mistake share; nothing for mistakes of one place."""
        everywhere = key[0] in ("arranged", "cumsum", "no cumsum", "total", "without own")
        return ("link", self.first.function, self.path, *key) if everywhere else ()


def together(found):
    """Return one mutation that makes the mistake of several ones of a kind, at all their places."""
    first = found[0]
    meaning = first.free(1.0) if first.free else first
    return meaning and replace(
        meaning,
        key=("together", *(one.key for one in found)),
        changes=[change for one in found for change in (*one.changes, *one.base)],
        words=f"{meaning.words}, here and in {len(found) - 1} more place{'s' if len(found) > 2 else ''}",
        line=first.line,
        op=first.op,
        free=None,
        base=(),
        cost=meaning.cost + 0.5,
    )


def for_one_operand(graph, mutation):
    """Yield a mutation that concerns one step, for the gradient of each of several operands alone.

    In a backward by hand the gradient of each operand is a line of its own, so that a mistake may be in
    one of them and not in the others.

    Parameters
    ----------
    graph : Graph
    mutation : Mutation
    """
    if len(mutation.changes) != 1:
        return
    way = [mutation.changes[0].to]
    while len(ahead := list(graph.edges(way[-1]))) == 1:
        way.append(ahead[0][1])
    if not ahead:
        return

    def handed_on(change, slot, parent):
        def extra(g, cotangents):
            found = np.asarray(change.extra(g, cotangents))
            for k in way[:-1]:
                found = graph.steps[k].pull(found)[next(graph.edges(k))[0]]
            return graph.steps[way[-1]].pull(found)[slot]

        return Change(change.at, parent, extra)

    for slot, parent in ahead:
        on_the_way = f" (on the way to {described(graph, parent)})"

        def named(c, words=on_the_way):
            meaning = mutation.free(c)
            return meaning and replace(
                meaning,
                cost=meaning.cost + 0.8,
                words=meaning.words + words,
            )

        yield replace(
            mutation,
            kind=(),
            key=("for", slot, *mutation.key),
            cost=mutation.cost + 0.8,
            words=mutation.words + on_the_way,
            changes=[handed_on(mutation.changes[0], slot, parent)],
            base=tuple(handed_on(c, slot, parent) for c in mutation.base),
            free=named if mutation.free else None,
        )


def links(graph):
    """Yield every link of a graph."""
    for members in graph.places():
        paths = []
        for k in members:
            for slot, _ in graph.edges(k):
                path = graph.steps[k].paths[slot]
                if path not in paths:
                    paths.append(path)
        for path in paths:
            having = tuple(
                k
                for k in members
                if path in graph.steps[k].paths
                and graph.steps[k].flowing[graph.steps[k].paths.index(path)]
            )
            yield Link(graph, having, path)


def values_like(graph, shape, members=None):
    """Yield values of the graph that might be taken in the place of one, or of one in each round.

    Parameters
    ----------
    graph : Graph
    shape : tuple
    members : tuple of int, optional
        If they are several, the steps of a group: then only groups of as many are looked at, and a
        value of one round goes with that round.

    Yields
    ------
    tuple of int
        One step for each member.
    """
    count = len(members or (0,))
    if count == 1:
        seen, found = [], 0
        for k in range(len(graph.steps) - 1, -1, -1):
            value = graph.steps[k].value
            if value.shape != shape or any(np.array_equal(value, other) for other in seen):
                continue
            seen.append(value)
            # Of what is the same as an input, a slice of all of it, say, one says that it is that.
            yield (next((j for j in graph.inputs if np.array_equal(graph.steps[j].value, value)), k),)
            found += 1
            if found == MOST_VALUES:
                return
        return
    groups = {}
    for k, step in enumerate(graph.steps):
        if step.value.shape == shape and step.references:
            groups.setdefault((step.site, step.function), []).append(k)
    found = {tuple(group) for group in groups.values() if len(group) == count}
    for group in graph.places():
        if len(group) == count:
            for path, parent in zip(graph.steps[group[0]].paths, graph.steps[group[0]].references):
                if graph.steps[parent].value.shape == shape and all(
                    path in graph.steps[k].paths for k in group
                ):
                    found.add(
                        tuple(graph.steps[k].references[graph.steps[k].paths.index(path)] for k in group)
                    )
    yield from sorted(found)


def later(members, others, by):
    """Return `others` with those of the next round, or of the one before, for each member."""
    moved = others[by:] + others[-1:] * by if by > 0 else others[:1] * -by + others[:by]
    return moved


def is_square(x):
    """Tell whether the last two axes are of the same length, above 1."""
    return x.ndim >= 2 and x.shape[-1] == x.shape[-2] > 1
