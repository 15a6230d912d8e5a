"""What a report tells below its table: of each input that is wrong, or on kinks, why and where.

Inputs of which the same is to be said are told of together, and so many stories at most.
"""

from tinygrad_relu.gradcheck.diagnosis.ranking import SPOILS
from tinygrad_relu.gradcheck.typesetting import clipped, nameless, number, sides_of, some_of, wrapped

STORIES_SHOWN = 6
KINKS_SHOWN = 3
# Of the first story, and of those that follow: explanations, elements of its first input, and further
# inputs of which one element is shown.
FIRST_STORY, NEXT_STORIES = (3, 3, 3), (1, 1, 1)
ON_KINKS = {
    "on": "on a kink: any slope between the two sides is right",
    "near": "a kink is nearby: smaller steps were taken",
    "several": "several kinks meet: no choice of one slope at the kink is right there; nearby the "
               "gradient is right",
}


def stories_of(report, width):
    """Yield for each group of inputs the lines that tell what is known of it, if any.

    Several inputs are mostly wrong for one reason, so only the first has further explanations.
    """
    groups = groups_of(report)
    for number_of_story, group in enumerate(groups[:STORIES_SHOWN]):
        yield story_of(group, FIRST_STORY if number_of_story == 0 else NEXT_STORIES, width)
    left = [entry.name for group in groups[STORIES_SHOWN:] for entry in group]
    if left:
        words = f"Of {some_of(left)} other things are to be said: report[{left[0]!r}] has them."
        yield wrapped(words, width)


def groups_of(report):
    """Return the inputs of which something is to be said, in groups of the same; wrong ones first."""
    groups = {}
    for entry in report.inputs:
        if entry.explanations or entry.remark or entry.kinks:
            groups.setdefault(said_of(entry), []).append(entry)
    return sorted(groups.values(), key=lambda group: group[0].ok)


def said_of(entry):
    """Return what is to be said of an input, as far as others may share it."""
    first = entry.explanations[0] if entry.explanations else None
    claim = first and (first.label, nameless(first.claim.partition(SPOILS)[0], entry.name))
    kinds = frozenset(one.kind for one in entry.kinks)
    return claim, nameless(entry.remark, entry.name), kinds


def story_of(group, shown, width):
    """Return the lines that tell what is known of a group of inputs."""
    explanations, worst, others = shown
    first, names = group[0], some_of([entry.name for entry in group])
    lines, same = [], " The same holds for the others." if len(group) > 1 else ""
    for rank, one in enumerate(first.explanations[:explanations]):
        share = f"  [{one.share:.0%} of the difference]" if 0 < one.share < 0.995 else ""
        said = f"{one.claim}{share}" + (same if rank == 0 and SPOILS not in one.claim else "")
        lead = f"{names}: {one.label}." if rank == 0 else "    or:"
        lines += wrapped(f"{lead} {said}", width, "    " if rank == 0 else "        ")
    if first.remark:
        lines += wrapped(f"{names}: {first.remark}", width)
    elements = [(first, one) for one in first.worst[:worst]]
    elements += [(entry, one) for entry in group[1 : 1 + others] for one in entry.worst[:1]]
    return lines + elements_of(elements, width) + kinks_of(group, names, width)


def elements_of(elements, width):
    """Return the lines of elements that disagree, in columns."""
    rows = []
    for _, one in elements:
        analytic, numerical, ratio = sides_of(one)
        rows.append((
            f"analytic {analytic}",
            f"numerical {numerical} ± {one.error:.0e}" if one.error else f"numerical {numerical}",
            f"ratio {ratio}" if ratio else "",
        ))
    return in_columns(elements, rows, width)


def kinks_of(group, names, width):
    """Return the lines that list the kinks of a group of inputs."""
    lines = []
    for kind, words in ON_KINKS.items():
        found = [(entry, one) for entry in group for one in entry.kinks if one.kind == kind]
        if not found:
            continue
        lines += wrapped(f"{names}: {len(found)} x {words}.", width)
        shown = found[:KINKS_SHOWN]
        lines += in_columns(shown, [
            (f"slope {number(one.analytic)}", f"left {number(one.left)}", f"right {number(one.right)}")
            for _, one in shown
        ], width)
        if len(found) > KINKS_SHOWN:
            lines.append(f"    and {len(found) - KINKS_SHOWN} more")
    return lines


def in_columns(elements, rows, width):
    """Return elements and what is said of each: a line for each, in columns, or two where it is too long.

    Parameters
    ----------
    elements : list of (InputReport, WorstElement or Kink)
    rows : list of tuple of str
        As many, of the same length each.
    """
    places = [place_of(entry, one) for entry, one in elements]
    cells = list(zip(places, *zip(*rows)))
    widths = [max(map(len, column)) for column in zip(*cells)]
    if 4 + sum(widths) + 2 * (len(widths) - 1) <= width:
        return ["    " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    lines = []
    for place, *said in cells:
        lines.append(f"    {clipped(place, width - 4)}")
        lines += wrapped("        " + "  ".join(word for word in said if word), width, "        ")
    return lines


def place_of(entry, element):
    """Return what an element of an input is called."""
    if element.index is None:
        return "a random direction"
    return f"{entry.name}{list(element.index)}" if element.index else entry.name
