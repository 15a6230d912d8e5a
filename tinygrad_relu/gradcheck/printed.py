"""Reports as text: a table that fits a screen, and below it the story of each input that is wrong."""

import os
import sys
import textwrap

WIDTH = 92
KINKS_SHOWN = 3
WORST_SHOWN = 3
EXPLANATIONS_SHOWN = 3
# ANSI colours of verdicts; everything else is plain.
COLOURS = {"right": "32", "right, on a kink": "32", "kinks meet": "33", "cannot tell": "33",
           "nothing to check": "2", "not deterministic": "31", "wrong": "1;31"}


def show(report, file=None):
    """Print a report, in colour where `file` is a terminal that has not asked for none."""
    file = sys.stdout if file is None else file
    terminal = getattr(file, "isatty", lambda: False)() and not os.environ.get("NO_COLOR")
    print(text_of(report, colour=terminal), file=file)


def text_of(report, colour=False):
    """Return a report as text."""
    lines = [headline(report), ""]
    lines += table_of(report, colour)
    for told in stories_of(report):
        lines += ["", *told]
    remarks = [*report.notes, *taylor_remark(report)]
    if remarks:
        lines += ["", *(line for remark in remarks for line in wrapped(remark))]
    return "\n".join(lines)


def headline(report):
    """Return the first line: is it right?"""
    total, wrong = len(report.inputs), [x for x in report.inputs if not x.ok]
    how = "along random directions" if report.fast else "element by element"
    if any(x.verdict == "not deterministic" for x in report.inputs):
        return "Gradients cannot be checked: the function is not deterministic"
    if wrong:
        names = ", ".join(x.name for x in wrong[:6]) + (", ..." if len(wrong) > 6 else "")
        return f"Gradients are WRONG for {len(wrong)} of {total} inputs, compared {how}: {names}"
    hidden = [x.name for x in report.inputs if x.verdict == "cannot tell"]
    if len(hidden) == total:
        return "Gradients cannot be checked here: nothing can be told from differences at this point"
    if hidden:
        names = ", ".join(hidden[:6]) + (", ..." if len(hidden) > 6 else "")
        found = f"Nothing wrong was found, compared {how}"
        return f"{found}, but {len(hidden)} of {total} cannot be told: {names}"
    return f"Gradients are right, compared {how}"


def table_of(report, colour):
    """Return the table of the inputs: name, shape, verdict, the worst relative error, kinks."""
    head = ["input", "shape", "dtype", "verdict", "wrong", "kinks", "analytic", "numerical", "ratio"]
    rows = [row_of(entry) for entry in report.inputs]
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    kept = [k for k in range(len(head)) if k < 4 or any(row[k] for row in rows)]
    lines = ["  ".join(head[k].ljust(widths[k]) for k in kept).rstrip()]
    lines.append("-" * min(WIDTH, sum(widths[k] for k in kept) + 2 * (len(kept) - 1)))
    for entry, row in zip(report.inputs, rows):
        cells = [row[k].ljust(widths[k]) for k in kept]
        if colour:
            cells[3] = f"\x1b[{COLOURS[str(entry.verdict)]}m{cells[3]}\x1b[0m"
        lines.append("  ".join(cells).rstrip())
    return lines


def row_of(entry):
    """Return the cells of one input."""
    shape = "x".join(map(str, entry.shape)) if entry.shape else "one number"
    kinks = str(len(entry.kinks)) if entry.kinks else ""
    wrong = ""
    if entry.wrong_count:
        whole = entry.compared == entry.size
        wrong = f"{entry.wrong_count} of {entry.compared}{'' if whole else ' seen'}"
    worst = ["", "", ""]
    if entry.worst:
        first = entry.worst[0]
        worst = told_apart(first)
    return [clipped(entry.name, 20), clipped(shape, 14), entry.dtype.removeprefix("torch."),
            str(entry.verdict), wrong, kinks, *worst]


def stories_of(report):
    """Yield for each input the lines that tell what is known of it, if any.

    Several inputs are mostly wrong for one reason, so only the first has further explanations.
    """
    first = True
    for entry in report.inputs:
        told = story_of(entry, *((EXPLANATIONS_SHOWN, WORST_SHOWN) if first else (1, 1)))
        first = first and not entry.explanations
        if told:
            yield told


def story_of(entry, explanations, worst):
    """Return the lines that tell what is known of one input, with so many explanations and elements."""
    lines = []
    for rank, one in enumerate(entry.explanations[:explanations]):
        share = f"  [{one.share:.0%} of the difference]" if 0 < one.share < 0.995 else ""
        lead = f"{entry.name}: {one.label}." if rank == 0 else "    or:"
        lines += wrapped(f"{lead} {one.claim}{share}", "    " if rank == 0 else "        ")
    if entry.remark:
        lines += wrapped(f"{entry.name}: {entry.remark}", "    ")
    for one in entry.worst[:worst]:
        at = f"{entry.name}{list(one.index)}" if one.index else entry.name
        analytic, numerical, ratio = told_apart(one)
        lines.append(
            f"    {clipped(at, 24):24}  analytic {analytic:>13}  numerical {numerical:>13} "
            f"± {one.error:.0e}  ratio {ratio}"
        )
    return lines + kinks_of(entry)


def kinks_of(entry):
    """Return the lines that list the kinks of one input."""
    what = {
        "on": "on a kink: any slope between the two sides is right",
        "near": "a kink is nearby: smaller steps were taken",
        "several": "several kinks meet: no choice of one slope at the kink is right there; nearby the "
                   "gradient is right",
    }
    lines = []
    for kind, words in what.items():
        found = [one for one in entry.kinks if one.kind == kind]
        if not found:
            continue
        lines += wrapped(f"{entry.name}: {len(found)} x {words}.", "    ")
        for one in found[:KINKS_SHOWN]:
            at = f"{entry.name}{list(one.index)}" if one.index else "a random direction"
            lines.append(
                f"    {clipped(at, 24):24}  slope {number(one.analytic):>13}  left "
                f"{number(one.left):>13}  right {number(one.right):>13}"
            )
        if len(found) > KINKS_SHOWN:
            lines.append(f"    and {len(found) - KINKS_SHOWN} more")
    return lines


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


def wrapped(text, indent="    "):
    """Return a paragraph as lines that fit."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False)


def told_apart(element):
    """Return what both sides say of an element, and the ratio, in as many digits as tell them apart."""
    sides, off = (element.analytic, element.numerical), element.ratio - 1
    if not 0 < abs(off) < 1e-5:
        return [number(x) for x in (*sides, element.ratio)]
    return [*(number(x, 10) for x in sides), f"1 {'-' if off < 0 else '+'} {abs(off):.0e}"]


def number(value, digits=6):
    """Return a number in few characters."""
    return f"{value:.{digits}g}"


def clipped(text, width):
    """Return a text that is no longer than `width`."""
    return text if len(text) <= width else text[: width - 1] + "…"
