"""What is wrong with a backward apart from its numbers: seen by calling it several times."""

import contextlib
import itertools
from dataclasses import dataclass, field

import numpy as np

from tinygrad_relu.gradcheck.diagnosis import Label


@dataclass
class Faults:
    """What was seen.

    Attributes
    ----------
    of_input : dict of str to (Label, str)
        For an input what is wrong with its gradient, and a sentence.
    changed : list of str
        What the derivative wrote to, of that which it was given.
    shared : list of (int, int)
        Pairs of inputs whose gradients lie in the same memory.
    nondeterministic : str
        A sentence if results differ from call to call, or nothing.
    """

    of_input: dict = field(default_factory=dict)
    changed: list = field(default_factory=list)
    shared: list = field(default_factory=list)
    nondeterministic: str = ""

    def add(self, name, label, sentence):
        """Keep what is wrong with the gradient of an input, unless something is known."""
        self.of_input.setdefault(name, (label, sentence))


def observed(problem, cotangents):
    """Call function and derivative a few times, and return the gradients and what was seen.

    Returns
    -------
    gradients : list of list of (ndarray or None)
        For each set of cotangents, copies of what the derivative gave.
    faults : Faults
    """
    faults = Faults()
    faults.nondeterministic = unlike_itself(problem)
    if faults.nondeterministic:
        return None, faults
    calls, again = [], None
    for draw in cotangents:
        found, changed = problem.observed(problem.inputs, draw)
        calls.append((found, [copied(g) for g in found]))
        blame_changes(problem, changed, faults)
        if again is None:
            faults.shared = [
                (a, b) for a, b in itertools.combinations(range(len(found)), 2)
                if isinstance(found[a], np.ndarray) and isinstance(found[b], np.ndarray)
                and np.may_share_memory(found[a], found[b])
            ]
            again = [[copied(g) for g in problem.observed(problem.inputs, draw)[0]] for _ in range(2)]
    # A call that makes other numbers shows whether the arrays of former calls are used again.
    with contextlib.suppress(Exception):
        problem.observed([x * x.dtype.type(0.75) for x in problem.inputs], cotangents[-1])
    gradients = [kept for _, kept in calls]
    compare_calls(problem, gradients[0], *again, faults)
    for found, kept in calls:
        for name, g, copy in zip(problem.names, found, kept):
            if isinstance(g, np.ndarray) and differs(g, copy):
                faults.add(name, Label.STALE_BUFFER, (
                    "backward returns an array that it writes to again when it is next called: the "
                    "gradient of the first call changes under the feet of who holds it; return a new "
                    "array, or a copy"
                ))
    for k, name in enumerate(problem.names):
        look_at_one(name, problem.inputs[k], [draw[k] for draw in gradients], faults)
    return gradients, faults


def unlike_itself(problem):
    """Return a sentence if the function gives other results when it is called again, or nothing."""
    first, second = problem.forward(problem.inputs), problem.forward(problem.inputs)
    if [y.shape for y in first] != [y.shape for y in second]:
        return "Called again with the same inputs, the function returns results of other shapes."
    for number, (one, other) in enumerate(zip(first, second)):
        same = np.array_equal(one, other, equal_nan=True)
        if not same:
            with np.errstate(all="ignore"):
                distance = np.nanmax(np.abs(one - other))
            return (
                f"Called again with the same inputs, the function gives another value for "
                f"{problem.name_of_result(number, len(first))}: they differ by up to {distance:.3g}.  Is "
                "there dropout, noise, or a state that a call changes?  Draw random numbers once, "
                "outside, or from a generator that is seeded anew in each call."
            )
    return ""


def blame_changes(problem, changed, faults):
    """Note which of its arguments the derivative changed."""
    faults.changed += [name for name in changed if name not in faults.changed]
    for name in changed:
        if name == "dout":
            sentence = "backward changes dout, the cotangent that it is given: work on a copy"
        else:
            sentence = f"backward changes its input {name} in place: work on a copy"
        targets = [name] if name in problem.names else problem.names
        for target in targets:
            faults.add(target, Label.INPUTS_CHANGED, sentence)


def compare_calls(problem, first, second, third, faults):
    """Note gradients that further calls with the same arguments change."""
    for name, *calls in zip(problem.names, first, second, third):
        if any(one is None for one in calls) or not differs(calls[0], calls[1]):
            continue
        one, other, last = map(np.asarray, calls)
        of_one_kind = one.shape == other.shape == last.shape and one.dtype.kind == "f"
        grows = of_one_kind and np.allclose(last - other, other - one)
        how = "is larger by the same amount each time" if grows else "is another one"
        grows = grows or (of_one_kind and is_smaller_part(last - other, other - one))
        faults.add(name, Label.ACCUMULATED_TWICE if grows else Label.STALE_BUFFER, (
            f"called again with the same arguments, backward gives a gradient for {name} that {how}: is "
            "it added to what an earlier call left? start from zeros in each call"
        ))


def is_smaller_part(step, before):
    """Tell whether a change is a part of the one before, as where a sum is divided in each call."""
    size = float(np.vdot(before, before))
    part = float(np.vdot(step, before)) / size if size > 0 else 0.0
    return 0 < part < 1 and np.allclose(step, part * before, atol=1e-9 * np.sqrt(size))


def look_at_one(name, x, draws, faults):
    """Note what can be seen of the gradients of one input without differences."""
    for g in draws:
        if g is None:
            faults.add(name, Label.ZEROS, f"backward returns None for {name}, not a gradient")
            return
        array = copied(g)
        if array.dtype.kind not in "fiubc":
            faults.add(name, Label.WRONG_DTYPE, (
                f"the gradient is a {type(g).__name__}, and no array of numbers: return one of shape "
                f"{x.shape}, the shape of {name}"
            ))
            return
        if array.shape != x.shape:
            faults.add(name, Label.WRONG_SHAPE, (
                f"the gradient has shape {array.shape}, and {name} has shape {x.shape}"
            ))
            return
        if array.dtype.kind != "f" or array.dtype.itemsize < x.dtype.itemsize:
            faults.add(name, Label.WRONG_DTYPE, (
                f"the gradient has dtype {array.dtype}, and {name} has dtype {x.dtype}: "
                "what that cannot hold is lost"
            ))
        elif np.isnan(array).any():
            index = tuple(int(k) for k in np.argwhere(np.isnan(array))[0])
            faults.add(name, Label.NOT_FINITE, (
                f"the gradient is NaN at {list(index)}, the first of {int(np.isnan(array).sum())} places"
            ))


def copied(g):
    """Return a copy of what a derivative gave, rows of several lengths as an array of objects."""
    try:
        return None if g is None else np.array(g)
    except ValueError:
        return np.array(g, object)


def differs(one, other):
    """Tell whether two arrays differ; NaN is like NaN."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return True
    if one.dtype.kind not in "fc":
        return not np.array_equal(one, other)
    return not np.array_equal(one, other, equal_nan=True)
