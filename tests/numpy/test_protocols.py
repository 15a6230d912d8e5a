"""NumPy's functions, and the array API standard's questions, answered by the NumPy dialect."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    GraphError,
    IndexingError,
    NotDifferentiable,
    RangeError,
    ShapeError,
)


def leaf(*values):
    return tg.tensor(np.array(values), requires_grad=True)


X = tg.tensor(np.arange(1.0, 7.0).reshape(2, 3))


def test_numpys_functions_are_recorded():
    x, y = leaf(1.0, 2.0), leaf(3.0)
    total = np.sum(np.concatenate([x, y, np.ones(2)]) ** 2) + np.where([True, False], x, 0).sum()
    assert isinstance(total, tg.Tensor)
    total.backward()
    assert x.grad.tolist() == [3.0, 4.0] and y.grad.tolist() == [6.0]
    a = np.array([[2.0, 0.0], [0.0, 4.0]])
    np.linalg.solve(a, leaf(1.0, 1.0)).sum().backward()
    x.grad = None
    np.linalg.solve(a, x)[1].backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_arrays_beside_tensors_are_copied_for_the_way_back():
    x, array = leaf(1.0, 2.0), np.array([3.0, 4.0])
    y = tnp.sum(tnp.multiply(x, array)) + np.dot(array, x) + tnp.average(x, weights=array)
    array[:] = 0
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), [6 + 3 / 7, 8 + 4 / 7])


def test_ufuncs_that_reduce():
    x = leaf(1.0, 5.0, 2.0)
    found = [np.add.reduce(x), np.multiply.reduce(x), np.maximum.reduce(x), np.minimum.reduce(x)]
    assert [float(y) for y in found] == [8.0, 10.0, 5.0, 1.0]
    np.multiply.reduce(x).backward()
    assert x.grad.tolist() == [10.0, 2.0, 5.0]
    assert np.add.reduce(X).tolist() == [5, 7, 9]       # along the first axis, as in NumPy
    assert np.add.reduce(X, axis=(0, 1), keepdims=True).tolist() == [[21]]
    for refused in (
        lambda: np.add.reduce(x, dtype=int), lambda: np.add.reduce(x, out=np.zeros(())),
        lambda: np.add.reduce(x, initial=1.0), lambda: np.subtract.reduce(x),
        lambda: np.add.reduceat(x, [0]), lambda: np.add.accumulate(x),
    ):
        with pytest.raises(ArgumentError, match=r"np\."):
            refused()


def test_ufuncs_that_are_no_kernel():
    x = leaf(1.0, np.nan)
    assert np.fmax(x, 3.0).tolist() == [3.0, 3.0] and np.fmin(2.0, x).tolist() == [1.0, 2.0]
    assert np.degrees(leaf(np.pi)).tolist() == [180.0] and np.conjugate(x) is x
    assert np.vecdot(X, X[0]).tolist() == [14.0, 32.0]


def test_means_of_nothing_are_nan():
    assert np.isnan(tnp.average(np.zeros((2, 0)), axis=1).numpy()).all()
    assert np.isnan(tnp.mean([]).numpy())


@pytest.mark.parametrize("call", [
    lambda x: np.fft.fft(x), lambda x: np.linalg.eig(x), lambda x: np.sum(x, out=np.zeros(())),
    lambda x: np.mean(x, where=[True]), lambda x: np.concatenate([x, x], dtype=int),
    lambda x: np.copyto(x, np.zeros((2, 3))), lambda x: np.piecewise(x, [x > 0], [1.0]),
    lambda x: np.reshape(x, (3, 2), order="F"),
])
def test_what_the_dialect_lacks_is_refused(call):
    with pytest.raises(ArgumentError, match=r"NumPy dialect|row-major"):
        call(X)


def test_looking_at_memory_needs_no_dialect(tmp_path):
    x = leaf(1.0, 2.0)
    assert np.shares_memory(x, x.detach().numpy()) and not np.shares_memory(x, X)
    np.savez(tmp_path / "x.npz", x=x)
    with np.load(tmp_path / "x.npz") as kept:
        assert kept["x"].tolist() == [1.0, 2.0]


def test_arrays_are_filled_with_values_that_need_no_gradient():
    assert np.full(2, tg.tensor(3.0)).tolist() == [3.0, 3.0]
    with pytest.raises(GraphError, match="gradient would be lost"):
        np.full(2, leaf(3.0)[0])
    with pytest.raises(GraphError, match="gradient would be lost"):
        tnp.arange(leaf(3.0)[0])


def test_ends_that_are_tensors_are_recorded():
    x = leaf(1.0, 3.0)
    tnp.linspace([x[0], x[1]], 5.0, 3)[1].sum().backward()
    assert x.grad.tolist() == [0.5, 0.5]


def test_a_stranger_answers_for_itself():
    class Stranger:
        def __array_function__(self, function, types, arguments, keywords):
            return "mine"

    assert np.concatenate([X, Stranger()]) == "mine"


def test_the_namespace_is_the_dialect():
    for version in (None, "2024.12", "2023.12"):
        assert X.__array_namespace__(api_version=version) is tnp
    with pytest.raises(ArgumentError, match=r"1999"):
        X.__array_namespace__(api_version="1999")
    assert X.to_device("cpu") is X
    with pytest.raises(ArgumentError, match="cuda"):
        X.to_device("cuda")


def test_what_the_standard_asks_about_the_namespace():
    info = tnp.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"]
    assert info.devices() == [info.default_device()] == ["cpu"]
    assert info.default_dtypes()["integral"] == np.int64
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert set(info.dtypes(kind=("bool", "unsigned integer"))) == {
        "bool", "uint8", "uint16", "uint32", "uint64",
    }
    assert len(info.dtypes()) == 11 and info.dtypes(kind="complex floating") == {}
    with pytest.raises(ArgumentError, match="kind"):
        info.dtypes(kind="quaternion")


#: Array API 2024.12, less what is of complex numbers alone.
STANDARD = """
    arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril
    triu zeros zeros_like astype can_cast finfo iinfo isdtype result_type abs acos acosh add asin asinh
    atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift
    bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater
    greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp
    logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter not_equal
    positive pow real reciprocal remainder round sign signbit sin sinh square sqrt subtract tan tanh trunc
    take take_along_axis matmul matrix_transpose tensordot vecdot broadcast_arrays broadcast_to concat
    expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile unstack argmax argmin
    count_nonzero nonzero searchsorted where unique_all unique_counts unique_inverse unique_values argsort
    sort cumulative_prod cumulative_sum max mean min prod std sum var all any diff e inf nan newaxis pi
    bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 __array_namespace_info__
    linalg.cholesky linalg.cross linalg.det linalg.diagonal linalg.eigh linalg.eigvalsh linalg.inv
    linalg.matmul linalg.matrix_norm linalg.matrix_power linalg.matrix_rank linalg.matrix_transpose
    linalg.outer linalg.pinv linalg.qr linalg.slogdet linalg.solve linalg.svd linalg.svdvals
    linalg.tensordot linalg.trace linalg.vecdot linalg.vector_norm
"""


@pytest.mark.parametrize("name", STANDARD.split())
def test_the_standards_functions_are_there(name):
    value = tnp
    for part in name.split("."):
        value = getattr(value, part)
    assert value is not None or name == "newaxis"


def test_dtypes():
    assert tnp.result_type(X, np.float32, 3) == np.float64
    assert tnp.result_type(tg.tensor([1], dtype=np.int8), 3) == np.int8
    assert tnp.can_cast(X, np.float32) is False and tnp.can_cast(np.int8, np.int16) is True
    assert tnp.finfo(X).bits == 64 and tnp.iinfo(np.int8).max == 127
    assert tnp.isdtype(X.dtype, "real floating") and not tnp.isdtype(tnp.int8, ("bool", "real floating"))
    changed = tnp.astype(X, tnp.float32)
    assert changed.dtype == np.float32 and tnp.astype(X, X.dtype, copy=False) is X
    assert not np.shares_memory(tnp.astype(X, X.dtype), X)


def test_asarray_shares_copies_and_stacks():
    array = np.zeros(2)
    assert np.shares_memory(tnp.asarray(array), array) and tnp.asarray(X) is X
    assert not np.shares_memory(tnp.asarray(array, copy=True), array)
    assert not np.shares_memory(tnp.asarray(X, copy=True), X)
    assert np.shares_memory(tnp.from_dlpack(array), array)
    assert tnp.empty((2, 1), np.int8).shape == (2, 1) and tnp.empty_like(X).dtype == np.float64
    x = leaf(1.0, 2.0)
    made = tnp.array([[x[0], 0.0], [x[1], x[0]]])
    made.sum().backward()
    assert made.shape == (2, 2) and x.grad.tolist() == [2.0, 1.0]
    for wrong in (lambda: tnp.asarray([x], copy=False), lambda: tnp.asarray(array, int, copy=False)):
        with pytest.raises(RangeError, match="copy"):
            wrong()
    with pytest.raises(DTypeError, match="cannot be computed with"):
        tnp.asarray("text")


def test_answers_that_are_python_bools():
    assert tnp.allclose(X, X + 1e-9) is True and np.allclose(X, 2.0) is False
    assert tnp.array_equal(X, X) is True and tnp.array_equal(X, [1.0]) is False


def test_distinct_values_and_least_squares():
    assert sorted(tnp.unique_values([2, 1, 2]).tolist()) == [1, 2]
    assert tnp.unique_values([np.nan, np.nan]).shape == (2,)
    a, b = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0, 2.0])
    for ours, theirs in zip(tnp.linalg.lstsq(a, b), np.linalg.lstsq(a, b)):
        np.testing.assert_allclose(ours.numpy(), theirs)


def test_the_gradient_of_equal_elements():
    x = leaf(2.0, 1.0, 2.0)
    (tnp.unique(x) * np.array([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [10.0, 1.0, 0.0]
    x.grad = None
    tnp.max(x).backward()
    assert x.grad.tolist() == [0.5, 0.0, 0.5]


WRONG = [
    (ArgumentError, "sum: .*'out'", lambda: tnp.sum(X, out=X)),
    (ArgumentError, "exp: .*out=", lambda: tnp.exp(X, out=X)),
    (ArgumentError, "add: 1 operands", lambda: tnp.add(X)),
    (ShapeError, "max: .*axis 5", lambda: tnp.max(X, axis=5)),
    (ShapeError, "max: .*zero-size", lambda: tnp.max(np.zeros((0, 2)))),
    (ShapeError, "median: no elements", lambda: tnp.median([])),
    (ShapeError, "split: .*no 2 equal parts", lambda: tnp.split(X, 2, 1)),
    (ShapeError, "squeeze: ", lambda: tnp.squeeze(X, 0)),
    (ShapeError, "expand_dims: an axis comes twice", lambda: tnp.expand_dims(X, (0, 0))),
    (ShapeError, "transpose: ", lambda: tnp.transpose(X, (0, 0))),
    (ShapeError, "cumulative_sum: ", lambda: tnp.cumulative_sum(X)),
    (ShapeError, "nonzero: ", lambda: tnp.nonzero(3.0)),
    (ShapeError, "average: ", lambda: tnp.average(X, weights=[1.0, 2.0])),
    (RangeError, "average: .*add up to 0", lambda: tnp.average(X, axis=0, weights=[1.0, -1.0])),
    (RangeError, "quantile: ", lambda: tnp.quantile(X, 1.5)),
    (IndexingError, "take: index 7", lambda: tnp.take(X, [7])),
    (DTypeError, "take: ", lambda: tnp.take(X, [0.5])),
    (ArgumentError, "pad: ", lambda: tnp.pad(X, -1)),
    (ArgumentError, "pad: mode", lambda: tnp.pad(X, 1, "median")),
    (ArgumentError, "std: ddof and correction", lambda: tnp.std(X, ddof=1, correction=1)),
    (ArgumentError, "where: ", lambda: tnp.where(X > 1, X)),
    (ArgumentError, "sort: kind", lambda: tnp.sort(X, kind="bogo")),
    (ArgumentError, "zeros: ", lambda: tnp.zeros([[1, 2]])),
    (ArgumentError, "gradient: 3 distances", lambda: tnp.gradient(X, 1, 2, 3)),
    (ShapeError, "cholesky: ", lambda: tnp.linalg.cholesky(X)),
    (ShapeError, "solve: ", lambda: tnp.linalg.solve(np.eye(2), [1.0, 2.0, 3.0])),
    (ArgumentError, "eigh: UPLO", lambda: tnp.linalg.eigh(np.eye(2), "l")),
    (NotDifferentiable, "histogram: ", lambda: tnp.histogram(X, weights=X.clone().requires_grad_())),
    (ArgumentError, "zeros: device", lambda: tnp.zeros(2, device="cuda")),
]


@pytest.mark.parametrize(("kind", "said", "call"), WRONG)
def test_what_is_wrong_with_a_call_is_said(kind, said, call):
    with pytest.raises(kind, match=f"^{said}"):
        call()


def test_the_dialect_is_loaded_when_it_is_asked_for():
    code = (
        "import sys, tinygrad_relu as tg; assert 'tinygrad_relu.numpy' not in sys.modules;"
        "import numpy as np; assert isinstance(np.sum(tg.tensor([1.0])), tg.Tensor);"
        "assert 'tinygrad_relu.numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_table_of_differences_says_what_happens():
    text = (Path(tg.__file__).parent.parent / "docs" / "dialects.md").read_text()
    cells = re.findall(r"`([^`]*\([^`]*)` is `([^`]*)`", text)
    names = {"tg": tg, "tnp": tnp, "x": tg.tensor([1.0, 3.0]), "z": tg.zeros(2, 3, 4)}
    names["m"] = tg.tensor([[1.0, 5.0], [4.0, 2.0]])
    checked = 0
    for expression, said in cells:
        if said[0] in "-0123456789[(":
            found = eval(expression, names)
            assert repr(found.tolist() if isinstance(found, tg.Tensor) else found) == said, expression
            checked += 1
    assert checked > 30
