"""PyTorch's ``torch.autograd``: gradients as values, and what can be asked of the way back."""

from tinygrad_relu.autograd import function, graph
from tinygrad_relu.autograd.gradients import backward, grad
from tinygrad_relu.backward_modes import detect_anomaly, saved_tensors_hooks, set_detect_anomaly
from tinygrad_relu.custom import Function, once_differentiable
from tinygrad_relu.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from tinygrad_relu.loading import on_demand

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "saved_tensors_hooks",
    "set_detect_anomaly",
    "set_grad_enabled",
]

__getattr__, __dir__ = on_demand(__name__, {
    "Variable": "variable",
    "functional": None,
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
})
