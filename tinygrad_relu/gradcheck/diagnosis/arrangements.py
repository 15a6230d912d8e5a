"""Comparisons of arrays alone: this is the right gradient in another order, or sums of it."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label

MOST_ELEMENTS_TO_SORT, MOST_PAIRS = 100_000, 1_000_000

#: How it ends that a gradient is that of another input.
IN_ANOTHER_ORDER = ": are the results returned in the wrong order?"


def arrangements(evidence, k, case):
    """Yield ``(label, cost, words, details)`` for everything that the returned gradient may be of it."""
    for label, cost, words, details, function in variants(evidence[0].expected[k].shape):
        if all(matches(one, k, function(one.expected[k])) for one in evidence):
            yield label, cost, words, details
    yield from permuted_elements(evidence, k)
    yield from swapped(evidence, k, case)


def matches(one, k, candidate):
    """Tell whether the returned gradient is `candidate`."""
    if np.shape(candidate) != one.analytic[k].shape or not np.any(candidate):
        return False
    return bool((np.abs(one.analytic[k] - candidate) <= 4 * one.allowed[k].max(initial=0)).all())


def variants(shape):
    """Yield what may be done to an array of a shape: ``(label, cost, words, details, function)``."""
    axes = [a for a, n in enumerate(shape) if n > 1]
    for order in itertools.permutations(range(len(shape))) if 2 <= len(shape) <= 4 else ():
        if order != tuple(range(len(shape))) and tuple(shape[a] for a in order) == shape:
            turned = "is transposed" if len(shape) == 2 else f"has its axes in the order {order}"
            yield Label.TRANSPOSED, 11, turned, {"axes": list(order)}, lambda x, o=order: x.transpose(o)
    for axis in axes:
        yield from shifted(shape, axis)
        yield Label.PERMUTED, 13, f"is reversed along axis {axis}", {"axis": axis}, flip_along(axis)
        yield (
            Label.STALE_BUFFER,
            13.1,
            f"has the last entry along axis {axis} in the place of all: was one buffer filled again and "
            "again, and never copied?",
            {"axis": axis},
            lambda x, a=axis: np.broadcast_to(np.take(x, [-1], a), x.shape),
        )
    if len(axes) > 1:
        yield Label.PERMUTED, 13.5, "is flipped along its last two axes", {}, flip_along(axes[-2:])
        words = "has its elements in the wrong order: a reshape instead of a transpose"
        yield Label.PERMUTED, 13.6, words, {}, lambda x: x.reshape(x.shape, order="F")
        yield Label.PERMUTED, 13.6, words, {}, lambda x: x.T.reshape(x.shape)
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        for words, part in (
            ("on its diagonal", lambda x: np.diag(np.diag(x))), ("below its diagonal", np.tril),
            ("above its diagonal", np.triu),
        ):
            yield Label.MISSING_TERM, 13.3, f"is there {words} only, and 0 elsewhere", {}, part
    for length in range(1, len(axes) + 1):
        for over in itertools.combinations(axes, length):
            yield from broadcast_back(over)


def flip_along(axes):
    """Return the function that reverses an array along axes."""
    return lambda x: np.flip(x, axes)


def shifted(shape, axis):
    """Yield shifts along an axis, around its end or beyond."""
    for by in range(1, min(shape[axis], 33)):
        if 2 * by == shape[axis]:
            words = f"has its {'entries' if by == 1 else 'halves'} along axis {axis} exchanged"
            yield Label.PERMUTED, 12, words, {"axis": axis}, lambda x, b=by: np.roll(x, b, axis)
            continue
        places = by if by <= shape[axis] // 2 else by - shape[axis]
        plural = "" if abs(places) == 1 else "s"
        yield (
            Label.SHIFTED,
            12 + 0.1 * (abs(places) > 1),
            f"is shifted by {places} place{plural} along axis {axis}",
            {"axis": axis, "by": places},
            lambda x, b=by: np.roll(x, b, axis),
        )
    for by in (1, -1):
        yield (
            Label.SHIFTED,
            12.5,
            f"is shifted by {by} place along axis {axis}, and the end is lost",
            {"axis": axis, "by": by},
            lambda x, b=by: shifted_out(x, b, axis),
        )


def broadcast_back(over):
    """Yield sums and means over axes, put back to all entries."""
    axes = f"axis {over[0]}" if len(over) == 1 else f"axes {over}"
    yield (
        Label.SUMMED,
        22.0,  # behind a mask of a maximum that is forgotten
        f"is summed over {axes}, where it should not be",
        {"axes": list(over)},
        lambda x: np.broadcast_to(x.sum(over, keepdims=True), x.shape),
    )
    yield (
        Label.AVERAGED,
        14,
        f"is averaged over {axes}, where it should not be",
        {"axes": list(over)},
        lambda x: np.broadcast_to(x.mean(over, keepdims=True), x.shape),
    )


def shifted_out(x, by, axis):
    """Return `x` moved along an axis, with zeros where nothing arrives."""
    y = np.roll(x, by, axis)
    where = [slice(None)] * x.ndim
    where[axis] = slice(0, by) if by > 0 else slice(by, None)
    y[tuple(where)] = 0
    return y


def permuted_elements(evidence, k):
    """Yield rows, columns or elements in some other order, the same for all draws."""
    right, given = evidence[0].expected[k], evidence[0].analytic[k]
    if not 2 < right.size <= MOST_ELEMENTS_TO_SORT:
        return
    for axis in range(right.ndim if right.ndim > 1 else 0):
        order = order_of_entries(right, given, axis)
        if order is not None and all(
            matches(one, k, np.take(one.expected[k], order, axis)) for one in evidence
        ):
            yield (
                Label.PERMUTED,
                13.2,
                f"has its entries along axis {axis} in another order",
                {"axis": axis, "order": [int(n) for n in order]},
            )
            return
    places = np.argsort(np.argsort(given.ravel(), kind="stable"), kind="stable")
    order = np.argsort(right.ravel(), kind="stable")[places]
    if np.array_equal(order, np.arange(order.size)):
        return
    if all(matches(one, k, one.expected[k].ravel()[order].reshape(right.shape)) for one in evidence):
        yield Label.PERMUTED, 27.5, "has the right elements in the wrong places", {}


def order_of_entries(right, given, axis):
    """Return which entry of `right` each one of `given` is, along an axis, or None."""
    a, b = (np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1) for x in (right, given))
    if len(a) * a.size > MOST_PAIRS:
        return None
    apart = np.abs(b[:, None] - a[None]).max(-1)
    order = apart.argmin(1)
    is_order = len(set(order.tolist())) == len(order) and not np.array_equal(order, np.arange(len(order)))
    return order if is_order else None


def swapped(evidence, k, case):
    """Yield the gradient of another input in the place of this one."""
    for other, name in enumerate(case.names):
        if other == k or evidence[0].expected[other].shape != evidence[0].expected[k].shape:
            continue
        if all(matches(one, k, one.expected[other]) for one in evidence):
            back = all(np.allclose(one.analytic[other], one.expected[k], 1e-6, 0) for one in evidence)
            yield (
                Label.PERMUTED,
                12 if back else 27,
                f"is the gradient of {name}{IN_ANOTHER_ORDER}",
                {"input": name},
            )
