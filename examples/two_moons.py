"""Watch a small ReLU net learn to tell two moons apart.

    python examples/two_moons.py

It leaves a picture of the border between both answers at six moments of training, two_moons.png, and
all of it in motion, two_moons.gif.  The border of a ReLU net is made of straight pieces: they are there
from the beginning, and training bends them around the data.

It needs scikit-learn, matplotlib and rich: pip install "tinygrad_relu[demo]".
"""

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.animation import PillowWriter
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from sklearn.datasets import make_moons

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.demo_pictures import INK, STYLE, save
from tinygrad_relu.utils.data import DataLoader, TensorDataset

BLUE, ORANGE = "#0072b2", "#d55e00"         # the upper moon, the lower moon
SHADES = LinearSegmentedColormap.from_list("answers", [BLUE, "#f7f7f5", ORANGE])
LEFT, RIGHT, BOTTOM, TOP = -1.7, 2.7, -1.35, 1.85
SIDE = 241                                  # points of the picture's grid, each way


def moons(count, seed):
    """Return points of the plane, and for each the moon that it comes from, 0 or 1."""
    points, moon = make_moons(count, noise=0.16, random_state=seed)
    return tg.asarray(points), tg.asarray(moon[:, None].astype(float))


def grid():
    """Return all points of the picture."""
    x, y = np.meshgrid(np.linspace(LEFT, RIGHT, SIDE), np.linspace(BOTTOM, TOP, SIDE))
    return tg.asarray(np.stack([x.ravel(), y.ravel()], axis=1))


@tg.no_grad
def look(net, everywhere, points, moon):
    """Return how sure the net is of the lower moon all over the picture, and the share read right."""
    answers = tg.sigmoid(net(everywhere)).numpy().reshape(SIDE, SIDE)
    right = ((net(points) > 0) == (moon > 0.5)).numpy().mean()
    return answers, 100 * right


def train(options, held_out, progress):
    """Return what the net answers before training and after each epoch, with its share read right."""
    generator = np.random.default_rng(options.seed)
    data = TensorDataset(*moons(options.points, options.seed))
    batches = DataLoader(data, batch_size=32, shuffle=True, generator=generator)
    net = nn.Sequential(
        nn.Linear(2, 32, generator=generator), nn.ReLU(),
        nn.Linear(32, 32, generator=generator), nn.ReLU(),
        nn.Linear(32, 1, generator=generator),
    )
    criterion = nn.BCEWithLogitsLoss()
    optimizer = tg.optim.Adam(net.parameters(), lr=0.004)
    everywhere = grid()
    story = [look(net, everywhere, *held_out)]
    for _ in progress(range(options.epochs)):
        for points, moon in batches:
            loss = criterion(net(points), moon)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        story.append(look(net, everywhere, *held_out))
    return story


def draw_moment(axes, answers, points, moon):
    """Draw what the net answers all over the picture, the border, and the points held out."""
    extent = (LEFT, RIGHT, BOTTOM, TOP)
    axes.imshow(answers, cmap=SHADES, vmin=0, vmax=1, alpha=0.55, origin="lower", extent=extent)
    if answers.min() < 0.5 < answers.max():
        axes.contour(answers, levels=[0.5], colors=INK, linewidths=1.6, extent=extent)
    colours = np.where(moon.numpy()[:, 0] > 0.5, ORANGE, BLUE)
    axes.scatter(*points.numpy().T, s=13, c=colours, edgecolors="white", linewidths=0.4)
    axes.set(xlim=(LEFT, RIGHT), ylim=(BOTTOM, TOP), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def moments(last, count):
    """Return `count` epochs from 0 to `last`, ever farther apart, because training slows down."""
    return [0, *np.geomspace(1, last, count - 1).round().astype(int).tolist()]


def title_of(epoch, right):
    """Say in few words where training stands."""
    when = "before training" if epoch == 0 else f"after {epoch} epoch{'s' * (epoch > 1)}"
    return f"{when}: {right:.1f} % right"


@rc_context(STYLE)
def draw_moments(path, story, held_out):
    """Draw six moments of training."""
    figure = Figure(figsize=(12, 6.6), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    for axes, epoch in zip(figure.subplots(2, 3).flat, moments(len(story) - 1, 6)):
        answers, right = story[epoch]
        draw_moment(axes, answers, *held_out)
        axes.set_title(title_of(epoch, right))
    figure.suptitle(
        "A 2-32-32-1 ReLU net learns two moons. Shade: how sure it is; line: its border; "
        "points: held out", x=0.007, ha="left", fontsize=13,
    )
    save(figure, path)


@rc_context(STYLE)
def draw_film(path, story, held_out, progress):
    """Draw all moments as a GIF that dwells on the last one."""
    figure = Figure(figsize=(6, 4.75), facecolor="white")
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.9))
    writer = PillowWriter(fps=12)
    unfinished = path.with_name(f"{path.stem}.part.gif")
    with writer.saving(figure, unfinished, dpi=80):
        for epoch in progress([*range(len(story)), *[len(story) - 1] * 15]):
            answers, right = story[epoch]
            axes.clear()
            draw_moment(axes, answers, *held_out)
            axes.set_title(title_of(epoch, right))
            writer.grab_frame()
    os.replace(unfinished, path)


def main(arguments=None):
    """Train, tell how it went, and leave the picture and the film."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--points", type=int, default=600, help="to train on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="train for 8 epochs only")
    parser.add_argument("--output", type=Path, default=Path("two_moons"), help="folder of the pictures")
    options = parser.parse_args(arguments)
    options.epochs = 8 if options.quick else options.epochs
    if options.epochs < 1 or options.points < 1:
        parser.error("--epochs and --points have to be at least 1")
    console = Console(highlight=False)
    held_out = moons(400, options.seed + 1)
    bar = partial(track, console=console, disable=not console.is_terminal, transient=True)
    story = train(options, held_out, partial(bar, description="training"))
    for epoch in sorted(set(moments(options.epochs, 9))):
        console.print(f"epoch {epoch:3}   held out, right {story[epoch][1]:5.1f} %")
    options.output.mkdir(parents=True, exist_ok=True)
    draw_moments(options.output / "two_moons.png", story, held_out)
    draw_film(options.output / "two_moons.gif", story, held_out, partial(bar, description="drawing"))
    console.print(f"Pictures: two_moons.png and two_moons.gif in {options.output}", soft_wrap=True)


if __name__ == "__main__":
    main()
