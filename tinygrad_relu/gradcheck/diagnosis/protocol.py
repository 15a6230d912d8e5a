"""Faults that need no derivative to be seen: shape, dtype, NaN, buffers, what a second call gives."""

import contextlib
from itertools import combinations, permutations

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.case import Explanation
from tinygrad_relu.gradcheck.diagnosis.evidence import agrees_along_a_line, graph_of, tolerance
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# What is smaller than this, in proportion to what is right, is rounding.
NOTHING_OF = 1e-13


def faults(case):
    """Return, for each wrong input, the explanations that the way of returning gradients gives.

    Parameters
    ----------
    case : Case

    Returns
    -------
    dict of str to list of Explanation
        Without the inputs that there is nothing to say of.
    """
    found = {}
    calls = Calls(case)
    for k, (name, wrong) in enumerate(zip(case.names, case.wrong)):
        if wrong:
            explanation = (
                changed_inputs(case, name) or form(case, k) or calls.between(k) or zeros(case, k)
            )
            if explanation is not None:
                found[name] = [explanation]
    return found


def changed_inputs(case, name):
    """Explain a gradient by what the backward wrote to."""
    if not case.changed:
        return None
    what = " and ".join(case.changed)
    return Explanation(
        Label.INPUTS_CHANGED,
        f"The backward writes to {what}, which it was given, so that all that is computed later, such as "
        f"d{name}, starts from other numbers: work on a copy.",
        1.0,
        {"changed": list(case.changed)},
    )


# ----------------------------------------------------------------------------------------- one result


def form(case, k):
    """Explain a gradient that is missing, of another shape or dtype, or not finite."""
    name, given, right = case.names[k], case.draws[0].analytic[k], case.draws[0].numerical[k]
    if given is None:
        return Explanation(
            Label.ZEROS,
            f"d{name} is None: the backward returns no gradient for {name}.",
            1.0,
            {"returned": "None"},
        )
    given = np.asarray(given)
    if given.dtype.kind not in "biuf":
        return Explanation(
            Label.WRONG_DTYPE,
            f"d{name} has dtype {given.dtype}, and a gradient is made of real numbers.",
            1.0,
            {"dtype": str(given.dtype)},
        )
    if given.shape != right.shape:
        return wrong_shape(case, k)
    if not np.isfinite(given).all():
        return not_finite(case, k)
    return wrong_dtype(case, k)


def wrong_dtype(case, k):
    """Explain a gradient that lost digits to its dtype."""
    name, wanted = case.names[k], np.asarray(case.inputs[k]).dtype
    dtypes = {np.asarray(draw.analytic[k]).dtype for draw in case.draws}
    given = dtypes.pop()
    if given == wanted:
        return None
    for draw in case.draws:
        a, right = np.asarray(draw.analytic[k]), draw.numerical[k]
        scale = np.abs(right).max(initial=0)
        digits = 1.0 if given.kind in "biu" else 8 * np.finfo(given).eps * max(scale, 1e-300)
        if (np.abs(a - right) > digits + 8 * draw.error[k] + 1e-6 * scale).any():
            return None
    lost = (
        "whole numbers, so that all behind the point is lost" if given.kind in "biu" else "fewer digits"
    )
    return Explanation(
        Label.WRONG_DTYPE,
        f"d{name} has dtype {given} and {name} has {wanted}: it is rounded to {lost}; where is an array "
        "made with that dtype?",
        1.0,
        {"dtype": str(given), "expected": str(wanted)},
    )


def wrong_shape(case, k):
    """Explain a gradient of another shape: transposed, or summed over too much or too little."""
    name, draws = case.names[k], case.draws
    shape, right = np.shape(draws[0].analytic[k]), draws[0].numerical[k].shape
    has = f"d{name} has shape {shape} and {name} has shape {right}"
    for label, words, details, function in repairs(shape, right):
        if all(repaired(function, draw, k) for draw in draws):
            return Explanation(label, f"{has}: {words}.", 1.0, {"shape": list(shape), **details})
    for label, words, details, _ in repairs(shape, right):
        if label is not Label.WRONG_SHAPE:
            return Explanation(
                Label.WRONG_SHAPE,
                f"{has}: {words}; its values are wrong, too.",
                0.9,
                {"shape": list(shape), **details},
            )
    return Explanation(
        Label.WRONG_SHAPE, f"{has}: a gradient has the shape of its input.", 1.0, {"shape": list(shape)}
    )


def repairs(shape, right):
    """Yield what makes an array of one shape one of another: ``(label, words, details, function)``."""
    if len(shape) == len(right) >= 2 and sorted(shape) == sorted(right):
        yield (
            Label.TRANSPOSED,
            "it is transposed",
            {},
            lambda a, e: next(
                (
                    a.transpose(o)
                    for o in orders(a.ndim)
                    if a.transpose(o).shape == e.shape
                    and np.allclose(a.transpose(o), e, rtol=1e-4, atol=1e-6)
                ),
                a,
            ),
        )
    for axes in axes_to_sum(shape, right):
        called = f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
        yield (
            Label.NOT_SUMMED,
            f"it is not summed over {called}, along which {name_of_broadcast(right)} was broadcast",
            {"axes": list(axes)},
            lambda a, e, axes=axes: a.sum(axes).reshape(e.shape),
        )
    if int(np.prod(shape)) == int(np.prod(right)):
        yield (
            Label.WRONG_SHAPE,
            "its values are right once they are reshaped",
            {},
            lambda a, e: a.reshape(e.shape),
        )
        yield (
            Label.WRONG_SHAPE,
            "its values are right, in another order, once they are reshaped",
            {},
            lambda a, e: a.T.reshape(e.shape),
        )
    if len(shape) <= len(right):
        yield (
            Label.SUMMED,
            "it is summed over axes that it should keep",
            {},
            lambda a, e: np.full(e.shape, np.nan) if not is_sum_of(a, e) else e,
        )


def name_of_broadcast(shape):
    """Return how to call what was broadcast."""
    return "it" if shape else "a number"


def orders(n):
    """Return all orders of `n` axes, the reversed one first."""
    return [tuple(reversed(range(n))), *permutations(range(n))] if n <= 5 else [tuple(reversed(range(n)))]


def axes_to_sum(shape, right):
    """Yield the axes over which an array of `shape` can be summed to be one of `right`."""
    for length in range(1, len(shape) + 1):
        for axes in combinations(range(len(shape)), length):
            rest = tuple(n for a, n in enumerate(shape) if a not in axes)
            kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
            if (rest == right or kept == right) and any(shape[a] != 1 for a in axes):
                yield axes


def is_sum_of(given, right):
    """Tell whether `given` is `right` summed over some of its axes."""
    for length in range(1, right.ndim + 1):
        for axes in combinations(range(right.ndim), length):
            for keep in (False, True):
                total = right.sum(axes, keepdims=keep)
                if total.shape == given.shape and np.allclose(total, given, rtol=1e-4, atol=1e-7):
                    return True
    return False


def repaired(function, draw, k):
    """Tell whether a repair of the returned gradient gives the right one."""
    right = draw.numerical[k]
    a = np.asarray(draw.analytic[k], np.float64)
    try:
        mended = function(a, right)
    except ValueError:
        return False
    allowed = 1e-5 * np.abs(right).max(initial=0) + tolerance(right, right, draw.error[k])
    return bool(mended.shape == right.shape and (np.abs(mended - right) <= allowed).all())


def zeros(case, k):
    """Explain a gradient that is all zeros, and should not be."""
    scale = max(np.abs(draw.numerical[k]).max(initial=0) for draw in case.draws)
    largest = max(np.abs(np.asarray(draw.analytic[k])).max(initial=0) for draw in case.draws)
    if largest > NOTHING_OF * scale:
        return None
    if all((np.abs(draw.numerical[k]) <= 8 * draw.error[k]).all() for draw in case.draws):
        return None     # it is wrong nearby, where it need not be zero
    name = case.names[k]
    zero = "zero everywhere, but for rounding" if largest else "zero everywhere"
    return Explanation(
        Label.ZEROS,
        f"d{name} is {zero}: it is never written to, or what flows to it is cut off on the way.",
        1.0,
        {},
    )


def not_finite(case, k):
    """Explain NaN and infinity: by the first step of the forward that has them, or invites them."""
    name = case.names[k]
    given = np.asarray(case.draws[0].analytic[k])
    index = tuple(int(n) for n in np.argwhere(~np.isfinite(given))[0])
    value = given[index]
    claim = f"d{name} is {value} at index {index}"
    graph = graph_of(case, case.inputs)
    step = first_bad_step(graph) if graph is not None else None
    details = {"index": list(index), "count": int((~np.isfinite(given)).sum())}
    if step is None:
        return Explanation(
            Label.NOT_FINITE,
            f"{claim}: look for a division by 0, or a logarithm or a root of 0, in the backward.",
            1.0,
            details,
        )
    what, found = step
    details |= {"op": found.name, "line": found.line}
    return Explanation(Label.NOT_FINITE, f"{claim}: {what} {found.name} ({found.line}).", 1.0, details)


def first_bad_step(graph):
    """Return the first step whose result, or else whose derivative, is not finite, and which it is."""
    for k in graph.live:
        if not np.isfinite(graph.steps[k].value).all():
            return "the first value that is not finite is the result of", graph.steps[k]
    for k in graph.live:
        step = graph.steps[k]
        if step.elementwise and step.function is not None:
            with np.errstate(all="ignore"):
                if any(s is not None and not np.isfinite(s).all() for s in step.slopes()):
                    return "the derivative is not finite there of", step
    for k in graph.live:
        step = graph.steps[k]
        risky = (np.divide, np.log, np.sqrt, np.exp, np.power, np.multiply, np.maximum, np.absolute)
        if step.function in risky and any((x == 0).any() for x in step.operands):
            return "a 0 arises that may be divided by in the backward, at", step
    return None


# ---------------------------------------------------------------------------------------- several calls


class Calls:
    """What the backward returns when it is called again, and with something else in between."""

    def __init__(self, case):
        self.case = case
        self.inputs = [np.array(x) for x in case.inputs]
        self.weights = [np.array(w) for w in case.draws[0].cotangents]
        self.ready = False

    def make(self):
        """Call the backward: twice in a row, and once after calls at other inputs and cotangents."""
        self.ready = True
        rng = np.random.default_rng(1)
        other = [(x * (1 + 0.1 * rng.uniform(-1, 1, x.shape))).astype(x.dtype) for x in self.inputs]
        weights = [w * (1 + 0.3 * rng.uniform(0, 1, w.shape)) for w in self.weights]
        self.first, self.held = self.call(self.inputs, self.weights)
        self.second, _ = self.call(self.inputs, self.weights)
        self.third, _ = self.call(self.inputs, self.weights)
        self.elsewhere, _ = self.call(other, self.weights)
        self.after = [None if x is None else np.array(x) for x in self.held]
        self.back, _ = self.call(self.inputs, self.weights)
        self.weighted, _ = self.call(self.inputs, weights)
        self.back_again, _ = self.call(self.inputs, self.weights)
        with contextlib.suppress(Exception):  # other inputs need not be in the domain
            self.case.forward([x.copy() for x in other])
        self.after_forward, _ = self.call(self.inputs, self.weights)
        with contextlib.suppress(Exception):
            self.case.forward([x.copy() for x in self.inputs])
        self.after_right_forward, _ = self.call(self.inputs, self.weights)

    def call(self, inputs, weights):
        """Return copies of what the backward gives, and that itself; None where it raises."""
        try:
            found = list(self.case.backward([x.copy() for x in inputs], [w.copy() for w in weights]))
        except Exception:  # the user's function, somewhere it may not be defined
            found = [None] * len(inputs)
        return [None if x is None else np.array(x) for x in found], found

    def between(self, k):
        """Explain a gradient by what calls have to do with each other."""
        if not self.ready:
            self.make()
        name = self.case.names[k]
        calls = [self.first[k], self.second[k], self.third[k]]
        if any(x is None or x.dtype.kind not in "iuf" for x in calls):
            return None
        if not alike(calls[0], calls[1]) and calls[0].shape == calls[1].shape == calls[2].shape:
            if alike(calls[2] - calls[1], calls[1] - calls[0]):
                return Explanation(
                    Label.ACCUMULATED_TWICE,
                    f"d{name} grows by the same amount with every call: the backward adds to a buffer "
                    "that "
                    "outlives it, so start from zeros in each call.",
                    1.0,
                    {},
                )
            return self.stale(name, "changes from call to call with the same arguments")
        pairs = (
            (self.back[k], "depends on the inputs of the call before"),
            (self.back_again[k], "depends on the cotangent of the call before"),
        )
        for found, words in pairs:
            if found is not None and not alike(found, calls[0]):
                return self.stale(name, words)
        if self.after_forward[k] is not None and not alike(
            self.after_forward[k], self.after_right_forward[k]
        ):
            return self.stale(name, "depends on what the forward was last called with")
        if self.after[k] is not None and not alike(self.after[k], calls[0]):
            return self.stale(name, "is a view of a buffer that the next call writes over")
        # Where the first dout was 1, what is kept of it is what it is without any.
        ways = [self.shared, self.kept, self.unmoved]
        if all(w.ndim == 0 for w in self.weights):
            ways = [self.shared, self.unmoved, self.kept]
        return next(filter(None, (way(k) for way in ways)), None)

    def stale(self, name, words):
        """Return the explanation by a buffer."""
        return Explanation(
            Label.STALE_BUFFER,
            f"d{name} {words}: a value is kept somewhere between calls, so compute it anew or return a "
            "copy.",
            1.0,
            {},
        )

    def shared(self, k):
        """Explain a gradient by the memory that it shares with another one."""
        mine = self.held[k]
        if not isinstance(mine, np.ndarray) or not mine.size:
            return None
        for other, x in enumerate(self.held):
            if other != k and isinstance(x, np.ndarray) and x.size and same_memory(mine, x):
                right = [draw.numerical for draw in self.case.draws]
                if all(alike(mine, -r[k], 1e-5) for r in right[:1]):
                    continue  # one array that is returned for both, without its minus
                if all(alike(mine, r[other], 1e-5) for r in right[:1]):
                    names = self.case.names
                    return Explanation(
                        Label.STALE_BUFFER,
                        f"d{names[k]} lies in the same memory as d{names[other]}, which is written there "
                        "later: give each gradient an array of its own.",
                        1.0,
                        {"input": names[other]},
                    )
        return None

    def unmoved(self, k):
        """Explain a gradient that does not depend on the cotangent."""
        mine, name = self.weighted[k], self.case.names[k]
        # The backward of a function that returns a number may be given no dout: then there is one draw.
        given_none = len(self.case.draws) == 1 and all(w.ndim == 0 for w in self.weights)
        if given_none or mine is None or not np.any(mine) or not alike(mine, self.first[k]):
            return None
        # Of a linear function it is the same at all inputs, too.
        same = self.elsewhere[k] is not None and alike(self.elsewhere[k], self.first[k])
        if same and not self.right_for_ones(k):
            return self.stale(name, "is the same for every dout and at all inputs")
        return Explanation(
            Label.MISSING_FACTOR,
            f"d{name} is the same for every dout: the gradient that arrives from behind is not "
            "multiplied in.",
            1.0,
            {},
        )

    def right_for_ones(self, k):
        """Tell whether what was returned is the gradient for a cotangent of ones."""
        given = [np.zeros(x.shape) if j != k else self.first[k] for j, x in enumerate(self.inputs)]
        ones = [np.ones_like(w) for w in self.weights]
        rng = np.random.default_rng(2)
        return agrees_along_a_line(self.case, self.inputs, ones, given, rng, only=k)

    def kept(self, k):
        """Explain a gradient that is right for the first cotangent only, and not 0 for none at all."""
        apart = [
            np.abs(np.asarray(d.analytic[k]) - d.numerical[k]).max(initial=0) for d in self.case.draws
        ]
        sizes = [np.abs(d.numerical[k]).max(initial=0) for d in self.case.draws]
        right = [a <= 1e-6 * size for a, size in zip(apart, sizes)]
        nothing, _ = self.call(self.inputs, [0 * w for w in self.weights])
        if not right[0] or all(right) or nothing[k] is None or not np.any(nothing[k]):
            return None
        words = "is right for the first dout only, and not 0 where dout is 0"
        return self.stale(self.case.names[k], words)


def same_memory(a, b):
    """Tell whether two arrays begin at the same address and are of the same size."""
    return a.__array_interface__["data"][0] == b.__array_interface__["data"][0] and a.shape == b.shape


def alike(a, b, digits=1e-10):
    """Tell whether two results are the same but for rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return bool((np.abs(a - b) <= digits * scale).all())
