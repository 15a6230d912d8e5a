"""Places whose result lacks a factor, a term or a sum, or is scaled."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.numbers import is_number, simple, told
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.repair.calls import number_means
from tinygrad_relu.gradcheck.diagnosis.repair.known import same_values
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import (
    ADDITIVE,
    Rewrite,
    at_hand,
    is_mask,
    plainly,
    taken,
)
from tinygrad_relu.gradcheck.diagnosis.repair.roles import (
    called_so,
    goes_into,
    kind_of,
    label_of_mask,
    missing_factor,
)

# Where a matrix that is multiplied in may come from.
MATRICES = ("forward", "own", "data")
# How many values that nothing comes of are looked at, of those before a loop.
MOST_LOST = 8


def of_result(written, place):
    """Yield the place with its result scaled, or summed."""
    step = written.steps[place[0]]
    shape = step.value.shape
    yield Rewrite(lambda c: scaled(written, step, c), lambda w, k, x: 2 * plainly(w, k, x), free=True)
    counted = step.function in ADDITIVE and any(map(is_number, step.arguments))
    for one in (1.0, -1.0) if not counted else ():  # else that number is another one
        def rule(w, k, x, one=one):
            return plainly(w, k, x) + one

        yield Rewrite(number_means(written, place, Label.MISSING_TERM, f"{one:+g} in it", rule), rule)
    for axis in range(len(shape)):
        if shape[axis] > 1:
            yield Rewrite.of(
                Label.MISSING_FACTOR, BEHIND + 1.1, f"its result over its sum along axis {axis}",
                lambda w, k, x, axis=axis: over_sum(plainly(w, k, x), axis),
            )
            yield Rewrite.of(
                Label.NOT_SUMMED, BEHIND + 1.2, f"its result summed over axis {axis}",
                lambda w, k, x, axis=axis: as_wide(np.sum, plainly(w, k, x), axis),
            )
            yield Rewrite.of(
                Label.NOT_SUMMED, BEHIND + 1.3, f"its result averaged over axis {axis}",
                lambda w, k, x, axis=axis: as_wide(np.mean, plainly(w, k, x), axis),
            )


def of_rounds(written, place):
    """Yield all rounds of a loop added up, with what was there before, in the place of the last."""
    (k, *others) = place
    step = written.steps[k]
    alike = [
        j for j, one in enumerate(written.steps)
        if one.references and one.value.dtype == step.value.dtype and one.value.shape == step.value.shape
    ]
    rounds = [
        j for j in alike
        if written.steps[j].site == step.site and written.steps[j].function is step.function
    ]
    if others or len(rounds) < 2 or k != rounds[-1]:
        return
    lost = [(j,) for j in alike if j < rounds[0] and j not in written.own]
    for before in [(), *lost[-MOST_LOST:]]:
        yield Rewrite.of(
            Label.STALE_BUFFER, 22.6, "all rounds of the loop added up, not the last one alone,",
            lambda w, k, x, before=before: sum(w.steps[j].value for j in (*before, *rounds)),
        )


def of_sums(written, place):
    """Yield sums of two products with an operand of the one and of the other exchanged."""
    step = written.steps[place[0]]
    if step.function not in ADDITIVE or len(step.references) != 2:
        return
    products = [written.steps[p] for p in step.references]
    if any(one.function not in (np.multiply, *PRODUCTS) or len(one.references) != 2 for one in products):
        return
    for slot in (0, 1):
        def rule(w, k, _, slot=slot):
            a, b = (w.steps[p] for p in w.steps[k].references)
            values = [list(one.operands) for one in (a, b)]
            values[0][slot], values[1][slot] = values[1][slot], values[0][slot]
            return w.steps[k].called([one.called(x) for one, x in zip((a, b), values)])

        yield Rewrite.of(
            Label.WRONG_FUNCTION, BEHIND + 0.9, "each of the two products with an operand of the other",
            rule,
        )


def scaled(written, step, c):
    """Return what it means that a place has to be 1 + c times what it is: label, cost, words."""
    factor = 1 + c
    if abs(factor) < 1e-9:
        return Label.EXTRA_TERM, BEHIND + 0.4, "0 in its place"
    lengths = [n for one in written.steps for n in (*one.value.shape, one.value.size)]
    if abs(factor + 1) < 1e-9:
        return Label.WRONG_FUNCTION, BEHIND + 0.6, "a minus in front of it"
    nice = simple(factor, lengths)
    if nice is None:
        return Label.CONSTANT_FACTOR, BEHIND + 3, f"{told(factor)} times it"
    return Label.CONSTANT_FACTOR, BEHIND + 1, f"{nice} times it"


def over_sum(x, axis):
    """Return an array over its sum along an axis."""
    return x / x.sum(axis=axis, keepdims=True)


def as_wide(function, x, axis):
    """Return a sum along an axis in all its places."""
    return np.broadcast_to(function(x, axis=axis, keepdims=True), x.shape)


def with_a_value(written, place):
    """Yield the place with a factor or a term more."""
    shape = written.steps[place[0]].value.shape
    for row, value in at_hand(written, place, shape):
        yield Rewrite(
            lambda _, row=row: other_mask(written, place, row)
            or squared_error(written, place, row, over=False)
            or missing_factor(written, row, 0.0, "its result times"),
            lambda w, k, x, row=row: plainly(w, k, x) * taken(w, k, place, row),
        )
        if value.dtype.kind == "f" and row[0][0] != "cotangent":
            yield Rewrite(
                lambda _, row=row: squared_error(written, place, row)
                or missing_factor(written, row, 0.9, "its result over"),
                lambda w, k, x, row=row: plainly(w, k, x) / taken(w, k, place, row),
            )
        if value.dtype.kind == "f" and row[0][0] == "forward" and not written.is_straight(place):
            for sign in (1, -1):
                yield Rewrite(
                    lambda _, row=row, sign=sign: missing_value(written, place, row, sign),
                    lambda w, k, x, row=row, sign=sign: plainly(w, k, x) + sign * taken(w, k, place, row),
                )
        if value.shape == shape and row[0][0] in ("part", "cotangent", "own"):
            yield Rewrite(
                lambda c, row=row: term(c, called_so(written, row)),
                lambda w, k, x, row=row: plainly(w, k, x) + taken(w, k, place, row),
                free=True,
            )


def squared_error(written, place, row, over=True):
    """Return what it means that a difference from data is to be divided by what is compared with them.

    None if it is no such difference.  `over` is False if it is to be multiplied by one over that.
    """
    step, factor = written.steps[place[0]], written.pool[row[0]]
    if step.function is not np.subtract or factor.dtype.kind != "f" or not factor.all():
        return None
    divisor = factor if over else 1 / factor
    compared = [x for x in step.operands if same_values(x, divisor)]
    of_data = len(step.references) < 2 or not all(map(written.comes_of_inputs, step.references))
    if len(compared) != 1 or not of_data:
        return None
    name = called_so(written, row)
    return (
        Label.WRONG_FUNCTION, 24.0,
        f"its result, that of a squared error, {f'over {name}' if over else f'times {name}'}",
    )


def with_a_matrix(written, place):
    """Yield the place with a square matrix multiplied in, from either side."""
    value = written.steps[place[0]].value
    for row in written.rows(len(place)) if value.ndim == 2 else ():
        matrix = written.pool[row[0]]
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or row[0][0] not in MATRICES:
            continue
        for side, rule in (
            ("behind", lambda w, k, x, row=row: plainly(w, k, x) @ taken(w, k, place, row)),
            ("in front of", lambda w, k, x, row=row: taken(w, k, place, row) @ plainly(w, k, x)),
        ):
            if len(matrix) == value.shape[side == "behind"]:
                yield Rewrite.of(
                    Label.MISSING_FACTOR, BEHIND + 0.9, f"{called_so(written, row)} {side} it", rule
                )


def missing_value(written, place, row, sign):
    """Return which mistake it is to leave out a value of the forward in a sum, its cost, and words."""
    name, step = called_so(written, row), written.one.graph.steps[row[0][1]]
    words = f"{name} {'added to' if sign > 0 else 'taken from'} it"
    if sign < 0 and written.pool[row[0]].size < written.steps[place[0]].value.size and step.flows:
        return Label.MISSING_FACTOR, BEHIND + 0.8, words  # of an exponential: not divided by a sum
    return Label.MISSING_TERM, BEHIND + (0.75 if is_added_up(written, place, row) else 1.4), words


def is_added_up(written, place, row):
    """Tell whether a place is part of a sum, and a value of the forward is part of one there."""
    near = [written.steps[place[0]], *(written.steps[k] for k in written.users(place[0]))]
    return goes_into(written, row, ADDITIVE) and any(step.function in ADDITIVE for step in near)


def other_mask(written, place, row):
    """Return what it means that a mask is needed where there is a wider one already, or None."""
    mask = written.pool[row[0]]
    if kind_of(written, row) not in ("data", "slope") or not is_mask(mask):
        return None
    step = written.steps[place[0]]
    for x in (*step.operands, *(x for x in step.arguments if isinstance(x, np.ndarray))):
        if x.shape != mask.shape or not is_mask(x) or (mask.astype(bool) & (x == 0)).any() or x.all():
            continue
        # A mask that the forward has, too, is in its place, and another one is forgotten.
        known = any(written.at_hand.find(np.asarray(x, dtype)) for dtype in (bool, float))
        if row[0][0] == "data" or not known:
            label = label_of_mask(written, (x != 0) != mask.astype(bool))
            return label, 24.1, f"the mask {called_so(written, row)}"
    return None


def term(c, name):
    """Return what it means to need a term times c."""
    if abs(c - 1) < 1e-7:
        return Label.MISSING_TERM, BEHIND + 1.5, f"{name} added to it"
    if abs(c + 1) < 1e-7:
        return Label.EXTRA_TERM, BEHIND + 1.6, f"{name} taken from it"
    return None
