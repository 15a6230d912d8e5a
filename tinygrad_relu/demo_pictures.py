"""The pictures of the demo: learning curves, answers, and the weights of the first layer.

They are drawn without pyplot, so that no window, backend or global setting is touched.
"""

import os

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

# Two colours that the colour-blind tell apart, for one meaning each throughout.
SEEN, UNSEEN = "#7a8694", "#0072b2"     # digits trained on, digits held out
RIGHT, WRONG = UNSEEN, "#d55e00"        # answers on held-out digits
INK = "#22272e"
STYLE = {
    "axes.edgecolor": "#9aa4b0",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "font.size": 10.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def save(figure, path):
    """Write `figure` so that `path` is never a picture half written."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    figure.savefig(unfinished, format="png", dpi=150)
    os.replace(unfinished, path)


@rc_context(STYLE)
def draw_curves(path, training, held_out):
    """Draw loss and accuracy over the epochs; each curve has `loss` and `accuracy` (%)."""
    figure = Figure(figsize=(10, 4.4), layout="constrained", facecolor="white")
    losses, accuracies = figure.subplots(1, 2)
    draw_pair(losses, training.loss, held_out.loss)
    losses.set(yscale="log", xlabel="epoch", ylabel="cross-entropy, nats per digit (log scale)")
    losses.set_title(f"Held-out loss falls from {held_out.loss[0]:.2f} to {held_out.loss[-1]:.2f}")
    draw_pair(accuracies, training.accuracy, held_out.accuracy)
    accuracies.set(ylim=(0, 103), xlabel="epoch", ylabel="right answers, %")
    accuracies.set_title(f"{held_out.accuracy[-1]:.1f} % of the digits never seen are read right")
    save(figure, path)


def draw_pair(axes, seen, unseen):
    """Draw the curve on digits trained on and the one on held-out digits."""
    axes.plot(seen, color=SEEN, linewidth=1.8, label="digits trained on")
    axes.plot(unseen, color=UNSEEN, linewidth=1.8, label="digits held out")
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
    axes.margins(x=0.01)
    axes.legend(frameon=False)


@rc_context(STYLE)
def draw_answers(path, rows, answers):
    """Draw one digit of each class read right, and the ten that were hardest.

    Parameters
    ----------
    path : Path
    rows : object with `pixels` (count, 64) and `digits` (count,)
    answers : ndarray of shape (count, 10)
        The probabilities that the net gives to the digits 0 to 9.
    """
    right = answers.argmax(axis=1) == rows.digits
    of_each = [np.flatnonzero(right & (rows.digits == digit))[:1] for digit in range(10)]
    hardest = np.argsort(answers[np.arange(len(right)), rows.digits])[:10]
    mistakes = int(np.sum(~right))
    figure = Figure(figsize=(12, 6.4), layout="constrained", facecolor="white")
    upper, lower = figure.subfigures(2, 1, hspace=0.04)
    draw_row(upper, rows, answers, np.concatenate(of_each))
    upper.suptitle("Read right: the first held-out example of each digit", x=0.01, ha="left")
    draw_row(lower, rows, answers, hardest)
    lower.suptitle(
        f"The ten hardest: of {len(right)} held-out digits {mistakes} "
        f"{'is' if mistakes == 1 else 'are'} misread (orange)",
        x=0.01, ha="left",
    )
    save(figure, path)


def draw_row(figure, rows, answers, chosen):
    """Draw digits side by side, each with the answer and all probabilities under it."""
    grid = figure.subplots(2, 10, height_ratios=(3, 2))
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    for (image, bars), number in zip(grid.T, chosen):
        digit, answer = rows.digits[number], answers[number].argmax()
        colour = RIGHT if answer == digit else WRONG
        image.imshow(rows.pixels[number].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        image.set(xticks=[], yticks=[])
        verdict = f"{answer}" if answer == digit else f"{answer}, but is {digit}"
        image.set_title(verdict, color=colour, loc="center", fontweight="bold")
        draw_bars(bars, answers[number], colour)
    grid[1, 0].set_ylabel("probability")
    grid[1, 0].set_yticks([0, 1], ["0", "1"])


def draw_bars(axes, probabilities, colour):
    """Draw the probability of each digit, that of the answer in `colour`."""
    answer = probabilities.argmax()
    colours = [colour if digit == answer else "#b8c0c9" for digit in range(10)]
    axes.bar(range(10), probabilities, color=colours, width=0.8)
    axes.set(ylim=(0, 1.0), yticks=[])
    axes.set_xticks(range(10), [str(digit) for digit in range(10)], fontsize=7.5)
    axes.tick_params(length=0)
    axes.set_xlabel(f"{100 * probabilities[answer]:.0f} % sure", fontsize=9.5)


@rc_context(STYLE)
def draw_weights(path, weights):
    """Draw each row of `weights` as an image, those with the largest weights first."""
    columns = 16
    order = np.argsort(-np.linalg.norm(weights, axis=1))
    limit = np.quantile(np.abs(weights), 0.995)
    figure = Figure(
        figsize=(11, 1.5 + 0.62 * -(-len(weights) // columns)), layout="constrained",
        facecolor="white",
    )
    grid = figure.subplots(-(-len(weights) // columns), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, unit in zip(grid.flat, order):
        drawn = axes.imshow(weights[unit].reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
    bar = figure.colorbar(drawn, ax=grid, shrink=0.7, pad=0.01)
    bar.set_label("weight of a pixel")
    bar.outline.set_visible(False)
    figure.suptitle(
        f"Each of the {len(weights)} units of the first layer looks for strokes of its own:\n"
        "ink on red pixels excites it, ink on blue ones silences it (strongest units first)",
        x=0.01, ha="left", fontsize=12,
    )
    save(figure, path)
