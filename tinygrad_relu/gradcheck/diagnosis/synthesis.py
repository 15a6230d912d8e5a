"""Analysis by synthesis: walk back with one rule changed, and see whether that is what was returned."""

import itertools
from collections import defaultdict
from dataclasses import replace

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edges import edge_mutations
from tinygrad_relu.gradcheck.diagnosis.elementwise import elementwise_mutations
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.lengths import length_mutations
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, together
from tinygrad_relu.gradcheck.diagnosis.numbers import probing
from tinygrad_relu.gradcheck.diagnosis.ranking import Candidate
from tinygrad_relu.gradcheck.diagnosis.reductions import reduction_mutations
from tinygrad_relu.gradcheck.diagnosis.softmaxes import softmaxes
from tinygrad_relu.gradcheck.diagnosis.statistics import statistic_mutations
from tinygrad_relu.gradcheck.diagnosis.sums import sum_mutations
from tinygrad_relu.gradcheck.diagnosis.windows import window_mutations

# What all walks together may cost, in seconds as estimated beforehand, so that the answer does not
# depend on how busy the machine is.
MANY = 12
GOOD = 28.0  # what costs more, something better is looked for
ALONE = 0.9  # what it costs if it spares the gradient of another input, which it should spoil, too

BUDGET, PART_BUDGET, TOGETHER_BUDGET = 3.0, 0.3, 0.9
# At so many places at most one mistake is made.
MOST_TOGETHER = 6
STEP_COST, ELEMENT_COST, LOOK_COST = 7e-6, 4e-9, 4e-5

FAMILIES = (
    elementwise_mutations,
    edge_mutations,
    sum_mutations,
    reduction_mutations,
    softmaxes,
    statistic_mutations,
    length_mutations,
    window_mutations,
)
#: Those of which one operand alone may be wrong.
FOR_ONE_OPERAND = (elementwise_mutations, edge_mutations)
FIRST_HALF = Mutation(("first half",), Label.UNEXPLAINED, 0.0, [], "")


def mutations(graph):
    """Yield every wrong rule that is tried: first those of steps, then those for one operand alone."""
    yield from in_turns([family(graph) for family in FAMILIES])
    yield FIRST_HALF
    yield from in_turns([family(graph, True) for family in FOR_ONE_OPERAND])


def in_turns(turns):
    """Yield from several families, some of each at a time."""
    while turns:
        for family in list(turns):
            for _ in range(8):
                try:
                    mutation = next(family, None)
                except (ValueError, ArithmeticError, IndexError, TypeError, AttributeError):
                    mutation = None  # a step of a kind that was not thought of: others may explain
                if mutation is None:
                    turns.remove(family)
                    break
                yield mutation


def for_some(mutation, meaning, inputs):
    """Return what a wrong rule means that is wrong for the gradients of some inputs only."""
    names = " and ".join(f"input {{{k}}}" for k in sorted(inputs))
    return replace(
        meaning,
        cost=meaning.cost + ALONE,
        words=f"{meaning.words} (on the way to {names} alone)",
    )


class Synthesis:
    """The search for a wrong rule.

    Parameters
    ----------
    evidence : list of Evidence
        All of them with graphs.
    known : frozenset of int
        The inputs that need no explanation any more, whose gradients cannot be compared.
    """

    def __init__(self, evidence, known):
        self.evidence, self.known = evidence, known
        self.first = evidence[0]
        self.wrong = [k for k in self.compared() if self.is_wrong(self.first, k)]
        self.elsewhere, self.others = {}, None
        self.found, self.parts, self.alone, self.kinds = [], [], [], defaultdict(list)
        same = [one for one in evidence[1:] if one.graph is self.first.graph]
        numbers = sum(
            int((np.abs(one.residue(k)) > one.allowed[k]).sum())
            for one in (self.first, *same)
            for k in self.wrong
        )
        # So many numbers do not agree by chance.
        self.others_needed = same if numbers > MANY else evidence[1:]
        self.probes = [probe for k in self.wrong for probe in self.probes_of(k)]

    def compared(self):
        """Return the inputs whose gradients are looked at."""
        return [k for k in range(len(self.first.expected)) if k not in self.known]

    def is_wrong(self, one, k):
        """Tell whether a gradient is off by more than it may be."""
        return bool((np.abs(one.residue(k)) > one.allowed[k]).any())

    def probes_of(self, k):
        """Return random directions of an input, how all steps move with it, and the residue along them.

        The product of a direction and what a change adds to the gradient of the input is that of how the
        changed step moves and what is added there: so a look at one step shows whether a change can be
        meant, and only few have to be walked back.
        """
        graph, found = self.first.graph, []
        rng = probing(k)
        for _ in range(2):
            direction = rng.standard_normal(self.first.expected[k].shape)
            moves = graph.push(k, direction)
            found.append((k, moves, float(np.sum(direction * self.first.residue(k)))))
        return found

    def search(self):
        """Try all wrong rules, within the budget; the answers are in `found` and `parts`."""
        graph = self.first.graph
        size = sum(graph.steps[k].value.size for k in graph.live)
        walk = max(1, len(graph.live)) * STEP_COST + size * ELEMENT_COST
        left = BUDGET
        for mutation in mutations(graph):
            if mutation is FIRST_HALF:
                good = [c for c in self.found if c.cost < GOOD]
                if {k for candidate in good for k in candidate.inputs} >= set(self.wrong):
                    break
                continue
            left -= LOOK_COST + size / len(graph.live) * 2 * ELEMENT_COST
            if mutation.kind:
                self.kinds[mutation.kind].append(mutation)
            if self.promising(mutation):
                self.consider(mutation)
                left -= walk
            if left < 0:
                break
        self.found += self.alone
        self.search_together(max(20, int(TOGETHER_BUDGET / walk)))
        if not self.found:
            self.search_parts(max(20, int(PART_BUDGET / walk)))

    def search_together(self, most):
        """Look for what explains more of the inputs if one mistake is made at several places."""
        rest = set(self.wrong) - {k for c in self.found for k in c.inputs}
        # A mistake of a word, such as what is lost, comes before those of a formula.
        kinds = sorted(self.kinds.items(), key=lambda one: one[0][0] != "lost")
        for found in (members for _, members in kinds) if rest else ():
            sets = [found, *itertools.combinations(found, 2)] if len(found) > 2 else [found]
            for some in sets if 1 < len(found) <= MOST_TOGETHER else ():
                mutation, most = together(some), most - 1
                if mutation is not None:
                    self.consider(mutation)
                if most < 0:
                    return

    def search_parts(self, most):
        """Look for what explains some of the residue: among terms that are scaled or left out."""
        for mutation in itertools.islice((m for m in edge_mutations(self.first.graph) if m.free), most):
            self.consider(mutation)

    def promising(self, mutation):
        """Tell whether a mutation may explain some input, as far as one step shows."""
        graph = self.first.graph
        changes = mutation.changes
        alone = len({change.at for change in changes}) == 1 or len({change.to for change in changes}) == 1
        if not alone and any(graph.steps[change.to].references for change in changes):
            return True  # one change acts on another
        try:
            with np.errstate(all="ignore"):
                whole, base = self.seen(changes), self.seen(mutation.base)
                pairs = [(a, r - b) for a, b, (_, _, r) in zip(whole, base, self.probes)]
        except (ValueError, ArithmeticError, IndexError, TypeError):
            return False  # of shapes that do not fit: nobody wrote that
        for (a, r), (b, s) in zip(pairs[::2], pairs[1::2]):
            if mutation.free and a and b and abs(r / a - s / b) <= 1e-4 * max(abs(r / a), abs(s / b)):
                return True
            if not mutation.free and abs(a - r) <= 1e-4 * abs(r) and abs(b - s) <= 1e-4 * abs(s):
                return True
        return False

    def seen(self, changes):
        """Return for each probe the product of what changes add and how their steps move."""
        extras = [(c.to, c.extra(self.first.right[c.at], self.first.right)) for c in changes]
        return [
            sum(float(np.sum(moves[to] * x)) for to, x in extras if to in moves)
            for _, moves, _ in self.probes
        ]

    def consider(self, mutation):
        """Keep a mutation if it explains something."""
        try:
            moved = self.first.graph.spread(mutation.changes, self.first.right)
            base = self.first.graph.spread(mutation.base, self.first.right)
        except (ValueError, ArithmeticError, IndexError, TypeError):
            return  # of shapes that do not fit: nobody wrote that
        if not any(np.any(moved[k]) for k in self.wrong):
            return
        if not all(np.isfinite(x).all() for x in (*moved, *base)):
            return
        for c in self.numbers(moved, base) if mutation.free else (1.0,):
            try:
                meaning = mutation.free(c) if mutation.free else mutation
            except ArithmeticError:  # such as one over a number that is 0
                continue
            if meaning is not None:
                self.compare(mutation, meaning, [c * x + b for x, b in zip(moved, base)], c)

    def numbers(self, moved, base):
        """Return by which numbers `moved` would have to be taken to give the residue of some input."""
        found = []
        for k in self.wrong:
            size = float(np.sum(moved[k] * moved[k]))
            if size > 0 and np.isfinite(size):
                c = float(np.sum(moved[k] * (self.first.residue(k) - base[k]))) / size
                if c and all(abs(c - other) > 1e-6 * abs(c) for other in found):
                    found.append(c)
        return found[:4]

    def compare(self, mutation, meaning, moved, c):
        """Keep a mutation if what it moves is what is wrong."""
        explained, spared, contradicted = set(), [], 0
        for k in self.compared():
            moves = bool((np.abs(moved[k]) > self.first.allowed[k]).any())
            if not moves:
                continue
            fits = self.fits(self.first, moved, k)
            if k not in self.wrong and not fits:
                spared.append(k)
            elif k in self.wrong and fits:
                explained.add(k)
            elif k in self.wrong:
                contradicted += 1
                self.note_part(meaning, moved, k)
        explained = {k for k in explained if self.holds_elsewhere(mutation, k, c)}
        if explained:
            if spared:
                # A backward by hand has a line for each gradient, so that it may be wrong in one of them.
                meaning = for_some(mutation, meaning, explained)
                contradicted += len(explained) - 1
            (self.alone if spared else self.found).append(
                Candidate(
                    meaning.label,
                    meaning.cost,
                    meaning.words,
                    frozenset(explained),
                    contradicted,
                    meaning.line,
                    meaning.op,
                    1.0,
                    dict(meaning.details),
                )
            )

    def counterpart(self, key, graph):
        """Return the same mutation of the graph at other inputs, or None; they come in the same order."""
        if key[0] == "together":
            found = [self.counterpart(one, graph) for one in key[1:]]
            return None if None in found else together(found)
        if self.others is None:
            self.others = mutations(graph)
        while key not in self.elsewhere:
            mutation = next(self.others, None)
            if mutation is None:
                return None
            self.elsewhere[mutation.key] = mutation
        return self.elsewhere[key]

    def fits(self, one, moved, k):
        """Tell whether a gradient is wrong by just what was moved."""
        scale = np.abs(moved[k]).max(initial=0)
        apart = np.abs(one.residue(k) - moved[k])
        return bool((apart <= one.allowed[k] + 4e-9 * scale).all())

    def note_part(self, meaning, moved, k):
        """Remember a mutation that explains more than half of the residue of an input."""
        residue = self.first.residue(k)
        size = float(np.linalg.norm(residue))
        share = 1 - float(np.linalg.norm(residue - moved[k])) / size if size else 0.0
        if share > 0.5 and len(self.parts) < 500:
            self.parts.append(
                Candidate(
                    meaning.label,
                    meaning.cost,
                    meaning.words,
                    frozenset({k}),
                    0,
                    meaning.line,
                    meaning.op,
                    share,
                    dict(meaning.details),
                )
            )

    def holds_elsewhere(self, mutation, k, c):
        """Tell whether a mutation explains an input under the other draws, and at other inputs, too."""
        for one in self.others_needed:
            there = mutation
            if one.graph is not self.first.graph:
                there = self.counterpart(mutation.key, one.graph)
                if there is None:
                    continue  # a mask of all elements, say, that is none at the other point
            try:
                moved = one.graph.spread(there.changes, one.right)
                base = one.graph.spread(there.base, one.right)
            except (ValueError, ArithmeticError, IndexError, TypeError):
                return False
            if not self.fits(one, [c * x + b for x, b in zip(moved, base)], k):
                return False
        return True
