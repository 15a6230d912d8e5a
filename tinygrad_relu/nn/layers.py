"""Layers."""

import math

import numpy as np

from tinygrad_relu.creation import get_default_dtype
from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.nn import init
from tinygrad_relu.nn.module import Module, Parameter
from tinygrad_relu.ops.gates import relu
from tinygrad_relu.ops.linalg import linear


class Linear(Module):
    """``x @ weight.mT + bias``.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool, default True
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

    @checked_call
    def __init__(self, in_features, out_features, bias=True, dtype=None, generator=None):
        super().__init__()
        for name, value in (("in_features", in_features), ("out_features", out_features)):
            if not isinstance(value, (int, np.integer)) or value < 0:
                raise ArgumentError(f"Linear: {name} is {value!r}: it is a whole number, not negative")
        dtype = np.dtype(dtype or get_default_dtype())
        self.weight = Parameter(np.zeros((out_features, in_features), dtype))
        init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        self.bias = None
        if bias:
            self.bias = Parameter(np.zeros(out_features, dtype))
            bound = 1 / math.sqrt(max(in_features, 1))
            init.uniform_(self.bias, -bound, bound, generator)

    def forward(self, x):
        return linear(x, self.weight, self.bias)

    def describe(self):
        outputs, inputs = self.weight.shape
        return f"in_features={inputs}, out_features={outputs}, bias={self.bias is not None}"


class ReLU(Module):
    """`relu` as a module."""

    def forward(self, x):
        return relu(x)
