"""examples/own_kernel: it builds elsewhere, and takes the same steps as Python does."""

import importlib
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg

for package in ("Cython", "setuptools", "rich", "matplotlib"):
    pytest.importorskip(package)

FOLDER = Path(__file__).parents[2] / "examples" / "own_kernel"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a copy of the folder in which the module was built."""
    folder = tmp_path_factory.mktemp("own") / "kernel"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.so", "*.c", "build"))
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder,
        capture_output=True, text=True,
        # without optimisation it is built in a third of the time
        env={**os.environ, "PYTHONPATH": str(Path(tg.__file__).parents[1]), "CFLAGS": "-O0"},
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def example(built, monkeypatch):
    monkeypatch.syspath_prepend(built)
    return runpy.run_path(str(built / "strange_attractor.py"))


def test_the_steps_are_those_of_python(example, rng):
    from oscillator import Oscillator

    weight, bias, outward = rng.standard_normal((3, 8))
    oscillator = Oscillator(weight, bias, outward, 0.3, example["DAMPING"], example["DRIVE"])

    def force(x):
        return 0.3 + sum(b * max(w * x + c, 0) for w, c, b in zip(weight, bias, outward))

    found = oscillator.flashes(*example["START"], 2, 50, example["PERIOD"])
    np.testing.assert_allclose(found, example["flashes_in_python"](force, 2, 50), rtol=1e-12)


def test_python_takes_runge_and_kuttas_steps(example):
    # Without a net's force, damping v and drive cos t: v' + d v = D cos t has a solution on paper.
    d, D = example["DAMPING"], example["DRIVE"]
    t = 2 * np.pi
    steady = D * d / (d * d + 1)        # of cos t, at whole periods
    wanted = steady * (1 - np.exp(-d * t))
    found = example["flashes_in_python"](lambda x: 0.0, 1)[0, 1]
    assert found == pytest.approx(wanted, abs=1e-7)


def test_lengths_that_differ_are_refused(built, example):
    from oscillator import Oscillator

    with pytest.raises(ValueError, match="one length"):
        Oscillator(np.ones(3), np.ones(2), np.ones(3), 0.0, 0.2, 0.3)


def test_the_force_is_learned(example):
    quiet = importlib.import_module("rich.console").Console(quiet=True)
    _, net = example["learned_force"](np.random.default_rng(0), 600, quiet)
    x = np.linspace(-1.8, 1.8, 50)
    with tg.no_grad():
        found = net(tg.tensor(x[:, None])).numpy()[:, 0]
    assert np.abs(found - (x - x**3)).max() < 0.2


def test_main(example, tmp_path, capsys):
    example["main"](["--quick", "--output", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    assert "300 periods of 100 steps" in printed and "times as long" in printed
    assert float(printed.split("agree within ")[1].split(".\n")[0]) < 1e-9
    assert (tmp_path / "new" / "own_kernel.png").stat().st_size > 20_000


def test_an_unbuilt_module_is_one_clear_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "oscillator", None)
    with pytest.raises(SystemExit):
        runpy.run_path(str(FOLDER / "strange_attractor.py"))["main"](["--quick"])
    assert "setup.py build_ext --inplace" in capsys.readouterr().err
