"""Bad input: a function raises one of our errors at the call, under its own name, or answers rightly."""

import inspect
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from test_table import NUMPY

import tinygrad_relu as tg
from tinygrad_relu.engine import checked_call, checked_signature
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    GraphError,
    IndexingError,
    NotDifferentiable,
    RangeError,
    ShapeError,
    TensorError,
)
from tinygrad_relu.ops.table import TABLE

F = tg.nn.functional
X = tg.tensor(np.arange(1.0, 7.0).reshape(2, 3))
Z = tg.zeros(2, 3, 0)
LEAF = tg.tensor([1.0, 2.0], requires_grad=True)
KINDS = np.array([0, 2])
IMAGE = tg.ones(1, 2, 4, 4)

# The kind of the error, how its message begins or what it holds, and the call.
WRONG = [
    # axes
    (ShapeError, r"^sum: axis 5 .*x of shape \(2, 3\)", lambda: tg.sum(X, 5)),
    (ShapeError, r"^mean: axis 5 .*x of shape \(2, 3\)", lambda: tg.mean(X, 5)),
    (ShapeError, "^std: axis -3 ", lambda: X.std(-3)),
    (ShapeError, "^logsumexp: axis 2 ", lambda: tg.logsumexp(X, 2)),
    (ShapeError, "^aminmax: axis 2 ", lambda: tg.aminmax(X, axis=2)),
    (ShapeError, "^max: axis 2 ", lambda: tg.max(X, 2)),
    (ShapeError, "^min: axis 2 ", lambda: X.min(2)),
    (ShapeError, "^softmax: axis 2 ", lambda: tg.softmax(X, 2)),
    (ShapeError, "^cumsum: axis 2 ", lambda: tg.cumsum(X, 2)),
    (ShapeError, "^squeeze: axis 2 ", lambda: tg.squeeze(X, 2)),
    (ShapeError, "^sum: duplicate value", lambda: tg.sum(X, (0, 0))),
    (ShapeError, "^permute: repeated axis", lambda: tg.permute(X, 0, 0)),
    (ShapeError, "^flip: .*(twice|duplicate|repeated)", lambda: tg.flip(X, (0, -2))),
    (ArgumentError, "^sum: .*integer.*axis=0.5", lambda: tg.sum(X, 0.5)),
    (ArgumentError, "^mean: .*axis='a'", lambda: tg.mean(X, "a")),
    (ShapeError, "^mT: .*shape \\(2,\\)", lambda: LEAF.mT),
    (ShapeError, "^running_sum: axis 2 ", lambda: TABLE["running_sum"](X, 2)),
    (ShapeError, "^linear_recurrence: axis 1 ", lambda: TABLE["linear_recurrence"](LEAF, LEAF, 1)),
    (IndexingError, "^stride: ", lambda: X.stride(2)),
    # sizes that do not fit
    (ShapeError, r"^add: .*a of shape \(2, 3\), b of shape \(2,\)", lambda: X + LEAF),
    (ShapeError, r"^clamp: .*min of shape \(2,\)", lambda: tg.clamp(X, LEAF)),
    (ShapeError, "^lerp: .*broadcast", lambda: tg.lerp(X, LEAF, 0.5)),
    (ShapeError, "^expand: .*fewer", lambda: X.expand(3)),
    (ShapeError, "^vstack: the shapes", lambda: tg.vstack([X, LEAF])),
    (ShapeError, r"^cross_entropy: target has shape \(1,\)", lambda: F.cross_entropy(X, np.array([0]))),
    (ShapeError, "^linear: x has 3 features", lambda: F.linear(X, tg.ones(4, 2))),
    (ShapeError, r"^sum_to: .*\(2, 3\).*\(1, 1, 2, 3\)", lambda: TABLE["sum_to"](X, (1, 1, 2, 3))),
    (ShapeError, "^sum_to: ", lambda: TABLE["sum_to"](X, (2,))),
    (ShapeError, "^factors_eigh: .*one length", lambda: TABLE["factors_eigh"](X)),
    (ShapeError, "^normal: .*broadcast", lambda: tg.normal(LEAF, 1.0, (3,))),
    (ArgumentError, "^join: the stops", lambda: TABLE["join"](X, X, axis=0, stops=(1, 4))),
    # nothing, where something is needed
    (ShapeError, "^amax: zero-size", lambda: tg.amax(Z)),
    (ShapeError, "^max: ", lambda: tg.max(Z, 2)),
    (ShapeError, "^argmin: ", lambda: tg.argmin(Z, 2)),
    (ArgumentError, "^stack: pass a list", lambda: tg.stack([])),
    # indices and numbers
    (IndexingError, "^gather: index 3 is out of bounds", lambda: tg.gather(X, 1, np.array([[3], [0]]))),
    (IndexingError, "^take_along_axis: ", lambda: TABLE["take_along_axis"](X, np.array([[3], [0]]), 1)),
    (IndexingError, "^index: index 2 is out of bounds", lambda: X[2]),
    (IndexingError, "^cross_entropy: ", lambda: F.cross_entropy(X, KINDS + 1)),
    (RangeError, "^log_gamma: order is 200", lambda: TABLE["log_gamma"](X, 200)),
    (ArgumentError, "^log_gamma: order is inf", lambda: TABLE["log_gamma"](X, np.inf)),
    (RangeError, "^add: ", lambda: tg.tensor([1]) + 10**30),
    (RangeError, "^exp: x is 1000.*no dtype", lambda: tg.exp(10**30)),
    (RangeError, "^empty: negative", lambda: tg.empty(-1)),
    (RangeError, "^eye: ", lambda: tg.eye(10**30)),
    (RangeError, "^conv2d: groups is 0", lambda: F.conv2d(IMAGE, IMAGE, groups=0)),
    (RangeError, "^convolution: stride .*at least 1", lambda: TABLE["convolution"](
        IMAGE, IMAGE, ((0, 0), ((0, 0), (0, 0)), (1, 1)), 1)),
    (ArgumentError, "^columns_to_images: size is None", lambda: TABLE["columns_to_images"](
        X, None, (1, 1), ((1, 1), ((0, 0), (0, 0)), (1, 1)))),
    (ArgumentError, "^images_to_columns: layout is None", lambda: TABLE["images_to_columns"](
        IMAGE, (1, 1), None)),
    (ArgumentError, "^images_to_columns: padding is .* pair", lambda: TABLE["images_to_columns"](
        IMAGE, (1, 1), ((1, 1), (0, 0), (1, 1)))),
    # dtypes and kinds
    (DTypeError, "^subtract: .*boolean", lambda: tg.tensor([True]) - tg.tensor([True])),
    (DTypeError, "^add: b is a ndarray of dtype complex128", lambda: X + np.array([1j])),
    (DTypeError, "^relu: x is a str", lambda: tg.relu("abc")),
    (DTypeError, "^abs: x is a list of dtype object", lambda: tg.abs([None])),
    (DTypeError, "^linspace: stop is complex", lambda: tg.linspace(0, 1j)),
    (DTypeError, "^tensor: data is complex", lambda: tg.tensor([1j], dtype=float)),
    (DTypeError, "^asarray: data is complex", lambda: tg.asarray([1j], dtype=float)),
    (DTypeError, "^full: fill_value is complex", lambda: tg.full((2,), 1j, dtype=float)),
    (ArgumentError, "^exp: x is None", lambda: tg.exp(None)),
    (ArgumentError, "^mean: x is a list: pass a tensor", lambda: tg.mean([1.0])),
    (ArgumentError, "^flatten: x is a float", lambda: tg.flatten(1.0)),
    (ArgumentError, "^is_floating_point: x is a list", lambda: tg.is_floating_point([1.0])),
    (ArgumentError, "^half: .*positional", lambda: X.half(1)),
    (DTypeError, "^to: data type 'nonsense'", lambda: X.to("nonsense")),
    (ArgumentError, "^expand: unknown keyword 'nonsense'", lambda: X.expand(2, 3, nonsense=1)),
    (ArgumentError, "^pinv: atol is 1j", lambda: tg.linalg.pinv(X, 1j)),
    (ArgumentError, "^reshape: .*integer.*shape=", lambda: X.reshape(2.0, 3)),
    (DTypeError, "^randint: requires_grad: ", lambda: tg.randint(3, (2,), requires_grad=True)),
    (GraphError, "^relu_: a leaf", lambda: LEAF.relu_()),
    (ShapeError, "^add_: .*result", lambda: tg.ones(1).add_(X)),
    (GraphError, "^linear: .*gradient", lambda: F.linear(X, [LEAF, LEAF])),
    (NotDifferentiable, "^softmax: axis is a tensor", lambda: tg.softmax(X, tg.tensor(0.0, True))),
]


@pytest.mark.parametrize(("kind", "message", "call"), WRONG, ids=[row[1] for row in WRONG])
def test_what_is_wrong_raises_at_the_call_with_the_name(kind, message, call):
    with pytest.raises(TensorError, match=message) as caught:
        call()
    assert caught.type is kind


def test_numbers_alone_are_tensors_without_axes():
    for result, expected in (
        (tg.exp(2.0), np.exp(2.0)), (tg.sqrt(4), 2.0), (tg.sum(2.5), 2.5), (tg.add(1, 2), 3),
        (tg.logical_not(True), False), (tg.softmax(3.0, -1), 1.0), (tg.relu(-1), 0),
        (tg.pow(2.0, 3), 8.0),
    ):
        assert isinstance(result, tg.Tensor) and result.shape == ()
        assert result.dtype == np.asarray(expected).dtype and result.item() == expected


# ----------------------------------------------------------------------- how errors get their name

def test_the_outermost_function_gives_its_name_and_arguments():
    @checked_call
    def outer(a, axis=0):
        return inner(a, axis)

    @checked_call
    def inner(x, axis):
        return tg.sum(x, axis)

    with pytest.raises(ShapeError, match=r"^outer: axis 4 .* \(with a of shape \(2, 3\), axis=4\)$"):
        outer(X, dim=4)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ValueError("operands could not be broadcast"), ShapeError), (ValueError("odd"), RangeError),
     (OverflowError("large"), RangeError), (ZeroDivisionError("by zero"), RangeError),
     (IndexError("off"), IndexingError), (TypeError("no loop for ufunc"), DTypeError),
     (TypeError("no"), ArgumentError), (np.exceptions.AxisError(3, 2), ShapeError)],
)
def test_what_numpy_and_python_raise_becomes_ours(error, kind):
    def failing(x, flag=False):
        raise error

    with pytest.raises(kind, match=f"failing: .*{error}.* x of shape") as caught:
        checked_call(failing)(X)
    assert caught.type is kind and caught.value.__cause__ is error
    # As it is where the user's own function may be at fault.
    with pytest.raises(type(error)) as caught:
        checked_signature(failing)(X)
    assert caught.value is error


# ------------------------------------------------------------------------------- nothing in some axis

def emptied(entry, k, length):
    """Return a case with nothing in the axes of a length, or in all: inputs, gathered, other statics."""
    chosen = entry.domain[k]
    statics = dict(chosen.statics)
    gathered = statics.pop(entry.names[-1]) if entry.gathers else ()
    inputs = [
        x[tuple(slice(0 if length in (n, None) else None) for n in x.shape)]
        if isinstance(x, np.ndarray) else x
        for x in chosen.sample(np.random.default_rng(0))
    ]
    return inputs, gathered, statics


# Their statics, or another input, tell a length, so that there is no empty case made of theirs.
FIXED = {"broadcast_to", "convolution_adjoint", "place", "place_on_diagonal"}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_nothing_goes_there_and_back(name):
    entry, answered = TABLE[name], name in FIXED
    for k, chosen in enumerate(entry.domain):
        for length in {n for x in chosen.sample(np.random.default_rng(0)) for n in (*np.shape(x), None)}:
            inputs, gathered, statics = emptied(entry, k, length)
            tensors = [
                tg.tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x
                for x in inputs
            ]
            try:
                y = entry(*tensors, *gathered, **statics)
            except TensorError as error:
                assert str(error).startswith(f"{name}: ")
                continue
            answered = True
            if y.requires_grad:
                try:
                    y.backward(np.ones(y.shape))
                except NotDifferentiable:
                    continue
                for x in tensors:
                    if isinstance(x, tg.Tensor) and x.grad is not None:
                        assert x.grad.shape == x.shape
                        assert y.numel() or not x.grad.numpy().any()
    assert answered


# ---------------------------------------------------------------------------- anything for anything

NAMESPACES = {"tg": tg, "F": F, "linalg": tg.linalg, "special": tg.special}
# They set or tell how the package works, or take functions.
SETTINGS = {
    "check_gradients", "device", "empty_cache", "enable_grad", "get_default_dtype", "get_kink_slope",
    "get_num_threads", "gradcheck", "gradgradcheck", "is_grad_enabled", "is_inference_mode_enabled",
    "kink_sensitivity", "load", "manual_seed", "memory_stats", "no_grad", "save", "set_cache_limit",
    "set_default_device", "set_default_dtype", "set_kink_slope", "set_num_threads", "set_printoptions",
    "show_config",
}
FUNCTIONS = {f"op {name}": entry for name, entry in TABLE.items()} | {
    f"{space}.{name}": value
    for space, module in NAMESPACES.items()
    for name, value in vars(module).items()
    if not name.startswith("_") and callable(value) and not inspect.isclass(value)
    and name not in SETTINGS
}


def array(dtype, shape, start, special):
    """Return an array of some dtype with small numbers in no order."""
    values = (np.arange(start, start + np.prod(shape, dtype=int)) * 7 % 5 - 2).reshape(shape)
    if dtype == "O":
        return np.full(shape, None)
    values = np.asarray(values, dtype) if dtype in "?ilU" else np.asarray(values * 0.75, dtype)
    if dtype in "fd" and special is not None and values.size:
        values.reshape(-1)[0] = special
    return values


ARRAYS = st.builds(
    array,
    st.sampled_from("dddddffff??lliDOU"),
    st.lists(st.integers(0, 3), max_size=4).map(tuple) | st.sampled_from([(2, 3), (2, 2), (3,), (2,)]),
    st.integers(0, 4),
    st.sampled_from([None, None, None, np.nan, np.inf, -np.inf, 1e30, 0.0]),
)
TENSORS = st.builds(
    lambda x, recorded: tg.tensor(x, requires_grad=recorded and x.dtype.kind == "f")
    if x.dtype.kind in "biuf" else x,
    ARRAYS,
    st.booleans(),
)
SMALL = st.integers(-3, 3)
NUMBERS = st.sampled_from(
    [0.5, -1.5, 2.0, np.nan, np.inf, 1e300, 2**62, 10**30, -(10**30), 10**400, 1j, True, False,
     np.int64(1), np.float32(0.5)]
)
ODD = st.sampled_from(
    [None, "", "mean", "sum", "none", "fro", "ij,jk->ik", "reflect", "x", b"x", {}, {"a": 1}, object(),
     slice(None), Ellipsis, range(3), [[1], [1, 2]], np.float32, "float32", object, print]
)
ANYTHING = (
    TENSORS | SMALL | NUMBERS | ODD | ARRAYS | st.lists(SMALL, max_size=4).map(tuple)
    | st.lists(SMALL, max_size=3) | st.lists(TENSORS, max_size=3)
)
MOSTLY_TENSORS = st.one_of(TENSORS, TENSORS, TENSORS, ANYTHING)


@st.composite
def calls(draw, function):
    """Draw arguments for a function, by position mostly."""
    parameters = list(inspect.signature(function).parameters.values())
    least = sum(p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD for p in parameters)
    most = len(parameters)
    count = draw(st.sampled_from([least, least, least + 1, least + 1, most, most + 1]))
    arguments = [draw(MOSTLY_TENSORS if k < 2 else ANYTHING) for k in range(count)]
    keywords = {}
    for p in parameters[count:]:
        if draw(st.integers(0, 3)) == 0:
            keywords[p.name] = draw(ANYTHING)
    return arguments, keywords


def by_numpy(entry, arguments):
    """Return what NumPy answers to the arguments of an op, or None where it cannot be compared."""
    reference = NUMPY.get(entry.name)
    values = [x.detach().numpy() if isinstance(x, tg.Tensor) else x for x in arguments]
    arrays = values[: entry.inputs]
    plain = all(
        isinstance(x, np.ndarray) and x.dtype in (float, int, bool) and (np.abs(x) < 10).all()
        for x in arrays
    )
    if reference is None or entry.inputs < 0 or len(arrays) < entry.inputs or not plain:
        return None
    statics = values[entry.inputs :]
    if entry.gathers:
        alone = len(statics) == 1 and isinstance(statics[0], tuple | list)
        statics = [tuple(statics[0] if alone else statics)]
    names = entry.names[entry.inputs :]
    given = {n: tuple(x) if isinstance(x, list) else x for n, x in zip(names, statics)}
    defaults = {n: x for n, x in zip(names, entry.static_defaults) if x != () or not entry.gathers}
    with np.errstate(all="ignore"):
        return reference(*arrays, **(defaults | given))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_anything_raises_one_of_ours_or_is_numpys(name):
    function = FUNCTIONS[name]

    @seed(zlib.crc32(name.encode()))
    @settings(max_examples=12, derandomize=True, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))
    @given(call=calls(function))
    def run(call):
        arguments, keywords = call
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # NumPy's own call of BLAS looks for overflow, as `product` of kernels/linalg.pyx reports.
            warnings.filterwarnings("ignore", ".* encountered in dot")
            try:
                result = function(*arguments, **keywords)
            except TensorError as error:
                assert ": " in str(error)
                return
            except MemoryError:
                return
        if name.startswith("op ") and not keywords:
            expected = by_numpy(function, arguments)
            if expected is not None:
                np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-9, atol=1e-12)

    run()
