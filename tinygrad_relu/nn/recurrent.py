"""Recurrent layers: RNN, GRU and LSTM, and one step of each as a cell.

Weights have the gates one below the other, in PyTorch's order: reset, update, new for GRU; input,
forget, cell, output for LSTM.
"""

import math

import numpy as np

from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.nn.dropout import dropout
from tinygrad_relu.nn.init import uniform_
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, new_parameter, one_of, truth
from tinygrad_relu.ops.exponential import sigmoid, tanh
from tinygrad_relu.ops.gates import relu
from tinygrad_relu.ops.joining import chunk, unbind
from tinygrad_relu.ops.linalg import linear
from tinygrad_relu.ops.operands import probability, real_tensor, whole, with_axes
from tinygrad_relu.ops.shapes import concat, stack

# ------------------------------------------------------------------------------------------ one step


def tanh_step(projected, state, weight, bias):
    """Return the next state of a plain recurrent layer, given the projected input."""
    return (tanh(projected + linear(state[0], weight, bias)),)


def relu_step(projected, state, weight, bias):
    """Return the next state of a plain recurrent layer with ReLU."""
    return (relu(projected + linear(state[0], weight, bias)),)


def gru_step(projected, state, weight, bias):
    """Return the next state of a GRU: Cho et al., 2014, with the reset gate after the product."""
    (h,) = state
    reset, update, new = chunk(projected, 3, -1)
    reset_h, update_h, new_h = chunk(linear(h, weight, bias), 3, -1)
    update = sigmoid(update + update_h)
    new = tanh(new + sigmoid(reset + reset_h) * new_h)
    return (new + update * (h - new),)


def lstm_step(projected, state, weight, bias):
    """Return the next state of an LSTM: Hochreiter and Schmidhuber, 1997, with a forget gate."""
    h, c = state
    enter, forget, cell, leave = chunk(projected + linear(h, weight, bias), 4, -1)
    c = sigmoid(forget) * c + sigmoid(enter) * tanh(cell)
    return sigmoid(leave) * tanh(c), c


STEPS = {"tanh": tanh_step, "relu": relu_step}


class Recurrent(Module):
    """What layers and cells share: how many gates and states there are, and how weights are drawn."""

    gates = 1
    states = 1
    step = None
    proj_size = 0           # of an LSTM that projects what it gives out

    @property
    def output_size(self):
        """int: How many features there are at each step."""
        return self.proj_size or self.hidden_size

    def sizes(self, input_size, hidden_size, bias):
        """Check and keep the sizes."""
        name = type(self).__name__
        self.input_size = whole(name, "input_size", input_size, 1)
        self.hidden_size = whole(name, "hidden_size", hidden_size, 1)
        self.bias = truth(name, "bias", bias)

    def reset_parameters(self, generator=None):
        """Draw the parameters anew: evenly within ``1 / sqrt(hidden_size)``."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            uniform_(parameter, -bound, bound, generator)

    def new_weights(self, new, inputs, ending):
        """Set the weights and biases of one layer or direction, whose names have an ending."""
        rows = self.gates * self.hidden_size
        setattr(self, f"weight_ih{ending}", new(rows, inputs))
        setattr(self, f"weight_hh{ending}", new(rows, self.output_size))
        setattr(self, f"bias_ih{ending}", new(rows) if self.bias else None)
        setattr(self, f"bias_hh{ending}", new(rows) if self.bias else None)
        if self.proj_size:
            setattr(self, f"weight_hr{ending}", new(self.proj_size, self.hidden_size))

    def weights(self, ending):
        """Return the weights and biases of one layer or direction."""
        return [
            getattr(self, f"{name}{ending}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]

    def beginning(self, hx, shape, dtype):
        """Return the states to begin with, 0 if there are none; `shape` is theirs but for features."""
        name = type(self).__name__
        shapes = [(*shape, n) for n in (self.output_size, self.hidden_size)[:self.states]]
        if hx is None:
            return tuple(Tensor(np.zeros(shape, dtype)) for shape in shapes)
        if self.states == 1:
            hx = (hx,)
        elif not (isinstance(hx, (tuple, list)) and len(hx) == self.states):
            raise ArgumentError(f"{name}: hx is a {type(hx).__name__}: pass the pair (h, c)")
        hx = tuple(real_tensor(name, "hx", state) for state in hx)
        for state, shape in zip(hx, shapes):
            if state.shape != shape:
                raise ShapeError(f"{name}: hx has shape {state.shape}: it has to be {shape}")
        return hx

    def result(self, states):
        """Return one state, or the tuple of several."""
        return states[0] if self.states == 1 else tuple(states)


# -------------------------------------------------------------------------------------------- layers


class RecurrentLayers(Recurrent):
    """What `RNN`, `GRU` and `LSTM` share: several layers, in one or two directions."""

    @checked_constructor
    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, device=None, dtype=None, generator=None,
    ):
        super().__init__()
        name = type(self).__name__
        self.sizes(input_size, hidden_size, bias)
        self.num_layers = whole(name, "num_layers", num_layers, 1)
        self.batch_first = truth(name, "batch_first", batch_first)
        self.dropout = probability(name, "dropout", dropout)
        self.bidirectional = truth(name, "bidirectional", bidirectional)
        new = new_parameter(name, device, dtype)
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else self.output_size * len(self.directions())
            for direction in self.directions():
                self.new_weights(new, inputs, f"_l{layer}{direction}")
        self.reset_parameters(generator)

    def directions(self):
        """Return the endings of the names of the weights of each direction."""
        return ("", "_reverse") if self.bidirectional else ("",)

    def forward(self, input, hx=None):
        name = type(self).__name__
        x = with_axes(name, "input", input, 2, 3)
        if x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: input has shape {x.shape}, with {x.shape[-1]} features: the layer has "
                f"{self.input_size}"
            )
        single = x.ndim == 2
        if single:
            x = x[:, None]
        elif self.batch_first:
            x = x.transpose(0, 1)
        if x.shape[0] == 0:
            raise ShapeError(f"{name}: input has shape {input.shape}: there is no step in it")
        count = self.num_layers * len(self.directions())
        shape = (count,) if single else (count, x.shape[1])
        states = self.beginning(hx, shape, x.dtype)
        y, states = self.through_layers(x, [state[:, None] for state in states] if single else states)
        if single:
            return y[:, 0], self.result([state[:, 0] for state in states])
        return (y.transpose(0, 1) if self.batch_first else y), self.result(states)

    def through_layers(self, x, states):
        """Return what the last layer gives at each step, and the last states of all."""
        last = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = dropout(x, self.dropout)
            outputs = []
            for direction in self.directions():
                begin = tuple(state[len(last)] for state in states)
                y, end = self.through_time(x, begin, f"_l{layer}{direction}", direction != "")
                outputs.append(y)
                last.append(end)
            x = outputs[0] if len(outputs) == 1 else concat(outputs, -1)
        return x, [stack([end[k] for end in last]) for k in range(self.states)]

    def through_time(self, x, state, ending, backwards):
        """Return the first state at each step, and the last states, of one layer in one direction."""
        weight_ih, weight_hh, bias_ih, bias_hh = self.weights(ending)
        # All inputs in one product; what remains is to be done step by step.
        inputs = unbind(linear(x, weight_ih, bias_ih))
        outputs = []
        for projected in reversed(inputs) if backwards else inputs:
            state = self.step(projected, state, weight_hh, bias_hh)
            if self.proj_size:
                state = (linear(state[0], getattr(self, f"weight_hr{ending}")), *state[1:])
            outputs.append(state[0])
        return stack(outputs[::-1] if backwards else outputs), state

    def extra_repr(self):
        words = [f"{self.input_size}, {self.hidden_size}"]
        usual = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "batch_first": False,
                 "dropout": 0, "bidirectional": False, "proj_size": 0}
        for name, value in usual.items():
            if getattr(self, name, value) != value:
                words.append(f"{name}={getattr(self, name)!r}")
        return ", ".join(words)


class RNN(RecurrentLayers):
    """``h = tanh(weight_ih @ x + bias_ih + weight_hh @ h + bias_hh)``, step by step.

    Parameters
    ----------
    input_size, hidden_size : int
    num_layers : int
        Each layer is given the states of the one before.
    nonlinearity : {'tanh', 'relu'}
    bias : bool
    batch_first : bool
        Whether input and output are (batch, steps, features), rather than (steps, batch, features).
    dropout : float
        In training, which share of the states is left out between layers.
    bidirectional : bool
        Whether each layer goes backwards, too; the outputs of both are one behind the other.
    device, dtype, generator
        As in `Linear`.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        Of the first layer, and so on; those of the other direction end in ``_reverse``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.RNN(3, 4, batch_first=True)
    >>> y, h = layer(tg.zeros(2, 7, 3))
    >>> y.shape, h.shape
    ((2, 7, 4), (1, 2, 4))
    """

    @checked_constructor
    def __init__(
        self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
        dropout=0.0, bidirectional=False, device=None, dtype=None, generator=None,
    ):
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device,
            dtype, generator,
        )
        self.nonlinearity = one_of("RNN", "nonlinearity", nonlinearity, tuple(STEPS))

    def step(self, *arguments):
        """Return the next state."""
        return STEPS[self.nonlinearity](*arguments)


class GRU(RecurrentLayers):
    """Gated recurrent unit; called as `RNN` is, and made with the same, but without `nonlinearity`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.GRU(3, 4, num_layers=2, bidirectional=True)
    >>> y, h = layer(tg.zeros(7, 2, 3))
    >>> y.shape, h.shape
    ((7, 2, 8), (4, 2, 4))
    """

    gates = 3
    step = staticmethod(gru_step)


class LSTM(RecurrentLayers):
    """Long short-term memory; made as `GRU` is.  Its state is the pair of output and memory.

    Parameters
    ----------
    proj_size : int
        To how many features each output is projected, by ``weight_hr_l0`` and so on, before the next
        step and layer see it: less than `hidden_size`, and 0 for none.  See `RNN` for the others.

    Notes
    -----
    The projection is that of Sak, Senior and Beaufays, "Long short-term memory based recurrent neural
    network architectures for large vocabulary speech recognition", 2014.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.LSTM(3, 4)
    >>> y, (h, c) = layer(tg.zeros(7, 2, 3))
    >>> y.shape, h.shape, c.shape
    ((7, 2, 4), (1, 2, 4), (1, 2, 4))
    """

    gates = 4
    states = 2
    step = staticmethod(lstm_step)

    @checked_constructor
    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, proj_size=0, device=None, dtype=None, generator=None,
    ):
        # Known before the weights are made, whose shapes depend on it.
        self.proj_size = whole("LSTM", "proj_size", proj_size, 0)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device,
            dtype, generator,
        )

    def sizes(self, input_size, hidden_size, bias):
        """Check and keep the sizes."""
        super().sizes(input_size, hidden_size, bias)
        if self.proj_size >= self.hidden_size:
            raise RangeError(
                f"{type(self).__name__}: proj_size is {self.proj_size}: it is less than hidden_size, "
                f"which is {self.hidden_size}"
            )


# --------------------------------------------------------------------------------------------- cells


class RecurrentCell(Recurrent):
    """What the cells share."""

    @checked_constructor
    def __init__(
        self, input_size, hidden_size, bias=True, device=None, dtype=None, generator=None
    ):
        super().__init__()
        self.sizes(input_size, hidden_size, bias)
        self.new_weights(new_parameter(type(self).__name__, device, dtype), input_size, "")
        self.reset_parameters(generator)

    def forward(self, input, hx=None):
        name = type(self).__name__
        x = with_axes(name, "input", input, 1, 2)
        if x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: input has shape {x.shape}, with {x.shape[-1]} features: the cell has "
                f"{self.input_size}"
            )
        state = self.beginning(hx, x.shape[:-1], x.dtype)
        weight_ih, weight_hh, bias_ih, bias_hh = self.weights("")
        return self.result(self.step(linear(x, weight_ih, bias_ih), state, weight_hh, bias_hh))

    def extra_repr(self):
        words = [f"{self.input_size}, {self.hidden_size}"]
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            words.append(f"nonlinearity={self.nonlinearity!r}")
        return ", ".join([*words, "bias=False"] if not self.bias else words)


class RNNCell(RecurrentCell):
    """One step of an `RNN`: called with an input and a state, it returns the next state.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool
    nonlinearity : {'tanh', 'relu'}
    device, dtype, generator
        As in `Linear`.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> cell = tg.nn.RNNCell(3, 4)
    >>> h = cell(tg.zeros(2, 3))
    >>> cell(tg.ones(2, 3), h).shape
    (2, 4)
    """

    @checked_constructor
    def __init__(
        self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None,
        generator=None,
    ):
        super().__init__(input_size, hidden_size, bias, device, dtype, generator)
        self.nonlinearity = one_of("RNNCell", "nonlinearity", nonlinearity, tuple(STEPS))

    def step(self, *arguments):
        """Return the next state."""
        return STEPS[self.nonlinearity](*arguments)


class GRUCell(RecurrentCell):
    """One step of a `GRU`; see `RNNCell`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.GRUCell(3, 4)(tg.zeros(2, 3)).shape
    (2, 4)
    """

    gates = 3
    step = staticmethod(gru_step)


class LSTMCell(RecurrentCell):
    """One step of an `LSTM`: called with an input and the pair of states, it returns the next pair.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> h, c = tg.nn.LSTMCell(3, 4)(tg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4
    states = 2
    step = staticmethod(lstm_step)
