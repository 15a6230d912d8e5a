"""Wrong rules of reductions: largest elements, products, cumulative sums; sums for derivatives."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links, values_like
from tinygrad_relu.gradcheck.diagnosis.sections import sections_before
from tinygrad_relu.gradcheck.diagnosis.trace import Change

LARGEST = {np.max, np.amax}
SMALLEST = {np.min, np.amin}


def reduction_mutations(graph):
    """Yield wrong rules of the reductions of a graph."""
    rules = dict.fromkeys(LARGEST | SMALLEST, extrema) | {np.cumsum: cumulated, np.prod: multiplied}
    for link in links(graph):
        if link.first.function in rules:
            yield from rules[link.first.function](link)
    for k in graph.live:
        if graph.steps[k].function in (np.sum, np.mean) and graph.steps[k].value.size == 1:
            yield from sums_for_derivatives(graph, k)


def axis_of(step):
    """Return the axis, or the axes, that a step reduces, as they were given; None is all of them."""
    return step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)


def kept(step, x):
    """Return an array of the shape of a reduction's result with the axes that are gone, of length 1."""
    gone = axis_of(step) is not None and x.ndim < step.operands[0].ndim
    return np.expand_dims(x, axis_of(step)) if gone else x


# --------------------------------------------------------------------------------------- extrema


def extrema(link):
    """Yield what is made of the gradient of a largest element."""
    name, axis = link.first.name, axis_of(link.first)

    def spread(k, g):
        # What reaches every element if all of them count: g along the axes that are gone.
        step = link.graph.steps[k]
        return np.broadcast_to(kept(step, g), step.operands[0].shape)

    def opposite(k):
        x = link.graph.steps[k].operands[0]
        return x == (np.min if link.first.function in LARGEST else np.max)(x, axis=axis, keepdims=True)

    for key, label, cost, words, rule in (
        ("all", Label.MASK_FORGOTTEN, 21, f"the mask of {name} is forgotten: the gradient reaches every "
         "element, and not just the chosen one", spread),
        ("mean", Label.WRONG_FUNCTION, 22, f"the gradient of {name} is spread evenly, as if it were "
         "a mean", lambda k, g: spread(k, g) * (g.size / link.operand(k).size)),
        ("ties", Label.MASK_NOT_STRICT, 22.5, f"where elements tie, {name} sends the whole gradient to "
         "each of them: the mask is >= for >",
         lambda k, g: spread(k, g) * (link.operand(k) == spread(k, link.graph.steps[k].value))),
        ("opposite", Label.MASK_FROM_WRONG_TENSOR, 22.6, f"the gradient of {name} goes to the element at "
         "the other end: the smallest for the largest", lambda k, g: spread(k, g) * opposite(k)),
        ("first", Label.WRONG_FUNCTION, 23.5, f"the gradient of {name} always goes to the first element",
         lambda k, g: first_along(spread(k, g), axis)),
        *(
            (("next", by), Label.SHIFTED, 23, f"the gradient of {name} goes to a neighbour of the chosen "
             "element", lambda k, g, by=by: np.roll(link.right(k, g), by, axis))
            for by in (1, -1)
        ),
    ):
        yield link.mutation((key,), label, cost, lambda k, g, _, rule=rule: rule(k, g), words)
    if isinstance(axis, int):
        yield from one_of_ties(link, spread, axis)
    yield from masks_of_extrema(link, spread)


def one_of_ties(link, spread, axis):
    """Yield the whole gradient for one element, the first where some tie: but not for the chosen one."""
    name = link.first.name
    chosen, other = (np.argmax, np.argmin) if link.first.function in LARGEST else (np.argmin, np.argmax)

    def only(k, g, choose, by):
        x = link.graph.steps[k].operands[0]
        number = choose(x, axis=axis, keepdims=True) + by
        here = np.arange(x.shape[axis]) == np.moveaxis(number, axis, -1)
        return spread(k, g) * np.moveaxis(here, -1, axis)

    for choose, by, label, cost, where in (
        (chosen, 1, Label.SHIFTED, 23.1, "one place behind the chosen one"),
        (chosen, -1, Label.SHIFTED, 23.1, "one place before the chosen one"),
        (other, 0, Label.MASK_FROM_WRONG_TENSOR, 22.7, "at the other end: the smallest for the largest"),
    ):
        yield link.mutation(
            ("one of ties", choose.__name__, by), label, cost,
            lambda k, g, _, choose=choose, by=by: only(k, g, choose, by),
            f"the gradient of {name} goes to the element {where}",
        )


def masks_of_extrema(link, spread):
    """Yield the gradient of a largest element under the mask of other ones."""
    graph, step = link.graph, link.first
    word = "largest" if step.function in LARGEST else "smallest"
    dimensions = range(step.operands[0].ndim)
    choices = [
        (f"the {word} along axes {axes}", lambda k, axes=axes: extreme(graph.steps[k], axes=axes))
        for length in range(1, len(dimensions) + 1)
        for axes in itertools.combinations(dimensions, length)
    ]
    choices += [
        ("those above 0", lambda k: graph.steps[k].operands[0] > 0),
        (f"what is {word} in size",
         lambda k: extreme(graph.steps[k], np.abs(graph.steps[k].operands[0]))),
    ]
    choices += [
        (f"where {described(graph, others[0])} is {word}",
         lambda k, others=others: extreme(
             graph.steps[k], graph.steps[others[link.members.index(k)]].value
         ))
        for others in values_like(graph, step.operands[0].shape, link.members)
    ]
    for words, mask in choices:
        masks = [mask(k) for k in link.members]
        same = all(np.array_equal(m, extreme(graph.steps[k])) for k, m in zip(link.members, masks))
        if not same and all(m.any() for m in masks):
            yield link.mutation(
                ("mask of", words), Label.MASK_FROM_WRONG_TENSOR, 22.7,
                lambda k, g, _, mask=mask: spread(k, g) * mask(k),
                f"the gradient of {step.name} goes to {words}, and not to what was chosen",
            )


def extreme(step, x=None, axes=()):
    """Return which elements are largest, or smallest, along some axes; those of the step by default."""
    x = step.operands[0] if x is None else x
    choose = np.max if step.function in LARGEST else np.min
    return x == choose(x, axis=axes or axis_of(step), keepdims=True)


def first_along(x, axis):
    """Return `x` with all but the first entries along an axis set to 0."""
    y = np.zeros(x.shape)
    if axis is None:
        y.flat[:1] = x.flat[:1]
        return y
    where = [slice(None)] * x.ndim
    for k in axis if isinstance(axis, tuple) else (axis,):
        where[k] = slice(0, 1)
    y[tuple(where)] = x[tuple(where)]
    return y


# ------------------------------------------------------------------------- products and running sums


def cumulated(link):
    """Yield what is taken for a cumulative sum from the end, which is the reverse of one."""
    step = link.first
    axis = axis_of(step)
    axis = 0 if axis is None and step.operands[0].ndim == 1 else axis
    yield link.mutation(
        ("cumsum",), Label.WRONG_FUNCTION, 23, lambda k, g, _: np.cumsum(g, axis).reshape(g.shape),
        "the reverse of np.cumsum adds up from the end, and here it adds up from the beginning",
    )
    if axis is None:
        return
    yield link.mutation(
        ("no cumsum",), Label.MISSING_TERM, 22, lambda k, g, _: g,
        "the gradient is handed on through np.cumsum as it is, and has to be added up from the end",
    )
    yield link.mutation(
        ("total",), Label.SUMMED, 23.2,
        lambda k, g, _: np.broadcast_to(g.sum(axis, keepdims=True), g.shape),
        "the reverse of np.cumsum adds up from the end to each element, and here all is summed up",
    )
    yield link.mutation(
        ("without own",), Label.MISSING_TERM, 23.3, lambda k, g, _: link.right(k, g) - g,
        "the reverse of np.cumsum adds up from the end, and here each element's own gradient is missing",
    )
    for other in range(step.value.ndim):
        if other != axis % step.value.ndim:
            yield link.mutation(
                ("other axis", other), Label.SUMMED, 23.4,
                lambda k, g, _, a=other: np.flip(np.cumsum(np.flip(g, a), a), a),
                f"the reverse of np.cumsum adds up along axis {other}, and not along axis {axis}",
            )


def multiplied(link):
    """Yield what is made of the derivative of a product of elements, ``prod(x) / x``."""

    def spread(k, g):
        step = link.graph.steps[k]
        return step.operands[0], kept(step, g), kept(step, step.value)

    rules = (
        ("undivided", Label.MISSING_FACTOR, "is not divided by the element itself",
         lambda x, g, y: g * y),
        ("times", Label.WRONG_FUNCTION, "is multiplied by the element itself, and has to be divided",
         lambda x, g, y: g * y * x),
        ("ones", Label.MISSING_FACTOR, "is not multiplied in", lambda x, g, y: g + 0 * x),
        ("own", Label.WRONG_FUNCTION, "is taken for the element itself", lambda x, g, y: g * x),
        ("inverse", Label.MISSING_FACTOR, "lacks the product", lambda x, g, y: g / x),
    )
    for key, label, words, rule in rules:
        yield link.mutation(
            ("product", key), label, 23,
            lambda k, g, _, rule=rule: np.broadcast_to(rule(*spread(k, g)), link.operand(k).shape),
            f"the derivative of {link.first.name}, which is the product of the others, {words}",
        )


def sums_for_derivatives(graph, k):
    """Yield the value of a sum, such as that of a penalty, for the derivative of what is summed."""
    step = graph.steps[k]
    if len(step.references) != 1:
        return
    for start, slope, partial in sections_before(graph, step.references[0]):
        for c in () if partial else (1.0, 2.0, 0.5):
            total = c * float(step.value.reshape(()))

            def extra(g, _, total=total, slope=slope):
                (whole,) = step.pull(g)
                return whole * (total - slope)

            yield Mutation(
                ("sum for derivative", k, start, c), Label.WRONG_FUNCTION, 25.6,
                [Change(k, start, extra)],
                f"{'' if c == 1 else f'{c:.6g} times '}the value of {described(graph, k)} is taken for "
                f"the derivative of what is summed there, by {described(graph, start)}",
                step.line, step.name,
            )
