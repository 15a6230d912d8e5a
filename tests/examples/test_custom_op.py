"""examples/custom_op.py: the right op passes, the wrong ones are found out, and where."""

import runpy
from pathlib import Path

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg

pytest.importorskip("rich")
pytest.importorskip("matplotlib")

SCRIPT = Path(__file__).parents[2] / "examples" / "custom_op.py"
example = runpy.run_path(str(SCRIPT))
POINTS = np.array([-3.0, -0.5, 0.0, 1.25, 4.0])


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_op_and_its_derivatives_are_right(order):
    if order:
        found = example["derivatives"](example["Squareplus"], POINTS, order)
    else:
        found = example["Squareplus"].apply(tg.tensor(POINTS)).numpy()
    wanted = [mpmath.diff(lambda x: (x + mpmath.sqrt(x * x + 4)) / 2, x, order) for x in POINTS]
    np.testing.assert_allclose(found, np.array(wanted, float), rtol=1e-12)


def test_what_the_checks_say():
    check = example["check"]
    assert check(example["Squareplus"], POINTS) == [None, None]
    first, second = check(example["OffByAThousandth"], POINTS)
    assert "ratio 1.001" in first and second is None
    first, second = check(example["RightOnlyOnce"], POINTS)
    assert first is None and "analytic 0," in second


def test_differences_come_close_to_the_right_derivative_only():
    steps = np.logspace(0, -10, 41)
    right, wrong = (
        example["errors_by_step"](example[op], POINTS, steps) for op in ("Squareplus", "OffByAThousandth")
    )
    assert right.min() < 1e-9 and wrong.min() > 5e-4
    # Between coarse steps and rounding the error is that of central differences: a hundredth at a tenth.
    np.testing.assert_allclose(right[4] / right[8], 100, rtol=0.1)


def test_main(tmp_path, capsys):
    example["main"](["--quick", "--output", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    assert printed.count("derivative: passed") == 4 and printed.count("derivative: wrong") == 2
    assert "x: constant factor" in printed
    assert (tmp_path / "new" / "custom_op.png").stat().st_size > 20_000
