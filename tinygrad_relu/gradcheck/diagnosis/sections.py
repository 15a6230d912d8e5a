"""Wrong derivatives of elementwise functions, which may be written out in several steps."""

import functools
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.conditions import compared_with_zero, masks_at_level
from tinygrad_relu.gradcheck.diagnosis.functions import (
    ACTIVATIONS,
    DERIVATIVES,
    derivative,
    is_right_but_for_zeros,
    name_of,
    proportional,
    two_values,
)
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import (
    BEHIND,
    Mutation,
    described,
    for_one_operand,
    values_like,
)
from tinygrad_relu.gradcheck.diagnosis.numbers import close, simple
from tinygrad_relu.gradcheck.diagnosis.relations import STRAIGHT
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_STEPS = 16  # of a function that is written out
LEVELS = (-1.0, -0.5, 0.1, 0.5, 1.0)  # that a mask may be taken at
MOST_LIVE = 80  # of a graph where each operand of each step is looked at by itself

#: Functions whose derivative is a number times a power.
POWERS = (np.square, np.power, np.multiply, np.sqrt, np.divide, np.reciprocal)

#: Functions that let one operand or another through.
GATES = {np.where, np.maximum, np.minimum, np.clip}


@dataclass
class Section:
    """An elementwise function within a graph: from `start` to `end`, in as many rounds as a loop has.

    Attributes
    ----------
    starts, ends : tuple of int
    slopes : list of ndarray
        The derivative of each round.
    partial : bool
        Whether `start` reaches `end` by other ways, too: one factor of a product.
    """

    graph: object
    starts: tuple
    ends: tuple
    slopes: list
    partial: bool = False

    def value(self, number):
        """Return the value of a step."""
        return self.graph.steps[number].value

    def exchanged(self, wrong):
        """Return the changes that put ``wrong(round, cotangents)`` in the place of the derivative."""

        def change(j):
            def extra(g, cotangents):
                return g * (wrong(j, cotangents) - self.slopes[j])

            return Change(self.ends[j], self.starts[j], extra)

        return [change(j) for j in range(len(self.ends))]

    def mutation(self, key, label, cost, wrong, words, **details):
        """Return a mutation that puts another derivative in the place of this one."""
        step = self.graph.steps[self.ends[0]]
        if self.beside_another and step.function not in (np.multiply, np.divide):
            label = BEHIND.get(label, label)
        return Mutation(
            ("section", self.starts, self.ends, self.partial, *key),
            label,
            cost,
            self.exchanged(wrong),
            words,
            step.line,
            self.name,
            None,
            details,
            whole=self.whole,
        )

    @functools.cached_property
    def whole(self):
        """Whether it is an activation, as far as can be told."""
        scaling = self.graph.steps[self.ends[0]].function in (np.multiply, np.divide)
        return not self.partial and not scaling and self.name != "log"

    @functools.cached_property
    def beside_another(self):
        """Whether it begins with one term of a sum, such as a bias is added to: others do not pass."""
        (start, *_), steps = self.starts, self.graph.steps
        consumers = [steps[k] for k in self.graph.live if start in steps[k].references]
        return not self.partial and any(
            step.function in STRAIGHT and sum(step.flowing) > 1 and step is not steps[self.ends[0]]
            for step in consumers
        )

    @functools.cached_property
    def at_once(self):
        """Whether it is a known function of several steps in one line: nobody derives these one by one."""
        start, end = self.starts[0], self.ends[0]
        if self.partial or name_of(self.value(start), self.value(end)) is None:
            return False
        inside, reached = [], {end}
        for k in range(end, start, -1):
            if k in reached:
                reached |= {p for _, p in self.graph.edges(k)}
                inside.append(self.graph.steps[k].line)
        return len(inside) > 1 and len(set(inside)) == 1

    @functools.cached_property
    def name(self):
        """What the function is called."""
        found = (
            name_of(self.value(self.starts[0]), self.value(self.ends[0])) if not self.partial else None
        )
        return found or self.graph.steps[self.ends[0]].name


def sections(graph):
    """Yield the sections of a graph, loops as one."""
    for members in graph.places():
        rounds = [list(sections_before(graph, k)) for k in members]
        if not rounds or len({len(found) for found in rounds}) != 1:
            shared = [found[:1] for found in rounds if found]
            rounds = shared if len(shared) == len(members) else []
        for round_by_round in zip(*rounds):
            yield Section(
                graph,
                tuple(start for start, _, _ in round_by_round),
                members,
                [slope for _, slope, _ in round_by_round],
                any(part for _, _, part in round_by_round),
            )


def sections_before(graph, end):
    """Yield each start of a section that ends at a step, with its derivative, nearest first."""
    step = graph.steps[end]
    if not step.elementwise:
        return
    operands = list(graph.edges(end))
    if len({parent for _, parent in operands}) > 1:
        slopes = step.slopes()
        for slot, parent in operands:
            if graph.steps[parent].value.shape == step.value.shape:
                yield parent, slopes[slot], True
    moved = {end: np.ones(step.value.shape)}
    for _ in range(MOST_STEPS):
        last = max(moved)
        here = graph.steps[last]
        parents = [p for _, p in graph.edges(last)]
        if not here.elementwise or not parents:
            return
        g = moved.pop(last)
        graph.send(last, g, moved)
        # What was broadcast, such as a slope that is learned, is held fast.
        moved = {p: x for p, x in moved.items() if graph.steps[p].value.shape == step.value.shape}
        if not moved:
            return
        if len(moved) == 1:
            ((start, slope),) = moved.items()
            yield start, slope, False


def section_mutations(graph, alone=False):
    """Yield what is written by mistake for derivatives of elementwise functions.

    Parameters
    ----------
    graph : Graph
    alone : bool
        Whether for the gradient of one operand alone.
    """
    for section in sections(graph):
        sides = two_values(np.concatenate([np.ravel(s) for s in section.slopes]))
        single = len(section.ends) == 1 and len(graph.live) <= MOST_LIVE
        for mutation in of_section(section, sides):
            if not alone:
                yield mutation
            elif single and mutation.key[4] not in ("place", "formula at", "power"):
                yield from for_one_operand(graph, mutation, BEHIND if mutation.whole else None)


def of_section(section, sides):
    """Yield what is written for the derivative of one section."""
    yield from forgotten(section, sides)
    if sides is not None:
        yield from wrong_masks(section, sides)
    yield from other_functions(section)
    if len(section.ends) == 1 and section.graph.steps[section.ends[0]].function is np.where:
        wrong = slope_upside_down(section.graph, section.starts[0], section.ends[0])
        if wrong is not None:
            yield section.mutation(
                ("upside down",),
                Label.WRONG_FUNCTION,
                23.2,
                lambda j, _: wrong,
                "the condition of np.where is upside down: each branch has the derivative of the other",
            )


def slope_upside_down(graph, start, end):
    """Return the derivative of a section that ends with ``np.where`` under the opposite condition."""
    step = graph.steps[end]
    if (0, 0) not in step.paths:
        return None
    operands = list(step.operands)
    at = step.paths.index((0, 0))
    operands[at] = ~np.asarray(operands[at], bool)
    parts = step.pull(np.ones(step.value.shape), operands)
    moved = {}
    for slot, p in graph.edges(end):
        moved[p] = moved.get(p, 0) + parts[slot]
    while moved and max(moved) > start:
        last = max(moved)
        graph.send(last, moved.pop(last), moved)
        moved = {p: x for p, x in moved.items() if x.shape == step.value.shape and p >= start}
    return moved.get(start)


def forgotten(section, sides):
    """Yield the derivative left out, altogether or but for its size."""
    ones = [np.ones(s.shape) for s in section.slopes]
    name = section.name
    if all(np.array_equal(*pair) for pair in zip(ones, section.slopes)):
        return
    numbers = {float(np.ravel(s)[0]) for s in section.slopes if s.size}
    if len(numbers) == 1 and all(np.ptp(s) <= 1e-12 * np.abs(s).max(initial=0) for s in section.slopes):
        yield forgotten_number(section, numbers.pop(), ones)
        return
    gated = not section.partial and section.graph.steps[section.ends[0]].function in GATES
    if (sides is None and not gated) or (sides is not None and sides[0] == -sides[1]):
        yield section.mutation(
            ("one",),
            Label.MISSING_FACTOR,
            20,
            lambda j, _: ones[j],
            f"the derivative of {name} is not multiplied in: a factor of the chain rule is missing",
        )
        if sides is None and all((s < 0).all() for s in section.slopes):
            yield section.mutation(
                ("minus one",),
                Label.MISSING_FACTOR,
                20.1,
                lambda j, _: -ones[j],
                f"of the derivative of {name} only the minus is multiplied in: a factor is missing",
            )
        return
    yield section.mutation(
        ("one",),
        Label.MASK_FORGOTTEN,
        19.8,
        lambda j, _: ones[j],
        f"the mask of {name} is forgotten: the gradient passes where it should be stopped or scaled",
    )
    for number, side in enumerate(sides or ()):
        if side not in (0, 1):
            yield section.mutation(
                ("side", number),
                Label.MASK_FORGOTTEN,
                20.5,
                lambda j, _, side=side: side * ones[j],
                f"the mask of {name} is forgotten: every element is scaled alike",
            )
    if sides is not None and sides[1] > 0 and sides[0] != 0:
        yield section.mutation(
            ("hard",),
            Label.WRONG_FUNCTION,
            18,
            lambda j, _: 1.0 * (section.slopes[j] == sides[1]),
            f"the derivative of ReLU is taken for that of {name}: the slope of one side is lost",
        )


def forgotten_number(section, slope, ones):
    """Return the mutation that leaves out a plain number: a minus, a division by N, a weight."""
    name = section.name
    lengths = {n for step in section.graph.steps for n in (*step.value.shape, step.value.size)}
    if slope == -1:
        label, cost, what = Label.CONSTANT_FACTOR, 20.8, f"the minus of {name} is forgotten"
    elif (section.value(section.ends[0]).size == 1 and close(1 / slope, round(1 / slope))) or any(
        abs(slope * n - 1) < 1e-9 or abs(slope - n) < 1e-9 for n in lengths if n > 2
    ):
        label, cost, what = Label.CONSTANT_FACTOR, 20.8, f"the factor {slope:.6g} of {name} is forgotten"
    else:
        label, cost, what = Label.MISSING_FACTOR, 21, f"the factor {slope:.6g} of {name} is forgotten"
    return section.mutation(("one",), label, cost, lambda j, _: ones[j], what, factor=1 / slope)


def wrong_masks(section, sides):
    """Yield masks of another tensor, or with the wrong comparison."""
    low, high = sides
    given = mask_is_given(section)
    yield section.mutation(
        ("inverted",),
        Label.MASK_FROM_WRONG_TENSOR if given else Label.WRONG_FUNCTION,
        23,
        lambda j, _: low + high - section.slopes[j],
        f"the mask of {section.name} is upside down: it lets pass what it should stop (< for >)",
    )
    if low < 0 < high and low != -high:
        yield section.mutation(
            ("exchanged",),
            Label.WRONG_FUNCTION,
            23.3,
            lambda j, _: np.where(section.slopes[j] == high, -low, -high),
            f"the slopes of both sides of {section.name} are exchanged, but for their signs",
        )
    graph, shape = section.graph, section.value(section.ends[0]).shape
    if any(section.value(k).shape != shape for k in section.ends):
        return
    if len(section.ends) == 1:
        yield from masks_of_data(section, sides)
    thresholds = sorted({0.0, *thresholds_of(graph, section.ends[0])})
    levels = sorted({*thresholds, *LEVELS})
    sources = [("value", k) for k in values_like(graph, shape, section.ends)]
    sources.append(("size", section.starts))
    if len(section.ends) == 1:
        sources += [("cotangent", (k,)) for k in graph.live if graph.steps[k].value.shape == shape]
    for kind, where in sources:
        for t in levels if (kind, where) == ("value", section.starts) else thresholds:
            for strict in (True, False):
                mutation = mask_of(section, kind, where, t, strict, sides)
                if mutation is not None:
                    yield mutation


def mask_is_given(section):
    """Tell whether a mask is data of the function, and not computed from what it is applied to."""
    step = section.graph.steps[section.ends[0]]
    masks = [section.graph.steps[k] for k, flows in zip(step.references, step.flowing) if not flows]
    return any(not mask.references and mask.value.size > 1 for mask in masks)


def masks_of_data(section, sides):
    """Yield masks that come from plain arrays of the forward, in the place of one that does."""
    if not mask_is_given(section):
        return
    graph, (low, high), (slopes,) = section.graph, sides, section.slopes
    right = slopes == high
    for number, (name, x) in enumerate(graph.data):
        if x.shape != slopes.shape:
            continue
        found = [(key, mask, Label.MASK_NOT_STRICT, 22) for key, mask in masks_at_level(right, x)]
        found += [
            (sign, mask, Label.MASK_FROM_WRONG_TENSOR, 24)
            for sign, mask in compared_with_zero(x)
            if not np.array_equal(mask, right)
        ]
        for key, mask, label, cost in found:
            what = "with >= for >, or < for <=, of" if cost == 22 else "from"
            yield section.mutation(
                ("data", number, key),
                label,
                cost,
                lambda j, _, mask=mask: np.where(mask, high, low),
                f"the mask of {section.name} is taken {what} {name}",
            )


def thresholds_of(graph, number):
    """Return the plain numbers that a step compares with: its scalar operands."""
    step = graph.steps[number]
    found = [x for x in step.arguments if isinstance(x, (int, float)) and not isinstance(x, bool)]
    for k in step.references:
        inner = graph.steps[k]
        if inner.value.dtype == bool:
            found += [x for x in inner.arguments if isinstance(x, (int, float))]
        if inner.value.size == 1 and inner.function is None:
            found.append(float(inner.value.reshape(())))
    return [float(x) for x in found]


def mask_of(section, kind, where, t, strict, sides):
    """Return the mutation that takes a mask from elsewhere, or None if that is the same mask."""
    graph = section.graph
    low, high = sides

    def wrong(j, cotangents):
        v = cotangents[where[j]] if kind == "cotangent" else graph.steps[where[j]].value
        v = np.abs(v) if kind == "size" else v
        return np.where(v > t if strict else v >= t, high, low)

    if kind != "cotangent":
        found = [wrong(j, None) for j in range(len(section.ends))]
        if all(np.array_equal(*pair) for pair in zip(found, section.slopes)):
            return None
        if all(np.all(f == high) for f in found):
            return section.mutation(
                ("mask", kind, where, t, strict),
                Label.MASK_FORGOTTEN,
                22,
                wrong,
                f"the mask of {section.name} lets everything pass: it is forgotten, or it compares "
                f"{described(graph, where[0])} with {t:g}, which is never smaller",
            )
    own = kind == "value" and where == section.starts
    sign = ">" if strict else ">="
    what = (
        f"the gradient that arrives at {described(graph, where[0])}"
        if kind == "cotangent"
        else f"{'the size of ' * (kind == 'size')}{described(graph, where[0])}"
    )
    label = Label.MASK_FROM_WRONG_TENSOR
    if own:
        at_ties = all(
            (section.value(k)[w != s] == t).all() for k, w, s in zip(where, found, section.slopes)
        )
        label = Label.MASK_NOT_STRICT if at_ties else Label.MASK_FROM_WRONG_TENSOR
    words = (
        f"the mask of {section.name} is taken with {sign} {t:g}, and is another one"
        if own
        else f"the mask of {section.name} is taken from {what}, and not from its own operand"
    )
    return section.mutation(
        ("mask", kind, where, t, strict),
        label,
        22.5 if own else 24 + 0.1 * (kind == "cotangent"),
        wrong,
        words,
    )


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
            yield section.mutation(
                ("power", word),
                Label.WRONG_FUNCTION,
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
        known[name, k] = derivative(name, graph.steps[k].value)
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


def of_formula(section, place, name, found):
    """Return the mutation that takes a formula for the derivative, times a simple number if need be."""
    letter = {"result": "y", "operand": "x"}.get(place, "u")
    formula = name.format(v=letter)
    what = {"y": "its result", "x": "its operand"}.get(letter) or described(section.graph, int(place[5:]))
    words = (
        f"{formula}{',' if ',' in formula else ''} is taken for the derivative of {section.name}, "
        f"where {letter} is {what}"
    )
    # The derivative of softplus with the wrong sign is commoner than what it is in terms of its result.
    cost = 23.5 + 0.1 * ("yxu".index(letter)) - 0.2 * name.startswith("sigmoid(-")
    if section.at_once and place != f"step {section.starts[0]}":
        cost = 19.9  # less than to forget the derivative of one of its steps
    key = ("formula", place, name)
    if len(section.ends) > 1:
        return section.mutation(key, Label.WRONG_FUNCTION, cost, lambda j, _: found[j], words)

    sides = two_values(section.slopes[0])
    gated = section.graph.steps[section.ends[0]].function in GATES and sides is not None and 0 in sides
    is_mask = name.startswith(("({v} > 0)", "({v} >= 0)")) and (gated or mask_is_given(section))
    usual = Label.MASK_FROM_WRONG_TENSOR if is_mask else Label.WRONG_FUNCTION

    def named(c):
        wrong, right = c * found[0], section.slopes[0]
        label, price, said = usual, cost, words
        if not close(c, 1):
            number = simple(c)
            if number is None:
                return None
            price, said = cost + 1.5, f"{number} times {words}"
        if np.ptp(wrong) == 0 and step.function in POWERS and not multiplies(section.graph, end):
            label, price = Label.MISSING_FACTOR, 22.9
            said = f"of the derivative of {section.name} only {wrong.flat[0]:.6g} is multiplied in"
        elif not name.startswith(("sign", "({v} >")) and is_right_but_for_zeros(wrong, right):
            label, price = Label.MASK_FORGOTTEN, 20.1
            said = f"the mask in {section.name} is forgotten: its derivative is 0 at some elements"
        elif section.name == "the sigmoid" and (place, name) == ("result", "1 - {v}") and close(c, 1):
            # With y alone it is the derivative of exp that may have been meant.
            label, price = Label.MISSING_FACTOR, min(22.9, cost - 0.1)
            said = f"of y * (1 - y), the derivative of {section.name}, the first factor is missing"
        elif (
            "ReLU" in name
            and 0 < np.count_nonzero(wrong) < wrong.size
            and np.allclose(wrong[wrong != 0], right[wrong != 0], 1e-7)
        ):
            price = 18.5
        return Mutation((), label, price, [], said, step.line, section.name, None, {"factor of it": c})

    start, end = section.starts[0], section.ends[0]
    step = section.graph.steps[end]
    return Mutation(
        ("section", section.starts, section.ends, section.partial, *key),
        Label.WRONG_FUNCTION,
        cost,
        [Change(end, start, lambda g, _: g * found[0])],
        words,
        step.line,
        section.name,
        named,
        {},
        (Change(end, start, lambda g, _: -g * section.slopes[0]),),
        section.whole,
    )


def multiplies(graph, k):
    """Tell whether a step goes into a product: then a power of it is likelier wrong than missing."""
    users = (graph.steps[j] for j in graph.live if k in graph.steps[j].references)
    return any(step.function in (np.multiply, np.divide) for step in users)


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
        f"{formula} is taken for the derivative of {section.name}, with {described(graph, where[0])} "
        "for y",
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
    if two_values(np.concatenate([np.ravel(s) for s in section.slopes])) is not None and not own:
        label, what = Label.MASK_FROM_WRONG_TENSOR, "mask"
    else:
        label, what = Label.PRE_ACTIVATION if before else Label.WRONG_FUNCTION, "derivative"
    yield section.mutation(
        ("place", where),
        label,
        24 if own else 24.5,
        lambda j, _: found[j],
        f"the {what} of {section.name} is taken at {described(graph, where[0])}, and not at its operand",
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
