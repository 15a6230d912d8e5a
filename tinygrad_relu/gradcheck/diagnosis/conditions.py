"""Gates walked back with another condition: upside down, of another value, with another level."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, values_like
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_ELEMENTS = 50_000
# So many steps of a branch are looked at.
MOST_INSIDE = 12


def other_conditions(graph, k):
    """Yield ``np.where`` walked back with another condition, for both branches or for one."""
    step = graph.steps[k]
    if (0, 0) not in step.paths or step.value.size > MOST_ELEMENTS:
        return
    at = step.paths.index((0, 0))
    condition = np.broadcast_to(step.operands[at], step.value.shape).astype(bool)
    slots = [slot for slot, _ in graph.edges(k)]
    for key, mask, label, cost, words in conditions(graph, k, at, condition):
        for some in (slots, *([slot] for slot in slots)):
            if key == "inverted" and len(some) < len(slots):
                words = "that of the other branch"
                cost = 22.8
            if key in (True, False) and len(some) == 1:
                continue  # see `sections`
            yield Mutation(
                ("condition", k, key, tuple(some)),
                label,
                cost + 0.1 * (len(some) == 1),
                [conditioned(graph, k, at, slot, mask) for slot in some],
                f"the condition of np.where is {words}",
                step.line,
                step.name,
            )


def conditions(graph, k, at, condition):
    """Yield ``(key, mask, label, cost, words)``; a mask may be a function of the cotangents."""
    shape, source = condition.shape, graph.steps[k].references[at]
    constant = not graph.steps[source].references
    yield "inverted", ~condition, Label.MASK_FROM_WRONG_TENSOR, 23, "upside down"
    for value in (True, False):
        words = f"forgotten: every element is taken as {'open' if value else 'shut'}"
        # Who takes the branch of all elements forgot the condition, and not a number in the other branch.
        cost, label = 20.9 if value else 22, Label.MASK_FORGOTTEN
        if any(graph.steps[p].function is np.absolute for p in made_of(graph, k, 1 if value else 2)):
            label = Label.WRONG_FUNCTION  # that is the derivative of the absolute value
        yield value, np.full(shape, value), label, cost, words
    own = graph.steps[source].references[0] if not constant else None
    for (other,) in values_like(graph, shape):
        value = graph.steps[other].value
        for sign, mask in compared_with_zero(value) if value.dtype == float else ():
            if not np.array_equal(mask, condition):
                ties = other == own and (value[mask != condition] == 0).all()
                label = Label.MASK_NOT_STRICT if ties else Label.MASK_FROM_WRONG_TENSOR
                words = f"taken from {described(graph, other)} {sign} 0"
                yield (other, sign), mask, label, 22.7 if ties else 24.1, words
    yield from of_others(graph, source, own, condition)
    for other in graph.live:
        if graph.steps[other].value.shape == shape:
            words = f"taken from the gradient that arrives at {described(graph, other)}"
            mask = lambda now, other=other: now[other] > 0
            yield ("cotangent", other), mask, Label.MASK_FROM_WRONG_TENSOR, 24.2, words
    if constant:
        yield from of_data(graph, condition)


def made_of(graph, k, position):
    """Return the steps, element by element, that the branch of ``np.where`` at a position is made of."""
    step, found = graph.steps[k], []
    ahead = [step.references[step.paths.index((0, position))]] if (0, position) in step.paths else []
    while ahead and len(found) < MOST_INSIDE:
        found.append(ahead.pop())
        ahead += [p for _, p in graph.edges(found[-1])] if graph.steps[found[-1]].elementwise else []
    return found


def of_others(graph, source, own, condition):
    """Yield what the comparison of a condition gives of other values, or of the size of its own."""
    if own is None:
        return
    step = graph.steps[source]
    slot = step.references.index(own)
    others = [(other, described(graph, other), graph.steps[other].value)
              for (other,) in values_like(graph, graph.steps[own].value.shape)]
    size = np.abs(graph.steps[own].value)
    for key, name, value in [*others, ("size", f"the size of {described(graph, own)}", size)]:
        mask = np.broadcast_to(
            step.call([value if s == slot else x for s, x in enumerate(step.operands)]), condition.shape
        )
        if key != own and value.dtype == float and not np.array_equal(mask, condition):
            words = f"taken from {name}, and not from {described(graph, own)}"
            # What the right value is made of comes before what happens to fit as well.
            cost = 23.9 if key in graph.steps[own].references else 24
            yield ("compared", key), mask, Label.MASK_FROM_WRONG_TENSOR, cost, words


def of_data(graph, condition):
    """Yield the conditions that other plain arrays of the forward give, and the same one with ``>=``."""
    for number, (name, x) in enumerate(graph.data):
        if x.shape != condition.shape:
            continue
        for key, mask in masks_at_level(condition, x):
            words = f"taken with >= for >, or < for <=, of {name}"
            yield ("level", number, key), mask, Label.MASK_NOT_STRICT, 22, words
        for sign, mask in compared_with_zero(x):
            if not np.array_equal(mask, condition):
                words = f"taken from {name} {sign} 0"
                yield ("data", number, sign), mask, Label.MASK_FROM_WRONG_TENSOR, 24.1, words


def compared_with_zero(x):
    """Yield signs, and the masks that they give."""
    yield ">", x > 0
    yield ">=", x >= 0
    yield "<", x < 0


def masks_at_level(mask, x):
    """Yield keys and masks that differ from one of `x` beyond a level in the elements at the level."""
    mask = mask.astype(bool)
    if mask.all() or not mask.any() or x.dtype.kind not in "fiu":
        return
    for sign in (1, -1):
        v = sign * x
        below, above = v[~mask].max(), v[mask].min()
        if below < above:
            for word, found in ((">=", v >= below), (">", v > above)):
                if found.any() and not found.all():
                    yield (sign, word), found


def conditioned(graph, k, at, slot, mask):
    """Return the change of one branch of ``np.where`` by another condition."""
    step = graph.steps[k]

    def extra(g, now):
        operands = list(step.operands)
        operands[at] = mask(now) if callable(mask) else mask
        return step.pull(g, operands)[slot] - step.pull(g)[slot]

    return Change(k, step.references[slot], extra)
