"""Pieces of one array that get each other's gradient: gates that are stacked in another order."""

import itertools
from collections import defaultdict

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described
from tinygrad_relu.gradcheck.diagnosis.step import take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_PIECES = 5
JOINING = (np.concatenate, np.stack, np.hstack, np.vstack, np.column_stack)


def piece_mutations(graph):
    """Yield the pieces of every array that is cut up or put together, in all other orders."""
    for k in graph.live:
        if graph.steps[k].function in JOINING:
            yield from joined_otherwise(graph, k)
    for parent, pieces in pieces_taken(graph):
        yield from cut_otherwise(graph, parent, pieces)


def pieces_taken(graph):
    """Yield each step that is cut into pieces of one shape, and these."""
    groups = defaultdict(list)
    for k in graph.live:
        step = graph.steps[k]
        if len(step.references) == 1 and (step.part is not None or step.function is take_at):
            groups[step.references[0], step.value.shape].append(k)
    for (parent, _), pieces in groups.items():
        if 2 <= len(pieces) <= MOST_PIECES and not overlap(graph, pieces):
            yield parent, pieces


def overlap(graph, pieces):
    """Tell whether pieces have elements in common."""
    total = sum(graph.steps[k].pull(np.ones(graph.steps[k].value.shape))[0] for k in pieces)
    return bool((total > 1).any())


def cut_otherwise(graph, parent, pieces):
    """Yield each piece with the gradient of another one."""
    for order in itertools.permutations(pieces):
        if order == tuple(pieces):
            continue

        def extra(g, now, order=order):
            return sum(
                graph.steps[k].pull(now[other] - now[k])[0]
                for k, other in zip(pieces, order) if k != other
            )

        numbers = ", ".join(str(pieces.index(k) + 1) for k in order)
        step = graph.steps[pieces[0]]
        yield Mutation(
            ("cut otherwise", parent, order), Label.PERMUTED, 24.1, [Change(pieces[0], parent, extra)],
            f"the gradients of the pieces of {described(graph, parent)} are put together in another "
            f"order ({numbers})",
            step.line, step.name,
        )


def joined_otherwise(graph, k):
    """Yield what was put together, cut up in another order on the way back."""
    step = graph.steps[k]
    slots = [s for s, _ in graph.edges(k)]
    shapes = {step.operands[s].shape for s in slots}
    if not 2 <= len(slots) <= MOST_PIECES or len(shapes) != 1:
        return
    for order in itertools.permutations(slots):
        changes = [
            Change(k, step.references[s], lambda g, _, s=s, o=o: step.pull(g)[o] - step.pull(g)[s])
            for s, o in zip(slots, order) if s != o
        ]
        turned = list(order) in (slots[1:] + slots[:1], slots[-1:] + slots[:-1]) and len(slots) > 2
        rounds = len({graph.steps[step.references[s]].site for s in slots}) == 1
        if changes:
            yield Mutation(
                ("joined otherwise", k, order), Label.SHIFTED if turned and rounds else Label.PERMUTED,
                24.1, changes,
                f"the pieces that {step.name} puts together get each other's gradient (in the order "
                f"{', '.join(str(slots.index(o) + 1) for o in order)})",
                step.line, step.name,
            )
