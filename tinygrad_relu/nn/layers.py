"""Layers."""

import math

import numpy as np

from tinygrad_relu.creation import get_default_dtype
from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.kernels.mask import unpacked_mask
from tinygrad_relu.nn import init
from tinygrad_relu.nn.module import Module, Parameter
from tinygrad_relu.ops.gates import relu, relu_with_mask
from tinygrad_relu.ops.linalg import linear, linear_relu


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

    def joined_with(self, following):
        # A subclass may do something else in forward.
        if type(self) is Linear and type(following) is ReLU and not following.keeps_mask:
            return lambda x: linear_relu(x, self.weight, self.bias)
        return None

    def describe(self):
        outputs, inputs = self.weight.shape
        return f"in_features={inputs}, out_features={outputs}, bias={self.bias is not None}"


class ReLU(Module):
    """`relu` as a module.

    Parameters
    ----------
    inplace : bool, default False
        Accepted as in PyTorch, and without effect: memory of large results is used again anyway.
    mask : bool, default False
        Keep one bit for each element instead of the output (see `relu_with_mask`), also for
        `alive_share` and `dead_units`.

    Attributes
    ----------
    mask : ndarray of uint8, or None
        Of the last call, if masks are kept.
    mask_shape : tuple of int

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.ReLU(mask=True)
    >>> y = layer(tg.tensor([[-1.0, 2.0, 0.0], [-3.0, -4.0, 5.0]]))
    >>> layer.alive_share()
    array([0. , 0.5, 0.5])
    >>> layer.dead_units()
    array([ True, False, False])
    """

    @checked_call
    def __init__(self, inplace=False, mask=False):
        super().__init__()
        self.keeps_mask = mask
        self.mask, self.mask_shape = None, None

    def forward(self, x):
        if not self.keeps_mask:
            return relu(x)
        y, mask = relu_with_mask(x)
        # To look at only: backward needs it.
        self.mask, self.mask_shape = mask.numpy().view(), y.shape
        self.mask.flags.writeable = False
        return y

    def alive_share(self, axis=0):
        """Return in which share of the last batch, along `axis`, each unit let its input pass."""
        if self.mask is None:
            raise ArgumentError(
                "ReLU: there is no mask: make the layer with mask=True, and call it first"
            )
        try:
            alive = np.count_nonzero(unpacked_mask(self.mask, self.mask_shape), axis=axis)
        except (IndexError, TypeError) as error:
            raise ArgumentError(
                f"ReLU: axis is {axis!r}, and the last batch has shape {self.mask_shape}: {error}"
            ) from error
        samples = math.prod(self.mask_shape) // max(np.size(alive), 1)
        return alive / samples if samples else np.full(np.shape(alive), np.nan)

    def dead_units(self, axis=0):
        """Return which units let nothing pass in the last batch, along `axis`."""
        return self.alive_share(axis) == 0

    def describe(self):
        return "mask=True" if self.keeps_mask else ""
