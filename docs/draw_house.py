"""Draw the house, floor by floor, as the picture in ARCHITECTURE.md.

    python docs/draw_house.py          (writes docs/house.png)

The floors are those that `tests/house/test_house.py` holds the imports to.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

# From the top: the name of a floor, its colour, and its rooms with what they are for.
FLOORS = [
    ("10  dialects and\ncommands", "#f5d6c6", [
        ("__init__", "PyTorch's names"), ("numpy/", "NumPy's names"),
        ("testing", "assertions"), ("demo", "the page and\nits pictures"),
        ("__main__", "demo, check,\nscore"),
    ]),
    ("8  checking", "#f8e5c0", [
        ("gradcheck/", "differences with errors, kinks,\nreports"),
        ("gradcheck/diagnosis/", "what is wrong,\nin words"),
        ("gradcheck/mutants/", "wrong backwards,\nand the score"),
    ]),
    ("5 to 7  made\nof the table", "#f2efc7", [
        ("nn/", "modules, layers,\ninitialisation"), ("optim/", "optimizers,\nschedules"),
        ("autograd/", "gradients\nas values"), ("transforms", "of functions\nover trees"),
        ("custom", "derivatives of\nthe user's own"), ("io/", "files"),
        ("interop/", "SciPy, PyTorch,\nJAX"), ("distributed/", "over MPI"),
    ]),
    ("4  the op table", "#d5ead0", [
        ("ops/", "one declaration per op: kernel, rules, domain; compositions in plain Python"),
        ("creation", "tensors filled,\ndrawn"), ("grad_mode", "no_grad"),
    ]),
    ("3  engine", "#cfe3ee", [
        ("engine.tensor", "what a\nuser holds"), ("engine.op", "how an op is\ncalled, and records"),
        ("engine.graph", "what was\nrecorded"), ("engine.walk", "the way\nback"),
        ("engine.mutation", "changes\nin place"),
    ]),
    ("2  kernels", "#d7d5ec", [
        ("gate", "the ReLU\nfamily"), ("elementwise", "ufunc\nloops"), ("reduce", "sums"),
        ("_blas", "products"), ("windows", "im2col"), ("gather", "picking"),
        ("rows", "row by row"), ("special", "gamma"), ("mask", "one bit\na gate"),
        ("update", "optimizer\nsteps"),
    ]),
    ("1  loops", "#d3dfe0", [
        ("loops/*.pxi", "over memory, one source"), ("baseline, avx2, avx512", "what it is built for"),
        ("instruction_set", "the choice"),
    ]),
    ("0  ground", "#e0dcd8", [
        ("_memory", "the only file that\nowns large buffers"),
        ("_threads", "the only file\nthat speaks OpenMP"),
        ("errors", "every exception,\nwith what to do next"),
    ]),
]
LEFT, WIDTH, HEIGHT = 1.75, 10.0, 1.0


def draw_floor(axes, level, label, colour, rooms):
    """Draw one floor: a band with its label, and its rooms side by side."""
    axes.add_patch(FancyBboxPatch(
        (LEFT, level), WIDTH, HEIGHT - 0.12, boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=colour, edgecolor="none",
    ))
    axes.text(LEFT - 0.15, level + 0.44, label, ha="right", va="center", fontsize=10, color="#333333")
    shares = [max(len(role.split("\n")[0]), len(name)) + 6 for name, role in rooms]
    x = LEFT
    for (name, role), share in zip(rooms, shares):
        room = WIDTH * share / sum(shares)
        axes.add_patch(FancyBboxPatch(
            (x + 0.08, level + 0.08), room - 0.16, HEIGHT - 0.28,
            boxstyle="round,pad=0,rounding_size=0.05", facecolor="white", edgecolor="#8a8a8a",
            linewidth=0.8,
        ))
        axes.text(x + room / 2, level + 0.66, name, ha="center", va="center",
                  fontsize=10 if len(rooms) < 7 else 8.5, fontweight="bold", color="#222222")
        axes.text(x + room / 2, level + 0.33, role, ha="center", va="center", fontsize=7.5,
                  color="#444444", linespacing=1.05)
        x += room


def main():
    """Write the picture."""
    figure, axes = plt.subplots(figsize=(11, 6.6), layout="constrained")
    for level, (label, colour, rooms) in enumerate(reversed(FLOORS)):
        draw_floor(axes, level * HEIGHT, label, colour, rooms)
    axes.annotate(
        "", (LEFT + WIDTH + 0.3, 0.1), (LEFT + WIDTH + 0.3, len(FLOORS) * HEIGHT - 0.2),
        arrowprops={"arrowstyle": "-|>", "color": "#555555", "linewidth": 1.4},
    )
    axes.text(LEFT + WIDTH + 0.42, len(FLOORS) * HEIGHT / 2, "imports go down only", rotation=270,
              va="center", fontsize=9, color="#555555")
    axes.set_xlim(0, LEFT + WIDTH + 0.8)
    axes.set_ylim(-0.1, len(FLOORS) * HEIGHT)
    axes.axis("off")
    figure.savefig(Path(__file__).with_name("house.png"), dpi=130)


if __name__ == "__main__":
    main()
