"""What PyTorch keeps in ``torch.autograd.function``."""

from tinygrad_relu.custom import Context, Function, once_differentiable

__all__ = ["Context", "Function", "once_differentiable"]
