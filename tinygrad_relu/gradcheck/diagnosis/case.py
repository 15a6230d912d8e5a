"""What a diagnosis starts from, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label


@dataclass(frozen=True)
class Draw:
    """One set of cotangents, and what both sides make of them.

    Attributes
    ----------
    cotangents : list of ndarray
        One for each output, of its shape.  ``[array(1.0)]`` for a scalar function.
    analytic : list of (ndarray or None)
        What the backward returned for each input, as it returned it (shape and dtype may be wrong).
    numerical, error : list of ndarray
        The derivative by differences for each input, of the shape of the input, in float64, and
        how far each element may be off.
    """

    cotangents: Sequence[np.ndarray]
    analytic: Sequence[np.ndarray | None]
    numerical: Sequence[np.ndarray]
    error: Sequence[np.ndarray]


@dataclass(frozen=True)
class Case:
    """A check that found something wrong.

    Attributes
    ----------
    names, inputs : sequence
        The names and values of the floating inputs that were checked; nobody may write to them.
    wrong : sequence of bool
        For each input, whether its gradient was found wrong.
    draws : sequence of Draw
        At least one; several where there are several cotangents.
    forward : callable
        ``forward(inputs) -> list of ndarray``: the outputs, as float64 arrays; works on copies.
    backward : callable
        ``backward(inputs, cotangents) -> list of (ndarray or None)``: as the user's backward gives
        them; works on copies.
    traced : callable or None
        ``traced(arrays) -> output or outputs``: the user's own forward, to be called with recorded
        arrays; None where it is known not to take them.
    own_graph : bool
        Whether the analytic gradient came from a function made of our ops, and not from plain NumPy
        with a backward by hand.
    changed : sequence of str
        What the backward wrote to, of that which it was given: names of inputs, or ``"dout"``.
    written : callable or None
        The user's own backward, not wrapped: a wrong mask may come from an array that it has at hand.
    shared : sequence of (int, int)
        Pairs of inputs whose gradients lie in the same memory.
    followed : callable or None
        ``followed(arrays, cotangents, rebound) -> (gradients, outputs)``: the user's forward and then the
        backward, or what ``rebound(backward)`` gives, to be called with recorded arrays.
    """

    names: Sequence[str]
    inputs: Sequence[np.ndarray]
    wrong: Sequence[bool]
    draws: Sequence[Draw]
    forward: Callable
    backward: Callable
    traced: Callable | None = None
    own_graph: bool = False
    changed: Sequence[str] = ()
    written: Callable | None = None
    shared: Sequence[tuple[int, int]] = ()
    followed: Callable | None = None


@dataclass(frozen=True)
class Explanation:
    """One thing that may be wrong with the gradient of one input.

    Attributes
    ----------
    label : Label
        Which kind of mistake.
    claim : str
        One sentence for the person who wrote the backward, with the parameter's name, and what to
        look for: ``"dW1 is exactly twice what it should be: is a factor 1/2 missing?"``.
    share : float
        How much of the residue (analytic minus numerical) it explains, from 0 to 1.
    details : dict
        What the claim rests on, as plain numbers and strings: ``{"factor": 2.0}``,
        ``{"op": "relu", "line": "net.py:12"}``.
    """

    label: Label
    claim: str
    share: float
    details: dict = field(default_factory=dict)
