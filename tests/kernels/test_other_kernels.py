"""Elementwise, reducing and product kernels, against NumPy and mpmath."""

import mpmath
import numpy as np
import pytest
from tinygrad_relu.kernels.distance import SquaredDistance
from tinygrad_relu.kernels.elementwise import Elementwise
from tinygrad_relu.kernels.gather import AddAlong, TakeAlong
from tinygrad_relu.kernels.reduce import Broadcast, Reduction, SumTo
from tinygrad_relu.kernels.sigmoid import sigmoid_kernel, sigmoid_ufunc
from tinygrad_relu.kernels.softmax import LogSoftmax, Softmax

import tinygrad_relu as tg

SHAPES = [
    ((), ()), ((3,), ()), ((), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), (1, 3)),
    ((2, 1), (1, 3)), ((1, 3), (2, 3)), ((2, 3, 4), (3, 1)), ((1, 1), (1,)), ((1,), (1, 1, 1)),
    ((0, 3), (3,)), ((0, 3), (1, 3)), ((3, 0), (1,)), ((1, 1, 4), (2, 3, 4)), ((4, 1), (4,)),
    ((3, 1), (1, 4)), ((1, 2), (1, 1, 2)), ((1,), (0,)), ((1, 3), (0, 3)),
    ((3, 9), (3, 1)), ((3, 1), (3, 9)), ((2, 3, 4, 5), (2, 3, 1, 1)), ((2, 3, 9), (2, 1, 1)),
    ((2, 3, 9), (1, 3, 1)), ((3, 0), (3, 1)), ((0, 9), (0, 1)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES)
@pytest.mark.parametrize("ufunc", [np.subtract, np.less, np.arctan2])
def test_broadcasting_is_numpys(a_shape, b_shape, dtype, ufunc, rng):
    a, b = (rng.integers(1, 9, shape).astype(dtype) for shape in (a_shape, b_shape))
    ours, theirs = np.asarray(Elementwise(ufunc)(a, b)), np.asarray(ufunc(a, b))
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.float16])
@pytest.mark.parametrize("number", [2, 0.5, -1.0, True, 1 << 30, np.float64(0.5), np.float32(3)])
def test_python_numbers_are_weak_as_in_numpy(dtype, number):
    x = np.array([1, 2, 3], dtype)
    if dtype == np.float16 and number == 1 << 30:
        return      # overflows to infinity there
    for arguments in ((x, number), (number, x)):
        ours, theirs = Elementwise(np.subtract)(*arguments), np.subtract(*arguments)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_large_broadcast_and_parallel_elementwise(rng):
    a, row = rng.standard_normal((600, 500)), rng.standard_normal(500)
    for x, y in ((a, a), (a, row), (row, a), (a, 2.5)):
        first = x if isinstance(x, np.ndarray) else np.asarray(x)
        np.testing.assert_array_equal(Elementwise(np.divide)(x, y), np.divide(first, y))
    np.testing.assert_array_equal(Elementwise(np.exp)(a), np.exp(a))


def test_elementwise_results_that_are_written_past_the_cache(rng):
    a = rng.standard_normal(5_300_003)
    np.testing.assert_array_equal(Elementwise(np.subtract)(a, a[::-1].copy()), a - a[::-1])
    np.testing.assert_array_equal(Elementwise(np.subtract)(1.5, a), 1.5 - a)
    np.testing.assert_array_equal(Elementwise(np.exp)(a), np.exp(a))
    np.testing.assert_array_equal(Elementwise(np.less)(a, 0.5), a < 0.5)


def test_floating_point_events_do_not_warn_on_any_path():
    zero = tg.tensor([0.0, 1.0])
    assert np.isinf((1 / zero).numpy()[0])
    assert np.isinf((1 / zero[::-1]).numpy()[1])
    assert np.isnan((zero.log() * 0).numpy()[0])
    assert np.isinf((tg.tensor([1e300]) * 1e300).item())


def test_layouts_that_are_not_contiguous(rng):
    a = rng.standard_normal((4, 6))
    for view in (a.T, a[::-1], a[:, ::2], a.astype(">f8")):
        np.testing.assert_array_equal(Elementwise(np.add)(view, view), view + view)
        np.testing.assert_allclose(Reduction(np.add)(view, statics=(0, False)), view.sum(0))


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, (0, 2), (1,), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_are_numpys(ufunc, dtype, axis, keepdims, rng):
    x = rng.standard_normal((3, 4, 5)).astype(dtype)
    ours = np.asarray(Reduction(ufunc)(x, statics=(axis, keepdims)))
    # No axes are all of them, as in PyTorch.
    theirs = np.asarray(ufunc.reduce(x, axis=None if axis == () else axis, keepdims=keepdims))
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_long_sums_are_pairwise():
    x = np.full(1_000_000, 0.1, np.float32)
    assert abs(float(Reduction(np.add)(x, statics=(None, False))) - 1e5) < 1.0


def test_empty_reductions():
    empty = np.zeros((0, 3))
    np.testing.assert_array_equal(Reduction(np.add)(empty, statics=(0, False)), np.zeros(3))
    np.testing.assert_array_equal(Reduction(np.multiply)(empty, statics=(0, False)), np.ones(3))
    with pytest.raises(ValueError, match="zero-size"):
        Reduction(np.maximum)(empty, statics=(0, False))


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (2, 1), (2, 3), (1, 1), (4, 1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_sum_to_is_the_adjoint_of_broadcasting(shape, dtype, rng):
    large = rng.integers(-9, 9, (4, 2, 3)).astype(dtype)
    small = rng.integers(-9, 9, shape).astype(dtype)
    summed = np.asarray(SumTo()(large, statics=(shape,)))
    assert summed.shape == shape and summed.dtype == dtype
    repeated = Broadcast()(small, statics=(large.shape,))
    np.testing.assert_array_equal(repeated, np.broadcast_to(small, large.shape))
    assert np.vdot(large, repeated) == np.vdot(summed, small)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_accurate_in_both_tails(dtype):
    x = np.concatenate([np.linspace(-80, 80, 161), [-1e-8, 1e-8, 0.0]]).astype(dtype)
    exact = np.array([float(1 / (1 + mpmath.exp(-mpmath.mpf(float(v))))) for v in x])
    for y in (sigmoid_kernel(x), sigmoid_ufunc(np.repeat(x, 2)[::2])):
        assert y.dtype == dtype
        np.testing.assert_allclose(y, exact, rtol=8 * np.finfo(dtype).eps)


def test_sigmoid_of_special_values_and_of_blocks(rng):
    y = sigmoid_kernel(np.array([np.nan, np.inf, -np.inf]))
    assert np.isnan(y[0]) and y[1] == 1 and y[2] == 0
    x = rng.standard_normal(1537)
    np.testing.assert_allclose(sigmoid_kernel(x), 1 / (1 + np.exp(-x)), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_matrix_products_of_any_layout(dtype, rng):
    a, b = (rng.integers(-5, 5, shape).astype(dtype) for shape in ((6, 4), (4, 5)))
    for x, y in ((a, b), (b.T, a.T), (a[::2], b[:, ::-1]), (a[:, :0], b[:0]), (a[:0], b)):
        product = (tg.asarray(x) @ tg.asarray(y)).numpy()
        assert product.dtype == dtype
        np.testing.assert_array_equal(product, x @ y)


def test_linear_of_any_layout(rng):
    x, weight, bias = rng.standard_normal((6, 4)), rng.standard_normal((5, 4)), rng.standard_normal(5)
    for i, w, b in (
        (x, weight, bias), (x[::-1], weight[:, ::-1], bias[::-1]), (x[:0], weight, bias),
        (x.astype("f4"), weight.astype("f4"), bias.astype("f4")),
        (x.astype("f4"), weight, bias), (x.reshape(2, 3, 4), weight, bias), (x[0], weight, bias),
    ):
        result = tg.linear(i, w, b)
        assert result.dtype == np.result_type(i, w, b)
        np.testing.assert_allclose(result.numpy(), i @ w.T + b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
@pytest.mark.parametrize("shape", [(3, 5), (4,), (2, 3, 4), (2, 0), (0, 3), (1, 1)])
def test_softmax_by_rows_and_in_general(shape, dtype, rng):
    x = (rng.standard_normal(shape) * 30).astype(dtype)
    for axis in range(-len(shape), len(shape)):
        exact = x.astype(np.float64)
        if exact.size:
            exact = exact - exact.max(axis, keepdims=True)
        logs = exact - np.log(np.exp(exact).sum(axis, keepdims=True)) if exact.size else exact
        for kernel, expected in ((LogSoftmax(), logs), (Softmax(), np.exp(logs))):
            result = kernel(x, statics=(axis,))
            assert result.shape == shape
            assert result.dtype == (dtype if dtype != np.int64 else np.float64)
            tolerance = 8 * float(np.finfo(result.dtype).eps)
            np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * 10)


def test_softmax_of_infinities_and_nan():
    x = np.array([[-np.inf, 0.0, 0.0], [-np.inf] * 3, [np.nan, 0.0, 1.0], [1e308, -1e308, 1e308]])
    p = Softmax()(x, statics=(1,))
    assert p[0].tolist() == [0, 0.5, 0.5] and np.isnan(p[1]).all() and np.isnan(p[2]).all()
    assert p[3].tolist() == [0.5, 0, 0.5]
    np.testing.assert_array_equal(LogSoftmax()(x, statics=(1,))[0], [-np.inf, -np.log(2), -np.log(2)])


def test_wide_rows_of_float32_are_summed_in_double():
    x = np.zeros((1, 1_000_000), np.float32)
    np.testing.assert_allclose(LogSoftmax()(x, statics=(1,))[0, 0], -np.log(1e6), rtol=1e-7)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("kind", [np.intp, np.int32, np.uint8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_taking_and_adding_along_an_axis(axis, kind, dtype, rng):
    x = rng.integers(-9, 9, (3, 4, 5)).astype(dtype)
    shape = list(x.shape)
    shape[axis] = 7
    indices = rng.integers(0, x.shape[axis], shape).astype(kind)
    taken = TakeAlong()(x, indices, statics=(axis,))
    np.testing.assert_array_equal(taken, np.take_along_axis(x, indices.astype(np.intp), axis))
    added = AddAlong()(taken, indices, statics=(x.shape, axis))
    values = rng.integers(-9, 9, x.shape).astype(dtype)
    assert added.dtype == dtype
    assert np.vdot(added, values) == np.vdot(taken, np.take_along_axis(values, indices.astype(int), axis))


def test_taking_fewer_along_the_other_axes_as_pytorch_allows(rng):
    x = rng.standard_normal((4, 5))
    indices = np.array([[3, 0]])
    np.testing.assert_array_equal(TakeAlong()(x, indices, statics=(0,)), [[x[3, 0], x[0, 1]]])


@pytest.mark.parametrize("indices", [[[0], [3]], [[-1], [0]]])
@pytest.mark.parametrize("kind", [np.intp, np.int8])
def test_indices_out_of_bounds_are_refused_and_negative_ones_too(indices, kind):
    with pytest.raises(IndexError, match="out of bounds for an axis of length 3"):
        TakeAlong()(np.zeros((2, 3)), np.array(indices, kind), statics=(1,))
    with pytest.raises(IndexError, match="out of bounds for an axis of length 3"):
        AddAlong()(np.zeros((2, 1)), np.array(indices, kind), statics=((2, 3), 1))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 511, 512, 513, 5000])
def test_squared_distance_is_exact_to_rounding(size, rng):
    a, b = rng.standard_normal((2, size)) * 10.0 ** rng.integers(-8, 8, (2, size))
    exact = float(mpmath.fsum((mpmath.mpf(x) - mpmath.mpf(y)) ** 2 for x, y in zip(a, b)))
    assert SquaredDistance()(a, b) == pytest.approx(exact, rel=1e-14)
    if size:
        mean = SquaredDistance()(a, b, statics=(True,))
        assert mean == pytest.approx(exact / size, rel=1e-14)
    singles = a.astype(np.float32), b.astype(np.float32)
    assert SquaredDistance()(*singles).dtype == np.float32
    mixed = SquaredDistance()(singles[0], b)
    assert mixed.dtype == np.float64


def test_squared_distance_of_infinities_and_other_shapes():
    assert SquaredDistance()(np.array([np.inf, 1.0]), np.zeros(2)) == np.inf
    assert np.isnan(SquaredDistance()(np.array([np.inf]), np.array([np.inf])))
    with pytest.raises(ValueError, match="shapes differ"):
        SquaredDistance()(np.zeros(3), np.zeros(1))
