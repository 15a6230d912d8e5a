"""Functions of the user's that a module calls on the way there and on the way back."""

from tinygrad_relu.custom import Function
from tinygrad_relu.engine import Tensor, recording
from tinygrad_relu.engine.hooks import RemovableHandle
from tinygrad_relu.errors import ArgumentError


class ModuleHooks:
    """The hooks of one module, in the order in which they are called."""

    def __init__(self):
        self.before, self.after, self.backward_before, self.backward_after = {}, {}, {}, {}

    def add(self, kind, hook, prepend=False, with_kwargs=False):
        """Register a hook of one kind, and return the handle that removes it."""
        if not callable(hook):
            raise ArgumentError(f"a hook was to be registered that is a {type(hook).__name__}: pass a "
                                "function")
        hooks = getattr(self, kind)
        first = dict(hooks) if prepend else {}
        handle = RemovableHandle(hooks, (hook, with_kwargs))
        for number, entry in first.items():
            del hooks[number]
            hooks[number] = entry
        return handle

    def call(self, module, inputs, options):
        """Return what ``module.forward`` gives, as the hooks will have it."""
        for hook, with_kwargs in tuple(self.before.values()):
            inputs, options = before_forward(hook, with_kwargs, module, inputs, options)
        passage = None
        if (self.backward_before or self.backward_after) and recording():
            passage = Passage(self, module)
            inputs = passage.watch_inputs(inputs)
        output = module.forward(*inputs, **options)
        for hook, with_kwargs in tuple(self.after.values()):
            found = hook(module, inputs, options, output) if with_kwargs else hook(module, inputs, output)
            output = output if found is None else found
        return output if passage is None else passage.watch_outputs(output)


def before_forward(hook, with_kwargs, module, inputs, options):
    """Return the arguments of ``forward`` as one hook will have them."""
    if not with_kwargs:
        found = hook(module, inputs)
        if found is None:
            return inputs, options
        return found if isinstance(found, tuple) else (found,), options
    found = hook(module, inputs, options)
    if found is None:
        return inputs, options
    if not (isinstance(found, tuple) and len(found) == 2):
        raise ArgumentError(
            f"{type(module).__name__}: a forward pre-hook with_kwargs returned a "
            f"{type(found).__name__}: return the pair (arguments, keywords), or None"
        )
    return found


class Passage:
    """One call of a module whose backward hooks wait for gradients.

    All inputs, and all outputs, go together through the identity, whose derivative has all of their
    gradients at once.
    """

    def __init__(self, hooks, module):
        self.hooks, self.module = hooks, module
        self.unwatched, self.grad_output = None, None

    def watch_inputs(self, inputs):
        """Return the arguments of ``forward``, those that carry a gradient through the identity."""
        watched = [k for k, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        if not watched:
            self.unwatched = (None,) * len(inputs)
            return inputs

        def arrived(gradients):
            complete = [None] * len(inputs)
            for k, gradient in zip(watched, gradients):
                complete[k] = gradient
            complete = self.after(tuple(complete))
            return tuple(complete[k] for k in watched)

        return passed(inputs, watched, arrived)

    def watch_outputs(self, output):
        """Return the result of ``forward``, the tensors in it through the identity."""
        single = isinstance(output, Tensor)
        outputs = (output,) if single else output
        if not isinstance(outputs, (tuple, list)):
            raise ArgumentError(
                f"{type(self.module).__name__}: backward hooks need a tensor, a tuple or a list from "
                f"forward, and it returned a {type(output).__name__}"
            )
        watched = [k for k, y in enumerate(outputs) if isinstance(y, Tensor) and y.requires_grad]
        if not watched:
            return output

        def left(gradients):
            complete = [None] * len(outputs)
            for k, gradient in zip(watched, gradients):
                complete[k] = gradient
            complete = self.before(tuple(complete))
            return tuple(complete[k] for k in watched)

        outputs = passed(outputs, watched, left)
        if single:
            return outputs[0]
        kind = type(output)
        return kind(*outputs) if hasattr(kind, "_fields") else kind(outputs)

    def before(self, grad_output):
        """Call the hooks of the gradients of the outputs."""
        for hook, _ in tuple(self.hooks.backward_before.values()):
            grad_output = replaced(hook(self.module, grad_output), grad_output, self.module)
        self.grad_output = grad_output
        if self.unwatched is not None:
            # No gradient goes further back, and none will arrive there.
            self.after(self.unwatched)
        return grad_output

    def after(self, grad_input):
        """Call the hooks of the gradients of the inputs."""
        for hook, _ in tuple(self.hooks.backward_after.values()):
            grad_input = replaced(
                hook(self.module, grad_input, self.grad_output), grad_input, self.module
            )
        return grad_input


def replaced(found, gradients, module):
    """Return the gradients that a hook gives in place of others."""
    if found is None:
        return gradients
    found = found if isinstance(found, tuple) else (found,)
    if len(found) != len(gradients):
        raise ArgumentError(
            f"{type(module).__name__}: a backward hook returned {len(found)} gradients in place of "
            f"{len(gradients)}"
        )
    return found


class Identity(Function):
    """Tensors as they are; their gradients go through a function."""

    @staticmethod
    def forward(ctx, function, *tensors):
        ctx.function = function
        return tensors

    @staticmethod
    def backward(ctx, *gradients):
        return None, *ctx.function(gradients)


def passed(values, watched, function):
    """Return `values`, those at the positions `watched` through the identity."""
    through = dict(zip(watched, Identity.apply(function, *[values[k] for k in watched])))
    return tuple(through.get(k, value) for k, value in enumerate(values))
