"""Read handwritten digits with a net of full layers and with a small convolutional one.

    python examples/digits.py

Of scikit-learn's 1797 digits, 8 x 8 pixels each, 360 are held out, always the same.  Both nets train on
the others, once as they are and once shifted by up to a pixel, anew each time.  The convolutional net
gains by that: with seeds 0 to 4 it reads 99.2 to 99.7 % of the digits held out.

It leaves digits.png, which digits are misread as what, and filters.png, what the first convolution looks
for and what it finds.  It needs scikit-learn, matplotlib and rich: pip install "tinygrad_relu[demo]".
"""

import argparse
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.demo_pictures import RIGHT, STYLE, WRONG, save
from tinygrad_relu.utils.data import DataLoader, TensorDataset

HELD_OUT = 360


def digit_data():
    """Return images (count, 1, 8, 8) and digits to train on, and those held out."""
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    held_out, training = np.split(np.random.default_rng(0).permutation(len(digits)), [HELD_OUT])
    return [(tg.asarray(images[part]), tg.asarray(digits[part])) for part in (training, held_out)]


def full_net(generator):
    """Return a net of full layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 128, generator=generator), nn.ReLU(),
        nn.Linear(128, 64, generator=generator), nn.ReLU(),
        nn.Linear(64, 10, generator=generator),
    ).float()


def convolutional_net(generator):
    """Return a net of three convolutions and one full layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, generator=generator), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, generator=generator), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1, generator=generator), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 10, generator=generator),
    ).float()


def shifted(images, reach, generator):
    """Return the images, each shifted by up to `reach` pixels down or up, and right or left."""
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), axis=(2, 3))
    down, right = generator.integers(0, 2 * reach + 1, (2, len(padded)))
    return tg.asarray(windows[np.arange(len(padded)), :, down, right])


def train(net, training, reach, epochs, generator, progress):
    """Train the net on digits shifted by up to `reach` pixels."""
    batches = DataLoader(TensorDataset(*training), batch_size=64, shuffle=True, generator=generator)
    optimizer = tg.optim.Adam(net.parameters())
    scheduler = tg.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.006, total_steps=epochs * len(batches)
    )
    for _ in progress(range(epochs)):
        for images, digits in batches:
            loss = tg.cross_entropy(net(shifted(images, reach, generator)), digits)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()


def draw_confusion(axes, answers, digits):
    """Draw how often which digit was read as which: blue if right, orange if not."""
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (digits, answers), 1)
    for (digit, answer), count in np.ndenumerate(counts):
        if count:
            box = {"boxstyle": "square,pad=0.3", "edgecolor": "none"}
            box["facecolor"] = RIGHT if digit == answer else WRONG
            axes.text(answer, digit, count, color="white", ha="center", va="center", size=8, bbox=box)
    axes.set(xlim=(-0.6, 9.6), ylim=(9.6, -0.6), xlabel="read as", ylabel="is", aspect="equal")
    axes.set(xticks=range(10), yticks=range(10))
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)


@rc_context(STYLE)
def draw_digits(path, held_out, readings):
    """Draw, net by net, what was read as what, and up to ten digits that were misread."""
    images, digits = (part.numpy() for part in held_out)
    figure = Figure(figsize=(14, 6.6), facecolor="white")
    for column, (name, answers) in zip(figure.subfigures(1, len(readings)), readings.items()):
        wrong = np.flatnonzero(answers != digits)
        share = 100 * (1 - len(wrong) / len(digits))
        column.suptitle(f"{name}\n{share:.1f} % right, {len(wrong)} of {len(digits)} misread",
                        x=0.1, y=0.91, ha="left", va="baseline", linespacing=1.4, fontsize=12)
        draw_confusion(column.add_axes((0.1, 0.4, 0.88, 0.5)), answers, digits)
        grid = column.subplots(2, 5, gridspec_kw={
            "left": 0.1, "right": 0.98, "bottom": 0.0, "top": 0.27, "hspace": 0.4, "wspace": 0.25,
        })
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, number in zip(grid.flat, wrong):
            axes.imshow(images[number, 0], cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(f"{digits[number]} as {answers[number]}", color=WRONG, loc="center", size=9)
    save(figure, path)


@rc_context(STYLE)
def draw_filters(path, net, image):
    """Draw the filters of the first convolution, and what each finds in an image."""
    with tg.no_grad():
        found = net[:2](image[None]).numpy()[0]
    filters = net[0].weight.detach().numpy()[:, 0]
    figure = Figure(figsize=(13, 2.4), facecolor="white")
    grid = figure.subplots(2, 1 + len(filters), gridspec_kw={"left": 0, "right": 1, "hspace": 0.12})
    for axes in grid.flat:
        axes.set_axis_off()
    grid[1, 0].imshow(image[0], cmap="gray_r")
    limit = np.abs(filters).max()
    for axes, number in zip(grid.T[1:], np.argsort(-found.mean(axis=(1, 2)))):
        axes[0].imshow(filters[number], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes[1].imshow(found[number], cmap="magma", vmin=0, vmax=found.max())
    figure.suptitle(
        "The filters of the first convolution (red wants ink, blue wants none), and below each where in "
        "the digit on the left it finds that", x=0.0, y=1.02, ha="left", fontsize=12,
    )
    save(figure, path)


def main(arguments=None):
    """Train the nets, tell how it went, and leave the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and shifts")
    parser.add_argument("--quick", action="store_true", help="train for 2 epochs only")
    parser.add_argument("--output", type=Path, default=Path("digits"), help="folder of the pictures")
    options = parser.parse_args(arguments)
    epochs = 2 if options.quick else options.epochs
    if epochs < 1:
        parser.error("--epochs has to be at least 1")
    console = Console(highlight=False)
    training, (images, digits) = digit_data()
    console.print(f"{len(training[1])} digits to train on, {HELD_OUT} held out, {epochs} epochs")
    readings = {}
    for make, reach in ((full_net, 0), (full_net, 1), (convolutional_net, 0), (convolutional_net, 1)):
        name = make.__name__.replace("_", " ").capitalize() + (", shifted digits" if reach else "")
        generator, started = np.random.default_rng(options.seed), perf_counter()
        net = make(generator)
        train(net, training, reach, epochs, generator, partial(
            track, description=name, console=console, disable=not console.is_terminal, transient=True,
        ))
        with tg.no_grad():
            readings[name] = net(images).numpy().argmax(axis=1)
        right = 100 * np.mean(readings[name] == digits.numpy())
        size = sum(parameter.size for parameter in net.parameters())
        seconds = perf_counter() - started
        console.print(f"{name:33} {size:,} parameters   right {right:5.1f} %   {seconds:4.1f} s")
    options.output.mkdir(parents=True, exist_ok=True)
    draw_digits(options.output / "digits.png", (images, digits), readings)
    draw_filters(options.output / "filters.png", net, images[0])
    console.print(f"Pictures: digits.png and filters.png in {options.output}", soft_wrap=True)


if __name__ == "__main__":
    main()
