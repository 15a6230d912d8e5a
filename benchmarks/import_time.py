"""How long ``import tinygrad_relu`` takes beyond ``import numpy``, in fresh processes."""

import os
import statistics
import subprocess
import sys

PROGRAM = (
    "import time; import numpy; start = time.perf_counter(); import tinygrad_relu;"
    "print(time.perf_counter() - start)"
)


def seconds(runs=15):
    """Return the median over `runs` processes, after one that warms the disk cache."""
    # As after an installation: with the bytecode written by the first run.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", PROGRAM]
    times = [
        float(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)
        for _ in range(runs + 1)
    ]
    return statistics.median(times[1:])
