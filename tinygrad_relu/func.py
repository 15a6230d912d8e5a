"""The names of ``torch.func``, for what is in `transforms` and in `nn.utils`."""

from tinygrad_relu.nn.utils.stateless import functional_call
from tinygrad_relu.transforms import grad, grad_and_value, hessian, jvp, vjp
from tinygrad_relu.transforms import jacobian as jacrev

# The same Jacobian: which way it is computed is a matter of cost, and here it is row by row.
jacfwd = jacrev

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp"]
