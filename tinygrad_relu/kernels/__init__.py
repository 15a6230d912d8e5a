"""Kernels: arrays in, arrays out; no Tensor.

The ReLU family can be used alone, on any NumPy array.  Other Cython code can ``cimport`` the loops
from ``tinygrad_relu.kernels.gate`` and call them without the GIL.
"""

import os

# OpenMP reads its settings once, when it is loaded, which importing `_threads` does.  Waiting threads
# have to sleep: spinning, they take the processor from BLAS, and a small net from 2 to 8 milliseconds.
_chosen = "OMP_WAIT_POLICY" in os.environ
if not _chosen:
    os.environ["OMP_WAIT_POLICY"] = "passive"
from tinygrad_relu.kernels._memory import empty_cache, memory_stats, set_cache_limit
from tinygrad_relu.kernels._threads import get_num_threads, num_threads, set_num_threads

if not _chosen:
    del os.environ["OMP_WAIT_POLICY"]

from tinygrad_relu.kernels.gate import (
    gate_view,
    relu,
    relu_backward,
    thresholded_relu,
    thresholded_relu_backward,
)
from tinygrad_relu.kernels.mask import apply_mask, relu_with_mask, unpacked_mask

__all__ = [
    "apply_mask",
    "empty_cache",
    "gate_view",
    "get_num_threads",
    "memory_stats",
    "num_threads",
    "relu",
    "relu_backward",
    "relu_with_mask",
    "set_cache_limit",
    "set_num_threads",
    "thresholded_relu",
    "thresholded_relu_backward",
    "unpacked_mask",
]
