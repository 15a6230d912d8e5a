"""Formulas that are taken for the derivative of a section, and the right one at the wrong place."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import (
    ACTIVATIONS,
    DERIVATIVES,
    GATES,
    KNOWN,
    derivative,
    is_right_but_for_zeros,
    name_of,
    proportional,
    two_values,
)
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.masks import mask_is_given, slope_from
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, values_like
from tinygrad_relu.gradcheck.diagnosis.naming import in_round
from tinygrad_relu.gradcheck.diagnosis.numbers import close, simple
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.relations import STRAIGHT
from tinygrad_relu.gradcheck.diagnosis.trace import Change

#: Functions whose derivative is a number times a power.
POWERS = (np.square, np.power, np.multiply, np.sqrt, np.divide, np.reciprocal)
#: Of the derivative of the sigmoid, y * (1 - y), each of the two factors.
FACTORS_OF_SIGMOID = (("result", "1 - {v}"), ("result", "{v}"))
#: What nobody takes for a factor of a product.
OF_NO_PRODUCT = ("exp", "log", "sin", "cos", "tanh", "sigmoid", "1 - tanh", "abs", "sqrt", "Phi", "the ")
#: What is seldom written but for a power.
RARE = ("{v}**3", "1 / {v}", "1 / {v}**2", "{v} * (1 - {v})**2", "{v}**2 * (1 - {v})")
#: What is left of the derivative of an exponential where the division by it is forgotten.
GROWN = (("result", "{v}**2"), ("result", "{v}**3"))
#: Functions whose derivative is an activation of the operand, which may be forgotten.
ACTIVATED = ("exp", "softplus", "sigmoid")

def other_functions(section):
    """Yield derivatives of other functions, and the right one at the wrong place."""
    graph, slopes = section.graph, section.slopes
    y_shape = section.value(section.ends[0]).shape
    straight = not section.partial and graph.steps[section.ends[0]].function in STRAIGHT
    # What ends with a minus or a sum has the derivative of what is before that, which is a section, too.
    for place, where in places_in(section) if not straight else ():
        for name in DERIVATIVES:
            found = [derivative_at(graph, name, k) for k in where]
            if all(f is not None and bends(f) for f in found) and not proportional(found, slopes):
                yield of_formula(section, place, name, found)
    powers = {"squared": 2.0, "inverted": -1.0, "under a root": 0.5, "cubed": 3.0}
    for word, power in powers.items():
        with np.errstate(all="ignore"):
            found = [np.sign(s) ** (power == 3) * np.abs(s) ** power for s in slopes]
            if power == -1:
                found = [1 / s for s in slopes]
        if all(np.isfinite(f).all() for f in found):
            grown = power > 1 and graph.steps[section.ends[0]].function is np.exp
            lost = grown and all(only_divides(graph, k) for k in section.ends)
            yield section.mutation(
                ("power", word),
                Label.MISSING_FACTOR if lost else Label.WRONG_FUNCTION,
                24.3 if power == 2 else 25,
                lambda j, _, found=found: found[j],
                f"the derivative of {section.name} is multiplied in {word}",
            )
    if section.partial:
        return
    formulas = [
        name
        for name in DERIVATIVES
        if all(
            (found := derivative_at(graph, name, k)) is not None
            and np.abs(found - slope).max(initial=0) <= 1e-10 * np.abs(slope).max(initial=0)
            for k, slope in zip(section.ends, slopes)
        )
    ]
    for where in values_like(graph, y_shape, section.ends):
        yield from at_another_place(section, where)
        for name in formulas[:1]:
            yield from formula_at_another_place(section, name, where)


def bends(x):
    """Tell whether a derivative is not the same everywhere, but for traces of what it is far away."""
    return x.size < 2 or np.ptp(x) == 0 or np.ptp(x) > 1e-4 * np.abs(x).max()


def derivative_at(graph, name, k):
    """Return a derivative of the table at the value of a step, which is asked for often."""
    known = graph.known
    if (name, k) not in known:
        value = graph.steps[k].value
        known[name, k] = derivative(name, value) if value.dtype == float else None
    return known[name, k]


def places_in(section):
    """Yield where a formula may take its value from: the result, the operand, or a step between."""
    yield "result", section.ends
    yield "operand", section.starts
    if len(section.ends) == 1:
        (start,), (end,) = section.starts, section.ends
        shape = section.value(end).shape
        inside, reached = [], {end}
        for k in range(end, start, -1):
            if k in reached:
                parents = {p for _, p in section.graph.edges(k) if p > start}
                reached |= {p for p in parents if section.value(p).shape == shape}
                inside += [k] if k != end else []
        for k in inside[:4]:
            yield f"step {k}", (k,)


def kind_of(section, key):
    """Return what tells a formula for one function at several places; nothing for sums and products."""
    plain = section.graph.steps[section.ends[0]].function in (*STRAIGHT, np.multiply, np.divide)
    return () if plain and section.name not in KNOWN else ("section", section.name, section.partial, *key)


def letter_of(place):
    """Return what the value at a place is called in formulas."""
    return {"result": "y", "operand": "x"}.get(place, "u")


def of_formula(section, place, name, found):
    """Return the mutation that takes a formula for the derivative, times a simple number if need be."""
    letter = letter_of(place)
    formula = name.format(v=letter)
    what = {"y": "its result", "x": "its operand"}.get(letter) or described(section.graph, int(place[5:]))
    words = f"{what} is taken for the derivative of {section.name}" if formula == letter else (
        f"{formula}{',' if ',' in formula else ''} is taken for the derivative of {section.name}, "
        f"where {letter} is {what}"
    )
    # The derivative of softplus with the wrong sign is commoner than what it is in terms of its result.
    cost = 23.5 + 0.1 * ("yxu".index(letter)) - 0.2 * name.startswith("sigmoid(-")
    powered = section.graph.steps[section.ends[0]].function in POWERS[-3:] and "(" not in name
    if name in RARE and not powered:
        cost += 1.2
    elif section.at_once and place != f"step {section.starts[0]}":
        cost = 19.55  # less than to forget the derivative of one of its steps
    elif all((s == 1).all() for s in section.slopes):
        cost += 1  # nobody differentiates a sum: it is the value in the formula that is a wrong one
    if section.partial and section.weighs and name.startswith(OF_NO_PRODUCT):
        cost = BEHIND + 1.9
    if letter == "u" and section.weighs:
        cost += 0.6  # a factor that is a sum rather lacks a term
    key = ("formula", place, name)
    if len(section.ends) > 1:
        label = Label.WRONG_FUNCTION
        if section.name == "the sigmoid" and (place, name) in FACTORS_OF_SIGMOID:
            label = Label.MISSING_FACTOR
            words = f"of y * (1 - y), the derivative of {section.name}, one factor is missing"
        return section.mutation(key, label, cost, lambda j, _: found[j], words)
    start, end = section.starts[0], section.ends[0]
    masks = all({*(two_values(s) or ())} == {0, 1} for s in (section.slopes[0], found[0]))
    return Mutation(
        ("section", section.starts, section.ends, section.partial, *key),
        Label.MASK_FROM_WRONG_TENSOR if masks else Label.WRONG_FUNCTION,
        cost,
        [Change(end, start, lambda g, _: g * found[0])],
        words,
        section.graph.steps[end].line,
        section.name,
        lambda c: times_a_number(section, (place, name), found[0], c, cost, words),
        {},
        (Change(end, start, lambda g, _: -g * section.slopes[0]),),
        kind=kind_of(section, key) if letter != "u" else (),
    )


def times_a_number(section, formula, found, c, cost, words):
    """Return what it means that `c` times a formula's values stand for the derivative, or None."""
    wrong, right, name = c * found, section.slopes[0], formula[1]
    step = section.graph.steps[section.ends[0]]
    top = right.max(initial=0)
    gated = step.function in GATES or close(top, 1)
    gated = gated and bool(((right == 0) | (np.abs(right - top) <= 1e-12 * top)).all())
    given = mask_is_given(section) and two_values(right) is not None
    is_mask = name.startswith(("({v} > 0)", "({v} >= 0)")) and (gated or given)
    label = Label.MASK_FROM_WRONG_TENSOR if is_mask else Label.WRONG_FUNCTION
    if not close(c, 1):
        number = simple(c)
        if number is None:
            return None
        cost, words = cost + 1.5, f"{number} times {words}"
    a_power = step.function in POWERS and len({p for _, p in section.graph.edges(section.ends[0])}) == 1
    lost = step.function is np.sqrt or not multiplies(section.graph, section.ends[0])
    if np.ptp(wrong) == 0 and a_power and lost:
        label, cost = Label.MISSING_FACTOR, 22.9
        words = f"of the derivative of {section.name} only {wrong.flat[0]:.6g} is multiplied in"
    elif not name.startswith(("sign", "({v} >")) and is_right_but_for_zeros(wrong, right):
        label, cost = Label.MASK_FORGOTTEN, 20.1
        words = f"the mask in {section.name} is forgotten: its derivative is 0 at some elements"
    elif section.name == "the sigmoid" and formula == ("result", "1 - {v}") and close(c, 1):
        # With y alone it is the derivative of exp that may have been meant.
        label, cost = Label.MISSING_FACTOR, min(22.9, cost - 0.1)
        words = f"of y * (1 - y), the derivative of {section.name}, the first factor is missing"
    elif section.name == "the sigmoid" and section.at_once and formula == ("result", "{v}"):
        label = Label.MISSING_FACTOR
        words = f"of y * (1 - y), the derivative of {section.name}, the second factor is missing"
    elif formula == ("result", "{v}") and is_exponent(section):
        label = Label.MISSING_FACTOR
        words = f"of the derivative of {section.name} by the exponent the factor log is missing"
    elif section.name == "exp" and formula in GROWN and only_divides(section.graph, section.ends[0]):
        label = Label.MISSING_FACTOR
        words = f"{words}: the division by y is missing"
    elif step.function is np.exp and formula == ("operand", "exp({v})") and close(c, 1):
        label = Label.MISSING_TERM
        words = f"{words}: of what the exponential is taken of, such as an offset, a term is missing"
    elif any(close_to(wrong, term) for term in terms_of(section)):
        label = Label.MISSING_TERM
        there = words.partition(" is taken")[0]
        words = f"of the derivative of {section.name} by the product rule only {there} is there"
    elif section.name in ACTIVATED and close_to(wrong, section.value(section.starts[0])):
        label = Label.PRE_ACTIVATION
        words = f"what {section.name} was given stands in the place of its derivative"
    elif "ReLU" in name and np.ptp(right) and wrong.any() and is_right_but_for_zeros(right, wrong):
        cost = 18.5
    return Mutation((), label, cost, [], words, step.line, section.name, None, {"factor of it": c})


def terms_of(section):
    """Return what each of several operands adds to a derivative; nothing where there is only one way."""
    graph, (start, *_), (end, *_) = section.graph, section.starts, section.ends
    slopes, found = graph.steps[end].slopes(), []
    ways = [(slot, p) for slot, p in graph.edges(end) if graph.steps[p].value.shape == slopes[slot].shape]
    for slot, p in ways if len(ways) > 1 and not section.partial else ():
        term = slope_from(graph, start, {p: slopes[slot]}, slopes[slot].shape)
        found.append(np.zeros(slopes[slot].shape) if term is None else term)
    return [term for term in found if term.any()] if len(found) > 1 else []


def is_exponent(section):
    """Tell whether a section is a power, by its exponent."""
    step = section.graph.steps[section.ends[0]]
    return step.function is np.power and step.references[1:] == [section.starts[0]]


def close_to(a, b):
    """Tell whether two arrays are the same but for rounding."""
    return a.shape == b.shape and np.allclose(a, b, 1e-9, 1e-12)


def multiplies(graph, k):
    """Tell whether a step goes into a product: then a power of it is likelier wrong than missing."""
    users = (graph.steps[j] for j in graph.live if k in graph.steps[j].references)
    return any(step.function in (np.multiply, np.divide) for step in users)


def only_divides(graph, k):
    """Tell whether all that is done with a step is to divide by it, or by a power of it."""
    users = [j for j in graph.live if k in graph.steps[j].references]
    powers = (np.square, np.power, np.multiply, np.sqrt)
    return bool(users) and all(
        graph.steps[j].references[-1:] == [k] if graph.steps[j].function is np.divide
        else graph.steps[j].function in powers and len(set(graph.steps[j].references)) == 1
        and only_divides(graph, j)
        for j in users
    )


def formula_at_another_place(section, name, where):
    """Yield the right formula of the result, with the value of other steps for the result."""
    graph = section.graph
    found = [derivative_at(graph, name, k) for k in where]
    if where == section.ends or any(f is None for f in found):
        return
    formula = name.format(v="y").partition(",")[0]
    yield section.mutation(
        ("formula at", name, where),
        Label.WRONG_FUNCTION,
        24.2,
        lambda j, _: found[j],
        f"{formula} is taken for the derivative of {section.name}, with "
        f"{in_round(graph, section.ends, where)} for y",
    )


def at_another_place(section, where):
    """Yield the derivative of the right function, taken at the value of other steps."""
    graph = section.graph
    if where == section.starts or any(graph.steps[k].value.dtype != float for k in where):
        return
    found = []
    for j, k in enumerate(where):
        slope = slope_at(graph, section.starts[j], section.ends[j], graph.steps[k].value)
        if slope is None or not np.isfinite(slope).all():
            return
        found.append(slope)
    if all(np.array_equal(*pair) for pair in zip(found, section.slopes)):
        return
    own = where == section.ends
    # Between log(1 + x**2) and its x lies no activation, but a part of the function.
    before = where[0] < section.starts[0] and name_of(
        graph.steps[where[0]].value, section.value(section.starts[0])
    ) in ACTIVATIONS
    if two_values(np.concatenate([np.ravel(s) for s in (*section.slopes, *found)])) and not own:
        label, what = Label.MASK_FROM_WRONG_TENSOR, "mask"
    else:
        label, what = Label.PRE_ACTIVATION if before else Label.WRONG_FUNCTION, "derivative"
    yield section.mutation(
        ("place", where),
        label,
        24 if own else 24.5,
        lambda j, _: found[j],
        f"the {what} of {section.name} is taken at {in_round(graph, section.starts, where)}, and not "
        "at its operand",
    )


def slope_at(graph, start, end, z):
    """Return the derivative of a section at another operand, `z`; None if it is not one chain."""
    chain = [end]
    while chain[-1] != start:
        parents = {p for _, p in graph.edges(chain[-1])}
        if len(parents) != 1:
            return None
        chain.append(parents.pop())
    slope, value = np.ones(z.shape), z
    for k in reversed(chain[:-1]):
        step = graph.steps[k]
        operands = [value if flows else x for x, flows in zip(step.operands, step.flowing)]
        with np.errstate(all="ignore"):
            try:
                slopes = step.slopes(operands)
                value = step.call(operands)
            except Exception:  # outside of its domain
                return None
        slope = slope * sum(s for s, flows in zip(slopes, step.flowing) if flows)
    return slope
