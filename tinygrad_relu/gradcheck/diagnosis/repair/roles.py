"""What the values of a backward are, in the words of the forward, and what it means to confuse them."""

import itertools
import linecache
import re

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import described
from tinygrad_relu.gradcheck.diagnosis.naming import rounds_away, rounds_of
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND
from tinygrad_relu.gradcheck.diagnosis.relations import Relation, comes_from, of_data, relation
from tinygrad_relu.gradcheck.diagnosis.repair.known import same_values
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import COMPARISONS, MULTIPLICATIVE, is_mask
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at

#: A line whose variable has a value already.
OVERWRITING = re.compile(r"\s*(\w+)\s*=.*\b\1\b")
# So far an array is followed back to what it was before.
MOST_CONTENTS = 8
# Of so many terms all sums are tried.
MOST_TERMS = 6


def called_so(written, row):
    """Return what to call something at hand: ``"the result of np.tanh (net.py:7)"``."""
    kind, number = row[-1][:2]
    graph = written.one.graph
    if kind == "forward":
        return described(graph, number)
    if kind == "cotangent":
        return f"the gradient of {described(graph, number)}"
    if kind == "part":
        return f"what goes back through {graph.steps[number].name} ({graph.steps[number].line})"
    if kind == "slope":
        section = written.sections[number]
        return f"the derivative of {section.name} ({graph.steps[section.ends[0]].line})"
    if kind == "winner":
        return f"the mask of {graph.steps[number].name} ({graph.steps[number].line})"
    if kind == "own" and not written.steps[number].references:
        return "data"
    if kind == "own":
        return f"what {written.steps[number].line} computes"
    return number


def kind_of(written, row):
    """Return the kind of something at hand; what the forward takes as given is data, too."""
    kind, number, *_ = row[0]
    graph = written.one.graph
    constant = kind == "forward" and not graph.steps[number].references and number not in graph.inputs
    return "data" if constant else kind


def missing_factor(written, row, cost, words):
    """Return which mistake it is to leave out a factor, its cost, and words."""
    kind, value = kind_of(written, row), written.pool[row[0]]
    likely = kind in ("forward", "data", "own", "slope")
    label, more = Label.MISSING_FACTOR, BEHIND + (0.8 if likely else 1.4)
    more -= 0.1 * goes_into(written, row, MULTIPLICATIVE)
    sides = two_values(value) if value.dtype.kind == "f" else (0, 1)
    if sides is not None and 0 in sides and (kind == "slope" or set(sides) == {0, 1}):
        label, more = Label.MASK_FORGOTTEN, 24.2 if kind in ("data", "winner") else 25.5
    return label, cost + more, f"{words} {called_so(written, row)}"


def goes_into(written, row, functions):
    """Tell whether a value of the forward is an operand of some functions there."""
    kind, number, *_ = row[0]
    steps = written.one.graph.steps if kind == "forward" else ()
    return any(number in step.references for step in steps if step.function in functions)


def confused(written, step, k, row, rounds=()):
    """Return which mistake it is to take the value of step `k` for another one, its cost, and words.

    None where it says nothing: what is wrong already by then is no gradient of anything.  Of a loop
    `rounds` are the steps, one for each round, of which `k` is the first.
    """
    found = how_compared(written, row, rounds or (k,)) or how_confused(
        written, step, *first_difference(written, row, rounds or (k,))
    )
    return found and (*found, f"{called_so(written, row)}{which_of_loop(written, k, row)} for an operand")


def which_of_loop(written, k, row):
    """Return of which round something at hand is, as seen from that whose value step `k` has."""
    own, other = written.role(k), row[0]
    if own is None or {own[0], other[0]} != {"forward"} or own == other:
        return ""
    rounds = rounds_of(written.one.graph, own[1])
    away = rounds[other[1]] - rounds[own[1]] if other[1] in rounds else 0
    return f" {rounds_away(away)}" if away else ""


def how_compared(written, row, rounds):
    """Return the label and the cost of a value that has to be another one, as far as the numbers show it.

    They are those of the first round that has other ones: what comes later may be wrong because of it.
    """
    for k, key in zip(rounds, row):
        value, other = written.steps[k].value, written.pool[key]
        if value.dtype.kind != "f" or value.shape != other.shape or same_values(value, other):
            continue
        if key[0] == "cotangent" and lacks_terms(written, value, key[1]):
            return Label.MISSING_TERM, BEHIND + 0.8
        if is_multiple(value, other) and not written.are_given(k, key):
            return Label.MISSING_FACTOR, BEHIND + 0.8
        if written.role(k) is None and is_masked(value, other):
            return Label.MASK_FORGOTTEN, BEHIND + 0.6
        return None
    return None


def first_difference(written, row, rounds):
    """Return the step, and the key of what is meant, of the first round in which they are not alike."""
    for k, key in zip(rounds, row):
        if not same_values(written.steps[k].value, written.pool[key]):
            return k, key
    return rounds[0], row[0]


def how_confused(written, step, k, meant):
    """Return the label and the cost of taking the value of step `k` for another one, or None."""
    value, other = written.steps[k].value, written.pool[meant]
    if decides(written, step):
        return Label.MASK_FROM_WRONG_TENSOR, BEHIND + 0.4
    if value.dtype.kind == "b":
        return label_of_mask(written, value != other), BEHIND + 0.5
    own, kind = written.role(k), meant[0]
    graph = written.one.graph
    if kind in ("cotangent", "part") and (own is None or own[0] != "cotangent"):
        return None
    if own is None:
        if written.steps[k].function is np.where and not same_sides(value, other):
            return Label.MASK_FROM_WRONG_TENSOR, BEHIND + 1.4
        return Label.WRONG_FUNCTION, BEHIND + 1.5
    if own[0] == kind == "cotangent":
        return passed_over(written, own[1], meant[1])
    if kind == "part":
        return None
    if own[0] == kind == "forward":
        a, b = own[1], meant[1]
        if not graph.steps[a].flows and not graph.steps[b].flows and value.shape == other.shape:
            label = of_data(np.asarray(other, float), np.asarray(value, float))
            return label or Label.WRONG_FUNCTION, BEHIND + (0.8 if label else 1.0)
        if graph.steps[a].site == graph.steps[b].site and graph.steps[a].references:
            return Label.STALE_BUFFER, BEHIND + 0.8
        if relation(graph, a, b) is Relation.ACTIVATION:
            inside = step.elementwise and step.function not in MULTIPLICATIVE
            return Label.WRONG_FUNCTION if inside else Label.PRE_ACTIVATION, BEHIND + 0.8
        if is_mask(value) and is_mask(other):
            return Label.MASK_FROM_WRONG_TENSOR, BEHIND + 0.8
        return Label.WRONG_FUNCTION, BEHIND + 1.0
    return Label.WRONG_FUNCTION, BEHIND + 1.2


def earlier_contents(written, k):
    """Return the steps whose values an array, or the variable of a line, had before step `k`."""
    found = []
    while len(found) < MOST_CONTENTS:
        step = written.steps[k]
        inside = step.in_place or step.function in (assign_at, add_at)
        before = given_to(written, k) if overwrites(written, k) else step.references[:1] if inside else []
        if not before:
            break
        found += before
        k = before[0]
    return found


def given_to(written, k):
    """Return the steps that the line of a step starts from: of other lines, and of the round before."""
    first = k
    while first and written.steps[first - 1].line == written.steps[k].line:
        first -= 1
    inside = range(first, k + 1)
    found = (p for j in inside for p in written.steps[j].references if p not in inside)
    return list(dict.fromkeys(found))


def used_again(written, k):
    """Tell whether the value of a step is taken at several places."""
    return len(written.users(k)) + written.outputs.count(k) > 1


def overwrites(written, k):
    """Tell whether a step ends a line such as ``d = d * x``, whose variable had a value before."""
    step = written.steps[k]
    goes_on = k + 1 < len(written.steps) and written.steps[k + 1].line == step.line
    if not step.references or not step.line or (goes_on and k in written.steps[k + 1].references):
        return False
    line = linecache.getline(step.site[0][0].co_filename, int(step.line.rpartition(":")[2]))
    return OVERWRITING.match(line) is not None


def decides(written, step):
    """Tell whether the value of a step is only compared with something."""
    takers = [
        one for one in written.steps if any(written.steps[p] is step for p in one.references)
    ]
    return bool(takers) and all(one.function in COMPARISONS for one in takers)


def label_of_mask(written, differ):
    """Return which mistake a mask is that is wrong at some elements."""
    return Label.MASK_NOT_STRICT if at_ties(written, differ) else Label.MASK_FROM_WRONG_TENSOR


def at_ties(written, differ):
    """Tell whether two masks differ just where data at hand are equal, or are at some number."""
    for _, x in (*written.one.graph.data, *written.data):
        if x.ndim == 1 and differ.shape == x.shape * 2 and not (differ & (x[:, None] != x)).any():
            return True
        if x.size == differ.size and at_a_number(x.ravel(), differ.ravel()):
            return True
    if differ.ndim == 2:
        rows, columns = np.indices(differ.shape)
        return at_a_number(np.abs(rows - columns), differ)
    return False


def at_a_number(x, where):
    """Tell whether elements are those of one number, some of several."""
    numbers = np.unique(x[where])
    counted = x.dtype.kind in "iub" or np.unique(x).size < x.size
    return counted and numbers.size == 1 and np.array_equal(x == numbers[0], where) and np.ptp(x) > 0


def lacks_terms(written, value, meant):
    """Tell whether a value is some of the terms that make the gradient of a step of the forward."""
    graph = written.one.graph
    parts = [
        graph.steps[j].pull(written.one.right[j])[slot]
        for j in graph.live for slot, p in graph.edges(j) if p == meant
    ]
    if not 1 < len(parts) <= MOST_TERMS or any(part.shape != value.shape for part in parts):
        return False
    allowed = 1e-9 * max(np.abs(part).max(initial=0) for part in parts)
    return any(
        (np.abs(sum(some) - value) <= allowed).all()
        for count in range(1, len(parts)) for some in itertools.combinations(parts, count)
    )


def is_multiple(value, other):
    """Tell whether another value is the same times a number."""
    if value.shape != other.shape or value.size < 2 or not value.all():
        return False
    with np.errstate(all="ignore"):
        ratio = other / value
    largest = np.abs(ratio).max()
    return bool(np.ptp(ratio) <= 1e-9 * largest and np.isfinite(largest) and largest > 0)


def is_masked(value, other):
    """Tell whether another value is the same but for zeros."""
    return value.shape == other.shape and bool((other == 0).any() and (other == value)[other != 0].all())


def same_sides(value, other):
    """Tell whether two values have the same signs, or two entries each, and these at the same places."""
    if value.shape != other.shape:
        return False
    if value.min() < 0 < value.max() and np.array_equal(np.sign(value), np.sign(other)):
        return True
    if two_values(value) is None or two_values(other) is None:
        return False
    one, two = value == value.max(), other == other.max()
    return np.array_equal(one, two) or np.array_equal(one, ~two)


def passed_over(written, given, meant):
    """Return which mistake it is to use the gradient of one step for that of another."""
    graph = written.one.graph
    if meant < given and relation(graph, meant, given) is Relation.ACTIVATION:
        for section in written.sections:
            if section.starts[0] == meant and section.ends[0] == given:
                sides = two_values(section.slopes[0])
                if sides is not None and 0 in sides:
                    return Label.MASK_FORGOTTEN, BEHIND + 0.6
        return Label.MISSING_FACTOR, BEHIND + 0.7
    if graph.steps[given].site == graph.steps[meant].site and graph.steps[given].references:
        return Label.STALE_BUFFER, BEHIND + 0.9
    if comes_from(graph, given, meant):
        return Label.MISSING_FACTOR, BEHIND + 1.2
    return Label.STALE_BUFFER, BEHIND + 1.3
