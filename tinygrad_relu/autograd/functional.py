"""PyTorch's ``torch.autograd.functional``: products with derivatives, and the derivatives, of tensors.

Each takes a function of tensors and one tensor or a tuple of them, and returns tensors outside of the
graph unless ``create_graph=True``.  For functions of dicts and lists see `tinygrad_relu.transforms`.
PyTorch's ``vectorize`` and ``strategy`` are missing.
"""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_signature
from tinygrad_relu.errors import ArgumentError, GraphError
from tinygrad_relu.transforms import Call, cotangents_for, pushed, rows, zeros_like
from tinygrad_relu.trees import changed

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def __dir__():
    return sorted(__all__)


def called(name, func, inputs, create_graph, has_aux=False):
    """Return the recorded call of a function of tensors, given as one tensor or as a tuple."""
    given = (inputs,) if isinstance(inputs, Tensor) else inputs
    if not isinstance(given, (tuple, list)) or not all(isinstance(x, Tensor) for x in given):
        raise ArgumentError(f"{name}: inputs is a tensor or a tuple of tensors")
    given = tuple(given) if create_graph else tuple(x.detach() for x in given)
    call = Call(name, func, given, tuple(range(len(given))), has_aux=has_aux)
    if not all(isinstance(y, Tensor) for y in outputs_of(call.result)):
        raise ArgumentError(f"{name}: the function returns a tensor or a tuple of tensors")
    call.stays = call.stays and create_graph
    call.single = isinstance(inputs, Tensor)
    return call


def outputs_of(result):
    """Return what a function gave as a tuple."""
    return result if isinstance(result, (tuple, list)) else (result,)


def weights_for(call, word, v, tensors, single):
    """Return `v` as a list of tensors; 1 for a single element if it is not given."""
    if v is None:
        if len(tensors) != 1 or tensors[0].size != 1:
            raise ArgumentError(
                f"{call.name}: {word} is missing: it may be left out, and is 1, for one element only"
            )
        return [Tensor(np.ones(tensors[0].shape, tensors[0].dtype))]
    given = tuple(v) if isinstance(v, (tuple, list)) and not single else (v,)
    return cotangents_for(call.name, word, tuple(tensors), given, tensors)


def with_zeros(call, found, like, strict, ends):
    """Return derivatives with zeros for None; if `strict`, raise for None, naming the `ends`."""
    if strict and any(g is None for g in found):
        missing = ends.format([g is None for g in found].index(True))
        raise GraphError(f"{call.name}: {missing}: pass strict=False to get zeros for that")
    return [zeros_like(x) if g is None else g for x, g in zip(like, found)]


def answered(call, single, found, create_graph):
    """Return derivatives as one tensor or a tuple, outside of the graph unless it is to be created."""
    found = tuple(found) if create_graph else changed(Tensor.detach, tuple(found))
    return found[0] if single else found


@checked_signature
def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """Return ``func(*inputs)``, and the product of `v` with its Jacobian.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor or a tuple of them.
    inputs : Tensor or tuple of Tensor
    v : Tensor or tuple of Tensor, optional
        Of the form of the value; 1, if that has one element.
    create_graph : bool, default False
        Record the result, so that it can be differentiated with respect to the inputs.
    strict : bool, default False
        Raise where the value does not depend on an input, instead of giving zeros.

    Returns
    -------
    value, product

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> tg.autograd.functional.vjp(lambda x: x * x, x, tg.tensor([1.0, 10.0]))
    (tensor([1., 4.], dtype=float64), tensor([ 2., 40.], dtype=float64))
    """
    call = called("vjp", func, inputs, create_graph)
    weights = weights_for(call, "v", v, call.outputs, isinstance(call.result, Tensor))
    found = call.pulled(weights, create_graph)
    found = with_zeros(call, found, call.inputs, strict, "no output depends on inputs[{}]")
    return call.released(call.result), answered(call, call.single, found, create_graph)


@checked_signature
def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """Return ``func(*inputs)``, and the product of its Jacobian with `v`, of the form of the inputs.

    The other parameters are those of `vjp`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> tg.autograd.functional.jvp(lambda x: (x * x).sum(), x, tg.tensor([1.0, 10.0]))
    (tensor(5., dtype=float64), tensor(42., dtype=float64))
    """
    call = called("jvp", func, inputs, create_graph)
    weights = weights_for(call, "v", v, call.inputs, call.single)
    if strict:
        used = call.pulled(call.outputs, False)
        with_zeros(call, used, call.inputs, strict, "no output depends on inputs[{}]")
    found = pushed(call, weights, create_graph)
    found = with_zeros(call, found, call.outputs, strict, "output {} depends on no input")
    return call.released(call.result), answered(
        call, isinstance(call.result, Tensor), found, create_graph
    )


@checked_signature
def jacobian(func, inputs, create_graph=False, strict=False):
    """Return the derivatives of each output with respect to each input.

    The other parameters are those of `vjp`.

    Returns
    -------
    Tensor, or tuple of Tensor, or tuple of tuples of Tensor
        For each output (if there are several) for each input (if they came as a tuple) a tensor with
        the axes of the output, then those of the input.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.autograd.functional.jacobian(lambda x: x * x, tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]], dtype=float64)
    """
    return blocks_of(called("jacobian", func, inputs, create_graph), create_graph, strict)


def blocks_of(call, create_graph, strict):
    """Return the derivatives of a recorded call, arranged by outputs and inputs."""
    answers = []
    for k, (y, row) in enumerate(zip(call.outputs, rows(call, create_graph))):
        like = [np.zeros((*y.shape, *x.shape), x.dtype) for x in call.inputs]
        row = with_zeros(call, row, like, strict, f"output {k} does not depend on inputs[{{}}]")
        answers.append(answered(call, call.single, row, create_graph))
    return answers[0] if isinstance(call.result, Tensor) else tuple(answers)


def slopes(name, func, strict):
    """Return a function that gives the gradient of `func` for each input, and the value beside it."""

    def gradient_and_value(*inputs):
        call = Call(name, func, inputs, tuple(range(len(inputs))))
        if len(call.outputs) != 1 or call.outputs[0].size != 1:
            raise GraphError(
                f"{name}: the function returned shapes {[y.shape for y in call.outputs]}, and a Hessian "
                "is that of one number: reduce it, such as by .sum()"
            )
        found = call.pulled([None], True)
        found = with_zeros(call, found, call.inputs, strict, "the value does not depend on inputs[{}]")
        return tuple(found), call.result

    return gradient_and_value


@checked_signature
def hessian(func, inputs, create_graph=False, strict=False):
    """Return the second derivatives of a function that gives one number.

    The other parameters are those of `vjp`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.autograd.functional.hessian(lambda x: (x**3).sum(), tg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]], dtype=float64)
    """
    call = called("hessian", slopes("hessian", func, strict), inputs, create_graph, has_aux=True)
    blocks = blocks_of(call, create_graph, strict)
    return blocks[0] if call.single else blocks


@checked_signature
def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """Return the value of a function that gives one number, and the product of `v` with its Hessian.

    `v` has the form of the inputs; the other parameters are those of `vjp`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x, v = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0])
    >>> tg.autograd.functional.vhp(lambda x: (x**3).sum(), x, v)
    (tensor(9., dtype=float64), tensor([  6., 120.], dtype=float64))
    """
    call = called("vhp", slopes("vhp", func, strict), inputs, create_graph, has_aux=True)
    weights = weights_for(call, "v", v, call.outputs, call.single)
    found = call.pulled(weights, create_graph)
    found = with_zeros(call, found, call.inputs, strict, "the gradient does not depend on inputs[{}]")
    return call.released(call.aux), answered(call, call.single, found, create_graph)


@checked_signature
def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """Return the value of a function that gives one number, and the product of its Hessian with `v`.

    The Hessian is symmetric, so that this is `vhp`, which takes one pass back less than PyTorch's.
    """
    return vhp(func, inputs, v, create_graph, strict)
