"""Gradient checking: analytic gradients against finite differences."""

from tinygrad_relu.gradcheck.check import gradcheck, gradgradcheck
from tinygrad_relu.gradcheck.differences import numerical_jacobian

__all__ = ["gradcheck", "gradgradcheck", "numerical_jacobian"]
