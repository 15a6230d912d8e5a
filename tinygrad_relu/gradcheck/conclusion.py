"""From comparisons and faults to verdicts, and to the explanations of what is wrong."""

import numpy as np

from tinygrad_relu.gradcheck import diagnosis
from tinygrad_relu.gradcheck.diagnosis import Case, Draw, Explanation, Label
from tinygrad_relu.gradcheck.kinks import MARGIN, Slant, has_kink
from tinygrad_relu.gradcheck.neighbourhood import Direction
from tinygrad_relu.gradcheck.report import Kink, Verdict, WorstElement
from tinygrad_relu.gradcheck.typesetting import some_of

#: What a mistake of the diagnosis raises; anything else comes from outside, as at an alarm of the user.
MISTAKES = (ArithmeticError, LookupError, ValueError, TypeError, AttributeError, RuntimeError)

WORST_KEPT = 10
# Slopes smaller than this part of those of all inputs count as zero, in units of the precision; where
# differences show none, those below the root of the precision do.
NEGLIGIBLE = 32
# A slope of 0 is known if its error is below this part of what the function changes by over the scale.
FLAT_ENOUGH = 1e-4
# So many of the smallest numbers that there are have too few digits to tell anything.
FEW = 1e3
# Ratios that differ by no more than this part are one factor.
ALIKE = 5e-5
# What is told of calls, and says more than that the first one was right.
OF_CALLS = {Label.ACCUMULATED_TWICE, Label.STALE_BUFFER, Label.INPUTS_CHANGED}
KINDS = {Slant.ON_KINK: "on", Slant.NEAR_KINK: "near", Slant.SEVERAL_KINKS: "several"}
ADVICE_SINGLE = "check in float64: pass inputs of that dtype"
ADVICE_DOUBLE = "take a large constant off the result, or check at a point where the function is steeper"


def conclude(report, at, comparisons, faults):
    """Fill the entries of a report: verdicts, worst elements, kinks and explanations."""
    total = sum(one.signal for one in comparisons)
    for entry, comparison in zip(report.inputs, comparisons):
        describe(entry, comparison, at)
        entry.verdict = verdict_of(entry, comparison, faults, at, total)
        if entry.verdict is Verdict.CANNOT_TELL:
            entry.remark = why_not(entry, comparison, at)
    report.notes += rounded(report, comparisons)
    wrong = [entry for entry in report.inputs if entry.verdict is Verdict.WRONG]
    if wrong:
        found = explained(report, at, comparisons, faults)
        for entry in wrong:
            entry.explanations = found[entry.name]
            entry.label = entry.explanations[0].label


def rounded(report, comparisons):
    """Return a sentence that names the gradients that only rounding spoils, if there are some."""
    places = []
    for entry, comparison in zip(report.inputs, comparisons):
        if entry.ok:
            places += [
                f"{entry.name}{list(index)}" if index else entry.name
                for index, finding in comparison.findings.items() if finding.rounded
            ]
            if any(line.rounded for line in comparison.lines):
                places.append(f"{entry.name} along a random direction")
    if not places:
        return []
    verb = "is" if len(places) == 1 else "are"
    return [
        f"{some_of(places)} {verb} off in the dtype given and right in float64: rounding spoils "
        f"{'it' if len(places) == 1 else 'them'}, and no formula is wrong."
    ]


def describe(entry, comparison, at):
    """Fill in the worst elements, the kinks, and how far each element is off."""
    mask = comparison.wrong_mask()
    entry.compared = int(np.isfinite(comparison.error).all(axis=0).sum())
    with np.errstate(all="ignore"):
        off = np.abs(comparison.analytic - comparison.numerical)
        off = np.where(np.isnan(off) & ~np.isnan(comparison.numerical), np.inf, off)
        size = np.fmax(np.abs(comparison.analytic), np.abs(comparison.numerical))
        usual = 1e-3 * np.sqrt(np.nanmean(np.square(comparison.numerical))) if entry.compared else 0.0
        relative = np.where(off == 0, 0.0, off / np.fmax(size, usual))
        relative[np.isinf(off)] = np.inf
    tolerated = ~mask & np.isfinite(comparison.error)
    shown = np.where(tolerated, np.minimum(relative, 1e-6), relative)
    if entry.compared:
        entry.relative_error = np.max(np.where(np.isnan(shown), -1.0, shown), axis=0)
        entry.relative_error = np.where(entry.relative_error < 0, np.nan, entry.relative_error)
    elif entry.size == 0:
        entry.relative_error = np.zeros(entry.shape)
    if entry.size == 0:
        return
    if mask.any() and not comparison.wrong:
        mask[:] = False     # all are on kinks, or nothing can be said of them
    entry.wrong_count = int(mask.any(axis=0).sum())
    order = np.argsort(np.where(mask, relative, -1.0), axis=None)[::-1]
    position = at.problem.names.index(entry.name)
    seen = set()
    for flat in order[: WORST_KEPT * 4]:
        draw, *index = (int(k) for k in np.unravel_index(flat, mask.shape))
        if not mask[(draw, *index)] or tuple(index) in seen or len(seen) == WORST_KEPT:
            continue
        seen.add(tuple(index))
        place = (draw, *index)
        given = at.floating_gradient(draw, position) is not None
        entry.worst.append(WorstElement(
            tuple(index), float(comparison.analytic[place]) if given else None,
            float(comparison.numerical[place]), float(comparison.error[place]), draw,
        ))
    if comparison.wrong and not entry.worst:
        describe_hidden(entry, comparison)
    elif comparison.wrong:
        entry.remark = outside_of_a_kink(entry, comparison, at)
    for index, finding in sorted(comparison.findings.items()):
        if finding.slant in KINDS:
            entry.kinks.append(kink_of(finding, index, float(at.scales[position][index])))
    entry.kinks += [
        kink_of(line, None, 1.0) for line in comparison.lines if line.slant in KINDS and not entry.kinks
    ]


def describe_hidden(entry, comparison):
    """Fill in the worst elements of an input that is wrong, though none is by itself at the point."""
    off = [one for one in comparison.elsewhere if one[1].slant is Slant.WRONG]
    for index, finding, scale in off or comparison.elsewhere:
        draw = int(np.argmax(np.nan_to_num(np.abs(finding.analytic - finding.numerical))))
        entry.worst.append(WorstElement(
            index, float(finding.analytic[draw] / scale), float(finding.numerical[draw] / scale),
            float(finding.error[draw] / scale), draw,
        ))
    if entry.worst:
        found = [*comparison.findings.values(), *comparison.lines]
        bent = any(one.slant in (Slant.ON_KINK, Slant.SEVERAL_KINKS) for one in found)
        hidden = (
            "the point is on a kink, which hides the mistake" if bent
            else "the gradient is right at the point itself, and wrong next to it"
            if right_where_first_called(comparison)
            else "at the point itself rounding hides the mistake"
        )
        entry.remark = f"{hidden}: the numbers are those of a point nearby."
        return
    with np.errstate(all="ignore"):
        excess = np.abs(comparison.analytic - comparison.numerical) / comparison.error
    for flat in np.argsort(np.nan_to_num(excess), axis=None)[::-1][:3]:
        place = tuple(int(k) for k in np.unravel_index(flat, excess.shape))
        if np.isfinite(comparison.error[place]) and excess[place] > 0:
            entry.worst.append(WorstElement(
                place[1:], float(comparison.analytic[place]), float(comparison.numerical[place]),
                float(comparison.error[place]), place[0],
            ))
    if entry.worst:
        bent = any(one.slant is Slant.ON_KINK for one in comparison.findings.values())
        entry.remark = "along a random direction the gradient is wrong, while each element " + (
            "that is on a kink may have any slope between its two sides: not all of them may at once."
            if bent else "agrees within the error of its difference."
        )


def right_where_first_called(comparison):
    """Tell whether a gradient that is wrong nearby is right at the point, where it is first asked for."""
    found = [*comparison.findings.values(), *comparison.lines]
    if any(one.slant is not Slant.RIGHT for one in found) or not comparison.elsewhere:
        return False
    for index, finding, scale in comparison.elsewhere:
        off = np.abs(finding.analytic - finding.numerical) / scale
        if (MARGIN * comparison.error[(slice(None), *index)] > 0.1 * off.max()).any():
            return False
    return True


def outside_of_a_kink(entry, comparison, at):
    """Return a sentence about the worst element if it is on a kink, and its slope between no sides."""
    worst = entry.worst[0]
    finding = comparison.findings.get(worst.index)
    given = worst.analytic is not None and finding is not None and finding.left is not None
    if not given or not has_kink(finding)[worst.draw]:
        return ""
    scale = float(at.scales[at.problem.names.index(entry.name)][worst.index])
    low, high = sorted(float(side[worst.draw]) / scale for side in (finding.left, finding.right))
    return (
        f"{entry.name}{list(worst.index)} is on a kink: any slope from {low:.6g} to {high:.6g}, those of "
        f"its two sides, is right there, and {worst.analytic:.6g} is none of them."
    )


def kink_of(finding, index, scale):
    """Return a kink for the report, for the first set of cotangents whose sides differ most."""
    with np.errstate(all="ignore"):
        draw = int(np.argmax(np.nan_to_num(np.abs(finding.right - finding.left))))
    slopes = [float(x[draw] / scale) for x in (finding.analytic, finding.left, finding.right)]
    return Kink(index, *slopes, KINDS[finding.slant])


def verdict_of(entry, comparison, faults, at, total):
    """Return what became of an input."""
    label, _ = faults.of_input.get(entry.name, (None, ""))
    missing = label is Label.ZEROS
    if label is not None and not missing:
        return Verdict.WRONG
    if entry.size == 0:
        return Verdict.EMPTY
    if missing:
        return Verdict.RIGHT if flat(comparison) else Verdict.WRONG
    if comparison.wrong:
        return Verdict.WRONG
    position = at.problem.names.index(entry.name)
    if vanishes(comparison, at, position) or hidden(comparison, at, position, total):
        return Verdict.CANNOT_TELL
    # A direction mixes the kinks of elements, each of which may have its slope between its two sides.
    for found in (comparison.findings.values(), comparison.lines):
        slants = {one.slant for one in found}
        if Slant.SEVERAL_KINKS in slants:
            return Verdict.SEVERAL_KINKS
        if Slant.ON_KINK in slants:
            return Verdict.ON_KINK
    return Verdict.RIGHT


def flat(comparison):
    """Tell whether the derivatives by differences are zero, but for their errors."""
    found = comparison.numerical[np.isfinite(comparison.error)]
    doubt = MARGIN * comparison.error[np.isfinite(comparison.error)]
    if comparison.lines and not found.size:
        return all((np.abs(x.numerical) <= MARGIN * x.error).all() for x in comparison.lines)
    return bool((np.abs(found) <= doubt).all())


def vanishes(comparison, at, position):
    """Tell whether a gradient is not 0, and what it changes the function by is lost below all numbers.

    The function is flat then, whatever the gradient is.
    """
    dtype = next(t for t in (np.float64, np.float32, np.float16) if np.finfo(t).eps >= at.eps)
    least = FEW * float(np.finfo(dtype).smallest_subnormal)
    seen = [np.nan_to_num(comparison.numerical), *(line.numerical for line in comparison.lines)]
    if any(found.any() for found in seen) or not comparison.analytic.any():
        return False
    with np.errstate(under="ignore", invalid="ignore"):
        return bool((np.abs(comparison.analytic * at.scales[position]) <= least).all())


def hidden(comparison, at, position, total):
    """Tell whether errors of the differences are as large as the slopes, so that they show nothing."""
    if unreached(comparison):
        return True
    if not np.isfinite(comparison.doubt):
        finite = [np.isfinite(x.error).all() for x in [*comparison.findings.values(), *comparison.lines]]
        return not any(finite) and not np.isfinite(comparison.error).any()
    doubt, signal = MARGIN * np.sqrt(comparison.doubt), np.sqrt(comparison.signal)
    whole = np.sqrt(total)
    nothing = signal <= NEGLIGIBLE * at.eps * whole
    nothing |= signal <= np.sqrt(at.eps) * whole and flat(comparison)
    if nothing or not np.nan_to_num(comparison.analytic).any():
        if any(one.slant is Slant.ON_KINK for one in comparison.findings.values()):
            return False  # the sides of a kink are seen
        # Nothing arrives there, and differences see nothing: how much could they see?
        seen = 0.1 * whole + 1e-2 * np.max(at.noise) / at.eps
        return bool(doubt > seen and doubt > FLAT_ENOUGH * reach(at, position))
    lines = [
        (np.fmax(np.abs(x.analytic), np.abs(x.numerical)) > 4 * MARGIN * x.error).any()
        for x in comparison.lines
    ]
    return bool(doubt > 0.5 * signal and not any(lines))


def unreached(comparison):
    """Return the elements next to which the function is not finite, on either side."""
    return [index for index, finding in comparison.findings.items() if finding.slant is Slant.HIDDEN]


def reach(at, position):
    """Return how far the function rises, or falls, where an input changes by its scale."""
    line = Direction(at, {position: at.scales[position]})
    rises = np.abs([line(t)[1] for t in (1.0, -1.0)])
    return float(np.max(rises, where=np.isfinite(rises), initial=0.0))


def why_not(entry, comparison, at):
    """Return the sentence that says why nothing can be told of an input, and what to do."""
    if at.failure is not None:
        there = unreached(comparison)
        one = f"{list(there[0])}" if there and there[0] and len(there) < entry.size else ""
        return (
            f"when {entry.name}{one} is shifted a little, the function {at.failure}: there is no "
            "difference to compare with; choose a point with room around it"
        )
    jumps = [index for index, finding in comparison.findings.items() if finding.jumps]
    if jumps or any(line.jumps for line in comparison.lines):
        where = f" of {entry.name} at index {jumps[0]}" if jumps and jumps[0] else f" of {entry.name}"
        return (
            f"the function jumps at the value{where}: it has no derivative there; choose a point on one "
            "side of the jump"
        )
    if vanishes(comparison, at, at.problem.names.index(entry.name)):
        return (
            f"{entry.name} is so small that what it changes the function by is below the smallest number "
            "there is; check at larger values"
        )
    advice = ADVICE_SINGLE if at.eps > 1e-10 else ADVICE_DOUBLE
    relative = float(np.max(at.noise / np.maximum(np.abs(sums(at)), 1e-300)))
    return (
        f"the function has errors of rounding of about {np.max(at.noise):.0e} "
        f"({relative:.0e} of its result), and {entry.name} changes it by no more; {advice}"
    )


def sums(at):
    """Return the weighted sums of the results."""
    return np.array([
        sum(np.sum(np.abs(c * y)) for c, y in zip(draw, at.base)) for draw in at.weights
    ])


def explained(report, at, comparisons, faults):
    """Return the explanations of each wrong input: faults that were seen first, then the diagnosis."""
    entries = report.inputs
    wrong = [entry.verdict is Verdict.WRONG for entry in entries]
    found = {}
    if not report.fast:
        found = diagnosed(case_of(at, comparisons, wrong, faults))
    told = {}
    for entry, comparison, bad in zip(entries, comparisons, wrong):
        if not bad:
            continue
        # Right numbers need no explanation: then the fault that was seen is all that is wrong.
        told[entry.name] = list(found.get(entry.name, [])) if comparison.wrong else []
        label, sentence = faults.of_input.get(entry.name, (None, ""))
        if label is Label.WRONG_SHAPE and any("shape" in one.details for one in told[entry.name]):
            continue        # the diagnosis says how the shape came about
        if label is not None and not any(one.label is label for one in told[entry.name]):
            told[entry.name] = [
                Explanation(label, f"{sentence}.", 1.0),
                *(one for one in told[entry.name] if one.label is not Label.UNEXPLAINED),
            ]
        behaves = not {label, *(one.label for one in told[entry.name])} & OF_CALLS
        if behaves and right_where_first_called(comparison):
            others = [one for one in told[entry.name] if one.label is not Label.UNEXPLAINED]
            told[entry.name] = [Explanation(
                Label.STALE_BUFFER,
                f"d{entry.name} is right for the inputs of the first call of the backward, and wrong "
                "for others close by: it keeps something from its first call.", 1.0,
            ), *others]
        if not told[entry.name]:
            told[entry.name] = [simple_explanation(entry, comparison)]
    return told


def diagnosed(case):
    """Return what the diagnosis says of a case; if it fails, that: the verdicts stand without it."""
    try:
        return diagnosis.diagnose(case)
    except MISTAKES as error:  # at functions that nobody thought of
        words = (
            f"looking for an explanation failed ({type(error).__name__}: {error}), which is a mistake of "
            "the checker; that the gradient is wrong stands: look at the elements below."
        )
        names = [name for name, bad in zip(case.names, case.wrong) if bad]
        return {name: [Explanation(Label.UNEXPLAINED, words, 0.0)] for name in names}


def case_of(at, comparisons, wrong, faults):
    """Return the case for the diagnosis."""
    problem = at.problem
    draws = [
        Draw(
            [c.copy() for c in cotangents],
            list(at.gradients[k]),
            [one.numerical[k] for one in comparisons],
            [one.error[k] for one in comparisons],
        )
        for k, cotangents in enumerate(at.cotangents)
    ]
    return Case(
        list(problem.names), list(problem.inputs), wrong, draws, problem.forward, problem.backward,
        problem.taped, problem.own_graph, faults.changed, problem.derivative, faults.shared,
        problem.followed,
    )


def simple_explanation(entry, comparison):
    """Return what can be said from what was compared: zeros, one factor for all, or nothing."""
    finite = comparison.analytic[np.isfinite(comparison.analytic)]
    ratios, doubts = ratios_of(comparison)
    if ratios.size and not finite.any():
        return Explanation(Label.ZEROS, f"the gradient of {entry.name} is zero, and should not be.", 1.0)
    if ratios.size > 1:
        factor, doubt = np.average(ratios, weights=doubts**-2.0), doubts.min()
        same = (np.abs(ratios - factor) <= doubts + doubt).all()
        if same and doubt <= 0.02 * abs(factor) and abs(factor - 1) > 2 * doubt:
            words = f"{factor:.6g}" if doubt <= 2 * ALIKE * abs(factor) else f"about {factor:.3g}"
            return Explanation(
                Label.CONSTANT_FACTOR,
                f"the gradient of {entry.name} is {words} times what it should be, wherever it was "
                "compared.", 1.0, {"factor": float(factor)},
            )
    return Explanation(
        Label.UNEXPLAINED, "look at the elements below, and at the rule they come from.", 0.0
    )


def ratios_of(comparison):
    """Return gradients by differences, of elements and directions, and how far the ratios may be off."""
    seen = np.isfinite(comparison.error) & np.isfinite(comparison.analytic)
    sides = [(comparison.analytic[seen], comparison.numerical[seen], comparison.error[seen])]
    sides += [(one.analytic, one.numerical, one.error) for one in comparison.lines]
    analytic, numerical, error = (np.concatenate([side[k] for side in sides]) for k in range(3))
    with np.errstate(all="ignore"):
        clear = np.isfinite(analytic) & (np.abs(numerical) > 4 * MARGIN * error)
        ratios = (analytic / numerical)[clear]
        doubts = np.abs(ratios) * (MARGIN * error / np.abs(numerical))[clear]
    return ratios, doubts + ALIKE * np.maximum(np.abs(ratios), ALIKE)
