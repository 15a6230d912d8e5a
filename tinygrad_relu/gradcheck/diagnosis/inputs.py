"""Wrong gradients of single inputs: that of another step in their place, or a term too much."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import (
    Mutation,
    described,
    for_one_operand,
    values_like,
)
from tinygrad_relu.gradcheck.diagnosis.numbers import simple
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.relations import REORDERED
from tinygrad_relu.gradcheck.diagnosis.trace import Change

MOST_OTHERS = 24


def input_mutations(graph, alone=False):
    """Yield what may be returned for an input in the place of its gradient, or beside it."""
    for mutation in missing_data(graph):
        if alone:
            yield from for_one_operand(graph, mutation)
        else:
            yield mutation
    if alone:
        return
    for k in graph.inputs:
        if k not in graph.live:
            continue
        shape = graph.steps[k].value.shape
        others = [j for j, step in enumerate(graph.steps) if j != k and step.value.shape == shape]
        for j in others[-MOST_OTHERS:]:
            if j in graph.live:
                yield returned_instead(graph, k, j)
                yield added(graph, k, j, "cotangent")
        yield from rescaled(graph, k)
        for j in [k, *others[-MOST_OTHERS:]]:
            if graph.steps[j].value.dtype.kind == "f":
                yield added(graph, k, j, "value")
        yield Mutation(
            ("ones", k),
            Label.EXTRA_TERM,
            BEHIND + 2.6,
            [Change(k, k, lambda g, _: np.ones(g.shape))],
            "",
            "",
            "",
            lambda c: Mutation(
                (),
                Label.EXTRA_TERM,
                BEHIND + 2.6,
                [],
                f"has the number {c:.6g} added everywhere",
                details={"extra": c},
            ),
        )


def missing_data(graph):
    """Yield an array of data, such as labels, that is left out where it meets a result of its shape.

    A backward by hand often has ``p - y`` for what the graph takes apart otherwise.
    """
    constants = [
        k
        for k, step in enumerate(graph.steps)
        if not step.references and k not in graph.inputs and step.value.dtype == float and step.value.ndim
    ]
    for k in graph.live:
        step = graph.steps[k]
        if step.function is None:
            continue
        for j in constants[:6]:
            if graph.steps[j].value.shape == step.value.shape:
                yield Mutation(
                    ("data", k, j),
                    Label.MISSING_TERM,
                    23.3,
                    [Change(k, k, lambda g, _, j=j: graph.steps[j].value)],
                    "",
                    step.line,
                    step.name,
                    lambda c, k=k, step=step: Mutation(
                        (),
                        Label.MISSING_TERM,
                        23.3 if simple(c, step.value.shape) else BEHIND + 2.5,
                        [],
                        f"{-c:.6g} times the data that it is compared with is missing in the gradient of "
                        f"{described(graph, k)}",
                        step.line,
                        step.name,
                    ),
                )


def rescaled(graph, k):
    """Yield the whole gradient of an input times a value of the graph, or divided by one."""
    for (j,) in values_like(graph, graph.steps[k].value.shape):
        v = graph.steps[j].value
        if v.dtype != float or not np.ptp(v):
            continue
        divides = [
            step.function is np.divide and step.references[-1] == j
            for step in graph.steps if j in step.references
        ]
        missing = 1 if (divides and all(divides)) or is_exp_of_minus(graph, j) else -1
        name = described(graph, j)
        words = {
            -1: (f"lacks the factor {name}", f"has {name} as a factor too much"),
            1: (f"is divided by {name} once too often", f"lacks the division by {name}"),
        }[missing]
        for power in (-1, 1):
            with np.errstate(all="ignore"):
                factor = v**power
            if np.isfinite(factor).all():
                yield Mutation(
                    ("rescaled", k, j, power),
                    Label.MISSING_FACTOR if power == missing else Label.WRONG_FUNCTION,
                    25 - 0.2 * power * missing,
                    [Change(k, k, lambda g, _, factor=factor: g * (factor - 1))],
                    f"the gradient of {described(graph, k)} {words[power > 0]}",
                    graph.steps[j].line,
                    graph.steps[j].name,
                )


def is_exp_of_minus(graph, j):
    """Tell whether a step is one over an exponential: the derivative of that is the exponential."""
    step = graph.steps[j]
    before = graph.steps[step.references[0]] if step.function is np.exp else step
    return before.function is np.negative


def returned_instead(graph, k, j):
    """Return the mutation that gives the gradient of one step for that of an input."""
    step = graph.steps[j]
    direct = k in step.references
    return Mutation(
        ("instead", k, j),
        REORDERED.get(step.function if direct else None, Label.PRE_ACTIVATION),
        26,
        [Change(k, k, lambda g, right: right[j] - g)],
        f"what is returned is the gradient of {described(graph, j)}: the walk back stops too early, or "
        "goes too far",
        step.line,
        step.name,
    )


def added(graph, k, j, kind):
    """Return the mutation that adds a value, or the gradient of another step, to that of an input."""

    def extra(g, right):
        return right[j] if kind == "cotangent" else np.asarray(graph.steps[j].value, np.float64)

    def named(c):
        what = "the gradient of " if kind == "cotangent" else ""
        whose = "its own input" if j == k else described(graph, j)
        number = simple(c)
        return Mutation(
            (),
            Label.EXTRA_TERM,
            28 if number else BEHIND + 2.5,
            [],
            f"has a term too much: {number or f'{c:.6g}'} times {what}{whose}",
            details={"extra": c},
        )

    return Mutation(("added", kind, k, j), Label.EXTRA_TERM, 28, [Change(k, k, extra)], "", "", "", named)
