"""The names of ``torch.func``, for what is in `tinygrad_relu.transforms`."""

from tinygrad_relu.transforms import grad, grad_and_value, hessian, jvp, vjp
from tinygrad_relu.transforms import jacobian as jacrev

__all__ = ["grad", "grad_and_value", "hessian", "jacrev", "jvp", "vjp"]
