"""The pictures of the demo: learning curves, answers, and the weights of the first layer.

They are drawn without pyplot, so that no window, backend or global setting is touched.
"""

import os

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

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
    figure.savefig(unfinished, format="png", dpi=150, bbox_inches="tight", pad_inches=0.25)
    os.replace(unfinished, path)


@rc_context(STYLE)
def draw_curves(path, training, held_out):
    """Draw loss and accuracy over the epochs; each curve has `loss` and `accuracy` (%)."""
    figure = Figure(figsize=(10, 4.4), layout="constrained", facecolor="white")
    losses, accuracies = figure.subplots(1, 2)
    draw_pair(losses, training.loss, held_out.loss)
    losses.set(yscale="log", xlabel="epoch", ylabel="cross-entropy per digit, log scale")
    losses.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    losses.yaxis.set_minor_locator(NullLocator())
    losses.yaxis.set_major_formatter("{x:g}")
    losses.set_title(f"Held-out loss falls from {held_out.loss[0]:.2g} to {held_out.loss[-1]:.2g}")
    draw_pair(accuracies, training.accuracy, held_out.accuracy)
    # Before the first epoch it is chance: the title tells it, and the scale is for the rest.
    floor = 10 * (min(training.accuracy[1:] + held_out.accuracy[1:]) // 10)
    accuracies.set(ylim=(floor, 100 + (100 - floor) / 40), xlabel="epoch", ylabel="read right, %")
    first, last = held_out.accuracy[0], held_out.accuracy[-1]
    accuracies.set_title(f"Held-out digits read right: from {first:.0f} % to {last:.1f} %")
    save(figure, path)


def draw_pair(axes, seen, unseen):
    """Draw the curve on digits trained on and the one on held-out digits."""
    axes.plot(seen, color=SEEN, linewidth=1.8, label="digits trained on")
    axes.plot(unseen, color=UNSEEN, linewidth=1.8, label="digits held out")
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
    axes.margins(x=0.01)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, loc="upper right" if seen[0] > seen[-1] else "center right")


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
    figure = Figure(figsize=(12, 6.4), facecolor="white")
    upper, lower = figure.subfigures(2, 1)
    draw_row(upper, rows, answers, np.concatenate(of_each))
    draw_row(lower, rows, answers, hardest)
    titles = (
        "Read right: for each digit, the first such example among those held out",
        f"{mistakes} of {len(right)} held-out digits {'is' if mistakes == 1 else 'are'} misread "
        "(orange). Here: the ten with the least probability for the right digit (blue)",
    )
    for part, title in zip((upper, lower), titles):
        part.suptitle(title, x=0.05, y=0.97, ha="left", fontsize=12)
    save(figure, path)


def draw_row(figure, rows, answers, chosen):
    """Draw digits side by side, each with the answer and all probabilities under it."""
    grid = figure.subplots(2, 10, height_ratios=(5, 3))
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.17, top=0.79, wspace=0.16, hspace=0.12)
    for axes in grid[:, len(chosen) :].flat:
        axes.set_axis_off()
    for (image, bars), number in zip(grid.T, chosen):
        digit, answer = rows.digits[number], answers[number].argmax()
        image.imshow(rows.pixels[number].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        image.set_axis_off()
        verdict = f"{answer}" if answer == digit else f"{answer}, but is {digit}"
        colour = RIGHT if answer == digit else WRONG
        image.set_title(verdict, color=colour, loc="center", fontweight="bold")
        draw_bars(bars, answers[number], digit)
    grid[1, 0].set_ylabel("probability")
    grid[1, 0].set_yticks([0, 1], ["0", "1"])


def draw_bars(axes, probabilities, right):
    """Draw the probability of each digit: the right one, a wrong answer, all others pale."""
    answer = probabilities.argmax()
    colours = dict.fromkeys(range(10), "#b8c0c9") | {answer: WRONG} | {right: RIGHT}
    axes.bar(range(10), probabilities, color=colours.values(), width=0.8)
    axes.set(ylim=(0, 1), yticks=[])
    axes.set_xticks(range(10), [str(digit) for digit in range(10)], fontsize=8)
    axes.tick_params(length=0)
    axes.set_xlabel(f"{100 * probabilities[answer]:.0f} % sure", fontsize=10)


@rc_context(STYLE)
def draw_weights(path, weights, untrained):
    """Draw each row of `weights` as an image, those that training moved farthest first."""
    moved = np.linalg.norm(weights - untrained, axis=1)
    far = int(np.sum(moved > np.linalg.norm(untrained, axis=1)))
    order = np.argsort(-moved)
    picture = mosaic(weights[order], columns=16)
    limit = np.quantile(np.abs(weights), 0.995)
    height, width = picture.shape
    figure = Figure(
        figsize=(11, 1.3 + 9.4 * height / width), layout="constrained", facecolor="white"
    )
    axes = figure.subplots()
    drawn = axes.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.set_axis_off()
    bar = figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.015, aspect=30, extend="both")
    bar.set_label("weight of a pixel")
    bar.outline.set_visible(False)
    axes.set_title(
        f"Training drew {far} of the {len(weights)} units of the first layer far from their random "
        "start\nInk on red pixels excites a unit, on blue ones it silences it. Sorted by how far "
        "the weights moved (far: more than their norm at the start)",
        pad=12, fontsize=11.5, linespacing=1.5,
    )
    save(figure, path)


def mosaic(images, columns, side=8, gap=1.5, zoom=6):
    """Return `images`, one of side * side pixels to a row, laid out with gaps of NaN between."""
    pitch = int((side + gap) * zoom)
    lines = -(-len(images) // columns)
    picture = np.full((lines * pitch, columns * pitch), np.nan)
    for number, image in enumerate(images):
        top, left = (pitch * place for place in divmod(number, columns))
        large = np.kron(image.reshape(side, side), np.ones((zoom, zoom)))
        picture[top : top + side * zoom, left : left + side * zoom] = large
    return picture[: -int(gap * zoom), : -int(gap * zoom)]
