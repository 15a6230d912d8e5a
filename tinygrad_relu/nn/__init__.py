"""Neural networks: modules with parameters, layers, initialisation, and functions."""

from tinygrad_relu.nn import functional, init
from tinygrad_relu.nn.layers import Linear, ReLU
from tinygrad_relu.nn.module import Module, Parameter, Sequential

__all__ = ["Linear", "Module", "Parameter", "ReLU", "Sequential", "functional", "init"]
