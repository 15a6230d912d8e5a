"""Gradient checking: analytic gradients against finite differences."""

from tinygrad_relu.gradcheck.pytorch import gradcheck, gradgradcheck
from tinygrad_relu.loading import on_demand

LATER = {
    "GradientReport": "report",
    "InputReport": "report",
    "Verdict": "report",
    "check_gradients": "check",
    "kink_sensitivity": "sensitivity",
    "numerical_jacobian": "jacobian",
}
__getattr__, __dir__ = on_demand(__name__, LATER)

__all__ = ["gradcheck", "gradgradcheck", *LATER]
del LATER, on_demand
