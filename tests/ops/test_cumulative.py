"""Running sums, products and extrema against NumPy, at zeros, ties and infinities."""

import math

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.kernels import recurrence
from tinygrad_relu.ops.cumulative import linear_recurrence

INF, NAN = math.inf, math.nan


def logcumsumexp_by_numpy(x, axis):
    return np.logaddexp.accumulate(x, axis)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("cumsum", np.cumsum), ("cumprod", np.cumprod), ("logcumsumexp", logcumsumexp_by_numpy),
        ("cummax", np.maximum.accumulate), ("cummin", np.minimum.accumulate),
        ("diff", lambda x, axis: np.diff(x, axis=axis)),
    ],
)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_are_numpys_along_every_axis(name, reference, axis, dtype, rng):
    x = rng.standard_normal((3, 4, 5)).astype(dtype)
    for at in (x, x.transpose(2, 0, 1), x[::-1, ::2]):
        found = getattr(tg, name)(tg.asarray(at), dim=axis)
        found = found.values if isinstance(found, tuple) else found
        expected = reference(at, axis)
        assert found.dtype == expected.dtype == dtype
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin"])
def test_integers_give_integers(name):
    x = np.array([[3, 1], [2, 5]], np.int32)
    found = getattr(tg, name)(tg.tensor(x), 1)
    reference = {"cumsum": np.cumsum, "cumprod": np.cumprod, "cummax": np.maximum.accumulate,
                 "cummin": np.minimum.accumulate}[name](x, 1)
    found = found.values if isinstance(found, tuple) else found
    assert found.dtype == reference.dtype
    np.testing.assert_array_equal(found.numpy(), reference)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "logcumsumexp", "diff"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (1,), (3, 1)])
def test_empty_and_single_rows(name, shape):
    found = getattr(tg, name)(tg.ones(*shape, requires_grad=True), 0) if name != "diff" else (
        tg.diff(tg.ones(*shape), axis=0)
    )
    found = found.values if isinstance(found, tuple) else found
    assert found.shape == ((max(shape[0] - 1, 0), *shape[1:]) if name == "diff" else shape)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp", "diff"])
@pytest.mark.parametrize("axis", [0, 1])
def test_first_and_second_derivatives(name, axis, rng):
    x = tg.tensor(rng.uniform(0.5, 1.5, (3, 4)) * rng.choice([-1, 1], (3, 4)), requires_grad=True)
    f = lambda v: getattr(tg, name)(v, axis=axis)
    assert tg.gradcheck(f, x)
    assert tg.gradgradcheck(f, x, atol=1e-5)


@pytest.mark.parametrize("zeros", [[0], [2], [1, 3], [0, 1, 2, 3]])
def test_cumprod_is_differentiable_at_zeros(zeros):
    at = np.array([2.0, -3.0, 0.5, 4.0])
    at[zeros] = 0
    weight = np.array([1.0, 2.0, -1.0, 0.5])

    def loss(x):
        products = [anp.prod(x[: k + 1]) for k in range(4)]
        return sum(w * p for w, p in zip(weight, products))

    def without_division(x):    # HIPS' derivative of prod divides, so multiply one by one
        total, running = 0.0, 1.0
        for k in range(4):
            running = running * x[k]
            total = total + weight[k] * running
        return total

    assert loss(at) == pytest.approx(without_division(at))
    x = tg.tensor(at, requires_grad=True)
    (g,) = tg.autograd.grad((tg.cumprod(x, 0) * weight).sum(), [x], create_graph=True)
    np.testing.assert_allclose(g.detach().numpy(), autograd.grad(without_division)(at), rtol=1e-14)
    for k in range(4):
        (row,) = tg.autograd.grad(g[k], [x], retain_graph=True)
        np.testing.assert_allclose(row.numpy(), autograd.hessian(without_division)(at)[k], rtol=1e-14)
    assert tg.gradgradcheck(lambda v: tg.cumprod(v, 0), tg.tensor(at, requires_grad=True))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64])
def test_recurrence_is_its_definition(dtype, rng):
    a, b = (rng.integers(-2, 3, shape).astype(dtype) for shape in [(4, 1), (3, 4, 2)])
    y, last = [], np.zeros((3, 2), dtype)
    for k in range(4):
        last = a[k] * last + b[:, k]
        y.append(last)
    found = recurrence.linear_recurrence(a, b, 1)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.stack(y, 1))
    np.testing.assert_array_equal(linear_recurrence(a, b, 1).numpy(), found)


def test_recurrence_does_not_read_its_first_factor():
    a = tg.tensor([NAN, 2.0, 3.0], requires_grad=True)
    y = linear_recurrence(a, tg.ones(3), 0)
    assert y.detach().tolist() == [1, 3, 10]
    y.sum().backward()
    assert a.grad.tolist() == [0, 4, 3]


def test_logcumsumexp_neither_overflows_nor_underflows():
    x = tg.tensor([-2000.0, -1000.0, 1000.0, 0.0, 1000.0], requires_grad=True)
    y = tg.logcumsumexp(x, 0)
    np.testing.assert_allclose(
        y.detach().numpy(), [-2000, -1000, 1000, 1000, 1000 + math.log(2)], rtol=1e-15
    )
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1, 1, 2.5, 0, 0.5], atol=1e-15)


def test_logcumsumexp_of_infinities():
    x = tg.tensor([-INF, -INF, 1.0, 2.0], requires_grad=True)
    y = tg.logcumsumexp(x, 0)
    np.testing.assert_allclose(y.detach().numpy(), [-INF, -INF, 1, 1 + math.log1p(math.e)])
    y.sum().backward()
    share = 1 / (1 + math.e)
    np.testing.assert_allclose(x.grad.numpy(), [0, 0, 1 + share, 1 - share])
    assert tg.logcumsumexp(tg.tensor([0.0, INF, 1.0]), 0).tolist() == [0, INF, INF]
    spoiled = tg.logcumsumexp(tg.tensor([0.0, NAN, 1.0]), 0)
    assert tg.isnan(spoiled).tolist() == [False, True, True]


def test_running_extrema_give_the_last_of_equals_and_keep_nan():
    x = tg.tensor([1.0, 3.0, 3.0, 2.0, NAN, 5.0, NAN, 1.0], requires_grad=True)
    values, indices = tg.cummax(x, 0)
    np.testing.assert_array_equal(values.detach().numpy(), [1, 3, 3, 3, NAN, NAN, NAN, NAN])
    assert indices.tolist() == [0, 1, 2, 2, 4, 4, 6, 6]
    values[:4].sum().backward()
    assert x.grad.tolist() == [1, 1, 2, 0, 0, 0, 0, 0]
    assert tg.cummin(tg.tensor([2.0, 2.0, 3.0]), 0).indices.tolist() == [0, 1, 1]


def test_diff_of_higher_order_with_ends(rng):
    x, first = rng.standard_normal((3, 5)), rng.standard_normal((3, 2))
    for n in range(8):
        found = tg.diff(tg.tensor(x), n, 1, prepend=tg.tensor(first), append=tg.tensor(first))
        np.testing.assert_allclose(found.numpy(), np.diff(x, n, 1, first, first), atol=1e-14)
    assert tg.diff(tg.tensor([True, True, False])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: tg.cumsum(x, 2), ShapeError, "cumsum: axis 2"),
        (lambda x: tg.cumprod(x, 1.5), ArgumentError, "cumprod: axis is 1.5"),
        (lambda x: tg.cumsum(x), ArgumentError, "cumsum: missing"),
        (lambda x: tg.cumsum(x, (0, 1)), ArgumentError, "cumsum: axis is"),
        (lambda x: tg.cummax(x[0, 0], 1), ShapeError, "cummax: axis 1"),
        (lambda x: tg.diff(x, -1), RangeError, "diff: n is -1"),
        (lambda x: tg.diff(x, 0.5), ArgumentError, "diff: n is 0.5"),
        (lambda x: tg.diff(x, prepend=x[0]), ShapeError, "diff: shape"),
    ],
)
def test_bad_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call(tg.ones(2, 3))
