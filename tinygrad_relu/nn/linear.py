"""Layers that are linear in their inputs."""

import math

from tinygrad_relu.nn.activations import ReLU
from tinygrad_relu.nn.init import kaiming_uniform_, uniform_
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, new_parameter
from tinygrad_relu.ops.linalg import linear, linear_relu
from tinygrad_relu.ops.operands import whole
from tinygrad_relu.ops.products import einsum


class Identity(Module):
    """What it is given, whatever it was made with.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Identity(54, unused=True)(tg.tensor([1.0]))
    tensor([1.], dtype=float64)
    """

    def __init__(self, *arguments, **keywords):
        super().__init__()

    def forward(self, x):
        return x


class Linear(Module):
    """``x @ weight.mT + bias``.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool, default True
    device : str, optional
        ``"cpu"``: there is no other.
    dtype : dtype, optional
        The default dtype, if it is not given.
    generator : numpy.random.Generator, optional
        Draws the initial values: both evenly within ``1 / sqrt(in_features)``, as in PyTorch
        (`nn.init.kaiming_uniform_` with ``a=sqrt(5)``).

    Attributes
    ----------
    weight : Parameter of shape (out_features, in_features)
    bias : Parameter of shape (out_features,), or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Linear(2, 3)(tg.zeros(5, 2)).shape
    (5, 3)
    """

    @checked_constructor
    def __init__(
        self, in_features, out_features, bias=True, device=None, dtype=None, generator=None
    ):
        super().__init__()
        self.in_features = whole("Linear", "in_features", in_features, 1)
        self.out_features = whole("Linear", "out_features", out_features, 1)
        new = new_parameter("Linear", device, dtype)
        self.weight = new(out_features, in_features)
        self.bias = new(out_features) if bias else None
        self.reset_parameters(generator)

    def reset_parameters(self, generator=None):
        """Draw the parameters anew."""
        kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            uniform_(self.bias, -bound, bound, generator)

    def forward(self, x):
        return linear(x, self.weight, self.bias)

    def joined_with(self, following, x):
        # A subclass may do something else in forward.
        if type(following) is not ReLU or following.keeps_mask:
            return None
        if not (self.is_plainly(Linear) and following.is_plainly(ReLU)):
            return None
        return linear_relu(x, self.weight, self.bias)

    def extra_repr(self):
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    """``x1 @ weight[k] @ x2 + bias[k]`` for each output `k`.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
    bias : bool, default True
    device, dtype, generator
        As in `Linear`.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in1_features, in2_features)
    bias : Parameter of shape (out_features,), or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Bilinear(2, 3, 4)(tg.zeros(5, 2), tg.zeros(5, 3)).shape
    (5, 4)
    """

    @checked_constructor
    def __init__(
        self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None,
        generator=None,
    ):
        super().__init__()
        self.in1_features = whole("Bilinear", "in1_features", in1_features, 1)
        self.in2_features = whole("Bilinear", "in2_features", in2_features, 1)
        self.out_features = whole("Bilinear", "out_features", out_features, 1)
        new = new_parameter("Bilinear", device, dtype)
        self.weight = new(out_features, in1_features, in2_features)
        self.bias = new(out_features) if bias else None
        self.reset_parameters(generator)

    def reset_parameters(self, generator=None):
        """Draw the parameters anew: evenly within ``1 / sqrt(in1_features)``."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters(recurse=False):
            uniform_(parameter, -bound, bound, generator)

    def forward(self, x1, x2):
        y = einsum("...i,kij,...j->...k", x1, self.weight, x2)
        return y if self.bias is None else y + self.bias

    def extra_repr(self):
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
