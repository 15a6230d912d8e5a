"""The loops of erf and erfc: edges, block sizes, strides, and the same bits from every build."""

import importlib.util
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from tinygrad_relu.kernels.loops.instruction_set import of_processor
from tinygrad_relu.kernels.special import erf_kernel, erfc_kernel

import tinygrad_relu as tg

SETS = [
    name
    for name in of_processor()
    if importlib.util.find_spec(f"tinygrad_relu.kernels.loops.{name}") is not None
]
EDGES = [
    math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e300, -1e300, 0.5, -0.5, np.nextafter(0.5, 1),
    5.9, -5.9, 26.5, 27.3, 30.0, 31.0,
]
PROGRAM = """
import hashlib
import numpy as np
from tinygrad_relu.kernels.special import erf_kernel, erfc_kernel, gelu_kernel

x = np.random.default_rng(3).normal(0, 4, 5001)
digest = hashlib.sha256()
for dtype in (np.float32, np.float64):
    for kernel in (erf_kernel, erfc_kernel, gelu_kernel):
        digest.update(kernel(x.astype(dtype)))
print(digest.hexdigest())
"""


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_edges_are_the_c_librarys(dtype):
    with np.errstate(over="ignore"):
        x = np.array(EDGES).astype(dtype)
    for kernel, exact in ((erf_kernel, math.erf), (erfc_kernel, math.erfc)):
        y = kernel(x)
        assert y.dtype == dtype
        expected = np.array([exact(float(v)) for v in x]).astype(dtype)
        limits = np.finfo(dtype)
        np.testing.assert_allclose(y, expected, rtol=4 * limits.eps, atol=2 * limits.tiny)
        np.testing.assert_array_equal(np.signbit(y[1:]), np.signbit(expected[1:]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1000, 300_001])
def test_blocks_strides_and_threads_make_no_difference(dtype, size, rng):
    x = rng.normal(0, 2, size).astype(dtype)
    for kernel in (erf_kernel, erfc_kernel):
        y = kernel(x)
        np.testing.assert_array_equal(kernel(np.repeat(x, 2)[::2]), y)
        np.testing.assert_array_equal(kernel(x[::-1]), y[::-1])
        with tg.num_threads(2):
            np.testing.assert_array_equal(kernel(x), y)


def test_every_build_gives_the_same_bits():
    digests = set()
    for name in SETS:
        environment = {**os.environ, "TINYGRAD_RELU_INSTRUCTION_SET": name}
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(ran.stdout)
    assert len(digests) == 1
