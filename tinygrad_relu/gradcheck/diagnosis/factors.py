"""Comparisons of arrays alone: what was returned is the right gradient times numbers, or rounded."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.evidence import tolerance
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.numbers import WORDS, close, simple, told
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND

# What an array loses where it is rounded to float32, and a high power of it, or a sum of a few.
SINGLE = 16 * float(np.finfo(np.float32).eps)
LEAST = 1e-9
# An element that is off by less, as part of itself, has not been rounded.
LEAST_MOVED = 1e-11


def factor_between(evidence, k):
    """Return the number that the right gradients of input `k` are all multiplied by, or None."""
    right = np.concatenate([one.expected[k].ravel() for one in evidence])
    given = np.concatenate([one.analytic[k].ravel() for one in evidence])
    largest = int(np.argmax(np.abs(right))) if right.size else 0
    if not right.size or not right[largest]:
        return None
    c = float(given @ right / (right @ right))
    fits = all(
        (np.abs(one.analytic[k] - c * one.expected[k]) <= one.allowed[k] * max(1, abs(c))).all()
        for one in evidence
    )
    # What is 0 but for rounding is no factor.
    return c if fits and abs(c) > 1e-9 and abs(c - 1) > 1e-9 else None


def factors(case, evidence, k):
    """Yield ``(label, cost, words, details)`` for plain factors."""
    c = factor_between(evidence, k)
    if c is not None:
        numbers = sum(int((np.abs(one.expected[k]) > one.allowed[k]).sum()) for one in evidence)
        words, known = named(case, evidence, c)
        cost = 10 if known else 12 if numbers > 3 else 30
        if known or numbers > 1:
            yield Label.CONSTANT_FACTOR, cost, words, {"factor": c}
    elif evidence[0].expected[k].ndim >= 1:
        yield from by_rows(evidence, k)
        each = [factor_between([one], k) for one in evidence]
        if all(each) and evidence[0].expected[k].size > 2 and all(map(is_share(case), each)):
            words = (
                f"is {each[0]:.6g} times what it should be, everywhere, and another number of times at "
                "other inputs, always a number of elements over a smaller one: is it averaged over some "
                "of them only?"
            )
            yield Label.AVERAGED, 29, words, {}
        elif all(each) and evidence[0].expected[k].size > 2:
            words = (
                f"is {each[0]:.6g} times what it should be, everywhere, and another number of times at "
                "other inputs: is a factor missing that is computed from them?"
            )
            yield Label.MISSING_FACTOR, BEHIND + 3, words, {}


def is_odd(case, evidence, c):
    """Tell whether a factor is neither a simple number nor one of the lengths at hand."""
    return simple(c) is None and not named_lengths(case, evidence, c)


def is_share(case):
    """Return what tells whether a number is the length of an axis over a smaller number of entries."""
    lengths = {n for x in (*case.inputs, *case.draws[0].cotangents) for n in np.shape(x)}
    shares = [n / m for n in lengths for m in range(1, min(n, 1000))]
    return lambda c: any(close(abs(c), share) or close(abs(c), 1 / share) for share in shares)


def named(case, evidence, c):
    """Return how to say a factor, and whether it is one that means something."""
    if (word := next((w for n, w in WORDS.items() if close(c, n)), None)) is not None:
        found = f"is exactly {word} what it should be, everywhere"
        if close(c, 2):
            found += ": is a factor 1/2 missing?"
        elif close(c, 0.5):
            found += ": is a factor 2 missing?"
        elif close(c, -1):
            found = "has the wrong sign, everywhere: is a minus missing?"
        lengths = named_lengths(case, evidence, c)
        if lengths and abs(c) != 1:
            found += f"{'' if found.endswith('?') else '.'}  It may also be {lengths}"
        return found, True
    lengths = named_lengths(case, evidence, c)
    if lengths:
        verb = "not divided by" if abs(c) > 1 else "divided once too often by"
        return f"is {c:.6g} times what it should be, everywhere: is it {verb} {lengths}?", True
    if close(c, 1):
        return f"is {told(c)} times what it should be, everywhere", False
    nice = simple(c)
    if nice:
        return f"is {nice} times what it should be, everywhere", True
    ratio = named_ratio(case, evidence, c)
    if ratio:
        # A short decimal number is rather one that was written down.
        return ratio, "/" in told(c)
    return (
        f"is {told(c)} times what it should be, everywhere: is a factor {told(1 / c)} missing?", False
    )


def named_lengths(case, evidence, c):
    """Return which length of the inputs, outputs or intermediates a factor is, or its inverse."""
    size = abs(c) if abs(c) > 1 else 1 / abs(c)
    if size < 1.5 or not close(size, round(size)):
        return ""
    for n, name in lengths_at_hand(case, evidence):
        if close(size, n):
            return f"{n}, {name}"
    return ""


def named_ratio(case, evidence, c):
    """Return the words for a factor that is the ratio of two lengths, or nothing."""
    known = {}
    for n, name in lengths_at_hand(case, evidence):
        known.setdefault(n, name)
    for right, name in known.items():
        for taken, other in known.items():
            if right > 1 and taken > 1 and close(abs(c), right / taken):
                return (
                    f"is {'-' if c < 0 else ''}{right}/{taken} times what it should be, everywhere: is "
                    f"it divided by {taken}, {other}, and not by {right}, {name}?"
                )
    return ""


def lengths_at_hand(case, evidence):
    """Yield ``(length, what it is)``: of axes first, then the numbers of elements."""
    arrays = list(zip(case.names, case.inputs))
    arrays += [("the output", w) for w in evidence[0].cotangents]
    if evidence[0].graph is not None:
        arrays += [("an intermediate result", step.value) for step in evidence[0].graph.steps]
    for name, x in arrays:
        yield from ((n, f"the length of axis {axis} of {name}") for axis, n in enumerate(np.shape(x)))
    yield from ((np.size(x), f"the number of elements of {name}") for name, x in arrays if np.size(x) > 1)


def by_rows(evidence, k):
    """Yield a factor for each entry along one axis: a vector that is missing, or there once too often."""
    shape = evidence[0].expected[k].shape
    for axis in range(len(shape)):
        others = tuple(a for a in range(len(shape)) if a != axis)
        if not others or shape[axis] < 2 or int(np.prod([shape[a] for a in others])) < 3:
            continue
        if all(scaled_along(one, k, others) for one in evidence):
            words = (
                f"is off by a factor of its own for each entry of axis {axis}: is a vector of "
                f"{shape[axis]} numbers missing in a product, or there once too often?"
            )
            yield Label.MISSING_FACTOR, BEHIND + 4, words, {"axis": axis}


def scaled_along(one, k, others):
    """Tell whether a gradient is the right one but for a factor that varies along one axis only."""
    right, given = one.expected[k], one.analytic[k]
    norm = (right * right).sum(others, keepdims=True)
    with np.errstate(all="ignore"):
        c = np.where(norm > 0, (given * right).sum(others, keepdims=True) / norm, 0)
    near = np.abs(given - c * right) <= tolerance(given, c * right)
    return bool(near.all() and np.any(c))


def rounded(evidence, k):
    """Yield the explanation of a gradient that is off by as much as rounding to float32 makes it."""
    for one in evidence:
        size = np.abs(one.expected[k]).max(initial=0)
        close_by = size > 0 and (np.abs(one.residue(k)) <= SINGLE * size).all()
        # Rounding spares few elements; a mistake in one of them alone is none.
        there = one.expected[k] != 0
        moved = np.abs(one.residue(k))[there] > LEAST_MOVED * np.abs(one.expected[k][there])
        close_by = close_by and moved.mean() > 0.5
        if one.analytic[k].dtype != np.float64 or not close_by:
            return
    off = max(np.abs(one.residue(k)).max(initial=0) / np.abs(one.expected[k]).max() for one in evidence)
    if off < LEAST:
        return  # that is less than what is lost there
    words = (
        f"is right but for {off:.0e} of its size, which is what is lost where an array is rounded to "
        "float32: is one made with that dtype on the way?"
    )
    yield Label.WRONG_DTYPE, 60, words, {"off": off}
