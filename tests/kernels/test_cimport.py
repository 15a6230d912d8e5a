"""Other Cython code can ``cimport`` the kernels and call them without the GIL."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg

pytest.importorskip("Cython")

MODULE = """
    from tinygrad_relu.kernels.gate cimport gate_uniform, gate_view

    def rectify(double[::1] x):
        "In place, by the loop itself."
        with nogil:
            gate_uniform[double](&x[0], &x[0], &x[0], x.shape[0], 0.0, 0.0, 1.0)

    def leak(float[::1] x, float[::1] y, float slope):
        "From one view into another, in parallel where it is large."
        with nogil:
            gate_view[float](x, x, y, 0.0, slope, 1.0)
"""

SETUP = """
    from pathlib import Path

    import numpy
    import tinygrad_relu
    from Cython.Build import cythonize
    from setuptools import Extension, setup

    setup(ext_modules=cythonize(
        [Extension("outsider", ["outsider.pyx"], include_dirs=[numpy.get_include()])],
        language_level=3,
        # Found by itself in site-packages; an editable installation is elsewhere.
        include_path=[str(Path(tinygrad_relu.__file__).parents[1])],
    ))
"""


def test_an_external_module_builds_and_runs(tmp_path, monkeypatch, rng):
    (tmp_path / "outsider.pyx").write_text(textwrap.dedent(MODULE))
    (tmp_path / "setup.py").write_text(textwrap.dedent(SETUP))
    built = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(tg.__file__).parents[1])},
    )
    assert built.returncode == 0, built.stderr
    monkeypatch.syspath_prepend(tmp_path)
    import outsider

    x = rng.standard_normal(1001)
    expected = np.maximum(x, 0)
    outsider.rectify(x)
    np.testing.assert_array_equal(x, expected)
    x = rng.standard_normal(300_000).astype(np.float32)
    y = np.empty_like(x)
    outsider.leak(x, y, 0.5)
    np.testing.assert_array_equal(y, np.where(x > 0, x, x * np.float32(0.5)))
