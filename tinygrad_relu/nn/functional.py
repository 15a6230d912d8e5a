"""Functions of neural networks, under PyTorch's names for them."""

from tinygrad_relu.ops.exponential import sigmoid, tanh
from tinygrad_relu.ops.gates import leaky_relu, prelu, relu, threshold, thresholded_relu
from tinygrad_relu.ops.linalg import linear, linear_relu
from tinygrad_relu.ops.neural import cross_entropy, log_softmax, mse_loss, softmax
from tinygrad_relu.ops.rearranging import pad

__all__ = [
    "cross_entropy",
    "leaky_relu",
    "linear",
    "linear_relu",
    "log_softmax",
    "mse_loss",
    "pad",
    "prelu",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
    "threshold",
    "thresholded_relu",
]
