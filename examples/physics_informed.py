"""A net finds the solution of a differential equation, from the equation alone.

    python examples/physics_informed.py

Burgers' equation lets a sine wave steepen until it is nearly a shock: u_t + u u_x = nu u_xx.  A net is
trained to make the residual of this equation small at random points, which takes derivatives of
derivatives (``create_graph=True``), and is then compared with the exact solution, which it was never
shown.  It takes a minute or two, and needs matplotlib and rich: pip install "tinygrad_relu[demo]".
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.demo_pictures import INK, STYLE, WRONG, save

VISCOSITY = 0.04 / np.pi
WIDTHS = (2, 20, 20, 20, 20, 1)     # time and place in, a velocity out
POINTS = 2000                       # at which the equation is asked for
TIMES = (0.0, 0.25, 0.5, 1.0)       # that the picture looks at


class Wave(nn.Module):
    """A velocity at each time and place, by a net with smooth units.

    It is the right one at time 0 and at both ends whatever the net says, so that the equation is all
    that is left to learn.
    """

    def __init__(self, generator):
        super().__init__()
        layers = [nn.Linear(a, b, generator=generator) for a, b in pairwise(WIDTHS)]
        between = [part for layer in layers for part in (layer, nn.Tanh())]
        self.net = nn.Sequential(*between[:-1])

    def forward(self, t, x):
        free = self.net(tg.stack([t, x], -1))[:, 0]
        return -tg.sin(np.pi * x) + t * (1 - x * x) * free


def residual(wave, t, x):
    """Return by how much a wave fails the equation at times and places."""
    t, x = (tg.tensor(value, requires_grad=True) for value in (t, x))
    u = wave(t, x)
    # Each point depends on its own time and place only: the derivatives of the sum are those of each.
    u_t, u_x = tg.autograd.grad(u.sum(), (t, x), create_graph=True)
    (u_xx,) = tg.autograd.grad(u_x.sum(), x, create_graph=True)
    return u_t + u * u_x - VISCOSITY * u_xx


def train(wave, points, rounds, steps, console):
    """Let L-BFGS make the mean square of the residual small, and return it after each round."""
    optimizer = tg.optim.LBFGS(
        wave.parameters(), max_iter=steps, history_size=50, line_search_fn="strong_wolfe",
        tolerance_grad=0.0, tolerance_change=0.0,
    )
    t, x = points

    def closure():
        optimizer.zero_grad()
        loss = residual(wave, t, x).square().mean()
        loss.backward()
        return loss

    losses = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("solving", total=rounds)
        for k in range(rounds):
            optimizer.step(closure)
            losses.append(closure().item())
            progress.advance(bar)
            if k % 4 == 0 or k == rounds - 1:
                console.print(f"step {(k + 1) * steps:5}   mean square of the residual {losses[-1]:.1e}")
    return losses


def exact(t, x, nodes=150):
    """Return the solution at times and places: two integrals by Gauss and Hermite's rule.

    Basdevant et al., "Spectral and finite difference solutions of the Burgers equation", Computers and
    Fluids 14, 1986, equation 2.
    """
    places, weights = np.polynomial.hermite.hermgauss(nodes)
    came_from = x[..., None] - np.sqrt(4 * VISCOSITY * t[..., None]) * places
    exponents = -np.cos(np.pi * came_from) / (2 * np.pi * VISCOSITY)
    shares = weights * np.exp(exponents - exponents.max(-1, keepdims=True))     # lest exp overflow
    return -(shares * np.sin(np.pi * came_from)).sum(-1) / shares.sum(-1)


@tg.no_grad()
def both(wave, t, x):
    """Return what the net says on a grid of times and places, and the exact solution."""
    grid = np.meshgrid(t, x, indexing="ij")
    found = wave(*(tg.tensor(part.ravel()) for part in grid)).numpy()
    return found.reshape(len(t), len(x)), exact(*grid)


@rc_context(STYLE)
def draw(path, wave):
    """Draw the net's wave over time and place, its error, and both waves at some times."""
    t, x = np.linspace(0, 1, 201), np.linspace(-1, 1, 401)
    found, right = both(wave, t, x)
    figure = Figure(figsize=(12, 7), layout="constrained", facecolor="white")
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    maps = above.subplots(1, 2, sharey=True)
    for axes, values, colours, title in (
        (maps[0], found, "RdBu_r", "What the net found: a wave that steepens to a shock"),
        (maps[1], np.abs(found - right), "Greys", "How far it is from the exact solution"),
    ):
        limit = np.abs(values).max()
        lowest = -limit if values is found else 0
        image = axes.pcolormesh(t, x, values.T, cmap=colours, vmin=lowest, vmax=limit)
        bar = above.colorbar(image, ax=axes, pad=0.02)
        bar.outline.set_visible(False)
        axes.set(xlabel="time")
        axes.set_title(title)
    maps[0].set_ylabel("place")
    for time in TIMES[1:-1]:
        maps[0].axvline(time, color=INK, linewidth=0.8, linestyle=":")
    for axes, time in zip(below.subplots(1, len(TIMES), sharey=True), TIMES):
        found, right = both(wave, np.array([time]), x)
        axes.plot(x, right[0], color="#b9bfc7", linewidth=5, label="exact")
        axes.plot(x, found[0], color=WRONG, linewidth=1.4, label="net")
        axes.set(xlabel="place")
        axes.set_title(f"time {time:g}")
    below.axes[0].set_ylabel("velocity")
    below.axes[0].legend(frameon=False)
    save(figure, path)


def main(arguments=None):
    """Solve, compare, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the picture")
    parser.add_argument("--quick", action="store_true", help="fewer points and steps")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    console = Console(width=100, highlight=False)
    generator = np.random.default_rng(0)
    wave = Wave(generator)
    count, rounds = (200, 2) if options.quick else (POINTS, 24)
    points = generator.uniform([[0], [-1]], 1, (2, count))
    console.print(f"Burgers' equation of viscosity {VISCOSITY:.4f}, asked for at {count:,} points")
    train(wave, points, rounds, 50 if options.quick else 100, console)
    found, right = both(wave, np.linspace(0, 1, 101), np.linspace(-1, 1, 201))
    error = np.sqrt(np.mean((found - right) ** 2) / np.mean(right ** 2))
    console.print(
        f"Against the exact solution, on 101 x 201 points: {100 * error:.2g} % in the mean square, "
        f"{np.abs(found - right).max():.2g} at most."
    )
    picture = options.output / "physics_informed.png"
    draw(picture, wave)
    console.print(f"Picture: {picture}", soft_wrap=True)


if __name__ == "__main__":
    main()
