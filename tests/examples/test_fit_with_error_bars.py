"""examples/fit_with_error_bars.py: its fit, covariance and band, against NumPy's arithmetic."""

import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rich")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

SCRIPT = Path(__file__).parents[2] / "examples" / "fit_with_error_bars.py"
TRUTH = np.array([2.4, 1.4, 4.2, 5.8, 0.5, 0.8, 0.8, 0.25])


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def fitted(example):
    """Return a fit to counts that are exactly what is expected."""
    return example["fit"](means(TRUTH))


def means(v):
    """Return the model, in NumPy."""
    energy = np.linspace(0, 10, 100)
    lines = sum(v[k] * np.exp(-0.5 * ((energy - v[2 + k]) / v[4 + k]) ** 2) for k in (0, 1))
    return 100 * (lines + v[6] * np.exp(-v[7] * energy))


def slopes():
    """Return the derivatives of the model at the truth, by differences."""
    h = 1e-6 * np.eye(8)
    return np.stack([(means(TRUTH + row) - means(TRUTH - row)) / 2e-6 for row in h], axis=1)


def test_the_model_is_the_one_of_the_test(example):
    np.testing.assert_allclose(example["expected"](example["TRUTH"]).numpy(), means(TRUTH), rtol=1e-13)


def test_without_noise_the_truth_is_found(example, fitted):
    found, _ = fitted
    assert found.success
    np.testing.assert_allclose(example["vector"](found.params).numpy(), TRUTH, rtol=1e-3)
    assert list(found.params) == list(example["TRUTH"])


def test_the_covariance_is_the_inverse_of_fishers_information(fitted):
    # Where counts are what is expected, second derivatives of the model cancel.
    information = (slopes() / means(TRUTH)[:, None]).T @ slopes()
    np.testing.assert_allclose(fitted[1], np.linalg.inv(information), rtol=0.02, atol=1e-6)


def test_the_band_carries_the_covariance_to_the_curve(example, fitted):
    _, covariance = fitted
    found = example["band"](example["TRUTH"], covariance)
    wanted = np.sqrt(np.diag(slopes() @ covariance @ slopes().T))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_main(example, tmp_path, capsys):
    example["main"](["--quick", "--output", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    inside = float(printed.partition("hold the truth in ")[2].split(" %")[0])
    assert 50 < inside < 85
    for name in ("height 1", "centre 2", "background", "its decay"):
        assert name in printed
    assert (tmp_path / "new" / "fit_with_error_bars.png").stat().st_size > 20_000
