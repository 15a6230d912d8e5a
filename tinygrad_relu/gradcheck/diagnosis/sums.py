"""Wrong sums over axes along which something was broadcast."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.trace import Change


def sum_mutations(graph):
    """Yield wrong sums over broadcast axes."""
    for link in links(graph):
        is_wide = link.first.elementwise or link.first.function is np.broadcast_to
        if is_wide and link.operand(link.members[0]).shape != link.first.value.shape:
            yield from broadcast_sums(link)
    yield from averaged_over_places(graph)


def broadcast_sums(link):
    """Yield an operand's gradient with other sums than those over the axes it was broadcast along."""
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
        if link.first.function is np.broadcast_to:
            return g
        return g * link.graph.steps[k].slopes()[link.slot(k)]

    for key, label, cost, words, function in (
        *means(link, name, lost, axes),
        *entries(name, lost, axes),
        *over_others(name, lost, axes, shape, wide),
    ):
        yield link.mutation(
            key, label, cost, lambda k, g, _, f=function: f(term(k, g)).reshape(shape), words
        )


def means(link, name, lost, axes):
    """Yield means in the place of sums: key, label, cost, words and the function of what is summed."""
    wide = link.first.value.shape
    # The factor 1/2 is rather that of a square.
    squares = link.graph.steps[link.parent(link.members[0])].function in (np.square, np.power)
    yield (
        ("mean",), Label.AVERAGED, 23.1 if squares and np.prod([wide[a] for a in lost]) == 2 else 9,
        f"the gradient of {name} is averaged over the broadcast {axes}, and has to be summed",
        lambda x: x.mean(lost, keepdims=True),
    )
    for number, (whose, mask) in enumerate(masks_like(link.graph, wide)):
        count = np.maximum(mask.sum(lost, keepdims=True), 1)
        if np.ptp(count):
            yield (
                ("mean of some", number), Label.AVERAGED, 21.9,
                f"the gradient of {name} is averaged over those that {whose} lets through, and has to "
                "be summed",
                lambda x, count=count: x.sum(lost, keepdims=True) / count,
            )
    for axis in lost if len(lost) > 1 else ():
        yield (
            # The factor 1/2 has other reasons, too.
            ("mean over", axis), Label.AVERAGED, 9.5 if wide[axis] > 2 else 23.4,
            f"the gradient of {name} is averaged over axis {axis}, and has to be summed",
            lambda x, axis=axis: x.mean(axis, keepdims=True).sum(lost, keepdims=True),
        )


def entries(name, lost, axes):
    """Yield single entries in the place of sums: key, label, cost, words and the function."""

    def entry(x, over, pick):
        return np.moveaxis(x, over, range(len(over)))[(pick,) * len(over)]

    yield (
        ("first",), Label.NOT_SUMMED, 22,
        f"the gradient of {name} is not summed over the broadcast {axes}: only the first entry of it is "
        "taken",
        lambda x: entry(x, lost, 0),
    )
    for word, place in (("first", 0), ("last", -1)) if len(lost) == 1 else ():
        yield (
            ("without", word), Label.MISSING_TERM, 24.2,
            f"the gradient of {name} is summed over {axes} without its {word} entry: is a range one too "
            "short?",
            lambda x, place=place: np.delete(x, place, lost[0]).sum(lost, keepdims=True),
        )
    yield (
        ("last",), Label.STALE_BUFFER, 22,
        f"of the gradient of {name} only the last entry along {axes} is left: does a loop set it (=) "
        "where it has to add to it (+=)?",
        lambda x: entry(x, lost, -1),
    )
    for axis in lost if len(lost) > 1 else ():
        others = tuple(a for a in lost if a != axis)
        yield (
            ("one axis", axis), Label.NOT_SUMMED, 22.5,
            f"the gradient of {name} is not summed over axis {axis}, along which it was broadcast",
            lambda x, axis=axis, others=others: entry(x.sum(others, keepdims=True), (axis,), 0),
        )
    yield (
        ("extremum",), Label.NOT_SUMMED, 24,
        f"of the gradient of {name} the largest entry along {axes} is taken, and not the sum",
        lambda x: x.max(lost, keepdims=True),
    )
    for word, by_row in (("once where it is at all", True), ("once everywhere", False)):
        yield (
            (word,), Label.MISSING_FACTOR, 24.1,
            f"the gradient of {name} is counted {word}, and not as many times as a mask lets elements "
            f"through along {axes}: their number is missing",
            lambda x, by_row=by_row: once(x, lost, by_row),
        )


def over_others(name, lost, axes, shape, wide):
    """Yield sums over other axes: key, label, cost, words and the function."""
    if np.prod(shape) > 1:
        yield (
            ("all axes",), Label.SUMMED, 23.2,
            f"the gradient of {name} is summed over all axes, and was broadcast along {axes}",
            lambda x: np.full(shape, x.sum()),
        )
    for axis in range(len(wide)):
        rest = [n for k, n in enumerate(wide) if k != axis]
        if axis not in lost and int(np.prod(rest)) == int(np.prod(shape)):
            yield (
                ("axis", axis), Label.SUMMED, 23,
                f"the gradient of {name} is summed over axis {axis}, and was broadcast along {axes}",
                lambda x, axis=axis: x.sum(axis),
            )


def once(x, axes, by_row):
    """Return the one number that an array has where it is not 0, in the place of its sums along axes."""
    numbers = x[x != 0]
    if not numbers.size or numbers.size == x.size or np.ptp(numbers) > 1e-12 * abs(numbers[0]):
        raise ValueError("no multiple of a mask")
    counted = (x != 0).any(axes, keepdims=True)
    return numbers[0] * (counted if by_row else np.ones(counted.shape))


def masks_like(graph, shape):
    """Yield the masks of a shape, and those of the other elements, with what they are called."""
    for k, step in enumerate(graph.steps):
        x = step.value
        if x.shape == shape and x.size > 1 and not step.flows and ((x == 0) | (x == 1)).all():
            yield described(graph, k), x.astype(float)
            yield f"the opposite of {described(graph, k)}", 1.0 - x


def averaged_over_places(graph):
    """Yield the gradient of what is broadcast in each round of a loop as a mean over all places."""
    for k in graph.live:
        count, size = 0, graph.steps[k].value.size
        users = [j for j in graph.live for _, p in graph.edges(j) if p == k]
        for j in users:
            step = graph.steps[j]
            count += step.value.size // max(1, size) if step.elementwise else 1
        if len(users) > 1 and count > len(users):
            yield Mutation(
                ("mean of places", k), Label.AVERAGED, 9.3,
                [Change(k, k, lambda g, _, count=count: g / count - g)],
                f"the gradient of {described(graph, k)} is averaged over the {count} places where it is "
                "used, and has to be summed",
                graph.steps[users[0]].line, graph.steps[users[0]].name,
            )
