"""Reports as a picture: for each input a heat map of how far its gradient is off.

What has no error for each element, as in the fast mode, is a panel of one colour with words.
"""

import textwrap

import numpy as np

from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.gradcheck.printed import rows_shown
from tinygrad_relu.gradcheck.typesetting import clipped, number, some_of, told_apart_names

# Relative errors, from the largest that a report has where all is right to the whole.
LOWEST, HIGHEST = 1e-6, 1.0
# What lies below, and what no number tells, have colours of their own, which the legend explains.
RIGHT, ON_KINK, UNKNOWN, WRONG = "#cfe6d1", "#b7d0ee", "#d0d0d0", "#f3c1b5"
MEANINGS = {RIGHT: "right", ON_KINK: "on a kink: no mistake", UNKNOWN: "not compared, or cannot tell",
            WRONG: "wrong"}
TITLES = {True: "#2e7d32", False: "#c62828", None: "#8a5a00"}
COLUMNS, PANELS = 4, 16
LONGEST_NAME = 30
ELEMENTS_NAMED = 3
# Up to so many rows or columns, elements are set apart by lines.
FEW = 24


def draw(report, figure=None):
    """Draw a report, and return the figure.

    Parameters
    ----------
    report : GradientReport
    figure : matplotlib.figure.Figure, optional
    """
    try:
        from matplotlib import colormaps
        from matplotlib.colors import LogNorm
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ArgumentError("plot: matplotlib is not installed: pip install matplotlib") from error
    shown, rest = rows_shown(report, PANELS)
    columns = min(COLUMNS, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    if figure is None:
        figure = Figure(figsize=(2.8 * columns + 1.4, 2.6 * rows + 1.1), layout="constrained")
    norm, colours = LogNorm(LOWEST, HIGHEST), colormaps["YlOrRd"]
    colours = colours.with_extremes(under=RIGHT, over=colours(1.0), bad=UNKNOWN)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    names = told_apart_names([entry.name for entry in shown], LONGEST_NAME)
    used, image = set(), None
    for name, entry, axis in zip(names, shown, axes):
        if has_map(entry, report):
            used |= draw_map(entry, axis, norm, colours)
            image = axis.images[0] if entry.verdict == "wrong" else image
        else:
            used.add(draw_words(entry, axis, report.fast))
        put_title(axis, name, entry)
    for axis in axes[len(shown):]:
        axis.set_axis_off()
    if image is not None:
        bar = figure.colorbar(image, ax=list(axes), shrink=min(0.9, 1.8 / rows), anchor=(0, 1))
        bar.set_label("relative error")
        bar.outline.set_visible(False)
    put_legend(figure, used)
    put_headline(figure, report, rest, 26 * columns)
    return figure


def has_map(entry, report):
    """Tell whether an input has an error for each of its elements, or most of them."""
    return entry.relative_error is not None and entry.size > 0 and not report.fast


def draw_map(entry, axis, norm, colours):
    """Draw the errors of the elements of one input, and return the colours that the legend explains."""
    error = as_picture(entry.relative_error)
    if entry.verdict == "cannot tell":
        error = np.full(error.shape, np.nan)
    shown = np.ma.masked_invalid(np.where(np.isinf(error), HIGHEST, error))
    shown = np.ma.where(shown <= LOWEST, 0.1 * LOWEST, shown)
    looks = {"aspect": "auto", "interpolation": "nearest"}
    axis.imshow(shown, norm=norm, cmap=colours, **looks)
    bent = np.ma.masked_all(entry.relative_error.shape)
    for kink in entry.kinks:
        if kink.index is not None and kink.kind != "near":
            bent[kink.index] = 1.0
    bent = np.ma.masked_where(np.ma.getmaskarray(shown), as_picture(bent))
    if bent.count():
        from matplotlib.colors import ListedColormap

        axis.imshow(bent, cmap=ListedColormap([ON_KINK]), **looks)
    set_apart(axis, entry, error.shape)
    straight, right = np.ma.getmaskarray(bent), shown.filled(HIGHEST) < LOWEST
    there = {RIGHT: right & straight, ON_KINK: ~straight, UNKNOWN: np.ma.getmaskarray(shown)}
    return {colour for colour, places in there.items() if places.any()}


def set_apart(axis, entry, shape):
    """Put numbers on the axes of a map, and lines between its elements where they are few."""
    axis.set_xlabel(shape_of(entry), fontsize=8)
    axis.tick_params(labelsize=7)
    axis.spines[:].set_visible(False)
    for side, count in zip((axis.yaxis, axis.xaxis), shape):
        side.set_major_locator(whole_numbers(count))
        if count <= FEW:
            side.set_ticks(np.arange(1, count) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.8)
    axis.tick_params(which="minor", length=0)
    if shape[0] == 1:
        axis.set_yticks([])


def draw_words(entry, axis, fast):
    """Draw one input of which there is no map, and return its colour."""
    colour = {"right": RIGHT, "right, on a kink": ON_KINK, "kinks meet": ON_KINK, "wrong": WRONG}.get(
        str(entry.verdict), UNKNOWN
    )
    axis.set_facecolor(colour)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_xlabel(shape_of(entry), fontsize=8)
    lines = ["compared along\nrandom directions" if fast else "not compared"]
    if entry.size == 0:
        lines = ["no elements"]
    elif str(entry.verdict) == "cannot tell":
        lines = ["cannot tell"]
    if entry.verdict == "wrong" and entry.worst:
        lines.append("\n".join(
            f"{list(one.index)}: {number(one.analytic, 3)}, not {number(one.numerical, 3)}"
            for one in entry.worst[:ELEMENTS_NAMED]
        ))
    middle = {"ha": "center", "va": "center", "transform": axis.transAxes}
    axis.text(0.5, 0.5, "\n\n".join(lines), fontsize=8, **middle)
    return colour


def shape_of(entry):
    """Return the shape of an input in words."""
    return " x ".join(map(str, entry.shape)) or "one number"


def put_title(axis, name, entry):
    """Write above a panel what became of its input."""
    words = str(entry.verdict if entry.ok else entry.label or entry.verdict)
    title = f"{name}: {words}"
    if len(title) > LONGEST_NAME:
        title = f"{name}\n{textwrap.fill(words, LONGEST_NAME)}"
    axis.set_title(title, fontsize=9, color="black" if entry.ok else TITLES[False])


def put_legend(figure, used):
    """Explain below the panels the colours that stand for no number."""
    from matplotlib.patches import Patch

    patches = [Patch(color=colour, label=words) for colour, words in MEANINGS.items() if colour in used]
    if patches:
        figure.legend(
            handles=patches, loc="outside lower center", ncols=len(patches), fontsize=8, frameon=False
        )


def put_headline(figure, report, rest, width):
    """Write above all panels what was found, and of which inputs there are none."""
    wrong = [clipped(entry.name, LONGEST_NAME) for entry in report.inputs if not entry.ok]
    title, ok = ("gradients are right", True) if report.ok else ("nothing can be told", None)
    if any(entry.verdict == "not deterministic" for entry in report.inputs):
        title, ok = "the function is not deterministic: nothing was compared", False
    elif wrong:
        title, ok = f"wrong: {some_of(wrong)}", False
    hidden = sum(entry.verdict == "cannot tell" for entry in report.inputs)
    if hidden and report.ok:
        title += f", {hidden} of {len(report.inputs)} cannot be told"
    title = textwrap.fill(f"{title}  ({rest}, not shown)" if rest else title, width)
    figure.suptitle(title, color=TITLES[ok], fontsize=11)


def whole_numbers(count):
    """Return where the ticks of an axis of `count` elements stand."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    return FixedLocator(range(count)) if count <= 6 else MaxNLocator(5, integer=True)


def as_picture(values):
    """Return an array as rows and columns: leading axes one below the other."""
    return values.reshape(1, -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1])
