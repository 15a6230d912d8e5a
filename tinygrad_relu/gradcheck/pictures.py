"""Reports as a picture: for each input a heat map of how far its gradient is off."""

import textwrap

import numpy as np

from tinygrad_relu.errors import ArgumentError

# Relative errors, from the largest that a report has where all is right to the whole.  What lies below
# has a colour of its own.
LOWEST, HIGHEST = 1e-6, 1.0
BELOW, UNKNOWN = "#dcebdd", "#d0d0d0"
COLUMNS = 4
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
    shown = [entry for entry in report.inputs if entry.relative_error is not None and entry.size]
    columns = min(COLUMNS, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    if figure is None:
        figure = Figure(figsize=(2.8 * columns + 1.4, 2.6 * rows + 0.9), layout="constrained")
    norm, colours = LogNorm(LOWEST, HIGHEST), colormaps["YlOrRd"]
    colours = colours.with_extremes(under=BELOW, over=colours(1.0), bad=UNKNOWN)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    image = None
    for entry, axis in zip(shown, axes):
        image = draw_input(entry, axis, norm, colours)
    for axis in axes[len(shown):]:
        axis.set_axis_off()
    if image is not None:
        bar = figure.colorbar(image, ax=list(axes), shrink=0.9, extend="min", extendfrac=0.08)
        bar.set_label("relative error; green is right")
        bar.outline.set_visible(False)
    wrong = [entry.name for entry in report.inputs if not entry.ok]
    title = "gradients are right" if report.ok else "nothing can be told"
    title = f"wrong: {', '.join(wrong)}" if wrong else title
    figure.suptitle(title, color="#c62828" if wrong else "#2e7d32", fontsize=11)
    return figure


def draw_input(entry, axis, norm, colours):
    """Draw one input, and return the image."""
    words = entry.verdict if entry.ok else entry.label or entry.verdict
    title = textwrap.fill(f"{entry.name}: {words}", 34)
    axis.set_title(title, fontsize=9, color="black" if entry.ok else "#c62828")
    error = as_picture(entry.relative_error)
    shown = np.ma.masked_invalid(np.where(np.isinf(error), HIGHEST, error))
    image = axis.imshow(
        np.ma.maximum(shown, 0.1 * LOWEST), norm=norm, cmap=colours, aspect="auto",
        interpolation="nearest",
    )
    axis.set_xlabel(" x ".join(map(str, entry.shape)) or "one number", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.spines[:].set_visible(False)
    for side, count in zip((axis.yaxis, axis.xaxis), error.shape):
        side.set_major_locator(whole_numbers(count))
        if count <= FEW:
            side.set_ticks(np.arange(1, count) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.8)
    axis.tick_params(which="minor", length=0)
    if error.shape[0] == 1:
        axis.set_yticks([])
    return image


def whole_numbers(count):
    """Return where the ticks of an axis of `count` elements stand."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    return FixedLocator(range(count)) if count <= 6 else MaxNLocator(5, integer=True)


def as_picture(values):
    """Return an array as rows and columns: leading axes one below the other."""
    values = np.asarray(values, np.float64)
    if values.ndim < 2:
        return values.reshape(1, -1)
    return values.reshape(-1, values.shape[-1])
