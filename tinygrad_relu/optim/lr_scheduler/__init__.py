"""Schedules of the learning rate, by PyTorch's names."""

from tinygrad_relu.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from tinygrad_relu.optim.lr_scheduler.cyclic import CyclicLR
from tinygrad_relu.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from tinygrad_relu.optim.lr_scheduler.one_cycle import OneCycleLR
from tinygrad_relu.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_relu.optim.lr_scheduler.scheduler import LRScheduler
from tinygrad_relu.optim.lr_scheduler.sequence import ChainedScheduler, SequentialLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
