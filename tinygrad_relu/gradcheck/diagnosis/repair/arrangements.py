"""Places whose axes or elements are in another order than is meant."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.relations import JOINING
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import Rewrite


def of_arrangement(written, place):
    """Yield other orders of axes where a step changes the shape, or exchanges axes."""
    step = written.steps[place[0]]
    if step.function in (np.transpose, np.swapaxes, np.moveaxis) and step.value.ndim <= 5:
        for order in itertools.permutations(range(step.value.ndim)):
            label = Label.TRANSPOSED if step.value.ndim < 3 else Label.PERMUTED
            yield Rewrite.of(
                label, BEHIND + 0.7, f"axes in the order {order}",
                lambda w, k, x, o=order: x[0].transpose(o),
            )
    if step.function in JOINING:
        yield from of_pieces(step)
    if step.function is not np.reshape:
        return
    before, after = step.operands[0].ndim, step.value.ndim
    for order in itertools.permutations(range(before)) if 2 <= before <= 4 else ():
        yield Rewrite.of(
            Label.PERMUTED, BEHIND + 0.8, f"axes in the order {order} before the reshape",
            lambda w, k, x, o=order: x[0].transpose(o).reshape(w.steps[k].value.shape),
        )
    for order in itertools.permutations(range(after)) if 2 <= after <= 4 else ():
        yield Rewrite.of(
            Label.PERMUTED, BEHIND + 0.8, f"axes in another order behind the reshape, as in {order}",
            lambda w, k, x, o=order: x[0].reshape(
                [w.steps[k].value.shape[a] for a in o]
            ).transpose(np.argsort(o)),
        )


def of_pieces(step):
    """Yield other orders of what is put together."""
    pieces = step.arguments[0]
    if not isinstance(pieces, (list, tuple)) or not 1 < len(pieces) < 5:
        return
    for order in itertools.permutations(range(len(pieces))):
        if list(order) != sorted(order):
            yield Rewrite.of(
                Label.PERMUTED, BEHIND + 0.8, f"the pieces in the order {order}",
                lambda w, k, x, order=order: w.steps[k].called(
                    x, arguments=[[w.steps[k].arguments[0][n] for n in order], *w.steps[k].arguments[1:]]
                ),
            )


def rearranged(value, rule_of, what):
    """Yield something transposed, flipped or shifted."""
    if value.ndim >= 2 and value.shape[-1] == value.shape[-2] > 1:
        yield Rewrite.of(
            Label.TRANSPOSED, BEHIND + 1, f"{what} transposed", rule_of(lambda x: np.swapaxes(x, -1, -2))
        )
    for axis in range(min(value.ndim, 4)):
        if value.shape[axis] > 1:
            yield Rewrite.of(
                Label.PERMUTED, BEHIND + 1.4, f"{what} reversed along axis {axis}",
                rule_of(lambda x, axis=axis: np.flip(x, axis)),
            )
            for by in (1, -1):
                yield Rewrite.of(
                    Label.SHIFTED, BEHIND + 1.5, f"{what} shifted along axis {axis}",
                    rule_of(lambda x, axis=axis, by=by: np.roll(x, by, axis)),
                )
    if value.ndim >= 2:
        yield Rewrite.of(
            Label.PERMUTED, BEHIND + 1.6, f"{what} reshaped from its transpose",
            rule_of(lambda x: np.swapaxes(x.reshape(x.shape[:-2] + x.shape[:-3:-1]), -1, -2)),
        )
