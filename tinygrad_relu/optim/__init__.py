"""Optimizers: each step is one pass over each parameter, in place."""

from tinygrad_relu.optim.adam import Adam, AdamW
from tinygrad_relu.optim.optimizer import Optimizer
from tinygrad_relu.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
