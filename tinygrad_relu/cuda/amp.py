"""Older names of what is in `tinygrad_relu.amp`."""

from tinygrad_relu.amp import GradScaler, autocast

__all__ = ["GradScaler", "autocast"]
