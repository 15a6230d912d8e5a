"""Distributions: densities and entropies against SciPy, draws against their moments, gradients."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.distributions import Bernoulli, Categorical, Normal, Uniform, kl_divergence
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError

stats = pytest.importorskip("scipy.stats")

LOC, SCALE = np.array([[0.0], [-2.0]]), np.array([0.5, 1.0, 3.0])
PROBS = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
COUNT = 40_000


def close(found, expected):
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-12, atol=1e-14)


def test_normal_and_uniform_against_scipy(rng):
    value = rng.standard_normal((4, 2, 3))
    p, q = Normal(tg.tensor(LOC), tg.tensor(SCALE)), stats.norm(LOC, SCALE)
    assert p.batch_shape == (2, 3)
    close(p.log_prob(value), q.logpdf(value))
    close(p.cdf(value), q.cdf(value))
    close(p.entropy(), q.entropy())
    close(p.stddev, q.std())
    p, q = Uniform(tg.tensor(LOC), tg.tensor(LOC + SCALE)), stats.uniform(LOC, SCALE)
    close(p.log_prob(value), q.logpdf(value))
    assert np.isinf(p.log_prob(value).numpy()).any()
    close(p.entropy(), np.log(np.broadcast_to(SCALE, (2, 3))))
    close(p.mean, q.mean())
    close(p.variance, q.var())


def test_categorical_against_the_formula():
    for p in (Categorical(tg.tensor(5 * PROBS)), Categorical(logits=tg.tensor(np.log(PROBS) + 3))):
        close(p.probs, PROBS)
        close(p.log_prob(tg.tensor([2, 0])), np.log([0.7, 0.5]))
        close(p.log_prob(tg.tensor([[2, 0], [0, 2]])), np.log([[0.7, 0.5], [0.1, 0.25]]))
        close(p.log_prob(1), np.log([0.2, 0.25]))
        close(p.entropy(), stats.entropy(PROBS, axis=-1))
    assert Categorical(tg.tensor([1.0, 0.0])).entropy().item() == pytest.approx(0, abs=1e-14)


def test_bernoulli_against_scipy():
    chances = np.array([0.1, 0.5, 0.8])
    q = stats.bernoulli(chances)
    logits = np.log(chances / (1 - chances))
    for p in (Bernoulli(tg.tensor(chances)), Bernoulli(logits=tg.tensor(logits))):
        for value in ([0.0, 1.0, 1.0], [1, 0, 0]):
            close(p.log_prob(tg.tensor(value)), q.logpmf(value))
        close(p.entropy(), q.entropy())
        close(p.variance, q.var())
    assert np.isfinite(Bernoulli(tg.tensor([0.0, 1.0])).log_prob(tg.tensor([1.0, 0.0])).numpy()).all()


@pytest.mark.parametrize("make", [
    lambda: Normal(tg.tensor([1.0, -1.0]), tg.tensor([0.5, 2.0])),
    lambda: Uniform(tg.tensor([0.0, -4.0]), tg.tensor([1.0, -2.0])),
    lambda: Bernoulli(tg.tensor([0.2, 0.9])),
])
def test_draws_have_the_moments(make):
    tg.manual_seed(0)
    p = make()
    drawn = p.sample((COUNT,)).numpy()
    spread = p.stddev.numpy()
    assert drawn.shape == (COUNT, 2)
    assert (abs(drawn.mean(0) - p.mean.numpy()) < 5 * spread / COUNT**0.5).all()
    np.testing.assert_allclose(drawn.std(0), spread, rtol=0.03)
    assert p.sample().shape == (2,) and p.sample((3, 4)).shape == (3, 4, 2)


def test_numbers_are_drawn_as_often_as_they_should():
    tg.manual_seed(0)
    p = Categorical(tg.tensor(PROBS))
    drawn = p.sample((COUNT,)).numpy()
    for row in range(2):
        counted = np.bincount(drawn[:, row], minlength=3) / COUNT
        np.testing.assert_allclose(counted, PROBS[row], atol=5 * 0.5 / COUNT**0.5)
    for shape in ((), (3, 4), (0,)):
        assert p.sample(shape).shape == (*shape, 2)
    assert Categorical(tg.tensor([0.0, 1.0])).sample().shape == ()


def test_gradients_pass_to_parameters():
    value = tg.tensor([0.3, -0.2])

    def of_normal(loc, scale):
        p = Normal(loc, scale)
        return p.log_prob(value) + p.entropy() + p.cdf(value) + kl_divergence(p, Normal(0.5, 2.0))

    loc, scale = tg.tensor([0.1, 1.0], requires_grad=True), tg.tensor(0.7, requires_grad=True)
    tg.gradcheck(of_normal, (loc, scale))

    def of_categories(x, name):
        p = Categorical(**{name: x})
        return p.log_prob(tg.tensor([2, 0])) + p.entropy() + kl_divergence(p, Categorical(tg.ones(2, 3)))

    tg.gradcheck(lambda x: of_categories(x, "probs"), tg.tensor(PROBS, requires_grad=True))
    tg.gradcheck(lambda x: of_categories(x, "logits"), tg.tensor(PROBS, requires_grad=True))

    def of_bernoulli(x, name):
        p = Bernoulli(**{name: x})
        return p.log_prob(tg.tensor([1.0, 0.0])) + p.entropy() + kl_divergence(p, Bernoulli(0.3))

    x = tg.tensor([0.2, 0.6], requires_grad=True)
    tg.gradcheck(lambda x: of_bernoulli(x, "probs"), x)
    tg.gradcheck(lambda x: of_bernoulli(x, "logits"), x)


def test_rsample_lets_gradients_pass_and_sample_does_not():
    loc, scale = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([0.5, 3.0], requires_grad=True)
    p = Normal(loc, scale)
    drawn = p.rsample((5,))
    drawn.sum().backward()
    np.testing.assert_allclose(loc.grad, [5, 5])
    np.testing.assert_allclose(scale.grad, ((drawn - loc) / scale).detach().numpy().sum(0), rtol=1e-12)
    assert not p.sample().requires_grad and not Categorical(logits=loc).sample().requires_grad


def test_divergences_are_the_integrals():
    grid = np.linspace(-40, 40, 80_001)
    p, q = Normal(1.0, 0.7), Normal(-0.5, 2.0)
    density = p.log_prob(grid).exp().numpy()
    integral = np.trapezoid(density * (p.log_prob(grid) - q.log_prob(grid)).numpy(), grid)
    assert kl_divergence(p, q).item() == pytest.approx(integral, rel=1e-9)
    found = kl_divergence(Categorical(tg.tensor(PROBS)), Categorical(tg.tensor(PROBS[::-1].copy())))
    close(found, stats.entropy(PROBS, PROBS[::-1], axis=-1))
    close(kl_divergence(Bernoulli(0.3), Bernoulli(0.6)), stats.entropy([0.3, 0.7], [0.6, 0.4]))
    without = kl_divergence(Categorical(tg.tensor([0.0, 1.0])), Categorical(tg.tensor([0.5, 0.5])))
    assert without.item() == pytest.approx(np.log(2))


def test_parameters_keep_their_dtype():
    loc = tg.zeros(2, dtype=tg.float32)
    assert Normal(loc, 1.0).sample().dtype == Categorical(logits=loc).entropy().dtype == np.float32
    assert Normal(loc, 1.0).log_prob(0.5).dtype == Uniform(-1.0, loc + 1).log_prob(0).dtype == np.float32
    p = Bernoulli(tg.full((2,), 0.5, dtype=tg.float32))
    assert p.sample().dtype == p.log_prob(1).dtype == np.float32


@pytest.mark.parametrize(("make", "kind", "words"), [
    (lambda: Normal(0.0, 0.0), RangeError, "Normal: scale"),
    (lambda: Normal(0.0, float("nan")), RangeError, "Normal: scale"),
    (lambda: Normal(tg.ones(2), tg.ones(3)), ShapeError, "Normal"),
    (lambda: Uniform(1.0, 1.0), RangeError, "Uniform: low"),
    (lambda: Categorical(), ArgumentError, "Categorical: pass probs or logits"),
    (lambda: Categorical(tg.ones(2), tg.ones(2)), ArgumentError, "one of them"),
    (lambda: Categorical(tg.tensor([-1.0, 2.0])), RangeError, "negative"),
    (lambda: Categorical(tg.zeros(2)), RangeError, "all of a row are 0"),
    (lambda: Categorical(tg.tensor(1.0)), ShapeError, "no axis"),
    (lambda: Categorical(tg.ones(2)).log_prob(2), RangeError, "from 0 to 1"),
    (lambda: Bernoulli(1.5), RangeError, "Bernoulli: probs"),
    (lambda: kl_divergence(Normal(0.0, 1.0), Bernoulli(0.5)), ArgumentError, "Normal and Bernoulli"),
    (lambda: kl_divergence(Uniform(0.0, 1.0), Uniform(0.0, 1.0)), ArgumentError, "Uniform"),
])
def test_bad_parameters(make, kind, words):
    with pytest.raises(kind, match=words):
        make()
