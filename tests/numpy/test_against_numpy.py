"""Every function of the NumPy dialect against NumPy, and its gradient against HIPS autograd's."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp

rng = np.random.default_rng(0)
X = rng.permutation(np.linspace(-2.0, 2.0, 6)).reshape(2, 3) + 0.03      # distinct, none 0
Y = rng.uniform(0.5, 1.5, (2, 3))
V, W = np.array([0.3, -1.2, 2.2]), np.array([1.1, 0.4, -0.7])
U = np.array([0.3, 0.9, 0.5])
Z = rng.normal(size=(2, 3, 4))
S = np.array([[3.0, 0.5, 0.2], [0.4, 2.0, -0.3], [0.1, 0.2, 4.0]])
SPD = S @ S.T
F = X.astype(np.float32)
K, J = np.array([[3, -1, 4], [1, -5, 2]]), np.array([[1, 2, 2], [3, 1, 2]])
I8, B, C = np.array([1, -2, 3], np.int8), np.array([True, False, True]), np.array([False, False, True])
N = np.array([[1.0, np.nan, 3.0], [np.nan, -2.0, 5.0]])
G = np.array([0.0, 1.0, 3.0, 3.5, 6.0])

CASES = []


def case(name, *arguments, grad=True, **keywords):
    CASES.append(pytest.param(name, arguments, keywords, grad, id=f"{name}-{len(CASES)}"))


for name in ["abs", "absolute", "arctan", "arcsinh", "cos", "cosh", "exp", "exp2", "expm1", "sin",
             "sinh", "tan", "tanh", "square", "negative", "positive", "reciprocal", "atan", "asinh",
             "deg2rad", "rad2deg", "degrees", "radians", "sinc", "real", "conj", "conjugate"]:
    case(name, X)
    case(name, F)
for name in ["sin", "exp", "sqrt", "abs", "negative", "square", "ceil", "floor", "trunc", "sign", "rint",
             "isnan", "isfinite", "logical_not", "tanh", "arctan", "positive", "cosh"]:
    case(name, J, grad=False)
for name in ["log", "log1p", "log2", "log10", "sqrt", "arccosh", "acosh"]:
    case(name, Y + 1)
for name in ["arcsin", "arccos", "arctanh", "asin", "acos", "atanh"]:
    case(name, U)
for name in ["ceil", "floor", "trunc", "fix", "rint", "sign", "isnan", "isinf", "isfinite", "signbit",
             "logical_not", "imag"]:
    case(name, X, grad=False)
    case(name, N, grad=False)
for name in ["add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "arctan2",
             "hypot", "logaddexp", "logaddexp2", "fmax", "fmin", "remainder", "mod", "atan2", "fmod",
             "copysign"]:
    case(name, X, Y)
    case(name, X, V)
    case(name, F, 2.0)
    case(name, 3, X)
for name in ["add", "subtract", "multiply", "divide", "maximum", "minimum", "remainder", "floor_divide",
             "less", "equal", "greater_equal", "logical_and", "bitwise_and", "bitwise_or", "bitwise_xor",
             "left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift", "fmin"]:
    case(name, K, J, grad=False)
for name in ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and",
             "logical_or", "logical_xor", "floor_divide", "heaviside", "nextafter"]:
    case(name, X, Y, grad=False)
for name in ["logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor",
             "equal", "add", "multiply", "maximum"]:
    case(name, B, C, grad=False)
U8 = np.array([3, 9, 1], np.uint8)
for name in ["copysign", "heaviside", "logaddexp", "logaddexp2", "fmax", "fmin", "divide", "hypot",
             "arctan2"]:
    case(name, U8, U8[::-1].copy(), grad=False)
    case(name, U8, 2, grad=False)
    case(name, U8, 2.5, grad=False)
for name in ["deg2rad", "rad2deg", "exp", "sqrt", "sinc"]:
    case(name, U8, grad=False)
case("deg2rad", B, grad=False)
case("logaddexp", B, C, grad=False)
case("round", B, grad=False)
case("vecdot", U8, U8, grad=False)
case("vecdot", B, C, grad=False)
case("maximum", N, 0.5, grad=False)
case("fmax", N, 0.5, grad=False)
case("fmin", 0.5, N, grad=False)
case("power", Y, X)
case("pow", Y, 3)
case("power", K, 2, grad=False)
case("float_power", Y, X)
case("float_power", J, 2, grad=False)
case("invert", B, grad=False)
case("bitwise_invert", K, grad=False)
case("bitwise_not", I8, grad=False)
case("round", X, grad=False)
case("round", 10 * X, 1, grad=False)
case("round", 1000 * X, -2, grad=False)
case("round", K, -1, grad=False)
case("divmod", X, Y, grad=False)
case("clip", X, -1.0, 1.0)
case("clip", X, V - 3.0, Y)
case("clip", F, 0, None)
case("clip", K, 0, 2, grad=False)
case("clip", X, min=0.1)
case("nan_to_num", N, grad=False)
case("nan_to_num", N, nan=7.0, grad=False)
case("isclose", X, X + 1e-9, grad=False)
case("isclose", N, N, equal_nan=True, grad=False)

# ------------------------------------------------------------------------------------ manipulation
case("reshape", X, (3, 2))
case("reshape", X, -1)
case("ravel", X)
case("transpose", Z)
case("transpose", Z, (1, 0, 2))
case("permute_dims", Z, (2, 0, 1))
case("permute_dims", Z)
case("swapaxes", Z, 0, -1)
case("matrix_transpose", Z)
case("moveaxis", Z, 0, -1)
case("moveaxis", Z, (0, 1), (2, 0))
case("expand_dims", X, 1)
case("expand_dims", X, (0, -1))
case("squeeze", X[:, None])
case("squeeze", X[None, :, None], 0)
case("atleast_1d", np.array(0.3))
case("atleast_2d", V)
case("atleast_3d", X)
case("broadcast_to", V, (2, 3))
case("broadcast_arrays", V, X)
case("concatenate", [X, Y])
case("concatenate", [X, V], axis=None)
case("concatenate", (X, K), axis=1)
case("concatenate", [F, I8[None]], axis=0)
case("concat", [X, Y], axis=1)
case("append", X, Y, axis=0)
case("append", X, V)
case("stack", [V, W], axis=1)
case("stack", [K, J], grad=False)
case("hstack", [X, Y])
case("block", [[X, Y], [Y, X]])
case("block", [V, W])
case("hstack", [V, W])
case("vstack", [V, X])
case("dstack", [V, W])
case("column_stack", [V, X.T])
case("unstack", X, axis=1)
case("split", Z, 2, axis=2)
case("split", X, [1, 2], 1)
case("array_split", Z, 3, 2)
case("array_split", V, 2)
case("hsplit", X, 3)
case("vsplit", X, 2)
case("flip", X)
case("flip", X, 1)
case("flip", Z, (0, 2))
case("fliplr", X)
case("flipud", X)
case("roll", X, 2)
case("roll", X, (1, -1), (0, 1))
case("roll", X, 1, (0, 1))
case("rot90", X)
case("rot90", X, 3)
case("tile", X, 2)
case("tile", V, (2, 2))
case("repeat", X, 2)
case("repeat", X, [1, 0, 2], axis=1)
case("repeat", V, [1, 2, 0])
for mode in ["constant", "edge", "reflect", "symmetric", "wrap"]:
    case("pad", X, ((1, 0), (2, 1)) if mode != "reflect" else ((1, 0), (2, 2)), mode)
    case("pad", V, 4, mode)
    case("pad", K, (1, 2), mode, grad=False)
case("pad", X, 1, constant_values=3.0)
case("diag", V)
case("diag", V, -1)
case("diag", X, 1)
case("diagflat", X)
case("diagonal", Z, 1)
case("diagonal", Z, 0, 1, 2)
case("tril", X)
case("triu", Z, 1)
case("tril", K, -1, grad=False)
case("meshgrid", V, W)
case("meshgrid", V, W, indexing="ij")
case("copy", X)
case("shape", X, grad=False)
case("ndim", X, grad=False)
case("size", X, grad=False)
case("size", X, 1, grad=False)

# --------------------------------------------------------------------------------------- searching
case("take", X, [3, 0, -1])
case("take", X, np.array([[0, 2], [1, -1]]), axis=1)
case("take_along_axis", X, np.array([[2], [-1]]), axis=1)
case("take_along_axis", X, np.array([[1, 0, 1]]), axis=0)
case("where", X > 0, X, Y)
case("select", [X > 1, X > 0], [X, Y], 2.0)
case("where", B, F, 0)
case("where", B, I8, 1.5, grad=False)
case("where", X > 0, grad=False)
case("nonzero", K > 1, grad=False)
case("argwhere", K > 1, grad=False)
case("flatnonzero", X > 0, grad=False)
case("count_nonzero", B, grad=False)
case("count_nonzero", X > 0, axis=1, keepdims=True, grad=False)
case("argmax", X, grad=False)
case("argmin", X, axis=1, keepdims=True, grad=False)
case("argmax", B, grad=False)
case("sort", X)
case("sort", X, axis=0)
case("sort", X, axis=None)
case("sort", K, grad=False)
case("argsort", X, axis=0, grad=False)
case("argsort", X, axis=None, grad=False)
case("searchsorted", G, V, grad=False)
case("searchsorted", G, 3.0, side="right", grad=False)
case("searchsorted", G[::-1].copy(), V, sorter=np.arange(5)[::-1].copy(), grad=False)
case("digitize", V, G, grad=False)
case("digitize", V, G[::-1], True, grad=False)
case("unique", np.array([2.0, 1.0, 2.0, np.nan, np.nan]), grad=False)
case("unique", X)
case("unique", J, True, True, True, grad=False)
case("unique", np.array([[1, 2], [1, 2], [0, 3]]), axis=0, return_inverse=True, grad=False)
for name in ["unique_all", "unique_counts", "unique_inverse"]:
    case(name, J, grad=False)
    case(name, N, grad=False)

# -------------------------------------------------------------------------------------- statistics
for name in ["sum", "prod", "max", "min", "amax", "amin", "mean", "var", "std", "ptp", "median", "nansum",
             "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin"]:
    case(name, X)
    case(name, X, axis=0)
    case(name, Z, axis=(0, 2))
    case(name, Z, axis=1, keepdims=True)
    case(name, F)
    case(name, K, axis=1, grad=False)
    case(name, I8, grad=False)
    if name.startswith("nan"):
        case(name, N, axis=1, grad=False)
for name in ["sum", "prod", "mean", "cumsum", "cumprod", "all", "any"]:
    case(name, B, grad=False)
for name in ["sum", "mean", "prod", "var"]:
    case(name, F, dtype=np.float64, grad=False)
for name in ["sum", "prod", "cumsum", "cumprod", "cumulative_sum"]:
    case(name, I8, dtype=np.int8, grad=False)
case("trace", K, dtype=np.int32, grad=False)
case("linalg.trace", K, dtype=np.float32, grad=False)
case("median", N, axis=1, grad=False)
case("median", np.zeros((0, 3)), axis=1, grad=False)
case("sum", np.zeros((0, 3)), axis=0, grad=False)
case("prod", np.zeros((0, 3)), grad=False)
case("median", G)
case("var", X, ddof=1)
case("std", X, axis=1, ddof=1)
case("std", X, correction=1)
case("nanvar", N, axis=1, ddof=1, grad=False)
case("all", X > -1, axis=0, grad=False)
case("any", K, axis=1, keepdims=True, grad=False)
case("average", X)
case("average", X, axis=1, weights=U)
case("average", X, weights=Y)
case("average", X, 0, [1.0, 3.0], True)
case("average", K, grad=False)
for method in ["linear", "lower", "higher", "midpoint", "nearest"]:
    case("quantile", X, 0.3, method=method)
case("quantile", X, [0.1, 0.5], axis=1)
case("quantile", Z, 0.7, axis=(0, 2), keepdims=True)
case("quantile", F, 0.25)
case("quantile", F, [0.25])
case("quantile", J, 0.4, grad=False)
case("percentile", X, 30, axis=0)
case("percentile", X, [10, 90.0])
for name in ["cumsum", "cumprod"]:
    case(name, X)
    case(name, X, axis=1)
    case(name, F, axis=0)
    case(name, I8, grad=False)
for name in ["cumulative_sum", "cumulative_prod"]:
    case(name, V)
    case(name, X, axis=1, include_initial=True)
    case(name, I8, include_initial=True, grad=False)
case("diff", X)
case("diff", X, 2, axis=1)
case("diff", V, prepend=0.0)
case("diff", X, axis=0, append=Y)
case("diff", K, grad=False)
case("diff", B, grad=False)
case("bincount", np.array([0, 2, 2, 1]), grad=False)
case("bincount", np.array([0, 2, 2]), V, minlength=5)
case("histogram", X, grad=False)
case("histogram", X, 4, (-1.0, 1.0), grad=False)
case("histogram", K, [-5, 0, 5], grad=False)
case("histogram", V, G, weights=W, grad=False)
case("histogram", V, 3, density=True, grad=False)
case("gradient", G)
case("gradient", G, 0.5)
case("gradient", G, edge_order=2)
case("gradient", G**2, G, edge_order=2)
case("gradient", G**2, G)
case("gradient", X)
case("gradient", Z, 2.0, V, axis=(2, 1))
case("gradient", K, axis=1, grad=False)
case("gradient", F, axis=1)
case("gradient", X, np.array(0.3), V, edge_order=1)
case("trapezoid", X)
case("trapezoid", X, dx=0.5, axis=0)
case("trapezoid", X, V)
case("trapezoid", X, Y)
case("interp", np.array([-1.0, 0.5, 2.2, 5.0, 7.0]), G, G**2)
case("interp", np.array([-1.0, 0.5, 7.0]), G, G**2, left=-5.0, right=3.0)

# ---------------------------------------------------------------------------------------- products
case("dot", V, W)
case("dot", X, V)
case("dot", X, Y.T)
case("dot", Z, np.ones((5, 4, 2)))
case("dot", 2.0, X)
case("vdot", X, Y)
case("inner", X, Y)
case("inner", X, V)
case("outer", V, X)
case("kron", V, X)
case("matmul", X, Y.T)
case("matmul", K, J.T, grad=False)
case("matmul", F, F.T)
case("tensordot", Z, Z, axes=([0, 1], [0, 1]))
case("tensordot", X, Y.T, 1)
case("vecdot", X, Y)
case("vecdot", X, V)
case("vecdot", X, Y, axis=0)
case("matvec", X, V)
case("vecmat", V, X.T)
case("cross", V, W)
case("cross", X, V)
case("einsum", "ij,kj->ik", X, Y)
case("einsum", "ijk,j", Z, V)
case("trace", S)
case("trace", Z, 1, 1, 2)
case("trace", K, grad=False)
case("trace", I8[None], grad=False)

# ------------------------------------------------------------------------------------------ linalg
for name in ["det", "inv", "slogdet", "pinv"]:
    case(f"linalg.{name}", S)
    case(f"linalg.{name}", np.stack([S, SPD]))
case("linalg.pinv", X)
case("linalg.inv", np.array([[2, 1], [1, 3]]), grad=False)
case("linalg.cholesky", SPD)
case("linalg.cholesky", SPD, upper=True)
case("linalg.cholesky", np.tril(SPD) + np.triu(S, 1))
case("linalg.eigvalsh", SPD)
case("linalg.eigvalsh", S)
case("linalg.eigvalsh", S, "U")
case("linalg.eigh", SPD, grad=False)
case("linalg.eigh", S, grad=False)
case("linalg.svd", X, grad=False)
case("linalg.svd", X, full_matrices=False, grad=False)
case("linalg.svd", X, compute_uv=False)
case("linalg.svdvals", X)
case("linalg.qr", X)
case("linalg.qr", S, mode="r")
case("linalg.solve", S, V)
case("linalg.solve", S, np.stack([V, W], 1))
case("linalg.solve", np.stack([S, SPD]), V)
case("linalg.solve", np.stack([S, SPD]), X.T)
case("linalg.matrix_rank", S, grad=False)
case("linalg.matrix_rank", np.ones((2, 2)), grad=False)
case("linalg.matrix_rank", S, 3.0, grad=False)
case("linalg.matrix_power", S, 3)
case("linalg.matrix_power", S, -2)
case("linalg.cond", S)
case("linalg.cond", S, 1)
for ord in [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]:
    case("linalg.norm", X, ord)
    if ord not in ("fro", "nuc"):
        case("linalg.norm", V, ord)
case("linalg.norm", Z, axis=1, keepdims=True)
case("linalg.norm", Z, 3, axis=2)
case("linalg.norm", Z, 1, axis=(0, 1))
case("linalg.norm", Z)
case("linalg.norm", K, grad=False)
case("linalg.vector_norm", Z, axis=(0, 2), ord=1)
case("linalg.vector_norm", X)
case("linalg.matrix_norm", Z, ord=1)
case("linalg.multi_dot", [X, S, Y.T])
case("linalg.outer", V, W)
case("linalg.matrix_transpose", Z)
case("linalg.diagonal", Z, offset=1)
case("linalg.trace", Z, offset=-1)
case("linalg.cross", V, W)
case("linalg.matmul", X, S)
case("linalg.tensordot", X, Y.T, axes=1)
case("linalg.vecdot", X, Y)

# ---------------------------------------------------------------------------------------- creation
case("full_like", X, 3.0, grad=False)
case("full_like", K, 3.7, grad=False)
for name in ["zeros_like", "ones_like"]:
    case(name, F, grad=False)
    case(name, K, dtype=np.float32, grad=False)
    case(name, B, grad=False)
for name in ["zeros", "ones"]:
    case(name, 3, grad=False)
    case(name, (2, 3), np.int8, grad=False)
    case(name, [2], dtype="float32", grad=False)
case("full", (2, 2), 3, grad=False)
case("full", 2, 2.5, grad=False)
case("full", 2, True, grad=False)
case("full", (2, 3), V)
case("arange", 5, grad=False)
case("arange", 1, 2.0, 0.25, grad=False)
case("arange", 3, dtype=np.float32, grad=False)
case("linspace", 0, 2, 5, grad=False)
case("linspace", 0, 2, 5, endpoint=False, dtype=np.float32, grad=False)
case("linspace", V, W, 4)
case("logspace", 0, 2, 3, grad=False)
case("eye", 3, 4, 1, grad=False)
case("eye", 2, dtype=bool, grad=False)
case("identity", 3, grad=False)
case("tri", 3, 4, -1, grad=False)
case("astype", X, np.float32, grad=False)
case("asarray", [1, 2], grad=False)
case("asarray", X)
case("array", [[1.5, True]], grad=False)
case("array", X, ndmin=3)


def function(module, name):
    for part in name.split("."):
        module = getattr(module, part)
    return module


def mapped(change, value):
    """Return a nested list or tuple with `change` made to its arrays."""
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(change, part) for part in value)
    return change(value) if isinstance(value, np.ndarray) else value


def parts(result):
    """Return the arrays that a result is made of."""
    if isinstance(result, (list, tuple)):
        return [part for each in result for part in parts(each)]
    return [result]


def assert_same(ours, theirs):
    ours, theirs = parts(ours), parts(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        if isinstance(b, (int, bool)):
            assert a == b and type(a) is type(b)
            continue
        b = np.asarray(b)
        assert isinstance(a, tg.Tensor)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        loose = {2: 2e-3, 4: 2e-6}.get(b.dtype.itemsize, 1e-12) if b.dtype.kind == "f" else 0
        np.testing.assert_allclose(a.detach().numpy(), b, loose, loose)

case("cbrt", X)
case("fabs", X)
case("fabs", K, grad=False)
for name in ["gcd", "lcm"]:
    case(name, K, J, grad=False)
for name in ["isposinf", "isneginf"]:
    case(name, np.array([np.inf, -np.inf, 1.0]), grad=False)
case("ldexp", X, J)
case("around", X, 1, grad=False)
case("isin", K, J, grad=False)
case("isin", K, [1, 2], invert=True, grad=False)
for name in ["union1d", "intersect1d", "setdiff1d"]:
    case(name, K, J, grad=False)
for name in ["nancumsum", "nancumprod"]:
    case(name, N, grad=False)
    case(name, N, 1, grad=False)
for name in ["nanargmax", "nanargmin"]:
    case(name, N, grad=False)
    case(name, N, 1, keepdims=True, grad=False)
for name in ["nanmedian"]:
    case(name, N, grad=False)
    case(name, N, axis=0, keepdims=True, grad=False)
    case(name, Z, axis=(0, 2), grad=False)
case("nanmedian", np.array([[2.0, np.inf], [np.nan, 1.0]]), 1, grad=False)
case("cov", F, grad=False)
case("ldexp", F, J, grad=False)
case("ediff1d", F, 5, grad=False)
case("intersect1d", K, G, grad=False)
case("nanquantile", N, 0.3, axis=1, grad=False)
case("nanpercentile", N, [10.0, 60.0], grad=False)
case("cov", X, grad=False)
case("cov", X, Y, False, True, grad=False)
case("cov", V, grad=False)
case("cov", V, W, fweights=np.array([1, 2, 1]), aweights=U, grad=False)
case("cov", K, ddof=0, grad=False)
case("corrcoef", X, grad=False)
case("corrcoef", V, W, False, grad=False)
case("ediff1d", X, 5.0, [1.0, 2.0], grad=False)
case("polyval", V, X, grad=False)
case("vander", V, grad=False)
case("vander", V, 5, True, grad=False)
for mode in ["full", "same", "valid"]:
    case("convolve", G, V, mode, grad=False)
    case("convolve", V[:2], G, mode, grad=False)
    case("convolve", K[0], J[0], mode, grad=False)
case("delete", X, 1, 1, grad=False)
case("delete", X, [0, -1], grad=False)
case("delete", X, slice(None, None, 2), 1, grad=False)
case("delete", X, np.array([True, False, True]), 1, grad=False)
case("dsplit", Z, [1, 3], grad=False)
case("geomspace", 1.0, 100.0, 7, grad=False)
case("tril_indices", 3, -1, grad=False)
case("triu_indices", 3, 1, 4, grad=False)
case("broadcast_shapes", (2, 1), (3,), grad=False)

@pytest.mark.parametrize(("name", "arguments", "keywords", "grad"), CASES)
def test_value_dtype_and_shape_are_numpys(name, arguments, keywords, grad):
    with np.errstate(all="ignore"):
        theirs = function(np, name)(*arguments, **keywords)
    ours = function(tnp, name)
    assert_same(ours(*mapped(tg.tensor, arguments), **mapped_words(tg.tensor, keywords)), theirs)
    assert_same(ours(*arguments, **keywords), theirs)
    plain = [x for x in arguments if not isinstance(x, list)]
    if all(not isinstance(x, tuple) and np.size(x) for x in plain):     # a nested list is an array, too
        lists = [x.tolist() if isinstance(x, np.ndarray) and x.dtype in (np.float64, np.int64, bool)
                 else x for x in arguments]
        assert_same(ours(*lists, **keywords), theirs)


def mapped_words(change, keywords):
    return {word: mapped(change, value) for word, value in keywords.items()}


ASKS = [c for c in CASES if not c.values[0].startswith(("unique_", "array"))]


@pytest.mark.parametrize(("name", "arguments", "keywords", "grad"), ASKS)
def test_numpys_own_function_answers_with_ours(name, arguments, keywords, grad):
    asked, tensors = function(np, name), mapped(tg.tensor, arguments)
    arrays = [x for x in parts(arguments) if isinstance(x, np.ndarray)]
    dispatches = not keywords if isinstance(asked, np.ufunc) else hasattr(asked, "_implementation")
    if not (dispatches and arrays):
        return
    assert_same(asked(*tensors, **mapped_words(tg.tensor, keywords)), asked(*arguments, **keywords))


#: Where HIPS autograd has the derivative, too, with all arguments of our cases.
BY_AUTOGRAD = {
    "abs", "absolute", "add", "amax", "amin", "append", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "array", "atleast_2d", "atleast_3d", "column_stack", "conj",
    "conjugate", "cos", "cosh", "cumsum", "deg2rad", "degrees", "divide", "dot", "dstack", "einsum",
    "exp", "exp2", "expand_dims", "expm1", "fliplr", "flipud", "fmax", "fmin", "hstack", "hypot",
    "inner", "kron", "linalg.det", "linalg.inv", "linalg.multi_dot", "linalg.pinv", "linalg.svd",
    "linspace", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "matmul", "max",
    "maximum", "mean", "min", "minimum", "mod", "moveaxis", "multiply", "negative", "permute_dims",
    "pow", "power", "prod", "rad2deg", "radians", "ravel", "real", "reciprocal", "remainder",
    "reshape", "rot90", "sin", "sinc", "sinh", "sqrt", "square", "squeeze", "stack", "std",
    "subtract", "sum", "swapaxes", "tan", "tanh", "tensordot", "transpose", "tril", "triu",
    "true_divide", "var", "vstack", "where",
}

SLOPED = [c for c in CASES if c.values[3]]


@pytest.mark.parametrize(("name", "arguments", "keywords", "grad"), SLOPED)
def test_gradient_is_that_of_autograd_or_of_differences(name, arguments, keywords, grad):
    ours = function(tnp, name)
    leaves = [x for x in parts(list(arguments)) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    leaves = [x.astype(np.float64) for x in leaves]
    rng = np.random.default_rng(1)
    shapes = [np.shape(y) for y in parts(function(np, name)(*arguments, **keywords))]
    weights = [rng.uniform(0.5, 1.5, shape) for shape in shapes]

    def loss(f, leaves):
        rest = iter(leaves)

        def filled(x):
            return next(rest) if x.dtype.kind == "f" else x

        found = parts(f(*mapped(filled, list(arguments)), **keywords))
        total = 0.0
        for w, y in zip(weights, found):
            total = total + (w * y).sum()
        return total

    tensors = [tg.tensor(x, requires_grad=True) for x in leaves]
    assert tg.gradcheck(lambda *xs: loss(ours, xs), tensors)
    if name not in BY_AUTOGRAD or "correction" in keywords:
        return
    theirs = function(anp, name)
    loss(ours, tensors).backward()
    expected = autograd.grad(lambda xs: loss(theirs, xs))(leaves)
    for x, e in zip(tensors, expected):
        np.testing.assert_allclose(x.grad.numpy(), e, 1e-9, 1e-9)


def test_every_function_is_in_the_table():
    """Those left out have tests of their own."""
    named = {c.values[0] for c in CASES}
    alone = {
        "allclose", "array_equal", "can_cast", "empty", "empty_like", "finfo", "from_dlpack", "iinfo",
        "isdtype", "result_type", "unique_values", "linalg", "e", "inf", "nan", "newaxis", "pi", "bool",
        "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
        "uint64",
    }
    assert set(tnp.__all__) - named == alone
    assert {f"linalg.{name}" for name in tnp.linalg.__all__} <= named | {"linalg.lstsq"}


@pytest.mark.parametrize("call", [
    lambda x: tnp.cov(x), lambda x: tnp.corrcoef(x), lambda x: tnp.convolve(x[0], x[1]),
    lambda x: tnp.polyval(x[0], x[1]), lambda x: tnp.vander(x[0], 2), lambda x: tnp.delete(x, 1, 1),
    lambda x: tnp.ediff1d(x, x[0]), lambda x: tnp.nanmedian(x, 1), lambda x: tnp.nancumprod(x, 0),
    lambda x: tnp.cbrt(x), lambda x: tnp.union1d(x, x[0]), lambda x: np.cbrt(x) + np.fabs(x),
])
def test_what_is_made_of_ops_is_differentiable(call):
    x = tg.tensor(X, requires_grad=True)
    assert tg.gradcheck(call, x) and tg.gradgradcheck(call, x)
