"""examples/physics_informed.py: its residual, its exact solution, and that it learns."""

import runpy
from pathlib import Path

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg

pytest.importorskip("matplotlib")
Console = pytest.importorskip("rich.console").Console

SCRIPT = Path(__file__).parents[2] / "examples" / "physics_informed.py"
example = runpy.run_path(str(SCRIPT))
NU = example["VISCOSITY"]


@pytest.mark.parametrize("t, x", [(0.2, -0.6), (0.5, 0.05), (0.9, 0.01), (1.0, 0.7)])
def test_the_exact_solution_is_that_of_cole_and_hopf(t, x):
    def weight(s):
        y = x - mpmath.sqrt(4 * NU * t) * s
        return mpmath.exp(-s * s - (mpmath.cos(mpmath.pi * y) + 1) / (2 * mpmath.pi * NU)), y

    def above(s):
        share, y = weight(s)
        return -mpmath.sin(mpmath.pi * y) * share

    places = mpmath.linspace(-12, 12, 49)
    wanted = mpmath.quad(above, places) / mpmath.quad(lambda s: weight(s)[0], places)
    assert example["exact"](np.array(t), np.array(x)) == pytest.approx(float(wanted), abs=1e-9)


def test_the_exact_solution_begins_as_a_sine():
    x = np.linspace(-1, 1, 11)
    np.testing.assert_allclose(example["exact"](np.zeros(11), x), -np.sin(np.pi * x), atol=1e-14)


def test_the_residual_is_that_of_differences(rng):
    wave = example["Wave"](np.random.default_rng(1))
    t, x = rng.uniform(0.1, 0.9, 20), rng.uniform(-0.9, 0.9, 20)

    def u(t, x):
        with tg.no_grad():
            return wave(tg.tensor(t), tg.tensor(x)).numpy()

    h = 1e-4
    u_t = (u(t + h, x) - u(t - h, x)) / (2 * h)
    u_x = (u(t, x + h) - u(t, x - h)) / (2 * h)
    u_xx = (u(t, x + h) - 2 * u(t, x) + u(t, x - h)) / h**2
    found = example["residual"](wave, t, x).detach().numpy()
    np.testing.assert_allclose(found, u_t + u(t, x) * u_x - NU * u_xx, atol=1e-6)


def test_beginning_and_ends_are_right_whatever_the_net_says(rng):
    wave = example["Wave"](rng)
    ends = rng.uniform(0, 1, 5)
    with tg.no_grad():
        start = wave(tg.zeros(5), tg.tensor(ends)).numpy()
        for end in (-1.0, 1.0):
            np.testing.assert_allclose(wave(tg.tensor(ends), tg.full((5,), end)).numpy(), 0, atol=1e-15)
    np.testing.assert_allclose(start, -np.sin(np.pi * ends), atol=1e-15)


def test_it_finds_the_solution_of_a_smoother_wave(rng, monkeypatch):
    # one that few points and steps are enough for
    monkeypatch.setitem(example["train"].__globals__, "VISCOSITY", 0.5)
    wave = example["Wave"](rng)
    points = rng.uniform([[0], [-1]], 1, (2, 200))

    def largest_error():
        found, right = example["both"](wave, np.linspace(0, 1, 21), np.linspace(-1, 1, 41))
        return np.abs(found - right).max()

    assert largest_error() > 0.3
    losses = example["train"](wave, points, 4, 60, Console(quiet=True))
    assert losses[-1] < losses[0] / 5
    assert largest_error() < 0.06


def test_main(tmp_path, capsys):
    example["main"](["--quick", "--output", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    assert "Against the exact solution" in printed and "step   100" in printed
    assert (tmp_path / "new" / "physics_informed.png").stat().st_size > 20_000
