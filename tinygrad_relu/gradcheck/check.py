"""`check_gradients`: are these the gradients of that function, and if not, what is wrong?"""

import numpy as np

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError, GradientError
from tinygrad_relu.gradcheck import elements, projections
from tinygrad_relu.gradcheck.arguments import problem_of
from tinygrad_relu.gradcheck.conclusion import conclude
from tinygrad_relu.gradcheck.diagnosis import Label
from tinygrad_relu.gradcheck.faults import observed
from tinygrad_relu.gradcheck.kinks import Inspector
from tinygrad_relu.gradcheck.memory import kept_of_the_first_call
from tinygrad_relu.gradcheck.neighbourhood import Neighbourhood, check_base
from tinygrad_relu.gradcheck.report import GradientReport, InputReport, Verdict
from tinygrad_relu.gradcheck.taylor import taylor_order

# From how many elements on random directions are compared, and not each element.
FAST_FROM = 3000


@checked_signature
def check_gradients(
    f, inputs, backward=None, *, names=None, wrt=None, returns_gradients=None, seed=0, fast=None,
    raise_exception=False,
):
    """Compare the gradients of a function with differences, and say what is wrong with them.

    Parameters
    ----------
    f : callable
        Made of tensors, or of plain NumPy with `backward`.  Returns a number, an array, or a tuple of
        arrays.
    inputs : sequence, dict, or one array or tensor
        At what to check.  A sequence is passed as ``f(*inputs)``; a dict as ``f(**inputs)`` where the
        signature takes its keys, else as one argument.  Integers among them are passed on, and lists
        of arrays, unless there is nothing else to check.  A list of plain numbers is one vector,
        unless `f` has as many parameters.  Masked arrays and matrices are refused: compute with plain
        ones.
    backward : callable, optional
        The gradient by hand: ``backward(*inputs)`` where `f` returns a number, else
        ``backward(dout, *inputs)`` (for several results `dout` is a tuple).  Returns one array, a tuple
        or a dict.  By default the gradient is that of the graph that `f` records.
    names : sequence of str, optional
        What to call the inputs in the report.
    wrt : str or sequence of str, optional
        Which of the inputs to check; all floating ones by default.
    returns_gradients : bool, optional
        Whether `f` itself returns its loss and the gradients, ``(loss, (dw, db))`` or ``(loss, dw,
        db)``.  By default that is found out, and asked for where it is in doubt.
    seed : int, default 0
        From 0 up: of cotangents and random directions.  The same seed gives the same report.
    fast : bool, optional
        Compare random directions instead of each element.  By default, from 3000 elements on.
    raise_exception : bool, default False
        Raise `GradientError` with the text of the report if it is not ok.

    Returns
    -------
    GradientReport
        True where nothing is wrong.  Print it.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> def loss(W, x):
    ...     return 0.5 * np.sum(np.tanh(W @ x) ** 2)
    >>> def loss_backward(W, x):
    ...     y = np.tanh(W @ x)
    ...     dz = y * (1 - y**2)
    ...     return np.outer(dz, x), W @ dz
    >>> W = np.array([[1.0, -0.5], [0.25, 2.0]])
    >>> report = tg.check_gradients(loss, [W, np.array([0.3, -0.7])], backward=loss_backward)
    >>> report.ok, str(report["W"].verdict), str(report["x"].verdict)
    (False, 'right', 'wrong')
    """
    problem = problem_of(
        f, inputs, backward, names=names, wrt=wrt, returns_gradients=returns_gradients
    )
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentError(f"check_gradients: seed is {seed!r}: pass a whole number from 0 up")
    report = examined(problem, seed, fast)
    if raise_exception and not report.ok:
        raise GradientError(f"check_gradients:\n{report}")
    return report


@np.errstate(all="ignore")      # values beyond what a dtype can hold are looked at as such
def examined(problem, seed=0, fast=None):
    """Return the report on a problem."""
    size = sum(x.size for x in problem.inputs)
    fast = size >= FAST_FROM if fast is None else bool(fast)
    check_base_of(problem)
    cotangents = drawn_cotangents(problem, seed, 2 if fast else 3)
    gradients, faults = observed(problem, cotangents)
    entries = [
        InputReport(name, x.shape, str(x.dtype), size=x.size)
        for name, x in zip(problem.names, problem.inputs)
    ]
    report = GradientReport(entries, fast, seed, notes=problem.notes)
    for name, shape, dtype in problem.carried:
        what = f"{dtype} of shape {shape}" if shape else str(dtype)
        report.notes.append(f"{name} ({what}) was passed on, and not checked.")
    if faults.nondeterministic:
        report.notes.insert(0, faults.nondeterministic)
        for entry in entries:
            entry.verdict = Verdict.NOT_DETERMINISTIC
        return report
    at = Neighbourhood(problem, problem.inputs, cotangents, gradients)
    inspector = Inspector(at, seed)
    compare = projections.compare if fast else elements.compare
    findings = [compare(inspector, position, seed) for position in range(len(entries))]
    if not fast:
        elements.compare_together(inspector, findings, seed)
    report.taylor_order = taylor_order(at, seed)
    note_what_is_kept(problem, cotangents, faults)
    conclude(report, at, findings, faults)
    report.calls = problem.passing.calls
    return report


def note_what_is_kept(problem, cotangents, faults):
    """Note the gradients that are right at the point of the first call, and wrong at others since."""
    for k in kept_of_the_first_call(problem, cotangents[0]):
        faults.add(problem.names[k], Label.STALE_BUFFER, (
            f"d{problem.names[k]} is right where backward was first called, and wrong at other inputs "
            "since: something is kept of the first call; compute it anew in each one"
        ))


def check_base_of(problem):
    """Raise if the function is not finite where it is to be checked."""
    check_base(problem, problem.forward(problem.inputs))


def drawn_cotangents(problem, seed, count):
    """Return sets of cotangents, one for each result: 1 for a number, else random, never all ones."""
    rng = np.random.default_rng([seed, 0])
    shapes = [(y.shape, y.dtype) for y in problem.results(problem.inputs)]
    if problem.scalar and not getattr(problem, "takes_cotangents", problem.own_graph):
        return [[np.ones((), dtype) for _, dtype in shapes]]
    draws = [
        [
            np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape), dtype)
            for shape, dtype in shapes
        ]
        for _ in range(2 if problem.scalar else count)
    ]
    if problem.scalar:
        draws[0] = [np.ones((), dtype) for _, dtype in shapes]
    return draws
