"""Functions of ours in PyTorch's graph, and PyTorch's in ours.  Memory is shared both ways.

Where the way back is recorded itself, it crosses as a function like any other, so that there are
derivatives of every order.
"""

import functools

import numpy as np

from tinygrad_relu.engine import Tensor, checked_signature, gradients, recording, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError
from tinygrad_relu.grad_mode import enable_grad, no_grad
from tinygrad_relu.interop.calls import Arguments, ForeignFunction, results_of
from tinygrad_relu.interop.packages import loaded
from tinygrad_relu.transforms import vjp
from tinygrad_relu.trees import regrown


def pytorch(name):
    """Return PyTorch."""
    return loaded(name, "torch", "torch")


def shared_with_us(name, x):
    """Return a tensor of ours on the memory of one of PyTorch's."""
    if x.device.type != "cpu":
        raise ArgumentError(f"{name}: a tensor on {x.device} was given: pass tensor.cpu()")
    try:
        return sharing(x.detach().resolve_neg().numpy())
    except TypeError as error:
        raise DTypeError(f"{name}: {x.dtype} has no counterpart here: {error}") from error


def shared_with_torch(torch, x):
    """Return a tensor of PyTorch's on the memory of one of ours, or on a copy if it cannot be shared."""
    array = x.detach().numpy()
    if not array.flags.writeable or any(step < 0 for step in array.strides):
        array = array.copy()
    try:
        return torch.from_numpy(array)
    except TypeError as error:
        raise DTypeError(f"PyTorch has no dtype {array.dtype}: convert the result first") from error


def pullback(vjp, function):
    """Return what carries cotangents of a function back, as a function of its inputs and these.

    `vjp` is ``func.vjp`` of the library that the function is written in.
    """

    def pull(inputs, cotangents):
        _, back = vjp(lambda *x: tuple(function(*x)), *inputs)
        return back(tuple(cotangents))

    return pull


# --------------------------------------------------------------------------------- ours in PyTorch


class OurCall:
    """One call of a function of ours, with tensors of PyTorch's: what it gave, and the way back."""

    def __init__(self, torch, function, arguments):
        self.torch, self.function, self.arguments = torch, function, arguments
        self.form, self.inputs, self.outputs = None, [], []

    def forward(self, given, wanted):
        """Compute the results as tensors of PyTorch's, with a graph of ours if any gradient is wanted."""
        self.inputs = [shared_with_us("torch_function", x) for x in given]
        for x, needed in zip(self.inputs, wanted):
            x.requires_grad = needed
        with enable_grad() if any(wanted) else no_grad():
            self.form = self.arguments.called(self.function, self.inputs)
        self.outputs = results_of("torch_function", self.form, Tensor)
        arrays = [x.detach().numpy() for x in self.inputs]
        return [
            shared_with_torch(self.torch, y.clone() if self.is_of(y, arrays) else y) for y in self.outputs
        ]

    def is_of(self, y, arrays):
        """Tell whether a result lies in memory of an input: PyTorch would not know."""
        return any(np.may_share_memory(y.detach().numpy(), array) for array in arrays)

    def flowing(self):
        """Return which results have a gradient."""
        return [k for k, y in enumerate(self.outputs) if y.requires_grad]

    def on_inputs(self, *inputs):
        """Call the function with other tensors: the results that have a gradient."""
        found = results_of("torch_function", self.arguments.called(self.function, inputs), Tensor)
        return [found[k] for k in self.flowing()]

    def backward(self, given, wanted, cotangents):
        """Return the gradient for each tensor that was given, None where it is not wanted."""
        cotangents = [cotangents[k] for k in self.flowing()]
        if self.torch.is_grad_enabled():
            crossing = torch_function(pullback(vjp, self.on_inputs))
            found = crossing(list(given), cotangents)
            return [g if needed else None for g, needed in zip(found, wanted)]
        inputs = [x for x, needed in zip(self.inputs, wanted) if needed]
        weights = [shared_with_us("torch_function", g) for g in cotangents]
        found = iter(gradients(
            [self.outputs[k] for k in self.flowing()], inputs, weights, True, False
        ))
        answers = [next(found) if needed else None for needed in wanted]
        return [None if g is None else shared_with_torch(self.torch, g) for g in answers]


@functools.cache
def crossing_into_torch():
    """Return the ``torch.autograd.Function`` that carries calls of our functions."""
    torch = pytorch("torch_function")

    class OurFunction(torch.autograd.Function):
        """A call of a function of tinygrad_relu."""

        @staticmethod
        def forward(ctx, call, *given):
            ctx.call = call
            outputs = call.forward(given, ctx.needs_input_grad[1:])
            ctx.save_for_backward(*given)
            ctx.mark_non_differentiable(
                *[y for k, y in enumerate(outputs) if k not in call.flowing()]
            )
            return tuple(outputs)

        @staticmethod
        def backward(ctx, *cotangents):
            wanted = ctx.needs_input_grad[1:]
            return None, *ctx.call.backward(ctx.saved_tensors, wanted, cotangents)

    return OurFunction


@checked_signature
def torch_function(function):
    """Make a function of PyTorch's tensors of a function of ours: a ``torch.autograd.Function``.

    Parameters
    ----------
    function : callable
        Takes tensors, or trees of them, and anything else; returns a tensor, or a tree of them.

    Returns
    -------
    callable
        It takes PyTorch's tensors (of the processor) in their places, and returns PyTorch's.  Memory is
        shared, gradients flow through, and can be differentiated again.  What the function closes over
        is constant: parameters that are to learn are arguments.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> soft = tg.interop.torch_function(lambda x: tg.log(1 + tg.exp(x)))
    >>> import torch                                        # doctest: +SKIP
    >>> x = torch.zeros(2, requires_grad=True)              # doctest: +SKIP
    >>> soft(x).sum().backward()                            # doctest: +SKIP
    >>> x.grad                                              # doctest: +SKIP
    tensor([0.5000, 0.5000])
    """
    if not callable(function):
        raise ArgumentError(f"torch_function: {function!r} is no function")

    @functools.wraps(function)
    def on_torch(*arguments, **keywords):
        torch = pytorch("torch_function")
        found = Arguments(torch.Tensor, arguments, keywords)
        call = OurCall(torch, function, found)
        outputs = crossing_into_torch().apply(call, *found.crossing)
        return regrown(call.form, outputs)

    return on_torch


# --------------------------------------------------------------------------------- PyTorch in ours


class TheirCall:
    """One call of a function of PyTorch's, with tensors of ours: what it gave, and the way back."""

    def __init__(self, torch, function, arguments):
        self.torch, self.function, self.arguments = torch, function, arguments
        self.form, self.inputs, self.outputs = None, [], []

    def forward(self, given, wanted):
        """Compute the results as tensors of ours, with a graph of PyTorch's if any gradient is wanted."""
        self.inputs = [shared_with_torch(self.torch, x) for x in given]
        for x, needed in zip(self.inputs, wanted):
            x.requires_grad_(needed)
        with self.torch.set_grad_enabled(any(wanted)):
            self.form = self.arguments.called(self.function, self.inputs)
        self.outputs = results_of("from_torch", self.form, self.torch.Tensor)
        return tuple(shared_with_us("from_torch", y) for y in self.outputs)

    def flowing(self):
        """Return which results have a gradient."""
        return [k for k, y in enumerate(self.outputs) if y.requires_grad]

    def on_inputs(self, *inputs):
        """Call the function with other tensors: the results that have a gradient."""
        found = results_of("from_torch", self.arguments.called(self.function, inputs), self.torch.Tensor)
        return [found[k] for k in self.flowing()]

    def backward(self, given, wanted, cotangents):
        """Return the gradient for each tensor that was given, None where it is not wanted."""
        cotangents = [cotangents[k] for k in self.flowing()]
        if recording():
            crossing = from_torch(pullback(self.torch.func.vjp, self.on_inputs))
            found = crossing(list(given), cotangents)
            return [g if needed else None for g, needed in zip(found, wanted)]
        inputs = [x for x, needed in zip(self.inputs, wanted) if needed]
        found = iter(self.torch.autograd.grad(
            [self.outputs[k] for k in self.flowing()], inputs,
            [shared_with_torch(self.torch, g) for g in cotangents], retain_graph=True, allow_unused=True,
        ))
        answers = [next(found) if needed else None for needed in wanted]
        return [None if g is None else shared_with_us("from_torch", g) for g in answers]


@checked_signature
def from_torch(function):
    """Make a function of our tensors of a function (or module) of PyTorch's.

    Parameters
    ----------
    function : callable
        Takes PyTorch's tensors, or trees of them, and anything else; returns one, or a tree of them.

    Returns
    -------
    callable
        It takes our tensors in their places, and returns ours; else as `torch_function`.  Of a module,
        the parameters are constant: ``torch.func.functional_call`` takes them as an argument.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import torch                                                    # doctest: +SKIP
    >>> erfcx = tg.interop.from_torch(torch.special.erfcx)              # doctest: +SKIP
    >>> x = tg.tensor(0.0, requires_grad=True)
    >>> erfcx(x).backward()                                             # doctest: +SKIP
    >>> x.grad                                                          # doctest: +SKIP
    tensor(-1.12837917, dtype=float64)
    """
    if not callable(function):
        raise ArgumentError(f"from_torch: {function!r} is no function")

    @functools.wraps(function, updated=())
    def on_ours(*arguments, **keywords):
        found = Arguments(Tensor, arguments, keywords)
        call = TheirCall(pytorch("from_torch"), function, found)
        outputs = ForeignFunction.apply(call, *found.crossing)
        return regrown(call.form, outputs)

    return on_ours
