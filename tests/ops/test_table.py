"""One test walks the table: every op, at first and second order, over its stated domain."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import DeclarationError, GradientError
from tinygrad_relu.ops.domain import case, elementwise, real
from tinygrad_relu.ops.indexing import take_along_axis
from tinygrad_relu.ops.table import TABLE, ZERO, op

CASES = [(name, k) for name, entry in TABLE.items() for k in range(len(entry.domain))]


def prepared(name, k):
    """Return an op of the table as a function of its floating inputs, and those inputs."""
    entry, chosen = TABLE[name], TABLE[name].domain[k]
    values = chosen.sample(np.random.default_rng(k))
    floating = [j for j, v in enumerate(values) if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
    statics = dict(chosen.statics)
    gathered = statics.pop(entry.names[-1]) if entry.gathers else ()

    def f(*arguments):
        inputs = list(values)
        for j, argument in zip(floating, arguments):
            inputs[j] = argument
        return entry(*inputs, *gathered, **statics)

    return f, [tg.tensor(values[j], requires_grad=True) for j in floating]


@pytest.mark.parametrize(("name", "k"), CASES)
def test_rules_agree_with_differences_at_first_and_second_order(name, k):
    f, inputs = prepared(name, k)
    output = f(*inputs)
    if output.dtype.kind != "f":
        assert not output.requires_grad
        return
    assert output.requires_grad
    assert tg.gradcheck(f, inputs)
    assert tg.gradgradcheck(f, inputs)


@pytest.mark.parametrize(("name", "k"), CASES)
def test_float32_stays_float32_and_agrees_with_float64(name, k):
    f, inputs = prepared(name, k)
    if name == "cast":
        return
    singles = [tg.tensor(x.detach().numpy().astype(np.float32), requires_grad=True) for x in inputs]
    double, single = f(*inputs), f(*singles)
    if double.dtype.kind != "f":
        assert single.dtype == double.dtype
        return
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.detach().numpy(), double.detach().numpy(), rtol=2e-5, atol=1e-5)
    double.sum().backward()
    single.sum().backward()
    for x, y in zip(inputs, singles):
        if x.grad is None:      # its derivative is always zero
            assert y.grad is None
            continue
        assert y.grad.dtype == np.float32
        np.testing.assert_allclose(y.grad.numpy(), x.grad.numpy(), rtol=2e-4, atol=1e-4)


def softmax_by_numpy(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def overwritten_by_numpy(x, values, key):
    y = x.copy()
    y[key] = values
    return y


# What NumPy calls the ops that it has, with the order of their arguments.
NUMPY = {
    "root": np.sqrt,
    "negative": np.negative, "absolute": np.absolute, "sign": np.sign, "floor": np.floor,
    "cbrt": np.cbrt, "ceil": np.ceil, "rint": np.rint, "add": np.add, "subtract": np.subtract,
    "multiply": np.multiply, "divide": np.divide, "floor_divide": np.floor_divide,
    "remainder": np.remainder, "power": np.power, "maximum": np.maximum, "minimum": np.minimum,
    "clamp_min": np.maximum, "clamp_max": np.minimum, "where": np.where, "less": np.less,
    "less_equal": np.less_equal, "equal": np.equal, "not_equal": np.not_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "isnan": np.isnan, "isinf": np.isinf,
    "isfinite": np.isfinite, "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or,
    "bitwise_left_shift": np.left_shift, "bitwise_right_shift": np.right_shift,
    "share_of_first": lambda a, b: np.exp(a) / (np.exp(a) + np.exp(b)),
    "bitwise_xor": np.bitwise_xor, "invert": np.invert, "exp": np.exp, "expm1": np.expm1,
    "exp2": np.exp2, "log": np.log, "log1p": np.log1p, "log2": np.log2, "log10": np.log10,
    "sqrt": np.sqrt, "square": np.square, "reciprocal": np.reciprocal, "sin": np.sin, "cos": np.cos,
    "standardize": lambda x, eps: (x - x.mean(-1, keepdims=True))
    / np.sqrt(x.var(-1, keepdims=True) + eps),
    "exact_gelu": None,         # against mpmath in test_activations
    "squared_deviations": lambda x, axis=None, keepdims=False: np.sum(
        (x - np.mean(x, axis, keepdims=True)) ** 2, axis, keepdims=keepdims
    ),
    "tanh": np.tanh, "sum": np.sum, "prod": np.prod, "amax": np.max, "amin": np.min,
    "argmax": np.argmax, "argmin": np.argmin, "all": np.all, "any": np.any, "matmul": np.matmul,
    "swapaxes": np.swapaxes, "broadcast_to": np.broadcast_to, "copy": np.copy,
    "reshape": lambda x, shape: np.reshape(x, shape),
    "permute": lambda x, axes: np.transpose(x, axes or None),
    "index": lambda x, key: x[key], "cast": lambda x, dtype: x.astype(dtype),
    "join": lambda *tensors, axis, stops: np.concatenate(tensors, axis),
    "relu": lambda x: np.maximum(x, 0), "sigmoid": lambda x: 1 / (1 + np.exp(-1.0 * x)),
    "gate": lambda signal, control, t0, a0, a1: np.where(control > t0, signal * a1, signal * a0),
    "linear_relu": lambda x, weight, bias: np.maximum(
        x @ weight.T + (0 if bias is None else bias), 0
    ),
    "rectify_with_mask": lambda x, mask: np.maximum(x, 0),
    "apply_mask": lambda signal, mask: signal * np.unpackbits(
        mask, count=signal.size, bitorder="little"
    ).reshape(signal.shape),
    "class_losses": lambda x, target: -np.log(softmax_by_numpy(x))[np.arange(len(x)), target],
    "less_class": lambda x, target, scale: (
        softmax_by_numpy(x) - np.eye(x.shape[1])[target]
    ) * scale[:, None],
    "outer_sum": lambda a, b: np.sum(a[..., :, None] * b[..., None, :], axis=tuple(range(a.ndim - 1))),
    "linear": lambda x, weight, bias: x @ weight.T + (0 if bias is None else bias),
    "squared_distance": lambda a, b, mean=False: (np.mean if mean else np.sum)((a - b) ** 2),
    "softmax": lambda x, axis: np.exp(x) / np.exp(x).sum(axis, keepdims=True),
    "log_softmax": lambda x, axis: x - np.log(np.exp(x).sum(axis, keepdims=True)),
    "linear_solve": np.linalg.solve, "det": np.linalg.det,
    "sign_and_log_det": lambda a: np.stack(np.linalg.slogdet(a), -1),
    "pseudo_inverse": lambda a, atol, rtol: np.linalg.pinv(a, rcond=rtol),
    # packed, or with no peer in NumPy: see test_matrices.py and test_convolution.py
    "factor_cholesky": None, "factors_qr": None, "factors_eigh": None, "factors_svd": None,
    "convolution": None, "convolution_adjoint": None, "convolution_weight": None,
    "images_to_columns": None, "columns_to_images": None,
    "take_along_axis": None,    # NumPy broadcasts the indices, PyTorch and we do not; see below
    "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "hypot": np.hypot, "logaddexp": np.logaddexp, "running_sum": np.cumsum,
    "clamp_between": lambda x, low, high: np.clip(x, low, high),
    "limit": lambda x, low, high: np.clip(x, low, high),
    # against mpmath, in test_special.py; against its definition, in test_cumulative.py
    "erf": None, "erfc": None, "erfinv": None, "log_gamma": None, "sinc_derivative": None,
    "linear_recurrence": None,
    "rolled": lambda x, shifts, axes: np.roll(x, shifts, axes),
    "take_diagonal": np.diagonal,
    "assign": overwritten_by_numpy, "overwrite": None,
    "extreme_along_axis": None,     # values by hand in test_putting
    "place_on_diagonal": None,      # an adjoint, too
    "place": None, "add_along_axis": None, "sum_to": None,    # adjoints: checked as such below
}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_values_are_numpys(name):
    reference = NUMPY[name]
    if reference is None:
        return
    entry = TABLE[name]
    for chosen in entry.domain:
        values = chosen.sample(np.random.default_rng(3))
        statics = dict(chosen.statics)
        gathered = statics.pop(entry.names[-1]) if entry.gathers else ()
        expected = reference(*values, **chosen.statics)
        result = entry(*values, *gathered, **statics)
        assert result.shape == np.shape(expected)
        assert result.dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [("index", "place"), ("take_along_axis", "add_along_axis"), ("broadcast_to", "sum_to"),
     ("take_diagonal", "place_on_diagonal")],
)
def test_adjoints_satisfy_their_defining_identity(forward, backward, rng):
    """<A x, v> == <x, A^T v> for all x and v."""
    for chosen in TABLE[forward].domain:
        x, *others = chosen.sample(rng)
        y = TABLE[forward](x, *others, **chosen.statics).numpy()
        v = rng.standard_normal(y.shape)
        statics = {"shape": x.shape}
        if forward != "broadcast_to":
            statics |= chosen.statics
        pulled = TABLE[backward](v, *others, **statics).numpy()
        assert np.vdot(y, v) == pytest.approx(np.vdot(x, pulled))


def test_take_along_axis_agrees_with_numpy_where_numpy_can(rng):
    x, indices = rng.standard_normal((3, 4)), rng.integers(0, 4, (3, 2))
    ours = take_along_axis(x, indices, axis=1).numpy()
    np.testing.assert_array_equal(ours, np.take_along_axis(x, indices, axis=1))


# -------------------------------------------------- the tester is tested: planted mistakes fail

@pytest.mark.parametrize("factor", [1.001, 0.999, 2.0, -1.0, 0.0])
def test_a_wrong_rule_fails_at_first_order(factor):
    name = f"wrong_negation_{factor}"
    try:
        @op(np.negative, domain=elementwise(real), x=lambda g: -g * factor)
        def wrong(x, /):
            """Negation with a wrong derivative."""

        TABLE[name] = TABLE.pop("wrong")
        f, inputs = prepared(name, 1)
        with pytest.raises(GradientError, match=r"input 0 at index .* analytic .* numerical .* ratio"):
            tg.gradcheck(f, inputs)
    finally:
        TABLE.pop(name, None)


def test_a_rule_that_is_wrong_only_at_second_order_fails_there():
    try:
        # The value of the derivative is right, and what it depends on is hidden from the graph.
        @op(np.square, domain=elementwise(real), x=lambda g, x: g * 2 * x.detach())
        def half_hidden(x, /):
            """Square, differentiable once."""

        f, inputs = prepared("half_hidden", 1)
        assert tg.gradcheck(f, inputs)
        with pytest.raises(GradientError):
            tg.gradgradcheck(f, inputs)
    finally:
        TABLE.pop("half_hidden", None)


# ------------------------------------------------------------------------- the laws of the table

def declare(signature, kernel=np.negative, domain=elementwise(real), **rules):
    scope = {}
    exec(f"def lawless{signature}: 'An op.'", scope)
    try:
        return op(kernel, domain=domain, **rules)(scope["lawless"])
    finally:
        TABLE.pop("lawless", None)


@pytest.mark.parametrize(
    ("signature", "rules", "message"),
    [
        ("(a, b, /)", {"a": ZERO}, "one rule for each"),
        ("(a, /)", {"a": ZERO, "c": ZERO}, "one rule for each"),
        ("(a, /)", {"a": lambda g, z: g}, "names z"),
        ("(g, /)", {"g": lambda g: g}, "one rule for each"),
        ("(a, /, y=1)", {"a": lambda g: g}, "name of something else"),
    ],
)
def test_a_declaration_against_the_laws_raises_at_once(signature, rules, message):
    with pytest.raises(DeclarationError, match=message):
        declare(signature, **rules)


def test_an_op_without_a_domain_raises():
    with pytest.raises(DeclarationError, match="no domain"):
        declare("(a, /)", domain=[], a=ZERO)


def test_a_name_is_taken_once():
    with pytest.raises(DeclarationError, match="is taken"):
        @op(np.negative, domain=elementwise(real), x=ZERO)
        def relu(x, /):
            """Another one."""


def test_every_op_has_a_docstring_and_a_signature_that_help_shows():
    for name, entry in TABLE.items():
        assert entry.__doc__ and entry.__doc__.strip(), name
        assert entry.__name__ == name
        assert str(entry.__signature__) in repr(entry)


def test_what_no_rule_names_is_not_kept():
    x, w = tg.rand(3, 3, requires_grad=True), tg.rand(3, 3, requires_grad=True)
    assert [v for v in (x + w).grad_fn.saved_values if v is not None] == []
    kept = (x * w).grad_fn.saved_values
    assert kept[0] is x and kept[1] is w
    constant = tg.rand(3, 3)
    kept = (x * constant).grad_fn.saved_values      # the rule of x names the constant only
    assert kept[0] is None and kept[1] is constant
    (kept,) = x.relu().grad_fn.saved_values         # relu keeps its output
    assert kept.shape == (3, 3)


# ------------------------------------------------------ gradients of compositions, by HIPS autograd

def stable_logsumexp(x, axis):
    top = anp.max(x, axis, keepdims=True)
    return anp.log(anp.sum(anp.exp(x - top), axis, keepdims=True)) + top


COMPOSED = {
    "softmax": (lambda x: tg.softmax(x, 1), lambda x: anp.exp(x - stable_logsumexp(x, 1))),
    "log_softmax": (lambda x: tg.log_softmax(x, 1), lambda x: x - stable_logsumexp(x, 1)),
    "logsumexp": (lambda x: x.logsumexp(1), lambda x: stable_logsumexp(x, 1)[:, 0]),
    "logsumexp of all": (lambda x: x.logsumexp(), lambda x: stable_logsumexp(x, None)[0, 0]),
    "mean": (lambda x: x.mean(0), lambda x: anp.mean(x, 0)),
    "var": (lambda x: x.var(1), lambda x: anp.var(x, 1, ddof=1)),
    "std": (lambda x: x.std(correction=0), lambda x: anp.std(x)),
    "std along two": (lambda x: x.std((0, 1), keepdim=True), lambda x: anp.std(x, ddof=1)),
    "leaky_relu": (lambda x: tg.leaky_relu(x, 0.1), lambda x: anp.where(x > 0, x, 0.1 * x)),
    "thresholded": (
        lambda x: tg.thresholded_relu(x, 0.2, 0.3, 1.5),
        lambda x: anp.where(x > 0.2, 1.5 * x, 0.3 * x),
    ),
    "threshold": (lambda x: tg.threshold(x, 0.1, 7.0), lambda x: anp.where(x > 0.1, x, 7.0)),
    "clamp": (lambda x: x.clamp(-0.5, 0.7), lambda x: anp.clip(x, -0.5, 0.7)),
    "stack": (lambda x: tg.stack([x, x * x], 1), lambda x: anp.stack([x, x * x], 1)),
    "cat": (lambda x: tg.cat([x, 2 * x], 1), lambda x: anp.concatenate([x, 2 * x], 1)),
    "squares": (lambda x: (x.flatten() ** 2).unsqueeze(0), lambda x: anp.reshape(x, (1, -1)) ** 2),
    "mse": (lambda x: tg.mse_loss(x, x * 0 + 0.5), lambda x: anp.mean((x - 0.5) ** 2)),
    "cross_entropy": (
        lambda x: tg.cross_entropy(x, np.array([0, 3, 1])),
        lambda x: -anp.mean((x - stable_logsumexp(x, 1))[np.arange(3), np.array([0, 3, 1])]),
    ),
    "cross_entropy of probabilities": (
        lambda x: tg.cross_entropy(x, np.full((3, 4), 0.25), reduction="sum"),
        lambda x: -anp.sum(0.25 * (x - stable_logsumexp(x, 1))),
    ),
    "max along": (lambda x: x.max(1).values, lambda x: anp.max(x, 1)),
    "min along": (lambda x: x.min(0, keepdim=True)[0], lambda x: anp.min(x, 0)),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_compositions_agree_with_hips_autograd(name, rng):
    ours, theirs = COMPOSED[name]
    at = rng.standard_normal((3, 4))
    x = tg.tensor(at, requires_grad=True)
    y = ours(x)
    weight = rng.standard_normal(y.shape)
    expected = theirs(at)
    np.testing.assert_allclose(y.detach().numpy(), np.reshape(expected, y.shape), rtol=1e-12)
    y.backward(weight)
    gradient = autograd.grad(lambda v: anp.sum(theirs(v) * np.reshape(weight, np.shape(expected))))(at)
    np.testing.assert_allclose(x.grad.numpy(), gradient, rtol=1e-9, atol=1e-12)
    assert tg.gradgradcheck(ours, tg.tensor(at, requires_grad=True), atol=1e-5)


def test_cases_are_drawn_anew_for_a_new_generator():
    chosen = case(real(2))
    first = chosen.sample(np.random.default_rng(0))[0]
    assert not np.array_equal(first, chosen.sample(np.random.default_rng(1))[0])
