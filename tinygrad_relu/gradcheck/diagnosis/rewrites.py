"""`Rewrite`: one place of a backward written otherwise; and what people mean to write there.

What is wrong is what a rewrite takes back: a sum in the place of a mean says that it is averaged.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.numbers import simple
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.roles import (
    at_ties,
    called_so,
    confused,
    decides,
    kind_of,
    missing_factor,
)
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at, take_at


@dataclass(frozen=True)
class Rewrite:
    """Another rule for the steps of one place.

    Attributes
    ----------
    means : callable
        ``means(c)``: what is wrong if this is right, how far it is behind others that serve as well, and
        in words what makes it right; or None where it means nothing.
    rule : callable
        ``rule(written, k, operands) -> ndarray``: the value of step `k`.
    free : bool
        Whether what the rule adds may be taken times any number ``c``, which is 1 otherwise.
    """

    means: Callable
    rule: Callable
    free: bool = False

    @classmethod
    def of(cls, label, cost, words, rule):
        """Return a rewrite whose meaning is known beforehand."""
        return cls(lambda _: (label, cost, words), rule)


ADDITIVE, MULTIPLICATIVE = (np.add, np.subtract), (np.multiply, np.divide, np.matmul)
COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal)
REDUCTIONS = (np.sum, np.mean, np.max, np.min)
AVERAGES = {np.sum: np.mean, np.mean: np.sum}

#: What is written for what: function written, function meant, what is wrong.
EXCHANGES = [
    *((a, b, Label.AVERAGED) for a, b in AVERAGES.items()),
    (np.sin, np.cos, Label.WRONG_FUNCTION),
    (np.cos, np.sin, Label.WRONG_FUNCTION),
    (np.sinh, np.cosh, Label.WRONG_FUNCTION),
    (np.cosh, np.sinh, Label.WRONG_FUNCTION),
    (np.add, np.subtract, Label.WRONG_FUNCTION),
    (np.subtract, np.add, Label.WRONG_FUNCTION),
    (np.multiply, np.divide, Label.WRONG_FUNCTION),
    (np.divide, np.multiply, Label.WRONG_FUNCTION),
    (np.multiply, np.add, Label.WRONG_FUNCTION),
    (np.add, np.multiply, Label.WRONG_FUNCTION),
    (np.log, np.log1p, Label.WRONG_FUNCTION),
    (np.exp, np.expm1, Label.WRONG_FUNCTION),
    (np.maximum, np.minimum, Label.MASK_FROM_WRONG_TENSOR),
    (np.minimum, np.maximum, Label.MASK_FROM_WRONG_TENSOR),
    (np.max, np.min, Label.WRONG_FUNCTION),
    (np.sum, np.max, Label.WRONG_FUNCTION),
    (np.logical_and, np.logical_or, Label.MASK_FROM_WRONG_TENSOR),
    (np.logical_or, np.logical_and, Label.MASK_FROM_WRONG_TENSOR),
    (np.bitwise_and, np.bitwise_or, Label.MASK_FROM_WRONG_TENSOR),
    (np.bitwise_or, np.bitwise_and, Label.MASK_FROM_WRONG_TENSOR),
    (np.greater, np.greater_equal, Label.MASK_NOT_STRICT),
    (np.greater_equal, np.greater, Label.MASK_NOT_STRICT),
    (np.less, np.less_equal, Label.MASK_NOT_STRICT),
    (np.less_equal, np.less, Label.MASK_NOT_STRICT),
    (np.greater, np.less, Label.MASK_FROM_WRONG_TENSOR),
    (np.greater, np.less_equal, Label.MASK_FROM_WRONG_TENSOR),
    (np.less, np.greater, Label.MASK_FROM_WRONG_TENSOR),
    (np.less, np.greater_equal, Label.MASK_FROM_WRONG_TENSOR),
    (np.greater_equal, np.less, Label.MASK_FROM_WRONG_TENSOR),
    (np.less_equal, np.greater, Label.MASK_FROM_WRONG_TENSOR),
    (np.equal, np.not_equal, Label.MASK_FROM_WRONG_TENSOR),
    (np.not_equal, np.equal, Label.MASK_FROM_WRONG_TENSOR),
    (assign_at, add_at, Label.MISSING_TERM),
    (add_at, assign_at, Label.EXTRA_TERM),
]

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


def small_rewrites(written, place):
    """Yield the ways in which one place of a backward may be meant, with nothing else put there.

    Parameters
    ----------
    written : Written
    place : tuple of int
    """
    step = written.steps[place[0]]
    yield from of_function(written, place)
    yield from of_numbers(written, place)
    yield from of_axes(written, place)
    yield from of_einsum(written, place)
    yield from of_arrangement(written, place)
    yield from of_key(step)
    yield from of_addition(written, place)
    yield from minus_removed(written, place)
    for path in step.paths:
        yield from of_operand(written, place, path)
        if step.function in COMPARISONS:
            yield from other_operand(written, place, path)
    if step.value.dtype.kind == "f":
        yield from of_result(written, place)
        yield from rearranged(step.value, lambda rule: lambda w, k, x: rule(plainly(w, k, x)), "its result")


def rewrites_by_values(written, place):
    """Yield the place with one of the values that are at hand put in, or multiplied in, or added."""
    step = written.steps[place[0]]
    for path in step.paths:
        yield from other_operand(written, place, path)
    if step.value.dtype.kind == "f":
        yield from with_a_value(written, place)


def plainly(written, k, operands):
    """Return the value of a step as it is written."""
    return written.steps[k].called(operands)


# ------------------------------------------------------------------------ what a place is made of


def of_function(written, place):
    """Yield the place with another function."""
    step = written.steps[place[0]]
    for there, meant, label in EXCHANGES:
        if step.function is there:
            yield Rewrite.of(
                label, 22.0 if label is Label.AVERAGED else BEHIND, f"{word(meant)} in the place of {word(there)}",
                lambda w, k, x, meant=meant: w.steps[k].called(x, meant),
            )
    if step.function is np.where and len(step.arguments) == 3:
        yield Rewrite.of(
            Label.MASK_FROM_WRONG_TENSOR, BEHIND, "np.where with its branches exchanged",
            lambda w, k, x: w.steps[k].called(x, arguments=[w.steps[k].arguments[n] for n in (0, 2, 1)]),
        )
    if step.function in PRODUCTS or step.function in (np.subtract, np.divide):
        label = Label.TRANSPOSED if step.function in PRODUCTS else Label.WRONG_FUNCTION
        # Where it is not all that has the other sign, it is this that was exchanged.
        sure = step.function is np.subtract and not written.is_straight(place)
        if len(step.arguments) == 2:
            yield Rewrite.of(
                label, 19.5 if sure else BEHIND + 0.2, f"{word(step.function)} with its operands exchanged",
                lambda w, k, x: w.steps[k].called(x, arguments=w.steps[k].arguments[::-1]),
            )


def minus_removed(written, place):
    """Yield a place that takes the negative of something without its minus, where that is no plain sign."""
    if written.steps[place[0]].function is np.negative and not written.is_straight(place):
        yield Rewrite.of(Label.WRONG_FUNCTION, 19.5, "no minus", lambda w, k, x: x[0])


def word(function):
    """Return what a function is called."""
    special = {assign_at: "=", add_at: "+=", take_at: "indexing"}
    return special.get(function) or f"np.{function.__name__}"


def number_means(written, place, label, words, rule):
    """Return what it means that a number has to be added, or has not."""

    def means(_):
        step = written.steps[place[-1]]
        value = np.asarray(rule(written, place[-1], step.operands))
        if is_gradient(written, value):
            return label, 19.5, words
        return Label.WRONG_FUNCTION, BEHIND + 0.5, words

    return means


def is_gradient(written, value):
    """Tell whether a value is, but for a number, the right gradient of something in the forward."""
    for key, x in written.pool.items():
        if key[0] == "cotangent" and x.shape == value.shape and x.size:
            largest = np.unravel_index(np.argmax(np.abs(x)), x.shape)
            c = value[largest] / x[largest] if x[largest] else 0.0
            if c and (np.abs(value - c * x) <= 1e-9 * np.abs(value).max(initial=0)).all():
                return True
    return False


def of_numbers(written, place):
    """Yield the place with another number among its arguments."""
    step = written.steps[place[0]]
    for position, number in enumerate(step.arguments):
        if isinstance(number, bool) or not isinstance(number, (int, float, np.floating)):
            continue
        for other in {number + 1, number - 1, -number, 2 * number, number / 2, 0, 1, -1, 2, 3}:
            if other != number:
                def rule(w, k, x, position=position, other=other):
                    arguments = list(w.steps[k].arguments)
                    arguments[position] = other
                    return w.steps[k].called(x, arguments=arguments)

                label = (
                    Label.MASK_FROM_WRONG_TENSOR if step.function in COMPARISONS
                    else Label.CONSTANT_FACTOR if step.function in MULTIPLICATIVE
                    else Label.SHIFTED if step.function is np.roll
                    else Label.WRONG_FUNCTION
                )
                words = f"{other:.6g} in the place of {number:.6g}"
                if step.function in ADDITIVE and other == 0:
                    yield Rewrite(number_means(written, place, Label.EXTRA_TERM, words, rule), rule)
                else:
                    yield Rewrite.of(label, BEHIND + 0.5, words, rule)


def of_axes(written, place):
    """Yield a sum over other axes, or of all."""
    step = written.steps[place[0]]
    if step.function not in (*REDUCTIONS, np.cumsum):
        return
    own, kept = axis_of(step), step.keywords.get("keepdims", False)
    label = Label.SUMMED if step.function not in (np.max, np.min) else (
        Label.MASK_FROM_WRONG_TENSOR if decides(written, step) else Label.WRONG_FUNCTION
    )
    dimensions = step.operands[0].ndim
    choices = [c for n in range(1, dimensions + 1) for c in itertools.combinations(range(dimensions), n)]
    for axis in choices if step.function is not np.cumsum else range(dimensions):
        for keepdims in (kept, not kept) if step.function is not np.cumsum else (None,):
            if normalised(axis, dimensions) != normalised(own, dimensions):
                changed = {"axis": axis} if keepdims is None else {"axis": axis, "keepdims": keepdims}
                yield Rewrite.of(
                    label, BEHIND + 0.1 + 0.1 * (keepdims is not kept), f"axis={axis} in the place of axis={own}",
                    lambda w, k, x, changed=changed: w.steps[k].called(
                        x, arguments=w.steps[k].arguments[:1],
                        keywords={**w.steps[k].keywords, **changed},
                    ),
                )


def axis_of(step):
    """Return the axis, or the axes, that a step reduces, as they were given; None is all of them."""
    return step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)


def normalised(axis, dimensions):
    """Return axes as a set of numbers that are not negative."""
    if axis is None:
        return set(range(dimensions))
    return {a % dimensions for a in (axis if isinstance(axis, tuple) else (axis,))} if dimensions else set()


def of_key(step):
    """Yield other indices where something is taken or put."""
    if step.function not in (take_at, assign_at, add_at):
        return
    key = step.arguments[1]
    parts = key if isinstance(key, tuple) else (key,)
    for position, part in enumerate(parts):
        for label, words, other in other_keys(part):
            def rule(w, k, x, position=position, other=other):
                return with_key(w.steps[k], x, lambda parts: replaced(parts, position, other))

            yield Rewrite.of(label, BEHIND + 0.3, words, rule)
    if len(parts) > 1:
        yield Rewrite.of(
            Label.TRANSPOSED, BEHIND + 0.4, "the indices exchanged",
            lambda w, k, x: with_key(w.steps[k], x, lambda parts: (parts[1], parts[0], *parts[2:])),
        )


def of_addition(written, place):
    """Yield ``np.add.at(x, key, y)`` for ``x[key] += y``, which adds only once where an index repeats."""
    if all(added(written, k) is not None for k in place):
        yield Rewrite.of(
            Label.MISSING_TERM, 20.0, "np.add.at in the place of +=",
            lambda w, k, x: add_at(x[0], w.steps[k].arguments[1], added(w, k)),
        )


def added(written, k):
    """Return what is added where a step is ``x[key] += y``, and is not done by ``np.add.at``; or None."""
    step = written.steps[k]
    if step.function is not assign_at or len(step.references) != 2:
        return None
    total = written.steps[step.references[1]]
    if total.function is not np.add:
        return None
    for slot, p in enumerate(total.references):
        taken_from = written.steps[p]
        if taken_from.function is take_at and taken_from.references[0] == step.references[0]:
            return total.operands[1 - slot] if len(total.operands) == 2 else None
    return None


def of_einsum(written, place):
    """Yield an einsum with another letter, or with an operand more."""
    step = written.steps[place[0]]
    if step.function is not np.einsum or not isinstance(step.arguments[0], str):
        return
    subscripts = step.arguments[0].replace(" ", "")
    if "->" not in subscripts or "." in subscripts:
        return

    def rule_of(subscripts, row=None):
        def rule(w, k, x):
            more = [] if row is None else [taken(w, k, place, row)]
            return np.einsum(subscripts, *x, *more)

        return rule

    given, result = subscripts.split("->")
    letters = sorted(set(given) - {","})
    for position, letter in enumerate(given):
        for other in letters if letter != "," else ():
            if other != letter:
                changed = f"{given[:position]}{other}{given[position + 1:]}->{result}"
                yield Rewrite.of(Label.SUMMED, BEHIND + 0.3, f"{changed!r} as subscripts", rule_of(changed))
    for order in itertools.permutations(result) if len(result) < 5 else ():
        if "".join(order) != result:
            changed = f"{given}->{''.join(order)}"
            yield Rewrite.of(Label.TRANSPOSED, BEHIND + 0.4, f"{changed!r} as subscripts", rule_of(changed))
    sizes = dict(zip(given.replace(",", ""), (n for x in step.operands for n in x.shape)))
    for row in written.rows(len(place)):
        value = written.pool[row[0]]
        if row[0][0] == "forward" and 1 <= value.ndim <= 3:
            for choice in itertools.product(*([c for c in letters if sizes[c] == n] for n in value.shape)):
                changed = f"{given},{''.join(choice)}->{result}"
                if len(set(choice)) == len(choice):
                    yield Rewrite.of(
                        Label.MISSING_FACTOR, BEHIND + 0.5,
                        f"{called_so(written, row)} as an operand more ({changed!r})", rule_of(changed, row),
                    )


def of_arrangement(written, place):
    """Yield other orders of axes where a step changes the shape, or exchanges axes."""
    step = written.steps[place[0]]
    if step.function in (np.transpose, np.swapaxes, np.moveaxis) and step.value.ndim <= 5:
        for order in itertools.permutations(range(step.value.ndim)):
            label = Label.TRANSPOSED if step.value.ndim < 3 else Label.PERMUTED
            yield Rewrite.of(
                label, BEHIND + 0.7, f"axes in the order {order}", lambda w, k, x, o=order: x[0].transpose(o)
            )
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


def with_key(step, operands, change):
    """Return what an indexed step gives with another key."""
    key = step.arguments[1]
    parts = change(key if isinstance(key, tuple) else (key,))
    arguments = list(step.arguments)
    arguments[1] = parts if isinstance(key, tuple) else parts[0]
    return step.called(operands, arguments=arguments)


def replaced(parts, position, other):
    """Return a tuple with one part changed."""
    return (*parts[:position], other(parts[position]), *parts[position + 1:])


def other_keys(part):
    """Yield how a part of an index may be meant: label, words, function."""
    if isinstance(part, (int, np.integer)) and not isinstance(part, (bool, np.bool_)):
        for by in (1, -1):
            yield Label.SHIFTED, f"an index that is {abs(by)} {'more' if by > 0 else 'less'}", lambda n, by=by: n + by
        yield Label.PERMUTED, "an index from the other end", lambda n: -1 - n
    elif isinstance(part, slice):
        for by in (1, -1):
            yield Label.SHIFTED, "a slice shifted by one", lambda s, by=by: moved_slice(s, by)
        yield Label.SHIFTED, "a slice from the other end", slice_from_the_other_end
        yield Label.PERMUTED, "the slice in reversed order", lambda s: slice(None, None, -1)
    elif isinstance(part, np.ndarray) and part.dtype.kind == "b":
        yield Label.MASK_FROM_WRONG_TENSOR, "the opposite of the mask", np.logical_not
    elif isinstance(part, np.ndarray) and part.dtype.kind in "iu":
        for by in (1, -1):
            yield Label.SHIFTED, "indices shifted by one", lambda n, by=by: n + by
        yield Label.PERMUTED, "the inverse of the permutation", np.argsort


def moved_slice(s, by):
    """Return a slice that begins and ends `by` later."""
    start = by if s.start is None else s.start + by
    stop = s.stop if s.stop is None else s.stop + by
    return slice(start if start != 0 else None, stop if stop != 0 else None, s.step)


def slice_from_the_other_end(s):
    """Return the slice that leaves out at the end what one leaves out at the beginning, or the converse."""
    start = None if s.stop is None else -s.stop
    stop = None if s.start is None else -s.start
    return slice(start, stop, s.step)


# --------------------------------------------------------------------------------- operands


def operand_changer(path):
    """Return what makes a rule of a function of one operand: ``change(written, k, x)``."""

    def with_operand(change):
        def rule(w, k, operands):
            operands = list(operands)
            slot = w.steps[k].paths.index(path)
            operands[slot] = change(w, k, operands[slot])
            return w.steps[k].called(operands)

        return rule

    return with_operand


def of_operand(written, place, path):
    """Yield the place with one operand changed, or left out."""
    step = written.steps[place[0]]
    slot = step.paths.index(path)
    own = step.operands[slot]

    with_operand = operand_changer(path)
    if own.dtype.kind == "f":
        for label, cost, words, function in OF_ONE_VALUE:
            yield Rewrite.of(
                label, BEHIND + cost, f"of an operand {words}", with_operand(lambda w, k, x, f=function: f(x))
            )
        yield from rearranged(
            own, lambda rule: with_operand(lambda w, k, x: rule(x)), "an operand"
        )
    if step.function in ADDITIVE:
        yield Rewrite.of(
            *superfluous(written, step, slot), "one of the terms left out",
            with_operand(lambda w, k, x: np.zeros_like(x)),
        )
        for axis in range(own.ndim):
            for index in (0, -1) if own.shape[axis] > 1 else ():
                yield Rewrite.of(
                    Label.EXTRA_TERM, BEHIND + 0.9, f"index {index} of axis {axis} left out of a term",
                    with_operand(lambda w, k, x, axis=axis, index=index: without(x, axis, index)),
                )
    if step.function in MULTIPLICATIVE[:2] and len(step.references) > 1:
        label = Label.MASK_FROM_WRONG_TENSOR if is_mask(own) else Label.WRONG_FUNCTION
        yield Rewrite.of(
            label, BEHIND + 0.6, "one of the factors left out", with_operand(lambda w, k, x: np.ones_like(x))
        )


def other_operand(written, place, path):
    """Yield the place with a value at hand for one operand, or multiplied into it."""
    step = written.steps[place[0]]
    slot = step.paths.index(path)
    own = step.operands[slot]
    with_operand = operand_changer(path)
    if step.function in ADDITIVE or len(users(written, step.references[slot])) > 1:
        for row, value in at_hand(written, place, step.value.shape if step.elementwise else own.shape):
            if value.dtype.kind in "fb":
                yield Rewrite(
                    lambda _, row=row: missing_factor(written, row, 0.1, "an operand times"),
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
            yield Rewrite(
                lambda _, row=row: confused(written, step, step.references[slot], row),
                with_operand(
                    lambda w, k, x, row=row: as_operand(taken(w, k, place, row), x.shape)
                ),
            )


def as_operand(value, shape):
    """Return a value in the place of one of a shape, transposed where only that fits."""
    return value.T if value.shape != shape and value.shape[::-1] == shape else value


def superfluous(written, step, slot):
    """Return which mistake a term is that has to be left out, and its cost."""
    if len(step.references) == 2:
        term, kept = (written.role(step.references[s]) for s in (slot, 1 - slot))
        graph = written.one.graph
        if kept is not None and kept[0] == "forward" and kept[1] in graph.inputs:
            right, value = written.one.right.get(kept[1]), step.operands[slot]
            if term is None and right is not None and right.shape == value.shape:
                size = np.abs(right).max(initial=0)
                c = np.abs(value).max(initial=0) / size if size else 0
                if (np.abs(np.abs(value) - c * np.abs(right)) <= 1e-7 * c * size).all():
                    return Label.STALE_BUFFER, 24.6
    return Label.EXTRA_TERM, 23.0


def without(x, axis, index):
    """Return an array with zeros at one index along an axis."""
    x = np.array(x)
    key = [slice(None)] * x.ndim
    key[axis] = index
    x[tuple(key)] = 0
    return x


def is_mask(x):
    """Tell whether an array lets some elements through and not others."""
    return x.dtype.kind == "b" or 0 in (two_values(x) or ())


def users(written, k):
    """Return the own steps that take the value of a step."""
    return [j for j in written.own if k in written.steps[j].references]


def at_hand(written, place, shape):
    """Yield what can be broadcast to a shape, each once: a key for each round, and the first value."""
    for row in written.rows(len(place)):
        value = written.pool[row[0]]
        if value.ndim <= len(shape) and all(n in (1, m) for n, m in zip(value.shape[::-1], shape[::-1])):
            yield row, value


def taken(w, k, place, row):
    """Return what is at hand in the round of step `k`."""
    return w.pool[row[place.index(k)]]


# ----------------------------------------------------------------------------- the result of a place


def of_result(written, place):
    """Yield the place with its result scaled, or summed."""
    step = written.steps[place[0]]
    shape = step.value.shape
    yield Rewrite(lambda c: scaled(written, step, c), lambda w, k, x: 2 * plainly(w, k, x), free=True)
    for one in (1.0, -1.0):
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


def with_a_value(written, place):
    """Yield the place with a factor or a term more."""
    shape = written.steps[place[0]].value.shape
    for row, value in at_hand(written, place, shape):
        yield Rewrite(
            lambda _, row=row: other_mask(written, place, row)
            or missing_factor(written, row, 0.0, "its result times"),
            lambda w, k, x, row=row: plainly(w, k, x) * taken(w, k, place, row),
        )
        if value.dtype.kind == "f" and row[0][0] != "cotangent":
            yield Rewrite(
                lambda _, row=row: missing_factor(written, row, 0.3, "its result over"),
                lambda w, k, x, row=row: plainly(w, k, x) / taken(w, k, place, row),
            )
        if value.shape == shape and row[0][0] in ("part", "cotangent", "own"):
            yield Rewrite(
                lambda c, row=row: term(c, called_so(written, row)),
                lambda w, k, x, row=row: plainly(w, k, x) + taken(w, k, place, row),
                free=True,
            )


def over_sum(x, axis):
    """Return an array over its sum along an axis."""
    return x / x.sum(axis=axis, keepdims=True)


def other_mask(written, place, row):
    """Return what it means that a mask is needed where there is a wider one already, or None."""
    mask = written.pool[row[0]]
    if kind_of(written, row) != "data":
        return None
    step = written.steps[place[0]]
    for x in (*step.operands, *(x for x in step.arguments if isinstance(x, np.ndarray))):
        if x.shape == mask.shape and is_mask(x) and is_mask(mask) and not (mask.astype(bool) & (x == 0)).any():
            differ = (x != 0) != mask.astype(bool)
            label = Label.MASK_NOT_STRICT if at_ties(written, differ) else Label.MASK_FROM_WRONG_TENSOR
            return label, 24.2, f"the mask {called_so(written, row)}"
    return None


def as_wide(function, x, axis):
    """Return a sum along an axis in all its places."""
    return np.broadcast_to(function(x, axis=axis, keepdims=True), x.shape)


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
        return Label.CONSTANT_FACTOR, BEHIND + 3, f"{factor:.6g} times it"
    return Label.CONSTANT_FACTOR, BEHIND + 1, f"{nice} times it"


def term(c, name):
    """Return what it means to need a term times c."""
    if abs(c - 1) < 1e-7:
        return Label.MISSING_TERM, BEHIND + 1.5, f"{name} added to it"
    if abs(c + 1) < 1e-7:
        return Label.EXTRA_TERM, BEHIND + 1.6, f"{name} taken from it"
    return None


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
