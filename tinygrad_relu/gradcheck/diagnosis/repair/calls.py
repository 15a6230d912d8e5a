"""Places that call another function than is meant, or with other numbers, axes or subscripts."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.numbers import is_number
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.reductions import axis_of
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import (
    ADDITIVE,
    COMPARISONS,
    MULTIPLICATIVE,
    REDUCTIONS,
    Rewrite,
    is_gradient,
    taken,
)
from tinygrad_relu.gradcheck.diagnosis.repair.roles import called_so, decides
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at, take_at

#: What is written for what: function written, function meant, what is wrong.
EXCHANGES = [
    (np.sum, np.mean, Label.AVERAGED),
    (np.mean, np.sum, Label.AVERAGED),
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
    (np.sum, np.cumsum, Label.WRONG_FUNCTION),
    (np.cumsum, np.sum, Label.WRONG_FUNCTION),
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


# A number between 0 and 1 of so many characters was written down, and not computed.
SHORT = 4
#: What may be meant by a number.
CHANGES_OF_NUMBERS = (
    lambda n: n + 1, lambda n: n - 1, lambda n: -n, lambda n: 2 * n, lambda n: n / 2,
    lambda n: 0, lambda n: 1, lambda n: -1, lambda n: 2, lambda n: 3,
)


def of_function(written, place):
    """Yield the place with another function."""
    step = written.steps[place[0]]
    for there, meant, label in EXCHANGES:
        if step.function is there:
            cost = 22.0 if label is Label.AVERAGED or meant is add_at else BEHIND
            yield Rewrite.of(
                label, cost, f"{word(meant)} in the place of {word(there)}",
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
        cost = 19.5 if sure else BEHIND + 0.2
        if len(step.arguments) == 2:
            yield Rewrite.of(
                label, cost, f"{word(step.function)} with its operands exchanged",
                lambda w, k, x: w.steps[k].called(x, arguments=w.steps[k].arguments[::-1]),
            )


def of_functions(written, place):
    """Yield all sines of a line for its cosines, and the converse."""
    other = {np.sin: np.cos, np.cos: np.sin}
    yield Rewrite.of(
        Label.WRONG_FUNCTION, BEHIND + 0.2, "sines and cosines on the line exchanged",
        lambda w, k, x: w.steps[k].called(x, other[w.steps[k].function]),
    )


def minus_removed(written, place):
    """Yield a negative without its minus, where that is not the sign of the whole."""
    if written.steps[place[0]].function is np.negative and not written.is_straight(place):
        yield Rewrite.of(Label.WRONG_FUNCTION, 19.5, "no minus", lambda w, k, x: x[0])


def word(function):
    """Return what a function is called."""
    special = {assign_at: "=", add_at: "+=", take_at: "indexing"}
    return special.get(function) or f"np.{function.__name__}"


def of_numbers(written, place):
    """Yield the place with another number among its arguments."""
    step = written.steps[place[0]]
    for position, number in enumerate(step.arguments):
        if not is_number(number):
            continue
        number = written.steps[place[-1]].arguments[position]  # in the first round it is often 0
        for change in CHANGES_OF_NUMBERS:
            other = change(number)
            if other != number:
                rule = with_number(position, change)
                label = (
                    Label.MASK_FROM_WRONG_TENSOR if step.function in COMPARISONS
                    else Label.CONSTANT_FACTOR if step.function in MULTIPLICATIVE
                    else Label.SHIFTED if step.function is np.roll
                    else Label.WRONG_FUNCTION
                )
                words = f"{other:.6g} in the place of {number:.6g}"
                if step.function in ADDITIVE and number and 0 <= other / number < 1:
                    yield Rewrite(number_means(written, place, Label.EXTRA_TERM, words, rule), rule)
                else:
                    yield Rewrite.of(label, BEHIND + 0.5, words, rule)


def with_number(position, change):
    """Return the rule of a function with a number among its arguments changed."""

    def rule(w, k, x):
        arguments = list(w.steps[k].arguments)
        arguments[position] = change(arguments[position])
        return w.steps[k].called(x, arguments=arguments)

    return rule


def of_numbers_at_hand(written, place):
    """Yield a number of the forward, or its product with the one that is there, wherever that stands."""
    step = written.steps[place[0]]
    for number in numbers_in(step):
        for label, other in other_numbers(written, step, number):
            yield Rewrite.of(
                label, BEHIND + 0.55, f"{other:.6g} in the place of {number:.6g}",
                lambda w, k, x, number=number, other=other: w.steps[k].called(
                    x, arguments=[other if is_number(a) and a == number else a
                                  for a in w.steps[k].arguments],
                ),
            )


def numbers_in(step):
    """Yield the plain numbers among the arguments of a function of single elements."""
    if step.elementwise:
        yield from filter(is_number, step.arguments)


def other_numbers(written, step, number):
    """Yield what may be meant by a number, and which mistake it is."""
    for other in written.numbers:
        counts = number in written.lengths and other in written.lengths
        if other != number:
            # With one number more in a product, such as a discount, it has few digits more.
            lacks = 0 < other / number < 1 and len(f"{other / number:.9g}") <= SHORT
            lacks = lacks and step.function in MULTIPLICATIVE and not {number, other} & written.lengths
            label = Label.MISSING_FACTOR if lacks else Label.WRONG_FUNCTION
            yield Label.AVERAGED if counts else label, other
        if step.function in MULTIPLICATIVE and abs(other) != 1:
            label = Label.AVERAGED if other in written.lengths and other > 2 else Label.MISSING_FACTOR
            yield from ((label, number * other), (label, number / other))


def number_means(written, place, label, words, rule):
    """Return what it means that a number has to be added, or has not."""

    def means(_):
        step = written.steps[place[-1]]
        value = np.asarray(rule(written, place[-1], step.operands))
        if is_gradient(written, value):
            return label, 19.5, words
        return Label.WRONG_FUNCTION, BEHIND + 0.5, words

    return means


def of_axes(written, place):
    """Yield a sum over other axes, or of all."""
    step = written.steps[place[0]]
    if step.function not in (*REDUCTIONS, np.cumsum):
        return
    own, kept = axis_of(step), step.keywords.get("keepdims", False)
    extreme = all(written.steps[k].function in (np.max, np.min) for k in place)
    label = Label.SUMMED if not extreme else (
        Label.MASK_FROM_WRONG_TENSOR if decides(written, step) else Label.WRONG_FUNCTION
    )
    dimensions = step.operands[0].ndim
    choices = [c for n in range(1, dimensions + 1) for c in itertools.combinations(range(dimensions), n)]
    for axis in choices if step.function is not np.cumsum else range(dimensions):
        for keepdims in (kept, not kept) if step.function is not np.cumsum else (None,):
            if normalised(axis, dimensions) != normalised(own, dimensions):
                changed = {"axis": axis} if keepdims is None else {"axis": axis, "keepdims": keepdims}
                cost = BEHIND + 0.1 + 0.1 * (keepdims is not kept)
                yield Rewrite.of(
                    label, cost, f"axis={axis} in the place of axis={own}",
                    lambda w, k, x, changed=changed: w.steps[k].called(
                        x, arguments=w.steps[k].arguments[:1],
                        keywords={**w.steps[k].keywords, **changed},
                    ),
                )


def normalised(axis, dimensions):
    """Return axes as a set of numbers that are not negative."""
    if axis is None or not dimensions:
        return set(range(dimensions))
    return {a % dimensions for a in (axis if isinstance(axis, tuple) else (axis,))}


def of_einsum(written, place):
    """Yield an einsum with another letter, another order of its result, or one operand more."""
    step = written.steps[place[0]]
    subscripts = step.arguments[0] if step.function is np.einsum else None
    if not isinstance(subscripts, str) or "->" not in subscripts or "." in subscripts:
        return
    given, result = subscripts.replace(" ", "").split("->")
    letters = sorted(set(given) - {","})
    for position, other in itertools.product(range(len(given)), letters):
        if given[position] not in (",", other):
            changed = f"{given[:position]}{other}{given[position + 1:]}->{result}"
            yield with_subscripts(Label.SUMMED, 0.3, changed)
    for one in given.split(","):
        for a, b in itertools.combinations(sorted(set(one)), 2):
            turned = one.translate(str.maketrans({a: b, b: a}))
            yield with_subscripts(Label.TRANSPOSED, 0.4, f"{given.replace(one, turned, 1)}->{result}")
    for order in itertools.permutations(result) if len(result) < 5 else ():
        if "".join(order) != result:
            yield with_subscripts(Label.TRANSPOSED, 0.4, f"{given}->{''.join(order)}")
    sizes = dict(zip(given.replace(",", ""), (n for x in step.operands for n in x.shape)))
    for row in written.rows(len(place)):
        shape = written.pool[row[0]].shape
        if row[0][0] == "forward" and 1 <= len(shape) <= 3:
            fitting = [[c for c in letters if sizes[c] == n] for n in shape]
            for choice in itertools.product(*fitting):
                if len(set(choice)) == len(choice):
                    yield with_operand_more(written, place, row, f"{given},{''.join(choice)}->{result}")


def with_subscripts(label, cost, subscripts):
    """Return an einsum with other subscripts."""
    return Rewrite.of(
        label, BEHIND + cost, f"{subscripts!r} as subscripts", lambda w, k, x: np.einsum(subscripts, *x)
    )


def with_operand_more(written, place, row, subscripts):
    """Return an einsum with something at hand as its last operand."""
    return Rewrite(
        lambda _: (
            Label.MISSING_FACTOR, BEHIND + 0.5,
            f"{called_so(written, row)} as an operand more ({subscripts!r})",
        ),
        lambda w, k, x: np.einsum(subscripts, *x, taken(w, k, place, row)),
    )
