"""Schedules of the learning rate, by PyTorch's names."""

from tinygrad_relu.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from tinygrad_relu.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from tinygrad_relu.optim.lr_scheduler.one_cycle import OneCycleLR
from tinygrad_relu.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_relu.optim.lr_scheduler.scheduler import LRScheduler
from tinygrad_relu.optim.lr_scheduler.sequence import SequentialLR

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
