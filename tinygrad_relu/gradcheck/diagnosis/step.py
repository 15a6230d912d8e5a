"""One step of a recorded function: what was called, and how a cotangent goes back through it."""

import numpy as np

from tinygrad_relu.engine import Tensor, gradients


class Reference:
    """Stands, among the arguments of a step, for the value of another one."""

    __slots__ = ("slot",)

    def __init__(self, slot):
        self.slot = slot


def take_at(x, key):
    """``x[key]``."""
    return x[key]


def assign_at(x, key, value):
    """A copy of `x` with `value` at `key`."""
    y = np.array(x, np.result_type(x, value))
    y[key] = value
    return y


def add_at(x, key, value):
    """A copy of `x` with `value` added at `key`, as often as an element is named."""
    y = np.array(x, np.result_type(x, value))
    np.add.at(y, key, value)
    return y


def same(x):
    """A copy of `x`."""
    return np.array(x)


#: Functions that are no ufuncs, and work element by element all the same.
ELEMENTWISE = {np.where, np.clip, np.nan_to_num, np.sinc, same}

#: Functions that only put elements elsewhere: their reverse is found by sending numbers through them.
REARRANGING = {np.lib.stride_tricks.sliding_window_view, np.lib.stride_tricks.as_strided}


def summed_to(g, shape):
    """Return `g` summed over the axes along which something of `shape` was broadcast."""
    if g.shape == shape:
        return g
    g = g.sum(tuple(range(g.ndim - len(shape)))) if g.ndim > len(shape) else g
    lost = tuple(k for k, n in enumerate(shape) if n == 1 and g.shape[k] != 1)
    return g.sum(lost, keepdims=True).reshape(shape) if lost else g.reshape(shape)


def paths_to_references(x, path=()):
    """Yield where in the arguments of a step its references lie, in their order."""
    if isinstance(x, Reference):
        yield path
    elif type(x) in (list, tuple):
        for k, part in enumerate(x):
            yield from paths_to_references(part, (*path, k))
    elif isinstance(x, dict):
        for name, part in x.items():
            yield from paths_to_references(part, (*path, name))


class Step:
    """One call, or an input.

    Attributes
    ----------
    function : callable or None
        What was called; None for an input of the whole.
    references : list of int
        The numbers of the steps whose values were operands, in the order of the arguments.
    value : ndarray
        A copy of the result.
    flows : bool
        Whether a gradient goes through it.
    in_place : bool
        Whether its result was written over one of its operands.
    line : str
        Such as ``"net.py:12"``.
    site : tuple
        The instructions of the user's code that were at work: steps of a loop have the same.
    """

    def __init__(self, function, arguments, keywords, references, value, part, line, site):
        self.function, self.arguments, self.keywords = function, arguments, keywords
        self.references, self.value, self.part = references, value, part
        self.line, self.site = line, site
        self.flows = self.in_place = False
        self.operands, self.flowing = [], []
        self.paths = list(paths_to_references((arguments, keywords)))
        self._slopes = self._tape = None

    @property
    def name(self):
        """What the user calls it: ``np.maximum``."""
        special = {take_at: "indexing", assign_at: "assignment", add_at: "np.add.at", same: "copy"}
        if self.function in special:
            return special[self.function]
        if self.function is None:
            return "input"
        name = self.function.__name__
        return f"np.{name}" if hasattr(np, name) else name

    @property
    def statement(self):
        """tuple: The line of the function that was recorded, which may call others of the user's."""
        if not self.site:
            return ()
        code, instruction = self.site[-1]
        return code, next(
            (line for start, end, line in code.co_lines() if start <= instruction < end), None
        )

    @property
    def elementwise(self):
        """Whether each element of the result depends on those at the same place only."""
        if isinstance(self.function, np.ufunc):
            return self.function.signature is None and self.part is None
        return self.function in ELEMENTWISE

    def connect(self, steps):
        """Look up the values of the operands, and which of them a gradient flows to."""
        self.operands = [steps[k].value for k in self.references]
        self._slopes = self._tape = None
        self.flowing = [self.flows and steps[k].flows for k in self.references]

    def call(self, operands):
        """Call the function with other operands."""
        with np.errstate(all="ignore"):
            return self.called(operands)

    def called(self, operands, function=None, arguments=None, keywords=None):
        """Return what the step would give: with other operands, another function, other settings."""

        def filled(x):
            if isinstance(x, Reference):
                return operands[x.slot]
            return type(x)(map(filled, x)) if type(x) in (list, tuple) else x

        value = (function or self.function)(
            *filled(self.arguments if arguments is None else arguments),
            **{k: filled(x) for k, x in (self.keywords if keywords is None else keywords).items()},
        )
        return value if self.part is None else value[self.part]

    def pull(self, g, operands=None):
        """Return the cotangent of each operand, None where none flows.

        Parameters
        ----------
        g : ndarray
            The cotangent of the result.
        operands : list of ndarray, optional
            Values to take the derivative at, in place of the true ones.
        """
        values = self.operands if operands is None else operands
        if self.elementwise:
            slopes = self.slopes(operands)
            with np.errstate(all="ignore"):
                return [
                    summed_to(g * slope, x.shape) if flows else None
                    for slope, x, flows in zip(slopes, values, self.flowing)
                ]
        if self.function in RULES:
            found = RULES[self.function](self, g, values)
            return [part if flows else None for part, flows in zip(found, self.flowing)]
        return self.pull_by_graph(g, operands)

    def push(self, slots):
        """Return how the result changes, given ``(slot, change)`` of operands."""
        if self.elementwise:
            slopes = self.slopes()
            return sum(slopes[slot] * change for slot, change in slots)
        sizes = [np.abs(self.operands[slot]).max(initial=0) for slot, _ in slots]
        largest = max(np.abs(change).max(initial=0) for _, change in slots)
        if not largest:
            return np.zeros(self.value.shape)
        h = 1e-5 * (max(sizes) or 1.0) / largest
        sides = []
        for step in (h, -h):
            operands = list(self.operands)
            for slot, change in slots:
                operands[slot] = operands[slot] + step * change
            sides.append(self.call(operands))
        return (sides[0] - sides[1]) / (2 * h)

    def slopes(self, operands=None):
        """Return the derivative with respect to each operand, element by element of the result."""
        if operands is None and self._slopes is not None:
            return self._slopes
        values = self.operands if operands is None else operands
        if self.function is same:
            found = [np.ones(self.value.shape)]
        else:
            wide = [
                np.array(np.broadcast_to(x, self.value.shape)) if flows else x
                for x, flows in zip(values, self.flowing)
            ]
            try:
                y, tensors = self.on_tensors(wide)
                found = pulled(y, tensors, np.ones(self.value.shape))
            except Exception:  # a ufunc of another library
                found = [self.slope_by_differences(wide, k) for k in range(len(wide))]
            # A root at 0, as of a length, is guarded in the backward; nothing else is done there.
            found = [s if s is None else np.where(np.isinf(s), 0.0, s) for s in found]
        if operands is None:
            self._slopes = found
        return found

    def choose_slope(self, index, slope):
        """Let the derivative at one element of the result, which is on a kink, be another one.

        Of two operands that tie, the second has what is left of 1.
        """
        shares = iter((slope, 1.0 - slope))
        for slopes in self.slopes():
            if slopes is not None:
                slopes[index] = next(shares)

    def slope_by_differences(self, operands, slot, constant=False):
        """Return the derivative of an elementwise function that we have no rule for."""
        if not (self.flowing[slot] or constant):
            return None
        h = 1e-5 * np.maximum(1, np.abs(operands[slot]))
        sides = []
        for shift in (2 * h, h, -h, -2 * h):
            shifted = list(operands)
            shifted[slot] = operands[slot] + shift
            sides.append(self.call(shifted))
        return (8 * (sides[1] - sides[2]) - (sides[0] - sides[3])) / (12 * h)

    def on_tensors(self, operands):
        """Call the function with tensors; return the result and the tensors, None for constants."""
        tensors = [Tensor(x, True) if flows else None for x, flows in zip(operands, self.flowing)]
        mixed = [x if t is None else t for x, t in zip(operands, tensors)]
        return self.call(mixed), tensors

    def pull_by_graph(self, g, operands):
        """Return the cotangents of the operands as our own engine works them out."""
        if operands is None and self._tape is not None:
            return pulled(*self._tape, g)
        tape = self.on_tensors(self.operands if operands is None else operands)
        if operands is None:
            self._tape = tape
        return pulled(*tape, g)


def pulled(y, tensors, g):
    """Return the gradients of tensors, as arrays; None stays None."""
    wanted = [t for t in tensors if t is not None]
    found = iter(gradients([y], wanted, [Tensor(g)], True, False) if wanted else [])
    parts = []
    for t in tensors:
        part = None if t is None else next(found)
        parts.append(part if t is None else np.zeros(t.shape) if part is None else part.numpy())
    return parts


def pull_take(step, g, values):
    """Return what goes back through ``x[key]``."""
    x = np.zeros(values[0].shape)
    np.add.at(x, step.arguments[1], g)
    return [x]


def pull_assign(step, g, values):
    """Return what goes back through ``x[key] = value``: to `x` all but what was written over."""
    key = step.arguments[1]
    found = []
    if isinstance(step.arguments[0], Reference):
        rest = g.copy()
        rest[key] = 0
        found.append(rest)
    if isinstance(step.arguments[2], Reference):
        value = values[step.arguments[2].slot]
        found.append(summed_to(g[key], value.shape))
    return found


def pull_add(step, g, values):
    """Return what goes back through ``np.add.at(x, key, value)``."""
    found = [g] if isinstance(step.arguments[0], Reference) else []
    if isinstance(step.arguments[2], Reference):
        found.append(summed_to(g[step.arguments[1]], values[step.arguments[2].slot].shape))
    return found


def pull_reshape(step, g, values):
    """Return what goes back through a change of shape."""
    if step.keywords or len(step.arguments) > 2:
        return step.pull_by_graph(g, values)
    return [g.reshape(values[0].shape)]


def pull_rearranged(step, g, values):
    """Return `g` added up where the elements came from."""
    numbers = np.arange(float(values[0].size)).reshape(values[0].shape)
    places = np.asarray(step.call([numbers])).astype(np.intp).ravel()
    return [np.bincount(places, g.ravel(), values[0].size).reshape(values[0].shape)]


RULES = {
    take_at: pull_take,
    assign_at: pull_assign,
    add_at: pull_add,
    np.reshape: pull_reshape,
    **dict.fromkeys(REARRANGING, pull_rearranged),
}
