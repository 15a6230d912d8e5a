"""Right rules at the wrong place: indices, assignments, gates behind products, terms of other inputs."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.derivatives import slope_at
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, for_one_operand
from tinygrad_relu.gradcheck.diagnosis.relations import PRODUCTS
from tinygrad_relu.gradcheck.diagnosis.sections import sections
from tinygrad_relu.gradcheck.diagnosis.step import assign_at, take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Change, Now


def misplaced_mutations(graph, alone=False):
    """Yield right rules at the wrong place; `alone`, assignments for one operand of an earlier step."""
    for k in graph.live:
        step = graph.steps[k]
        if step.function is assign_at and step.flowing[0]:
            mutation = assignment_ignored(graph, k)
            yield from for_one_operand(graph, mutation) if alone else [mutation]
        elif step.function is take_at and not alone:
            for mutation in at_other_places(graph, k):
                yield mutation
                # Of log(p)[rows, labels] what goes back to the scores is a term of its own in p - y.
                yield from for_one_operand(graph, mutation)
    if not alone:
        yield from gates_behind_products(graph)
        yield from of_results(graph)
        yield from copied_terms(graph)


def assignment_ignored(graph, k):
    """Return the mutation that sends a gradient to elements that were written over."""
    step = graph.steps[k]

    def extra(g, _):
        return g - step.pull(g)[0]

    return Mutation(
        ("written over", k), Label.EXTRA_TERM, 22, [Change(k, step.references[0], extra)],
        f"elements of {described(graph, step.references[0])} that are written over later get a gradient "
        "all the same",
        step.line, step.name,
    )


def at_other_places(graph, k):
    """Yield the gradient of ``x[rows, columns]`` at all columns, or one place further."""
    step = graph.steps[k]
    key = step.arguments[1] if len(step.arguments) == 2 else None
    pair = isinstance(key, tuple) and len(key) == 2 and step.operands[0].ndim == 2
    if not pair or not all(isinstance(x, np.ndarray) and x.ndim == 1 for x in key):
        return
    shape = step.operands[0].shape
    for axis in (0, 1):
        rest = key[1 - axis]
        places = (slice(None), rest) if axis == 0 else (rest, slice(None))
        yield scattered(
            graph, k, ("all", axis), Label.EXTRA_TERM, 21,
            lambda g, axis=axis, places=places: (places, np.expand_dims(g, axis)),
            f"what belongs to one index of axis {axis} is sent to all of them",
        )
        for by in (1, -1):
            moved = tuple((x + by) % shape[a] if a == axis else x for a, x in enumerate(key))
            yield scattered(
                graph, k, ("by", axis, by), Label.SHIFTED, 24,
                lambda g, moved=moved: (moved, g),
                f"the index along axis {axis} is {'one too large' if by > 0 else 'one too small'}",
            )


def scattered(graph, k, key, label, cost, place, words):
    """Return the mutation that sends what goes back through indexing to other places."""
    step = graph.steps[k]

    def extra(g, _):
        found = np.zeros(step.operands[0].shape)
        places, values = place(g)
        np.add.at(found, places, values)
        return found - step.pull(g)[0]

    return Mutation(
        ("scattered", k, *key), label, cost, [Change(k, step.references[0], extra)],
        f"of the gradient of {described(graph, step.references[0])} {words}", step.line, step.name,
    )


# ---------------------------------------------------------------------------------------- products


def gates_behind_products(graph):
    """Yield the derivative of an activation behind the product, of what was multiplied there."""
    for section in sections(graph):
        if len(section.ends) > 1 or section.partial:
            continue
        (start,), (end,), (slopes,) = section.starts, section.ends, section.slopes
        product = start
        while graph.steps[product].function is np.add:
            inner = [p for _, p in graph.edges(product) if graph.steps[p].value.shape == slopes.shape]
            product = inner[0] if inner else -1
        step = graph.steps[product]
        if product < 0 or step.function not in PRODUCTS:
            continue
        sides = two_values(slopes)
        for slot, parent in graph.edges(product):
            slope = slope_of(graph, start, end, graph.steps[parent].value, sides)
            if slope is None or not np.isfinite(slope).all():
                continue

            def extra(g, _, step=step, slot=slot, slope=slope, slopes=slopes):
                return step.pull(g)[slot] * slope - step.pull(g * slopes)[slot]

            what = "mask" if sides else "derivative"
            yield Mutation(
                ("behind", end, start, slot),
                Label.MASK_FROM_WRONG_TENSOR if sides else Label.WRONG_FUNCTION,
                24.5, [Change(end, parent, extra)],
                f"the {what} of {section.name} is applied behind {step.name}, where it is taken from "
                f"{described(graph, parent)}",
                graph.steps[end].line, section.name,
            )


def of_results(graph):
    """Yield, where several ways meet, the gradient by a function of the step for that by the step."""
    for section in sections(graph):
        (start, *_), (end, *_), (slope, *_) = section.starts, section.ends, section.slopes
        ways = sum(p == start for k in graph.live for _, p in graph.edges(k))
        if len(section.ends) > 1 or section.partial or ways < 2 or not slope.all() or not np.ptp(slope):
            continue
        yield Mutation(
            ("of result", start, end), Label.MISSING_FACTOR, 24.9,
            [Change(start, start, lambda g, _, slope=slope: g / slope - g)],
            f"the gradient of {described(graph, end)} is taken for that of {described(graph, start)}: "
            f"the derivative of {section.name} is not multiplied in",
            graph.steps[end].line, section.name,
        )


def slope_of(graph, start, end, value, sides):
    """Return the derivative of an activation at another value; of a gate, the side by the sign of it."""
    slope = slope_at(graph, start, end, value)
    return np.where(value > 0, sides[1], sides[0]) if slope is None and sides else slope


# ------------------------------------------------------------------------------------------- terms


def copied_terms(graph):
    """Yield, for a term of one input, the one that its counterpart sends to another input."""
    for k in graph.live:
        step = graph.steps[k]
        if not step.elementwise or len(step.references) != 2 or not all(step.flowing):
            continue
        for slot in (0, 1):
            for mine in graph.inputs:
                for theirs in graph.inputs:
                    alike = graph.steps[mine].value.shape == graph.steps[theirs].value.shape
                    if alike and mine != theirs:
                        yield copied(graph, k, slot, mine, theirs)


def copied(graph, k, slot, mine, theirs):
    """Return the mutation that gives input `mine` the term of `theirs`."""
    step = graph.steps[k]

    def term(now, slot, number):
        part = Change(k, step.references[slot], lambda g, _: step.pull(g)[slot])
        return graph.spread([part], Now(now, {}))[graph.inputs.index(number)]

    def extra(_, now):
        return term(now, 1 - slot, theirs) - term(now, slot, mine)

    return Mutation(
        ("copied", k, slot, mine, theirs), Label.WRONG_FUNCTION, 26, [Change(mine, mine, extra)],
        f"the term that comes back through {step.name} is that of {described(graph, theirs)}, copied and "
        "not changed",
        step.line, step.name,
    )
