"""Uses of a value that have to take another one: what it was before a change, or in another round.

A rewrite changes what steps make of their operands.  Here it is the operands themselves, wherever they
come from, so that it holds in loops, too, whose later rounds start from what the earlier ones are then.
"""

import bisect
import itertools
from dataclasses import dataclass

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.repair.known import same_values
from tinygrad_relu.gradcheck.diagnosis.repair.operands import operand_of
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import ADDITIVE
from tinygrad_relu.gradcheck.diagnosis.repair.roles import (
    confused,
    earlier_contents,
    given_to,
    overwrites,
)
from tinygrad_relu.gradcheck.diagnosis.repair.running import MORE, NOTHING

# So many uses of one value, and pairs of values, are looked at.
MOST_USES, MOST_EXCHANGES, MOST_CHAINS = 6, 60, 6


@dataclass(frozen=True)
class Redirection:
    """Steps that take another value than they do.

    Attributes
    ----------
    label : Label
    cost : float
    words : str
        What makes the backward right.
    taken : dict of int to dict of int to int
        For each step, which of its operands has to be which other step's value.
    """

    label: Label
    cost: float
    words: str
    taken: dict


def redirections(written):
    """Yield what may be meant where the first value is that may be wrong."""
    near = {written.first_doubt, *written.next_to_doubt}
    nearby = [place for place in written.places if near & {*place}]
    yield from states_of_another_round(written)
    for place in written.places:
        yield from before_a_change(written, place)
    for place in written.places:
        if near & {*place, *(p for k in place for p in written.steps[k].references)}:
            yield from used_before_a_change(written, place)
    for place in nearby:
        yield from exchanged_values(written, place)
    # What is 0 in the first round, since what it takes comes into being only later, is not doubtful.
    idle = [place for place in written.places if not written.steps[place[0]].value.any()]
    for place in dict.fromkeys([*nearby, *idle]):
        yield from other_values(written, place)
    for place in nearby:
        yield from values_added(written, place)


def fits(written, taken):
    """Tell whether all that has to be taken, or added, is another step's, and of its shape."""
    steps = written.steps
    pairs = ((k if p == MORE else p, q) for k, others in taken.items() for p, q in others.items())
    return all(
        q == NOTHING or (steps[p].value.shape == steps[q].value.shape and p != q) for p, q in pairs
    )


def operands_of(written, place):
    """Yield, operand by operand, the steps that those of a place have it from."""
    for path in written.steps[place[0]].paths:
        if all(path in written.steps[k].paths for k in place):
            yield {k: operand_of(written, k, path) for k in place}


def before_a_change(written, place):
    """Yield the operands of a place as they were before an array, or a variable, was changed."""
    for own in operands_of(written, place):
        taken = {k: {p: of_the_round_before(written, p, [*own.values()])} for k, p in own.items()}
        changed = all(overwrites(written, p) for p in own.values())
        known = any(q != NOTHING for others in taken.values() for q in others.values())
        if changed and known and fits(written, taken):
            words = "a variable as it was before its line"
            yield Redirection(Label.STALE_BUFFER, 22.9, words, taken)
        found = {k: earlier_contents(written, p) for k, p in own.items()}
        for number in range(max(map(len, found.values()), default=0)):
            # A variable that a loop starts from may have been the plain number 0.
            taken = {k: {own[k]: (*earlier[number:], NOTHING)[0]} for k, earlier in found.items()}
            if fits(written, taken):
                yield Redirection(
                    Label.STALE_BUFFER, 23.0 + 0.01 * number,
                    "an operand as it was before it was changed", taken,
                )


def of_the_round_before(written, k, rounds):
    """Return what the variable had before that step `k`, one of several rounds, gave it a value.

    That is what the same step gave in the round before, or what the loop starts from: `NOTHING` if that
    is no array.
    """
    sites = {written.steps[j].site for j in rounds}
    given = given_to(written, k)
    same = [j for j in given if written.steps[j].site in sites]
    usual = {written.steps[j].site for other in rounds for j in given_to(written, other) if other != k}
    first = [j for j in given if written.steps[j].site not in usual]
    return (*same, *(first if len(first) == 1 else ()), NOTHING)[0]


def used_before_a_change(written, place):
    """Yield the first uses of what a place gives with one of its operands, from which it is made."""
    users = {k: written.users(k) for k in place}
    most = max(map(len, users.values()))
    for own in operands_of(written, place):
        for count in range(1, min(most, MOST_USES)):
            taken = {j: {k: own[k]} for k in place for j in users[k][:count]}
            if fits(written, taken):
                uses = "its first use" if count == 1 else f"its first {count} uses"
                yield Redirection(
                    Label.STALE_BUFFER, 23.2,
                    f"what it is made of at {uses}, before it is changed,", taken,
                )


def other_values(written, place):
    """Yield other values of the backward, of this round or of the one before, for an operand."""
    steps = written.steps
    for own in map(list, map(dict.values, operands_of(written, place))):
        turned = {k: {p: q} for k, p, q in zip(place, own, own[::-1]) if p != q}
        if turned and len({*own}) == len(own) and fits(written, turned):
            words = "the values of all rounds in the opposite order"
            yield Redirection(Label.PERMUTED, 23.5, words, turned)
        for other in written.places:
            if steps[other[0]].value.shape != steps[own[0]].value.shape:
                continue
            for by in (-1, 0, -2):
                rounds = ((k, p, nearest(other, k, by)) for k, p in zip(place, own))
                taken = {k: {p: q} for k, p, q in rounds if q is not None and p != q}
                meaning = what_is_confused(written, taken) if taken and fits(written, taken) else None
                if meaning:
                    yield Redirection(*meaning, taken)


def values_added(written, place):
    """Yield other values of the backward, of this round or of the one before, added to its result."""
    steps = written.steps
    for other in written.places:
        if steps[other[0]].value.shape != steps[place[0]].value.shape or other == place:
            continue
        for by in (-1, -2):
            rounds = ((k, nearest(other, k, by)) for k in place)
            taken = {k: {MORE: q} for k, q in rounds if q is not None}
            if taken and written.gradients & {*other}:
                words = f"what {steps[other[0]].line} computes added to it"
                yield Redirection(Label.MISSING_TERM, 23.6, words, taken)


def nearest(other, k, by):
    """Return the step of a place that is before step `k` (-1), the next one (0), or another; or None."""
    at = bisect.bisect_left(other, k) + by
    return other[at] if 0 <= at < len(other) else None


def what_is_confused(written, taken):
    """Return which mistake it is to take what some steps take, judged by the first of them, or None."""
    k = min(taken)
    ((p, q),) = taken[k].items()
    for late, early, label in ((q, p, Label.MISSING_TERM), (p, q, Label.EXTRA_TERM)):
        adds = written.steps[late].function in ADDITIVE and len(written.steps[late].operands) == 2
        operands = written.steps[late].operands if adds else ()
        if any(same_values(x, written.steps[early].value) for x in operands):
            # Of an input, what comes later is what it is after a step.
            kind, number = (written.role(early) or ("", None))[:2]
            is_input = kind == "forward" and number in written.one.graph.inputs
            changed = is_input or overwrites(written, late)
            words = f"an operand {'behind' if late == q else 'in front of'} {written.steps[late].line}"
            return Label.STALE_BUFFER if changed else label, 23.4, words
    known = written.role(q)
    found = confused(written, written.steps[k], p, (known or ("own", q),))
    return found and (found[0], found[1], f"{found[2]}, of each round,")


def states_of_another_round(written):
    """Yield the states that a backward keeps of the forward with those of the round before, or after."""
    steps = written.steps
    chains = [chain for chain in map(written.chain, written.groups) if chain]
    for some in (
        *([chain for chain in chains if len(chain) == count] for count in {*map(len, chains)}),
        *([chain] for chain in chains), *map(list, itertools.combinations(chains[:MOST_CHAINS], 2)),
    ):
        inside = {*written.before([chain[-1] for chain in some])}
        # What is done once, and not in each round, may well take the last state.
        users = [k for k in written.own if k not in inside and k in written.repeated]
        for by, words in ((-1, "before"), (1, "after")):
            moved = {p: q for chain in some for p, q in shifted_by(chain, by)}
            taken = {k: {p: moved[p] for p in steps[k].references if p in moved} for k in users}
            taken = {k: others for k, others in taken.items() if others}
            if taken and fits(written, taken):
                yield Redirection(
                    Label.STALE_BUFFER, 24.3, f"the states of the round {words}", taken
                )
    for chain in chains:
        yield from states_of_each_round(written, chain)
        taken = {k: {MORE: before} for before, k in itertools.pairwise(chain)}
        if written.gradients & {*chain} and fits(written, taken):
            words = "what it was in the round before added to it"
            yield Redirection(Label.MISSING_TERM, 23.5, words, taken)


def shifted_by(chain, by):
    """Yield the steps of a chain, each with the one before it (-1), or behind it."""
    pairs = itertools.pairwise(chain)
    return ((late, early) if by < 0 else (early, late) for early, late in pairs)


def states_of_each_round(written, chain):
    """Yield the last state of a loop, which stands for those of all rounds, with that of each round."""
    last, rounds, users = chain[-1], len(chain) - 1, {}
    for k in written.users(last):
        users.setdefault((written.steps[k].site, written.steps[k].function), []).append(k)
    users = [found for found in users.values() if len(found) % rounds == 0]
    for ahead in (1, 0):
        kept = chain[::-1][ahead:]
        taken = {
            k: {last: kept[number * rounds // len(found)]}
            for found in users for number, k in enumerate(found)
        }
        taken = {k: others for k, others in taken.items() if others[last] != last}
        if taken and fits(written, taken):
            yield Redirection(
                Label.STALE_BUFFER, 22.8, "the state of each round, and not one array for all,", taken
            )


def exchanged_values(written, place):
    """Yield two values, of each round of a loop, that are exchanged in all that is made of them there."""
    steps, seen = written.steps, set()
    for one in sequences(written, place):
        for other_place in written.places:
            if len(other_place) != len(place):
                continue
            for other in sequences(written, other_place):
                if {*one} & {*other} or (one, other) in seen or len(seen) > MOST_EXCHANGES:
                    continue
                seen |= {(one, other), (other, one)}
                pairs = {**dict(zip(one, other)), **dict(zip(other, one))}
                taken = {
                    k: {p: pairs[p] for p in steps[k].references if p in pairs}
                    for k in written.own if pairs.keys() & {*steps[k].references}
                }
                if fits(written, taken):
                    yield Redirection(
                        Label.PERMUTED, 24.6, "two values of each round exchanged from there on", taken
                    )


def sequences(written, place):
    """Yield what the steps of a place take, operand by operand: one step for each round."""
    for found in map(tuple, map(dict.values, operands_of(written, place))):
        if {*found} <= {*written.own} and len({*found}) == len(found):
            yield found
