"""Infinities, NaN and singular matrices, where they came out wrong or did not come out at all."""

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp
from tinygrad_relu.errors import ArgumentError

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize("bad", [INF, -INF, NAN])
@pytest.mark.parametrize(
    "factor",
    [
        tg.linalg.svd, tg.linalg.svdvals, tg.linalg.pinv, tg.linalg.eigh, tg.linalg.eigvalsh, tg.linalg.qr,
        tg.linalg.matrix_rank, lambda x: tg.linalg.lstsq(x, x), tnp.linalg.svd, tnp.linalg.eigh,
    ],
)
def test_lapack_is_not_called_for_what_is_not_finite(factor, bad, capfd):
    x = np.eye(3)
    x[1, 2] = x[2, 1] = bad
    with pytest.raises(ArgumentError, match="finite"):
        factor(tg.tensor(x))
    assert capfd.readouterr() == ("", "")       # LAPACK prints what it thinks


def test_the_matrix_that_hung():
    x = tg.tensor([[3.0, -INF, -INF, 1.0], [INF, -INF, -1.0, 3.0], [1.0, 0.0, -2.0, 2.0]])
    with pytest.raises(ArgumentError, match="svd: .*finite"):
        tg.linalg.svd(x)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize(
    "values",
    [
        [[INF, -INF, 1.0], [1.0, 2.0, 5.0]],
        [[INF, 1.0, 2.0], [NAN, 3.0, 4.0]],
        [[NAN, NAN, NAN], [1.0, NAN, 4.0]],
        [[1.0, 2.5, NAN], [3.0, 0.0, NAN]],
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_variances_without_nan_are_numpys(values, axis):
    for name in ("nanvar", "nanstd"):
        found = getattr(tnp, name)(values, axis)
        np.testing.assert_allclose(found.numpy(), getattr(np, name)(values, axis), err_msg=name)


def test_what_is_missing_spoils_no_derivative_of_a_variance():
    x = tg.tensor([1.0, NAN, 2.0, 4.0], requires_grad=True)
    tnp.nanvar(x).backward()
    kept = np.array([1.0, 2.0, 4.0])
    expected = np.zeros(4)
    expected[[0, 2, 3]] = 2 * (kept - kept.mean()) / 3
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_the_second_derivative_of_logaddexp_is_accurate_and_symmetric():
    # The Hessian is p (1 - p) [[1, -1], [-1, 1]]; at a distance p (1 - p) is exp(-|a - b|).
    for a, b in [(0.0, 0.0), (30.0, -10.0), (-10.0, 30.0), (0.0, 700.0), (3.0, 1.0)]:
        x = tg.tensor([a, b], requires_grad=True)
        hessian = tg.func.hessian(lambda x: tg.logaddexp(x[0], x[1]))(x.detach()).numpy()
        small = np.exp(-abs(a - b))
        expected = small / (1 + small) ** 2 * np.array([[1.0, -1.0], [-1.0, 1.0]])
        np.testing.assert_allclose(hessian, expected, rtol=1e-14)
        assert (hessian == hessian.T).all()


@pytest.mark.parametrize("edge_order", [1, 2])
@pytest.mark.parametrize("spacing", [1.0, 0.25])
def test_slopes_leave_out_the_value_in_the_middle(edge_order, spacing):
    for values in ([1.0, NAN, 3.0, 4.0], [1.0, INF, 3.0, -1.0, 2.0], [0.5, 2.0, -1.0, 7.0]):
        found = np.gradient(tg.tensor(values), spacing, edge_order=edge_order).numpy()
        np.testing.assert_allclose(found, np.gradient(values, spacing, edge_order=edge_order))


def test_slopes_on_an_uneven_grid_are_numpys():
    values, places = [1.0, 4.0, 2.0, 3.5], [0.0, 1.0, 1.5, 4.0]
    np.testing.assert_allclose(tnp.gradient(values, places).numpy(), np.gradient(values, places))


@pytest.mark.parametrize("p", [1, -1, INF, -INF, "fro", "nuc", 2])
def test_the_condition_of_a_singular_matrix_is_numpys(p):
    x = np.stack([np.zeros((2, 2)), np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([[1.0, 0.0], [0.0, 0.0]])])
    found = tg.linalg.cond(tg.tensor(x), p).numpy()
    assert found[0] == found[2] == INF
    np.testing.assert_allclose(found[1], np.linalg.cond(x[1], p))


def test_the_gradient_of_a_condition_beside_a_singular_matrix_is_there():
    x = tg.tensor([[[1.0, 1.0], [1.0, 1.0]], [[2.0, 1.0], [0.0, 3.0]]], requires_grad=True)
    tg.linalg.cond(x, "fro")[1].backward()
    alone = tg.tensor([[2.0, 1.0], [0.0, 3.0]], requires_grad=True)
    tg.linalg.cond(alone, "fro").backward()
    assert (x.grad[0] == 0).all()
    np.testing.assert_array_equal(x.grad[1].numpy(), alone.grad.numpy())


def test_logit_has_no_slope_beyond_its_domain():
    x = tg.tensor([2.0, -1.0, 0.25, 0.9], requires_grad=True)
    y = tg.logit(x)
    y.sum().backward()
    assert np.isnan(y.detach().numpy()).tolist() == [True, True, False, False]
    assert np.isnan(x.grad.numpy()).tolist() == [True, True, False, False]
    np.testing.assert_allclose(x.grad.numpy()[2:], [1 / (0.25 * 0.75), 1 / (0.9 * 0.1)])


@pytest.mark.parametrize("bad", [NAN, INF])
def test_triangular_systems_spread_nan_to_the_rows_that_depend_on_it(bad):
    a = np.array([[2.0, 1.0, 3.0], [0.0, 4.0, 5.0], [0.0, 0.0, 6.0]])
    b = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
    for upper, matrix in ((True, a), (False, a.T)):
        expected = np.linalg.solve(matrix, b)
        spoiled = b.copy()
        spoiled[1, 0] = bad
        found = tg.linalg.solve_triangular(tg.tensor(matrix), tg.tensor(spoiled), upper=upper).numpy()
        reached = np.zeros((3, 2), bool)
        reached[:2 if upper else 3, 0] = True
        reached[0, 0] = upper
        assert not np.isfinite(found[reached]).any()
        np.testing.assert_allclose(found[~reached], expected[~reached])
        turned = tg.linalg.solve_triangular(
            tg.tensor(matrix.T), tg.tensor(spoiled.T), upper=not upper, left=False
        )
        np.testing.assert_array_equal(turned.numpy(), found.T)


def test_attention_over_no_features_is_a_mean():
    y = tg.nn.functional.scaled_dot_product_attention(tg.zeros(2, 0), tg.zeros(3, 0), tg.arange(3.0)[:, None])
    assert y.tolist() == [[1.0], [1.0]]
