"""Wrong rules of single links, and the gradient that is handed on through one as it is."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.cotangents import other_cotangents
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import for_one_operand, links
from tinygrad_relu.gradcheck.diagnosis.operands import other_operands, swapped_operands
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.scalings import scaled, scaled_steps
from tinygrad_relu.gradcheck.diagnosis.step import summed_to


def edge_mutations(graph, alone=False):
    """Yield wrong rules of all links of a graph; `alone`, those for one operand of an earlier step."""
    for link in links(graph):
        if alone:
            for mutation in passed_through(link):
                yield from for_one_operand(graph, mutation)
            continue
        yield from scaled(link)
        yield from passed_through(link)
        yield from other_operands(link)
        yield from other_cotangents(link)
    if not alone:
        yield from scaled_steps(graph)
        yield from swapped_operands(graph)


def passed_through(link):
    """Yield the cotangent handed on as it is, and the local derivative without the cotangent."""
    step = link.first
    shape = link.operand(link.members[0]).shape
    name = step.name
    if not step.elementwise or shape != step.value.shape:
        if step.value.shape == shape and step.function in PRODUCTS:
            yield link.mutation(
                ("through",),
                Label.MISSING_FACTOR,
                21,
                lambda k, g, _: g,
                f"the gradient is handed on through {name} as it is: the other factor is missing",
            )
        if step.elementwise and shape != step.value.shape:
            slopes = step.slopes()[link.slot(link.members[0])]
            sides = two_values(slopes)
            label, cost = Label.MISSING_FACTOR, 21
            what = f"the derivative of {name} is not multiplied in: a factor of the chain rule is missing"
            if (slopes == -1).all():
                label, cost, what = Label.WRONG_FUNCTION, 20.8, f"the minus of {name} is forgotten"
            elif sides is not None and 0 in sides:
                label, cost, what = Label.MASK_FORGOTTEN, 20.4, f"the mask in {name} is forgotten"
            yield link.mutation(("through",), label, cost, lambda k, g, _: summed_to(g, shape), what)
    if step.function in (np.multiply, *PRODUCTS) or step.elementwise:
        yield link.mutation(
            ("ones",),
            Label.MISSING_FACTOR,
            25.3,
            lambda k, g, _: link.right(k, np.ones(g.shape)),
            f"the gradient that arrives at {name} is not multiplied in",
        )
