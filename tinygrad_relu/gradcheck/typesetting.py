"""Numbers, names and paragraphs of reports, cut to the width that there is."""

import re
import shutil
import textwrap

# Lines have the width of the terminal within these bounds, and the larger one where there is none.
NARROWEST, WIDEST = 60, 100
NAMES_SHOWN = 4


def width_of(file):
    """Return how long lines may be that are written to a file."""
    if not getattr(file, "isatty", lambda: False)():
        return WIDEST
    return min(WIDEST, max(NARROWEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def wrapped(text, width, indent="    "):
    """Return a paragraph as lines that fit, those from the second on after an indent."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def number(value, digits=6):
    """Return a number in few characters, and zero without a sign; ``"none"`` where there is none."""
    return "none" if value is None else f"{value + 0.0:.{digits}g}"


def clipped(text, width):
    """Return a text no longer than `width`: what is cut away is in the middle."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return cut(text, head, width)


def cut(text, head, width):
    """Return a text of `width` characters: so many of the head, and the rest of them from the tail."""
    return text if len(text) <= width else f"{text[:head]}…{text[len(text) - (width - head - 1):]}"


def told_apart_names(names, width):
    """Return names no longer than `width`, cut at the same place, where they differ least.

    Parameters of one net often begin alike and end alike, and differ by a number in between.
    """
    middle = (width - 1) // 2
    places = sorted(range(width), key=lambda head: abs(head - middle))
    head = max(places, key=lambda head: len({cut(name, head, width) for name in names}))
    return [cut(name, head, width) for name in names]


def some_of(names, most=NAMES_SHOWN):
    """Return names in a row, of which so many are spelled out: ``"a, b, c, d and 6 others"``."""
    if len(names) < 2:
        return "".join(names)
    if len(names) <= most + 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:most])} and {len(names) - most} others"


def nameless(text, name):
    """Return a sentence about an input, or its gradient, without its name."""
    article = name == "a"       # which stands in most sentences
    return re.sub(rf"(?<!\w)({'d' if article else 'd?'}){re.escape(name)}(?!\w)", r"\1·", text)


def sides_of(element):
    """Return what both sides say of an element, and the ratio, in as many digits as tell them apart."""
    sides, off = (element.analytic, element.numerical), element.ratio - 1
    if not 0 < abs(off) < 1e-5:
        return [*map(number, sides), "" if element.ratio != element.ratio else number(element.ratio)]
    return [*(number(x, 10) for x in sides), f"1 {'-' if off < 0 else '+'} {abs(off):.0e}"]
