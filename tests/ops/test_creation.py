"""Making tensors: shapes, dtypes, generators, and distributions."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError, TensorError

X = tg.tensor([[1.0, 2.0, 3.0]], dtype=tg.float32)


@pytest.mark.parametrize("make", [tg.empty, tg.zeros, tg.ones, tg.rand, tg.randn])
def test_of_a_shape(make):
    assert make(2, 3).shape == make((2, 3)).shape == (2, 3)
    assert make(2).dtype == np.float64
    one = make(2, dtype=tg.float32, requires_grad=True)
    assert one.dtype == np.float32 and one.requires_grad
    assert make().shape == ()


@pytest.mark.parametrize(
    "make",
    [
        tg.empty_like, tg.zeros_like, tg.ones_like, tg.rand_like, tg.randn_like, tg.bernoulli,
        lambda x, **options: tg.full_like(x, 2.5, **options),
        lambda x, **options: tg.randint_like(x, 3, **options),
    ],
)
def test_like_another(make):
    like = X / 4
    assert make(like).shape == (1, 3) and make(like).dtype == np.float32
    other = make(like, dtype=np.float64, requires_grad=True)
    assert other.dtype == np.float64 and other.requires_grad
    assert make(like.numpy()).shape == (1, 3)


def test_filled():
    assert tg.full((2,), 2.5).tolist() == [2.5, 2.5]
    assert tg.full(2, 3).dtype == np.int64
    assert tg.full_like(X, 2).tolist() == [[2.0, 2.0, 2.0]]
    tg.set_default_dtype(np.float32)
    try:
        assert tg.full(size=(2,), fill_value=1.0).dtype == np.float32
    finally:
        tg.set_default_dtype(np.float64)


def test_counted():
    np.testing.assert_allclose(tg.logspace(-1, 2, 4).numpy(), [0.1, 1.0, 10.0, 100.0])
    np.testing.assert_array_equal(tg.logspace(0, 3, 4, base=2).numpy(), [1, 2, 4, 8])
    for offset in (-1, 0, 2):
        below, above = tg.tril_indices(3, 4, offset), tg.triu_indices(3, 4, offset)
        np.testing.assert_array_equal(below.numpy(), np.tril_indices(3, offset, 4))
        np.testing.assert_array_equal(above.numpy(), np.triu_indices(3, offset, 4))


DRAWS = {
    "rand": lambda g: tg.rand(5, generator=g),
    "randn": lambda g: tg.randn(5, generator=g),
    "randint": lambda g: tg.randint(0, 1000, (5,), generator=g),
    "randperm": lambda g: tg.randperm(100, generator=g),
    "rand_like": lambda g: tg.rand_like(X, generator=g),
    "randn_like": lambda g: tg.randn_like(X, generator=g),
    "randint_like": lambda g: tg.randint_like(X, 1000, generator=g),
    "normal": lambda g: tg.normal(0.0, 1.0, (5,), generator=g),
    "bernoulli": lambda g: tg.bernoulli(tg.full((64,), 0.5), generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_drawn_is_the_generators_alone(name):
    draw = DRAWS[name]
    by_numpy = draw(np.random.default_rng(5)).tolist()
    generator = tg.Generator(5)
    assert draw(generator).tolist() == by_numpy
    assert draw(generator).tolist() != by_numpy
    assert draw(generator.manual_seed(5)).tolist() == by_numpy
    tg.manual_seed(5)
    assert draw(None).tolist() == by_numpy


def test_distributions():
    tg.manual_seed(0)
    drawn = tg.normal(tg.tensor([0.0, 100.0]), tg.tensor([1.0, 10.0]), (20000, 2)).numpy()
    np.testing.assert_allclose(drawn.mean(0), [0, 100], atol=0.3)
    np.testing.assert_allclose(drawn.std(0), [1, 10], rtol=0.03)
    assert tg.normal(tg.zeros(3, dtype=tg.float32), 1.0).dtype == np.float32
    hits = tg.bernoulli(tg.tensor([0.0, 0.25, 1.0]).expand(20000, 3)).numpy()
    np.testing.assert_allclose(hits.mean(0), [0, 0.25, 1], atol=0.02)
    assert tg.bernoulli(X, 0.0).tolist() == [[0.0, 0.0, 0.0]]
    assert set(tg.randint(3, (200,)).tolist()) == {0, 1, 2}
    assert set(tg.randint(1, 3, size=(200,), dtype=tg.float32).tolist()) == {1.0, 2.0}
    assert sorted(tg.randperm(9, dtype=tg.float32).tolist()) == list(range(9))


def test_no_gradient_passes_through_a_draw():
    mean = tg.zeros(3, requires_grad=True)
    assert not tg.normal(mean, 1.0).requires_grad
    assert not tg.bernoulli(mean).requires_grad


def test_what_is_drawn_evenly_stays_below_one_in_every_dtype():
    class Highest(np.random.Generator):
        def random(self, shape):
            return np.full(shape, 1 - 2.0**-53)

    for dtype in (np.float16, np.float32, np.float64):
        assert tg.rand(2, generator=Highest(np.random.PCG64()), dtype=dtype).numpy().max() < 1


WRONG = {
    "normal: std is negative": (RangeError, lambda: tg.normal(0.0, -1.0, (2,))),
    "normal: shape mismatch": (ShapeError, lambda: tg.normal(tg.zeros(2), 1.0, (3,))),
    "bernoulli: a probability": (RangeError, lambda: tg.bernoulli(tg.tensor([np.nan]))),
    "rand: generator is a RandomState": (
        ArgumentError, lambda: tg.rand(2, generator=np.random.RandomState(0))
    ),
    "rand: .* dtype int32": (DTypeError, lambda: tg.rand(2, dtype=np.int32)),
    "randn: .* dtype int32": (DTypeError, lambda: tg.randn(2, dtype=np.int32)),
    "rand_like: .* dtype int64": (DTypeError, lambda: tg.rand_like(tg.arange(3))),
    "randint: shape is missing": (ArgumentError, lambda: tg.randint(3)),
    "randint: low >= high": (RangeError, lambda: tg.randint(3, 3, (2,))),
    "randint: high is out of bounds": (RangeError, lambda: tg.randint(300, (2,), dtype=np.uint8)),
    "requires_grad: a tensor of dtype int64": (
        DTypeError, lambda: tg.randint(3, (2,), requires_grad=True)
    ),
    "triu_indices: -1 rows": (RangeError, lambda: tg.triu_indices(-1, 2)),
    "manual_seed: expected": (RangeError, lambda: tg.Generator(-1)),
    "empty: negative": (RangeError, lambda: tg.empty(-1)),
    "full: a shape is": (ArgumentError, lambda: tg.full((2, 1.5), 1.0)),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_use_raises(message):
    kind, call = WRONG[message]
    with pytest.raises(TensorError, match=message) as caught:
        call()
    assert caught.type is kind
