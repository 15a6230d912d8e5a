"""`examples/digits_mpi.py` in one process, at reduced size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_mpi.py"


def test_quick_is_two_epochs(tmp_path):
    for package in ("sklearn", "matplotlib", "rich"):
        pytest.importorskip(package)
    found = subprocess.run(
        [sys.executable, EXAMPLE, "--quick", "--output", tmp_path / "out"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1])},
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("epoch ") == 2
    losses = [float(line) for line in (tmp_path / "out" / "losses.csv").read_text().split()[1:]]
    assert losses[-1] < losses[0] / 2 and (tmp_path / "out" / "digits_mpi.png").exists()
