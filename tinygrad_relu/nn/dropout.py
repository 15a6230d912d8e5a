"""Dropout: elements or channels left out at random in training; as functions, and as modules."""

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, truth
from tinygrad_relu.ops.operands import probability, with_axes
from tinygrad_relu.random import source_of


def left_out(name, input, p, training, generator, shape_of, least=0, most=None):
    """Return `input` with zeros where a mask of shape ``shape_of(input.shape)`` says so."""
    x = with_axes(name, "input", input, least, most)
    probability(name, "p", p)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0
    kept = source_of(name, generator).random(shape_of(x.shape)) >= p
    return x * np.where(kept, 1 / (1 - p), 0.0).astype(x.dtype)


@checked_call
def dropout(input, p=0.5, training=True, generator=None):
    """Each element 0 with the probability `p`, else divided by ``1 - p``.

    Parameters
    ----------
    input : Tensor
    p : float
    training : bool
        Whether anything is done at all.
    generator : numpy.random.Generator, optional
        The one that `manual_seed` seeds, if none is given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.nn.functional.dropout(tg.ones(1000), 0.75, generator=tg.manual_seed(0))
    >>> sorted(set(x.tolist()))
    [0.0, 4.0]
    """
    return left_out("dropout", input, p, training, generator, lambda shape: shape)


@checked_call
def dropout1d(input, p=0.5, training=True, generator=None):
    """Each channel 0 with the probability `p`; `input` is (batch, channels, length) or one of a batch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.dropout1d(tg.ones(2, 3, 4), 0.5, training=False).shape
    (2, 3, 4)
    """
    return left_out(
        "dropout1d", input, p, training, generator, lambda shape: (*shape[:-1], 1), 2, 3
    )


@checked_call
def dropout2d(input, p=0.5, training=True, generator=None):
    """Each channel 0 with the probability `p`; `input` is (batch, channels, height, width) or one of it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.dropout2d(tg.ones(2, 3, 4, 5), 0.5, training=False).shape
    (2, 3, 4, 5)
    """
    return left_out(
        "dropout2d", input, p, training, generator, lambda shape: (*shape[:-2], 1, 1), 3, 4
    )


class DropoutLayer(Module):
    """A function that leaves out at random, in training."""

    function = None

    @checked_constructor
    def __init__(self, p=0.5, inplace=False, generator=None):
        super().__init__()
        name = type(self).__name__
        self.p = probability(name, "p", p)
        truth(name, "inplace", inplace)
        if generator is not None:
            source_of(name, generator)
        self.generator = generator

    def forward(self, x):
        return self.function(x, self.p, self.training, self.generator)

    def extra_repr(self):
        return f"p={self.p}"


class Dropout(DropoutLayer):
    """In training, each element 0 with the probability `p`, else divided by ``1 - p``.

    Parameters
    ----------
    p : float
    inplace : bool
        Accepted, as PyTorch has it; the result has memory of its own in any case.
    generator : numpy.random.Generator, optional
        The one that `manual_seed` seeds, if none is given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.Dropout(0.75)
    >>> sorted(set(layer(tg.ones(1000)).tolist()))
    [0.0, 4.0]
    >>> layer.eval()(tg.ones(2)).tolist()
    [1.0, 1.0]
    """

    function = staticmethod(dropout)


class Dropout1d(DropoutLayer):
    """In training, each channel 0 with the probability `p`; see `Dropout`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Dropout1d(0.5)(tg.ones(2, 3, 4)).shape
    (2, 3, 4)
    """

    function = staticmethod(dropout1d)


class Dropout2d(DropoutLayer):
    """In training, each channel of an image 0 with the probability `p`; see `Dropout`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Dropout2d(0.5)(tg.ones(2, 3, 4, 5)).shape
    (2, 3, 4, 5)
    """

    function = staticmethod(dropout2d)
