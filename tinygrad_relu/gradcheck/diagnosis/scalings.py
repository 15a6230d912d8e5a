"""Terms that are a number times what they should be: dropped, counted twice, averaged, of wrong sign."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import GATES
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described
from tinygrad_relu.gradcheck.diagnosis.numbers import close, is_number, simple, told
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.trace import Change

AVERAGES = (np.mean, np.var, np.std, np.average)

def scaled(link):
    """Yield the right term times a wrong number: 0, twice, with the wrong sign, N or 1/N times."""
    if len(link.members) == 1:
        unit = link.exchanged(lambda k, g, _: 2 * link.right(k, g))
        yield Mutation(
            ("scaled", link.members, link.path),
            Label.CONSTANT_FACTOR,
            22,
            unit,
            "",
            link.first.line,
            link.first.name,
            lambda c: what_scales(link, 1 + c),
        )
        return
    for number in (0.0, 2.0, -1.0, 0.5, *operand_numbers(link), *lengths(link)):
        named = what_scales(link, number)
        changes = link.exchanged(lambda k, g, _, c=number: c * link.right(k, g))
        yield Mutation(
            ("times", link.members, link.path, number),
            named.label,
            named.cost + 0.2,
            changes,
            named.words,
            link.first.line,
            link.first.name,
            kind=() if number else ("lost", tuple(map(link.parent, link.members))),
        )


def multiplies_itself(step):
    """Tell whether a step multiplies something with itself, and both derivatives are the same."""
    if step.function not in (np.multiply, *PRODUCTS) or len(step.references) != 2:
        return False
    one, other = step.references
    return one == other and np.allclose(*step.pull(np.random.default_rng(0).random(step.value.shape)))


def one_side_of(link):
    """Return the name of the gate of one side of which a link is part, and whose other side has the same.

    Such is the slope of a leaky ReLU, ``np.where(z > 0, z, 0.1 * z)``; or None.
    """
    steps, (k, *_) = link.graph.steps, link.members
    uses = [steps[j] for j in link.graph.live if k in steps[j].references]
    if len(uses) != 1 or uses[0].function not in GATES or uses[0].function is np.clip:
        return None
    parent = link.parent(k)
    others = [j for j in uses[0].references if j != k]
    shared = any(j == parent or parent in steps[j].references for j in others)
    return uses[0].name if shared else None


def operand_numbers(link):
    """Return factors that are forgotten where plain numbers among the operands are."""
    found = []
    for x in (*link.first.arguments, *link.first.operands):
        if isinstance(x, (int, float, np.floating)) or (isinstance(x, np.ndarray) and x.size == 1):
            value = float(np.reshape(x, ()))
            found += [value, 1 / value] if value not in (0, 1) and np.isfinite(value) else []
    return found


def lengths(link):
    """Return the lengths along which a link sums or averages, and their inverses."""
    parent, own = link.operand(link.members[0]).shape, link.first.value.shape
    found = {n for n in (*parent, *own, int(np.prod(parent)), int(np.prod(own))) if n > 1}
    if parent and own is not None:
        found.add(max(1, int(np.prod(parent)) // max(1, int(np.prod(own)))))
        found.add(max(1, int(np.prod(own)) // max(1, int(np.prod(parent)))))
    found -= {1}
    return [*map(float, found), *[1 / n for n in found]]


def what_scales(link, c):
    """Return what it means that a term is `c` times what it should be, as a mutation without changes."""
    step = link.first
    where = f"what goes back through {step.name} to {described(link.graph, link.parent(link.members[0]))}"

    def said(label, cost, words, **details):
        return Mutation((), label, cost, [], words, step.line, step.name, None, details)

    if abs(c) < 1e-7 and multiplies_itself(step):
        return said(
            Label.MISSING_FACTOR,
            19,
            f"the derivative of {step.name} of a number with itself is twice "
            "that number: the factor 2 is missing",
            factor=0.5,
        )
    gate = one_side_of(link)
    if gate and abs(c) < 1e-7:
        words = f"{where} is missing: that side of {gate} has a slope, too, and is no flat one of a ReLU"
        return said(Label.WRONG_FUNCTION, 18.9, words)
    if gate and any(close(c, 1 / number) for number in operand_numbers(link)):
        words = f"the slope {told(1 / c)} of one side of {gate} is forgotten: both are let through alike"
        return said(Label.MASK_FORGOTTEN, 18.9, words, factor=c)
    if abs(c) < 1e-7:
        return said(Label.MISSING_TERM, 19, f"{where} is missing: one term of the sum is left out")
    if abs(c - 2) < 1e-7 and only_use(link) and step.function in (np.multiply, np.divide):
        cost = 24.9 if step.value.size > 1 else 26  # a weighted penalty is rather counted twice
        return said(Label.CONSTANT_FACTOR, cost, f"{where} is twice what it should be", factor=c)
    if abs(c - 2) < 1e-7:
        return said(Label.EXTRA_TERM, 24.95, f"{where} is counted twice", factor=c)
    if abs(c + 1) < 1e-7:
        cost, what = wrong_sign(link)
        return said(Label.WRONG_FUNCTION, cost, f"{where} {what}", factor=-1.0)
    if step.value.size == 1 and step.function is np.divide and close(c, round(c)):
        return said(Label.CONSTANT_FACTOR, 20.9, f"{where} is not divided by {c:.6g}", factor=c)
    for number in operand_numbers(link):
        if abs(c - 1 / number) < 1e-7 * abs(1 / number) or abs(c - number) < 1e-7 * abs(number):
            return said(
                Label.MISSING_FACTOR,
                23,
                f"{where} is {told(c)} times what it should be: the factor {told(1 / c)} is missing",
                factor=c,
            )
    if halves(step, c):
        return said(Label.MISSING_FACTOR, 23, f"{where} lacks the factor 2 of the square", factor=c)
    found = averaging(link, c)
    if found:
        label = Label.AVERAGED  # of one term: a gradient that is off as a whole is a plain factor
        return said(
            label,
            22.8,
            f"{where} is {simple(c, lengths(link))} times what it should be: {found}",
            factor=c,
        )
    if any(n and abs(c - 1 / n) < 1e-7 for n in exponents(link)):
        words = f"{where} lacks the factor {told(1 / c)}, the exponent of a power"
        return said(Label.MISSING_FACTOR, 24, words, factor=c)
    if of_another_count(link.graph, c):
        words = f"{where} is {told(c)} times what it should be: it is divided by another number"
        return said(Label.AVERAGED, 26.4, words, factor=c)
    nice = simple(c, lengths(link))
    if nice is None and (power := power_of_a_number(link.graph, c)):
        words = f"{where} is {told(c)} times what it should be: the factor {power} is missing"
        return said(Label.MISSING_FACTOR, 24.9, words, factor=c)
    if nice is None:
        return said(Label.CONSTANT_FACTOR, 45, f"{where} is {told(c)} times what it should be", factor=c)
    return said(Label.CONSTANT_FACTOR, 27, f"{where} is {nice} times what it should be", factor=c)


def wrong_sign(link):
    """Return the cost of a wrong sign of a term, and words: a minus may be forgotten."""
    if turns_sign(link.first, link.path):
        return 20.3, "has the wrong sign: the minus is forgotten"
    return 20.5, "has the wrong sign"


def turns_sign(step, path):
    """Tell whether there is a minus in the derivative of a step by the operand at a path."""
    return step.function is np.negative or (
        path == (0, 1) and step.function in (np.subtract, np.divide)
    )


def exponents(link):
    """Return the exponents of powers that a link goes to, through products with numbers."""
    steps, k = link.graph.steps, link.parent(link.members[0])
    while steps[k].function is np.multiply and len(list(link.graph.edges(k))) == 1:
        ((_, k),) = link.graph.edges(k)
    return [x for x in steps[k].arguments[1:] if is_number(x)] if steps[k].function is np.power else []


def averaging(link, c):
    """Return how a factor comes of a mean in the place of a sum, or the other way round, or nothing."""
    step, parent = link.first, link.operand(link.members[0])
    n = parent.size / max(1, step.value.size)
    if step.function in AVERAGES and abs(c - n) < 1e-7 * n:
        return "it is not divided by the number of elements"
    if step.function is np.sum and abs(c * n - 1) < 1e-7 and n > 1:
        return "it is averaged and not summed"
    if broadcasts(link) and n < 1 and abs(c - n) < 1e-7 * n:
        return "it is averaged over the broadcast axes and not summed"
    return ""


def only_use(link):
    """Tell whether nothing else comes back to where a link goes, so that nothing is added up there."""
    (k, *_), steps = link.members, link.graph.steps
    return sum(steps[j].references.count(link.parent(k)) for j in link.graph.live) == 1


def halves(step, c):
    """Tell whether a factor is what a forgotten 2 of a square leaves."""
    return abs(c - 0.5) < 1e-7 and step.function in (np.square, np.power, np.multiply, np.var)


def broadcasts(link):
    """Tell whether the operand of a link is broadcast."""
    return link.first.elementwise and link.operand(link.members[0]).shape != link.first.value.shape


def scaled_steps(graph):
    """Yield all that flows back into one step times a wrong number: its result was taken for constant."""
    for k in graph.live:
        step = graph.steps[k]
        if step.function is None:
            continue
        change = Change(k, k, lambda g, _: g)
        yield Mutation(
            ("step scaled", k),
            Label.CONSTANT_FACTOR,
            23,
            [change],
            "",
            step.line,
            step.name,
            lambda c, k=k: what_scales_step(graph, k, 1 + c),
        )


def what_scales_step(graph, k, c):
    """Return what it means that the cotangent of a step is `c` times what it should be."""
    step = graph.steps[k]
    where = f"the gradient of {described(graph, k)}"

    def said(label, cost, words, **details):
        return Mutation((), label, cost, [], words, step.line, step.name, None, details)

    if abs(c) < 1e-7 and step.function in GATES and step.value.size == 1:
        words = f"{where} is missing: it is let through in the forward, and stopped here"
        return said(Label.MASK_FROM_WRONG_TENSOR, 19.45, words)
    if abs(c) < 1e-7:
        return said(
            Label.MISSING_TERM,
            19.5,
            f"{where} is missing: it is treated as a constant, and it depends on the inputs, too",
        )
    if abs(c + 1) < 1e-7:
        return said(Label.WRONG_FUNCTION, 20.7, f"{where} has the wrong sign", factor=-1.0)
    if abs(c - 2) < 1e-7:
        return said(Label.EXTRA_TERM, 26.5, f"{where} is counted twice", factor=2.0)
    nice = simple(c, [n for s in graph.steps for n in (*s.value.shape, s.value.size)])
    if nice is None:
        return said(Label.CONSTANT_FACTOR, 46, f"{where} is {told(c)} times what it should be", factor=c)
    # Of one term alone: a gradient that is off as a whole is told of as a plain factor.
    lengthy = (close(c, round(c)) and c > 2) or (close(1 / c, round(1 / c)) and 0 < c < 0.5)
    averaged = lengthy and (next_to_a_sum(graph, k) or divides_by(graph, c))
    label = Label.AVERAGED if averaged else Label.CONSTANT_FACTOR
    cost = 24.8 if label is Label.AVERAGED else 25
    return said(label, cost, f"{where} is {nice} times what it should be", factor=c)


def power_of_a_number(graph, c):
    """Return the power of a number of the forward that is one over a factor, or nothing."""
    numbers = {float(x) for k in graph.live for x in graph.steps[k].arguments if is_number(x)}
    for number in sorted(numbers - {0.0, 1.0, -1.0}):
        for power in (1, -1, 2, -2):
            if close(c, number**-power):
                return told(number) if power == 1 else f"{told(number)}**{power}"
    return ""


def of_another_count(graph, c):
    """Tell whether a factor is that of two numbers of elements: the forward divides by one of them."""
    divisors = {
        float(x) for k in graph.live for x in graph.steps[k].arguments[1:]
        if graph.steps[k].function is np.divide and is_number(x) and x > 1 and x == round(x)
    }
    counts = {n for step in graph.steps for n in (*step.value.shape, step.value.size) if n > 1}
    return any(close(c, d / n) for d in divisors for n in counts if d != n)


def divides_by(graph, c):
    """Tell whether something is divided by a number, as by that of the samples, or a mean of so many."""
    for k in graph.live:
        step = graph.steps[k]
        if step.function is np.mean and close(c, step.operands[0].size / step.value.size):
            return True
        if step.function is np.divide and any(close(c, x) for x in step.arguments if is_number(x)):
            return True
    return False


def next_to_a_sum(graph, k):
    """Tell whether a step is summed up, or is a sum, with nothing but elementwise steps in between."""
    ahead = {k}
    for j in graph.live:
        if j in ahead or ahead & set(graph.steps[j].references):
            if graph.steps[j].function in (np.sum, *AVERAGES):
                return True
            if j == k or graph.steps[j].elementwise:
                ahead.add(j)
    return False
