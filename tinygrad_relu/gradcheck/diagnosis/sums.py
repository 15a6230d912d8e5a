"""Wrong sums: over broadcast axes, within reductions, over the rounds of a loop."""

from collections import defaultdict

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at, take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Change

LARGEST = {np.max, np.amax}
SMALLEST = {np.min, np.amin}


def sum_mutations(graph):
    """Yield wrong sums of a graph."""
    for link in links(graph):
        if link.first.elementwise and link.operand(link.members[0]).shape != link.first.value.shape:
            yield from broadcast_sums(link)
        if link.first.function in LARGEST | SMALLEST:
            yield from extrema(link)
        if link.first.function in (take_at, assign_at, add_at, np.take):
            yield from indexed(link)
        if link.first.function is np.cumsum:
            yield from cumulated(link)
    yield from lone_rounds(graph)
    yield from overwriting(graph)


# ------------------------------------------------------------------------------- broadcast axes


def broadcast_sums(link):
    """Yield an operand's gradient averaged over the axes that it was broadcast along, or not summed."""
    shape, wide = link.operand(link.members[0]).shape, link.first.value.shape
    lost = tuple(
        k
        for k in range(len(wide))
        if k < len(wide) - len(shape) or (shape[k - len(wide) + len(shape)] == 1 and wide[k] != 1)
    )
    if not lost:
        return
    name = described(link.graph, link.parent(link.members[0]))
    axes = f"axis {lost[0]}" if len(lost) == 1 else f"axes {lost}"

    def term(k, g):
        return g * link.graph.steps[k].slopes()[link.slot(k)]

    def over(function):
        return lambda k, g, _: function(term(k, g), axis=lost, keepdims=True).reshape(shape)

    yield link.mutation(
        ("mean",),
        Label.AVERAGED,
        9,
        over(np.mean),
        f"the gradient of {name} is averaged over the broadcast {axes}, and has to be summed",
    )
    for word, pick in (("first", 0), ("last", -1)):
        yield link.mutation(
            (word,),
            Label.NOT_SUMMED,
            22,
            lambda k, g, _, pick=pick: np.moveaxis(term(k, g), lost, range(len(lost)))[
                (pick,) * len(lost)
            ].reshape(shape),
            f"the gradient of {name} is not summed over the broadcast {axes}: only the {word} entry of "
            "it "
            "is taken",
        )
    for axis in lost if len(lost) > 1 else ():
        yield link.mutation(
            ("one axis", axis),
            Label.NOT_SUMMED,
            22.5,
            lambda k, g, _, axis=axis: np.moveaxis(
                term(k, g).sum(tuple(a for a in lost if a != axis), keepdims=True), axis, 0
            )[0].reshape(shape),
            f"the gradient of {name} is not summed over axis {axis}, along which it was broadcast",
        )
        yield link.mutation(
            ("mean over", axis),
            Label.AVERAGED,
            9.5,
            lambda k, g, _, axis=axis: (
                term(k, g).mean(axis, keepdims=True).sum(lost, keepdims=True).reshape(shape)
            ),
            f"the gradient of {name} is averaged over axis {axis}, and has to be summed",
        )
    yield link.mutation(
        ("extremum",),
        Label.NOT_SUMMED,
        24,
        over(np.max),
        f"of the gradient of {name} the largest entry along {axes} is taken, and not the sum",
    )
    for axis in range(len(wide)):
        kept = [n for k, n in enumerate(wide) if k != axis]
        if axis not in lost and int(np.prod(kept)) == int(np.prod(shape)):
            yield link.mutation(
                ("axis", axis),
                Label.SUMMED,
                23,
                lambda k, g, _, axis=axis: term(k, g).sum(axis).reshape(shape),
                f"the gradient of {name} is summed over axis {axis}, and was broadcast along {axes}",
            )


# --------------------------------------------------------------------------------------- extrema


def cumulated(link):
    """Yield a cumulative sum where one from the end is right."""
    axis = link.first.keywords.get("axis")
    yield link.mutation(
        ("cumsum",), Label.WRONG_FUNCTION, 23, lambda k, g, _: np.cumsum(g, axis).reshape(g.shape),
        "the reverse of np.cumsum adds up from the end, and here it adds up from the beginning",
    )


def extrema(link):
    """Yield what is made of the gradient of a largest element."""

    def spread(k, g):
        # What reaches every element if all of them count: g along the axes that are gone.
        step = link.graph.steps[k]
        axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)
        if axis is not None and g.ndim < step.operands[0].ndim:
            g = np.expand_dims(g, axis)
        return np.broadcast_to(g, step.operands[0].shape)

    def count(k):
        step = link.graph.steps[k]
        return step.operands[0].size / max(1, step.value.size)

    def ties(k):
        step = link.graph.steps[k]
        return step.operands[0] == spread(k, step.value)

    def opposite(k):
        step = link.graph.steps[k]
        axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)
        other = np.min if step.function in LARGEST else np.max
        return step.operands[0] == other(step.operands[0], axis=axis, keepdims=True)

    name = link.first.name
    yield link.mutation(
        ("all",),
        Label.MASK_FORGOTTEN,
        21,
        lambda k, g, _: spread(k, g),
        f"the mask of {name} is forgotten: the gradient reaches every element, and not just the chosen "
        "one",
    )
    yield link.mutation(
        ("mean",),
        Label.WRONG_FUNCTION,
        22,
        lambda k, g, _: spread(k, g) / count(k),
        f"the gradient of {name} is spread evenly, as if it were a mean",
    )
    yield link.mutation(
        ("ties",),
        Label.MASK_NOT_STRICT,
        22.5,
        lambda k, g, _: spread(k, g) * ties(k),
        f"where elements tie, {name} sends the whole gradient to each of them: the mask is >= for >",
    )
    yield link.mutation(
        ("opposite",),
        Label.WRONG_FUNCTION,
        22.6,
        lambda k, g, _: spread(k, g) * opposite(k),
        f"the gradient of {name} goes to the element at the other end: the smallest for the largest",
    )
    axis = link.first.keywords.get("axis", None)
    for by in (1, -1):
        yield link.mutation(
            ("next", by),
            Label.SHIFTED,
            23,
            lambda k, g, _, by=by: np.roll(link.right(k, g), by, axis),
            f"the gradient of {name} goes to a neighbour of the chosen element",
        )
    yield link.mutation(
        ("first",),
        Label.WRONG_FUNCTION,
        23.5,
        lambda k, g, _: first_along(spread(k, g), axis),
        f"the gradient of {name} always goes to the first element",
    )


def first_along(x, axis):
    """Return `x` with all but the first entries along an axis set to 0."""
    y = np.zeros(x.shape)
    if axis is None:
        y.flat[:1] = x.flat[:1]
        return y
    where = [slice(None)] * x.ndim
    for k in axis if isinstance(axis, tuple) else (axis,):
        where[k] = slice(0, 1)
    y[tuple(where)] = x[tuple(where)]
    return y


# --------------------------------------------------------------------------------------- indexing


def indexed(link):
    """Yield what goes wrong with what was taken or put by index."""
    step = link.first
    if step.function in (take_at, np.take):
        name = described(link.graph, link.parent(link.members[0]))

        def overwritten(k, g, _, reverse=False):
            here = link.graph.steps[k]
            x = np.zeros(here.operands[0].shape)
            if here.function is take_at:
                key = here.arguments[1]
            else:
                axis = here.keywords.get("axis", here.arguments[2] if len(here.arguments) > 2 else None)
                if axis is None:
                    x = x.ravel()
                key = (*[slice(None)] * (axis or 0), np.asarray(here.arguments[1]))
            if reverse:
                rows = np.arange(x.size).reshape(x.shape)[key].ravel()
                x.ravel()[rows[::-1]] = g.ravel()[::-1]
            else:
                x[key] = g
            return x.reshape(here.operands[0].shape)

        yield link.mutation(
            ("overwritten",),
            Label.MISSING_TERM,
            21,
            overwritten,
            f"where an index occurs twice, the gradient of {name} is overwritten and not added up: "
            "use np.add.at",
        )
        yield link.mutation(
            ("overwritten", "first"),
            Label.MISSING_TERM,
            21.5,
            lambda k, g, c: overwritten(k, g, c, True),
            f"where an index occurs twice, only one of its gradients reaches {name}: use np.add.at",
        )
        yield link.mutation(
            ("averaged",),
            Label.AVERAGED,
            22,
            lambda k, g, _: averaged(link.graph.steps[k], g),
            f"where an index occurs twice, the gradients of {name} are averaged and not added up",
        )
    elif step.paths[link.slot(link.members[0])] == (0, 0):
        yield link.mutation(
            ("kept",),
            Label.MASK_FORGOTTEN,
            22,
            lambda k, g, _: g,
            "the gradient is not set to 0 where the forward wrote other values over",
        )


def averaged(step, g):
    """Return the mean of what goes back to each element that was taken."""
    (total,) = step.pull(g)
    (counts,) = step.pull(np.ones(g.shape))
    return total / np.maximum(counts, 1)


# ---------------------------------------------------------------------------------- rounds of a loop


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
                ("overwriting", word, tuple(members)),
                Label.MISSING_TERM,
                22,
                [Change(members[0], parent, extra)],
                f"where the pieces that are taken of {described(graph, parent)} overlap, their "
                "gradients are "
                "overwritten and not added up: += instead of =",
                step.line,
                step.name,
            )


def lone_rounds(graph):
    """Yield the terms of a loop into one input, with only the last or the first one kept."""
    terms = defaultdict(list)
    for link in links(graph):
        if len(link.members) > 1:
            for k in link.members:
                terms[link.path, link.members, link.parent(k)].append((link, k))
    for (path, members, parent), found in terms.items():
        if len(found) < 2:
            continue
        for word, kept in (("first", found[0]), ("last", found[-1])):
            changes = [
                Change(k, parent, lambda g, _, link=link, k=k: -link.right(k, g))
                for link, k in found
                if k != kept[1]
            ]
            step = graph.steps[members[0]]
            yield Mutation(
                ("lone", word, path, members, parent),
                Label.MISSING_TERM,
                23,
                changes,
                f"of the {len(found)} terms that {step.name} sends back to {described(graph, parent)}, "
                "only "
                f"that of the {word} round is kept: add them up (+=) instead of overwriting",
                step.line,
                step.name,
            )
        rest = 1 / len(found) - 1
        changes = [
            Change(k, parent, lambda g, _, link=link, k=k, c=rest: c * link.right(k, g))
            for link, k in found
        ]
        yield Mutation(
            ("averaged rounds", path, members, parent),
            Label.AVERAGED,
            23.5,
            changes,
            f"the {len(found)} terms that {graph.steps[members[0]].name} sends back to "
            f"{described(graph, parent)} are averaged, and have to be summed",
            graph.steps[members[0]].line,
            graph.steps[members[0]].name,
        )
