"""Count the units of a deep ReLU net that are dead, by layer, initialisation and learning rate.

    python examples/dead_relus.py

A ReLU is dead when it lets nothing pass for any of the data.  Then no gradient reaches its own weights,
and it comes back only if the layers below change what it is given: in the first layer, never.  With
`nn.ReLU(mask=True)` a layer keeps one bit for each value that it saw, and so can tell its dead units and
in which share of the data each one is alive.  Here nets of six hidden layers learn to read digits.

It leaves dead_relus.png.  It needs scikit-learn, matplotlib and rich: pip install "tinygrad_relu[demo]".
"""

import argparse
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.demo_pictures import INK, STYLE, save
from tinygrad_relu.utils.data import DataLoader, TensorDataset

WIDTHS = (64, *[50] * 6, 10)
BEFORE = 0.0                            # the learning rate that stands for "before training"
RATES = (0.03, 0.1, 0.3)
COLOURS = ("#9aa4b0", "#0072b2", "#e69f00", "#d55e00")      # before training, and each rate
# How weights are drawn, by what they are multiplied then, and what biases are.
STARTS = {
    "nn.Linear's own": None,
    "Glorot": (nn.init.xavier_normal_, 1.0, 0.0),
    "He": (nn.init.kaiming_normal_, 1.0, 0.0),
    "He, twice as wide": (nn.init.kaiming_normal_, 2.0, 0.0),
    "He, biases -0.2": (nn.init.kaiming_normal_, 1.0, -0.2),
}


class Finding(NamedTuple):
    """What was found of one net; NaN where its weights are no longer finite."""

    alive: np.ndarray                   # share of the digits, (hidden layers, units)
    right: float                        # per cent of the digits

    def dead(self):
        """Return per cent of units that are dead, layer by layer."""
        return 100 * np.where(np.isnan(self.alive), np.nan, self.alive == 0).mean(axis=1)


def deep_net(start, generator):
    """Return linear layers that begin as `start` says, and between each two a ReLU with mask."""
    layers = [nn.Linear(*widths, generator=generator) for widths in pairwise(WIDTHS)]
    if STARTS[start] is not None:
        draw_weights, factor, bias = STARTS[start]
        for layer in layers:
            draw_weights(layer.weight, generator=generator)
            nn.init.constant_(layer.bias, bias)
            with tg.no_grad():
                layer.weight.mul_(factor)
    between = [part for layer in layers for part in (layer, nn.ReLU(mask=True))]
    return nn.Sequential(*between[:-1]).float()


@tg.no_grad
def look(net, images, digits):
    """Return which share of all images each unit is alive in, and how many the net reads right."""
    scores = net(images).numpy()
    alive = np.stack([part.alive_share() for part in net if isinstance(part, nn.ReLU)])
    if not np.isfinite(scores).all():   # NaN passes a ReLU, and would count as alive
        return Finding(np.full_like(alive, np.nan), np.nan)
    return Finding(alive, 100 * np.mean(scores.argmax(axis=1) == digits.numpy()))


def train(net, data, rate, epochs, generator):
    """Train the net by plain gradient descent."""
    batches = DataLoader(data, batch_size=32, shuffle=True, generator=generator)
    optimizer = tg.optim.SGD(net.parameters(), lr=rate)
    for _ in range(epochs):
        for images, digits in batches:
            loss = tg.cross_entropy(net(images), digits)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def study(seeds, epochs, progress):
    """Return the findings of each start and rate, a list with one for each seed."""
    pixels, digits = load_digits(return_X_y=True)
    data = TensorDataset(tg.asarray((pixels / 16).astype(np.float32)), tg.asarray(digits))
    findings = {(start, rate): [] for start in STARTS for rate in (BEFORE, *RATES)}
    for (start, rate), seed in progress([*product(findings, range(seeds))]):
        generator = np.random.default_rng(seed)
        net = deep_net(start, generator)
        if rate != BEFORE:
            train(net, data, rate, epochs, generator)
        findings[start, rate].append(look(net, *data.tensors))
    return findings


def mean(values):
    """Return the mean over the seeds that stayed finite, or NaN if none did."""
    finite = [value for value in values if not np.isnan(value).any()]
    return np.mean(finite, axis=0) if finite else np.full_like(values[0], np.nan)


def tell(findings, console):
    """Print how many units are dead and how many digits are read right, before training and after."""
    console.print(f"{'':18} dead units, %           digits read right, %")
    console.print(f"{'learning rate':18}" + 2 * ("before" + "{:6}{:6}{:6}  ".format(*RATES)))
    for start in STARTS:
        nets = [findings[start, rate] for rate in (BEFORE, *RATES)]
        dead = [mean([net.dead() for net in of_rate]).mean() for of_rate in nets]
        right = [mean([net.right for net in of_rate]) for of_rate in nets]
        console.print(f"{start:18}" + "{:6.0f}{:6.0f}{:6.0f}{:6.0f}  {:6.0f}{:6.0f}{:6.0f}{:6.0f}".format(
            *dead, *right))
    console.print("nan: all diverged.  The digits are those that the nets trained on.")


def draw_dead(axes, rate, findings):
    """Draw how many units are dead, a row for each initialisation, a column for each layer."""
    shares = np.array([mean([net.dead() for net in findings[start, rate]]) for start in STARTS])
    axes.imshow(np.ma.masked_invalid(shares), cmap="Oranges", vmin=0, vmax=100, aspect="auto")
    axes.set_facecolor("#d7dbe0")
    for (row, layer), share in np.ndenumerate(shares):
        if not np.isnan(share):
            axes.text(layer, row, f"{share:.0f}", ha="center", va="center", size=9.5,
                      color="white" if share > 60 else INK)
    for row, start in enumerate(STARTS):
        right = mean([net.right for net in findings[start, rate]])
        if np.isnan(right):
            axes.text(2.5, row, "diverged", ha="center", va="center", size=9.5)
    axes.set_xticks(range(len(WIDTHS) - 2), range(1, len(WIDTHS) - 1))
    axes.set(yticks=[], xlabel="hidden layer")
    axes.set_title("Before training" if rate == BEFORE else f"After training, rate {rate}", fontsize=11)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw_alive(axes, layer, findings):
    """Draw in which share of the digits the units of a layer are alive, sorted, with He's weights."""
    for rate, colour in zip((BEFORE, *RATES), COLOURS):
        shares = [net.alive[layer] for net in findings["He", rate] if not np.isnan(net.right)]
        units = np.sort(np.concatenate(shares)) if shares else np.array([])
        axes.plot(np.linspace(0, 100, len(units)), 100 * units, color=colour, linewidth=1.8)
    axes.set(xlim=(0, 100), ylim=(-2, 100), xlabel="units, %")
    axes.set_title(f"Layer {layer + 1}", fontsize=11)
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)


@rc_context(STYLE)
def draw(path, findings):
    """Draw the dead units of all nets, and how alive those are that begin with He's weights."""
    figure = Figure(figsize=(14, 8), facecolor="white", layout="constrained")
    upper, lower = figure.subfigures(2, 1, hspace=0.06)
    for axes, rate in zip(upper.subplots(1, 1 + len(RATES)), (BEFORE, *RATES)):
        draw_dead(axes, rate, findings)
    upper.axes[0].set_yticks(range(len(STARTS)), STARTS)
    upper.suptitle(
        "Units that are dead, %, by initialisation and layer "
        f"(mean of {len(findings['He', BEFORE])} nets, without those that diverged)",
        x=0.01, ha="left", fontsize=13,
    )
    panels = lower.subplots(1, len(WIDTHS) - 2, sharey=True)
    for layer, axes in enumerate(panels):
        draw_alive(axes, layer, findings)
    panels[0].set_ylabel("alive in so many digits, %")
    names = ["before training", *(f"rate {rate}" for rate in RATES)]
    lower.legend(panels[0].lines, names, loc="outside upper right", ncols=4, frameon=False)
    lower.suptitle("He's weights: the units of each layer, sorted from dead to always alive",
                   x=0.01, ha="left", fontsize=13)
    save(figure, path)


def main(arguments=None):
    """Train the nets, tell how many units died, and leave the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=5, help="nets of each kind")
    parser.add_argument("--quick", action="store_true", help="one net of each kind, for 1 epoch")
    parser.add_argument("--output", type=Path, default=Path("dead_relus"), help="folder of the picture")
    options = parser.parse_args(arguments)
    seeds, epochs = (1, 1) if options.quick else (options.seeds, options.epochs)
    if seeds < 1 or epochs < 1:
        parser.error("--seeds and --epochs have to be at least 1")
    console = Console(highlight=False)
    findings = study(seeds, epochs, lambda runs: track(
        runs, "training", console=console, disable=not console.is_terminal, transient=True
    ))
    tell(findings, console)
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "dead_relus.png", findings)
    console.print(f"Picture: {options.output / 'dead_relus.png'}", soft_wrap=True)


if __name__ == "__main__":
    main()
