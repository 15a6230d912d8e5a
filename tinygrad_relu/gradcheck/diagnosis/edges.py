"""Wrong rules of single links: scaled, dropped, with another operand or another cotangent."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import (
    Mutation,
    described,
    for_one_operand,
    is_square,
    later,
    links,
    values_like,
)
from tinygrad_relu.gradcheck.diagnosis.numbers import close, simple
from tinygrad_relu.gradcheck.diagnosis.relations import (
    PRODUCTS,
    STRAIGHT,
    Relation,
    between,
    comes_from,
    relation,
)
from tinygrad_relu.gradcheck.diagnosis.step import summed_to
from tinygrad_relu.gradcheck.diagnosis.trace import Change

AVERAGES = (np.mean, np.var, np.std, np.average)


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


# --------------------------------------------------------------------------------- scaled, dropped


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
        )


def operand_numbers(link):
    """Return factors that are forgotten where plain numbers among the operands are."""
    found = []
    for x in (*link.first.arguments, *link.first.operands):
        if isinstance(x, (int, float, np.floating)) or (isinstance(x, np.ndarray) and x.size == 1):
            value = float(np.reshape(x, ()))
            found += [value, 1 / value] if value not in (0, 1) else []
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

    if (
        abs(c) < 1e-7
        and step.references.count(link.parent(link.members[0])) == 2
        and (step.function in (np.multiply, *PRODUCTS))
    ):
        return said(
            Label.MISSING_FACTOR,
            19,
            f"the derivative of {step.name} of a number with itself is twice "
            "that number: the factor 2 is missing",
            factor=0.5,
        )
    if abs(c) < 1e-7:
        return said(Label.MISSING_TERM, 19, f"{where} is missing: one term of the sum is left out")
    if abs(c - 2) < 1e-7 and only_use(link):
        return said(Label.CONSTANT_FACTOR, 26, f"{where} is twice what it should be", factor=c)
    if abs(c - 2) < 1e-7:
        return said(Label.EXTRA_TERM, 26, f"{where} is counted twice")
    if abs(c + 1) < 1e-7:
        label, cost, what = wrong_sign(link)
        return said(label, cost, f"{where} {what}", factor=-1.0)
    if step.value.size == 1 and step.function is np.divide and close(c, round(c)):
        return said(Label.CONSTANT_FACTOR, 20.9, f"{where} is not divided by {c:.6g}", factor=c)
    for number in operand_numbers(link):
        if abs(c - 1 / number) < 1e-7 * abs(1 / number) or abs(c - number) < 1e-7 * abs(number):
            return said(
                Label.MISSING_FACTOR,
                23,
                f"{where} is {c:.6g} times what it should be: the factor {1 / c:.6g} is missing",
                factor=c,
            )
    if halves(step, c):
        return said(Label.MISSING_FACTOR, 23, f"{where} lacks the factor 2 of the square", factor=c)
    found = averaging(link, c)
    if found:
        label = Label.CONSTANT_FACTOR if step.value.size == 1 else Label.AVERAGED
        return said(
            label,
            22.8,
            f"{where} is {simple(c, lengths(link))} times what it should be: {found}",
            factor=c,
        )
    nice = simple(c, lengths(link))
    if nice is None:
        return said(Label.CONSTANT_FACTOR, 45, f"{where} is {c:.6g} times what it should be", factor=c)
    return said(Label.CONSTANT_FACTOR, 27, f"{where} is {nice} times what it should be", factor=c)


def wrong_sign(link):
    """Return what a wrong sign of a term is: a minus that is forgotten, or a term that is taken off."""
    k, graph = link.members[0], link.graph
    if turns_sign(link.first, link.path):
        return Label.CONSTANT_FACTOR, 20.3, "has the wrong sign: the minus is forgotten"
    alone = len(link.members) == 1 and not behind_a_minus(graph, k)
    if alone and meets_others(graph, k, link.parent(k)):
        return Label.EXTRA_TERM, 20.4, "is taken off, where it is to be added"
    return Label.CONSTANT_FACTOR, 20.5, "has the wrong sign"


def turns_sign(step, path):
    """Tell whether there is a minus in the derivative of a step by the operand at a path."""
    return step.function is np.negative or (
        path == (0, 1) and step.function in (np.subtract, np.divide)
    )


def behind_a_minus(graph, k):
    """Tell whether what arrives at a step has come by a minus, since the last place where ways meet."""
    while True:
        users = [(j, slot) for j in graph.live for slot, p in graph.edges(j) if p == k]
        if len(users) != 1:
            return False
        (k, slot), = users
        if turns_sign(graph.steps[k], graph.steps[k].paths[slot]):
            return True


def meets_others(graph, below, k):
    """Tell whether what goes back from one step to `k`, and on from there, is a term of one sum."""
    while True:
        if any(p == k for j in graph.live if j != below for _, p in graph.edges(j)):
            return True
        ahead = {p for _, p in graph.edges(k)}
        if len(ahead) != 1:
            return False
        below, k = k, ahead.pop()


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

    if abs(c) < 1e-7:
        return said(
            Label.MISSING_TERM,
            19.5,
            f"{where} is missing: it is treated as a constant, and it depends on the inputs, too",
        )
    if abs(c + 1) < 1e-7:
        return said(Label.CONSTANT_FACTOR, 20.7, f"{where} has the wrong sign", factor=-1.0)
    if abs(c - 2) < 1e-7:
        return said(Label.EXTRA_TERM, 26.5, f"{where} is counted twice", factor=2.0)
    nice = simple(c, [n for s in graph.steps for n in (*s.value.shape, s.value.size)])
    if nice is None:
        return said(Label.CONSTANT_FACTOR, 46, f"{where} is {c:.6g} times what it should be", factor=c)
    return said(Label.CONSTANT_FACTOR, 25, f"{where} is {nice} times what it should be", factor=c)


# ------------------------------------------------------------------------------------ passed through


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
                label, cost, what = Label.CONSTANT_FACTOR, 20.8, f"the minus of {name} is forgotten"
            elif sides is not None and 0 in sides:
                label, cost, what = Label.MASK_FORGOTTEN, 20.4, f"the mask in {name} is forgotten"
            yield link.mutation(("through",), label, cost, lambda k, g, _: summed_to(g, shape), what)
    if step.function in (np.multiply, *PRODUCTS) or step.elementwise:
        yield link.mutation(
            ("ones",),
            Label.MISSING_FACTOR,
            25,
            lambda k, g, _: link.right(k, np.ones(g.shape)),
            f"the gradient that arrives at {name} is not multiplied in",
        )


# ------------------------------------------------------------------------------------- other operands


def other_operands(link):
    """Yield the rule with another value in the place of an operand that it names."""
    step = link.first
    elementwise = step.elementwise
    if elementwise and len(step.references) < 2:
        return  # a function of one operand: see `sections`
    for slot in range(len(step.references)):
        path = step.paths[slot]
        if any(path not in link.graph.steps[k].paths for k in link.members):
            continue
        if not names_operand(link, slot):
            continue
        value = step.operands[slot]
        for where in substitutes(link, path, value.shape):
            yield from operand_from(link, path, where)
        if value.ndim == 2 and not elementwise:
            for where in substitutes(link, path, value.shape[::-1]):
                yield from operand_from(link, path, where, True)
        yield from operand_rearranged(link, path, value)
    if elementwise:
        yield from powers_of_operands(link)
    if is_square(step.value) and step.function in PRODUCTS:
        yield link.mutation(
            ("cotangent transposed",),
            Label.TRANSPOSED,
            24.2,
            lambda k, g, _: link.right(k, np.swapaxes(g, -1, -2)),
            f"the rule of {step.name} takes the gradient that arrives transposed",
        )


def names_operand(link, slot):
    """Tell whether what goes back depends on an operand."""
    step = link.first
    values = list(step.operands)
    if values[slot].dtype != float or values[slot].size > 20_000:
        return False
    g = np.ones(step.value.shape)
    values[slot] = values[slot] * 1.5 + 0.25
    mine = link.slot(link.members[0])
    try:
        return not np.array_equal(step.pull(g)[mine], step.pull(g, values)[mine])
    except Exception:  # outside of its domain
        return False


def substitutes(link, path, shape):
    """Yield the steps that an operand might be confused with, one for each member of the group."""
    own = tuple(
        link.graph.steps[k].references[link.graph.steps[k].paths.index(path)] for k in link.members
    )
    found = list(values_like(link.graph, shape, link.members))
    if len(own) > 1:
        found += [own[::-1], later(own, own, 1), later(own, own, -1)]
        found += [own[1:] + own[:1], own[-1:] + own[:-1]]  # as x[t - 1] takes the last one for the first
        found += [own[-1:] * len(own), own[:1] * len(own)]
        if link.graph.steps[own[-1]].references:  # as it is left behind by the loop
            after = [k for k in link.graph.live if same_site(link.graph, k, own[-1])]
            after = [k for k in after if link.graph.steps[k].value.shape == shape]
            found += [tuple(after[-1:]) * len(own)] if after else []
    for where in found:
        same_values = all(
            np.array_equal(link.graph.steps[a].value, link.graph.steps[b].value)
            for a, b in zip(where, own)
        )
        if not same_values and link.graph.steps[where[0]].value.dtype == float:
            yield where


def operand_from(link, path, where, turned=False):
    """Yield the mutation that takes an operand from other steps, maybe their transpose."""
    graph = link.graph

    def rule(k, g, _):
        step = graph.steps[k]
        values = list(step.operands)
        value = graph.steps[where[link.members.index(k)]].value
        values[step.paths.index(path)] = value.T if turned else value
        return step.pull(g, values)[link.slot(k)]

    owns = [graph.steps[k].references[graph.steps[k].paths.index(path)] for k in link.members]
    # Of a loop the last round: the first one often begins with zeros.
    pairs = [(a, b) for a, b in zip(owns, where) if a != b]
    own, other = pairs[-1] if pairs else (owns[0], where[0])
    label, cost = how_confused(graph, link, path, own, other)
    if len(where) > 1 and list(where) == owns[::-1]:
        label, cost = Label.PERMUTED, 23.8
    yield link.mutation(
        ("operand", path, where, turned),
        label,
        cost + 0.3 * turned,
        rule,
        f"the rule of {link.first.name} uses {described(graph, other)} in the place of "
        f"{described(graph, own)}",
    )


def how_confused(graph, link, path, own, other):
    """Return which kind of mistake it is to take one step's value for that of another, and its cost."""
    constants = [not graph.steps[k].references and k not in graph.inputs for k in (own, other)]
    if all(constants) and len(link.members) > 1:
        return Label.STALE_BUFFER, 24
    if same_site(graph, own, other):
        return Label.STALE_BUFFER, 24
    if link.first.function is np.divide and {own, other} <= set(link.first.references):
        return Label.MISSING_FACTOR, 24  # of a quotient 1 is left
    how = relation(graph, own, other)
    if how is Relation.ACTIVATION:
        itself = link.first.elementwise and path == link.path
        return (Label.WRONG_FUNCTION, 24) if itself else (Label.PRE_ACTIVATION, 23)
    if how is Relation.LINEAR and link.first.elementwise:
        return Label.WRONG_FUNCTION, 23.5
    late = graph.steps[max(own, other)]
    direct = min(own, other) in late.references
    if direct and how is Relation.FACTOR and late.function in STRAIGHT:
        return Label.STALE_BUFFER, 24  # x and x + f(x): before and after an update
    multiplied = how is Relation.NORMALISED and late.function in (np.multiply, np.divide)
    if direct and (how is Relation.FACTOR or multiplied):
        return (Label.MISSING_FACTOR if other < own else Label.WRONG_FUNCTION), 24
    if how in (Relation.NORMALISED, Relation.LINEAR):
        return Label.PRE_ACTIVATION, 24
    # Of an input the later value is rather one that it was overwritten with.
    behind = own not in graph.inputs and link.first.elementwise
    behind = behind and comes_from(graph, other, link.members[0])
    if behind or other in link.first.references or graph.steps[other].function is None:
        return Label.WRONG_FUNCTION, 24.2
    return Label.STALE_BUFFER, 25


def same_site(graph, a, b):
    """Tell whether two steps are the same instruction of the user's."""
    return graph.steps[a].site == graph.steps[b].site and graph.steps[a].references


def operand_rearranged(link, path, value):
    """Yield the rule with an operand transposed, flipped or shifted."""
    variants = []
    if is_square(value):
        variants.append((Label.TRANSPOSED, "transposed", lambda x: np.swapaxes(x, -1, -2)))
    axes = [k for k, n in enumerate(value.shape) if n > 1]
    if value.ndim >= 2 and not link.first.elementwise:
        word = "only reshaped, where its axes have to be exchanged"
        variants.append((Label.PERMUTED, word, reshaped_for_transposed))
    if (len(axes) >= 2 and not link.first.elementwise) or 2 <= len(axes) <= 3:
        variants.append((Label.PERMUTED, "flipped", lambda x: np.flip(x, axes[-2:])))
    for axis in axes[:4]:
        if value.shape[axis] <= 64:
            variants.append(
                (Label.PERMUTED, f"reversed along axis {axis}", lambda x, k=axis: np.flip(x, k))
            )
            variants.append(
                (Label.SHIFTED, f"shifted along axis {axis}", lambda x, k=axis: np.roll(x, 1, k))
            )
            variants.append(
                (Label.SHIFTED, f"shifted along axis {axis}", lambda x, k=axis: np.roll(x, -1, k))
            )
    for axis in axes[:3] if not link.first.elementwise or len(axes) == value.ndim else ():
        variants += [
            (Label.AVERAGED, f"averaged over axis {axis}", lambda x, k=axis: as_mean(x, k)),
            (
                Label.WRONG_FUNCTION,
                f"with its first entry along axis {axis} in the place of all",
                lambda x, k=axis: np.broadcast_to(np.take(x, [0], k), x.shape),
            ),
        ]
    for number, (label, word, arrange) in enumerate(variants):

        def rule(k, g, _, arrange=arrange):
            step = link.graph.steps[k]
            values = list(step.operands)
            slot = step.paths.index(path)
            values[slot] = arrange(values[slot])
            return step.pull(g, values)[link.slot(k)]

        own = link.first.references[link.first.paths.index(path)]
        yield link.mutation(
            ("arranged", path, number),
            label,
            24 if label is Label.TRANSPOSED else 26.5 if label is Label.AVERAGED else 25,
            rule,
            f"the rule of {link.first.name} takes {described(link.graph, own)} {word}",
        )


def reshaped_for_transposed(x):
    """Return an array whose transpose has the elements in the order of `x` itself."""
    turned = np.swapaxes(x, -1, -2)
    return np.swapaxes(x.reshape(turned.shape), -1, -2)


def as_mean(x, axis):
    """Return an array with its mean along an axis in all places."""
    return np.broadcast_to(x.mean(axis, keepdims=True), x.shape)


def swapped_operands(graph):
    """Yield products whose operands get each other's gradient."""
    for k in graph.live:
        step = graph.steps[k]
        if step.function is not np.multiply or step.flowing != [True, True]:
            continue
        a, b = (graph.steps[p].value for p in step.references)
        if a.shape != step.value.shape or b.shape != step.value.shape:
            continue
        changes = [
            Change(k, step.references[0], lambda g, _, a=a, b=b: g * (a - b)),
            Change(k, step.references[1], lambda g, _, a=a, b=b: g * (b - a)),
        ]
        yield Mutation(
            ("swapped", k),
            Label.WRONG_FUNCTION,
            24.4,
            changes,
            "each operand of the product is multiplied into its own gradient, and not into that of the "
            "other",
            step.line,
            step.name,
        )


def powers_of_operands(link):
    """Yield the local derivative with an operand or the result too often in it, or too seldom."""
    step = link.first
    if len(step.references) < 2 and step.function is not np.power:
        return
    for slot in (*range(len(step.references)), None):
        for power in (-2, -1, 1, 2):

            def rule(k, g, _, slot=slot, power=power):
                here = link.graph.steps[k]
                value = here.value if slot is None else here.operands[slot]
                # Of the size only: a minus is a mistake of its own.
                slope = here.slopes()[link.slot(k)] * np.abs(np.asarray(value, np.float64)) ** power
                return summed_to(g * slope, link.operand(k).shape)

            what = "the result" if slot is None else described(link.graph, step.references[slot])
            yield link.mutation(
                ("power", slot, power),
                Label.WRONG_FUNCTION if power != -1 else Label.MISSING_FACTOR,
                25.5,
                rule,
                f"the derivative of {step.name} has a wrong power of {what} in it "
                f"({power:+d} too {'much' if power > 0 else 'little'})",
            )


# ---------------------------------------------------------------------------------- other cotangents


def other_cotangents(link):
    """Yield the right rule of the gradient of another step."""
    if len(link.members) > 1:
        yield from other_cotangents_of_loop(link)
        return
    graph, k = link.graph, link.members[0]
    found = 0
    for other in graph.live:
        if graph.steps[other].value.shape != graph.steps[k].value.shape:
            continue
        found += 1
        if found > 16:
            return
        label, cost, why = what_cotangent(graph, k, other)
        yield link.mutation(
            ("cotangent", other),
            label,
            cost,
            lambda _, g, right, other=other: link.right(k, right[other]),
            f"the rule of {link.first.name} takes the gradient of {described(graph, other)} in the "
            "place of "
            f"that of {described(graph, k)}{why}",
        )
        yield link.mutation(
            ("value", other),
            Label.WRONG_FUNCTION,
            28,
            lambda _, g, right, other=other: link.right(k, graph.steps[other].value),
            f"the rule of {link.first.name} takes {described(graph, other)} in the place of the "
            "gradient of "
            f"{described(graph, k)}",
        )


def other_cotangents_of_loop(link):
    """Yield the right rule of the gradient of another step of each round of a loop."""
    graph, k = link.graph, link.members[0]
    groups = {}
    for j in graph.live:
        if graph.steps[j].value.shape == link.first.value.shape and graph.steps[j].references:
            groups.setdefault((graph.steps[j].site, graph.steps[j].function), []).append(j)
    for group in groups.values():
        # Of each round the one that comes next.
        where = tuple(next((j for j in group if j > k), -1) for k in link.members)
        if -1 in where:
            continue
        label, cost, why = what_cotangent(graph, k, where[0])
        yield link.mutation(
            ("cotangent", where),
            label,
            cost,
            lambda j, _, now, where=where: link.right(j, now[where[link.members.index(j)]]),
            f"the rule of {link.first.name} takes the gradient of {described(graph, where[0])} in the "
            "place "
            f"of that of {described(graph, k)}{why}",
        )


def what_cotangent(graph, k, other):
    """Return which mistake it is to take the gradient of another step: label, cost, and in words."""
    how = between(graph, *sorted((k, other)))
    if how is Relation.ACTIVATION:
        return Label.PRE_ACTIVATION, 24.5, ": it is on the wrong side of an activation"
    if how is Relation.GATE and other > k:
        return Label.MASK_FORGOTTEN, 24.4, ": the mask between them is forgotten"
    if how is Relation.FACTOR and other > k:
        return Label.MISSING_FACTOR, 24.6, ": a factor between them is missing"
    if how is Relation.FACTOR:
        return Label.WRONG_FUNCTION, 25.4, ": a factor is multiplied in that does not belong there"
    return Label.STALE_BUFFER, 25.5, ""
