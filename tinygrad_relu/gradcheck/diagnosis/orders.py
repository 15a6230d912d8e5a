"""What goes back in the wrong order: transposed, flipped, shifted, or just reshaped."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.scalings import only_use
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


def arranged(link):
    """Yield what goes back in another order: transposed, flipped, shifted, or just reshaped."""
    k, step = link.members[0], link.first
    shape, times = link.operand(k).shape, step.references.count(link.parent(k))
    if step.elementwise and shape == step.value.shape and len(step.references) == 1 and only_use(link):
        return
    if times > 1 and link.slot(k) != step.references.index(link.parent(k)):
        return  # x * x sends back one sum
    name = described(link.graph, link.parent(link.members[0]))
    axes = [k for k, n in enumerate(shape) if n > 1][:4]

    def rest(k, g):
        here = link.graph.steps[k]
        slots = [s for s, p in link.graph.edges(k) if p == link.parent(k) and s != link.slot(k)]
        return sum(here.pull(g)[s] for s in slots) if times > 1 else 0

    def sent(key, label, cost, arrange, words):
        return link.mutation(
            key,
            label,
            cost,
            lambda k, g, _: arrange(link.right(k, g) + rest(k, g)) - rest(k, g),
            f"what {link.first.name} sends back to {name} is {words}",
        )

    for a in axes:
        for b in axes:
            if a < b and shape[a] == shape[b]:
                undone = link.first.function in (np.transpose, np.swapaxes) and len(shape) > 2
                yield sent(
                    ("transposed", a, b),
                    # Of blocks, or behind a reshape, nobody calls that a transpose any more.
                    Label.PERMUTED if undone or len(shape) > 4 else Label.TRANSPOSED,
                    23,
                    lambda x, a=a, b=b: np.swapaxes(x, a, b),
                    f"in the wrong order: its axes {a} and {b} are exchanged",
                )
        for by in (1, -1):
            yield sent(
                ("shifted", a, by),
                Label.SHIFTED,
                25,
                lambda x, a=a, by=by: np.roll(x, by, a),
                f"shifted by one place along axis {a}",
            )
            yield sent(
                ("moved", a, by),
                Label.SHIFTED,
                25,
                lambda x, a=a, by=by: moved(x, by, a),
                f"shifted by one place along axis {a}",
            )
        for word, entry in (("first", 0), ("last", -1)):
            yield sent(
                ("without", a, entry),
                Label.MISSING_TERM,
                24.9,
                lambda x, a=a, entry=entry: without_entry(x, a, entry),
                f"without its {word} entry along axis {a}: is a range one too short?",
            )
            yield sent(
                ("only", a, entry),
                Label.MISSING_TERM,
                24.9,
                lambda x, a=a, entry=entry: x - without_entry(x, a, entry),
                f"there for the {word} entry along axis {a} only",
            )
        yield sent(
            ("reversed", a), Label.PERMUTED, 25, lambda x, a=a: np.flip(x, a), f"reversed along axis {a}"
        )
        forgotten = weighs_for_a_sum(link)
        yield sent(
            ("averaged", a),
            Label.MISSING_FACTOR if forgotten else Label.AVERAGED,
            26,
            lambda x, a=a: np.broadcast_to(x.mean(a, keepdims=True), x.shape),
            f"the same along axis {a}: the other factor, its weights, is not multiplied in" if forgotten
            else f"averaged over axis {a}",
        )
        yield sent(
            ("summed", a),
            Label.SUMMED,
            26,
            lambda x, a=a: np.broadcast_to(x.sum(a, keepdims=True), x.shape),
            f"summed over axis {a}",
        )
    if len(axes) >= 2:
        yield sent(
            ("flipped",), Label.PERMUTED, 24.8, lambda x: np.flip(x, axes[-2:]), "flipped along its axes"
        )
        yield sent(
            ("total",), Label.SUMMED, 26, lambda x: np.full(x.shape, x.sum()), "summed over all axes"
        )
    turned = link.first.value.shape != shape or link.first.function in (np.transpose, np.swapaxes)
    if link.first.value.size == int(np.prod(shape)) and len(axes) > 1 and turned:
        for order in "CF":
            yield link.mutation(
                ("reshaped", order),
                Label.PERMUTED,
                24,
                lambda k, g, _, order=order: g.reshape(shape, order=order),
                f"what goes back through {link.first.name} to {name} is only "
                "reshaped, so that its elements end up in the wrong places: undo the change of axes "
                "first",
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
        yield taken(
            ("reversed", a), Label.PERMUTED, 25.2, lambda g, a=a: np.flip(g, a),
            f"reversed along axis {a}",
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
