"""Timing that holds on a noisy machine: contenders take turns, and medians are compared."""

import gc
import statistics
import time

from rich.console import Console
from rich.progress import Progress


def calls_for(function, seconds):
    """Return how often to call `function` so that one turn takes about `seconds`."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        taken = time.perf_counter() - start
        if taken > seconds / 4:
            return max(1, round(calls * seconds / taken))
        calls *= 4


def medians(contenders, rounds=15, seconds=0.03, label=""):
    """Return the median time of one call, in seconds, for each of `contenders`.

    Parameters
    ----------
    contenders : dict of str to callable
    rounds : int
        In each round every contender has one turn, in rotating order, so that a slow spell of the
        machine falls on all of them.
    seconds : float
        About how long one turn takes.
    label : str
        What the progress bar says.
    """
    names = list(contenders)
    calls = {name: calls_for(contenders[name], seconds) for name in names}
    times = {name: [] for name in names}
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=rounds)
        for turn in range(rounds):
            gc.collect()
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                function, count = contenders[name], calls[name]
                start = time.perf_counter()
                for _ in range(count):
                    function()
                times[name].append((time.perf_counter() - start) / count)
            progress.advance(task)
    return {name: statistics.median(times[name]) for name in names}
