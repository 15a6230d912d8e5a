"""Wrong sums: over broadcast axes and within reductions."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.sections import sections_before
from tinygrad_relu.gradcheck.diagnosis.trace import Change

LARGEST = {np.max, np.amax}
SMALLEST = {np.min, np.amin}


def sum_mutations(graph):
    """Yield wrong sums of a graph."""
    for link in links(graph):
        is_wide = link.first.elementwise or link.first.function is np.broadcast_to
        if is_wide and link.operand(link.members[0]).shape != link.first.value.shape:
            yield from broadcast_sums(link)
        if link.first.function in LARGEST | SMALLEST:
            yield from extrema(link)
        if link.first.function is np.cumsum:
            yield from cumulated(link)
        if link.first.function is np.prod:
            yield from multiplied(link)
    yield from averaged_over_places(graph)
    for k in graph.live:
        if graph.steps[k].function in (np.sum, np.mean) and graph.steps[k].value.size == 1:
            yield from sums_for_derivatives(graph, k)


# ------------------------------------------------------------------------------- broadcast axes


def broadcast_sums(link):
    """Yield an operand's gradient averaged over the axes that it was broadcast along, or not summed."""
    shape, wide = link.operand(link.members[0]).shape, link.first.value.shape
    lost = tuple(
        k
        for k in range(len(wide))
        if k < len(wide) - len(shape) or (shape[k - len(wide) + len(shape)] == 1 and wide[k] != 1)
    )
    if not lost:
        return
    name = described(link.graph, link.parent(link.members[0]))
    axes = f"axis {lost[0]}" if len(lost) == 1 else f"axes {lost}"

    def term(k, g):
        if link.first.function is np.broadcast_to:
            return g
        return g * link.graph.steps[k].slopes()[link.slot(k)]

    def over(function):
        return lambda k, g, _: function(term(k, g), axis=lost, keepdims=True).reshape(shape)

    yield link.mutation(
        ("mean",),
        Label.AVERAGED,
        9,
        over(np.mean),
        f"the gradient of {name} is averaged over the broadcast {axes}, and has to be summed",
    )
    for number, (whose, mask) in enumerate(masks_like(link.graph, wide)):
        count = np.maximum(mask.sum(lost, keepdims=True), 1)
        if np.ptp(count):
            yield link.mutation(
                ("mean of some", number),
                Label.AVERAGED,
                21.9,
                lambda k, g, _, count=count: (
                    term(k, g).sum(lost, keepdims=True) / count
                ).reshape(shape),
                f"the gradient of {name} is averaged over those that {whose} lets through, and has to "
                "be summed",
            )
    for word, pick in (("first", 0), ("last", -1)):
        yield link.mutation(
            (word,),
            Label.NOT_SUMMED,
            22,
            lambda k, g, _, pick=pick: np.moveaxis(term(k, g), lost, range(len(lost)))[
                (pick,) * len(lost)
            ].reshape(shape),
            f"the gradient of {name} is not summed over the broadcast {axes}: only the {word} entry of "
            "it "
            "is taken",
        )
    for axis in lost if len(lost) > 1 else ():
        yield link.mutation(
            ("one axis", axis),
            Label.NOT_SUMMED,
            22.5,
            lambda k, g, _, axis=axis: np.moveaxis(
                term(k, g).sum(tuple(a for a in lost if a != axis), keepdims=True), axis, 0
            )[0].reshape(shape),
            f"the gradient of {name} is not summed over axis {axis}, along which it was broadcast",
        )
        yield link.mutation(
            ("mean over", axis),
            Label.AVERAGED,
            9.5,
            lambda k, g, _, axis=axis: (
                term(k, g).mean(axis, keepdims=True).sum(lost, keepdims=True).reshape(shape)
            ),
            f"the gradient of {name} is averaged over axis {axis}, and has to be summed",
        )
    if np.prod(shape) > 1:
        yield link.mutation(
            ("all axes",),
            Label.SUMMED,
            23.2,
            lambda k, g, _: np.full(shape, term(k, g).sum()),
            f"the gradient of {name} is summed over all axes, and was broadcast along {axes}",
        )
    yield link.mutation(
        ("extremum",),
        Label.NOT_SUMMED,
        24,
        over(np.max),
        f"of the gradient of {name} the largest entry along {axes} is taken, and not the sum",
    )
    for word, by_row in (("once where it is at all", True), ("once everywhere", False)):
        yield link.mutation(
            (word,),
            Label.MISSING_FACTOR,
            24.1,
            lambda k, g, _, by_row=by_row: once(term(k, g), lost, by_row).reshape(shape),
            f"the gradient of {name} is counted {word}, and not as many times as a mask lets elements "
            f"through along {axes}: their number is missing",
        )
    for axis in range(len(wide)):
        kept = [n for k, n in enumerate(wide) if k != axis]
        if axis not in lost and int(np.prod(kept)) == int(np.prod(shape)):
            yield link.mutation(
                ("axis", axis),
                Label.SUMMED,
                23,
                lambda k, g, _, axis=axis: term(k, g).sum(axis).reshape(shape),
                f"the gradient of {name} is summed over axis {axis}, and was broadcast along {axes}",
            )


def once(x, axes, by_row):
    """Return the one number that an array has where it is not 0, in the place of its sums along axes."""
    numbers = x[x != 0]
    if not numbers.size or numbers.size == x.size or np.ptp(numbers) > 1e-12 * abs(numbers[0]):
        raise ValueError("no multiple of a mask")
    counted = (x != 0).any(axes, keepdims=True)
    return numbers[0] * (counted if by_row else np.ones(counted.shape))


def masks_like(graph, shape):
    """Yield the masks of a shape, and those of the other elements, with what they are called."""
    for k, step in enumerate(graph.steps):
        x = step.value
        if x.shape == shape and x.size > 1 and not step.flows and ((x == 0) | (x == 1)).all():
            yield described(graph, k), x.astype(float)
            yield f"the opposite of {described(graph, k)}", 1.0 - x


# --------------------------------------------------------------------------------------- extrema


def cumulated(link):
    """Yield what is taken for a cumulative sum from the end, which is the reverse of one."""
    step = link.first
    axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)
    yield link.mutation(
        ("cumsum",), Label.WRONG_FUNCTION, 23, lambda k, g, _: np.cumsum(g, axis).reshape(g.shape),
        "the reverse of np.cumsum adds up from the end, and here it adds up from the beginning",
    )
    if axis is None:
        return
    yield link.mutation(
        ("no cumsum",), Label.MISSING_FACTOR, 22, lambda k, g, _: g,
        "the gradient is handed on through np.cumsum as it is, and has to be added up from the end",
    )
    yield link.mutation(
        ("total",), Label.SUMMED, 23.2, lambda k, g, _: np.broadcast_to(g.sum(axis, keepdims=True), g.shape),
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
        axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)
        wide = axis is not None and g.ndim < step.operands[0].ndim
        g, y = (np.expand_dims(v, axis) if wide else v for v in (g, step.value))
        return step.operands[0], g, y

    rules = (
        ("undivided", Label.MISSING_FACTOR, "is not divided by the element itself", lambda x, g, y: g * y),
        ("times", Label.WRONG_FUNCTION, "is multiplied by the element itself, and has to be divided",
         lambda x, g, y: g * y * x),
        ("ones", Label.MISSING_FACTOR, "is not multiplied in", lambda x, g, y: g + 0 * x),
        ("own", Label.WRONG_FUNCTION, "is taken for the element itself", lambda x, g, y: g * x),
        ("inverse", Label.MISSING_FACTOR, "lacks the product", lambda x, g, y: g / x),
    )
    for key, label, words, rule in rules:
        yield link.mutation(
            ("product", key), label, 23, lambda k, g, _, rule=rule: rule(*spread(k, g)) + 0 * link.operand(k),
            f"the derivative of {link.first.name}, which is the product of the others, {words}",
        )


def averaged_over_places(graph):
    """Yield the gradient of what is broadcast in each round of a loop as a mean over all places."""
    for k in graph.live:
        count, size = 0, graph.steps[k].value.size
        users = [j for j in graph.live for _, p in graph.edges(j) if p == k]
        for j in users:
            step = graph.steps[j]
            count += step.value.size // max(1, size) if step.elementwise else 1
        if len(users) > 1 and count > len(users):
            yield Mutation(
                ("mean of places", k), Label.AVERAGED, 9.3,
                [Change(k, k, lambda g, _, count=count: g / count - g)],
                f"the gradient of {described(graph, k)} is averaged over the {count} places where it is "
                "used, and has to be summed",
                graph.steps[users[0]].line, graph.steps[users[0]].name,
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
                ("sum for derivative", k, start, c), Label.WRONG_FUNCTION, 25.6, [Change(k, start, extra)],
                f"{'' if c == 1 else f'{c:.6g} times '}the value of {described(graph, k)} is taken for the "
                f"derivative of what is summed there, by {described(graph, start)}",
                step.line, step.name,
            )


def extrema(link):
    """Yield what is made of the gradient of a largest element."""

    def spread(k, g):
        # What reaches every element if all of them count: g along the axes that are gone.
        step = link.graph.steps[k]
        axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)
        if axis is not None and g.ndim < step.operands[0].ndim:
            g = np.expand_dims(g, axis)
        return np.broadcast_to(g, step.operands[0].shape)

    def count(k):
        step = link.graph.steps[k]
        return step.operands[0].size / max(1, step.value.size)

    def ties(k):
        step = link.graph.steps[k]
        return step.operands[0] == spread(k, step.value)

    def opposite(k):
        step = link.graph.steps[k]
        axis = step.keywords.get("axis", step.arguments[1] if len(step.arguments) > 1 else None)
        other = np.min if step.function in LARGEST else np.max
        return step.operands[0] == other(step.operands[0], axis=axis, keepdims=True)

    name = link.first.name
    yield link.mutation(
        ("all",),
        Label.MASK_FORGOTTEN,
        21,
        lambda k, g, _: spread(k, g),
        f"the mask of {name} is forgotten: the gradient reaches every element, and not just the chosen "
        "one",
    )
    yield link.mutation(
        ("mean",),
        Label.WRONG_FUNCTION,
        22,
        lambda k, g, _: spread(k, g) / count(k),
        f"the gradient of {name} is spread evenly, as if it were a mean",
    )
    yield link.mutation(
        ("ties",),
        Label.MASK_NOT_STRICT,
        22.5,
        lambda k, g, _: spread(k, g) * ties(k),
        f"where elements tie, {name} sends the whole gradient to each of them: the mask is >= for >",
    )
    yield link.mutation(
        ("opposite",),
        Label.WRONG_FUNCTION,
        22.6,
        lambda k, g, _: spread(k, g) * opposite(k),
        f"the gradient of {name} goes to the element at the other end: the smallest for the largest",
    )
    yield from masks_of_extrema(link, spread)
    axis = link.first.keywords.get("axis", None)
    for by in (1, -1):
        yield link.mutation(
            ("next", by),
            Label.SHIFTED,
            23,
            lambda k, g, _, by=by: np.roll(link.right(k, g), by, axis),
            f"the gradient of {name} goes to a neighbour of the chosen element",
        )
    yield link.mutation(
        ("first",),
        Label.WRONG_FUNCTION,
        23.5,
        lambda k, g, _: first_along(spread(k, g), axis),
        f"the gradient of {name} always goes to the first element",
    )


def masks_of_extrema(link, spread):
    """Yield the gradient of a largest element under the mask of those of other groups."""
    step = link.first
    largest = step.function in LARGEST
    x, own = step.operands[0], spread(link.members[0], step.value)
    masks = [
        (axes, x == (np.max if largest else np.min)(x, axis=axes, keepdims=True))
        for length in range(1, x.ndim + 1)
        for axes in itertools.combinations(range(x.ndim), length)
    ]
    masks = [(f"the {'largest' if largest else 'smallest'} along axes {axes}", m) for axes, m in masks]
    masks.append(("those above 0", x > 0))
    for words, mask in masks:
        if len(link.members) == 1 and mask.any() and not np.array_equal(mask, x == own):
            yield link.mutation(
                ("mask of", words), Label.MASK_FROM_WRONG_TENSOR, 22.7,
                lambda k, g, _, mask=mask: spread(k, g) * mask,
                f"the gradient of {step.name} goes to {words}, and not to what was chosen",
            )


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
