"""Reports as a picture: for each input a heat map of how far its gradient is off."""

import numpy as np

from tinygrad_relu.errors import ArgumentError

# Relative errors from that of rounding to the whole; what lies beyond has the colour of the end.
LOWEST, HIGHEST = 1e-12, 1.0
COLUMNS = 4


def draw(report, figure=None):
    """Draw a report, and return the figure.

    Parameters
    ----------
    report : GradientReport
    figure : matplotlib.figure.Figure, optional
    """
    try:
        from matplotlib.colors import LogNorm
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ArgumentError("plot: matplotlib is not installed: pip install matplotlib") from error
    shown = [entry for entry in report.inputs if entry.relative_error is not None and entry.size]
    columns = min(COLUMNS, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    if figure is None:
        figure = Figure(figsize=(2.8 * columns + 1.4, 2.6 * rows + 0.9), layout="constrained")
    norm = LogNorm(LOWEST, HIGHEST, clip=True)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    image = None
    for entry, axis in zip(shown, axes):
        image = draw_input(entry, axis, norm)
    for axis in axes[len(shown):]:
        axis.set_axis_off()
    if image is not None:
        bar = figure.colorbar(image, ax=list(axes), shrink=0.9)
        bar.set_label("relative error of the gradient")
    wrong = [entry.name for entry in report.inputs if not entry.ok]
    title = "gradients are right" if report.ok else "nothing can be told"
    title = f"wrong: {', '.join(wrong)}" if wrong else title
    figure.suptitle(title, color="#c62828" if wrong else "#2e7d32", fontsize=11)
    return figure


def draw_input(entry, axis, norm):
    """Draw one input, and return the image."""
    good = entry.ok
    axis.set_title(f"{entry.name}: {entry.verdict}", fontsize=9, color="black" if good else "#c62828")
    error = as_picture(entry.relative_error)
    axis.set_facecolor("#d0d0d0")       # not compared
    image = axis.imshow(
        np.ma.masked_invalid(np.maximum(error, LOWEST)), norm=norm, cmap="magma", aspect="auto",
        interpolation="nearest",
    )
    axis.set_xlabel(" x ".join(map(str, entry.shape)) or "one number", fontsize=8)
    axis.tick_params(labelsize=7)
    for side, count in zip((axis.yaxis, axis.xaxis), error.shape):
        side.set_major_locator(whole_numbers(count))
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
