"""Gradients of given tensors, returned or added to ``.grad``."""

import numpy as np

from tinygrad_relu.engine import Tensor, add_gradients, checked_signature, gradients
from tinygrad_relu.errors import ArgumentError, GraphError, ShapeError


def listed(name, word, tensors):
    """Return one tensor or a sequence of them as a list, or raise."""
    tensors = [tensors] if isinstance(tensors, Tensor) else tensors
    if not isinstance(tensors, (list, tuple)):
        try:
            tensors = list(tensors)         # such as the parameters of a module
        except TypeError:
            tensors = [tensors]
    for k, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise ArgumentError(f"{name}: {word}[{k}] is a {type(x).__name__}: pass tensors")
    return list(tensors)


def weights_for(name, word, weights, outputs):
    """Return the weight of each output as a list of tensors and None, or raise."""
    if weights is None:
        weights = [None] * len(outputs)
    elif not isinstance(weights, (list, tuple)):
        weights = [weights]
    if len(weights) != len(outputs):
        raise ArgumentError(
            f"{name}: {len(weights)} {word} were given for {len(outputs)} outputs: give one each"
        )
    for k, (weight, y) in enumerate(zip(weights, outputs)):
        if not y.requires_grad:
            raise GraphError(
                f"{name}: nothing was recorded for outputs[{k}]: make an input with requires_grad=True, "
                "and compute outside of no_grad()"
            )
        if weight is None and y.size != 1:
            raise GraphError(
                f"{name}: outputs[{k}] has shape {y.shape}, and no single gradient: reduce it to one "
                f"number, such as by .sum(), or pass {word} of its shape"
            )
    weights = [w if w is None or isinstance(w, Tensor) else Tensor(w) for w in weights]
    for k, (weight, y) in enumerate(zip(weights, outputs)):
        if weight is not None and weight.shape != y.shape:
            raise ShapeError(
                f"{name}: {word}[{k}] has shape {weight.shape}, and outputs[{k}] has shape {y.shape}"
            )
    return weights


@checked_signature
def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=None,
    materialize_grads=False, only_inputs=True,
):
    """Return the gradients of `outputs` with respect to `inputs`.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        Gradients of several outputs are summed.  Inputs need not be leaves.  What does not lie on the way
        from outputs to inputs is not walked, and keeps its graph.
    grad_outputs : Tensor or sequence of Tensor or None, optional
        The weight of each output; 1 for an output of one element if there is none.
    retain_graph : bool, optional
        Keep the graph for another call.  As `create_graph`, if it is not given.
    create_graph : bool, default False
        Record the computation of the gradients, so that they can be differentiated.
    allow_unused : bool, optional
        Give None for an input that no output depends on, instead of raising.  As `materialize_grads`,
        if it is not given.
    materialize_grads : bool, default False
        Give zeros for an input that no output depends on.
    only_inputs : bool, default True
        Accepted for older programs; for gradients of all leaves call `backward`.

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
    if not only_inputs:
        raise ArgumentError("grad: only_inputs is False: call backward(), which adds to all leaves")
    outputs, inputs = listed("grad", "outputs", outputs), listed("grad", "inputs", inputs)
    weights = weights_for("grad", "grad_outputs", grad_outputs, outputs)
    if materialize_grads and allow_unused is False:
        raise ArgumentError("grad: materialize_grads gives zeros for unused inputs: allow them")
    for k, x in enumerate(inputs):
        if not x.requires_grad:
            raise GraphError(
                f"grad: inputs[{k}] does not require a gradient: make it with requires_grad=True "
                "before computing the outputs"
            )
    retain = create_graph if retain_graph is None else retain_graph
    found = gradients(outputs, inputs, weights, retain, create_graph)
    for k, gradient in enumerate(found):
        if gradient is None and not (allow_unused or materialize_grads):
            raise GraphError(
                f"grad: no output depends on inputs[{k}]: pass allow_unused=True to get None for it"
            )
    if materialize_grads:
        found = [
            Tensor(np.zeros(x.shape, x.dtype)) if g is None else g for x, g in zip(inputs, found)
        ]
    return tuple(found)


@checked_signature
def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of `tensors`, in one pass back, to ``.grad`` of what they were computed from.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
    grad_tensors : Tensor or sequence of Tensor or None, optional
        The weight of each; 1 for a tensor of one element if there is none.
    retain_graph : bool, optional
        Keep the graph for another call.  As `create_graph`, if it is not given.
    create_graph : bool, default False
        Record the computation of the gradients; see `Tensor.backward`.
    inputs : Tensor or sequence of Tensor, optional
        Whose ``.grad`` is added to: all leaves, if they are not given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> tg.autograd.backward([x * x, 2 * x])
    >>> x.grad
    tensor(8., dtype=float64)
    """
    tensors = listed("backward", "tensors", tensors)
    weights = weights_for("backward", "grad_tensors", grad_tensors, tensors)
    retain = create_graph if retain_graph is None else retain_graph
    add_gradients(tensors, list(weights), inputs, retain, create_graph)
