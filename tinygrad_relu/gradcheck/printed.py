"""Reports as text: a headline, a table that fits a screen, and what is known of the inputs."""

import os
import sys
from collections import Counter

from tinygrad_relu.gradcheck.stories import stories_of
from tinygrad_relu.gradcheck.typesetting import clipped, sides_of, told_apart_names, width_of, wrapped

ROWS_SHOWN = 24
NAMES_IN_HEADLINE = 6
HEAD = ("input", "shape", "dtype", "verdict", "wrong", "kinks", "analytic", "numerical", "ratio")
NAME, SHAPE, DTYPE, VERDICT, _, _, ANALYTIC, NUMERICAL, _ = range(len(HEAD))
SHORTEST_NAME = 12
# What a narrow screen does without, the first to go first.
DISPENSABLE = ({DTYPE}, {ANALYTIC, NUMERICAL}, {SHAPE})
# ANSI colours of verdicts; everything else is plain.
COLOURS = {"right": "32", "right, on a kink": "32", "kinks meet": "33", "cannot tell": "33",
           "nothing to check": "2", "not deterministic": "31", "wrong": "1;31"}


def show(report, file=None):
    """Print a report, in colour where `file` is a terminal that has not asked for none."""
    file = sys.stdout if file is None else file
    terminal = getattr(file, "isatty", lambda: False)() and not os.environ.get("NO_COLOR")
    print(text_of(report, width_of(file), colour=terminal), file=file)


def text_of(report, width=None, colour=False):
    """Return a report as text, as wide as standard output by default."""
    width = width_of(sys.stdout) if width is None else width
    lines = [*wrapped(headline(report), width), ""]
    lines += table_of(report, width, colour)
    for told in stories_of(report, width):
        lines += ["", *told]
    remarks = [*report.notes, *taylor_remark(report)]
    if remarks:
        lines += ["", *(line for remark in remarks for line in wrapped(remark, width))]
    return "\n".join(lines)


def headline(report):
    """Return the first line: is it right?"""
    total, wrong = len(report.inputs), [x for x in report.inputs if not x.ok]
    how = "along random directions" if report.fast else "element by element"
    if any(x.verdict == "not deterministic" for x in report.inputs):
        return "Gradients cannot be checked: the function is not deterministic"
    if wrong:
        return f"Gradients are WRONG for {len(wrong)} of {total} inputs, compared {how}: {listed(wrong)}"
    hidden = [x for x in report.inputs if x.verdict == "cannot tell"]
    if len(hidden) == total:
        return "Gradients cannot be checked here: nothing can be told from differences at this point"
    if hidden:
        found = f"Nothing wrong was found, compared {how}"
        return f"{found}, but {len(hidden)} of {total} cannot be told: {listed(hidden)}"
    return f"Gradients are right, compared {how}"


def listed(entries):
    """Return the names of inputs in a row, as many as a headline has room for."""
    names = ", ".join(x.name for x in entries[:NAMES_IN_HEADLINE])
    return names + (", ..." if len(entries) > NAMES_IN_HEADLINE else "")


def table_of(report, width, colour):
    """Return the table of the inputs: name, shape, verdict, the worst relative error, kinks."""
    shown, rest = rows_shown(report)
    rows = [row_of(entry) for entry in shown]
    kept = columns_kept(rows, width)
    room = width - sum(width_of_column(rows, k) + 2 for k in kept[1:])
    names = told_apart_names([row[NAME] for row in rows], max(SHORTEST_NAME, room))
    rows = [[name, *row[1:]] for name, row in zip(names, rows)]
    widths = [width_of_column(rows, k) for k in range(len(HEAD))]
    lines = ["  ".join(HEAD[k].ljust(widths[k]) for k in kept).rstrip()]
    lines.append("-" * (sum(widths[k] for k in kept) + 2 * (len(kept) - 1)))
    for entry, row in zip(shown, rows):
        cells = [row[k].ljust(widths[k]) for k in kept]
        if colour:
            verdict = kept.index(VERDICT)
            cells[verdict] = f"\x1b[{COLOURS[str(entry.verdict)]}m{cells[verdict]}\x1b[0m"
        lines.append("  ".join(cells).rstrip())
    return lines + wrapped(rest, width)


def rows_shown(report, most=ROWS_SHOWN):
    """Return the inputs that there is room for, in their order, and a line on the others.

    Those of which more is to be said than that they are right go first.
    """
    first = sorted(range(len(report.inputs)), key=lambda k: report.inputs[k].verdict == "right")
    shown = [report.inputs[k] for k in sorted(first[:most])]
    others = Counter(str(report.inputs[k].verdict) for k in first[most:])
    counts = "; ".join(f"{count} {verdict}" for verdict, count in others.items())
    return shown, f"and {others.total()} more: {counts}" if others else ""


def columns_kept(rows, width):
    """Return the columns that have something in them, as far as they fit."""
    kept = [k for k in range(len(HEAD)) if k <= VERDICT or any(row[k] for row in rows)]
    for columns in DISPENSABLE:
        if sum(width_of_column(rows, k) for k in kept) + 2 * (len(kept) - 1) <= width:
            break
        kept = [k for k in kept if k not in columns]
    return kept


def width_of_column(rows, k):
    """Return how wide a column of the table is."""
    return max(len(row[k]) for row in [HEAD, *rows])


def row_of(entry):
    """Return the cells of one input."""
    shape = "x".join(map(str, entry.shape)) if entry.shape else "one number"
    kinks = str(len(entry.kinks)) if entry.kinks else ""
    wrong = ""
    if entry.wrong_count:
        whole = entry.compared == entry.size
        wrong = f"{entry.wrong_count} of {entry.compared}{'' if whole else ' seen'}"
    worst = sides_of(entry.worst[0]) if entry.worst else ["", "", ""]
    return [entry.name, clipped(shape, 14), entry.dtype.removeprefix("torch."), str(entry.verdict), wrong,
            kinks, *worst]


def taylor_remark(report):
    """Return the sentence on Taylor's remainder, if it says something."""
    order = report.taylor_order
    if order != order:
        return []
    if order == float("inf"):
        if any(not entry.ok for entry in report.inputs):
            return []
        return ["Taylor: along a random direction the function is linear, and the gradient its slope."]
    what = "2 is right" if order > 1.5 else "1 or less is a wrong slope"
    kinds = {one.kind for entry in report.inputs for one in entry.kinks}
    if order <= 1.5 and kinds:
        what = f"{'near' if kinds == {'near'} else 'on'} a kink it cannot be 2"
    elif order <= 1.5 and report.ok:
        what = "2 is right, but rounding or a kink farther off may hide it, as the comparison shows"
    return [
        f"Taylor: the remainder along a random direction falls like the step to the power {order:.2f} "
        f"({what})."
    ]
