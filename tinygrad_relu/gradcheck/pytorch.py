"""PyTorch's `gradcheck` and `gradgradcheck`: each derivative against a difference, within a tolerance."""

import contextlib

import numpy as np

from tinygrad_relu.engine import Tensor, checked_signature, gradients
from tinygrad_relu.errors import ArgumentError, GradientError
from tinygrad_relu.gradcheck.jacobian import numerical_jacobian, steadiest_jacobian

# What central differences can show, with a margin, for values near 1.
TOLERANCES = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 2e-2}


# Options of PyTorch's that ask for what there is not here, and the one value that each may have.
ABSENT = {
    "check_batched_grad": False, "check_batched_forward_grad": False, "check_forward_ad": False,
    "check_backward_ad": True, "masked": False, "check_fwd_over_rev": False, "check_rev_over_rev": True,
    "gen_non_contig_grad_outputs": False,
}


@checked_signature
def gradcheck(
    func, inputs, eps=None, atol=None, rtol=None, raise_exception=True, nondet_tol=0.0,
    check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_batched_forward_grad=False, check_forward_ad=False, check_backward_ad=True, fast_mode=False,
    masked=None,
):
    """Check the derivatives of `func` at `inputs` against central differences.

    `check_gradients` tells more about what is wrong, and takes plain NumPy, too.

    Parameters
    ----------
    func : callable
        Takes the tensors `inputs`, and returns a floating Tensor or a sequence of them.
    inputs : Tensor or sequence
        What `func` is called with.  Those tensors that require a gradient are checked, element by
        element.  Each is shifted where it lies, so `func` may also be a function of a module whose
        parameters they are; afterwards all are bit for bit what they were.
    eps : float, optional
        The step of the difference for values up to 1, in proportion for larger ones.  By default
        the cube root of the machine epsilon (6e-6 in float64, 5e-3 in float32), and smaller ones
        where that disagrees.
    atol, rtol : float, optional
        Analytic and numerical derivative agree if they differ by at most ``atol + rtol *
        |numerical|``.  By default both are 1e-6 in float64, and 2e-2 in float32.  So, as in PyTorch,
        any derivative smaller than `atol` is right where the true one is as small: zero for 1e-7,
        say.  Pass ``atol=0``, or use `check_gradients`, which has no tolerance, to tell them apart.
    raise_exception : bool, default True
        Raise where a derivative is wrong, instead of returning False.
    nondet_tol : float, default 0
        By how much results may differ when `func` is called again.
    fast_mode : bool, default False
        Compare along random directions, and not each element.
    check_undefined_grad, check_grad_dtypes : bool
        Taken for PyTorch's sake: the engine sees to both.
    check_batched_grad, check_batched_forward_grad, check_forward_ad, check_backward_ad, masked
        There is no such thing here; any value but PyTorch's default raises.

    Returns
    -------
    bool
        True if the derivatives are right.

    Raises
    ------
    GradientError
        A derivative is wrong: which input, at which index, analytic and numerical value and their
        ratio.
    ArgumentError
        There is nothing to check, or `func` returns something that is no floating tensor.

    Notes
    -----
    At a kink, such as ReLU at 0, any slope between those of the two sides is right, and where the
    function ends, such as a square root at 0, that of its one side, unless `eps`, `atol` or `rtol` is
    given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([0.5, -1.0], requires_grad=True)
    >>> tg.gradcheck(lambda x: tg.tanh(x) * x, x)
    True
    """
    refuse_absent("gradcheck", {
        "check_batched_grad": check_batched_grad, "check_forward_ad": check_forward_ad,
        "check_batched_forward_grad": check_batched_forward_grad, "check_backward_ad": check_backward_ad,
        "masked": masked,
    })
    inputs = listed(inputs)
    checked = checked_positions("gradcheck", inputs)
    try:
        with kept(inputs) as changed:
            outputs = outputs_of(func, inputs)
            require_unchanged(changed())
            require_same(outputs, outputs_of(func, inputs), nondet_tol)
            if fast_mode:
                check_fast(func, inputs)
                return True
            try:
                check_each(func, inputs, checked, outputs, (eps, atol, rtol))
            except Disagreement as error:
                by_request = (eps, atol, rtol) != (None, None, None)
                if by_request or not right_but_for_kinks(func, inputs, error):
                    raise
    except GradientError:
        if raise_exception:
            raise
        return False
    return True


@checked_signature
def gradgradcheck(
    func, inputs, grad_outputs=None, eps=None, atol=None, rtol=None, gen_non_contig_grad_outputs=False,
    raise_exception=True, nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False,
    check_batched_grad=False, check_fwd_over_rev=False, check_rev_over_rev=True, fast_mode=False,
    masked=None,
):
    """Check the second derivatives of `func`: `gradcheck` of its recorded gradient.

    To have them compared without a tolerance, give `check_gradients` a function that returns the
    gradient, such as by ``tg.autograd.grad(y, x, create_graph=True)``.

    Parameters
    ----------
    func, inputs, eps, atol, rtol, raise_exception, nondet_tol, fast_mode
        As for `gradcheck`; so wrong second derivatives below `atol` are taken for right ones, too.
    grad_outputs : Tensor or sequence of Tensor, optional
        The weights of the outputs, checked as further inputs.  Drawn with a fixed seed by default.
    check_undefined_grad, check_grad_dtypes, check_batched_grad, masked
        As for `gradcheck`.
    gen_non_contig_grad_outputs, check_fwd_over_rev, check_rev_over_rev
        There is no such thing here; any value but PyTorch's default raises.

    Returns
    -------
    bool
        True if the derivatives are right.  A disagreement raises `GradientError`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.gradgradcheck(tg.exp, tg.tensor([0.5, -1.0], requires_grad=True))
    True
    """
    refuse_absent("gradgradcheck", {
        "gen_non_contig_grad_outputs": gen_non_contig_grad_outputs, "masked": masked,
        "check_batched_grad": check_batched_grad, "check_fwd_over_rev": check_fwd_over_rev,
        "check_rev_over_rev": check_rev_over_rev,
    })
    inputs = listed(inputs)
    checked = checked_positions("gradgradcheck", inputs)
    with kept(inputs):
        outputs = [y for y in outputs_of(func, inputs) if y.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        grad_outputs = [
            Tensor(rng.uniform(0.5, 1.5, y.shape).astype(y.dtype), requires_grad=True) for y in outputs
        ]
    count = len(inputs)

    def gradient(*arguments):
        found = outputs_of(func, arguments[:count])
        recorded = [y for y in found if y.requires_grad]
        chosen = [arguments[k] for k in checked]
        parts = gradients(recorded, chosen, list(arguments[count:]), True, True)
        return [
            Tensor(np.zeros(x.shape, x.dtype)) if part is None else part
            for x, part in zip(chosen, parts)
        ]

    try:
        return gradcheck(
            gradient, [*inputs, *listed(grad_outputs)], eps, atol, rtol, True, nondet_tol,
            fast_mode=fast_mode,
        )
    except GradientError as error:
        if not raise_exception:
            return False
        message = kink_behind(func, inputs, checked, error) if isinstance(error, Disagreement) else ""
        if message:
            raise GradientError(message) from None
        raise


class Disagreement(GradientError):
    """An analytic derivative differs from the numerical one.

    Attributes
    ----------
    position, index : int and tuple of int, or None
        Which of the inputs, and which element of it, the worst derivative is with respect to.
    numerical : float
        What differences say of it.
    """

    position = index = None
    numerical = 0.0


def kink_behind(func, inputs, checked, error):
    """Return the message that names the kink on which second derivatives disagree, or nothing."""
    # Here, because the whole checker need not be loaded with the package.
    from tinygrad_relu.gradcheck.arguments import problem_of
    from tinygrad_relu.gradcheck.check import examined

    report = examined(problem_of(func, inputs), fast=error.position is None)
    for position, entry in zip(checked, report.inputs):
        for kink in entry.kinks:
            if kink.kind == "near" or (error.position, error.index) not in (
                (position, kink.index), (None, None)
            ):
                continue
            where = f" at index {kink.index}" if kink.index is not None else ""
            return (
                f"gradgradcheck: input {position}{where} is on a kink of the function, where the "
                "slopes of the two sides differ: it has no second derivative there.  Check at inputs "
                "off the kink; tg.check_gradients checks the first derivative on it"
            )
    return ""


def refuse_absent(name, options):
    """Raise if an option asks for what there is not here."""
    for option, value in options.items():
        if value is not None and value != ABSENT[option]:
            raise ArgumentError(
                f"{name}: {option}={value!r} asks for a kind of derivative that is not computed here: "
                f"leave it at {ABSENT[option]}"
            )


def checked_positions(name, inputs):
    """Return which inputs require a gradient, or raise if there is none."""
    checked = [k for k, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ArgumentError(
            f"{name}: no input requires a gradient: make those to check with requires_grad=True"
        )
    return checked


@contextlib.contextmanager
def kept(inputs):
    """See that tensors are afterwards bit for bit what they were.

    Yields a function that returns the positions of those that differ from that now.
    """
    memory = {k: x.detach().numpy() for k, x in enumerate(inputs) if isinstance(x, Tensor)}
    before = {k: array.copy() for k, array in memory.items()}

    def changed():
        return [k for k, array in memory.items() if array.tobytes() != before[k].tobytes()]

    try:
        yield changed
    finally:
        for k in changed():
            memory[k][...] = before[k]


def require_unchanged(changed):
    """Raise if a call of the function changed some of its inputs."""
    if changed:
        raise GradientError(
            f"gradcheck: the function changes its input {changed[0]} where it lies, and so is another "
            "one when it is called again: let it work on a copy, such as x.clone()"
        )


def require_same(first, second, tolerance):
    """Raise if a second call with the same inputs gave other results."""
    for number, (one, other) in enumerate(zip(first, second)):
        one, other = one.detach().numpy(), other.detach().numpy()
        if one.shape == other.shape and np.array_equal(one, other, equal_nan=True):
            continue
        with np.errstate(all="ignore"):
            distance = np.nanmax(np.abs(one - other)) if one.shape == other.shape else np.inf
        if not distance <= tolerance:
            raise GradientError(
                "gradcheck: the function is not deterministic: called again with the same inputs, "
                f"output {number} differs by up to {distance:.3g}: fix its random numbers, or pass "
                "nondet_tol"
            )


def check_each(func, inputs, checked, outputs, given):
    """Compare each derivative of each output, and raise where they differ."""
    eps, atol, rtol = given
    for k in checked:
        default = TOLERANCES.get(inputs[k].dtype, TOLERANCES[np.dtype(np.float32)])
        tolerances = default if atol is None else atol, default if rtol is None else rtol
        analytic = [analytic_jacobian(y, inputs[k]) for y in outputs]
        numerical = numerical_jacobian(lambda *x: arrays_of(func, x), inputs, k, eps)
        allowed = [tolerated(*pair, *tolerances) for pair in numerical]
        if eps is None and not all(
            agree(a, n, t).all() for a, (n, _), t in zip(analytic, numerical, allowed)
        ):
            # Before a rule is blamed, the step is: look closer.
            numerical = steadiest_jacobian(lambda *x: arrays_of(func, x), inputs, k)
            allowed = [tolerated(*pair, *tolerances) for pair in numerical]
        for number, y in enumerate(outputs):
            y_name = f"output {number}" if len(outputs) > 1 else "the output"
            shapes = inputs[k].shape, y.shape
            compare(k, y_name, shapes, analytic[number], numerical[number][0], allowed[number])
            doubt(f"input {k}", y_name, analytic[number], *numerical[number], tolerances)


def check_fast(func, inputs):
    """Compare along random directions, and raise where they differ."""
    # Here, because the whole checker need not be loaded with the package.
    from tinygrad_relu.gradcheck.arguments import problem_of
    from tinygrad_relu.gradcheck.check import examined
    from tinygrad_relu.gradcheck.report import Verdict

    report = examined(problem_of(func, inputs), fast=True)
    if not report.ok or any(entry.verdict is Verdict.CANNOT_TELL for entry in report.inputs):
        raise Disagreement(f"gradcheck: {report}")


def right_but_for_kinks(func, inputs, error):
    """Tell whether what disagrees is right all the same.

    On or near a kink a gradient may differ from differences; and where the function ends there is none
    from both sides, as at 0 for a square root, whose slope is infinite.
    """
    # Here, because the whole checker need not be loaded with the package.
    from tinygrad_relu.gradcheck.arguments import problem_of
    from tinygrad_relu.gradcheck.check import examined

    report = examined(problem_of(func, inputs), fast=False)
    excused = not np.isfinite(error.numerical) or any(entry.kinks for entry in report.inputs)
    return report.ok and excused


def listed(values):
    """Return one value or a sequence of them as a list."""
    return list(values) if isinstance(values, (list, tuple)) else [values]


def outputs_of(f, inputs):
    """Return the outputs of `f` as a list of floating tensors, or raise."""
    outputs = listed(f(*inputs))
    for y in outputs:
        if not isinstance(y, Tensor) or y.dtype.kind != "f":
            what = f"dtype {y.dtype}" if isinstance(y, Tensor) else f"type {type(y).__name__}"
            raise ArgumentError(
                f"gradcheck: the function returned a value of {what}: a floating Tensor, or a "
                "sequence of them, can be checked"
            )
    return outputs


def arrays_of(f, inputs):
    """Return the outputs of `f` as arrays."""
    return [y.detach().numpy().copy() for y in outputs_of(f, inputs)]


def analytic_jacobian(output, x):
    """Return the Jacobian that the graph gives, of shape ``(output.size, x.size)``."""
    jacobian = np.zeros((output.size, x.size))
    if not output.requires_grad:
        return jacobian
    for row, index in enumerate(np.ndindex(output.shape)):
        weight = np.zeros(output.shape, output.dtype)
        weight[index] = 1
        (found,) = gradients([output], [x], [Tensor(weight)], True, False)
        if found is not None:
            jacobian[row] = found.numpy().ravel()
    return jacobian


def tolerated(numerical, noise, atol, rtol):
    """Return by how much each derivative may differ: the tolerance, and what rounding may do."""
    return atol + rtol * np.abs(numerical) + 4 * noise


def agree(analytic, numerical, allowed):
    """Tell for each derivative whether it is right; NaN never is."""
    return np.abs(analytic - numerical) <= allowed


def compare(position, y_name, shapes, analytic, numerical, allowed):
    """Raise with the worst element if two Jacobians disagree."""
    error = np.abs(analytic - numerical)
    wrong = ~agree(analytic, numerical, allowed)
    if not wrong.any():
        return
    excess = np.where(np.isnan(error), np.inf, error / np.maximum(allowed, 1e-300))
    row, column = np.unravel_index(np.argmax(np.where(wrong, excess, -1.0)), wrong.shape)
    x_index = tuple(int(k) for k in np.unravel_index(column, shapes[0]))
    y_index = tuple(int(k) for k in np.unravel_index(row, shapes[1]))
    got, expected = analytic[row, column], numerical[row, column]
    with np.errstate(all="ignore"):
        ratio = got / expected
    hint = "Look at the rule of that input; tg.check_gradients says more."
    if not analytic.any():
        hint = "No gradient arrives there at all: is something detached, or computed under no_grad?"
    found = Disagreement(
        f"gradcheck: the derivative of {y_name} at index {y_index} with respect to input {position} at "
        f"index {x_index} is wrong: analytic {got:.9g}, numerical {expected:.9g}, ratio {ratio:.6g} "
        f"(difference {error[row, column]:.3g}, allowed {allowed[row, column]:.3g}).  "
        f"{int(wrong.sum())} of {wrong.size} derivatives disagree; this is the worst.  {hint}"
    )
    found.position, found.index, found.numerical = position, x_index, expected
    raise found


def doubt(x_name, y_name, analytic, numerical, noise, tolerances):
    """Raise if a derivative agrees only because rounding hides what it is."""
    atol, rtol = tolerances
    proven = np.abs(analytic - numerical) <= atol + rtol * np.abs(numerical)
    hidden = ~proven & (4 * noise > np.abs(numerical))
    if hidden.any():
        raise GradientError(
            f"gradcheck: it cannot be told whether the derivative of {y_name} with respect to {x_name} "
            f"is right: errors of rounding of up to {4 * noise[hidden].max():.3g} hide it at "
            f"{int(hidden.sum())} of {hidden.size} places.  Take a large constant off the output, or "
            "check in float64"
        )
