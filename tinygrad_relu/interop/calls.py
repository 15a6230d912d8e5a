"""Calls that cross into another library: what goes over, what comes back, and the node in our graph."""

from tinygrad_relu.custom import Function
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.trees import leaves, regrown


class Arguments:
    """The arguments of a call: the leaves that are of one class, and all else around them.

    Parameters
    ----------
    kind : type or tuple of type
        Of the leaves that cross.
    arguments : tuple
    keywords : dict
    """

    def __init__(self, kind, arguments, keywords):
        self.tree = arguments, keywords
        self.leaves = [leaf for _, leaf in leaves(self.tree)]
        self.places = [k for k, leaf in enumerate(self.leaves) if isinstance(leaf, kind)]

    @property
    def crossing(self):
        """list: The leaves that cross, in order."""
        return [self.leaves[k] for k in self.places]

    def called(self, function, crossing):
        """Call a function with others in the places of the leaves that cross."""
        filled = list(self.leaves)
        for k, leaf in zip(self.places, crossing):
            filled[k] = leaf
        arguments, keywords = regrown(self.tree, filled)
        return function(*arguments, **keywords)


def results_of(name, result, kind):
    """Return the leaves of what a function returned, or raise if one is not of the class `kind`."""
    found = leaves(result)
    for path, leaf in found:
        if not isinstance(leaf, kind):
            place = f" at {path}" if path else ""
            raise ArgumentError(
                f"{name}: the function returned a {type(leaf).__name__}{place}: it returns tensors of "
                f"{kind.__module__.partition('.')[0]}, or a tree of them"
            )
    return [leaf for _, leaf in found]


class ForeignFunction(Function):
    """A call of a function of another library, in our graph.

    Its first argument is the call: ``forward(given, wanted)`` computes the results, ``flowing()`` tells
    which of them have a gradient, and ``backward(given, wanted, cotangents)`` pulls these back.
    """

    @staticmethod
    def forward(ctx, call, *given):
        """Let the other library compute."""
        ctx.call = call
        ctx.save_for_backward(*given)
        outputs = call.forward(given, ctx.needs_input_grad[1:])
        ctx.mark_non_differentiable(*[y for k, y in enumerate(outputs) if k not in call.flowing()])
        return outputs

    @staticmethod
    def backward(ctx, *cotangents):
        """Let the other library go back."""
        wanted = ctx.needs_input_grad[1:]
        return None, *ctx.call.backward(ctx.saved_tensors, wanted, cotangents)
