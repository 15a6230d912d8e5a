"""`diagnose`: from a failed check to explanations."""

import contextlib
import warnings
from dataclasses import replace

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.arrangements import IN_ANOTHER_ORDER, arrangements
from tinygrad_relu.gradcheck.diagnosis.edits import BUDGET, edits
from tinygrad_relu.gradcheck.diagnosis.evidence import (
    Evidence,
    beside,
    evidence_for,
    graph_of,
    on_kink,
    usable,
    wrong_in,
)
from tinygrad_relu.gradcheck.diagnosis.factors import factors, is_odd, rounded
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.numbers import close, is_number, told
from tinygrad_relu.gradcheck.diagnosis.protocol import faults
from tinygrad_relu.gradcheck.diagnosis.ranking import BEHIND, Candidate, ranked
from tinygrad_relu.gradcheck.diagnosis.scalings import divides_by
from tinygrad_relu.gradcheck.diagnosis.several_results import cotangents_confused
from tinygrad_relu.gradcheck.diagnosis.synthesis import Synthesis
from tinygrad_relu.gradcheck.diagnosis.unseen_masks import unseen_masks

# What costs less is not doubted: a plain factor, an arrangement.
CERTAIN = 18.9
# What a plain factor costs whose place in the backward is known: less than one in the forward.
LOCATED = 10.2
# What looking for the place of a plain factor may cost, or for edits where all is explained; see `edits`.
BUDGET_OF_FACTORS, BUDGET_IF_EXPLAINED = 2.0, 7.5
# What is more than all costs of explanations that name a rule.
BEHIND_THE_KINK = 100.0


def diagnose(case):
    """Explain what is wrong with each wrong gradient of a case.

    Parameters
    ----------
    case : Case

    Returns
    -------
    dict of str to list of Explanation
        For each wrong input its explanations, best first; `Label.UNEXPLAINED` rather than a guess.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu.gradcheck.diagnosis import Case, Draw, diagnose
    >>> x, one = np.array([1.0, 2.0, 3.0]), np.array(1.0)
    >>> draw = Draw([one], [4 * x], [2 * x], [0 * x])
    >>> case = Case(["x"], [x], [True], [draw], lambda a: [np.sum(a[0] ** 2)], lambda a, _: [4 * a[0]])
    >>> diagnose(case)["x"][0].claim
    'dx is exactly twice what it should be, everywhere: is a factor 1/2 missing?'
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # What the user's functions warn of where they are only tried is no news.
        warnings.simplefilter("ignore")
        known = faults(case)
        open_inputs = [k for k, wrong in enumerate(case.wrong) if wrong and case.names[k] not in known]
        candidates, parts = explained(case, open_inputs) if open_inputs else ([], [])
    zero = {
        k for k, name in enumerate(case.names) if name in known and known[name][0].label is Label.ZEROS
    }
    answers = {}
    left_plain(case)
    for k, (name, wrong) in enumerate(zip(case.names, case.wrong)):
        if wrong:
            alone = None if shares_a_mistake(k, candidates, zero) else known.get(name)
            answers[name] = alone or ranked(case, candidates, parts, k)
    return answers


def left_plain(case):
    """Call the user's functions once more, so that what they keep of the last call are plain arrays."""
    with contextlib.suppress(Exception), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case.forward(list(case.inputs))
        case.backward(list(case.inputs), list(case.draws[0].cotangents))


def shares_a_mistake(k, candidates, zero):
    """Tell whether what explains best that a gradient is zero explains another one that is not zero."""
    found = [candidate for candidate in candidates if k in candidate.inputs] if k in zero else []
    return bool(found) and not min(found, key=lambda candidate: candidate.rank).inputs <= zero


def explained(case, open_inputs):
    """Return the candidates that explain all, and those that explain some, of the wrong inputs."""
    evidence, right_beside = evidence_for(case)
    if not any(wrong_in(evidence, k) for k in open_inputs):
        evidence, right_beside = beside(case), False
        if not any(wrong_in(evidence, k) for k in open_inputs):
            evidence, right_beside = at_the_point(case), may_have_kinks(case)
    broken = frozenset(
        k
        for k in range(len(case.names))
        if not all(usable([d.analytic[k]], [d.numerical[k].shape]) for d in case.draws)
    )
    candidates = compared(case, evidence, [k for k in open_inputs if k not in broken])
    candidates, parts = with_synthesis(case, evidence, broken, candidates)
    for candidate in (*candidates, *parts):
        candidate.words = filled(candidate.words, case.names)
    if right_beside:
        candidates = [*map(doubted, candidates), on_a_kink(open_inputs)]
    return candidates, parts


def with_synthesis(case, evidence, broken, candidates):
    """Return candidates with those that walks back give, and those that explain some of the inputs."""
    if evidence[0].graph is None:
        open_inputs = {k for k in range(len(case.names)) if wrong_in(evidence, k)} - broken
        explains = open_inputs <= inputs_of(candidates, CERTAIN)
        return [*candidates, *([] if explains else edits(case, evidence, BUDGET))], []
    synthesis = Synthesis(evidence, broken)
    synthesis.search()
    plain = [c.details["factor"] for c in candidates if c.label is Label.CONSTANT_FACTOR]
    # What is wrong by less than a millionth has no factor that means something.
    found = [c for c in synthesis.found if not close(c.details.get("factor", 0), 1)]
    for candidate in found:
        factor = candidate.details.get("factor")
        if factor is not None and any(close(factor, c) for c in plain):
            # One input shows that it is a plain factor; others have terms besides, which lack a sign or
            # a factor that has a name.
            named = candidate.label in (Label.WRONG_FUNCTION, Label.MISSING_FACTOR, Label.AVERAGED)
            candidate.label = candidate.label if named else Label.CONSTANT_FACTOR
            candidate.cost = 12.5 if named else 10.5
        elif factor is not None and candidate.label is Label.CONSTANT_FACTOR:
            candidate.label = of_a_term(evidence[0].graph, factor)
    candidates, wrong = [*candidates, *found], set(synthesis.wrong)
    if wrong <= inputs_of(candidates, CERTAIN):
        candidates = with_places(case, evidence, candidates)
    else:
        # What is merely rounded is right once anything is computed in more digits.
        rounds = any(candidate.label is Label.WRONG_DTYPE for candidate in candidates)
        explains = wrong <= inputs_of(candidates, BEHIND)
        edited = [] if rounds else edits(case, evidence, BUDGET_IF_EXPLAINED if explains else BUDGET)
        candidates = [*candidates, *edited]
    return candidates, synthesis.parts


def with_places(case, evidence, candidates):
    """Return candidates, of which a factor that is no usual one says where it comes from, if found.

    Two lengths of the inputs are easily that far apart by chance, so they are not guessed at then.
    """
    odd = [
        one for one in candidates
        if one.label is Label.CONSTANT_FACTOR and not one.op
        and is_odd(case, evidence, one.details["factor"])
    ]
    found = edits(case, evidence, BUDGET_OF_FACTORS) if odd else []
    for one in odd:
        best = min((e for e in found if e.inputs >= one.inputs), key=lambda e: e.cost, default=None)
        if best is not None:
            factor = told(one.details["factor"])
            one.words = f"is {factor} times what it should be, everywhere: it {best.words}"
            one.cost, one.details = LOCATED, {**one.details, **best.details}
    return candidates


def of_a_term(graph, c):
    """Return which mistake it is that one term, and not all of a gradient, is `c` times too much."""
    written = {abs(float(x)) for k in graph.live for x in graph.steps[k].arguments if is_number(x)}
    # Samples lie along the first axis.
    counts = {step.value.shape[0] for step in graph.steps if step.value.ndim}
    counts |= {step.value.size for step in graph.steps}
    # A number that the forward multiplies by is a factor, and not a number of samples.
    is_count = any(n > 2 and close(max(abs(c), 1 / abs(c)), n) for n in counts) and not any(
        close(abs(c), 1 / x) for x in written if x
    )
    is_count = is_count or (c > 2 and close(c, round(c)) and divides_by(graph, c))
    return Label.AVERAGED if is_count else Label.MISSING_FACTOR


def inputs_of(candidates, cost):
    """Return the inputs that are explained at less than a cost, and without contradiction."""
    plain = (one for one in candidates if one.cost < cost and not one.contradicts)
    return {k for candidate in plain for k in candidate.inputs}


def at_the_point(case):
    """Return the evidence of the point itself, for gradients that are right next to it."""
    return [
        Evidence(
            list(case.inputs),
            list(draw.cotangents),
            [np.asarray(a) for a in draw.analytic],
            list(draw.numerical),
            [8 * e + 1e-6 * np.abs(n).max(initial=0) for e, n in zip(draw.error, draw.numerical)],
        )
        for draw in case.draws
    ]


def doubted(candidate):
    """Return a candidate for gradients that are right beside a kink: it explains them by chance."""
    strict = candidate.label is Label.MASK_NOT_STRICT
    return candidate if strict else replace(candidate, cost=candidate.cost + BEHIND_THE_KINK)


def may_have_kinks(case):
    """Tell whether a step of the forward is on a kink, as far as it can be looked at."""
    graph = graph_of(case, case.inputs)
    chooses = {np.max, np.min, np.sort, np.median, np.linalg.norm}
    return graph is None or any(
        on_kink(step) or (step.flows and step.function in chooses) for step in graph.steps
    )


def on_a_kink(open_inputs):
    """Return the plain explanation of gradients that are right beside a kink, and wrong on it."""
    return Candidate(
        Label.MASK_NOT_STRICT,
        BEHIND_THE_KINK,
        "is wrong on a kink and right next to it: look at the masks where both sides of a comparison "
        "are equal; one may have >= for >, or both branches be open",
        frozenset(open_inputs),
    )


def filled(words, names):
    """Return words with ``input {0}`` replaced by the name of that input."""
    for k, name in enumerate(names):
        words = words.replace(f"input {{{k}}}", name)
    return words


def compared(case, evidence, open_inputs):
    """Return candidates from comparisons of arrays; those that say the same of several inputs are one."""
    together = {}
    for pair in case.shared:
        if set(pair) <= set(open_inputs):
            one, other = (case.names[k] for k in pair)
            words = (
                f"is wrong as one of a pair: the gradients of {one} and {other} lie in the same memory, "
                "so that what is done to one in place is done to both: make a copy first"
            )
            together[pair] = Label.STALE_BUFFER, 29.5, words, {}, set(pair)
    for k in open_inputs:
        for label, cost, words, details in (
            *factors(case, evidence, k),
            *arrangements(evidence, k, case),
            *unseen_masks(evidence, k),
            *rounded(evidence, k),
            *cotangents_confused(evidence, k),
        ):
            key = label, round(details["factor"], 9) if "factor" in details else words
            same = together.setdefault(key, (label, cost, words, details, set()))
            same[4].add(k)
    candidates = [
        Candidate(label, cost, words, frozenset(inputs), details=details)
        for label, cost, words, details, inputs in together.values()
    ]
    # Results in another order are one mistake.
    returned = [one for one in candidates if one.words.endswith(IN_ANOTHER_ORDER)]
    for one in returned:
        one.twins = frozenset().union(*(other.inputs for other in returned))
    return candidates
