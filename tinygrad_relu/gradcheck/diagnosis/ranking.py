"""Which explanation comes first, and in which words.

An explanation counts if it leaves nothing of the residue, at all points and for all draws.  Of those
that do, the first is the one that

a) explains more of the wrong inputs at once: one mistake is likelier than two;
b) costs less: faults of protocol first; then plain factors (10 to 12), arrangements (11 to 14), what is
   left out of one rule (20 to 23), other functions and operands (23 to 26), numbers without a meaning (30
   and more).  A cost is only an order: commoner mistakes before rarer ones.

Explanations that leave the same numbers are one claim, which names the other readings.
"""

from dataclasses import dataclass, field

from tinygrad_relu.gradcheck.diagnosis.case import Explanation
from tinygrad_relu.gradcheck.diagnosis.labels import Label

#: The cost from which an explanation is only told where there is none that costs less.
BEHIND = 50.0
#: The same for one that would move another wrong input in another way than it is wrong.
UNSURE = 25.9
MOST_READINGS = 2
MOST_PARTS = 3
MOST_SPOILT = 6
# What follows in a claim is another one for each input that the same mistake spoils.
SPOILS = "; it spoils "


@dataclass
class Candidate:
    """An explanation before it is put into words.

    Attributes
    ----------
    label : Label
    cost : float
    words : str
        What is wrong.  Of a comparison of arrays the end of a sentence that begins with ``"dW1 "``; of
        a mutation, whose `line` is given, a sentence of its own.
    inputs : frozenset of int
        Which inputs it explains.
    contradicts : int
        How many other wrong inputs it would move in another way than they are wrong.
    twins : frozenset of int
        Which inputs the same mistake explains, made for each of them.
    """

    label: Label
    cost: float
    words: str
    inputs: frozenset
    contradicts: int = 0
    line: str = ""
    op: str = ""
    share: float = 1.0
    details: dict = field(default_factory=dict)
    twins: frozenset = frozenset()

    @property
    def rank(self):
        """What to sort by."""
        behind = self.cost >= (UNSURE if self.contradicts else BEHIND)
        return behind, self.contradicts - len(self.inputs | self.twins), self.cost


def ranked(case, candidates, parts, k):
    """Return the explanations of input `k`, best first.

    Parameters
    ----------
    case : Case
    candidates : list of Candidate
        Those that explain all of the residue of the inputs that they name.
    parts : list of Candidate
        Those that explain some of it.
    k : int
    """
    found = sorted((c for c in candidates if k in c.inputs), key=lambda c: c.rank)
    if not found:
        return [unexplained(case, k), *partly(case, parts, k)]
    explanations, labels = [], set()
    for candidate in found:
        if candidate.label not in labels and len(explanations) <= MOST_READINGS:
            labels.add(candidate.label)
            explanations.append(put(case, candidate, k))
    best = explanations[0]
    others = [e.label.value for e in explanations[1:]]
    if others:
        best = Explanation(best.label, best.claim, best.share, {**best.details, "or": others})
    return [best, *explanations[1:]]


def put(case, candidate, k):
    """Return a candidate as an explanation of input `k`."""
    name = case.names[k]
    details = dict(candidate.details)
    if not candidate.op:
        claim = f"d{name} {candidate.words}"
        return Explanation(
            candidate.label,
            claim if claim.endswith((".", "?")) else f"{claim}.",
            candidate.share,
            details,
        )
    details |= {"op": candidate.op, "line": candidate.line}
    where = f" ({candidate.line})" if candidate.line else ""
    claim = (
        f"d{name} is wrong because of the backward of {candidate.op}{where}: "
        f"{candidate.words}{reach(case, candidate, k)}."
    )
    return Explanation(candidate.label, claim, candidate.share, details)


def reach(case, candidate, k):
    """Return which other gradients a mistake spoils, and which are right."""
    spoilt = [f"d{case.names[j]}" for j in sorted(candidate.inputs) if j != k]
    if len(spoilt) > MOST_SPOILT + 1:
        spoilt = [*spoilt[:MOST_SPOILT], f"{len(spoilt) - MOST_SPOILT} others"]
    right = [f"d{name}" for name, wrong in zip(case.names, case.wrong) if not wrong]
    words = ""
    if spoilt:
        words += f"{SPOILS}{joined(spoilt)}, too"
    if right and len(right) <= 6:
        words += f"; {joined(right)} {'is' if len(right) == 1 else 'are'} right"
    return words


def joined(words):
    """Return words in a row: ``"a, b and c"``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def unexplained(case, k):
    """Return the answer where there is none."""
    return Explanation(
        Label.UNEXPLAINED,
        f"d{case.names[k]} is wrong, and no single mistake that is known here explains it: compare the "
        "worst elements with the derivation by hand.",
        0.0,
    )


def partly(case, parts, k):
    """Return what explains more than half of the residue, at most a few."""
    found = sorted((c for c in parts if k in c.inputs and c.share > 0.5), key=lambda c: -c.share)
    explanations, labels = [], set()
    for candidate in found:
        if candidate.label not in labels and len(explanations) < MOST_PARTS:
            labels.add(candidate.label)
            made = put(case, candidate, k)
            explanations.append(
                Explanation(
                    made.label,
                    f"{made.claim[:-1]} (this explains {candidate.share:.0%} of the error).",
                    made.share,
                    made.details,
                )
            )
    return explanations
