"""Gradient checking: analytic gradients against finite differences."""

from tinygrad_relu.gradcheck.check import check_gradients
from tinygrad_relu.gradcheck.jacobian import numerical_jacobian
from tinygrad_relu.gradcheck.pytorch import gradcheck, gradgradcheck
from tinygrad_relu.gradcheck.report import GradientReport, InputReport, Verdict

__all__ = [
    "GradientReport",
    "InputReport",
    "Verdict",
    "check_gradients",
    "gradcheck",
    "gradgradcheck",
    "numerical_jacobian",
]
