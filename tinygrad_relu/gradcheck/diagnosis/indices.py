"""Gathering and scattering gone wrong: repeated indices that do not add up, and the wrong indices."""

from collections import defaultdict

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.step import REARRANGING, add_at, assign_at, take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Change

GATHERING = (take_at, np.take, *REARRANGING)
COPYING = (np.repeat, np.tile, np.broadcast_to)


def index_mutations(graph):
    """Yield what goes wrong with what was taken or put by index."""
    arrays = index_arrays(graph)
    for link in links(graph):
        step = link.first
        if step.function in GATHERING:
            yield from collided(link)
        elif step.function is assign_at and step.paths[link.slot(link.members[0])] == (0, 0):
            yield link.mutation(
                ("kept",), Label.MASK_FORGOTTEN, 22, lambda k, g, _: g,
                "the gradient is not set to 0 where the forward wrote other values over",
            )
        if step.function in (take_at, add_at, assign_at):
            yield from elsewhere(link, arrays)
    yield from overwriting(graph)
    for k in graph.live:
        yield from copies_lost(graph, k)
        yield from written_over(graph, k)
    for adding in sums_in_loops(graph):
        yield from read_elsewhere(graph, adding, arrays)


# ------------------------------------------------------------------------------- repeated indices


def places_of(step):
    """Return for each element of what was taken the number of the element that it is."""
    numbers = np.arange(float(step.operands[0].size)).reshape(step.operands[0].shape)
    operands = [numbers, *step.operands[1:]]
    return np.asarray(step.call(operands)).astype(np.intp)


def collided(link):
    """Yield what becomes of elements that were taken several times if they are not added up."""
    shape = link.operand(link.members[0]).shape
    name = described(link.graph, link.parent(link.members[0]))
    places = places_of(link.first)
    windows = link.first.function in REARRANGING
    where = "where windows overlap" if windows else "where an index occurs twice"
    # Window by window, nothing is written twice at once.
    advice = "+= in the place of =" if windows else "+= does not add up either, use np.add.at"
    if places.size == 0 or np.bincount(places.ravel()).max() < 2:
        return
    for which, order, backwards in orders_of(places.ndim):

        def overwritten(k, g, _, order=order, backwards=backwards):
            x = np.zeros(int(np.prod(shape)))
            to = places_of(link.graph.steps[k]).transpose(order).ravel()
            values = g.transpose(order).ravel()
            x[to[::backwards]] = values[::backwards]
            return x.reshape(shape)

        yield link.mutation(
            ("overwritten", order, backwards), Label.MISSING_TERM, 21 if which == "last" else 21.5,
            overwritten,
            f"{where}, only the {which} of the gradients of an element reaches {name}, the others are "
            f"overwritten and not added up: {advice}",
        )
    for axis in range(places.ndim) if places.ndim > 1 else ():
        yield link.mutation(
            ("buffered", axis), Label.MISSING_TERM, 21.6,
            lambda k, g, _, axis=axis: buffered(places_of(link.graph.steps[k]), g, axis, shape),
            f"{where}, += adds only one of the gradients of an element to {name}: use np.add.at",
        )
    yield link.mutation(
        ("averaged",), Label.AVERAGED, 22,
        lambda k, g, _: averaged(places_of(link.graph.steps[k]), g, shape),
        f"{where}, the gradients of {name} are averaged and not added up",
    )


def orders_of(ndim):
    """Yield in which orders elements may be written over each other: by rows or columns, either way."""
    orders = {tuple(range(ndim)), tuple(reversed(range(ndim)))}
    orders |= {(axis, *(a for a in range(ndim) if a != axis)) for axis in range(ndim)}
    for order in sorted(orders):
        yield "last", order, 1
        yield "first", order, -1


def buffered(places, g, axis, shape):
    """Return what ``x[places] += g`` gives, one entry of an axis after another."""
    x = np.zeros(int(np.prod(shape)))
    for where, part in zip(np.moveaxis(places, axis, 0), np.moveaxis(g, axis, 0)):
        x[where] += part
    return x.reshape(shape)


def averaged(places, g, shape):
    """Return the mean of what goes back to each element that was taken."""
    count = int(np.prod(shape))
    total, times = (np.bincount(places.ravel(), w, count) for w in (g.ravel(), np.ones(g.size)))
    return (total / np.maximum(times, 1)).reshape(shape)


def written_over(graph, k):
    """Yield ``dx[index] = g`` where `x` has another use, whose term is there already."""
    step = graph.steps[k]
    if step.function is not take_at or not step.flowing[0]:
        return
    parent, key = step.references[0], step.arguments[1]
    if sum(parent in graph.steps[j].references for j in graph.live) < 2:
        return

    def extra(g, now):
        x = g - step.pull(now[k])[0]
        x[key] = now[k]
        return x - g

    yield Mutation(
        ("written over", k), Label.MISSING_TERM, 21.8, [Change(parent, parent, extra)],
        f"what goes back to {described(graph, parent)} by index is written over the terms that are there "
        "already: it has to be added",
        step.line, step.name,
    )


def copies_lost(graph, end):
    """Yield one of several copies alone, as ``dy[::2, ::2]`` takes it back through an upsampling."""
    step, way = graph.steps[end], []
    while graph.steps[k := graph.steps[way[-1]].references[0] if way else end].function in COPYING:
        way.append(k)
        start = graph.steps[k].references[0]
        shape = graph.steps[start].value.shape
        places = np.arange(float(np.prod(shape))).reshape(shape)
        for j in reversed(way):
            places = np.asarray(graph.steps[j].call([places]))
        places = places.astype(np.intp).ravel()
        for word, backwards in (("first", -1), ("last", 1)):

            def extra(g, _, places=places, backwards=backwards, way=tuple(way), shape=shape):
                x, right = np.zeros(int(np.prod(shape))), g
                x[places[::backwards]] = g.ravel()[::backwards]
                for j in way:
                    (right,) = graph.steps[j].pull(right)
                return x.reshape(shape) - right

            yield Mutation(
                ("copies", end, start, word), Label.NOT_SUMMED, 22, [Change(end, start, extra)],
                f"of the copies of {described(graph, start)} that {step.name} makes, only the gradient "
                f"of the {word} one goes back: they have to be summed",
                step.line, step.name,
            )


def overwriting(graph):
    """Yield the pieces of one array, each written over the others where it overlaps them, not added."""
    pieces = defaultdict(list)
    for k in graph.live:
        if graph.steps[k].function is take_at and graph.steps[k].flowing[0]:
            pieces[graph.steps[k].site, graph.steps[k].references[0]].append(k)
    for (_, parent), members in pieces.items():
        if len(members) < 2:
            continue
        for word, order in (("forwards", members), ("backwards", members[::-1])):

            def extra(g, right, order=order, parent=parent):
                x, total = np.zeros((2, *graph.steps[parent].value.shape))
                for k in order:
                    key = graph.steps[k].arguments[1]
                    x[key] = right[k]
                    np.add.at(total, key, right[k])
                return x - total

            step = graph.steps[members[0]]
            yield Mutation(
                ("overwriting", word, tuple(members)), Label.MISSING_TERM, 22,
                [Change(members[0], parent, extra)],
                f"where the pieces that are taken of {described(graph, parent)} overlap, their gradients "
                "are overwritten and not added up: += instead of =",
                step.line, step.name,
            )


# ------------------------------------------------------------------------------- the wrong indices


def index_arrays(graph):
    """Return the arrays of integers by which anything was taken or put."""
    found, loops = [], defaultdict(list)
    for step in graph.steps:
        if step.function in (take_at, add_at, assign_at):
            found += [part for part in parts_of(step.arguments[1]) if is_index(part)]
            if isinstance(step.arguments[1], (int, np.integer)):
                loops[step.site, step.function].append(int(step.arguments[1]))
    found += [np.array(numbers) for numbers in loops.values() if len(numbers) > 1]
    different = []
    for part in found:
        if not any(np.array_equal(part, other) for other in different):
            different.append(part)
    return different


def parts_of(key):
    """Return the parts of a key as a tuple."""
    return key if isinstance(key, tuple) else (key,)


def is_index(part):
    """Tell whether a part of a key is an array of integers."""
    return isinstance(part, np.ndarray) and part.dtype.kind in "iu" and part.ndim > 0


def elsewhere(link, arrays):
    """Yield the rule with other indices: of another array, the next ones, or in another order."""
    step = link.first
    parts = parts_of(step.arguments[1])
    for at, part in enumerate(parts):
        if not is_index(part) or len(link.members) > 1:
            continue
        axis = sum(1 if p is not None and p is not Ellipsis else 0 for p in parts[:at])
        count = step.operands[0].shape[axis] if Ellipsis not in map(type, parts) else 0
        variants = [
            (Label.PERMUTED, 23.6, "indices that are meant for something else", other)
            for other in arrays if other.shape == part.shape and not np.array_equal(other, part)
        ]
        if count:
            variants += [
                (Label.SHIFTED, 23.8, f"indices that are {by:+d} off", (part + by) % count)
                for by in (1, -1)
            ]
        variants += [
            (Label.PERMUTED, 24, "indices in reverse order", part[::-1]),
            (Label.PERMUTED, 24.1, "the sorted indices", np.sort(part)),
        ]
        if part.ndim > 1 and part.shape == part.shape[::-1]:
            variants += [(Label.TRANSPOSED, 24, "indices transposed", part.T)]
        for number, (label, cost, words, other) in enumerate(variants):
            yield with_key(link, (number, at), label, cost, words, replaced(step, at, other))


def replaced(step, at, other):
    """Return the key of a step with one part replaced."""
    key = step.arguments[1]
    return tuple(other if n == at else p for n, p in enumerate(key)) if isinstance(key, tuple) else other


def with_key(link, number, label, cost, words, key):
    """Return the mutation of one step that takes or puts at another key."""
    step = link.first
    slot = link.slot(link.members[0])

    def rule(k, g, _):
        if step.function is take_at:
            x = np.zeros(step.operands[0].shape)
            np.add.at(x, key, g)
            return x
        if step.paths[slot] == (0, 0):
            x = np.array(g)
            if step.function is assign_at:
                x[key] = 0
            return x
        return g[key]

    how = "put back at" if step.function is take_at else "read at"
    return link.mutation(
        ("elsewhere", number), label, cost, rule,
        f"the gradient that goes back through {step.name} to "
        f"{described(link.graph, link.parent(link.members[0]))} is {how} {words}",
    )


def sums_in_loops(graph):
    """Yield the rounds of each loop that has ``total[i] += x``: the assignment, and the step of ``x``."""
    groups = defaultdict(list)
    for k in graph.live:
        step = graph.steps[k]
        if step.function is not assign_at or not isinstance(step.arguments[1], (int, np.integer)):
            continue
        added = graph.steps[step.references[-1]]
        if added.function is np.add and len(added.references) == 2:
            before, x = added.references
            # In the first round nothing was there yet.
            if graph.steps[before].function in (take_at, None) and graph.steps[x].flows:
                groups[step.site].append((k, x))
    yield from (rounds for rounds in groups.values() if len(rounds) > 1)


def read_elsewhere(graph, rounds, arrays):
    """Yield the sums of a loop walked back with the gradients of other elements of the total."""
    own = np.array([int(graph.steps[k].arguments[1]) for k, _ in rounds])
    count = len(graph.steps[rounds[0][0]].value)
    variants = [
        (Label.PERMUTED, 23.6, "indices that are meant for something else", other)
        for other in arrays if other.shape == own.shape and other.max() < count
    ]
    variants += [
        (Label.SHIFTED, 23.8, f"indices that are {by:+d} off", (own + by) % count) for by in (1, -1)
    ]
    for number, (label, cost, words, other) in enumerate(variants):
        if np.array_equal(own, other):
            continue
        changes = [
            Change(k, x, lambda g, _, a=int(a), b=int(b): g[b] - g[a])
            for (k, x), a, b in zip(rounds, own, other)
        ]
        step = graph.steps[rounds[0][0]]
        yield Mutation(
            ("sum elsewhere", rounds[0][0], number), label, cost, changes,
            f"the gradients of what is added up in a loop are read at {words}", step.line, step.name,
        )
