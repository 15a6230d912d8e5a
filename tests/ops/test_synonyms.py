"""Functions under several names: one behaviour, and the name that was called in errors and nodes."""

import pickle

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError, TensorError
from tinygrad_relu.ops.synonyms import SYNONYMS, renamed

MATRIX = [[2.0, 1.0], [0.5, 3.0]]


def message_of(call):
    with pytest.raises(TensorError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("name", SYNONYMS)
def test_errors_begin_with_the_name_that_was_called(name):
    from tinygrad_relu.ops import synonyms

    assert message_of(lambda: getattr(synonyms, name)(object())).startswith(f"{name}: ")
    assert getattr(synonyms, name).__doc__ == SYNONYMS[name].__doc__


@pytest.mark.parametrize(
    ("begins", "call"),
    [
        ("abs: x is a str", lambda: tg.abs("a")),
        ("div: operands could not be broadcast", lambda: tg.div(tg.ones(2), tg.ones(3))),
        ("clip: ", lambda: tg.ones(2).clip("a")),
        ("cat: ", lambda: tg.cat([tg.ones(2), tg.ones(2, 2)])),
        ("view: ", lambda: tg.ones(2, 3).view(7)),
        ("mul_: ", lambda: tg.ones(2).mul_(tg.ones(3))),
        ("transpose: ", lambda: tg.ones(2, 2).transpose(0, 4)),
        ("mT: a tensor of shape", lambda: tg.ones(2).mT),
        ("round: ", lambda: tg.round("a")),
        ("polygamma: n is", lambda: tg.ones(2).polygamma(1.5)),
        ("where: ", lambda: tg.ones(2).where(tg.ones(3) > 0, 0.0)),
        ("equal: ", lambda: tg.equal(tg.ones(2), object())),
    ],
)
def test_what_a_user_called_is_what_the_error_names(begins, call):
    assert message_of(call).startswith(begins)


def test_nodes_have_the_name_that_was_called():
    x = tg.tensor(MATRIX, requires_grad=True)
    names = {f(x).grad_fn.name for f in (tg.abs, tg.neg, tg.Tensor.abs)} | {(x / 2).grad_fn.name}
    assert names == {"abs", "neg", "divide"}
    tg.mul(tg.abs(x), 3).sum().backward()
    assert x.grad.tolist() == [[3, 3], [3, 3]]


def test_synonyms_compute_the_same_and_can_be_pickled():
    x = tg.tensor(MATRIX)
    for one, other in ((tg.abs, tg.absolute), (tg.arctan, tg.atan), (tg.cat, tg.concat)):
        given = [x, x] if one is tg.cat else x
        kept = pickle.loads(pickle.dumps(one))
        assert one(given).tolist() == other(given).tolist() == kept(given).tolist()
    assert pickle.loads(pickle.dumps(tg.abs)) is tg.abs
    assert renamed("magnitude", tg.abs)(x).tolist() == MATRIX


# ---------------------------------------------------------------------- keywords that are PyTorch's


def test_sums_take_alpha_and_quotients_a_rounding_mode(rng):
    a, b = rng.uniform(-3, 3, (2, 5))
    x, y = tg.tensor(a, requires_grad=True), tg.tensor(b, requires_grad=True)
    np.testing.assert_allclose(tg.add(x, y, alpha=-2).detach().numpy(), a - 2 * b)
    np.testing.assert_allclose(x.sub(y, alpha=0.5).detach().numpy(), a - b / 2)
    np.testing.assert_allclose(tg.sub(input=x, other=y, alpha=2).detach().numpy(), a - 2 * b)
    assert tg.gradcheck(lambda x, y: tg.add(x, y, alpha=3) * tg.sub(x, y, alpha=2), (x, y))
    np.testing.assert_array_equal(tg.div(a, b, rounding_mode="floor").numpy(), np.floor_divide(a, b))
    np.testing.assert_array_equal(tg.div(a, b, rounding_mode="trunc").numpy(), np.trunc(a / b))
    np.testing.assert_array_equal(x.div(y, rounding_mode=None).detach().numpy(), a / b)
    whole = tg.div(tg.tensor([-7, 7, -7, 6]), tg.tensor([2, 2, -2, -3]), rounding_mode="trunc")
    assert whole.dtype == np.int64 and whole.tolist() == [-3, 3, 3, -2]
    with pytest.raises(ArgumentError, match="div: rounding_mode is 'up'"):
        tg.div(a, b, rounding_mode="up")
    with pytest.raises(ArgumentError, match=r"^mul: unknown keyword 'alpha'"):
        tg.mul(a, b, alpha=2)
    with pytest.raises(ArgumentError, match=r"^add: unknown keyword 'beta': .* add\(a, b, \*"):
        tg.add(a, b, beta=2)


def test_round_takes_decimals_and_leaves_integers():
    x = np.array([-1.25, 0.375, 2.5, 123.456])
    for decimals in (0, 1, 2, -1):
        np.testing.assert_allclose(tg.round(x, decimals=decimals).numpy(), np.round(x, decimals))
    assert tg.round(tg.tensor([1, -2])).dtype == np.int64
    with pytest.raises(TensorError, match="round: decimals are for floats"):
        tg.round(tg.tensor([15]), decimals=-1)


# ------------------------------------------------------------------------------ names that are new


def test_joined_and_split_ones_are_numpys(rng):
    x, y = rng.standard_normal((2, 4, 2)), rng.standard_normal((3, 1))
    for name, argument in (("hsplit", 2), ("vsplit", [1]), ("dsplit", 2), ("hsplit", (1, 3))):
        ours = getattr(tg, name)(tg.tensor(x), argument)
        for part, expected in zip(ours, getattr(np, name)(x, argument), strict=True):
            np.testing.assert_array_equal(part.numpy(), expected)
    blocks = tg.block_diag(tg.tensor(y), tg.tensor([5.0, 6.0])).numpy()
    np.testing.assert_array_equal(blocks[:3, :1], y)
    assert blocks.shape == (4, 3) and blocks[3].tolist() == [0, 5, 6] and not blocks[:3, 1:].any()
    leaves = [tg.tensor(value, requires_grad=True) for value in (y, y[:1])]
    assert tg.gradcheck(tg.block_diag, leaves)
    with pytest.raises(ShapeError, match="hsplit: 3 sections do not divide axis 1"):
        tg.hsplit(x, 3)
    with pytest.raises(ShapeError, match="dsplit: x has shape"):
        tg.dsplit(y, 1)


def test_elementwise_ones_are_numpys(rng):
    a, b = rng.integers(-9, 9, (2, 20))
    for name in ("gcd", "lcm"):
        np.testing.assert_array_equal(getattr(tg, name)(a, b).numpy(), getattr(np, name)(a, b))
    x = np.array([1.5, -np.inf, np.inf, np.nan, 0.0])
    y = np.array([np.nan, 2.0, -1.0, np.nan, 0.0])
    for name in ("fmax", "fmin"):
        np.testing.assert_array_equal(getattr(tg, name)(x, y).numpy(), getattr(np, name)(x, y))
    for name in ("isposinf", "isneginf"):
        np.testing.assert_array_equal(getattr(tg, name)(x).numpy(), getattr(np, name)(x))
    exponents = np.array([-2, 0, 3, 1, 2])
    np.testing.assert_array_equal(tg.ldexp(x, exponents).numpy(), np.ldexp(x, exponents))
    np.testing.assert_array_equal(tg.isin(a, b[:4]).numpy(), np.isin(a, b[:4]))
    leaves = [tg.tensor(rng.standard_normal(5), requires_grad=True) for _ in range(2)]
    assert tg.gradcheck(lambda x, y: tg.fmax(x, y) * tg.fmin(x, y), leaves)
    assert tg.gradcheck(tg.ldexp, leaves)
    gap = tg.tensor([np.nan, 1.0], requires_grad=True)
    tg.fmax(gap, tg.zeros(2)).sum().backward()
    assert gap.grad.tolist() == [0, 1]


def test_distances_are_numpys(rng):
    x, y = rng.standard_normal((2, 4, 3)), rng.standard_normal((5, 3))
    for p in (1, 2, 3, np.inf):
        expected = np.linalg.norm(x[:, :, None] - y, p, -1)
        np.testing.assert_allclose(tg.cdist(x, y, p).numpy(), expected)
        np.testing.assert_allclose(tg.dist(x, x[0], p).item(), np.linalg.norm((x - x[0]).ravel(), p))
        first, second = np.triu_indices(5, 1)
        expected = np.linalg.norm(y[first] - y[second], p, -1)
        np.testing.assert_allclose(tg.nn.functional.pdist(y, p).numpy(), expected)
    leaves = [tg.tensor(value, requires_grad=True) for value in (x, y)]
    assert tg.gradcheck(tg.cdist, leaves) and tg.gradgradcheck(lambda x: tg.cdist(x, y), leaves[:1])
    same = tg.tensor(y, requires_grad=True)
    tg.cdist(same, same).diagonal().sum().backward()
    assert not same.grad.numpy().any()
    with pytest.raises(ShapeError, match=r"cdist: .*features differ"):
        tg.cdist(x, y[:, :2])


def test_areas_and_covariances_are_numpys(rng):
    y, x = rng.standard_normal((3, 5)), np.sort(rng.standard_normal(5))
    np.testing.assert_allclose(tg.trapezoid(y, x).numpy(), np.trapezoid(y, x))
    np.testing.assert_allclose(tg.trapezoid(y, dx=0.5, dim=0).numpy(), np.trapezoid(y, dx=0.5, axis=0))
    areas = [np.trapezoid(y[:, : k + 2], x[: k + 2]) for k in range(4)]
    np.testing.assert_allclose(tg.cumulative_trapezoid(y, x).numpy(), np.transpose(areas))
    counts, weights = np.array([1, 2, 0, 1, 3]), rng.random(5)
    for keywords in ({}, {"fweights": counts}, {"aweights": weights},
                     {"fweights": counts, "aweights": weights}):
        for correction in (0, 1):
            np.testing.assert_allclose(
                tg.cov(y, correction=correction, **keywords).numpy(),
                np.cov(y, ddof=correction, **keywords),
            )
    np.testing.assert_allclose(tg.cov(y[0]).item(), np.cov(y[0]))
    np.testing.assert_allclose(tg.corrcoef(y).numpy(), np.corrcoef(y))
    leaf = tg.tensor(y, requires_grad=True)
    assert tg.gradcheck(lambda y: tg.cov(y, fweights=counts), leaf) and tg.gradcheck(tg.corrcoef, leaf)
    assert tg.gradcheck(tg.trapezoid, (leaf, tg.tensor(x, requires_grad=True)))
    with pytest.raises(ShapeError, match="cov: fweights has shape"):
        tg.cov(y, fweights=counts[:2])
    with pytest.raises(RangeError, match="cov: the weights sum to 0"):
        tg.cov(y, fweights=counts * 0)
    with pytest.raises(ArgumentError, match="trapezoid: pass one of x and dx"):
        tg.trapezoid(y, x, 0.5)


def test_runs_and_modes():
    x = tg.tensor([[3.0, 1.0, 1.0, 3.0], [2.0, 2.0, 5.0, 0.0]], requires_grad=True)
    values, indices = tg.mode(x, 1)
    assert values.tolist() == [1, 2] and indices.tolist() == [2, 1]
    values.sum().backward()
    assert x.grad.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]
    assert tg.mode(x, 0, keepdim=True).values.tolist() == [[2, 1, 1, 0]]
    runs, inverse, counts = tg.unique_consecutive(
        tg.tensor([4, 4, 1, 4, 4, 4]), return_inverse=True, return_counts=True
    )
    assert runs.tolist() == [4, 1, 4] and counts.tolist() == [2, 1, 3]
    assert inverse.tolist() == [0, 0, 1, 2, 2, 2]
    assert tg.unique_consecutive(tg.tensor([[1, 1, 2], [3, 3, 3]]), dim=1).tolist() == [[1, 2], [3, 3]]
    assert tg.unique_consecutive(tg.zeros(0)).shape == (0,)
    assert tg.msort(x).tolist() == [[2, 1, 1, 0], [3, 2, 5, 3]]


def test_special_ones_are_mpmaths():
    mpmath = pytest.importorskip("mpmath")
    x = np.array([-12.0, -2.0, -0.3, 0.0, 0.7, 3.0])
    np.testing.assert_allclose(
        tg.special.ndtr(x).numpy(), [float(mpmath.ncdf(value)) for value in x], rtol=1e-13
    )
    a = np.array([1.5, 2.0, 7.25])
    expected = [
        float(mpmath.mpf(3) / 2 * mpmath.log(mpmath.pi)
              + sum(mpmath.loggamma(mpmath.mpf(value) - mpmath.mpf(k) / 2) for k in range(3)))
        for value in a
    ]
    np.testing.assert_allclose(tg.special.multigammaln(a, 3).numpy(), expected, rtol=1e-13)
    leaf = tg.tensor(a, requires_grad=True)
    assert tg.gradcheck(lambda a: tg.mvlgamma(a, 3) + tg.special.ndtr(a), leaf)
    with pytest.raises(RangeError, match="p is 0"):
        leaf.mvlgamma(0)


def test_tensors_like_another_and_questions():
    x = tg.ones(2, 3, dtype=tg.float32)
    for made, value in ((x.new_zeros(2), 0), (x.new_ones((2,)), 1), (x.new_full((2,), 7), 7)):
        assert made.dtype == np.float32 and made.tolist() == [value, value]
    assert x.new_empty(4, dtype=tg.int64).dtype == np.int64 and x.new_tensor([1, 2]).dtype == np.float32
    assert x.new_zeros(1, requires_grad=True).requires_grad
    assert tg.numel(x) == 6 and tg.is_same_size(x, tg.zeros(2, 3)) and not tg.is_nonzero(tg.zeros(1))
    assert tg.is_signed(x) and not tg.is_signed(tg.tensor([True]))
    assert tg.broadcast_shapes((2, 1), (3,)) == (2, 3) and tg.result_type(x, 2) == np.float32
    assert tg.promote_types(tg.int64, tg.float32) == np.float64 and not tg.can_cast(tg.float64, tg.int64)
    y = tg.tensor(MATRIX, requires_grad=True)
    tg.clone(y).sum_to_size(2).square().sum().backward()
    assert y.grad.tolist() == [[5, 8], [5, 8]] and not tg.detach(y).requires_grad
    assert tg.equal(y, tg.clone(y)) and not tg.equal(y, y[:1]) and tg.equal(tg.ones(2), tg.tensor([1, 1]))
    assert tg.tensor(MATRIX).where(tg.tensor(MATRIX) > 1, 0).tolist() == [[2, 0], [0, 3]]
