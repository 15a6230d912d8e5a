"""The names of ``torch.func``, for what is in `tinygrad_relu.transforms`."""

from tinygrad_relu.transforms import grad, grad_and_value, hessian, jvp, vjp
from tinygrad_relu.transforms import jacobian as jacrev

# The same Jacobian: which way it is computed is a matter of cost, and here it is row by row.
jacfwd = jacrev

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp"]
