"""Wrong derivatives of elementwise functions: left out, of another function, under another mask."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.derivatives import other_functions
from tinygrad_relu.gradcheck.diagnosis.functions import GATES, two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.masks import of_one_branch, slope_upside_down, wrong_masks
from tinygrad_relu.gradcheck.diagnosis.mutations import for_one_operand
from tinygrad_relu.gradcheck.diagnosis.numbers import close
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS, STRAIGHT
from tinygrad_relu.gradcheck.diagnosis.sections import sections

MOST_LIVE = 80  # of a graph where each operand of each step is looked at by itself
# So many slopes are those of masks, and not of a bent function.
FEW_SLOPES = 4


def elementwise_mutations(graph, alone=False):
    """Yield what is written by mistake for derivatives of elementwise functions.

    Parameters
    ----------
    graph : Graph
    alone : bool
        Whether for the gradient of one operand alone.
    """
    for section in sections(graph):
        sides = two_values(np.concatenate([np.ravel(s) for s in section.slopes]))
        if sides is not None and 0 not in sides and (section.weighs or has_signs(section, sides)):
            sides = None  # a factor that happens to have two entries
        single = len(section.ends) == 1 and len(graph.live) <= MOST_LIVE
        for mutation in of_section(section, sides):
            if not alone:
                yield mutation
            elif single and mutation.key[4] not in ("place", "formula at", "power"):
                yield from for_one_operand(graph, mutation)


def of_section(section, sides):
    """Yield what is written for the derivative of one section."""
    yield from forgotten(section, sides)
    if sides is not None:
        yield from wrong_masks(section, sides)
    yield from of_one_branch(section)
    yield from other_functions(section)
    if len(section.ends) == 1 and section.graph.steps[section.ends[0]].function is np.where:
        wrong = slope_upside_down(section.graph, section.starts[0], section.ends[0])
        if wrong is not None:
            yield section.mutation(
                ("upside down",),
                Label.MASK_FROM_WRONG_TENSOR,
                23.2,
                lambda j, _: wrong,
                "the condition of np.where is upside down: each branch has the derivative of the other",
            )


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
    gated = gated or has_few_slopes(section)
    if (sides is None and not gated) or (sides is not None and sides[0] == -sides[1]):
        signs = sides is not None and section.graph.steps[section.ends[0]].function is np.where
        # Of the inner derivative 1 + f'(x) within another function, rather all is left out than f'(x).
        cost = 18.9 if is_inner(section) else 20
        yield section.mutation(
            ("one",),
            Label.WRONG_FUNCTION if signs else Label.MISSING_FACTOR,
            cost,
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
    if sides is None or max(sides) > 0:  # else it would lack the minus, too
        factors = not {0, 1} & set(sides) if sides else all(s.all() for s in section.slopes)
        yield section.mutation(
            ("one",),
            Label.MISSING_FACTOR if factors else Label.MASK_FORGOTTEN,
            19.8,
            lambda j, _: ones[j],
            f"the slopes of {name} are not multiplied in" if factors else
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
    gate = section.graph.steps[section.ends[0]].function not in STRAIGHT
    if sides is not None and sides[1] > 0 and sides[0] != 0 and gate:
        yield section.mutation(
            ("hard",),
            Label.WRONG_FUNCTION,
            18,
            lambda j, _: 1.0 * (section.slopes[j] == sides[1]),
            f"the derivative of ReLU is taken for that of {name}: the slope of one side is lost",
        )


def has_signs(section, sides):
    """Tell whether a section ends with a product with signs, which are labels, say."""
    step = section.graph.steps[section.ends[0]]
    return sides[0] == -sides[1] and step.function in (np.multiply, np.divide)


def has_few_slopes(section):
    """Tell whether a section has few slopes, one of them 0: several masks, one behind the other."""
    found = np.unique(np.concatenate([np.ravel(s) for s in section.slopes]))
    return 0 in found and 2 < found.size <= FEW_SLOPES


def is_inner(section):
    """Tell whether only a bent function is taken of a section that is a sum: a polynomial in tanh."""
    graph, k = section.graph, section.ends[0]
    if graph.steps[k].function is not np.add or len(section.ends) > 1:
        return False
    while True:
        users = [j for j in graph.live if k in graph.steps[j].references]
        if len(users) != 1 or not graph.steps[users[0]].elementwise:
            return False
        k = users[0]
        if len({p for _, p in graph.edges(k)}) > 1:
            return False
        if graph.steps[k].function is not np.multiply:
            return graph.steps[k].function not in STRAIGHT


def summed_up(section):
    """Tell whether a section is part of a sum, with nothing but straight functions in between."""
    steps, reached = section.graph.steps, {section.ends[0]}
    for j in section.graph.live:
        if reached & set(steps[j].references):
            if steps[j].function in (np.sum, np.mean, *PRODUCTS):
                return True
            if steps[j].function in (*STRAIGHT, np.multiply, np.divide):
                reached.add(j)
    return False


def forgotten_number(section, slope, ones):
    """Return the mutation that leaves out a plain number: a minus, a division by N, a weight."""
    name = section.name
    lengths = {n for step in section.graph.steps for n in (*step.value.shape, step.value.size)}
    if slope == -1:
        label, cost, what = Label.WRONG_FUNCTION, 20.8, f"the minus of {name} is forgotten"
    elif slope < 0.5 and (
        (section.value(section.ends[0]).size == 1 and close(1 / slope, round(1 / slope)))
        or (any(abs(slope * n - 1) < 1e-9 for n in lengths if n > 2) and summed_up(section))
    ):
        # Of one term alone: a gradient that is off as a whole is told of as a plain factor.
        label, cost, what = Label.AVERAGED, 20.8, f"the factor {slope:.6g} of {name} is forgotten"
    else:
        label, cost, what = Label.MISSING_FACTOR, 21, f"the factor {slope:.6g} of {name} is forgotten"
    return section.mutation(("one",), label, cost, lambda j, _: ones[j], what, factor=1 / slope)
