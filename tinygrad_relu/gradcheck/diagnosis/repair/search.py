"""Look for what makes a backward right: its own steps are run again, with one place written otherwise.

Where `synthesis` starts from the right walk back and makes it wrong, this starts from what the user wrote
and makes it right, so that it finds mistakes that nobody thought of, and names the line of the backward.
"""

import contextlib
import itertools
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.numbers import probing
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND, Candidate
from tinygrad_relu.gradcheck.diagnosis.repair.calls import of_axes, of_functions, of_numbers_at_hand
from tinygrad_relu.gradcheck.diagnosis.repair.indices import (
    of_addition,
    of_exchanges,
    of_lines,
    of_settings,
)
from tinygrad_relu.gradcheck.diagnosis.repair.operands import of_shared
from tinygrad_relu.gradcheck.diagnosis.repair.redirections import redirections
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import COMPARISONS, plainly
from tinygrad_relu.gradcheck.diagnosis.repair.rewrites import rewrites_by_values, small_rewrites
from tinygrad_relu.gradcheck.diagnosis.repair.running import FAILURES
from tinygrad_relu.gradcheck.diagnosis.repair.written import Written

# What all may cost, in seconds as estimated beforehand.
BUDGET, BUDGET_IF_EXPLAINED = 16.0, 3.0
# How many pairs of rewrites are tried together.
MOST_PAIRS = 60
# So many places, those that are wrong first, are looked at in all ways before any others.
FRONT = 10
# What a try may cost, in seconds, before it is asked how likely it is; what that costs, and how far it
# looks.
DEAR, GLANCE_COST, CLOSE_BEHIND = 1e-3, 4e-4, 12
# What is spent at least, where something serves already.
ENOUGH = 3.0
# What redirections may cost, in the same seconds.
REDIRECTION_BUDGET = 3.0
LOOK_COST, STEP_COST, ELEMENT_COST = 3e-5, 1.5e-5, 4e-9


def repairs(case, evidence, explained=False):
    """Return candidates: the places of the backward that can be rewritten so that it is right.

    Parameters
    ----------
    case : Case
    evidence : list of Evidence
        All of them with graphs.
    explained : bool
        Whether all that is wrong is explained already, so that less is to be spent.
    """
    if case.followed is None:
        return []
    for data in (True, False):
        try:
            written = [Written(case, one, data) for one in evidence]
            break
        except Exception:  # the user's functions, called with what they were not written for
            written = []
    if not written:
        return []
    first = written[0]
    written = [w for w in written if same_steps(w, first)]
    return Repair(written).search(BUDGET_IF_EXPLAINED if explained else BUDGET)


def same_steps(a, b):
    """Tell whether two recordings are of the same steps."""
    return len(a.steps) == len(b.steps) and all(
        x.function is y.function and x.value.shape == y.value.shape for x, y in zip(a.steps, b.steps)
    )


def meaning_of(rewrite, c):
    """Return what a rewrite means; None where that cannot be worked out."""
    try:
        with np.errstate(all="ignore"):
            return rewrite.means(c)
    except FAILURES:
        return None


@dataclass(frozen=True)
class Kept:
    """A rewrite that puts some gradients right: its rules, which gradients, and what it means."""

    rules: dict
    mended: set
    meaning: tuple


class Repair:
    """The search.

    Parameters
    ----------
    written : list of Written
        The same steps, at several points and for several cotangents.
    """

    def __init__(self, written):
        self.written, self.first = written, written[0]
        one = self.first.one
        self.wrong = [
            k for k, number in enumerate(self.first.outputs)
            if number is not None and (np.abs(one.residue(k)) > one.allowed[k]).any()
        ]
        self.probes = [probe for k in self.wrong for probe in self.probes_of(k)]
        self.found, self.kept = [], []

    def probes_of(self, k):
        """Return how steps move a wrong gradient along random directions, and by how much it is wrong."""
        rng, found = probing(k), []
        one = self.first.one
        for _ in range(2):
            direction = rng.standard_normal(one.expected[k].shape)
            moves = self.first.sensitivities(k, direction)
            found.append((moves, float(np.sum(direction * one.residue(k)))))
        return found

    def search(self, left):
        """Return what serves, as candidates: what is small is tried at all places first.

        Parameters
        ----------
        left : float
            What it may cost, in seconds as estimated beforehand, so that the answer does not depend on
            how busy the machine is.
        """
        front, rest = self.first.places[:FRONT], self.first.places[FRONT:]
        turns = (
            (small_rewrites, front),
            (of_lines, self.first.lines),
            (of_functions, self.first.functions),
            (of_numbers_at_hand, self.first.same_numbers),
            (of_addition, self.first.sums_at_indices),
            (of_settings, self.first.sums_at_indices),
            (rewrites_by_values, front),
            (of_shared, sorted(self.first.shared, key=self.first.turn)),
            (of_exchanges, sorted(self.first.pairs, key=self.first.turn)),
            (small_rewrites, rest),
            (of_axes, self.first.twins),
            (rewrites_by_values, rest),
        )
        enough = left - ENOUGH
        if max(map(len, self.first.places), default=1) > 1:
            with contextlib.suppress(*FAILURES):  # at steps of a kind that was not thought of
                self.search_redirections()  # there is a loop
        for likely in (True, False):
            for ways, places in turns:
                for place in filter(self.may_be_wrong, places):
                    with contextlib.suppress(*FAILURES):  # at a step of a kind that was not thought of
                        left = self.search_at(place, ways, left, likely)
                    if left < 0:
                        return self.found
                if left < enough and any(c.inputs >= set(self.wrong) for c in self.found):
                    return self.found
        self.search_pairs()
        return self.found

    def search_redirections(self):
        """Look for values that have to be taken in the place of others, and come from elsewhere."""
        size = sum(self.first.steps[k].value.size for k in self.first.own)
        walk = STEP_COST * len(self.first.own) + ELEMENT_COST * size
        for one in itertools.islice(redirections(self.first), int(REDIRECTION_BUDGET / walk)):
            effect = self.effect({}, one.taken)
            if effect is not None:
                self.tell(next(iter(one.taken)), effect, (one.label, one.cost, one.words))

    def search_pairs(self):
        """Look for inputs that two rewrites with one meaning put right together, and neither alone."""
        rest = set(self.wrong) - {k for c in self.found if c.cost < BEHIND for k in c.inputs}
        pairs = itertools.combinations(self.kept, 2) if rest else ()
        fitting = (
            (one, other) for one, other in pairs
            if one.meaning[0] is other.meaning[0] and not one.mended & other.mended
        )
        for one, other in itertools.islice(fitting, MOST_PAIRS):
            effect = self.effect({**one.rules, **other.rules})
            if effect is not None and effect[0] & rest:
                label, cost, words = one.meaning
                self.keep(one.rules, effect, (label, cost, f"{words}, and {other.meaning[2]},"))
                return

    def search_at(self, place, ways, left, likely):
        """Try the ways in which one place may be meant; return what is left to be spent.

        Where a try is dear, those come first that are likely to serve, and else all others.
        """
        size = sum(self.first.steps[k].value.size for k in place)
        walk = STEP_COST * len(self.first.after(frozenset(place))) + ELEMENT_COST * size
        straight, known = self.first.is_straight(place), {}
        chained = straight and self.first.is_chained(place)
        dear = (chained or not straight) and walk > DEAR
        if not dear and not chained and not likely:
            return left
        left -= 2 * walk if likely else 0.0
        for rewrite in ways(self.first, place):
            shifts = self.shifts(place, rewrite)
            left -= LOOK_COST * len(place)
            if left < 0:
                break
            if shifts is None or (rewrite.free and not straight):
                continue
            # Where the rounds of a place build on each other, all together may do more than each alone.
            if straight and all(x is not None for x in shifts) and likely:
                if self.promising(place, shifts, rewrite.free):
                    self.consider(place, rewrite)
                    continue
                if not dear:
                    continue
            if dear:
                left -= GLANCE_COST
                if self.comes_right(place, rewrite) != likely:
                    continue
            # Many rewrites come to the same, and are named in other words.
            mark = tuple(None if x is None else x.tobytes() for x in shifts)
            rules = dict.fromkeys(place, rewrite.rule)
            if mark not in known or None in mark:
                left -= walk
                known[mark] = self.effect(rules)
            if known[mark]:
                self.keep(rules, known[mark], meaning_of(rewrite, 1.0))
        return left

    def comes_right(self, place, rewrite):
        """Tell whether something close behind a place becomes what the forward knows, in one round.

        That is the first one whose value may be wrong: in those before it, much may be 0.
        """
        near = self.first.doubtful | self.first.next_to_doubt
        first = min({*place} & near, default=min(place))
        changed = {}
        for k in self.first.after(frozenset((first,)))[:CLOSE_BEHIND]:
            step = self.first.steps[k]
            operands = [changed.get(p, x) for p, x in zip(step.references, step.operands)]
            try:
                with np.errstate(all="ignore"):
                    value = rewrite.rule(self.first, k, operands) if k == first else step.called(operands)
            except FAILURES:
                return False
            changed[k] = np.asarray(value)
            known = self.first.at_hand.find(changed[k]) if changed[k].size > 1 else None
            if known is not None and k in self.first.doubtful:
                return True
        return False

    def may_be_wrong(self, place):
        """Tell whether a wrong gradient depends on a place, and no right one that would suffer."""
        reached = set(self.first.after(frozenset(place)))
        wrong = any(self.first.outputs[k] in reached for k in self.wrong)
        right = any(n in reached for k, n in enumerate(self.first.outputs) if k not in self.wrong)
        compares = self.first.steps[place[0]].function in COMPARISONS
        return wrong and (not right or compares or self.first.is_straight(place))

    def shifts(self, place, rewrite):
        """Return by how much a rewrite moves each step of a place, or None where it makes no sense."""
        found = []
        for k in place:
            step = self.first.steps[k]
            try:
                with np.errstate(all="ignore"):
                    value = np.asarray(rewrite.rule(self.first, k, step.operands))
            except FAILURES:
                return None
            if value.dtype.kind not in "fb":
                return None
            same = value.shape == step.value.shape
            found.append(np.subtract(value, step.value, dtype=np.float64) if same else None)
        return found

    def promising(self, place, shifts, free):
        """Tell whether a rewrite may put some gradient right, as far as a look at its place shows."""
        if not all(np.isfinite(x).all() for x in shifts):
            return False
        pairs = [
            (sum(float(np.sum(moves[k] * x)) for k, x in zip(place, shifts) if k in moves), -residue)
            for moves, residue in self.probes
        ]
        for (a, r), (b, s) in zip(pairs[::2], pairs[1::2]):
            if free and a and b and abs(r / a - s / b) <= 1e-4 * max(abs(r / a), abs(s / b)):
                return True
            if not free and abs(a - r) <= 1e-4 * abs(r) and abs(b - s) <= 1e-4 * abs(s):
                return True
        return False

    def consider(self, place, rewrite):
        """Keep a rewrite if it puts a gradient right, at all points."""
        for c in self.numbers(place, rewrite) if rewrite.free else (1.0,):
            def rule(w, k, x, c=c):
                value = plainly(w, k, x)
                return value + c * (rewrite.rule(w, k, x) - value)

            rules = dict.fromkeys(place, rule if rewrite.free else rewrite.rule)
            effect = self.effect(rules)
            if effect:
                self.keep(rules, effect, meaning_of(rewrite, c))

    def numbers(self, place, rewrite):
        """Return how often what a rewrite adds has to be taken, for some gradient to be right."""
        outputs = self.outputs(self.first, dict.fromkeys(place, rewrite.rule))
        found = []
        for k in self.wrong if outputs is not None else ():
            one = self.first.one
            moved = outputs[k] - one.analytic[k]
            size = float(np.sum(moved * moved))
            if size > 0 and np.isfinite(size):
                c = -float(np.sum(moved * one.residue(k))) / size
                if c and all(abs(c - other) > 1e-6 * abs(c) for other in found):
                    found.append(c)
        return found[:4]

    def outputs(self, w, rules, taken=None):
        """Return the gradients with other rules for some steps, or None where they make no sense."""
        bound = {k: (lambda x, k=k, rule=rule: rule(w, k, x)) for k, rule in rules.items()}
        try:
            found = w.rerun(bound, taken)
        except FAILURES:
            return None
        for k, x in enumerate(found):
            if x is not None and x.shape != w.one.expected[k].shape:
                return None
        return found

    def effect(self, rules, taken=None):
        """Return which gradients other rules put right, at all points, and how many others they move.

        None where there is no such gradient.  `taken` is that of `Written.rerun`.
        """
        mended, contradicted = set(self.wrong), 0
        for number, w in enumerate(self.written):
            outputs = self.outputs(w, rules, taken)
            if outputs is None:
                return None
            right = {k for k, x in enumerate(outputs) if x is not None and self.is_right(w, k, x)}
            mended &= right
            if not mended:
                return None
            if number == 0:
                moved = {
                    k for k, x in enumerate(outputs)
                    if x is not None and (np.abs(x - w.one.analytic[k]) > w.one.allowed[k]).any()
                }
                contradicted = len(moved - right)
                if taken and not moved <= {*self.wrong}:
                    return None  # what is right has to stay so
        return mended, contradicted

    def keep(self, rules, effect, meaning):
        """Keep what was found, if it means something."""
        if meaning is None:
            return
        mended, _ = effect
        self.kept.append(Kept(rules, mended, meaning))
        self.tell(next(iter(rules)), effect, meaning)

    def tell(self, k, effect, meaning):
        """Add a candidate: what the line of step `k` has to have for some gradients to be right."""
        mended, contradicted = effect
        label, cost, words = meaning
        line = self.first.steps[k].line
        words = f"is wrong because of {line}, in the backward: with {words} it is right"
        self.found.append(
            Candidate(
                label, cost, words, frozenset(mended), contradicted, details={"backward": line},
            )
        )

    def is_right(self, w, k, x):
        """Tell whether a gradient is right."""
        expected = w.one.expected[k]
        apart = np.abs(x - expected)
        return bool((apart <= w.one.allowed[k] + 4e-9 * np.abs(expected).max(initial=0)).all())
