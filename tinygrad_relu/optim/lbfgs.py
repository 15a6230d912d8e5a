"""L-BFGS: steps of a quasi-Newton method, from the differences of the last gradients."""

from functools import partial

import numpy as np

from tinygrad_relu.engine import checked_signature, open_for_update
from tinygrad_relu.errors import ArgumentError, StateError
from tinygrad_relu.grad_mode import enable_grad
from tinygrad_relu.kernels.update import laid_out
from tinygrad_relu.optim.groups import INFINITY, check_numbers
from tinygrad_relu.optim.line_search import Point, strong_wolfe
from tinygrad_relu.optim.optimizer import Optimizer
from tinygrad_relu.optim.saved_state import plain_array, whole_number

# What is remembered, in PyTorch's words; the history holds differences of gradients, steps, and the
# inverses of their products.
COUNTS = ("func_evals", "n_iter")
NUMBERS = ("t", "H_diag", "prev_loss")
VECTORS = ("d", "prev_flat_grad")
HISTORY = ("old_dirs", "old_stps", "ro")
LEAST_CURVATURE = 1e-10     # as in PyTorch: below it the difference of gradients is rounding


class LBFGS(Optimizer):
    """Newton's method with an approximation of the inverse Hessian from the last gradients.

    Parameters
    ----------
    params : iterable of Tensor or of (str, Tensor)
        One group only: all of them are one vector.
    lr : float, default 1
        The length of a step where there is no line search, and the first one to try where there is.
    max_iter : int, default 20
        How many steps of the method one `step` takes at most.
    max_eval : int, optional
        After how many evaluations one `step` ends; ``max_iter * 5 // 4`` if it is not given.
    tolerance_grad : float, default 1e-7
        The largest element of the gradient at which there is nothing more to do.
    tolerance_change : float, default 1e-9
        The change of the parameters or of the loss at which there is nothing more to do.
    history_size : int, default 100
        How many differences of gradients are kept.
    line_search_fn : {None, 'strong_wolfe'}

    Notes
    -----
    Nocedal and Wright, "Numerical optimization", second edition, 2006, algorithms 7.4 and 7.5, with
    PyTorch's rules for when to end.  Where evaluations come to an end in the middle of a search, it keeps
    the best point, where PyTorch may stay where it was; and it comes back from where the loss is NaN.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([4.0, -3.0], requires_grad=True)
    >>> optimizer = tg.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - tg.tensor([1.0, 2.0])) ** 2 * tg.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> first = optimizer.step(closure)
    >>> first.item()
    259.0
    >>> [round(x, 6) for x in w.tolist()]
    [1.0, 2.0]
    """

    @checked_signature
    def __init__(self, params, lr=1.0, max_iter=20, max_eval=None, tolerance_grad=1e-7,
                 tolerance_change=1e-9, history_size=100, line_search_fn=None):
        if max_eval is None and isinstance(max_iter, int):
            max_eval = max_iter * 5 // 4
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter, "max_eval": max_eval, "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        })

    def check(self, settings):
        check_numbers(self, **{
            name: (settings[name], 0, INFINITY) for name in ("lr", "tolerance_grad", "tolerance_change")
        })
        for name in ("max_iter", "max_eval", "history_size"):
            if not isinstance(settings[name], (int, np.integer)) or settings[name] < 1:
                raise ArgumentError(f"LBFGS: {name} is {settings[name]!r}: it is a whole number from 1")
        if settings["line_search_fn"] not in (None, "strong_wolfe"):
            raise ArgumentError(
                f"LBFGS: line_search_fn is {settings['line_search_fn']!r}: it is None or 'strong_wolfe'"
            )

    def add_param_group(self, param_group):
        """Raise if there is a group already: all parameters are one vector."""
        if self.param_groups:
            raise ArgumentError("LBFGS: all parameters are in one group: put them in one list")
        super().add_param_group(param_group)

    def step(self, closure):
        """Take up to `max_iter` steps, and return the loss as it was before.

        Parameters
        ----------
        closure : callable
            Forgets the gradients, computes them anew, and returns the loss.  It is called several times.
        """
        if not callable(closure):
            raise ArgumentError(
                f"LBFGS.step: closure is a {type(closure).__name__}: pass a function that computes the "
                "gradients anew and returns the loss"
            )
        self.call(self.before_step, closure)
        first = self.minimized(closure, self.param_groups[0])
        self.call(self.after_step, closure)
        return first

    def minimized(self, closure, group):
        """Do what `step` says, for the one group that there is."""
        state = self.state[group["params"][0]]
        state.setdefault("n_iter", 0)
        first, loss, gradient = self.evaluated(closure)
        evaluations = 1
        state["func_evals"] = state.get("func_evals", 0) + 1
        if largest(gradient) <= group["tolerance_grad"]:
            return first
        for taken in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            learn(state, gradient, group["history_size"])
            direction = state["d"] = newton_direction(state, gradient)
            state["prev_flat_grad"], state["prev_loss"], before = gradient, loss, loss
            state["t"] = group["lr"]
            if state["n_iter"] == 1:
                state["t"] *= min(1.0, 1.0 / float(np.abs(gradient).sum()))
            slope = product(gradient, direction)
            if slope > -group["tolerance_change"]:
                break
            here = Point(0.0, loss, slope, gradient)
            if group["line_search_fn"]:
                found, looks = self.searched(closure, here, state, group, group["max_eval"] - evaluations)
            else:
                found, looks = self.stepped(closure, here, state, group, taken == group["max_iter"])
            loss, gradient = found.value, found.gradient
            evaluations += looks
            state["func_evals"] += looks
            if (
                evaluations >= group["max_eval"]
                or largest(gradient) <= group["tolerance_grad"]
                or largest(direction) * abs(state["t"]) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                break
        return first

    def evaluated(self, closure):
        """Return what the closure returned, the same as a float, and all gradients as one vector."""
        with enable_grad():
            loss = closure()
        arrays, gradients = open_for_update(self.param_groups[0]["params"])
        gradients = laid_out(arrays, gradients)
        try:
            value = float(loss)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"LBFGS.step: closure returned {loss!r:.80}: it returns the loss, one number"
            ) from error
        parts = [np.zeros(a.size, a.dtype) if g is None else g.ravel() for a, g in zip(arrays, gradients)]
        return loss, value, np.concatenate(parts)

    def stepped(self, closure, start, state, group, last):
        """Take a step as long as the rate says, and look where it led, unless it was the last one."""
        self.move(group, state["d"], state["t"])
        if last:
            return start, 0
        _, value, gradient = self.evaluated(closure)
        return start._replace(t=state["t"], value=value, gradient=gradient), 1

    def searched(self, closure, start, state, group, most):
        """Move to the best point along the direction, and return it with the number of evaluations."""
        direction = state["d"]
        begin = [array.copy() for array in open_for_update(group["params"])[0]]

        def evaluate(t):
            self.move(group, direction, t, begin)
            _, value, gradient = self.evaluated(closure)
            return Point(t, value, product(gradient, direction), gradient)

        try:
            found, looks = strong_wolfe(
                evaluate, start, state["t"], largest(direction), group["tolerance_change"], most
            )
        except BaseException:
            self.move(group, direction, 0.0, begin)
            raise
        self.move(group, direction, found.t, begin)
        state["t"] = found.t
        return found, looks

    @np.errstate(all="ignore")
    def move(self, group, direction, t, begin=None):
        """Set the parameters `t` along a direction, from where they are or from where they were."""
        arrays, _ = open_for_update(group["params"])
        at = 0
        for k, array in enumerate(arrays):
            step = direction[at:at + array.size].reshape(array.shape)
            np.add(array if begin is None else begin[k], array.dtype.type(t) * step, out=array,
                   casting="same_kind")
            at += array.size

    def checked_state(self, place, state, parameter, group):
        if parameter is not group["params"][0]:
            raise StateError(f"{place}: there is one state, that of parameter 0, for all of them")
        size = sum(p.size for p in group["params"])
        counts = {name: whole_number(f"{place}: {name!r}", state.get(name, 0)) for name in COUNTS}
        if not counts["n_iter"]:
            return counts
        lacking = [name for name in (*NUMBERS, *VECTORS, *HISTORY) if state.get(name) is None]
        if lacking or len({len(state[name]) for name in HISTORY}) != 1:
            raise StateError(
                f"{place} is no state of LBFGS: it lacks {', '.join(lacking) or 'a part of its history'}"
            )
        dtype = np.result_type(*(p.dtype for p in group["params"]))
        vector = partial(flat_copy, size=size, dtype=dtype)
        number = partial(flat_copy, size=1, dtype=np.dtype(float))
        kept = {name: number(f"{place}: {name!r}", state[name]).item() for name in NUMBERS}
        kept |= {name: vector(f"{place}: {name!r}", state[name]) for name in VECTORS}
        for name in HISTORY:
            copy = vector if name != "ro" else lambda *part: number(*part).item()
            kept[name] = [copy(f"{place}: {name!r}[{k}]", part) for k, part in enumerate(state[name])]
        return counts | kept


def flat_copy(place, value, size, dtype):
    """Return a copy of a saved vector, or raise if it is not as long as it has to be."""
    array = plain_array(place, value)
    if array.size != size:
        raise StateError(f"{place} has {array.size} elements, and {size} are needed")
    return np.array(array, dtype).reshape(size)


def largest(vector):
    """Return the largest absolute element; NaN if there is one."""
    return float(np.abs(vector).max(initial=0.0))


@np.errstate(all="ignore")
def product(a, b):
    """Return the inner product; a step that goes too far may overflow, as anywhere else in a net."""
    return float(a @ b)


@np.errstate(all="ignore")
def learn(state, gradient, history_size):
    """Add what the last step tells of the curvature, and forget the oldest if there is too much."""
    if state["n_iter"] == 1:
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
        return
    difference = gradient - state["prev_flat_grad"]
    step = state["d"] * gradient.dtype.type(state["t"])
    curvature = product(difference, step)
    if curvature > LEAST_CURVATURE:
        for name, value in zip(HISTORY, (difference, step, 1.0 / curvature)):
            state[name] = [*state[name], value][-history_size:]
        state["H_diag"] = curvature / product(difference, difference)


@np.errstate(all="ignore")
def newton_direction(state, gradient):
    """Return minus the approximate inverse Hessian times the gradient: algorithm 7.4."""
    history = list(zip(*(state[name] for name in HISTORY)))
    scalar = gradient.dtype.type
    direction, shares = -gradient, []
    for difference, step, inverse in reversed(history):
        shares.append(scalar(inverse * product(step, direction)))
        direction -= shares[-1] * difference
    direction *= scalar(state["H_diag"])
    for (difference, step, inverse), share in zip(history, reversed(shares)):
        direction += (share - scalar(inverse * product(difference, direction))) * step
    return direction
