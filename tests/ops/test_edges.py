"""Values and derivatives at the edges of ops: other dtypes, zeros, infinities, empty axes."""

import warnings

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ShapeError

KINDS = [np.float64, np.float32, np.int64, np.uint8, np.uint64, np.bool_]


@pytest.mark.parametrize("name", ["logaddexp", "fmod", "copysign"])
@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_functions_of_two_are_numpys_in_all_dtypes(name, first, second):
    a = np.array([0, 1, 3, 1, 200]).astype(first)
    b = np.array([1, 1, 2, 3, 7]).astype(second)
    ours, numpys = getattr(tg, name)(a, b).numpy(), getattr(np, name)(a, b)
    close = 2e-3 if numpys.dtype == np.float16 else 1e-6
    np.testing.assert_allclose(ours, numpys, rtol=close)
    if numpys.dtype.kind == "f" and np.float16 not in (numpys.dtype, ours.dtype):
        assert ours.dtype == numpys.dtype


def test_heaviside_takes_booleans():
    step = tg.heaviside(tg.tensor([False, True]), tg.tensor([True, False]))
    assert step.dtype == np.bool_ and step.tolist() == [True, True]
    assert tg.heaviside(tg.tensor([False, True]), 0.5).tolist() == [0.5, 1]


def test_derivatives_of_an_exponent_do_not_lose_digits_to_a_small_base_dtype():
    b = tg.tensor([0.5], requires_grad=True)
    (tg.tensor([3], dtype=tg.uint8) ** b).backward()
    np.testing.assert_allclose(b.grad.numpy(), np.sqrt(3) * np.log(3), rtol=1e-14)


def test_condition_of_zero_is_infinite():
    for shape in ((2, 2), (3, 2), (2, 2, 2)):
        zeros = np.zeros(shape)
        for p in (None, 2, -2):
            np.testing.assert_array_equal(tg.linalg.cond(zeros, p).numpy(), np.linalg.cond(zeros, p))


def test_standard_deviation_of_equal_numbers_has_the_derivative_zero():
    x = tg.tensor([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]], requires_grad=True)
    (g,) = tg.autograd.grad(x.std(1).sum(), [x], create_graph=True)
    assert g[0].tolist() == [0, 0, 0] and g[1].detach().numpy().all()
    (h,) = tg.autograd.grad(g.square().sum(), [x])
    assert np.isfinite(h.numpy()).all()
    np.testing.assert_array_equal(tg.std(x, 1).detach().numpy(), np.std(x.detach().numpy(), 1, ddof=1))


def test_logit_is_infinitely_steep_at_its_ends():
    x = tg.tensor([0.0, 1.0, 0.1, 1e-300], requires_grad=True)
    y = tg.logit(x)
    y.sum().backward()
    assert y.tolist()[:2] == [-np.inf, np.inf] and x.grad.tolist()[:2] == [np.inf, np.inf]
    np.testing.assert_allclose(x.grad.numpy()[2:], [1 / 0.09, 1e300], rtol=1e-14)


def test_quantiles_between_equal_elements_share_the_gradient():
    x = tg.tensor([1.0, 2.0, 2.0, 5.0], requires_grad=True)
    tg.quantile(x, 0.5 - 0.25 / 3).backward()         # a quarter of the way back from the middle
    np.testing.assert_allclose(x.grad.numpy(), [0, 0.75, 0.25, 0])
    assert tg.quantile(tg.tensor([-np.inf, -np.inf, 0.0]), 0.25).item() == -np.inf


def test_extrema_of_empty_stacks_are_empty_and_of_empty_rows_undefined():
    x = tg.zeros(2, 0, 3)
    for function in (tg.max, tg.min, tg.median, tg.nanmedian):
        values, indices = function(x, 0)
        assert values.shape == indices.shape == (0, 3) and indices.dtype == np.int64
        with pytest.raises(ShapeError):
            function(x, 1)
    np.testing.assert_array_equal(tg.logsumexp(x, 1).numpy(), np.full((2, 3), -np.inf))
    assert tg.logsumexp(x, 0).shape == (0, 3)


def test_trace_keeps_integers():
    assert tg.trace(tg.tensor([[1, 2], [3, 4], [5, 6]])).dtype == np.int64
    with pytest.raises(ShapeError, match="trace: x has shape"):
        tg.trace(tg.ones(3))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_with_infinities_never_warn(dtype):
    far = np.array([[np.inf, -np.inf, 1], [1e30, -1e38, 2], [3e38, 3e38, 0]], dtype)
    ones = np.ones((3, 3), dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for a, b in ((far, ones), (far.T, ones), (ones, far[:, ::-1]), (far, ones[0])):
            product = tg.matmul(tg.tensor(a), tg.tensor(b)).numpy()
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(product, a @ b)
        x = tg.tensor(far, requires_grad=True)
        tg.linear(x, tg.tensor(far), tg.tensor(far[0])).sum().backward()
        tg.linear_relu(x, tg.tensor(far)).sum().backward()
        tg.conv2d(x[None, None], tg.tensor(far)[None, None, :2, :2]).sum().backward()
        tg.zeros(2, 3, dtype=dtype).index_add(0, [0, 0], 2 * x[1:])


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 1), (3, 0, 2), (0, 4, 2), (2, 3, 0), (40, 50, 60)])
def test_matrix_products_of_every_layout_are_numpys(shape, rng):
    rows, inner, columns = shape
    for dtype, close in ((np.float64, 1e-12), (np.float32, 1e-4)):
        a, b = rng.standard_normal((rows, inner)).astype(dtype), rng.standard_normal((inner, columns))
        b = b.astype(dtype)
        for left in (a, np.asfortranarray(a), a[::-1], np.repeat(a, 2, 1)[:, ::2]):
            for right in (b, np.asfortranarray(b), np.repeat(b, 2, 0)[::2]):
                expected = np.asarray(left, np.float64) @ np.asarray(right, np.float64)
                found = tg.matmul(tg.asarray(left), tg.asarray(right)).numpy()
                assert found.dtype == dtype
                np.testing.assert_allclose(found, expected, rtol=close, atol=close)
    square = rng.standard_normal((33, 20))
    found = tg.matmul(tg.asarray(square), tg.asarray(square).T).numpy()
    np.testing.assert_allclose(found, square @ square.T)
