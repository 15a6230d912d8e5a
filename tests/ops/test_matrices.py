"""Linear algebra: factors, systems, norms; against NumPy, mpmath, identities and differences."""

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, NotDifferentiable, RangeError, ShapeError

SHAPES = [(3, 3), (4, 2), (2, 4), (2, 3, 3), (2, 4, 2), (2, 1, 2, 3)]


def definite(rng, *shape):
    x = rng.standard_normal(shape)
    return x @ x.swapaxes(-1, -2) + np.eye(shape[-1])


def gradients_hold(f, *arrays, second=True):
    inputs = [tg.tensor(x, requires_grad=True) for x in arrays]
    assert tg.gradcheck(f, inputs)
    if second:
        assert tg.gradgradcheck(f, inputs, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_qr_gives_numpys_factors(shape, mode, rng):
    x = rng.standard_normal(shape)
    q, r = tg.linalg.qr(tg.tensor(x), mode)
    expected = np.linalg.qr(x, mode)
    np.testing.assert_allclose(q.numpy(), expected.Q, atol=1e-14)
    np.testing.assert_allclose(r.numpy(), expected.R, atol=1e-14)
    alone = tg.linalg.qr(tg.tensor(x), "r")
    np.testing.assert_allclose(alone.R.numpy(), np.linalg.qr(x, "r"), atol=1e-14)
    assert alone.Q.shape == (0,)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("full", [True, False])
def test_svd_gives_numpys_factors(shape, full, rng):
    x = rng.standard_normal(shape)
    for ours, theirs in zip(tg.linalg.svd(tg.tensor(x), full), np.linalg.svd(x, full)):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-13)
    values = tg.linalg.svdvals(tg.tensor(x)).numpy()
    np.testing.assert_allclose(values, np.linalg.svd(x, compute_uv=False), atol=1e-13)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 4), (1, 1), (0, 2, 2)])
def test_symmetric_matrices_have_numpys_factors(shape, rng):
    x = definite(rng, *shape)
    w, v = tg.linalg.eigh(tg.tensor(x))
    expected = np.linalg.eigh(x)
    np.testing.assert_allclose(w.numpy(), expected.eigenvalues, atol=1e-12)
    np.testing.assert_allclose(v.numpy(), expected.eigenvectors, atol=1e-12)
    np.testing.assert_allclose(tg.linalg.eigvalsh(tg.tensor(x)).numpy(), expected.eigenvalues, atol=1e-12)
    lower = np.linalg.cholesky(x)
    np.testing.assert_allclose(tg.linalg.cholesky(tg.tensor(x)).numpy(), lower, atol=1e-13)
    upper = tg.linalg.cholesky(tg.tensor(x), upper=True).numpy()
    np.testing.assert_allclose(upper, lower.swapaxes(-1, -2), atol=1e-13)


def test_the_symmetric_part_is_what_counts(rng):
    x, skew = definite(rng, 3, 3), rng.standard_normal((3, 3))
    other = tg.tensor(x + skew - skew.T)
    np.testing.assert_allclose(
        tg.linalg.cholesky(other).numpy(), tg.linalg.cholesky(tg.tensor(x)).numpy(), atol=1e-13
    )
    np.testing.assert_allclose(tg.linalg.eigvalsh(other).numpy(), np.linalg.eigvalsh(x), atol=1e-13)


COMPOSED = {
    "inv": tg.linalg.inv,
    "det": tg.linalg.det,
    "slogdet": lambda x: tg.linalg.slogdet(x).logabsdet,
    "logdet": lambda x: tg.logdet(x @ x.mT),
    "pinv": tg.linalg.pinv,
    "power": lambda x: tg.linalg.matrix_power(x, 3),
    "inverse power": lambda x: tg.linalg.matrix_power(x, -2),
    "exp": lambda x: tg.linalg.matrix_exp(x / 4),
    "cholesky": lambda x: tg.linalg.cholesky(x @ x.mT, upper=True),
    "eigenvalues": lambda x: tg.linalg.eigvalsh(x + x.mT),
    "function by eigh": lambda x: (lambda w, v: v * w.exp().unsqueeze(-2) @ v.mT)(*tg.linalg.eigh(x)),
    "nuclear": lambda x: tg.linalg.matrix_norm(x, "nuc"),
    "spectral": lambda x: tg.linalg.matrix_norm(x, 2),
    "smallest": lambda x: tg.linalg.matrix_norm(x, -2),
    "rows": lambda x: tg.linalg.matrix_norm(x, np.inf, keepdim=True),
    "columns": lambda x: tg.linalg.matrix_norm(x, 1, axis=(-1, 0)),
    "cond": tg.linalg.cond,
    "cond of Frobenius": lambda x: tg.linalg.cond(x, "fro"),
}
BY_NUMPY = {
    "inv": np.linalg.inv, "det": np.linalg.det, "slogdet": lambda x: np.linalg.slogdet(x)[1],
    "logdet": lambda x: np.log(np.linalg.det(x @ x.T)), "pinv": np.linalg.pinv,
    "power": lambda x: np.linalg.matrix_power(x, 3),
    "inverse power": lambda x: np.linalg.matrix_power(x, -2),
    "cholesky": lambda x: np.linalg.cholesky(x @ x.T).T,
    "eigenvalues": lambda x: np.linalg.eigvalsh(x + x.T),
    "nuclear": lambda x: np.linalg.norm(x, "nuc"), "spectral": lambda x: np.linalg.norm(x, 2),
    "smallest": lambda x: np.linalg.norm(x, -2),
    "rows": lambda x: np.linalg.norm(x, np.inf, (0, 1), True),
    "columns": lambda x: np.linalg.norm(x.T, 1), "cond": np.linalg.cond,
    "cond of Frobenius": lambda x: np.linalg.cond(x, "fro"),
}
AT = np.array([[2.0, 0.3, -0.4], [0.1, -1.5, 0.6], [0.7, -0.2, 0.9]])


@pytest.mark.parametrize("name", COMPOSED)
def test_functions_of_a_matrix_have_values_and_derivatives(name):
    if name in BY_NUMPY:
        value = COMPOSED[name](tg.tensor(AT)).numpy()
        np.testing.assert_allclose(value, BY_NUMPY[name](AT), rtol=1e-11, atol=1e-12)
    gradients_hold(COMPOSED[name], AT)


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_matrix_exp_agrees_with_mpmath(scale):
    expected = np.array(mpmath.expm(mpmath.matrix(AT * scale)).tolist(), dtype=float)
    ours = tg.linalg.matrix_exp(tg.tensor(AT * scale)).numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-11 * max(scale, 1), atol=1e-12)
    stack = tg.linalg.matrix_exp(tg.tensor(np.stack([AT, AT * scale]))).numpy()
    np.testing.assert_allclose(stack[1], expected, rtol=1e-11 * max(scale, 1), atol=1e-12)


SYSTEMS = [
    ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3)), ((2, 3, 3), (3, 2)), ((3, 3), (4, 3, 2)),
]


@pytest.mark.parametrize(("of_a", "of_b"), SYSTEMS)
def test_solutions_solve(of_a, of_b, rng):
    a, b = rng.standard_normal(of_a) + 3 * np.eye(3), rng.standard_normal(of_b)
    x = tg.linalg.solve(tg.tensor(a), tg.tensor(b)).numpy()
    vectors = len(of_b) == 1 or of_b == (2, 3)
    product = (a @ x[..., None])[..., 0] if vectors else a @ x
    np.testing.assert_allclose(product, np.broadcast_to(b, product.shape), atol=1e-13)
    gradients_hold(tg.linalg.solve, a, b)


def test_solutions_from_the_right(rng):
    a, b = rng.standard_normal((2, 3, 3)) + 3 * np.eye(3), rng.standard_normal((2, 4, 3))
    x = tg.linalg.solve(tg.tensor(a), tg.tensor(b), left=False).numpy()
    np.testing.assert_allclose(x @ a, b, atol=1e-13)
    gradients_hold(lambda a, b: tg.linalg.solve(a, b, left=False), a, b)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 6, 7])
def test_powers_of_matrices(n):
    x = tg.tensor(AT, requires_grad=True)
    y = tg.linalg.matrix_power(x, n)
    np.testing.assert_allclose(y.detach().numpy(), np.linalg.matrix_power(AT, n), rtol=1e-11)
    gradients_hold(lambda x: tg.linalg.matrix_power(x, n), AT, second=n != 0)
    infinite = tg.linalg.matrix_power(tg.tensor([[np.inf]]), 0)
    assert infinite.tolist() == [[1.0]]


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_systems(left, upper, unit, rng):
    a, b = rng.standard_normal((2, 3, 3)) + 3 * np.eye(3), rng.standard_normal((2, 3, 3))

    def f(a, b):
        return tg.linalg.solve_triangular(a, b, upper=upper, left=left, unitriangular=unit)

    t = np.triu(a) if upper else np.tril(a)
    if unit:
        t[:, range(3), range(3)] = 1
    x = f(tg.tensor(a), tg.tensor(b)).numpy()
    np.testing.assert_allclose(t @ x if left else x @ t, b, atol=1e-13)
    gradients_hold(f, a, b)


def test_triangles_are_solved_without_a_look_at_the_other_and_without_pivoting():
    a = np.array([[1e-9, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, -1.0, 2.0]])
    b = a @ np.array([[3.0], [-1.0], [7.0]])
    a[0, 2] = np.nan
    x = tg.linalg.solve_triangular(tg.tensor(a), tg.tensor(b), upper=False).numpy()
    np.testing.assert_allclose(x, [[3.0], [-1.0], [7.0]], rtol=1e-6)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (3, 3), (2, 4, 2)])
def test_least_squares(shape, rng):
    a, b = rng.standard_normal(shape), rng.standard_normal((*shape[:-1], 2))
    fit = tg.linalg.lstsq(tg.tensor(a), tg.tensor(b))
    if len(shape) == 2:
        solution, residuals, rank, values = np.linalg.lstsq(a, b)
        np.testing.assert_allclose(fit.solution.numpy(), solution, atol=1e-12)
        np.testing.assert_allclose(fit.residuals.numpy(), residuals, atol=1e-12)
        np.testing.assert_allclose(fit.singular_values.numpy(), values, atol=1e-12)
        assert fit.rank.item() == rank
    gradients_hold(lambda a, b: tg.linalg.lstsq(a, b).solution, a, b)


def test_ranks_and_tolerances():
    x = np.diag([4.0, 1.0, 1e-3])
    assert tg.linalg.matrix_rank(tg.tensor(x)).item() == 3
    assert tg.linalg.matrix_rank(tg.tensor(x), rtol=1e-2).item() == 2
    assert tg.linalg.matrix_rank(tg.tensor(x), atol=2.0).item() == 1
    assert tg.linalg.matrix_rank(tg.tensor(x * 1e-17), atol=1e-18).item() == 2
    assert tg.linalg.matrix_rank(tg.tensor(np.diag([1.0, 1e-17])), atol=1e-18).item() == 2
    assert tg.linalg.matrix_rank(tg.zeros(2, 3, 4)).tolist() == [0, 0]
    np.testing.assert_allclose(
        tg.linalg.pinv(tg.tensor(x), atol=1e-2).numpy(), np.diag([0.25, 1.0, 0.0]), atol=1e-15
    )
    low = np.outer([1.0, 2.0, 3.0], [1.0, -1.0])       # of rank 1: the derivative keeps the rank
    direction = np.outer([1.0, 2.0, 3.0], [0.3, 0.5])

    def along(step):
        return tg.linalg.pinv(tg.tensor(low + step * direction)).numpy()

    x = tg.tensor(low, requires_grad=True)
    y = tg.linalg.pinv(x)
    weight = np.arange(6.0).reshape(2, 3)
    y.backward(weight)
    numerical = ((along(1e-6) - along(-1e-6)) / 2e-6 * weight).sum()
    assert (x.grad.numpy() * direction).sum() == pytest.approx(numerical, rel=1e-6)


def test_the_derivative_of_a_determinant_is_there_at_singular_matrices(rng):
    for rows, cofactors in (
        ([[1.0, 2.0], [2.0, 4.0]], [[4.0, -2.0], [-2.0, 1.0]]),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.zeros((3, 3)), np.zeros((3, 3))),
    ):
        x = tg.tensor(rows, requires_grad=True)
        tg.linalg.det(x).backward()
        np.testing.assert_allclose(x.grad.numpy(), cofactors, atol=1e-14)


def test_equal_values_have_derivatives_and_their_vectors_have_none():
    x = tg.tensor(np.eye(3), requires_grad=True)
    tg.linalg.eigvalsh(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.eye(3))
    x.grad = None
    tg.linalg.svdvals(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.eye(3), atol=1e-15)
    with pytest.raises(NotDifferentiable, match="eigh: two values are equal"):
        (tg.linalg.eigh(x).eigenvectors * np.arange(9.0).reshape(3, 3)).sum().backward()
    with pytest.raises(NotDifferentiable, match="svd: two values are equal"):
        (tg.linalg.svd(x).U * np.arange(9.0).reshape(3, 3)).sum().backward()


def test_vectors_that_only_complete_a_basis_have_no_derivative(rng):
    x = tg.tensor(rng.standard_normal((4, 2)), requires_grad=True)
    with pytest.raises(NotDifferentiable, match="qr: the last 2 columns"):
        tg.linalg.qr(x, "complete").Q.sum().backward()
    with pytest.raises(NotDifferentiable, match="svd: vectors beyond the first 2"):
        tg.linalg.svd(x).U.sum().backward()
    tg.linalg.svd(x).S.sum().backward()
    dependent = tg.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    with pytest.raises(NotDifferentiable, match="depend on each other"):
        tg.linalg.qr(dependent).Q.sum().backward()
    flat = tg.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], requires_grad=True)
    with pytest.raises(NotDifferentiable, match="a singular value is 0"):
        (tg.linalg.svd(flat, False).U * np.arange(6.0).reshape(3, 2)).sum().backward()


@pytest.mark.parametrize("ord", [2, 1, 3, 0.5, -1, np.inf, -np.inf, 0])
@pytest.mark.parametrize("axis", [None, 1, (0, 2)])
def test_vector_norms(ord, axis, rng):
    x = rng.standard_normal((2, 3, 4)) + 2
    ours = tg.linalg.vector_norm(tg.tensor(x), ord, axis).numpy()
    expected = np.linalg.vector_norm(x, ord=ord, axis=axis)
    np.testing.assert_allclose(ours, expected, rtol=1e-13)
    kept = tg.linalg.vector_norm(tg.tensor(x), ord, axis, keepdim=True).numpy()
    np.testing.assert_allclose(kept, np.linalg.vector_norm(x, ord=ord, axis=axis, keepdims=True))
    gradients_hold(lambda x: tg.linalg.vector_norm(x, ord, axis), x)


@pytest.mark.parametrize("ord", [2, 1, 3, np.inf])
def test_norms_have_the_derivative_0_at_0(ord):
    x = tg.zeros(2, 3, requires_grad=True)
    tg.linalg.vector_norm(x, ord, 1).sum().backward()
    assert x.grad.tolist() == [[0.0] * 3] * 2
    x = tg.tensor([0.0, 2.0], requires_grad=True)
    tg.linalg.vector_norm(x, ord).backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.0, 1.0], rtol=1e-14)


def test_what_is_not_zero_is_counted():
    x = tg.tensor([[0.0, np.inf, np.nan], [0.0, 0.0, 1e-300]], requires_grad=True)
    count = tg.linalg.vector_norm(x, 0, 1)
    assert count.tolist() == [2.0, 1.0]
    assert tg.linalg.vector_norm(tg.tensor(5.0)).item() == 5.0
    assert tg.linalg.cond(tg.tensor([[3.0]])).item() == 1.0


def test_norm_chooses_as_pytorch_does(rng):
    x = rng.standard_normal((3, 4))
    for ord, axis, expected in [
        (None, None, np.linalg.norm(x)), ("nuc", None, np.linalg.norm(x, "nuc")),
        (2, None, np.linalg.norm(x, 2)), (2, 1, np.linalg.norm(x, 2, 1)),
        (1, (0, 1), np.linalg.norm(x, 1)), (None, 0, np.linalg.norm(x, None, 0)),
    ]:
        np.testing.assert_allclose(tg.linalg.norm(tg.tensor(x), ord, axis).numpy(), expected)


def test_angles_and_distances(rng):
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = tg.cosine_similarity(tg.tensor(a), tg.tensor(b)).numpy()
    np.testing.assert_allclose(cosine, (a * b).sum(1) / lengths, rtol=1e-12)
    distance = tg.pairwise_distance(tg.tensor(a), tg.tensor(b), 3, eps=0.1, keepdim=True).numpy()
    np.testing.assert_allclose(distance, (np.abs(a - b + 0.1) ** 3).sum(1, keepdims=True) ** (1 / 3))
    unit = tg.nn.functional.normalize(tg.tensor(a), axis=0).numpy()
    np.testing.assert_allclose(unit, a / np.linalg.norm(a, axis=0))
    for f in (tg.cosine_similarity, tg.pairwise_distance):
        gradients_hold(f, a, b)
    gradients_hold(tg.nn.functional.normalize, a)
    assert tg.cosine_similarity(tg.zeros(1, 2), tg.ones(1, 2)).item() == 0
    np.testing.assert_allclose(tg.cosine_similarity(tg.tensor(a), tg.tensor(a[0])).numpy()[0], 1)


SINGULAR = tg.tensor([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.linalg.inv(SINGULAR), ArgumentError, "inv: the matrix is singular"),
        (lambda: tg.linalg.solve(SINGULAR, tg.ones(2)), ArgumentError, "solve: the matrix is singular"),
        (lambda: tg.linalg.matrix_power(SINGULAR, -1), ArgumentError, "matrix_power: .* singular"),
        (lambda: tg.linalg.cholesky(-SINGULAR), ArgumentError, "cholesky: .* not positive definite"),
        (
            lambda: tg.linalg.solve_triangular(tg.zeros(2, 2), tg.ones(2, 1), upper=True),
            ArgumentError, "0 on the diagonal",
        ),
        (lambda: tg.linalg.inv(tg.ones(2, 3)), ShapeError, r"inv: x has shape \(2, 3\)"),
        (lambda: tg.linalg.det(tg.ones(2)), ShapeError, r"det: x has shape \(2,\): it needs 2 or more"),
        (lambda: tg.linalg.solve(tg.eye(2), tg.ones(3)), ShapeError, "a has 2 rows"),
        (lambda: tg.linalg.solve(tg.ones(2, 2, 2), tg.ones(3, 2, 1)), ShapeError, "does not fit"),
        (lambda: tg.linalg.lstsq(tg.ones(3, 2), tg.ones(2, 1)), ShapeError, "lstsq: a has 3 rows"),
        (lambda: tg.linalg.qr(SINGULAR, "economic"), ArgumentError, "mode is 'economic'"),
        (lambda: tg.linalg.matrix_power(SINGULAR, 0.5), ArgumentError, "n is 0.5"),
        (lambda: tg.linalg.matrix_exp(tg.tensor([[np.inf]])), RangeError, "infinity"),
        (lambda: tg.linalg.svd(tg.tensor([[np.nan]])), ArgumentError, "svd: .* finite"),
        (lambda: tg.trace(tg.ones(2, 2, 2)), ShapeError, "trace: .* 2 axes"),
        (lambda: tg.linalg.matrix_norm(SINGULAR, 3), ArgumentError, "ord is 3"),
        (lambda: tg.linalg.matrix_norm(SINGULAR, axis=(0, 0)), ShapeError, "one axis twice"),
        (lambda: tg.linalg.matrix_norm(SINGULAR, axis=(0, 2)), ShapeError, "axis 2 is out of bounds"),
        (lambda: tg.linalg.vector_norm(SINGULAR, "fro"), ArgumentError, "ord is 'fro'"),
        (lambda: tg.linalg.vector_norm(tg.zeros(0), np.inf), ShapeError, "over no elements"),
        (lambda: tg.linalg.norm(tg.ones(2, 2, 2), 2), ShapeError, "one or two axes"),
        (lambda: tg.cosine_similarity(tg.ones(2, 3), tg.ones(2, 4)), ShapeError, "do not fit"),
        (lambda: tg.pairwise_distance(tg.ones(2, 3), tg.ones(2, 4)), ShapeError, "x2 has shape"),
    ],
)
def test_what_people_get_wrong_raises_with_the_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_integers_are_promoted_and_single_precision_stays():
    assert tg.linalg.det(tg.tensor([[2, 1], [0, 3]])).item() == 6.0
    x = tg.tensor(AT, dtype=tg.float32)
    for name, f in COMPOSED.items():
        assert f(x).dtype == np.float32, name
    assert tg.linalg.lstsq(x, x).solution.dtype == np.float32
    assert tg.linalg.vector_norm(tg.tensor([3, 4]), dtype=tg.float32).dtype == np.float32


def test_methods():
    x = tg.tensor(AT)
    assert x.det().item() == pytest.approx(np.linalg.det(AT))
    assert x.slogdet().sign.item() == np.sign(np.linalg.det(AT))
    assert x.trace().item() == pytest.approx(np.trace(AT))
    np.testing.assert_allclose(x.inverse().numpy(), x.pinverse().numpy(), atol=1e-13)
    np.testing.assert_allclose(x.matrix_power(2).numpy(), AT @ AT)
    np.testing.assert_allclose((x @ x.mT).cholesky().numpy(), np.linalg.cholesky(AT @ AT.T))
