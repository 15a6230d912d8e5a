"""Run all benchmarks: a table, a JSON file and a plot.

    make bench          (makes the environment of peers first)
    python benchmarks/run.py [--output FOLDER]

Contenders run in one process and take turns.  Small work has one thread, BLAS included; ReLU on one
array is measured with one and with two.  What is not installed is named as missing.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

# Before NumPy and PyTorch are loaded: their thread pools are sized then.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import busy
import chain
import import_time
import large_ops
import matplotlib
import nets
import numpy as np
import small_ops
import training_step
import transformer_step
from measure import medians
from rich.console import Console
from rich.table import Table

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# What is to be reached: (work, against whom, at most this share of their time).
SMALL_GOALS = [
    ("a + c, 16 x 16", "NumPy", 1.0),
    ("relu(a), 16 x 16", "NumPy", 0.5),
    ("training step, 2-16-16-1", "NumPy by hand", 0.4),
    ("training step, 2-16-16-1", "PyTorch", 0.15),
    ("training step, 2-16-16-1", "JAX, jit", 0.4),
    ("the same with Adam", "PyTorch", 0.12),
    ("64-128-10, 128 rows", "NumPy by hand", 0.8),
    ("64-128-10, 128 rows", "PyTorch", 0.6),
    ("784-1024-1024-10, 1024 rows", "NumPy by hand", 0.95),
    ("784-1024-1024-10, 1024 rows", "PyTorch", 1.0),
    ("character transformer, relu", "PyTorch", 1.0),
    ("scalar graph, 200,000 nodes", "micrograd", 0.1),
    ("scalar graph, 200,000 nodes", "PyTorch", 0.15),
]
# The same for kernels on two threads: (work, dtype, elements, against whom, share).
LARGE = 25_000_000
KERNEL_GOALS = [
    ("relu", "float64", LARGE, "np.maximum(x, 0)", 0.5),
    ("relu", "float64", LARGE, "PyTorch", 0.3),
    ("relu in place", "float64", LARGE, "np.maximum(x, 0, out=x)", 0.8),
    ("relu backward", "float64", LARGE, "np.where(x > 0, dout, 0)", 0.15),
    ("relu backward", "float64", LARGE, "PyTorch", 0.4),
    ("thresholded relu", "float64", LARGE, "x*(x>t0)*a1 + x*(x<t0)*a0", 0.1),
    ("relu", "float32", 1_000_000, "np.maximum(x, 0)", 0.25),
    ("relu", "float64", 10, "np.maximum(x, 0)", 0.6),
]
LARGE_OPS_GOAL = 1.1        # any op on a million elements against NumPy
MEMORY_GOAL = 0.9           # most memory in steps of the largest net, against PyTorch
CONVOLUTION_GOAL = 2.5      # 3 x 3 on 32 x 16 x 28 x 28 float32 against PyTorch
BUSY_GOAL = 1.3             # two threads against one, with every processor busy
COPY_GOAL = 1.15            # relu against the best plain copy of the same bytes
IMPORT_GOAL = 0.025
COLOURS = {
    "ours": "#c0392b", "NumPy": "#7f8c8d", "NumPy by hand": "#7f8c8d", "PyTorch": "#b0bec5",
    "JAX, jit": "#90a4ae", "micrograd": "#cfd8dc", "its products alone": "#eceff1",
}


def installed_peers():
    """Return the peers that can be imported, and the names of those that cannot."""
    found, missing = {}, []
    for name in ("torch", "jax", "micrograd.engine"):
        try:
            found[name.partition(".")[0]] = importlib.import_module(name)
        except ImportError:
            missing.append(name.partition(".")[0])
    if "torch" in found:
        found["torch"].set_num_threads(1)
    if "jax" in found:
        found["jax"].config.update("jax_enable_x64", True)
    return found, missing


def measured(peers):
    """Return the median seconds of each contender at each piece of work."""
    work = small_ops.contenders(peers) | training_step.contenders(peers) | nets.contenders(peers)
    work |= transformer_step.contenders(peers)
    results = {name: medians(contenders, label=name) for name, contenders in work.items()}
    for name, contenders in nets.scalar_contenders(peers).items():
        results[name] = medians(contenders, rounds=3, label=name)
    return results


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


def kernels_measured(threads):
    """Return what `relu_kernels.py` measures in a process of its own."""
    program = Path(__file__).with_name("relu_kernels.py")
    command = [sys.executable, str(program), "--threads", str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def kernels_table(report):
    """Return a table of the ways to write ReLU: their time as a multiple of ours, by size."""
    threads = report["threads"]
    table = Table(title=f"ReLU, float64, {threads} thread{'s' if threads > 1 else ''}: times ours")
    sizes = list(report["times"]["relu"]["float64"])
    for head in ("work", "way", *(f"{int(size):,}" for size in sizes)):
        table.add_column(head, justify="left" if head in ("work", "way") else "right")
    for work in ("relu", "relu in place", "relu backward", "thresholded relu"):
        by_size = report["times"][work]["float64"]
        table.add_row(
            work, "ours, ms", *(f"{by_size[size]['ours'] * 1e3:.3g}" for size in sizes), style="bold"
        )
        for way in by_size[sizes[0]]:
            if way != "ours":
                ratios = (by_size[size][way] / by_size[size]["ours"] for size in sizes)
                table.add_row("", way, *(f"{ratio:.2f}" for ratio in ratios))
        table.add_section()
    return table


def goals_table(figures):
    """Return a table of what was to be reached and what was."""
    table = Table(title="Goals")
    for head in ("what", "against", "at most", "measured", ""):
        table.add_column(head, justify="right" if head in ("at most", "measured") else "left")

    kernels = figures.kernels[-1]["times"]

    def compare(what, times, against, most):
        if against not in times:
            table.add_row(what, against, f"{most:.2f}", "-", "missing")
            return
        ratio = times["ours"] / times[against]
        table.add_row(what, against, f"{most:.2f}", f"{ratio:.2f}", verdict(ratio, most))

    for work, against, most in SMALL_GOALS:
        compare(work, figures.results[work], against, most)
    for work, dtype, size, against, most in KERNEL_GOALS:
        compare(f"{work}, {size:,} {dtype}", kernels[work][dtype][str(size)], against, most)
    at_large = {name: times["float64"][str(LARGE)] for name, times in kernels.items()}
    copies = {"ours": at_large["relu"]["ours"], "best copy": min(at_large["copy"].values())}
    compare(f"relu, {LARGE:,} float64", copies, "best copy", COPY_GOAL)
    relus = {"ours": at_large["thresholded relu"]["ours"], "our relu": at_large["relu"]["ours"]}
    compare(f"thresholded relu, {LARGE:,} float64", relus, "our relu", COPY_GOAL)
    slow = {name: ratio for name, ratio in figures.large.items() if ratio > LARGE_OPS_GOAL}
    table.add_row(
        f"{len(figures.large)} ops on 1,000,000 elements", "NumPy", f"{LARGE_OPS_GOAL:.2f}",
        f"{max(figures.large.values()):.2f}", "reached" if not slow else f"NOT reached by {len(slow)}",
    )
    for name, ratio in sorted(slow.items(), key=lambda item: -item[1]):
        table.add_row(f"  {name}", "NumPy", f"{LARGE_OPS_GOAL:.2f}", f"{ratio:.2f}", "NOT reached")
    if figures.convolution is None:
        table.add_row("conv2d", "PyTorch", f"{CONVOLUTION_GOAL:.2f}", "-", "missing")
    else:
        table.add_row(
            "conv2d, 3 x 3, 32x16x28x28 float32", "PyTorch", f"{CONVOLUTION_GOAL:.2f}",
            f"{figures.convolution:.2f}", verdict(figures.convolution, CONVOLUTION_GOAL),
        )
    compare("most memory, 784-1024-1024-10", figures.memory, "PyTorch", MEMORY_GOAL)
    for size, ratio in figures.busy_ratios.items():
        table.add_row(
            f"relu, {size:,} float64, 2 threads, busy machine", "1 thread", f"{BUSY_GOAL:.2f}",
            f"{ratio:.2f}", verdict(ratio, BUSY_GOAL),
        )
    table.add_row(
        "import", "beyond NumPy's", f"{IMPORT_GOAL * 1e3:.0f} ms",
        f"{figures.import_seconds * 1e3:.1f} ms",
        verdict(figures.import_seconds, IMPORT_GOAL),
    )
    growth = figures.chain_seconds[1_000_000] / figures.chain_seconds[100_000]
    table.add_row(
        "time per op, chain of 1,000,000", "chain of 100,000", "1.25", f"{growth:.2f}",
        verdict(growth, 1.25),
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


def plot_kernels(report, path):
    """Draw the time per element of each way to write ReLU, over the size of the array."""
    figure, panels = plt.subplots(1, 2, figsize=(10.5, 4.6), sharey=True, layout="constrained")
    greys = plt.get_cmap("Greys")
    for axes, work in zip(panels, ("relu", "relu backward")):
        by_size = report["times"][work]["float64"]
        sizes = [int(size) for size in by_size]
        ways = [way for way in by_size[str(sizes[0])] if way != "ours, into dout"]
        for k, way in enumerate(sorted(ways, key=lambda way: by_size[str(sizes[-1])][way])):
            nanoseconds = [by_size[str(size)][way] / size * 1e9 for size in sizes]
            mine = way == "ours"
            axes.loglog(
                sizes, nanoseconds, marker="o", markersize=4, label=way,
                color="#c0392b" if mine else greys(0.35 + 0.55 * k / len(ways)),
                linewidth=2.4 if mine else 1.2, linestyle="-" if mine or k % 2 else "--",
                zorder=3 if mine else 2,
            )
        axes.set_title(work, loc="left")
        axes.set_xlabel("elements, float64")
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
    panels[0].set_ylabel(f"nanoseconds per element, {report['threads']} threads")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def save(figures, folder):
    """Write the JSON file and the plots, each under its own name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "seconds": figures.results,
        "kernels": figures.kernels,
        "large_ops_over_numpy": figures.large,
        "convolution_over_torch": figures.convolution,
        "most_memory_bytes": figures.memory,
        "busy_ratios": figures.busy_ratios,
        "import_seconds": figures.import_seconds,
        "chain_seconds_per_op": figures.chain_seconds,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        Path(draft, "benchmarks.json").write_text(json.dumps(report, indent=2) + "\n")
        plot(figures.results, Path(draft, "small_work.png"))
        plot_kernels(figures.kernels[-1], Path(draft, "relu_kernels.png"))
        for name in ("benchmarks.json", "small_work.png", "relu_kernels.png"):
            os.replace(Path(draft, name), folder / name)


def main(arguments=None):
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    folder = parser.parse_args(arguments).output
    # As wide as a file's reader needs it; `x[x < 0] = 0` is no markup.
    console = Console(markup=False, width=None if sys.stdout.isatty() else 110)
    kernels = [kernels_measured(threads) for threads in (1, 2)]
    peers, missing = installed_peers()
    figures = SimpleNamespace(
        kernels=kernels,
        results=measured(peers),
        large=large_ops.ratios(),
        convolution=large_ops.convolution_ratio(peers.get("torch")),
        memory=nets.peak_memory(Path(__file__).parent, ["ours", "NumPy by hand", "PyTorch"]),
        busy_ratios=busy.ratios(),
        import_seconds=import_time.seconds(),
        chain_seconds=chain.lengths(),
    )
    console.print(times_table(figures.results))
    console.print(kernels_table(kernels[-1]))
    console.print(goals_table(figures))
    missing = sorted({*missing, *kernels[-1]["missing"]})
    if missing:
        console.print(f"Missing, and not compared with: {', '.join(missing)}")
    save(figures, folder)
    console.print(
        "Saved benchmarks.json, small_work.png and relu_kernels.png in", str(folder), style="dim"
    )


if __name__ == "__main__":
    main()
