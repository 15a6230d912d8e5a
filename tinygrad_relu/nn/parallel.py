"""Where PyTorch has ``DistributedDataParallel``."""

from tinygrad_relu.distributed import DistributedDataParallel

__all__ = ["DistributedDataParallel"]
