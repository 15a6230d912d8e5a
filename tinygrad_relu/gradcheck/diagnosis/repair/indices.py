"""Places that take or put at other indices than is meant, or write where they have to add."""

import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.indices import is_index, parts_of
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.operands import is_pair
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import Rewrite, operand_changer
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at, take_at

# Windows may be so many places apart.
STRIDES = (2, 3)


def of_key(step):
    """Yield other indices where something is taken or put."""
    if step.function not in (take_at, assign_at, add_at):
        return
    parts = parts_of(step.arguments[1])
    for position, part in enumerate(parts):
        for label, words, other in other_keys(part):
            def rule(w, k, x, position=position, other=other):
                return with_key(w.steps[k], x, lambda parts: replaced(parts, position, other))

            yield Rewrite.of(label, BEHIND + 0.3, words, rule)
    for stride in STRIDES if any(map(is_window, parts)) else ():
        yield Rewrite.of(
            Label.SHIFTED, BEHIND + 0.5, f"slices that begin {stride} times as far",
            lambda w, k, x, n=stride: with_key(
                w.steps[k], x, lambda parts: tuple(further(p, n) if is_window(p) else p for p in parts)
            ),
        )
    for a, b in itertools.combinations(range(min(len(parts), 5)), 2):
        if type(parts[a]) is type(parts[b]):
            yield Rewrite.of(
                Label.TRANSPOSED, BEHIND + 0.4, "the indices exchanged",
                lambda w, k, x, a=a, b=b: with_key(w.steps[k], x, lambda parts: exchanged(parts, a, b)),
            )


def of_other_arrays(written, place):
    """Yield other arrays of indices that are at hand, for an array or, in a loop, round by round."""
    if any(written.steps[k].function not in (take_at, assign_at, add_at) for k in place):
        return
    rounds = {k: number for group in by_site(written, place) for number, k in enumerate(group)}
    keys = [parts_of(written.steps[k].arguments[1]) for k in place]
    for position in range(min(map(len, keys))):
        own = own_indices([parts[position] for parts in keys], [rounds[k] for k in place])
        if own is None:
            continue
        for name, other in (*numbers_of_rounds(own), *written.one.graph.data, *written.data):
            if other.dtype.kind not in "iu" or other.shape != own.shape or np.array_equal(other, own):
                continue
            for order in (other, other[::-1]) if max(rounds.values()) else (other,):
                label = Label.SHIFTED if follows(own, order) else Label.PERMUTED
                label = label if np.ptp(own) else Label.STALE_BUFFER

                def rule(w, k, x, position=position, order=order):
                    at = int(order[rounds[k]]) if len(order) > 1 and max(rounds.values()) else order
                    return with_key(w.steps[k], x, lambda found: replaced(found, position, lambda _: at))

                yield Rewrite.of(label, BEHIND + 0.2, f"{name} as indices", rule)


def numbers_of_rounds(own):
    """Yield the numbers of the rounds of a loop where all of them have one index."""
    if own.ndim == 1 and own.size > 1 and not np.ptp(own):
        yield "the number of the round", np.arange(own.size)


def by_site(written, place):
    """Return the steps of a place by the instruction that made them, each with all its rounds."""
    found = {}
    for k in sorted(place):
        found.setdefault((written.steps[k].site, written.steps[k].function), []).append(k)
    return found.values()


def own_indices(parts, rounds):
    """Return the indices that a place has: an array, or the numbers of its rounds; None if neither."""
    if is_index(parts[0]) and not any(rounds):
        return parts[0]
    if not all(isinstance(n, (int, np.integer)) for n in parts) or len(parts) < 2:
        return None
    numbers = dict(zip(rounds, parts))
    same = all(numbers[r] == n for r, n in zip(rounds, parts))
    return np.array([int(numbers[r]) for r in sorted(numbers)]) if same and len(numbers) > 1 else None


def follows(one, other):
    """Tell whether one array of indices is another one that begins a place earlier or later."""
    return one.size > 1 and (
        np.array_equal(one[..., 1:], other[..., :-1]) or np.array_equal(one[..., :-1], other[..., 1:])
    )


def exchanged(parts, a, b):
    """Return a tuple with two of its parts exchanged."""
    parts = list(parts)
    parts[a], parts[b] = parts[b], parts[a]
    return tuple(parts)


def of_lines(written, place):
    """Yield all slices on a line from their other ends, its arrays of indices exchanged, or others."""
    yield from of_other_arrays(written, place)
    for by in (1, -1):
        yield Rewrite.of(
            Label.SHIFTED, BEHIND + 0.6, f"all arrays of indices {by:+d}",
            lambda w, k, x, by=by: with_key(
                w.steps[k], x, lambda parts: tuple(p + by if is_index(p) else p for p in parts)
            ),
        )
    yield Rewrite.of(
        Label.SHIFTED, BEHIND + 0.7, "all slices on the line from their other ends",
        lambda w, k, x: with_key(w.steps[k], x, lambda parts: tuple(map(turned, parts))),
    )
    if all(is_pair(written.steps[k].arguments[1]) for k in place):
        yield Rewrite.of(
            Label.TRANSPOSED, BEHIND + 0.6, "the two indices exchanged, wherever there are two",
            lambda w, k, x: with_key(w.steps[k], x, lambda parts: parts[::-1]),
        )
    keys = [written.steps[k].arguments[1] for k in place]
    different = [key for n, key in enumerate(keys) if not any(same_key(key, other) for other in keys[:n])]
    if len(different) == 2:
        yield Rewrite.of(
            Label.PERMUTED, BEHIND + 0.65, "the two indices exchanged",
            lambda w, k, x: with_key(
                w.steps[k], x,
                lambda _: parts_of(different[same_key(w.steps[k].arguments[1], different[0])]),
            ),
        )
    arrays = []
    for k in place:
        for part in parts_of(written.steps[k].arguments[1]):
            if is_index(part) and not any(np.array_equal(part, other) for other in arrays):
                arrays.append(part)
    if len(arrays) == 2:
        one, other = arrays
        yield Rewrite.of(
            Label.PERMUTED, BEHIND + 0.6, "the two arrays of indices on the line exchanged",
            lambda w, k, x: with_key(
                w.steps[k], x,
                lambda parts: tuple(
                    p if not is_index(p) else other if np.array_equal(p, one) else one for p in parts
                ),
            ),
        )


def same_key(one, other):
    """Tell whether two keys are the same."""
    return repr(one) == repr(other)


def turned(part):
    """Return a slice from its other end; anything else as it is."""
    return slice_from_the_other_end(part) if isinstance(part, slice) else part


def with_key(step, operands, change):
    """Return what an indexed step gives with another key."""
    key = step.arguments[1]
    parts = change(parts_of(key))
    arguments = list(step.arguments)
    arguments[1] = parts if isinstance(key, tuple) else parts[0]
    return step.called(operands, arguments=arguments)


def replaced(parts, position, other):
    """Return a tuple with one part changed."""
    return (*parts[:position], other(parts[position]), *parts[position + 1:])


def other_keys(part):
    """Yield how a part of an index may be meant: label, words, function."""
    if isinstance(part, (int, np.integer)) and not isinstance(part, (bool, np.bool_)):
        for by in (1, -1):
            words = f"an index that is 1 {'more' if by > 0 else 'less'}"
            yield Label.SHIFTED, words, lambda n, by=by: n + by
        yield Label.PERMUTED, "an index from the other end", lambda n: -1 - n
    elif isinstance(part, slice):
        for by in (1, -1):
            yield Label.SHIFTED, "a slice shifted by one", lambda s, by=by: moved_slice(s, by)
        yield Label.SHIFTED, "a slice from the other end", slice_from_the_other_end
        yield Label.PERMUTED, "the slice in reversed order", lambda s: slice(None, None, -1)
    elif isinstance(part, np.ndarray) and part.dtype.kind == "b":
        yield Label.MASK_FROM_WRONG_TENSOR, "the opposite of the mask", np.logical_not
    elif isinstance(part, np.ndarray) and part.dtype.kind in "iu":
        for by in (1, -1):
            yield Label.SHIFTED, "indices shifted by one", lambda n, by=by: n + by
        yield Label.PERMUTED, "the inverse of the permutation", np.argsort


def is_window(part):
    """Tell whether a part of an index is a slice from one number to another."""
    return isinstance(part, slice) and part.stop is not None and part.start is not None


def further(s, stride):
    """Return a slice of the same length that begins `stride` times as far."""
    return slice(s.start * stride, s.start * stride + s.stop - s.start, s.step)


def moved_slice(s, by):
    """Return a slice that begins and ends `by` later."""
    start = by if s.start is None else s.start + by
    stop = s.stop if s.stop is None else s.stop + by
    return slice(start if start != 0 else None, stop if stop != 0 else None, s.step)


def slice_from_the_other_end(s):
    """Return the slice that leaves out at the end what one leaves out in front, or the converse."""
    start = None if s.stop is None else -s.stop
    stop = None if not s.start else -s.start
    return slice(start, stop, s.step)


def of_addition(written, place):
    """Yield ``np.add.at(x, key, y)`` for ``x[key] += y``, which adds only once where an index repeats."""
    if all(added(written, k) is not None for k in place):
        yield Rewrite.of(
            Label.MISSING_TERM, 20.0, "np.add.at in the place of +=",
            lambda w, k, x: add_at(x[0], w.steps[k].arguments[1], added(w, k)),
        )


def of_settings(written, place):
    """Yield all that is set at indices added up, instead."""
    if all(added(written, k) is None for k in place):
        yield Rewrite.of(
            Label.MISSING_TERM, 24.9, "+= in the place of =",
            lambda w, k, x: w.steps[k].called(x, add_at),
        )


def added(written, k):
    """Return what is added where a step is ``x[key] += y``, and is not done by ``np.add.at``; or None."""
    step = written.steps[k]
    if step.function is not assign_at or len(step.references) != 2:
        return None
    total = written.steps[step.references[1]]
    if total.function not in (np.add, np.subtract) or len(total.operands) != 2:
        return None
    for slot, p in enumerate(total.references):
        taken_from = written.steps[p]
        if taken_from.function is take_at and taken_from.references[0] == step.references[0]:
            other = total.operands[1 - slot]
            return other if total.function is np.add else -other if slot == 0 else None
    return None


def of_exchanges(written, place):
    """Yield two calls of one function with an operand of each other."""
    one, other = (written.steps[k] for k in place)
    for path in one.paths:
        if path not in other.paths:
            continue
        a, b = (step.operands[step.paths.index(path)] for step in (one, other))
        if a.shape == b.shape and a.dtype.kind == b.dtype.kind == "f" and not np.array_equal(a, b):
            # What is put in the other's place, or a factor that is the other's.
            put = one.function in (add_at, assign_at)
            yield Rewrite.of(
                Label.PERMUTED if put else Label.WRONG_FUNCTION, BEHIND + (0.9 if put else 0.95),
                f"an operand exchanged with the one in the same place ({other.line})",
                operand_changer(path)(lambda w, k, x, path=path: of_the_other(w, place, k, path)),
            )


def of_the_other(written, place, k, path):
    """Return the operand that the other one of two steps has at a path."""
    step = written.steps[place[0] if k == place[1] else place[1]]
    return step.operands[step.paths.index(path)]
