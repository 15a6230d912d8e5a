"""PyTorch's ``torch.backends``: what libraries are used, and switches of theirs.

A script may set any switch here, as ``backends.cudnn.benchmark = True``; none is read.
"""

from tinygrad_relu.backends import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mps"]
