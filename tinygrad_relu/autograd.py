"""PyTorch's ``torch.autograd``: gradients as values, not left in ``.grad``."""

from tinygrad_relu.backward_modes import detect_anomaly, saved_tensors_hooks, set_detect_anomaly
from tinygrad_relu.custom import Function, once_differentiable
from tinygrad_relu.engine import Tensor, checked_call, gradients
from tinygrad_relu.errors import ArgumentError, GraphError
from tinygrad_relu.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "saved_tensors_hooks",
    "set_detect_anomaly",
    "set_grad_enabled",
]


@checked_call
def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False
):
    """Return the gradients of `outputs` with respect to `inputs`.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        Gradients of several outputs are summed.  Inputs need not be leaves.
    grad_outputs : Tensor or sequence of Tensor or None, optional
        The weight of each output; 1 for an output of one element if there is none.
    retain_graph : bool, optional
        Keep the graph for another call.  As `create_graph`, if it is not given.
    create_graph : bool, default False
        Record the computation of the gradients, so that they can be differentiated.
    allow_unused : bool, default False
        Give None for an input that no output depends on, instead of raising.

    Returns
    -------
    tuple of Tensor or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (first,) = tg.autograd.grad(x**3, x, create_graph=True)
    >>> (second,) = tg.autograd.grad(first, x)
    >>> first.item(), second.item()
    (27.0, 18.0)
    """
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if grad_outputs is None:
        weights = [None] * len(outputs)
    else:
        weights = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(weights) != len(outputs):
        raise ArgumentError(
            f"grad: {len(weights)} grad_outputs were given for {len(outputs)} outputs: give one each"
        )
    for k, x in enumerate(inputs):
        if not x.requires_grad:
            raise GraphError(
                f"grad: inputs[{k}] does not require a gradient: make it with requires_grad=True "
                "before computing the outputs"
            )
    retain = create_graph if retain_graph is None else retain_graph
    found = gradients(outputs, inputs, weights, retain, create_graph)
    for k, gradient in enumerate(found):
        if gradient is None and not allow_unused:
            raise GraphError(
                f"grad: no output depends on inputs[{k}]: pass allow_unused=True to get None for it"
            )
    return tuple(found)
