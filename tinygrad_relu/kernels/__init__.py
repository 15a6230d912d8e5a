"""Kernels: arrays in, arrays out; no Tensor.

The ReLU family can be used alone, on any NumPy array.  Other Cython code can ``cimport`` the loops
from ``tinygrad_relu.kernels.gate`` and call them without the GIL.
"""

from tinygrad_relu.kernels.gate import (
    gate_view,
    relu,
    relu_backward,
    thresholded_relu,
    thresholded_relu_backward,
)

__all__ = [
    "gate_view",
    "relu",
    "relu_backward",
    "thresholded_relu",
    "thresholded_relu_backward",
]
