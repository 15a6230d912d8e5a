"""Fit a model of a measured spectrum, with error bars, and find out whether to believe them.

    python examples/fit_with_error_bars.py

Two overlapping lines on a background are counted, channel by channel.  SciPy's L-BFGS-B finds the most
likely parameters within bounds, from our gradients; the inverse of the Hessian there is their
covariance, and the Jacobian of the model carries it to the curve.  The experiment is then repeated some
hundred times: error bars are honest if they hold the truth in 68 % of all cases.  It needs SciPy,
matplotlib and rich: pip install "tinygrad_relu[scipy,demo]".
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

import tinygrad_relu as tg
from tinygrad_relu.demo_pictures import INK, SEEN, STYLE, UNSEEN, WRONG, save

ENERGY = np.linspace(0, 10, 100)
SECONDS = 100       # for which each channel counts; rates are counts per second
TRUTH = {           # of each line, and of the background its rate at energy 0 and its decay
    "height": np.array([2.4, 1.4]), "centre": np.array([4.2, 5.8]), "width": np.array([0.5, 0.8]),
    "background": np.array([0.8, 0.25]),
}
START = {
    "height": np.array([1.0, 1.0]), "centre": np.array([4.0, 6.0]), "width": np.array([0.8, 0.8]),
    "background": np.array([0.5, 0.1]),
}
LOWER = {"height": 0.0, "centre": np.array([3.0, 4.9]), "width": 0.1, "background": np.array([0.01, 0.0])}
UPPER = {"height": np.inf, "centre": np.array([4.9, 7.0]), "width": 3.0, "background": np.inf}
NAMES = [f"{name} {k}" for name in ("height", "centre", "width") for k in (1, 2)]
NAMES += ["background", "its decay"]


def background(p):
    """Return the counts that are expected without any line."""
    rate, decay = p["background"]
    return SECONDS * rate * tg.exp(-decay * tg.asarray(ENERGY))


def expected(p):
    """Return the counts that are expected in each channel."""
    distance = (tg.asarray(ENERGY)[:, None] - p["centre"]) / p["width"]
    return background(p) + SECONDS * (p["height"] * tg.exp(-0.5 * distance.square())).sum(1)


def unlikeliness(p, counts):
    """Return minus the logarithm of the likelihood of Poisson counts, up to a constant."""
    means = expected(p)
    return (means - tg.asarray(counts) * tg.log(means)).sum()


def vector(p):
    """Return parameters one after the other."""
    return tg.cat([tg.asarray(value) for value in p.values()])


def tree(v):
    """Return parameters by name."""
    return dict(zip(TRUTH, v.reshape(len(TRUTH), 2).unbind()))


def fit(counts):
    """Return the most likely parameters, and their covariance."""
    found = tg.interop.scipy_minimize(
        unlikeliness, START, args=(counts,), method="L-BFGS-B", bounds=(LOWER, UPPER),
        tol=1e-10, options={"maxiter": 1000},
    )
    hessian = tg.func.hessian(lambda v: unlikeliness(tree(v), counts))(vector(found.params))
    return found, tg.linalg.inv(hessian).numpy()


def band(params, covariance):
    """Return one standard deviation of the fitted curve, channel by channel."""
    slopes = tg.func.jacrev(lambda v: expected(tree(v)))(vector(params)).numpy()
    return np.sqrt(np.einsum("ij,jk,ik->i", slopes, covariance, slopes))


def repeat(times, generator, console):
    """Return for new counts, fit by fit, how many error bars each parameter is from the truth."""
    means, truth, pulls = expected(TRUTH).numpy(), vector(TRUTH).numpy(), []
    quiet = not console.is_terminal
    for _ in track(range(times), "repeating", console=console, transient=True, disable=quiet):
        found, covariance = fit(generator.poisson(means))
        pulls.append((vector(found.params).numpy() - truth) / np.sqrt(np.diag(covariance)))
    return np.array(pulls)


def result_table(params, errors):
    """Return a table of what was found and what is true."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("parameter", "found", "error bar", "truth", "error bars off"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    found, truth = vector(params).numpy(), vector(TRUTH).numpy()
    for name, value, error, true in zip(NAMES, found, errors, truth):
        table.add_row(name, f"{value:.3f}", f"{error:.3f}", f"{true:g}", f"{(value - true) / error:+.1f}")
    return table


@rc_context(STYLE)
def draw(path, counts, params, covariance, pulls):
    """Draw the fit with its band, what is left of the counts, and how far off fits are."""
    figure = Figure(figsize=(12.5, 6), layout="constrained", facecolor="white")
    left, right = figure.subfigures(1, 2, width_ratios=(1.7, 1))
    spectrum, rest = left.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    means, sigma = expected(params).numpy(), band(params, covariance)
    spectrum.errorbar(
        ENERGY, counts, np.sqrt(np.maximum(counts, 1)), fmt="o", ms=3.5, color=SEEN, elinewidth=0.8,
        label="counts",
    )
    spectrum.fill_between(
        ENERGY, means - 2 * sigma, means + 2 * sigma, color=UNSEEN, alpha=0.3, linewidth=0,
        label="two standard deviations",
    )
    spectrum.plot(ENERGY, means, color=UNSEEN, linewidth=1.6, label="fit")
    spectrum.plot(ENERGY, expected(TRUTH).numpy(), color=WRONG, linewidth=1.4, ls="--", label="truth")
    spectrum.plot(ENERGY, background(params).numpy(), color=INK, linewidth=1, ls=":", label="background")
    spectrum.set(ylabel="counts", ylim=(0, None))
    spectrum.set_title("Two lines on a background: counts, fit, and how sure it is")
    spectrum.legend(frameon=False)
    rest.axhspan(-2, 2, color="#eef1f4")
    rest.plot(ENERGY, (counts - means) / np.sqrt(means), "o", ms=3.5, color=SEEN)
    rest.set(xlabel="energy", ylabel="left over,\nin deviations", ylim=(-4.5, 4.5), yticks=(-2, 0, 2))
    bars = right.subplots()
    inside = 100 * np.mean(np.abs(pulls) < 1)
    edges, fine = np.linspace(-4, 4, 29), np.linspace(-4, 4, 201)
    bars.hist(pulls.ravel(), edges, density=True, color=UNSEEN, alpha=0.75)
    bars.plot(fine, np.exp(-fine ** 2 / 2) / np.sqrt(2 * np.pi), color=INK, linewidth=1.6)
    bars.set(xlabel="(found - truth) / error bar", yticks=[])
    bars.spines["left"].set_visible(False)
    bars.set_title(
        f"{len(pulls)} repetitions: the error bars hold the\n"
        f"truth in {inside:.1f} % of cases (68.3 % if honest)"
    )
    save(figure, path)


def main(arguments=None):
    """Fit, repeat, tell, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the picture")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    console = Console(width=100, highlight=False)
    generator = np.random.default_rng(1)
    counts = generator.poisson(expected(TRUTH).numpy())
    found, covariance = fit(counts)
    console.print(f"{counts.sum():,} counts, {len(counts)} channels: {found.nit} iterations of L-BFGS-B")
    console.print(result_table(found.params, np.sqrt(np.diag(covariance))))
    pulls = repeat(20 if options.quick else 400, generator, console)
    console.print(
        f"In {len(pulls)} repetitions the error bars hold the truth in "
        f"{100 * np.mean(np.abs(pulls) < 1):.1f} % of cases (68.3 % if they are honest)."
    )
    picture = options.output / "fit_with_error_bars.png"
    draw(picture, counts, found.params, covariance, pulls)
    console.print(f"Picture: {picture}", soft_wrap=True)


if __name__ == "__main__":
    main()
