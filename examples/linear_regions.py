"""See what a ReLU net computes: a function made of linear pieces.

    python examples/linear_regions.py

A net is linear where none of its units switches on or off, and has a kink where one does.  The first net
learns a curve: its kinks are computed exactly, and between two of them autograd finds the same slope
everywhere, which is checked.  The second one learns two spirals: its regions are told apart by the bits
that `nn.ReLU(mask=True)` keeps, and regions that differ in few bits have similar colours.

It leaves kinks.png and regions.png.  It needs matplotlib and rich: pip install "tinygrad_relu[demo]".
"""

import argparse
import copy
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.demo_pictures import INK, RIGHT, SEEN, STYLE, WRONG, save
from tinygrad_relu.kernels import unpacked_mask

LOW, HIGH = -3.0, 3.0
SHADES = LinearSegmentedColormap.from_list("answers", [RIGHT, "#f7f7f5", WRONG])


def net_of(inputs, generator):
    """Return a net of two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, 24, generator=generator), nn.ReLU(mask=True),
        nn.Linear(24, 24, generator=generator), nn.ReLU(mask=True),
        nn.Linear(24, 1, generator=generator),
    )


def trained(net, criterion, x, y, steps, progress):
    """Return a copy of the net that fits all samples, which are in one batch."""
    net = copy.deepcopy(net)
    optimizer = tg.optim.Adam(net.parameters(), lr=0.01)
    scheduler = tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for _ in progress(range(steps)):
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return net


# -------------------------------------------------------------------------------- one dimension


def curve(generator):
    """Return x, and y of a curve with some noise."""
    x = np.sort(generator.uniform(LOW, HIGH, (200, 1)), axis=0)
    y = np.sin(2 * x) * np.exp(-x / 3) + generator.normal(0, 0.08, x.shape)
    return tg.asarray(x), tg.asarray(y)


@tg.no_grad
def kinks_of(net):
    """Return where units switch between LOW and HIGH, an array for each hidden layer.

    Between two kinks of the layers below, what a layer is given is linear: so the place where it passes 0
    follows from its values at both.
    """
    knots, kinks = np.array([LOW, HIGH]), []
    for depth, part in enumerate(net):
        if isinstance(part, nn.ReLU):
            given = net[:depth](tg.asarray(knots[:, None])).numpy()
            left, right = given[:-1], given[1:]
            place, unit = np.nonzero(left * right < 0)
            share = left[place, unit] / (left[place, unit] - right[place, unit])
            kinks.append(knots[place] + share * np.diff(knots)[place])
            knots = np.sort(np.concatenate([knots, kinks[-1]]))
    return kinks


def pieces_of(net, kinks):
    """Return the ends of the linear pieces, and the slope by autograd at seven points of each."""
    ends = np.sort(np.concatenate([[LOW, HIGH], *kinks]))
    inside = ends[:-1] + np.linspace(0.05, 0.95, 7)[:, None] * np.diff(ends)
    x = tg.tensor(inside.reshape(-1, 1), requires_grad=True)
    return ends, tg.autograd.grad(net(x).sum(), x)[0].numpy().reshape(inside.shape)


@rc_context(STYLE)
def draw_kinks(path, nets, data):
    """Draw each net with its kinks, and below it its slope."""
    figure = Figure(figsize=(13, 6.8), layout="constrained", facecolor="white")
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(2, 1))
    for (upper, lower), (name, net) in zip(grid.T, nets.items()):
        kinks = kinks_of(net)
        ends, slopes = pieces_of(net, kinks)
        with tg.no_grad():
            values = [net(tg.asarray(x[:, None])).numpy() for x in (ends, *kinks)]
        upper.scatter(*data, s=10, color="#c9cfd6", label="data")
        upper.plot(ends, values[0], color=INK, linewidth=1.4, label="net")
        for number, (x, y) in enumerate(zip(kinks, values[1:])):
            upper.scatter(x, y, s=34, color=(RIGHT, WRONG)[number], zorder=3, edgecolors="white",
                          linewidths=0.6, label=f"{len(x)} kinks of layer {number + 1}")
        upper.set_title(f"{name}: {len(ends) - 1} linear pieces")
        upper.legend(frameon=False, loc="lower right")
        lower.stairs(slopes[0], ends, color=INK, linewidth=1.4, baseline=None)
        lower.axhline(0, color=SEEN, linewidth=0.6)
        lower.set(xlim=(LOW, HIGH), xlabel="x")
    grid[0, 0].set_ylabel("y")
    grid[1, 0].set_ylabel("slope, by autograd")
    save(figure, path)


# ------------------------------------------------------------------------------- two dimensions


def spirals(generator, count=300):
    """Return points on two spirals, and for each its spiral, 0 or 1."""
    spiral = np.arange(count) % 2
    turn = 3.2 * np.pi * np.sqrt(generator.uniform(0.02, 1, count))
    angle, radius = turn + np.pi * spiral, 0.25 + 0.25 * turn
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points += generator.normal(0, 0.05, points.shape)
    return tg.asarray(points), tg.asarray(spiral[:, None].astype(float))


@tg.no_grad
def look(net, side):
    """Return what the net answers on a square grid, which units are on, and the number of the region."""
    x, y = np.meshgrid(*[np.linspace(LOW, HIGH, side)] * 2)
    answers = net(tg.asarray(np.stack([x.ravel(), y.ravel()], axis=1))).numpy().reshape(side, side)
    on = [unpacked_mask(part.mask, part.mask_shape) for part in net if isinstance(part, nn.ReLU)]
    on = np.concatenate(on, axis=1)
    _, region = np.unique(np.packbits(on, axis=1), axis=0, return_inverse=True)
    return answers, on, region.reshape(side, side)


def stained_glass(on, region):
    """Return a picture in which each region has a colour of its own, with light lines between."""
    projected = on @ np.random.default_rng(1).standard_normal((on.shape[1], 3))
    projected = (projected - projected.mean(axis=0)) / projected.std(axis=0)
    colours = np.clip(0.58 + 0.2 * projected, 0, 1).reshape(*region.shape, 3)
    border = np.zeros(region.shape, bool)
    border[:, 1:] |= region[:, 1:] != region[:, :-1]
    border[1:] |= region[1:] != region[:-1]
    return np.where(border[..., None], 1.0, colours)


@rc_context(STYLE)
def draw_regions(path, looks, data):
    """Draw the regions of each net, and what the last one answers."""
    square = {"origin": "lower", "extent": (LOW, HIGH, LOW, HIGH)}
    figure = Figure(figsize=(15, 5.5), layout="constrained", facecolor="white")
    *panels, last = figure.subplots(1, 1 + len(looks))
    for axes, (name, (_, on, region)) in zip(panels, looks.items()):
        axes.imshow(stained_glass(on, region), **square)
        axes.set_title(f"{name}: {region.max() + 1} regions")
    answers, *_ = looks[name]
    last.imshow(np.tanh(answers / 2), cmap=SHADES, vmin=-1, vmax=1, alpha=0.6, **square)
    points, spiral = (part.numpy() for part in data)
    colours = np.where(spiral[:, 0] > 0.5, WRONG, RIGHT)
    last.scatter(*points.T, s=14, c=colours, edgecolors="white", linewidths=0.4)
    last.set_title("What it answers, and its data")
    for axes in (panels[-1], last):
        axes.contour(answers, levels=[0], colors=INK, linewidths=1.5, extent=square["extent"])
    for axes in (*panels, last):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    save(figure, path)


def main(arguments=None):
    """Train both nets, tell what they are made of, and leave the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="train for 150 steps only, draw coarsely")
    parser.add_argument("--output", type=Path, default=Path("linear_regions"), help="folder of pictures")
    options = parser.parse_args(arguments)
    steps, side = (150, 200) if options.quick else (3000, 900)
    console = Console(highlight=False)
    bar = partial(track, console=console, disable=not console.is_terminal, transient=True)
    generator = np.random.default_rng(options.seed)
    options.output.mkdir(parents=True, exist_ok=True)

    data, net = curve(generator), net_of(1, generator)
    after = trained(net, nn.MSELoss(), *data, steps, partial(bar, description="learning a curve"))
    nets = {"Before training": net, "After training": after}
    for name, net in nets.items():
        _, slopes = pieces_of(net, kinks_of(net))
        spread = np.ptp(slopes, axis=0).max()
        console.print(f"{name}: {slopes.shape[1]} pieces; slopes within one differ by {spread:.1g}")
    draw_kinks(options.output / "kinks.png", nets, data)

    data, net = spirals(generator), net_of(2, generator)
    progress = partial(bar, description="learning spirals")
    after = trained(net, nn.BCEWithLogitsLoss(), *data, steps, progress)
    looks = {"Before training": look(net, side), "After training": look(after, side)}
    for name, (_, _, region) in looks.items():
        console.print(f"{name}: {region.max() + 1} linear regions on {side} x {side} points")
    draw_regions(options.output / "regions.png", looks, data)
    console.print(f"Pictures: kinks.png and regions.png in {options.output}", soft_wrap=True)


if __name__ == "__main__":
    main()
