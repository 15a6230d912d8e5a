"""Which gradients depend on the derivative that is chosen for `relu` at exactly 0, and by how much."""

import inspect
import os
import sys
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.engine import Tensor, checked_signature, gradients, recording
from tinygrad_relu.errors import ArgumentError, GradientError
from tinygrad_relu.gradcheck.typesetting import (
    WIDEST,
    clipped,
    some_of,
    told_apart_names,
    width_of,
    wrapped,
)
from tinygrad_relu.ops.kink_slope import observed_kinks

# A gradient is a polynomial in the slope; s (1 - s), as of relu(relu(x)) - relu(x), is 0 at both ends.
SLOPES = (0.0, 0.5, 1.0)
# Of a text: so many of the kinks, and names of so many characters.
KINKS_SHOWN, LONGEST_NAME = 24, 32
MARGIN = 5      # left of a kink: its number


@dataclass(frozen=True)
class Kink:
    """A call of `relu` that was given zeros.

    Attributes
    ----------
    place : str
        The user's line.
    zeros, size : int
        How many of its inputs are exactly 0, and how many there are.
    """

    place: str
    zeros: int
    size: int

    def __str__(self):
        return "\n".join(self.told(WIDEST))

    def told(self, width):
        """Return the place and the count of zeros as lines: two if the source does not fit into one."""
        file, comma, rest = self.place.partition(", line ")
        where, colon, source = f"{os.path.basename(file)}{comma}{rest}".partition(": ")
        count = f"({self.zeros} of {self.size} inputs are 0)"
        line = f"{where}{colon}{source}  {count}"
        if len(line) <= width:
            return [line]
        return [clipped(f"{where}  {count}", width), clipped(source, width)]


@dataclass(frozen=True)
class ParameterSensitivity:
    """How the gradient of one parameter depends on the slope at the kinks.

    Attributes
    ----------
    name : str
    gradients : tuple of ndarray
        With slope 0, 0.5 and 1 at all kinks.
    spread : ndarray
        For each element the largest of these less the smallest.
    through : list of (int, float)
        Kinks, as positions in `KinkSensitivity.kinks`, and the largest change of any element that
        another slope at that call alone can make; the strongest first.
    """

    name: str
    gradients: tuple
    spread: np.ndarray
    through: list

    @property
    def elements(self):
        """int: How many elements of the gradient depend on the slope."""
        return int(np.count_nonzero(self.spread))

    @property
    def largest(self):
        """float: By how much the gradient depends on it at most."""
        return float(self.spread.max(initial=0.0))


@dataclass(frozen=True)
class KinkSensitivity:
    """What `kink_sensitivity` found.

    Attributes
    ----------
    parameters : list of ParameterSensitivity
        In the order in which they were given.
    kinks : list of Kink
        In the order in which they were computed.
    """

    parameters: list
    kinks: list

    @property
    def ok(self):
        """bool: Whether no gradient depends on the slope."""
        return not any(p.elements or p.through for p in self.parameters)

    def __str__(self):
        width = width_of(sys.stdout)
        if not self.kinks:
            return "No relu was given a zero: no gradient depends on its slope there."
        depend = [p for p in self.parameters if p.elements or p.through]
        lines = wrapped(
            f"{len(depend)} of {len(self.parameters)} gradients depend on the slope of relu at 0 "
            "(slopes 0, 0.5 and 1 tried)", width,
        )
        names = told_apart_names([p.name for p in depend], LONGEST_NAME)
        room = max(map(len, names), default=0)
        for name, p in zip(names, depend):
            through = some_of([f"kink {k}: {change:.3g}" for k, change in p.through])
            lines += wrapped(
                f"  {name:<{room}}  {p.elements} of {p.spread.size} elements, by up to {p.largest:.3g}  "
                f"(through {through or 'several kinks together'})", width,
            )
        lines.append("kinks:")
        shown = self.kinks[:KINKS_SHOWN]
        for number, kink in enumerate(shown):
            first, *rest = kink.told(width - MARGIN)
            lines += [f"  {number:<2} {first}", *(f"{'':{MARGIN}}{line}" for line in rest)]
        if len(self.kinks) > KINKS_SHOWN:
            lines.append(f"  and {len(self.kinks) - KINKS_SHOWN} more")
        return "\n".join(lines)


@checked_signature
def kink_sensitivity(loss, params=None):
    """List which gradients depend on the derivative that is chosen for `relu` at exactly 0.

    Parameters
    ----------
    loss : callable
        Computes the loss, a tensor of one element, and does the same each time.  It is called without
        arguments, or with `params` if it takes some.
    params : Module, dict, or sequence of Tensor, optional
        Whose gradients to look at; by default all leaves that the loss depends on.

    Returns
    -------
    KinkSensitivity
        With `ok`, `parameters` and `kinks`; ``str()`` tells it in words.

    Notes
    -----
    Each `relu` with zeros among its inputs is also looked at alone, with the others at slope 0 and at
    slope 1, so the loss is computed twice for each of them.  A slope that a call asked for itself
    counts as a choice, too.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([2.0, 3.0], requires_grad=True)
    >>> found = tg.kink_sensitivity(lambda w: tg.relu(w * tg.tensor([0.0, 1.0]) - [0.0, 3.0]).sum(), [w])
    >>> found.ok, found.parameters[0].spread
    (False, array([0., 1.]))
    """
    if not callable(loss):
        raise ArgumentError(
            f"kink_sensitivity: loss is a {type(loss).__name__}: pass a function that computes it, since "
            "what its relus were given is not kept"
        )
    names, tensors = named_tensors(params)
    takes = any(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in inspect.signature(loss).parameters.values()
    )
    trial = _Trial(lambda: loss(*tensors) if takes else loss(), names, tensors)
    kinks = trial.look()
    tried = tuple(trial.gradients(lambda call, slope=slope: slope) for slope in SLOPES)
    alone = {}
    for number, call in enumerate(kinks):
        below = trial.gradients(lambda k, call=call: float(k == call))
        above = trial.gradients(lambda k, call=call: float(k != call))
        for j in range(len(trial.tensors)):
            change = max(largest_change(below[j], tried[0][j]), largest_change(above[j], tried[-1][j]))
            if change > 0:
                alone.setdefault(j, []).append((number, change))
    found = []
    for j, name in enumerate(trial.names):
        values = tuple(gradients[j] for gradients in tried)
        through = sorted(alone.get(j, []), key=lambda pair: -pair[1])
        found.append(ParameterSensitivity(name, values, np.ptp(np.stack(values), axis=0), through))
    return KinkSensitivity(found, list(kinks.values()))


def named_tensors(params):
    """Return the names and the tensors of a module, a dict or a sequence; None stays None."""
    if params is None:
        return None, None
    if hasattr(params, "named_parameters"):
        params = dict(params.named_parameters())
    if isinstance(params, Tensor):
        params = [params]
    if not isinstance(params, dict):
        params = {f"params[{k}]": tensor for k, tensor in enumerate(params)}
    for name, tensor in params.items():
        if not isinstance(tensor, Tensor) or not tensor.requires_grad:
            raise ArgumentError(
                f"kink_sensitivity: {name} is no tensor that requires a gradient: make it with "
                "requires_grad=True, or leave it out"
            )
    return list(params), list(params.values())


def largest_change(a, b):
    """Return by how much two gradients differ at most."""
    return float(np.abs(a - b).max(initial=0.0))


def leaves_of(output):
    """Return all leaves that an output depends on, in the order in which a walk finds them."""
    leaves, seen, open_nodes = [], set(), [output.grad_fn or output]
    while open_nodes:
        node = open_nodes.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Tensor):
            leaves.append(node)
        else:
            open_nodes += reversed(node.next_functions)
    return leaves


class _Trial:
    """A loss, and its gradients for slopes that are chosen call by call."""

    def __init__(self, loss, names, tensors):
        self.loss, self.names, self.tensors = loss, names, tensors
        self.zeros = None       # for each call of relu, how many of its inputs were 0

    def run(self, slope_of):
        """Return the loss, each call of relu with the slope ``slope_of(call)`` at 0, and the calls."""
        calls = []

        def observer(x):
            zeros = x.numel() - x.detach().count_nonzero().item()
            flows = zeros and x.requires_grad and recording()
            calls.append(Kink(line_of_the_caller(), zeros, x.numel()) if flows else None)
            return slope_of(len(calls) - 1)

        with observed_kinks(observer):
            value = self.loss()
        if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
            what = f"shape {value.shape}" if isinstance(value, Tensor) else f"type {type(value).__name__}"
            if isinstance(value, Tensor) and value.numel() == 1:
                what = "one element that is not recorded, since nothing in it requires a gradient"
            raise ArgumentError(
                f"kink_sensitivity: the loss returned a value of {what}: it returns a recorded tensor of "
                "one element"
            )
        return value, calls

    def look(self):
        """Return the calls that have kinks, by their number."""
        value, calls = self.run(lambda call: 0.0)
        self.zeros = [kink and kink.zeros for kink in calls]
        if self.tensors is None:
            self.tensors = leaves_of(value)
            self.names = [f"leaf {k}" for k in range(len(self.tensors))]
        return {call: kink for call, kink in enumerate(calls) if kink is not None}

    def gradients(self, slope_of):
        """Return the gradient of each tensor as an array."""
        value, calls = self.run(slope_of)
        if [kink and kink.zeros for kink in calls] != self.zeros:
            raise GradientError(
                "kink_sensitivity: the loss met other kinks when it was computed again: let it do the "
                "same each time, for example with a generator of a fixed seed"
            )
        ones = Tensor(np.ones(value.shape, value.dtype))
        found = gradients([value], self.tensors, [ones], False, False)
        return [
            np.zeros(tensor.shape, tensor.dtype) if g is None else g.detach().numpy()
            for tensor, g in zip(self.tensors, found)
        ]


def line_of_the_caller():
    """Return the user's line that is at work, which every recorded op notes."""
    return (Tensor(0.0, requires_grad=True) * 1.0).grad_fn.place
