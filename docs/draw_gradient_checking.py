"""Draw the pictures of gradient_checking.md.

    python docs/draw_gradient_checking.py       (writes docs/gradient_checking_*.png)

What they show is measured here: nothing is sketched.
"""

from pathlib import Path

import mpmath
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.arguments import problem_of
from tinygrad_relu.gradcheck.check import drawn_cotangents
from tinygrad_relu.gradcheck.differences import careful_slope
from tinygrad_relu.gradcheck.kinks import MARGIN, Inspector
from tinygrad_relu.gradcheck.neighbourhood import Element, Neighbourhood

BLUE, ORANGE, GREEN, INK, PALE = "#0072b2", "#d55e00", "#00875f", "#22272e", "#8a95a1"
STYLE = {
    "axes.edgecolor": "#9aa4b0",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "font.size": 10,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def save(figure, name):
    """Write a picture beside this file."""
    figure.savefig(Path(__file__).with_name(f"gradient_checking_{name}.png"), dpi=120)


def panels(count, height=4.2):
    """Return a figure and so many axes side by side."""
    figure = Figure(figsize=(5.4 * count, height), layout="constrained", facecolor="white")
    return figure, np.atleast_1d(figure.subplots(1, count))


# -------------------------------------------------------------------------------------- steps


def wave(x):
    """Return exp(sin(x)), in the dtype of `x`."""
    return np.exp(np.sin(x))


def true_slope(x):
    """Return the slope of `wave` at the number that a float is."""
    x = mpmath.mpf(float(x))
    return mpmath.exp(mpmath.sin(x)) * mpmath.cos(x)


def quotients(x, steps):
    """Return the central differences for steps that can be represented."""
    above, below = x + steps.astype(x.dtype), x - steps.astype(x.dtype)
    rises = wave(above).astype(np.float64) - wave(below).astype(np.float64)
    return rises / (above.astype(np.float64) - below.astype(np.float64))


def found_slope(x):
    """Return what the checker finds for the slope of `wave`, and the error that it expects."""
    eps, start = float(np.finfo(x.dtype).eps), np.float64(x)

    def line(t):
        moved = x + x.dtype.type(t)
        return np.float64(moved) - start, np.array([np.float64(wave(moved)) - np.float64(wave(x))])

    noise = np.array([0.5 * eps * float(wave(x))])
    found = careful_slope(line, eps, noise, np.array([1e-3]))
    return found.value[0], found.error[0]


def draw_steps():
    """Draw the error of differences over the step, in float64 and in float32."""
    figure, axes = panels(2, 4.6)
    for axis, x, lowest in zip(axes, (np.float64(1), np.float32(1)), (1e-11, 1e-5)):
        draw_errors(axis, x, np.geomspace(0.3, lowest, 500))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9.5)
    save(figure, "steps")


def draw_errors(axis, x, steps):
    """Draw the errors of differences at `x`, and that of the checker."""
    exact, eps = true_slope(x), float(np.finfo(x.dtype).eps)
    central, narrow = quotients(x, steps), quotients(x, steps / 2)
    error = [abs(float(q - exact)) for q in central]
    refined = [abs(float(q - exact)) for q in (4 * narrow - central) / 3]
    axis.loglog(steps, error, color=ORANGE, lw=1.3, label="central difference")
    axis.loglog(steps, refined, color=BLUE, lw=1.3, label="two of them, extrapolated (Richardson)")
    value, expected = found_slope(x)
    axis.axhline(expected, color=GREEN, ls="--", lw=1.4, label="error that the checker expects of itself")
    axis.axhline(abs(float(value - exact)), color=GREEN, lw=1.4, label="error that it has")
    axis.set(ylim=(0.5 * eps, 20), xlabel="step", ylabel="error of the derivative")
    axis.set_title(f"{x.dtype}: {-np.log10(eps):.0f} digits")
    axis.text(steps[-60], 8 * eps / steps[-60], "rounding:\nhalf the step,\ntwice the error", color=PALE,
              va="bottom", ha="left", fontsize=9)
    axis.text(0.08, 0.012, "truncation", color=PALE, ha="right", fontsize=9)
    axis.grid(color="#e6e9ed", lw=0.7)


# -------------------------------------------------------------------------------------- kinks


def draw_kinks():
    """Draw a kink, and slopes of its two sides where it is at the point and where it is nearby."""
    figure, (picture, on, near) = panels(3)
    x = np.linspace(-1, 1, 201)
    for slope in np.linspace(0, 1, 9):
        picture.plot(x, slope * x, color=GREEN, lw=0.8, alpha=0.5)
    picture.plot(x, np.maximum(x, 0), color=INK, lw=2.4)
    picture.plot([0], [0], "o", color=INK)
    picture.text(-0.95, 0.6, "any of the green slopes\nis right at 0", color=GREEN)
    picture.set(title="ReLU, at its kink", xlabel="x", ylim=(-0.6, 1))
    for axis, point, title in (
        (on, 0.0, "on the kink: the sides disagree at every step"),
        (near, 1e-3, "0.001 beside it: they agree once steps are small"),
    ):
        steps = np.geomspace(0.1, 1e-5, 300)
        f = lambda t: np.maximum(t, 0) * np.cos(t)      # bent on either side, so that steps show
        right = (f(point + steps) - f(point)) / steps
        left = (f(point) - f(point - steps)) / steps
        axis.semilogx(steps, right, color=BLUE, lw=1.8, label="from the right")
        axis.semilogx(steps, left, color=ORANGE, lw=1.8, label="from the left")
        axis.semilogx(steps, (left + right) / 2, color=PALE, lw=1.4, ls="--", label="central")
        axis.set(title=title, xlabel="step", ylim=(-0.08, 1.12), ylabel="slope")
        axis.invert_xaxis()
        axis.grid(color="#e6e9ed", lw=0.7)
    near.axvline(1e-3, color=PALE, lw=0.8)
    near.text(0.8e-3, 0.4, "larger steps\nreach over the kink", color=PALE, fontsize=9)
    on.legend(loc="center right", bbox_to_anchor=(1, 0.3), fontsize=9)
    save(figure, "kinks")


# ------------------------------------------------------------------------------------- Taylor


def draw_taylor():
    """Draw how the remainder falls with the step, for right gradients and wrong ones."""
    rng = np.random.default_rng(1)
    x, w, v = rng.standard_normal((8, 5)), rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    loss = lambda w: np.sum(np.tanh(x @ w) ** 2)
    y = np.tanh(x @ w)
    slope = np.sum(x.T @ (2 * y * (1 - y**2)) * v)
    steps = np.geomspace(1e-1, 1e-9, 60)
    rises = np.array([loss(w + h * v) - loss(w) for h in steps])
    figure, (axis,) = panels(1, 4.6)
    figure.set_size_inches(7.2, 4.6)
    for factor, colour, label in (
        (1.0, GREEN, "right: falls like h²"),
        (1.001, BLUE, "off by 0.1 %: like h, from where that is seen"),
        (2.0, ORANGE, "twice too large: like h"),
    ):
        remainder = np.abs(rises - steps * factor * slope)
        axis.loglog(steps, remainder, "o-", ms=3, lw=1.3, color=colour, label=label)
    axis.axhspan(1e-18, 8 * np.finfo(float).eps * loss(w), color="#eceff2")
    axis.text(3e-6, 3e-17, "rounding: here nothing is to be seen", color=PALE, fontsize=9, ha="center")
    axis.invert_xaxis()
    axis.set(xlabel="step h", ylabel="| f(x + hv) - f(x) - h g·v |", ylim=(1e-17, 10))
    axis.set_title("What is left when the gradient is taken off")
    axis.legend(fontsize=9)
    axis.grid(color="#e6e9ed", lw=0.7)
    save(figure, "taylor")


# --------------------------------------------------------------------------------- tolerances


def draw_tolerances():
    """Draw for each element of a net how far it is off, against the estimate of the error."""
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((6, 4)), rng.standard_normal((4, 5)), rng.standard_normal(5)
    w *= np.geomspace(1, 1e-3, 20).reshape(4, 5)

    def loss(w, b):
        return np.sum(np.tanh(x @ w + b) ** 2)

    def backward(w, b):
        y = np.tanh(x @ w + b)
        g = 2 * y * (1 - y**2)
        return x.T @ g, g.sum(0)

    figure, (axis,) = panels(1, 4.8)
    figure.set_size_inches(6.4, 4.8)
    limits = np.array([1e-11, 1e-7])
    for factor, colour, label in (
        (1.0, GREEN, "right"), (1 + 1e-6, ORANGE, "off by one part in a million"),
    ):
        error, off = compared(loss, backward, factor, [w, b])
        axis.loglog(error, np.maximum(off, 1e-17), "o", ms=4.5, color=colour, alpha=0.8, label=label)
    axis.loglog(limits, MARGIN * limits, color=INK, lw=1.2)
    axis.fill_between(limits, MARGIN * limits, 1e-3, color=ORANGE, alpha=0.06, lw=0)
    axis.text(1.3e-11, 2e-4, "wrong", color=ORANGE)
    axis.text(2e-8, 1.4e-8, "tolerated", color=GREEN)
    axis.set(xlabel="estimated error of the difference", ylabel="distance of gradient and difference",
             xlim=limits, ylim=(1e-14, 1e-3))
    axis.set_title("Each element has a tolerance of its own")
    axis.legend(loc="lower right", fontsize=9)
    save(figure, "tolerances")


def compared(loss, backward, factor, inputs):
    """Return the estimated errors of the differences of all elements, and how far gradients are off."""
    problem = problem_of(loss, inputs, lambda *v: [factor * g for g in backward(*v)])
    inspector = Inspector(Neighbourhood(problem, problem.inputs, drawn_cotangents(problem, 0, 1)), 0)
    error, off = [], []
    for position, x in enumerate(inputs):
        for index in np.ndindex(x.shape):
            line = Element(inspector.at, position, index)
            finding, _ = inspector.glance(line)
            error.append(finding.error[0] / line.scale)
            off.append(abs(finding.analytic - finding.numerical)[0] / line.scale)
    return np.array(error), np.array(off)


def draw_report():
    """Draw the picture of a report."""
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal((4, 6)), "W": rng.standard_normal((6, 6)), "b": np.zeros(6)}

    def layer(x, W, b):     # noqa: N803
        return np.maximum(x @ W + b, 0)

    def layer_backward(dout, x, W, b):      # noqa: N803
        dz = dout * (x @ W + b > 0)
        return dz @ W, x.T @ dz, dz.mean(axis=0)

    report = tg.check_gradients(layer, inputs, backward=layer_backward)
    save(report.plot(), "report")


def main():
    """Write all pictures."""
    with rc_context(STYLE):
        for draw in (draw_steps, draw_kinks, draw_taylor, draw_tolerances):
            draw()
    draw_report()


if __name__ == "__main__":
    main()
