"""PyTorch's second place for `gradcheck` and `gradgradcheck`."""

from tinygrad_relu.gradcheck import gradcheck, gradgradcheck

__all__ = ["gradcheck", "gradgradcheck"]
