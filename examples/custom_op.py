"""A custom op in ten lines, its gradient check, and what the check says of wrong ones.

    python examples/custom_op.py

The op is squareplus, a smooth ReLU, as an ``autograd.Function``.  ``tg.gradcheck`` compares its backward
with differences, and ``tg.gradgradcheck`` the derivative of this backward, be it right or wrong.  The
picture shows what such checks rest on: as its step shrinks, a difference quotient comes closer to the
right derivative until rounding takes over, and to a wrong one it never comes close.  It needs matplotlib
and rich: pip install "tinygrad_relu[demo]".
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

import tinygrad_relu as tg
from tinygrad_relu.demo_pictures import INK, RIGHT, SEEN, STYLE, WRONG, save


class Squareplus(tg.autograd.Function):
    """``(x + sqrt(x * x + 4)) / 2``: Barron, "Squareplus", 2021."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x + tg.sqrt(x * x + 4)) / 2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (1 + x / tg.sqrt(x * x + 4)) / 2     # made of ops: it can be differentiated again


class OffByAThousandth(Squareplus):
    """The same function, with a backward that is a little too large."""

    @staticmethod
    def backward(ctx, g):
        return 1.001 * Squareplus.backward(ctx, g)


class RightOnlyOnce(Squareplus):
    """The same function, with a backward that is right, and does not know that it depends on x."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        x = x.detach()
        return g * (1 + x / tg.sqrt(x * x + 4)) / 2


def check(op, points):
    """Return what the checks of first and second derivatives say of an op: None where they pass."""
    x = tg.tensor(points, requires_grad=True)
    answers = []
    for checker in (tg.gradcheck, tg.gradgradcheck):
        try:
            checker(op.apply, x)
            answers.append(None)
        except tg.errors.GradientError as error:
            answers.append(str(error))
    return answers


def tell(console, points):
    """Print what the checks say of each op."""
    for op in (Squareplus, OffByAThousandth, RightOnlyOnce):
        console.print(f"\n[bold]{op.__name__}[/]: {op.__doc__}")
        for which, complaint in zip(("first", "second"), check(op, points)):
            if complaint is None:
                console.print(f"  [green]{which} derivative: passed[/]")
            else:
                console.print(f"  [red]{which} derivative: wrong[/]")
                console.print(Padding(escape(complaint), (0, 4), expand=False))
    console.print("\n[bold]What tg.check_gradients finds out about OffByAThousandth[/]")
    report = tg.check_gradients(OffByAThousandth.apply, [tg.tensor(points)], names=["x"])
    console.print(str(report), markup=False)


def derivatives(op, points, order):
    """Return the first or the second derivative of an op at points, by its backward."""
    x = tg.tensor(points, requires_grad=True)
    y = op.apply(x)
    for _ in range(order):
        (y,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    return y.detach().numpy()


def errors_by_step(op, points, steps):
    """Return for each step how far difference quotients are from an op's derivatives, at most."""
    derivative = derivatives(op, points, 1)
    found = []
    for h in steps:
        ahead, behind = (op.apply(tg.tensor(points + side)).numpy() for side in (h, -h))
        found.append(np.abs((ahead - behind) / (2 * h) - derivative).max())
    return np.array(found)


@rc_context(STYLE)
def draw(path, steps, right, wrong):
    """Draw the op with its derivatives, and the errors of differences by their step."""
    figure = Figure(figsize=(12, 4.9), layout="constrained", facecolor="white")
    shape, errors = figure.subplots(1, 2)
    x = np.linspace(-5, 5, 401)
    shape.plot(x, np.maximum(x, 0), color=SEEN, linewidth=1.4, linestyle="--", label="ReLU")
    shape.plot(x, Squareplus.apply(tg.tensor(x)).numpy(), color=RIGHT, linewidth=2.4, label="squareplus")
    shape.plot(x, derivatives(Squareplus, x, 1), color=INK, linewidth=1.4, label="first derivative")
    shape.plot(x, derivatives(Squareplus, x, 2), color=INK, linewidth=1.4, linestyle=":", label="second")
    shape.set(xlabel="x", ylim=(-0.2, 5.2))
    shape.set_title("Squareplus, and what its backward says")
    shape.legend(frameon=False, loc="upper left")
    errors.loglog(steps, wrong, color=WRONG, linewidth=2.2)
    errors.loglog(steps, right, color=RIGHT, linewidth=2.2)
    errors.invert_xaxis()
    errors.set(xlabel="step of the difference, shrinking", ylabel="largest |difference - backward|")
    errors.set_title("A wrong derivative is one that differences never come close to")
    best = right.argmin()
    for text, heights, colour, offset in (
        ("off by a thousandth: stays", wrong, WRONG, 7),
        ("right: falls as the square of the step,\nuntil rounding takes over", right, RIGHT, -32),
    ):
        errors.annotate(
            text, (steps[best], heights[best]), (0, offset), textcoords="offset points", ha="center",
            color=colour,
        )
    errors.set_ylim(right.min() / 30, None)
    for axes in (shape, errors):
        axes.grid(color="#e6e9ed", linewidth=0.8)
    save(figure, path)


def main(arguments=None):
    """Check, tell, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the picture")
    parser.add_argument("--quick", action="store_true", help="fewer points and steps")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    console = Console(width=100, highlight=False)
    points = np.random.default_rng(0).uniform(-4, 4, 20 if options.quick else 1000)
    tell(console, points[:10])
    steps = np.logspace(0, -12, 13 if options.quick else 121)
    right, wrong = (errors_by_step(op, points, steps) for op in (Squareplus, OffByAThousandth))
    console.print(
        f"\nOver steps from 1 to 1e-12, differences come as close as {right.min():.0e} to the right "
        f"derivative,\nand no closer than {wrong.min():.0e} to the wrong one."
    )
    picture = options.output / "custom_op.png"
    draw(picture, steps, right, wrong)
    console.print(f"Picture: {picture}", soft_wrap=True)


if __name__ == "__main__":
    main()
