"""PyTorch's ``torch.autograd``: gradients as values, and functions made of functions."""

from tinygrad_relu.autograd import functional
from tinygrad_relu.autograd.gradients import backward, grad
from tinygrad_relu.grad_mode import enable_grad, no_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "functional", "grad", "no_grad", "set_grad_enabled"]
