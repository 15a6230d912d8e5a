"""Gradient checking: analytic gradients against finite differences."""

from tinygrad_relu.gradcheck.check import gradcheck, gradgradcheck
from tinygrad_relu.gradcheck.differences import numerical_jacobian
from tinygrad_relu.gradcheck.sensitivity import kink_sensitivity

__all__ = ["gradcheck", "gradgradcheck", "kink_sensitivity", "numerical_jacobian"]
