"""Every way to write ReLU in NumPy that one Q&A page gives, and ours: is it right, how fast is it?

The page ("How do I implement ReLU in NumPy?") collects eight forward and two backward ways.  This
script asks each of them for its answer at the edges of the floats, compares that with the
definition, and measures its time as the page itself came to demand: in-place ways spoil their
input, so every call gets a fresh one, and the cost of making it is measured and subtracted.

    python examples/relu_in_numpy.py                # 3000 x 3000, some 15 seconds
    python examples/relu_in_numpy.py --size 5000    # the size on the page; needs 1.2 GB
    OMP_NUM_THREADS=1 python examples/relu_in_numpy.py     # our kernels on one thread, as NumPy

It prints tables and saves the plot relu_in_numpy.png.  It needs the ``demo`` extra (rich and
matplotlib).

What "right" means:

forward   ``x if x > 0 else 0``, and NaN stays NaN; with three parameters ``x * a1 if x > t0 else
          x * a0``, so that every number belongs to one side
backward  `dout` times the slope of the side that `x` is on; the kink belongs to the lower side, a
          slope of 0 gives 0 whatever `dout`, and where `x` is NaN `dout` passes, as NaN did forward
          (PyTorch does so; the other convention, 0 there, is reported but not counted as wrong)
"""

import argparse
import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tinygrad_relu import kernels
from tinygrad_relu.kernels import get_num_threads

# Inside the range of the timed input, so that both sides of the threshold are timed.
T0, A0, A1 = 0.25, 0.1, 2.0

# Longer than a vector register and no multiple of one, so that each edge value meets both the
# vector loop of a way and its scalar remainder: they need not agree (NumPy does not promise which
# zero `np.maximum` returns).
EDGE_LENGTH = 67


# --------------------------------------------------------------------- the ways of the page


def maximum(x):
    """Return the larger of `x` and 0."""
    return np.maximum(x, 0)


def maximum_in_place(x):
    """Do as `maximum`, into `x`.

    The page writes ``np.maximum(x, 0, x)``; NumPy 2.4 deprecates `out` by position.
    """
    return np.maximum(x, 0, out=x)


def product(x):
    """Multiply by the mask of what passes."""
    return x * (x > 0)


def product_backward(dout, cache):
    """Select `dout` where `x` was positive: what the page recommends beside `product`."""
    x = cache
    return np.where(x > 0, dout, 0)


def half_sum(x):
    """Add the absolute value, which cancels or doubles, and halve."""
    return (abs(x) + x) / 2


def mask_assignment(x):
    """Overwrite what is negative."""
    x[x < 0] = 0
    return x


def pair_relu(x):
    """Return the page's ``ReLU``: `product` again, so the two times also show the noise."""
    return x * (x > 0)


def pair_derivative(x):
    """Return the page's ``dReLU``."""
    return 1.0 * (x > 0)


def pair_backward(dout, x):
    """Put ``dReLU`` to use, by the chain rule."""
    return dout * pair_derivative(x)


def absolute_product(x):
    """Multiply the absolute value by the mask: "a more precise implementation"."""
    return abs(x) * (x > 0)


def three_parameters(x):
    """Return ``x * a1`` above `t0` and ``x * a0`` below it, as the page has it."""
    return x * (x > T0) * A1 + x * (x < T0) * A0


# ------------------------------------------------------------------------------------- ours


def our_relu(x):
    """Rectify into a new array."""
    return kernels.relu(x)


def our_relu_in_place(x):
    """Rectify into `x`."""
    return kernels.relu(x, out=x)


def our_relu_backward(dout, x):
    """Return the gradient of `our_relu`."""
    return kernels.relu_backward(dout, x)


def our_thresholded_relu(x):
    """Return what `three_parameters` is meant to be."""
    return kernels.thresholded_relu(x, T0, A0, A1)


def our_thresholded_relu_backward(dout, x):
    """Return the gradient of `our_thresholded_relu`."""
    return kernels.thresholded_relu_backward(dout, x, T0, A0, A1)


# -------------------------------------------------------------------------- the definitions


def define_relu(x):
    """Define ReLU, for one number."""
    if math.isnan(x):
        return x
    return x if x > 0 else 0.0


def define_relu_gradient(dout, x):
    """Define the gradient of ReLU, for one number."""
    return dout if x > 0 or math.isnan(x) else 0.0


def define_relu_gradient_stopping_nan(dout, x):
    """Define the gradient of ReLU by the convention that a NaN in `x` stops it."""
    return dout if x > 0 else 0.0


def define_thresholded_relu(x):
    """Define the three-parameter form, for one number."""
    return x * (A1 if x > T0 else A0)


def define_thresholded_relu_gradient(dout, x):
    """Define the gradient of the three-parameter form, for one number."""
    return dout * (A0 if x <= T0 else A1)


@dataclass(frozen=True, eq=False)
class Task:
    """What a way sets out to compute.

    The first of `definitions` is ours; an answer by any other is another convention.
    """

    definitions: tuple[Callable, ...]
    t0: float
    backward: bool

    def edges(self):
        """Return the inputs at each edge, by its name: (x,) forward and (dout, x) backward."""
        if self.backward:
            return {
                "NaN": (1.0, math.nan),
                "-inf": (1.0, -math.inf),
                "+inf": (1.0, math.inf),
                "-0.0": (1.0, -0.0),
                "+0.0": (1.0, 0.0),
                "at t0": (1.0, self.t0),
                "-1 (dout -1)": (-1.0, -1.0),
                "-1 (dout inf)": (math.inf, -1.0),
            }
        return {
            "NaN": (math.nan,),
            "-inf": (-math.inf,),
            "+inf": (math.inf,),
            "-1": (-1.0,),
            "-0.0": (-0.0,),
            "+0.0": (0.0,),
            "at t0": (self.t0,),
            "largest float": (np.finfo(float).max.item(),),
        }


@dataclass(frozen=True, eq=False)
class Way:
    """One contender: how it is written, the function, what it sets out to compute."""

    formula: str
    function: Callable
    task: Task
    ours: bool = False


RELU = Task((define_relu,), 0.0, backward=False)
RELU_GRADIENT = Task(
    (define_relu_gradient, define_relu_gradient_stopping_nan), 0.0, backward=True
)
THRESHOLDED = Task((define_thresholded_relu,), T0, backward=False)
THRESHOLDED_GRADIENT = Task((define_thresholded_relu_gradient,), T0, backward=True)

MAXIMUM = Way("np.maximum(x, 0)", maximum, RELU)
PRODUCT = Way("x * (x > 0)", product, RELU)
PRODUCT_BACKWARD = Way("np.where(x > 0, dout, 0)", product_backward, RELU_GRADIENT)

FORWARD = [
    MAXIMUM,
    Way("np.maximum(x, 0, out=x)", maximum_in_place, RELU),
    PRODUCT,
    Way("(abs(x) + x) / 2", half_sum, RELU),
    Way("x[x < 0] = 0", mask_assignment, RELU),
    Way("ReLU(x), with dReLU", pair_relu, RELU),
    Way("abs(x) * (x > 0)", absolute_product, RELU),
    Way("x*(x>t0)*a1 + x*(x<t0)*a0", three_parameters, THRESHOLDED),
    Way("relu(x)", our_relu, RELU, ours=True),
    Way("relu(x, out=x)", our_relu_in_place, RELU, ours=True),
    Way("thresholded_relu(x, t0, a0, a1)", our_thresholded_relu, THRESHOLDED, ours=True),
]
BACKWARD = [
    PRODUCT_BACKWARD,
    Way("dout * dReLU(x)", pair_backward, RELU_GRADIENT),
    Way("relu_backward(dout, x)", our_relu_backward, RELU_GRADIENT, ours=True),
    Way(
        "thresholded_relu_backward(...)",
        our_thresholded_relu_backward,
        THRESHOLDED_GRADIENT,
        ours=True,
    ),
]


# -------------------------------------------------------------------------------- the edges


class Flaw(StrEnum):
    """How an answer differs from the definition, the worst first."""

    WRONG = "wrong"
    NEGATIVE_ZERO = "negative zero"
    CONVENTION = "other convention"
    NONE = ""


MARKS = {Flaw.WRONG: "!", Flaw.NEGATIVE_ZERO: "~", Flaw.CONVENTION: "?", Flaw.NONE: " "}
STYLES = {
    Flaw.WRONG: "bold red",
    Flaw.NEGATIVE_ZERO: "yellow",
    Flaw.CONVENTION: "yellow",
    Flaw.NONE: "",
}


@dataclass(frozen=True)
class Answer:
    """What a way gives at one edge, and what is the matter with it."""

    value: float
    flaw: Flaw


def same(a, b):
    """Tell whether two floats are one value, where every NaN is one and the zeros are two."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b and math.copysign(1, a) == math.copysign(1, b)


def find_flaw(value, wanted):
    """Compare `value` with what the definitions, ours first, want."""
    if same(value, wanted[0]):
        return Flaw.NONE
    if value == wanted[0]:
        return Flaw.NEGATIVE_ZERO
    return Flaw.CONVENTION if any(same(value, other) for other in wanted[1:]) else Flaw.WRONG


def answer_at(way, inputs):
    """Return what `way` gives for `inputs` wherever in an array they stand, at its worst."""
    with np.errstate(all="ignore"):
        values = way.function(*(np.full(EDGE_LENGTH, number) for number in inputs))
    wanted = [define(*inputs) for define in way.task.definitions]
    answers = [Answer(value, find_flaw(value, wanted)) for value in values.tolist()]
    return min(answers, key=lambda answer: list(Flaw).index(answer.flaw))


def examine(way):
    """Return the answer of `way` at every edge of its task, by the name of the edge."""
    return {edge: answer_at(way, inputs) for edge, inputs in way.task.edges().items()}


def places(answers, flaw):
    """Return the names of the edges where `answers` have this flaw."""
    return [edge for edge, answer in answers.items() if answer.flaw is flaw]


def worst(answers):
    """Return the gravest flaw among `answers`."""
    return min((answer.flaw for answer in answers.values()), key=list(Flaw).index)


def verdict(answers):
    """Say in words where `answers` are flawed."""
    found = {flaw: places(answers, flaw) for flaw in Flaw if flaw}
    words = [f"{flaw} at {', '.join(edges)}" for flaw, edges in found.items() if edges]
    return "; ".join(words) or "right everywhere"


# --------------------------------------------------------------------------------- the time


def time_once(way, source, fresh, dout):
    """Return the seconds of making fresh input for `way`, and of `way` with that subtracted.

    Both come from one call: the difference to a baseline timed apart can be all noise for a way
    that is faster than its fresh input.  The result is dropped before the clock stops, because
    returning its memory is part of the price.
    """
    inputs = (dout, fresh) if way.task.backward else (fresh,)
    start = perf_counter()
    np.copyto(fresh, source)
    baseline = perf_counter() - start
    way.function(*inputs)
    return baseline, perf_counter() - start - baseline


def measure(ways, size, rounds, console):
    """Return the median seconds of each way, and of the fresh input, which they do not contain."""
    source, dout = np.random.default_rng(0).random((2, size, size)) - 0.5
    fresh = np.empty_like(source)
    order = list(ways)
    times, baselines = {way: [] for way in ways}, []
    columns = (TextColumn("{task.description}"), BarColumn(None), TimeRemainingColumn())
    # Refreshed by hand between the timings: its own thread would draw during them.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        bar = progress.add_task(f"{rounds} rounds over {len(ways)} ways", total=rounds + 1)
        for round_number in range(rounds + 1):
            # In a new order each round, so that no way has always the same one before it.
            random.Random(round_number).shuffle(order)
            for way in order:
                baseline, seconds = time_once(way, source, fresh, dout)
                if round_number > 0:  # round 0 warms up
                    baselines.append(baseline)
                    times[way].append(seconds)
            progress.update(bar, advance=1, refresh=True)
    medians = {way: statistics.median(seconds) for way, seconds in times.items()}
    return medians, statistics.median(baselines)


# ------------------------------------------------------------------------------- the tables


def show(value):
    """Write a float in few characters; a zero with its sign."""
    return f"{value:#.2g}".replace("e+", "e")


LEGEND = (
    f"  ! wrong    ~ negative zero    ? another convention: a NaN stopped\n"
    f"  t0 is 0; with three parameters it is {T0}, a0 is {A0} and a1 is {A1}\n"
    f"  dout is 1 unless told\n"
)


def start_table(title):
    """Return a table that has its first column, of the ways."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.padding = (0, 1, 0, 0)
    table.add_column("way", no_wrap=True)
    return table


def edge_table(title, ways, answers):
    """Return the table of answers at the edges."""
    table = start_table(title)
    for edge in ways[0].task.edges():
        table.add_column(edge.replace(" ", "\n", 1) + " ", justify="right")
    for way in ways:
        cells = [
            Text(show(answer.value) + MARKS[answer.flaw], STYLES[answer.flaw])
            for answer in answers[way].values()
        ]
        table.add_row(name(way), *cells)
    return table


def time_table(title, ways, answers, times, unit):
    """Return the table of times, the fastest first, as multiples of the way `unit` too."""
    table = start_table(title)
    table.add_column("time, ms", justify="right")
    table.add_column(f"vs {unit.formula.split('(')[0]}", justify="right")
    table.add_column("verdict")
    for way in sorted(ways, key=times.get):
        table.add_row(
            name(way),
            f"{times[way] * 1e3:.2f}",
            f"{times[way] / times[unit]:.2f}",
            Text(verdict(answers[way]), STYLES[worst(answers[way])]),
        )
    return table


def name(way):
    """Return the formula of `way`, bold for ours."""
    return Text(way.formula, "bold cyan" if way.ours else "")


def closing_sentence(times, answers):
    """Answer the page's question, which way is fastest, from what was measured."""
    of_page = fastest(times, [way for way in FORWARD if not way.ours])
    of_right = fastest_right(times, answers)
    return (
        f"Which is fastest?  {PRODUCT.formula}, which the page ends by recommending, takes "
        f"{times[PRODUCT] / times[MAXIMUM]:.2f} times as long as {MAXIMUM.formula}; of the page's "
        f"ways {of_page.formula} is fastest ({times[of_page] * 1e3:.1f} ms), and of all that are "
        f"right at every edge, ours included, {of_right.formula} ({times[of_right] * 1e3:.1f} ms)."
    )


def fastest(times, ways):
    """Return the fastest ReLU among `ways`."""
    return min((way for way in ways if way.task is RELU), key=times.get)


def fastest_right(times, answers):
    """Return the fastest ReLU that is right at every edge."""
    return fastest(times, [way for way in FORWARD if worst(answers[way]) is Flaw.NONE])


# --------------------------------------------------------------------------------- the plot

OURS, PAGE, INK, FAINT = "#0b6e99", "#b9bfc7", "#22262b", "#6b7280"


def draw(times, answers, conditions, path):
    """Save bars of the times, hatched where an answer is wrong, ours in colour."""
    figure = Figure(figsize=(12, 8), layout="constrained", dpi=150)
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[len(FORWARD), len(BACKWARD)])
    draw_bars(upper, "Forward", FORWARD, times, answers)
    draw_bars(lower, "Backward", BACKWARD, times, answers)
    upper.tick_params(axis="x", length=0)
    upper.legend(handles=legend_patches(), loc="upper right", frameon=False, fontsize=11)
    lower.set_xlabel("milliseconds per call (shorter is better)", size=11, color=INK)
    figure.suptitle(headline(times, answers), size=17, weight="bold", color=INK)
    figure.supxlabel(conditions, size=9.5, color=FAINT)
    figure.savefig(path)


def draw_bars(axes, title, ways, times, answers):
    """Draw one panel, the fastest way on top."""
    ways = sorted(ways, key=times.get)
    milliseconds = [times[way] * 1e3 for way in ways]
    bars = axes.barh([way.formula for way in ways], milliseconds, height=0.72)
    longest = max(times.values()) * 1e3
    for way, bar, length in zip(ways, bars, milliseconds):
        bar.set_facecolor(OURS if way.ours else PAGE)
        if worst(answers[way]) is Flaw.WRONG:
            bar.set(hatch="////", edgecolor="white", linewidth=0)
        note = axes.annotate(
            f"{length:.1f}", (length, bar.get_y() + bar.get_height() / 2), (5, 0),
            textcoords="offset points", va="center", size=10, weight="bold", color=INK,
        )
        axes.annotate(
            verdict(answers[way]), (1, 0.5), (8, 0), xycoords=note, textcoords="offset points",
            va="center", size=9.5, color=FAINT,
        )
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.set_xlim(0, longest * 1.4)
    axes.set_title(title, loc="left", size=13, weight="bold", color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    for label, way in zip(axes.get_yticklabels(), ways):
        label.set(family="monospace", size=10, color=OURS if way.ours else INK)


def legend_patches():
    """Return what the bars' looks mean."""
    return [
        Patch(facecolor=OURS, label="tinygrad_relu.kernels"),
        Patch(facecolor=PAGE, label="from the page"),
        Patch(facecolor=PAGE, hatch="////", edgecolor="white", label="wrong at an edge"),
    ]


def headline(times, answers):
    """State the finding."""
    page = [way for way in FORWARD if not way.ours]
    wrong = [way for way in page if worst(answers[way]) is Flaw.WRONG]
    return (
        f"{len(wrong)} of the page's {len(page)} ways to write ReLU in NumPy are wrong at an edge.\n"
        f"Fastest of all that are right everywhere: {fastest_right(times, answers).formula}"
    )


# ------------------------------------------------------------------------------ the command


def read_arguments(arguments):
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # 72 MB: as with the page's 200 MB, each new array is memory fresh from the system, which up to
    # 32 MB malloc may reuse: it is a good part of the price.
    parser.add_argument("--size", type=int, default=3000, help="of the square input, a side")
    parser.add_argument("--rounds", type=int, default=25, help="timed calls of each way")
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the plot")
    parser.add_argument("--quick", action="store_true", help="a small square and few calls: seconds")
    parser.add_argument("--no-plot", action="store_true", help="print the tables only")
    options = parser.parse_args(arguments)
    if options.quick:
        options.size, options.rounds = min(options.size, 300), min(options.rounds, 3)
    if options.size < 1 or options.rounds < 1:
        parser.error("--size and --rounds must be at least 1")
    return options


def main(arguments=None):
    """Examine, measure, print and draw."""
    options = read_arguments(arguments)
    console = Console(width=100, highlight=False)
    answers = {way: examine(way) for way in FORWARD + BACKWARD}
    console.print(edge_table("Forward: answers at the edges", FORWARD, answers))
    console.print(edge_table("Backward: answers at the edges of x", BACKWARD, answers))
    console.print(LEGEND)
    times, baseline = measure(FORWARD + BACKWARD, options.size, options.rounds, console)
    console.print(time_table("Forward: time", FORWARD, answers, times, MAXIMUM))
    console.print(time_table("Backward: time", BACKWARD, answers, times, PRODUCT_BACKWARD))
    conditions = (
        f"{options.size} x {options.size} float64, median of {options.rounds} interleaved rounds, "
        f"fresh input per call ({baseline * 1e3:.1f} ms) subtracted;\n"
        f"NumPy on 1 thread, our kernels on up to {get_num_threads()}"
    )
    console.print(f"{conditions}\n")
    console.print(closing_sentence(times, answers))
    if not options.no_plot:
        options.output.mkdir(parents=True, exist_ok=True)
        path = options.output / "relu_in_numpy.png"
        draw(times, answers, conditions, path)
        console.print(f"\nPlot: {path}")


if __name__ == "__main__":
    main()
