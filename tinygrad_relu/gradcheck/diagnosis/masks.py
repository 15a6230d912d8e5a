"""Masks of elementwise functions that come from elsewhere, or of the wrong comparison."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import GATES
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import described, values_like

LEVELS = (-1.0, -0.5, 0.1, 0.5, 1.0)  # that a mask may be taken at

def wrong_masks(section, sides):
    """Yield masks of another tensor, or with the wrong comparison."""
    low, high = sides
    yield section.mutation(
        ("inverted",),
        Label.MASK_FROM_WRONG_TENSOR,
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
        wider = all(((w == high) | (s != high)).all() for w, s in zip(found, section.slopes))
        limits = graph.steps[section.ends[0]].function in (np.clip, np.maximum, np.minimum)
        one_of_two = graph.steps[section.ends[0]].function is np.clip or t in thresholds_of(
            graph, section.ends[0]
        )
        if limits and wider and not at_ties and one_of_two:
            return section.mutation(
                ("mask", kind, where, t, strict), Label.MASK_FORGOTTEN, 22.5, wrong,
                f"of the two limits of {section.name} only the one at {t:g} has a mask: the other one is "
                "forgotten",
            )
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


def of_one_branch(section):
    """Yield for the derivative of a gate that of one of its branches, as if that were always taken."""
    graph, (start, *_), (end, *others) = section.graph, section.starts, section.ends
    step = graph.steps[end]
    if others or section.partial or step.function not in GATES or step.function is np.clip:
        return
    right = section.slopes[0]
    for slot, parent in graph.edges(end):
        if step.operands[slot].shape != step.value.shape:
            continue
        slope = slope_from(graph, start, {parent: np.ones(step.value.shape)}, step.value.shape)
        if slope is None or not slope.any() or np.array_equal(slope, right):
            continue
        if comes_of_sizes(graph, start, parent):
            continue  # that is the derivative of another function, and no mask that is forgotten
        stops = bool(((slope == 0) & (right != 0)).any())
        words = (
            f"is not its own: what operand {slot + 1} stops is stopped where the other one is taken, too"
            if stops else f"is forgotten: every element has the derivative of operand {slot + 1}"
        )
        yield section.mutation(
            ("branch", slot),
            Label.MASK_FROM_WRONG_TENSOR if stops else Label.MASK_FORGOTTEN,
            22.9 if stops else 20.6,
            lambda j, _, slope=slope: slope,
            f"the mask of {section.name} {words}",
        )


def comes_of_sizes(graph, start, end):
    """Tell whether a step comes of an earlier one by its absolute value."""
    reached = {end}
    for k in range(end, start, -1):
        if k in reached:
            if graph.steps[k].function is np.absolute:
                return True
            reached |= {p for _, p in graph.edges(k) if p >= start}
    return False


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
    return slope_from(graph, start, moved, step.value.shape)


def slope_from(graph, start, moved, shape):
    """Return what slopes at some steps make, element by element, at an earlier one; None if nothing."""
    while moved and max(moved) > start:
        last = max(moved)
        graph.send(last, moved.pop(last), moved)
        moved = {p: x for p, x in moved.items() if x.shape == shape and p >= start}
    return moved.get(start)


def compared_with_zero(x):
    """Yield signs, and the masks that they give."""
    yield ">", x > 0
    yield ">=", x >= 0
    yield "<", x < 0


def masks_at_level(mask, x):
    """Yield keys and masks that differ from one of `x` beyond a level in the elements at the level."""
    mask = mask.astype(bool)
    if mask.all() or not mask.any() or x.dtype.kind not in "fiu":
        return
    for sign in (1, -1):
        v = sign * x
        below, above = v[~mask].max(), v[mask].min()
        if below < above:
            for word, found in ((">=", v >= below), (">", v > above)):
                if found.any() and not found.all():
                    yield (sign, word), found
