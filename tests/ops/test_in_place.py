"""Methods that change a tensor in place: what they leave, what flows back, and what they refuse."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import DTypeError, IndexingError, RangeError, ShapeError, TensorError
from tinygrad_relu.ops import CHANGING, METHODS

MASK = np.array([[True, False, True], [False, False, True], [True, True, False]])
TWICE = np.array([[0, 2, 1], [0, 2, 2]])


def put(x, key, values):
    y = x.copy()
    y[key] = values
    return y


def added(x, key, values):
    y = x.copy()
    np.add.at(y, key, values)
    return y


def multiplied(x, key, values):
    y = x.copy()
    np.multiply.at(y, key, values)
    return y


COLUMNS = np.arange(3)

# In place, and what NumPy makes of x and y, both of shape (3, 3) and between 0.2 and 0.9.
SAME = {
    "add_ alpha": (lambda x, y: x.add_(y, alpha=-0.5), lambda x, y: x - y / 2),
    "sub_ alpha": (lambda x, y: x.sub_(y, alpha=3), lambda x, y: x - 3 * y),
    "addcdiv_": (lambda x, y: x.addcdiv_(y, y + 1, value=2), lambda x, y: x + 2 * y / (y + 1)),
    "addcmul_": (lambda x, y: x.addcmul_(y, y, value=-1), lambda x, y: x - y * y),
    "addmm_": (lambda x, y: x.addmm_(y, y, beta=2), lambda x, y: 2 * x + y @ y),
    "atan2_": (lambda x, y: x.atan2_(y), np.arctan2),
    "clamp_ keywords": (lambda x, y: x.clamp_(min=0.3, max=0.6), lambda x, y: np.clip(x, 0.3, 0.6)),
    "clamp_max_": (lambda x, y: x.clamp_max_(y), np.minimum),
    "clamp_min_": (lambda x, y: x.clamp_min_(0.5), lambda x, y: np.maximum(x, 0.5)),
    "clip_": (lambda x, y: x.clip_(0.3, 0.6), lambda x, y: np.clip(x, 0.3, 0.6)),
    "cumsum_": (lambda x, y: x.cumsum_(dim=1), lambda x, y: np.cumsum(x, 1)),
    "div_ rounded": (lambda x, y: x.div_(y, rounding_mode="floor"), lambda x, y: x // y),
    "erf_": (lambda x, y: x.erf_(), lambda x, y: tg.erf(x).numpy()),
    "fill_diagonal_": (
        lambda x, y: x.fill_diagonal_(2.0), lambda x, y: put(x, np.diag_indices(3), 2.0)
    ),
    "hypot_": (lambda x, y: x.hypot_(y), np.hypot),
    "index_add_": (
        lambda x, y: x.index_add_(0, tg.tensor([1, 1]), y[:2], alpha=2),
        lambda x, y: added(x, (np.array([1, 1]),), 2 * y[:2]),
    ),
    "index_copy_": (
        lambda x, y: x.index_copy_(1, tg.tensor([2, 0]), y[:, :2]),
        lambda x, y: put(x, (slice(None), [2, 0]), y[:, :2]),
    ),
    "index_fill_": (
        lambda x, y: x.index_fill_(0, tg.tensor([2, 0]), 4.0), lambda x, y: put(x, [2, 0], 4.0)
    ),
    "index_put_": (
        lambda x, y: x.index_put_((tg.tensor([0, 0]), tg.tensor([1, 1])), y[0, :2], accumulate=True),
        lambda x, y: added(x, ([0, 0], [1, 1]), y[0, :2]),
    ),
    "index_reduce_": (
        lambda x, y: x.index_reduce_(0, tg.tensor([1, 1]), y[:2], "prod"),
        lambda x, y: multiplied(x, (np.array([1, 1]),), y[:2]),
    ),
    "lerp_": (lambda x, y: x.lerp_(y, 0.25), lambda x, y: x + (y - x) / 4),
    "masked_fill_": (lambda x, y: x.masked_fill_(MASK, 2.0), lambda x, y: np.where(MASK, 2.0, x)),
    "masked_scatter_": (
        lambda x, y: x.masked_scatter_(MASK, y), lambda x, y: put(x, MASK, y.ravel()[: MASK.sum()])
    ),
    "mul_ itself": (lambda x, y: x.mul_(x), lambda x, y: x * x),
    "nan_to_num_": (lambda x, y: x.nan_to_num_(), lambda x, y: x),
    "put_": (
        lambda x, y: x.put_([0, -1], y[0, :2]),
        lambda x, y: put(x.ravel(), [0, -1], y[0, :2]).reshape(3, 3),
    ),
    "rsqrt_": (lambda x, y: x.rsqrt_(), lambda x, y: x**-0.5),
    "scatter_": (
        lambda x, y: x.scatter_(0, TWICE[:1], y), lambda x, y: put(x, (TWICE[0], COLUMNS), y[0])
    ),
    "scatter_ a number": (
        lambda x, y: x.scatter_(0, TWICE, value=7.0), lambda x, y: put(x, (TWICE, COLUMNS), 7.0)
    ),
    "scatter_add_": (
        lambda x, y: x.scatter_add_(0, TWICE, y), lambda x, y: added(x, (TWICE, COLUMNS), y[:2])
    ),
    "scatter_reduce_": (
        lambda x, y: x.scatter_reduce_(0, TWICE, y, reduce="prod"),
        lambda x, y: multiplied(x, (TWICE, COLUMNS), y[:2]),
    ),
    "tril_": (lambda x, y: x.tril_(-1), lambda x, y: np.tril(x, -1)),
    "xlogy_": (lambda x, y: x.xlogy_(y), lambda x, y: x * np.log(y)),
}


def between(rng):
    return rng.uniform(0.2, 0.9, (3, 3))


@pytest.mark.parametrize("name", SAME)
def test_values_are_numpys_in_both_dtypes(name, rng):
    change, expected = SAME[name]
    for dtype, close in ((np.float64, 1e-12), (np.float32, 1e-5)):
        x, y = between(rng).astype(dtype), between(rng).astype(dtype)
        changed = tg.tensor(x)
        alias = changed.detach()
        assert change(changed, tg.tensor(y)) is changed
        assert changed.dtype == dtype and changed._version >= 1
        np.testing.assert_allclose(changed.numpy(), expected(x, y), rtol=close)
        np.testing.assert_array_equal(alias.numpy(), changed.numpy())


@pytest.mark.parametrize("name", SAME)
def test_changes_are_recorded_with_what_was_there_before(name, rng):
    change, _ = SAME[name]

    def changed(x, y):
        z = x * 1.0
        before = z * 3.0        # of the old values, which its derivative does not need
        change(z, y)
        return z.sin() + before

    x, y = (tg.tensor(between(rng), requires_grad=True) for _ in range(2))
    assert tg.gradcheck(changed, (x, y))
    assert tg.gradgradcheck(changed, (x, y))


def test_a_view_changes_its_base_on_record(rng):
    x = tg.tensor(between(rng), requires_grad=True)
    y = x * 1.0
    y[1].masked_fill_([True, False, True], 5.0)
    assert y[1, 0].item() == 5.0
    y.sum().backward()
    assert x.grad.tolist() == [[1, 1, 1], [0, 1, 0], [1, 1, 1]]


def test_every_method_in_place_has_one_that_is_not_and_says_what_it_does():
    for name in CHANGING:
        assert callable(METHODS[name]) and METHODS[f"{name}_"].__name__ == f"{name}_"
        assert METHODS[f"{name}_"].__doc__.startswith(f"In place, what `{name}` gives")


def test_what_is_refused_changes_nothing():
    x = tg.zeros(3)
    with pytest.raises(IndexingError, match=r"^scatter_: index 5 is out of bounds.*src=1\.0"):
        x.scatter_(0, [5], 1.0)
    with pytest.raises(ShapeError, match=r"^add_: in place: the result of shape \(2, 3\)"):
        x.add_(tg.ones(2, 3))
    with pytest.raises(DTypeError, match=r"^div_: in place: the result of dtype float64"):
        tg.tensor([1, 2]).div_(2)
    with pytest.raises(TensorError, match=r"^lerp_: .*unknown keyword 'wait'"):
        x.lerp_(x, wait=1)
    with pytest.raises(TensorError, match="leaf that requires a gradient"):
        tg.ones(3, requires_grad=True).masked_fill_([True, False, True], 0.0)
    assert x.tolist() == [0, 0, 0] and x._version == 0


def test_fill_diagonal_of_tall_and_deep_ones_is_numpys():
    for shape, wrap in (((5, 2), True), ((5, 2), False), ((2, 5), True), ((3, 3, 3), False)):
        expected = np.zeros(shape)
        np.fill_diagonal(expected, 2.0, wrap)
        np.testing.assert_array_equal(tg.zeros(shape).fill_diagonal_(2.0, wrap).numpy(), expected)
    with pytest.raises(TensorError, match=r"^fill_diagonal_"):
        tg.zeros(3).fill_diagonal_(1.0)


# ----------------------------------------------------------------------------------- drawn ones


def test_draws_in_place_follow_their_distributions():
    generator, n = np.random.default_rng(3), 40000
    x = tg.zeros(n)
    assert x.uniform_(2, 4, generator=generator) is x and x.amin() >= 2 and x.amax() < 4
    np.testing.assert_allclose([x.mean().item(), x.var().item()], [3, 1 / 3], rtol=0.02)
    x.normal_(1.0, 2.0, generator=generator)
    np.testing.assert_allclose([x.mean().item(), x.var().item()], [1, 4], rtol=0.05)
    x.exponential_(0.5, generator=generator)
    np.testing.assert_allclose([x.mean().item(), x.var().item()], [2, 4], rtol=0.05)
    x.bernoulli_(0.25, generator=generator)
    assert set(x.unique().tolist()) == {0, 1} and abs(x.mean().item() - 0.25) < 0.02
    counts = tg.zeros(n, dtype=tg.int64).random_(2, 5, generator=generator)
    assert counts.dtype == np.int64 and set(counts.unique().tolist()) == {2, 3, 4}
    rates = tg.poisson(tg.full((n,), 3.0), generator=generator)
    np.testing.assert_allclose([rates.mean().item(), rates.var().item()], [3, 3], rtol=0.05)


def test_draws_in_place_are_those_of_the_generator_and_keep_the_dtype():
    x = tg.zeros(3, dtype=tg.float32)
    first, second = (x.clone().normal_(generator=np.random.default_rng(1)) for _ in range(2))
    assert first.dtype == np.float32 and first.tolist() == second.tolist()
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    y.uniform_()
    y.sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_draws_in_place_refuse_what_has_no_distribution():
    x = tg.ones(2)
    for kind, message, call in (
        (RangeError, "normal_: std is -1", lambda: x.normal_(0, -1)),
        (RangeError, "uniform_: low is 2", lambda: x.uniform_(2, 1)),
        (RangeError, "exponential_: lambd is 0", lambda: x.exponential_(0)),
        (RangeError, "bernoulli_: a probability", lambda: x.bernoulli_(1.5)),
        (RangeError, "random_: low is 3", lambda: x.random_(3, 3)),
        (RangeError, "poisson: a rate is negative", lambda: tg.poisson(-x)),
        (DTypeError, "uniform_: .* dtype int64 cannot hold", lambda: tg.tensor([1]).uniform_()),
        (TensorError, "normal_: generator is a int", lambda: x.normal_(generator=5)),
    ):
        with pytest.raises(kind, match=message):
            call()
    assert x.tolist() == [1, 1]
