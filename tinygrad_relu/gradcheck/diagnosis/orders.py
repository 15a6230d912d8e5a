"""What goes back in the wrong order: transposed, flipped, shifted, or just reshaped."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.scalings import only_use
from tinygrad_relu.gradcheck.diagnosis.step import take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Change


def order_mutations(graph):
    """Yield wrong orders of what goes back through all links of a graph."""
    yield from arriving_at_outputs(graph)
    for link in links(graph):
        yield from arranged(link)
        if not link.first.elementwise:
            yield from arriving(link)


def arriving_at_outputs(graph):
    """Yield what is given to the backward, summed up or averaged before it goes back."""
    for k in {k for k in graph.outputs if k in graph.live}:
        step = graph.steps[k]
        if graph.outputs == [k]:
            yield from the_other_way_round(graph, k)
            yield from without_a_sample(graph, k)
        axes = [a for a, n in enumerate(step.value.shape) if n > 1]
        for over in [*((a,) for a in axes), *([tuple(axes)] if len(axes) > 1 else [])]:
            for label, word, function in (
                (Label.SUMMED, "summed", np.sum), (Label.AVERAGED, "averaged", np.mean)
            ):
                yield Mutation(
                    ("given", k, word, over), label, 24.6,
                    [Change(k, k, lambda g, _, f=function, a=over: f(g, axis=a, keepdims=True) - g)],
                    f"the gradient that is given to the backward is {word} over "
                    f"{f'axis {over[0]}' if len(over) == 1 else f'axes {over}'} before it goes back",
                    step.line, step.name,
                )


def the_other_way_round(graph, k):
    """Yield gradients of a sequence that is walked back through in the wrong direction."""
    step = graph.steps[k]
    for axis, n in enumerate(step.value.shape[:3]):
        same = [
            j for j in graph.inputs
            if j in graph.live and graph.steps[j].value.shape[axis:axis + 1] == (n,)
        ]
        if n < 3 or not same:
            continue

        def extra(g, now, j, axis=axis):
            found = graph.gradients([np.flip(now[k], axis)])[graph.inputs.index(j)]
            return np.flip(found, axis) - g

        yield Mutation(
            ("direction", k, axis), Label.PERMUTED, 25.3,
            [Change(j, j, lambda g, now, j=j, extra=extra: extra(g, now, j)) for j in same],
            f"the walk back goes along axis {axis} in the direction of the forward, and not against it",
            step.line, step.name, walks=2,
        )


def without_a_sample(graph, k):
    """Yield gradients to which the first or the last entry of what is given does not contribute."""
    step = graph.steps[k]
    for axis, n in enumerate(step.value.shape[:2]):
        for word, entry in (("first", 0), ("last", -1)) if n > 1 else ():

            def extra(g, now, j, axis=axis, entry=entry):
                found = graph.gradients([without_entry(now[k], axis, entry)])
                return found[graph.inputs.index(j)] - g

            for j in graph.inputs:
                if j in graph.live:
                    yield Mutation(
                        ("without a sample", k, axis, entry, j), Label.MISSING_TERM, 25.4,
                        [Change(j, j, lambda g, now, j=j, extra=extra: extra(g, now, j))],
                        f"the {word} entry along axis {axis} of the gradient that is given does not "
                        "count: is a range one too short?",
                        step.line, step.name, walks=2,
                    )


def arranged(link):
    """Yield what goes back in another order: transposed, flipped, shifted, or just reshaped."""
    first, step = link.members[0], link.first
    shape, times = link.operand(first).shape, step.references.count(link.parent(first))
    if step.elementwise and shape == step.value.shape and len(step.references) == 1 and only_use(link):
        return
    if times > 1 and link.slot(first) != step.references.index(link.parent(first)):
        return  # x * x sends back one sum
    name = described(link.graph, link.parent(first))
    axes = [k for k, n in enumerate(shape) if n > 1][:4]

    def rest(k, g):
        here = link.graph.steps[k]
        slots = [s for s, p in link.graph.edges(k) if p == link.parent(k) and s != link.slot(k)]
        return sum(here.pull(g)[s] for s in slots) if times > 1 else 0

    for key, label, cost, arrange, words in (
        *exchanged_axes(link, shape, axes),
        *(one for a in axes for one in (chosen_by_size(link, a) or along(a))),
        *(one for a in axes for one in evened_out(link, a)), *(along_all(axes) if len(axes) > 1 else ()),
    ):
        yield link.mutation(
            key, label, cost,
            lambda k, g, _, arrange=arrange: arrange(link.right(k, g) + rest(k, g)) - rest(k, g),
            f"what {step.name} sends back to {name} is {words}",
        )
    if len(axes) > 1:
        yield from only_reshaped(link, shape, name)


def exchanged_axes(link, shape, axes):
    """Yield exchanges of axes of the same length: key, label, cost, function and words."""
    undone = link.first.function in (np.transpose, np.swapaxes) and len(shape) > 2
    # Of blocks, or behind a reshape, nobody calls that a transpose any more.
    blocks = len(shape) > 4 and not link.first.elementwise
    label = Label.PERMUTED if undone or blocks else Label.TRANSPOSED
    for a, b in itertools.combinations(axes, 2):
        if shape[a] == shape[b]:
            yield (
                ("transposed", a, b), label, 23, lambda x, a=a, b=b: np.swapaxes(x, a, b),
                f"in the wrong order: its axes {a} and {b} are exchanged",
            )


def along(axis):
    """Yield other orders along an axis, and entries left out: key, label, cost, function and words."""
    for by in (1, -1):
        for key, function in (("shifted", np.roll), ("moved", moved)):
            yield (
                (key, axis, by), Label.SHIFTED, 25, lambda x, f=function, by=by: f(x, by, axis),
                f"shifted by one place along axis {axis}",
            )
    for word, entry in (("first", 0), ("last", -1)):
        yield (
            ("without", axis, entry), Label.MISSING_TERM, 24.9,
            lambda x, entry=entry: without_entry(x, axis, entry),
            f"without its {word} entry along axis {axis}: is a range one too short?",
        )
        yield (
            ("only", axis, entry), Label.MISSING_TERM, 24.9,
            lambda x, entry=entry: x - without_entry(x, axis, entry),
            f"there for the {word} entry along axis {axis} only",
        )
    yield (
        ("reversed", axis), Label.PERMUTED, 25, lambda x: np.flip(x, axis), f"reversed along axis {axis}"
    )


def chosen_by_size(link, axis):
    """Return what becomes of the largest or smallest entries, taken of what was sorted along an axis."""
    sorted_along = link.graph.steps[link.parent(link.members[0])]
    n, m = (x.shape[axis] if axis < x.ndim else 1 for x in (sorted_along.value, link.first.value))
    if sorted_along.function is not np.sort or link.first.function is not take_at or n == m:
        return []
    return [
        (
            ("all", axis), Label.MASK_FORGOTTEN, 23,
            lambda x: np.broadcast_to(x.sum(axis, keepdims=True) / m, x.shape),
            f"there for all entries along axis {axis}, and not just for those that were chosen",
        ),
        (
            ("other end", axis), Label.MASK_FROM_WRONG_TENSOR, 24, lambda x: np.flip(x, axis),
            f"at the other end of axis {axis}: of the smallest for the largest, or the converse",
        ),
    ]


def evened_out(link, axis):
    """Yield what is the same everywhere along an axis: key, label, cost, function and words."""
    forgotten = weighs_for_a_sum(link)
    yield (
        ("averaged", axis), Label.MISSING_FACTOR if forgotten else Label.AVERAGED,
        26.0 if forgotten else BEHIND + 1,
        lambda x: np.broadcast_to(x.mean(axis, keepdims=True), x.shape),
        f"the same along axis {axis}: the other factor, its weights, is not multiplied in" if forgotten
        else f"averaged over axis {axis}",
    )
    yield (
        ("summed", axis), Label.SUMMED, BEHIND + 0.9,
        lambda x: np.broadcast_to(x.sum(axis, keepdims=True), x.shape), f"summed over axis {axis}",
    )


def along_all(axes):
    """Yield what concerns several axes: key, label, cost, function and words."""
    yield ("flipped",), Label.PERMUTED, 24.8, lambda x: np.flip(x, axes[-2:]), "flipped along its axes"
    yield ("total",), Label.SUMMED, 26, lambda x: np.full(x.shape, x.sum()), "summed over all axes"


def only_reshaped(link, shape, name):
    """Yield a reshape where axes have to be exchanged."""
    turned = link.first.value.shape != shape or link.first.function in (np.transpose, np.swapaxes)
    for order in "CF" if turned and link.first.value.size == int(np.prod(shape)) else "":
        yield link.mutation(
            ("reshaped", order), Label.PERMUTED, 24,
            lambda k, g, _, order=order: g.reshape(shape, order=order),
            f"what goes back through {link.first.name} to {name} is only reshaped, so that its elements "
            "end up in the wrong places: undo the change of axes first",
        )


def weighs_for_a_sum(link):
    """Tell whether a step multiplies by plain data, and all that it gives is then summed up."""
    graph, k = link.graph, link.members[0]
    if link.first.function is not np.multiply or sum(link.first.flowing) != 1:
        return False
    while graph.steps[k].value.size > 1:
        later = [j for j in graph.live if k in graph.steps[j].references]
        if len(later) != 1 or graph.steps[later[0]].function not in (np.sum, np.mean, np.negative):
            return False
        k = later[0]
    return True


def arriving(link):
    """Yield the gradient that arrives taken in another order, or without an end: a slice that is off."""
    axes = [a for a, n in enumerate(link.first.value.shape) if n > 1][:6]
    name = described(link.graph, link.parent(link.members[0]))

    def taken(key, label, cost, arrange, words):
        return link.mutation(
            ("arriving", *key), label, cost, lambda k, g, _: link.right(k, arrange(g)),
            f"the gradient that arrives at {link.first.name} is {words} on the way to {name}",
        )

    for a in axes:
        for word, entry in (("first", 0), ("last", -1)):
            yield taken(
                ("without", a, entry), Label.MISSING_TERM, 25,
                lambda g, a=a, entry=entry: without_entry(g, a, entry),
                f"taken without its {word} entry along axis {a}: is a range one too short?",
            )
        for by in (1, -1):
            yield taken(
                ("shifted", a, by), Label.SHIFTED, 25.2, lambda g, a=a, by=by: np.roll(g, by, a),
                f"shifted by one place along axis {a}",
            )
        for key, word, function in (("reversed", "reversed", np.flip), ("sorted", "sorted", np.sort)):
            yield taken(
                (key, a), Label.PERMUTED, 25.2, lambda g, a=a, f=function: f(g, a),
                f"{word} along axis {a}",
            )
    if link.first.function is np.concatenate:
        yield from every_other(link, name)


def every_other(link, name):
    """Yield for a part of what is joined every other entry, as if the parts took turns."""
    step, (k, *_) = link.first, link.members
    axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else 0)
    count, length = len(step.references), link.operand(k).shape[axis]
    slices = [slice(None)] * step.value.ndim
    slices[axis] = slice(link.slot(k), None, count)
    if step.value[tuple(slices)].shape[axis] == length:
        yield link.mutation(
            ("every other",), Label.PERMUTED, 25.2, lambda k, g, _: g[tuple(slices)],
            f"of the gradient that arrives at {step.name} one in {count} entries along axis {axis} is "
            f"taken on the way to {name}, and not one piece",
        )


def moved(x, by, axis):
    """Return `x` moved along an axis, with zeros where nothing arrives."""
    y = np.roll(x, by, axis)
    where = [slice(None)] * x.ndim
    where[axis] = slice(0, by) if by > 0 else slice(by, None)
    y[tuple(where)] = 0
    return y


def without_entry(x, axis, entry):
    """Return `x` with zeros at one place of an axis."""
    y = np.array(x)
    np.moveaxis(y, axis, 0)[entry] = 0
    return y
