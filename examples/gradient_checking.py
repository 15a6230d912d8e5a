"""A walk through the gradient checker, by a net of two layers and the mistakes that people make.

The net is plain NumPy, as one writes it in a course: `loss_and_grad` takes a dict of parameters, and
returns the loss and a dict of gradients.  The walk first checks it as it is.  Then it puts in one
wrong line after the other, and prints what the report says; goes on to a point on a kink, to single
precision, and to an `autograd.Function`; and ends with a picture of all mistakes.

    python examples/gradient_checking.py                    # some ten seconds
    python examples/gradient_checking.py --output pictures  # where gradient_checking.png goes
    python examples/gradient_checking.py --quick            # two mistakes, and no picture

The picture needs matplotlib (``pip install matplotlib``).
"""

import argparse
import inspect
import linecache
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tinygrad_relu as tg

WIDTH = 92
PICTURE = "gradient_checking.png"
DECAY = 0.1     # of the weights
SEEN_FROM = 1e-4        # the relative error from which an element is not green in the picture

rng = np.random.default_rng(5)
X = rng.standard_normal((6, 4))
LABELS = np.array([0, 2, 1, 2, 0, 1])
PARAMS = {
    "W1": rng.standard_normal((4, 4)), "b1": rng.standard_normal(4),
    "W2": rng.standard_normal((4, 3)), "b2": rng.standard_normal(3),
}


# ---------------------------------------------------------------------------------- the net


def loss_and_grad(params):
    """Return the cross-entropy of a net with one hidden layer of ReLUs, and its gradients."""
    x = X.astype(params["W1"].dtype)
    n = len(x)

    z1 = x @ params["W1"] + params["b1"]
    h1 = np.maximum(z1, 0)
    z2 = h1 @ params["W2"] + params["b2"]
    shifted = z2 - z2.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(n), LABELS].mean() + DECAY / 2 * (params["W1"] ** 2).sum()

    dz2 = np.exp(log_p)
    dz2[np.arange(n), LABELS] -= 1
    dz2 = dz2 / n
    dW2 = h1.T @ dz2
    db2 = dz2.sum(axis=0)
    dh1 = dz2 @ params["W2"].T
    dz1 = dh1 * (z1 > 0)
    dW1 = x.T @ dz1 + DECAY * params["W1"]
    db1 = dz1.sum(axis=0)
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


# ----------------------------------------------------------------------------- the mistakes


@dataclass(frozen=True)
class Mistake:
    """A line of `loss_and_grad`, what somebody writes instead, and what to see in the report."""

    title: str
    right: str
    wrong: str
    lesson: str

    def function(self):
        """Return `loss_and_grad` with the wrong line."""
        source = textwrap.dedent(inspect.getsource(loss_and_grad))
        if source.count(self.right + "\n") != 1:
            raise ValueError(f"{self.right!r} has to stand in loss_and_grad once")
        space = dict(globals())
        wrong, file = source.replace(self.right + "\n", self.wrong + "\n"), f"<{self.title}>"
        # As an editor or a notebook does: so the checker can read the text, and say what to write.
        linecache.cache[file] = len(wrong), None, wrong.splitlines(True), file
        exec(compile(wrong, file, "exec"), space)
        return space["loss_and_grad"]


MISTAKES = [
    Mistake(
        "a mean for a sum", "db1 = dz1.sum(axis=0)", "db1 = dz1.mean(axis=0)",
        "A bias is added to every sample, so it gets the sum of what they say.  The ratio is the "
        "same everywhere, one by the size of the batch: that gives it away.",
    ),
    Mistake(
        "a mask that is forgotten", "dz1 = dh1 * (z1 > 0)", "dz1 = dh1",
        "Where the ReLU was shut nothing may pass.  The way back meets W2 and b2 first, and they are "
        "right: so the mistake lies between them and the first layer.",
    ),
    Mistake(
        "a mask of the wrong array", "dz1 = dh1 * (z1 > 0)", "dz1 = dh1 * (dh1 > 0)",
        "The mask is that of the forward, and asks whether z1 was positive.  Shape and size look right, "
        "and the loss still falls: one has to compare the numbers.",
    ),
    Mistake(
        "a transposed gradient", "dW1 = x.T @ dz1 + DECAY * params[\"W1\"]",
        "dW1 = dz1.T @ x + DECAY * params[\"W1\"]",
        "W1 is square, so the shape says nothing.  The numbers do.",
    ),
    Mistake(
        "a term that is left out", "dW1 = x.T @ dz1 + DECAY * params[\"W1\"]", "dW1 = x.T @ dz1",
        "The loss has two terms with W1 in them, and so has the gradient.  Training would go on, "
        "somewhat worse: nothing but a check shows it.",
    ),
    Mistake(
        "a division that is left out", "dz2 = dz2 / n", "dz2 = dz2",
        "The loss is a mean over six samples, so all that follows on the way back is off by six.  The "
        "ratios of W1 are others, because of its second term, and the report finds the six all the same.",
    ),
]


# -------------------------------------------------------------------------------- the story


def tell(title, *paragraphs):
    """Print the title of a step, and what there is to say before its report."""
    print(f"\n{title}\n{'=' * len(title)}")
    for paragraph in paragraphs:
        print(textwrap.fill(" ".join(paragraph.split()), WIDTH))
    print()


def show_net():
    """Check the net as it is."""
    tell(
        "The net is right",
        "check_gradients(loss_and_grad, [params]) moves each parameter a little to both sides, and "
        "compares how much the loss rises with what the gradient says.  How far to move it, and how "
        "close is close enough, it finds out by itself.",
    )
    report = tg.check_gradients(loss_and_grad, [PARAMS])
    report.show()
    return report


def show_mistake(number, mistake):
    """Put a mistake in, check, and show what is to be learnt of it."""
    tell(f"Mistake {number}: {mistake.title}")
    print(f"  -  {mistake.right}\n  +  {mistake.wrong}\n")
    report = tg.check_gradients(mistake.function(), [PARAMS])
    report.show()
    print()
    print(textwrap.fill(mistake.lesson, WIDTH))
    return report


def show_kinks():
    """Check at points where a ReLU is exactly at 0."""
    tell(
        "On a kink",
        "At 0 the ReLU has a slope of 0 on its left and of 1 on its right.  Whichever you take, or "
        "anything between, is right.  A plain difference says 1/2, and a checker that knows no kinks "
        "fails a backward that is correct.",
    )
    point = np.array([-1.0, 0.0, 2.0])
    report = tg.check_gradients(
        lambda x: np.maximum(x, 0).sum(), [point], backward=lambda x: (x > 0).astype(float)
    )
    report.show()
    tell(
        "Two kinks at one place",
        "relu(x) - relu(-x) is x itself, with slope 1.  Two ReLUs that both choose 0 at 0 make it 0: "
        "neither is wrong, and together they are.  The report says so, and fails nobody.",
    )
    both = tg.check_gradients(lambda x: (tg.relu(x) - tg.relu(-x)).sum(), [point])
    both.show()
    return [report, both]


def show_single_precision():
    """Check in float32, where it shows something, and where it does not."""
    tell(
        "Single precision",
        "A float32 has seven digits, and a difference of two losses has fewer.  The report asks for no "
        "more than they can show, which here is enough.",
    )
    single = {name: value.astype(np.float32) for name, value in PARAMS.items()}
    report = tg.check_gradients(loss_and_grad, [single])
    report.show()
    tell(
        "... and when it shows nothing",
        "A loss near a million changes in its last digit by 1/16.  A gradient of a thousandth cannot "
        "be seen in it: the report says that, and what to do, and not that all is well.",
    )
    hidden = tg.check_gradients(
        lambda x: np.float32(1e6) + np.float32(1e-3) * np.sin(x).sum(), [np.ones(3, np.float32)],
        backward=lambda x: np.float32(1e-3) * np.cos(x),
    )
    hidden.show()
    return [report, hidden]


class Swish(tg.autograd.Function):
    """x * sigmoid(x), with a derivative by hand that lacks a term."""

    @staticmethod
    def forward(ctx, x):
        """Return x * sigmoid(x)."""
        ctx.save_for_backward(x)
        return x * tg.sigmoid(x)

    @staticmethod
    def backward(ctx, grad_output):
        """Return the cotangent by sigmoid(x), as if that did not depend on x."""
        (x,) = ctx.saved_tensors
        return grad_output * tg.sigmoid(x)


def sigmoid(x):
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def show_function():
    """Check an `autograd.Function`, and the same as a pair of plain functions."""
    tell(
        "A function of your own",
        "An autograd.Function is checked as it is called, and its forward is followed op by op.  This "
        "one, x * sigmoid(x), forgets that the second factor depends on x as well.",
    )
    point = np.linspace(-2, 2, 5)
    report = tg.check_gradients(Swish.apply, [point])
    report.show()
    tell(
        "... and as a pair",
        "The same written with NumPy, as two functions.  Now two things are wrong with the backward: a "
        "number stands in front of it, too.  No single mistake explains that, and the checker does not "
        "guess.",
    )
    pair = tg.check_gradients(
        lambda x: x * sigmoid(x), [point], backward=lambda dout, x: 1.3 * dout * sigmoid(x)
    )
    pair.show()
    return [report, pair]


def summary(reports):
    """Return the table of the mistakes, and what the report calls them."""
    lines = [f"{'what was done':28}  {'for which inputs':16}  what the report calls it"]
    lines.append("-" * WIDTH)
    for mistake, report in zip(MISTAKES, reports):
        wrong = [entry for entry in report.inputs if not entry.ok]
        labels = dict.fromkeys(str(entry.label) for entry in wrong)
        names = ", ".join(entry.name for entry in wrong)
        lines.append(f"{mistake.title:28}  {names:16}  {', '.join(labels)}")
    return "\n".join(lines)


# ------------------------------------------------------------------------------ the picture


def draw(right, reports, path):
    """Draw what is off in each parameter, a row for each mistake, and save the picture."""
    import matplotlib
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    rows = [("the net as it is", right)]
    rows += [(mistake.title, report) for mistake, report in zip(MISTAKES, reports)]
    figure = Figure(figsize=(8.6, 1.12 * len(rows) + 1.4), layout="constrained", facecolor="white")
    figure.suptitle("Where the gradients are off: one mistake a row, one parameter a column", fontsize=12)
    widths = [entry.relative_error.shape[-1] for entry in right.inputs]
    grid = figure.subplots(len(rows), len(widths), width_ratios=widths, squeeze=False)
    norm = LogNorm(SEEN_FROM, 1)
    colours = matplotlib.colormaps["YlOrRd"].with_extremes(under="#dcebdd", over="#800026")
    for axes_of_row, (title, report) in zip(grid, rows):
        for axes, entry in zip(axes_of_row, report.inputs):
            image = draw_parameter(axes, entry, norm=norm, cmap=colours)
        axes_of_row[0].set_ylabel(
            textwrap.fill(title, 16), rotation=0, ha="right", va="center", fontsize=9.5
        )
    for axes, entry in zip(grid[0], right.inputs):
        axes.set_title(entry.name, fontsize=11)
    bar = figure.colorbar(
        image, ax=list(grid.ravel()), shrink=0.5, aspect=30, pad=0.02, extend="min", extendfrac=0.08
    )
    bar.set_label("relative error of an element; green is right")
    bar.outline.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def draw_parameter(axes, entry, **colours):
    """Draw the elements of one parameter, and what the report says of it, and return the image."""
    error = np.atleast_2d(entry.relative_error)
    image = axes.imshow(np.maximum(error, 0.1 * SEEN_FROM), aspect="auto", **colours)
    axes.set_xticks(np.arange(1, error.shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, error.shape[0]) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("" if entry.ok else str(entry.label), fontsize=8, color="#9b1c1c")
    return image


def main(arguments=None):
    """Run the walk."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(), metavar="FOLDER", help="for the picture")
    parser.add_argument("--quick", action="store_true", help="two mistakes, and no picture")
    options = parser.parse_args(arguments)
    right = show_net()
    shown = MISTAKES[:2] if options.quick else MISTAKES
    reports = [show_mistake(number, mistake) for number, mistake in enumerate(shown, 1)]
    show_kinks()
    show_single_precision()
    show_function()
    tell("What was found")
    print(summary(reports))
    if options.quick:
        return
    try:
        draw(right, reports, options.output / PICTURE)
        print(f"\nThe picture: {options.output / PICTURE}")
    except ModuleNotFoundError:
        print("\nThere is no picture: it needs matplotlib (pip install matplotlib).")


if __name__ == "__main__":
    main()
