"""PyTorch's ``torch.utils``, for the names that people look for there."""

from tinygrad_relu.utils import checkpoint

__all__ = ["checkpoint"]
