"""PyTorch's older name for a tensor that can be differentiated."""

from tinygrad_relu.creation import asarray
from tinygrad_relu.engine import Tensor, checked_call


@checked_call
def Variable(data, requires_grad=False):    # noqa: N802, PyTorch's name
    """Return a tensor as it is: every tensor is what a Variable once was.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.ones(1)
    >>> tg.autograd.Variable(x) is x
    True
    """
    if isinstance(data, Tensor) and not requires_grad:
        return data
    return asarray(data, requires_grad=requires_grad)
