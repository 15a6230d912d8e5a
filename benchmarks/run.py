"""Run all benchmarks: a table, a JSON file and a plot.

    make bench          (makes the environment of peers first)
    python benchmarks/run.py [--output FOLDER]

Contenders run in one process, take turns, and have one thread each, BLAS included.  What is not
installed is named as missing.
"""

import argparse
import importlib
import json
import os
import platform
import tempfile
from pathlib import Path

# Before NumPy and PyTorch are loaded: their thread pools are sized then.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import chain
import import_time
import matplotlib
import numpy as np
import small_ops
import training_step
from measure import medians
from rich.console import Console
from rich.table import Table

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# What is to be reached: (work, against whom, at most this share of their time).
GOALS = [
    ("a + c, 16 x 16", "NumPy", 1.0),
    ("relu(a), 16 x 16", "NumPy", 0.5),
    ("training step, 2-16-16-1", "NumPy by hand", 0.6),
    ("training step, 2-16-16-1", "PyTorch", 0.25),
]
IMPORT_GOAL = 0.025
COLOURS = {"ours": "#c0392b", "NumPy": "#7f8c8d", "NumPy by hand": "#7f8c8d", "PyTorch": "#b0bec5"}


def installed_peers():
    """Return the peers that can be imported, and the names of those that cannot."""
    found, missing = {}, []
    for name in ("torch",):
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if "torch" in found:
        found["torch"].set_num_threads(1)
    return found, missing


def measured(peers):
    """Return the median seconds of each contender at each piece of work."""
    work = small_ops.contenders(peers) | training_step.contenders(peers)
    return {name: medians(contenders, label=name) for name, contenders in work.items()}


def times_table(results):
    """Return a table of times and of ratios against ours."""
    table = Table(title="Median time of one call, one thread")
    for head in ("work", "contender", "microseconds", "ours takes"):
        table.add_column(head, justify="left" if head in ("work", "contender") else "right")
    for work, times in results.items():
        for name, seconds in times.items():
            share = "" if name == "ours" else f"{times['ours'] / seconds:.2f} of it"
            table.add_row(work if name == "ours" else "", name, f"{seconds * 1e6:.2f}", share)
        table.add_section()
    return table


def goals_table(results, import_seconds, chain_seconds):
    """Return a table of what was to be reached and what was."""
    table = Table(title="Goals")
    for head in ("what", "at most", "measured", ""):
        table.add_column(head, justify="right" if head in ("at most", "measured") else "left")
    for work, against, most in GOALS:
        times = results[work]
        if against not in times:
            table.add_row(f"{work}, against {against}", f"{most:.2f}", "-", f"{against} is missing")
            continue
        ratio = times["ours"] / times[against]
        table.add_row(f"{work}, against {against}", f"{most:.2f}", f"{ratio:.2f}", verdict(ratio, most))
    table.add_row(
        "import, beyond NumPy's", f"{IMPORT_GOAL * 1e3:.0f} ms", f"{import_seconds * 1e3:.1f} ms",
        verdict(import_seconds, IMPORT_GOAL),
    )
    growth = chain_seconds[1_000_000] / chain_seconds[100_000]
    table.add_row(
        "time per op, chain of 1,000,000 against 100,000", "1.25", f"{growth:.2f}", verdict(growth, 1.25)
    )
    return table


def verdict(value, most):
    """Return whether a figure was reached, in words."""
    return "reached" if value <= most else "NOT reached"


def plot(results, path):
    """Draw how long each contender takes, as a multiple of our time."""
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    labels, ticks, position = [], [], 0.0
    for work, times in reversed(results.items()):
        for name, seconds in reversed(times.items()):
            axes.barh(position, seconds / times["ours"], color=COLOURS[name], height=0.8)
            axes.annotate(
                f"{name}  {seconds * 1e6:.2f} µs", (seconds / times["ours"], position),
                xytext=(4, 0), textcoords="offset points", va="center", fontsize=8,
            )
            position += 1
        labels.append(work)
        ticks.append(position - len(times) / 2 - 0.5)
        position += 0.7
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("time of one call, as a multiple of ours (one thread)")
    axes.set_xlim(0, axes.get_xlim()[1] * 1.18)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Small work: time of recorded ops and of a training step", loc="left")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def save(results, import_seconds, chain_seconds, folder):
    """Write the JSON file and the plot, each under its own name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "seconds": results,
        "import_seconds": import_seconds,
        "chain_seconds_per_op": chain_seconds,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        Path(draft, "benchmarks.json").write_text(json.dumps(report, indent=2) + "\n")
        plot(results, Path(draft, "benchmarks.png"))
        for name in ("benchmarks.json", "benchmarks.png"):
            os.replace(Path(draft, name), folder / name)


def main(arguments=None):
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    folder = parser.parse_args(arguments).output
    console = Console()
    peers, missing = installed_peers()
    results = measured(peers)
    import_seconds, chain_seconds = import_time.seconds(), chain.lengths()
    console.print(times_table(results))
    console.print(goals_table(results, import_seconds, chain_seconds))
    if missing:
        console.print(f"Missing, and not compared with: {', '.join(missing)}")
    save(results, import_seconds, chain_seconds, folder)
    console.print("Saved benchmarks.json and benchmarks.png in", str(folder), style="dim")


if __name__ == "__main__":
    main()
