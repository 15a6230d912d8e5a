"""Places with another operand than is meant, or one too many."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import ACTIVATIONS
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.numbers import is_number
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.repair.arrangements import rearranged
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import (
    ADDITIVE,
    COMPARISONS,
    MULTIPLICATIVE,
    REDUCTIONS,
    Rewrite,
    at_hand,
    is_gradient,
    is_mask,
    operand_changer,
    taken,
)
from tinygrad_relu.gradcheck.diagnosis.repair.roles import (
    called_so,
    confused,
    earlier_contents,
    label_of_mask,
    missing_factor,
    used_again,
)
from tinygrad_relu.gradcheck.diagnosis.step import take_at

# So many elements of a mask do not agree by chance.
MANY = 8
#: What may be meant by a value: what is wrong without it, cost, words, function.
OF_ONE_VALUE = [
    (Label.WRONG_FUNCTION, 2, "its square", np.square),
    (Label.WRONG_FUNCTION, 2, "its root", np.sqrt),
    (Label.WRONG_FUNCTION, 2, "one over it", lambda x: 1 / x),
    (Label.WRONG_FUNCTION, 2.2, "1 minus it", lambda x: 1 - x),
    (Label.WRONG_FUNCTION, 2.2, "1 plus it", lambda x: 1 + x),
    (Label.WRONG_FUNCTION, 2.1, "minus it", np.negative),
    (Label.WRONG_FUNCTION, 2.3, "its absolute value", np.abs),
    (Label.WRONG_FUNCTION, 2.3, "its sign", np.sign),
    (Label.WRONG_FUNCTION, 2.3, "its exponential", np.exp),
    (Label.WRONG_FUNCTION, 2.3, "its logarithm", np.log),
    (Label.WRONG_FUNCTION, 2.3, "its third power", lambda x: x**3),
    (Label.WRONG_FUNCTION, 2.4, "1 minus its square", lambda x: 1 - x * x),
    (Label.WRONG_FUNCTION, 2.4, "it times 1 minus it", lambda x: x * (1 - x)),
    (Label.WRONG_FUNCTION, 2.4, "one over its square", lambda x: 1 / (x * x)),
]


def of_operand(written, place, path):
    """Yield the place with one operand changed, or left out."""
    step = written.steps[place[0]]
    slot = step.paths.index(path)
    own = step.operands[slot]

    with_operand = operand_changer(path)
    if own.dtype.kind == "f":
        for label, cost, words, function in OF_ONE_VALUE:
            yield Rewrite.of(
                label, BEHIND + cost, f"{words} for an operand",
                with_operand(lambda w, k, x, f=function: f(x)),
            )
        yield from as_it_was_before(written, place, path)
        yield from rearranged(
            own, lambda rule: with_operand(lambda w, k, x: rule(x)), "an operand"
        )
    if step.function in ADDITIVE:
        rule = with_operand(lambda w, k, x: np.zeros_like(x))
        yield Rewrite(lambda _: superfluous(written, place, slot, rule), rule)
        for axis in range(own.ndim):
            for index in (0, -1) if own.shape[axis] > 1 else ():
                yield Rewrite.of(
                    Label.EXTRA_TERM, BEHIND + 0.9, f"index {index} of axis {axis} left out of a term",
                    with_operand(lambda w, k, x, axis=axis, index=index: without(x, axis, index)),
                )
    if step.function in MULTIPLICATIVE and len(step.references) > 1:
        label = Label.MASK_FROM_WRONG_TENSOR if is_mask(own) else Label.WRONG_FUNCTION
        if step.function is np.divide and slot == 1:
            label = Label.MISSING_FACTOR  # what is divided by too often lacks that factor
        yield Rewrite.of(
            label, BEHIND + 0.6, "one of the factors left out",
            with_operand(lambda w, k, x: np.ones_like(x)),
        )


def as_it_was_before(written, place, path):
    """Yield what the array or the variable of an operand had before it was changed."""
    own = {k: operand_of(written, k, path) for k in place}
    if not any(used_again(written, k) for k in own.values()):
        return  # it is that which is wrong
    found = {k: earlier_contents(written, own[k]) for k in place}
    for number in range(min(map(len, found.values()))):
        same = all(
            written.steps[earlier[number]].value.shape == written.steps[own[k]].value.shape
            for k, earlier in found.items()
        )
        if same:
            yield Rewrite.of(
                Label.STALE_BUFFER, 23.0 + 0.01 * number, "an operand as it was before it was changed",
                operand_changer(path)(lambda w, k, x, n=number: w.steps[found[k][n]].value),
            )


def operand_of(written, k, path):
    """Return the step that an operand of step `k` is the value of."""
    return written.steps[k].references[written.steps[k].paths.index(path)]


def superfluous(written, place, slot, rule):
    """Return which mistake a term is that has to be left out, its cost, and words."""
    step, words = written.steps[place[0]], "one of the terms left out"
    if is_update(written, step, slot):
        return Label.STALE_BUFFER, 24.6, words
    if not is_gradient(written, rule(written, place[0], step.operands)):
        # Of a gradient, or of a derivative.
        of_gradient = written.comes_of_gradients(step.references[slot])
        return Label.EXTRA_TERM if of_gradient else Label.WRONG_FUNCTION, BEHIND + 0.2, words
    # What is left of a subtraction is rather told of as a lack.
    return Label.EXTRA_TERM, 23.0 if step.function is np.add else BEHIND + 0.2, words


def is_update(written, step, slot):
    """Tell whether an operand is what a step of descent takes off a parameter, or adds to it.

    That is a number times the gradient of the other operand, or times anything if that is part of an
    input.
    """
    if len(step.references) != 2:
        return False
    graph, kept = written.one.graph, written.role(step.references[1 - slot])
    if kept is None or kept[0] != "forward":
        return False
    origin = graph.steps[kept[1]]
    taken = written.steps[step.references[slot]]
    rate = taken.function is np.multiply and any(map(is_number, taken.arguments))
    if origin.function is take_at and origin.references[0] in graph.inputs and rate:
        return True
    right, value = written.one.right.get(kept[1]), step.operands[slot]
    if kept[1] not in graph.inputs or right is None or right.shape != value.shape or not right.any():
        return False
    c = np.abs(value).max() / np.abs(right).max()
    return bool((np.abs(np.abs(value) - c * np.abs(right)) <= 1e-7 * np.abs(value).max()).all())


def without(x, axis, index):
    """Return an array with zeros at one index along an axis."""
    x = np.array(x)
    key = [slice(None)] * x.ndim
    key[axis] = index
    x[tuple(key)] = 0
    return x


def other_operand(written, place, path):
    """Yield the place with a value at hand for one operand, or multiplied into it."""
    step = written.steps[place[0]]
    slot = step.paths.index(path)
    own = step.operands[slot]
    with_operand = operand_changer(path)
    if step.function in ADDITIVE or len(written.users(step.references[slot])) > 1:
        for row, value in at_hand(written, place, step.value.shape if step.elementwise else own.shape):
            if value.dtype.kind in "fb":
                yield Rewrite(
                    lambda _, row=row: not_activated(written, step.references[slot], row)
                    or missing_factor(written, row, 0.1, "an operand times"),
                    with_operand(lambda w, k, x, row=row: x * taken(w, k, place, row)),
                )
    turned = own.ndim == 2 and step.function in PRODUCTS
    shapes = {own.shape, own.shape[::-1]} if turned else {own.shape}
    if step.function in REDUCTIONS:
        shapes |= {written.pool[row[0]].shape for row in written.rows(len(place))}
    for shape in sorted(shapes):
        for row, value in at_hand(written, place, shape):
            if value.shape != shape or (value.dtype.kind == "b") != (own.dtype.kind == "b"):
                continue
            rule = with_operand(lambda w, k, x, row=row: as_operand(taken(w, k, place, row), x.shape))
            if step.function in COMPARISONS:
                yield Rewrite(
                    lambda _, row=row, rule=rule: compared_otherwise(written, place[-1], row, rule), rule
                )
            else:
                yield Rewrite(
                    lambda _, row=row: confused(
                        written, step, step.references[slot], row,
                        [operand_of(written, k, path) for k in place],
                    ),
                    rule,
                )


def of_shared(written, place):
    """Yield the steps of a line with something else for a value that all of them take."""
    p = written.shared[place]
    own = written.steps[p].value
    if own.dtype.kind != "f":
        return

    def with_value(change):
        def rule(w, k, x):
            references = w.steps[k].references
            return w.steps[k].called([change(w, y) if q == p else y for q, y in zip(references, x)])

        return rule

    if own.ndim >= 2 and own.shape[-1] == own.shape[-2]:
        yield Rewrite.of(
            Label.TRANSPOSED, BEHIND + 0.9, "an operand transposed, wherever it is on the line",
            with_value(lambda _, y: np.swapaxes(y, -1, -2)),
        )
    for row, value in at_hand(written, place[:1], own.shape):
        if value.shape == own.shape and value.dtype == own.dtype:
            yield Rewrite(
                lambda _, row=row: confused(written, written.steps[place[0]], p, row),
                with_value(lambda w, _, key=row[0]: w.pool[key]),
            )


def not_activated(written, k, row):
    """Return what it means that a value of the forward needs the slope of its ReLU, or None."""
    kind, number = row[0][:2]
    known = written.role(k)
    if kind != "slope" or known is None or known[0] != "forward":
        return None
    section = written.sections[number]
    if section.starts[0] != known[1] or section.partial or section.name not in ACTIVATIONS:
        return None
    return Label.PRE_ACTIVATION, 25.3, "what an operand is behind its activation"


def compared_otherwise(written, k, row, rule):
    """Return what it means that another value has to be compared, its cost, and words; or None."""
    step = written.steps[k]
    found = np.asarray(rule(written, k, step.operands))
    if found.all() or not found.any():
        return None
    own = written.role(step.references[0])
    # That of a result, which is never below 0, does nothing.
    nothing = step.value.all() and own is not None and row[-1][0] == own[0] and row[-1][1] < own[1]
    label = Label.MASK_FORGOTTEN if nothing else label_of_mask(written, found != step.value)
    stops = (found & ~step.value).any()  # something that is to pass
    sure = row[-1][0] == "forward" and stops
    cost = (19.0 if found.size >= MANY else 23.0) if sure else BEHIND + 0.5
    return label, cost, f"{called_so(written, row)} for an operand"


def as_operand(value, shape):
    """Return a value in the place of one of a shape, transposed where only that fits."""
    return value.T if value.shape != shape and value.shape[::-1] == shape else value
