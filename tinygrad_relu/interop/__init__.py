"""Other libraries: SciPy's solvers for our functions; ours in PyTorch and JAX, and theirs here.

Each library is loaded when it is first asked for.  Arrays are shared by `from_dlpack` and by
``their.from_dlpack(tensor)``.
"""

from tinygrad_relu.interop.with_jax import from_jax, jax_function
from tinygrad_relu.interop.with_scipy import scipy_least_squares, scipy_minimize, scipy_root
from tinygrad_relu.interop.with_torch import from_torch, torch_function

__all__ = [
    "from_jax",
    "from_torch",
    "jax_function",
    "scipy_least_squares",
    "scipy_minimize",
    "scipy_root",
    "torch_function",
]
