"""PyTorch's ``torch.utils``, for the names that people look for there."""

from tinygrad_relu.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
