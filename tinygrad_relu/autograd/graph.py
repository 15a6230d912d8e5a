"""What PyTorch keeps in ``torch.autograd.graph``."""

from tinygrad_relu.backward_modes import saved_tensors_hooks
from tinygrad_relu.engine import Node

__all__ = ["Node", "saved_tensors_hooks"]
