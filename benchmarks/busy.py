"""How two threads do against one where other programs keep every processor busy."""

import os
import subprocess
import sys

SIZES = (300_000, 1_000_000, 5_000_000, 25_000_000)

# In a process of its own, that takes turns for some seconds and prints the ratio of all time taken.
PROGRAM = """
import sys, time
import numpy as np
import tinygrad_relu as tg
from tinygrad_relu import kernels

x = np.random.default_rng(0).standard_normal(int(sys.argv[1]))
calls = max(1, 3_000_000 // x.size)
taken = {1: 0.0, 2: 0.0}
until = time.perf_counter() + 4
while time.perf_counter() < until:
    for threads in taken:
        tg.set_num_threads(threads)
        start = time.perf_counter()
        for _ in range(calls):
            kernels.relu(x)
        taken[threads] += time.perf_counter() - start
print(taken[2] / taken[1])
"""


def ratios():
    """Return the time of two threads over that of one, by the number of elements."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    # The threads that these benchmarks pin for themselves are not those of this program.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    try:
        return {
            size: float(subprocess.run(
                [sys.executable, "-c", PROGRAM, str(size)], stdout=subprocess.PIPE, check=True,
                text=True, env=environment,
            ).stdout)
            for size in SIZES
        }
    finally:
        for process in others:
            process.kill()
            process.wait()
