"""Optimizers: each step is one pass over each parameter, in place."""

from tinygrad_relu.optim import lr_scheduler
from tinygrad_relu.optim.adagrad import Adagrad
from tinygrad_relu.optim.adam import Adam, AdamW
from tinygrad_relu.optim.lbfgs import LBFGS
from tinygrad_relu.optim.optimizer import Optimizer
from tinygrad_relu.optim.rmsprop import RMSprop
from tinygrad_relu.optim.sgd import SGD

__all__ = ["LBFGS", "SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
