"""Functions of ours in PyTorch's graph, and PyTorch's in ours.  Memory is shared both ways.

Where the way back is recorded itself, it crosses as a function like any other, so that there are
derivatives of every order.
"""

import functools

import numpy as np

from tinygrad_relu.creation import zeros_like
from tinygrad_relu.engine import Tensor, checked_signature, gradients, recording, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError
from tinygrad_relu.grad_mode import enable_grad, no_grad
from tinygrad_relu.interop.calls import Arguments, ForeignFunction, results_of
from tinygrad_relu.interop.packages import loaded
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


def ours_behind(outputs, inputs):
    """Return the leaves of our graph that results came from, apart from the arguments of the call."""
    known, found = {id(x) for x in inputs}, []      # by address: tensors compare their elements
    pending = [y.grad_fn or y for y in outputs if y.requires_grad]
    while pending:
        origin = pending.pop()
        if id(origin) in known:
            continue
        known.add(id(origin))
        if isinstance(origin, Tensor):
            found.append(origin)
        else:
            pending.extend(before for before in origin.next_functions if before is not None)
    return found


def theirs_behind(outputs, inputs):
    """Return the leaves of PyTorch's graph that results came from, apart from those arguments."""
    known, seen, found = {id(x) for x in inputs}, set(), []
    pending = [y.grad_fn for y in outputs if y.grad_fn is not None]
    leaves = [y for y in outputs if y.grad_fn is None and y.requires_grad]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::AccumulateGrad":
            leaves.append(node.variable)
        pending.extend(before for before, _ in node.next_functions if before is not None)
    for leaf in leaves:
        if id(leaf) not in known:
            known.add(id(leaf))
            found.append(leaf)
    return found


# --------------------------------------------------------------------------------- ours in PyTorch


class OurCall:
    """One call of a function of ours, with tensors of PyTorch's: what it gave, and the way back.

    What learns, and the function only closes over, crosses beside the arguments, as `stand_ins`.
    """

    def __init__(self, torch, function, arguments):
        self.torch, self.function, self.arguments = torch, function, arguments
        wanted = [torch.is_grad_enabled() and x.requires_grad for x in arguments.crossing]
        self.inputs = [shared_with_us("torch_function", x) for x in arguments.crossing]
        for x, needed in zip(self.inputs, wanted):
            x.requires_grad = needed
        learning = torch.is_grad_enabled() and recording()
        with enable_grad() if learning or any(wanted) else no_grad():
            self.form = arguments.called(function, self.inputs)
        self.outputs = results_of("torch_function", self.form, Tensor)
        self.enclosed = ours_behind(self.outputs, self.inputs) if learning else []
        self.stand_ins = [self.stand_in(leaf) for leaf in self.enclosed]

    def stand_in(self, leaf):
        """Return a leaf of PyTorch's graph whose gradient goes to one of ours."""

        def hand_over(x):
            gradient = shared_with_us("torch_function", x.grad).clone()
            x.grad = None
            with no_grad():
                leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient

        x = shared_with_torch(self.torch, leaf).requires_grad_()
        x.register_post_accumulate_grad_hook(hand_over)
        return x

    def forward(self):
        """Return the results as tensors of PyTorch's."""
        arrays = [x.detach().numpy() for x in (*self.inputs, *self.enclosed)]
        return [
            shared_with_torch(self.torch, y.clone() if self.is_of(y, arrays) else y) for y in self.outputs
        ]

    def is_of(self, y, arrays):
        """Tell whether a result lies in memory of an input: PyTorch would not know."""
        return any(np.may_share_memory(y.detach().numpy(), array) for array in arrays)

    def flowing(self):
        """Return which results have a gradient."""
        return [k for k, y in enumerate(self.outputs) if y.requires_grad]

    def pullback(self, wanted):
        """Return what carries cotangents back, as a function of the arguments and these."""

        def pull(inputs, cotangents):
            with enable_grad():
                found = results_of("torch_function", self.arguments.called(self.function, inputs), Tensor)
                targets = [x for x, needed in zip((*inputs, *self.enclosed), wanted) if needed]
                outputs = [found[k] for k in self.flowing()]
                pulled = gradients(outputs, targets, cotangents, True, True)
            return [zeros_like(x) if g is None else g for x, g in zip(targets, pulled)]

        return pull

    def backward(self, given, wanted, cotangents):
        """Return the gradient for each argument and stand-in, None where it is not wanted."""
        cotangents = [cotangents[k] for k in self.flowing()]
        if self.torch.is_grad_enabled():
            crossing = torch_function(self.pullback(wanted))
            found = iter(crossing(list(given[:len(self.inputs)]), cotangents))
            return [next(found) if needed else None for needed in wanted]
        targets = [x for x, needed in zip((*self.inputs, *self.enclosed), wanted) if needed]
        weights = [shared_with_us("torch_function", g) for g in cotangents]
        outputs = [self.outputs[k] for k in self.flowing()]
        found = iter(gradients(outputs, targets, weights, True, False))
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
            outputs = call.forward()
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
        shared, gradients flow through, and can be differentiated again.  Leaves that the function closes
        over, such as the parameters of a module, get their ``.grad`` where PyTorch's ``backward`` fills
        that of its leaves; ``torch.autograd.grad`` cannot name them.

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
        outputs = crossing_into_torch().apply(call, *found.crossing, *call.stand_ins)
        return regrown(call.form, outputs)

    return on_torch


# --------------------------------------------------------------------------------- PyTorch in ours


class TheirCall:
    """One call of a function of PyTorch's, with tensors of ours: what it gave, and the way back.

    What learns, and the function only closes over, crosses beside the arguments, as `stand_ins`.
    """

    def __init__(self, torch, function, arguments):
        self.torch, self.function, self.arguments = torch, function, arguments
        wanted = [recording() and x.requires_grad for x in arguments.crossing]
        self.inputs = [shared_with_torch(torch, x) for x in arguments.crossing]
        for x, needed in zip(self.inputs, wanted):
            x.requires_grad_(needed)
        learning = recording() and torch.is_grad_enabled()
        with torch.set_grad_enabled(learning or any(wanted)):
            self.form = arguments.called(function, self.inputs)
        self.outputs = results_of("from_torch", self.form, torch.Tensor)
        self.enclosed = theirs_behind(self.outputs, self.inputs) if learning else []
        self.stand_ins = [self.stand_in(leaf) for leaf in self.enclosed]

    def stand_in(self, leaf):
        """Return a leaf of our graph whose gradient goes to one of PyTorch's."""

        def hand_over(x):
            gradient = shared_with_torch(self.torch, x.grad)
            x.grad = None
            leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient

        x = shared_with_us("from_torch", leaf).requires_grad_()
        x.register_post_accumulate_grad_hook(hand_over)
        return x

    def forward(self, given, wanted):
        """Return the results as tensors of ours."""
        return tuple(shared_with_us("from_torch", y) for y in self.outputs)

    def flowing(self):
        """Return which results have a gradient."""
        return [k for k, y in enumerate(self.outputs) if y.requires_grad]

    def pullback(self, wanted):
        """Return what carries cotangents back, as a function of the arguments and these."""

        def pull(inputs, cotangents):
            with self.torch.enable_grad():
                called = self.arguments.called(self.function, inputs)
                found = results_of("from_torch", called, self.torch.Tensor)
                targets = [x for x, needed in zip((*inputs, *self.enclosed), wanted) if needed]
                pulled = self.torch.autograd.grad(
                    [found[k] for k in self.flowing()], targets, cotangents, create_graph=True,
                    allow_unused=True,
                )
            return [self.torch.zeros_like(x) if g is None else g for x, g in zip(targets, pulled)]

        return pull

    def backward(self, given, wanted, cotangents):
        """Return the gradient for each argument and stand-in, None where it is not wanted."""
        cotangents = [cotangents[k] for k in self.flowing()]
        if recording():
            crossing = from_torch(self.pullback(wanted))
            found = iter(crossing(list(given[:len(self.inputs)]), cotangents))
            return [next(found) if needed else None for needed in wanted]
        targets = [x for x, needed in zip((*self.inputs, *self.enclosed), wanted) if needed]
        found = iter(self.torch.autograd.grad(
            [self.outputs[k] for k in self.flowing()], targets,
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
        It takes our tensors in their places, and returns ours; else as `torch_function`.  The parameters
        of a module, and other leaves of PyTorch's graph that the function closes over, get their
        ``.grad`` by our `backward`, so that an optimizer of PyTorch's trains them.  For their gradients
        as values pass them as an argument: ``torch.func.functional_call``.

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
        outputs = ForeignFunction.apply(call, *found.crossing, *call.stand_ins)
        return regrown(call.form, outputs)

    return on_ours
