"""A Cython module of your own that cimports the kernels: a learned force, in a simulation.

    cd examples/own_kernel
    python setup.py build_ext --inplace
    python strange_attractor.py

A ReLU net learns the force of a spring with two wells from noisy measurements.  Then it takes the place
of the force in a long simulation of the driven spring, which is chaotic: a flash of light once in each
period of the drive shows a strange attractor.  The simulation is `oscillator.pyx`, which calls the gate
of tinygrad_relu without the GIL; the same steps in Python tell what that saves.  It needs Cython,
setuptools, matplotlib and rich: pip install "tinygrad_relu[demo]" cython setuptools.
"""

import argparse
import math
from pathlib import Path
from time import perf_counter

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.demo_pictures import INK, SEEN, STYLE, UNSEEN, save

DAMPING, DRIVE, PERIOD = 0.2, 0.3, 2 * math.pi
STEPS = 100         # to a period
START = 0.1, 0.0    # place and velocity


def spring(x):
    """Return the true force, of Duffing's oscillator."""
    return x - x * x * x


def learned_force(generator, epochs, console):
    """Return the measurements, and a net that was trained on them."""
    x = generator.uniform(-2, 2, (400, 1))
    measured = spring(x) + generator.normal(0, 0.02, x.shape)
    layers = nn.Linear(1, 32, generator=generator), nn.ReLU(), nn.Linear(32, 1, generator=generator)
    net = nn.Sequential(*layers)
    with tg.no_grad():      # kinks spread over what is measured
        net[0].bias.copy_(-net[0].weight[:, 0] * tg.linspace(-2, 2, 32))
    optimizer = tg.optim.Adam(net.parameters(), lr=0.02)
    scheduler = tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    inputs, wanted = tg.tensor(x), tg.tensor(measured)
    for _ in track(range(epochs), "learning", console=console, disable=not console.is_terminal):
        loss = tg.mse_loss(net(inputs), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return (x, measured), net


def arrays_of(net):
    """Return the parameters of a net as the oscillator takes them."""
    weight, bias, outward, constant = (p.detach().numpy() for p in net.parameters())
    return weight[:, 0], bias, outward[0], float(constant[0])


def flashes_in_python(force, count, steps=STEPS):
    """Take the steps of `oscillator.pyx` in Python, with any force."""
    (x, v), h, seen = START, PERIOD / steps, []

    def acceleration(t, x, v):
        return force(x) - DAMPING * v + DRIVE * math.cos(t)

    for _ in range(count):
        for step in range(steps):
            t = step * h
            a1 = acceleration(t, x, v)
            v2 = v + 0.5 * h * a1
            a2 = acceleration(t + 0.5 * h, x + 0.5 * h * v, v2)
            v3 = v + 0.5 * h * a2
            a3 = acceleration(t + 0.5 * h, x + 0.5 * h * v2, v3)
            v4 = v + h * a3
            a4 = acceleration(t + h, x + h * v3, v4)
            x += h / 6 * (v + 2 * v2 + 2 * v3 + v4)
            v += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        seen.append((x, v))
    return np.array(seen)


def timed(function, *arguments):
    """Return what a function gives, and how many seconds it took."""
    start = perf_counter()
    return function(*arguments), perf_counter() - start


@rc_context(STYLE)
def draw(path, measurements, net, true, learned):
    """Draw the force, and both attractors."""
    figure = Figure(figsize=(13, 4.8), layout="constrained", facecolor="white")
    force, *attractors = figure.subplots(1, 3)
    x = np.linspace(-2.1, 2.1, 400)
    with tg.no_grad():
        answers = net(tg.tensor(x[:, None])).numpy()[:, 0]
    force.plot(*measurements, "o", color=SEEN, markersize=2, alpha=0.6, label="measured")
    force.plot(x, answers, color=UNSEEN, linewidth=1.8, label="learned by a ReLU net")
    force.set(xlabel="place", ylabel="force", ylim=(-6.5, 6.5))
    force.set_title("The force, from 400 measurements")
    force.legend(frameon=False)
    for axes, flashes, colour, title in (
        (attractors[0], true, INK, "Driven by the true force"),
        (attractors[1], learned, UNSEEN, "Driven by the net, in Cython"),
    ):
        axes.plot(*flashes.T, ".", color=colour, markersize=1.5, markeredgewidth=0)
        axes.set(xlabel="place at each flash", xlim=(-1.5, 1.5), ylim=(-0.65, 1.0))
        axes.set_title(title)
    attractors[0].set_ylabel("velocity at each flash")
    save(figure, path)


def main(arguments=None):
    """Learn a force, simulate with it, compare, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the picture")
    parser.add_argument("--quick", action="store_true", help="a short simulation")
    options = parser.parse_args(arguments)
    console = Console(width=100, highlight=False)
    try:
        from oscillator import Oscillator
    except ImportError:
        parser.error("oscillator is not built: python setup.py build_ext --inplace")
    options.output.mkdir(parents=True, exist_ok=True)
    count = 300 if options.quick else 12000
    measurements, net = learned_force(np.random.default_rng(0), 300 if options.quick else 3000, console)
    weight, bias, outward, constant = arrays_of(net)
    oscillator = Oscillator(weight, bias, outward, constant, DAMPING, DRIVE)

    def force_in_numpy(x):
        return np.maximum(weight * x + bias, 0) @ outward + constant

    learned, in_cython = timed(oscillator.flashes, *START, count, STEPS, PERIOD)
    few, in_numpy = timed(flashes_in_python, force_in_numpy, 10)
    in_numpy *= count / len(few)
    difference = np.abs(few[:3] - learned[:3]).max()
    true = flashes_in_python(spring, count)
    console.print(
        f"{count:,} periods of {STEPS} steps, 4 times the net in each: {in_cython:.2f} s in Cython, "
        f"{1e9 * in_cython / (4 * STEPS * count):.0f} ns a net.\nIn Python with NumPy it would take "
        f"{in_numpy:.0f} s, {in_numpy / in_cython:.0f} times as long; in the first 3 periods,\n"
        f"before chaos blows up rounding, both agree within {difference:.0e}."
    )
    picture = options.output / "own_kernel.png"
    draw(picture, measurements, net, true, learned)
    console.print(f"Picture: {picture}", soft_wrap=True)


if __name__ == "__main__":
    main()
