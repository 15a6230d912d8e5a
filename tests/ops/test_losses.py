"""Losses: against what they say, against mpmath, and against differences."""

import math

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, IndexingError, RangeError, ShapeError

F = tg.nn.functional


def hold(f, *arrays):
    inputs = [tg.tensor(x, requires_grad=True) for x in arrays]
    assert tg.gradcheck(f, inputs)
    assert tg.gradgradcheck(f, inputs)


def entropy(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def huber(a, b, delta=1.0):
    d = np.abs(a - b)
    return np.where(d < delta, d * d / 2, delta * (d - delta / 2))


def gaussian(a, b, v):
    return (np.log(v) + (a - b) ** 2 / v) / 2


def stirling(t):
    return np.where(t > 1, t * np.log(t) - t + np.log(2 * np.pi * t) / 2, 0)


# Of two tensors: draws from (0.1, 0.9) in (3, 4); the second may be weights, targets, probabilities.
PAIRS = {
    "mse": (F.mse_loss, lambda a, b: (a - b) ** 2),
    "l1": (F.l1_loss, lambda a, b: np.abs(a - b)),
    "huber": (F.huber_loss, huber),
    "huber of 0.2": (
        lambda a, b, **r: F.huber_loss(a, b, delta=0.2, **r), lambda a, b: huber(a, b, 0.2)
    ),
    "smooth l1": (
        lambda a, b, **r: F.smooth_l1_loss(a, b, beta=0.2, **r), lambda a, b: huber(a, b, 0.2) / 0.2
    ),
    "smooth l1 of 0": (
        lambda a, b, **r: F.smooth_l1_loss(a, b, beta=0.0, **r), lambda a, b: np.abs(a - b)
    ),
    "binary": (F.binary_cross_entropy, entropy),
    "binary of logits": (
        F.binary_cross_entropy_with_logits, lambda a, b: entropy(1 / (1 + np.exp(-a)), b)
    ),
    "kl": (F.kl_div, lambda a, b: b * (np.log(b) - a)),
    "kl of logarithms": (
        lambda a, b, **r: F.kl_div(a, b, log_target=True, **r), lambda a, b: np.exp(b) * (b - a)
    ),
    "poisson": (F.poisson_nll_loss, lambda a, b: np.exp(a) - b * a),
    "poisson of rates": (
        lambda a, b, **r: F.poisson_nll_loss(a, 3 * b, False, True, 0.1, **r),
        lambda a, b: a - 3 * b * np.log(a + 0.1) + stirling(3 * b),
    ),
    "gaussian": (
        lambda a, b, **r: F.gaussian_nll_loss(a, a * 0 + 1, b, True, **r),
        lambda a, b: gaussian(a, 1, b) + np.log(2 * np.pi) / 2,
    ),
    "hinge": (
        lambda a, b, **r: F.hinge_embedding_loss(a + 0 * b, np.array([1, -1, 1, -1]), 0.5, **r),
        lambda a, b: np.where([True, False, True, False], a, np.maximum(0.5 - a, 0)),
    ),
    "ranking": (
        lambda a, b, **r: F.margin_ranking_loss(a, b, np.array([1, -1, 1, -1]), 0.1, **r),
        lambda a, b: np.maximum(-np.array([1, -1, 1, -1]) * (a - b) + 0.1, 0),
    ),
    "cosine": (
        lambda a, b, **r: F.cosine_embedding_loss(a, b, np.array([1, -1, -1]), 0.5, **r),
        lambda a, b: (lambda c: np.where([True, False, False], 1 - c, np.maximum(c - 0.5, 0)))(
            (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        ),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_losses_are_what_they_say(name, rng):
    ours, theirs = PAIRS[name]
    a, b = rng.uniform(0.1, 0.9, (3, 4)), rng.uniform(0.1, 0.9, (3, 4))
    expected = theirs(a, b)
    x, y = tg.tensor(a), tg.tensor(b)
    np.testing.assert_allclose(ours(x, y, reduction="none").numpy(), expected, rtol=1e-12, atol=1e-14)
    assert ours(x, y).item() == pytest.approx(expected.mean(), rel=1e-12)
    assert ours(x, y, reduction="sum").item() == pytest.approx(expected.sum(), rel=1e-12)
    single = ours(tg.tensor(a, dtype=tg.float32), tg.tensor(b, dtype=tg.float32))
    assert single.dtype == np.float32
    hold(ours, a, b)
    with pytest.raises(ArgumentError, match="reduction is 'average'"):
        ours(x, y, reduction="average")


def test_the_mean_over_a_batch():
    x = tg.ones(2, 3)
    assert F.kl_div(x, x, reduction="batchmean").item() == -3.0


def test_binary_cross_entropy_at_the_ends():
    at, target = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    x = tg.tensor(at, requires_grad=True)
    losses = F.binary_cross_entropy(x, target, reduction="none")
    assert losses.tolist() == [0, 0, 100, 100]
    losses.sum().backward()
    assert x.grad.tolist() == [1.0, -1.0, -1e12, 1e12]


@pytest.mark.parametrize("at", [-800.0, -40.0, -1e-9, 0.0, 1e-9, 3.0, 40.0, 800.0])
@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_binary_cross_entropy_of_logits_is_exact_in_both_tails(at, target):
    with mpmath.workdps(60):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(at)))
        loss = -(target * mpmath.log(p) * 3 + (1 - target) * (mpmath.log(p) - at))
        slope = (1 - target) * p - 3 * target * (1 - p)
        curve = (1 - target + 3 * target) * p * (1 - p)
    x = tg.tensor([at], requires_grad=True)
    y = F.binary_cross_entropy_with_logits(x, np.array([target]), pos_weight=np.array([3.0]))
    assert y.item() == pytest.approx(float(loss), rel=1e-13)
    (first,) = tg.autograd.grad(y, [x], create_graph=True)
    assert first.item() == pytest.approx(float(slope), rel=1e-12)
    (second,) = tg.autograd.grad(first.sum(), [x])
    assert second.item() == pytest.approx(float(curve), rel=1e-9, abs=1e-300)


def test_weights_of_binary_losses(rng):
    p, t = rng.uniform(0.1, 0.9, (3, 4)), rng.integers(0, 2, (3, 4)).astype(float)
    w, more = rng.random(4), rng.random((3, 1))
    y = F.binary_cross_entropy(tg.tensor(p), tg.tensor(t), tg.tensor(w), reduction="none").numpy()
    np.testing.assert_allclose(y, entropy(p, t) * w)
    logits = np.log(p / (1 - p))
    y = F.binary_cross_entropy_with_logits(
        tg.tensor(logits), tg.tensor(t), tg.tensor(w), "none", tg.tensor(more)
    ).numpy()
    np.testing.assert_allclose(y, -w * (more * t * np.log(p) + (1 - t) * np.log(1 - p)))


def log_probabilities(x, axis):
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2), (3,)])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignoring", [False, True])
def test_cross_entropy_of_classes(shape, smoothing, weighted, ignoring, rng):
    axis = min(1, len(shape) - 1)
    x = rng.standard_normal(shape)
    t = np.asarray(rng.integers(0, 3, shape[:axis] + shape[axis + 1 :]))
    w = rng.uniform(0.5, 2.0, 3) if weighted else np.ones(3)
    kept = np.ones(t.shape)
    if ignoring and t.ndim:
        t.reshape(-1)[1], kept.reshape(-1)[1] = 7, 0
    logs = np.moveaxis(log_probabilities(x, axis), axis, -1)
    right = np.eye(3)[np.where(kept, t, 0).astype(int)] * (1 - smoothing) + smoothing / 3
    losses = -(right * w * logs).sum(-1) * kept
    total = (w[np.where(kept, t, 0).astype(int)] * kept).sum()
    options = {"label_smoothing": smoothing, "ignore_index": 7}
    if weighted:
        options["weight"] = tg.tensor(w)

    def f(x, **more):
        return F.cross_entropy(x, t, **options, **more)

    np.testing.assert_allclose(f(tg.tensor(x), reduction="none").numpy(), losses, rtol=1e-12)
    assert f(tg.tensor(x), reduction="sum").item() == pytest.approx(losses.sum())
    assert f(tg.tensor(x)).item() == pytest.approx(losses.sum() / total)
    hold(f, x)
    if not smoothing:
        logarithms = tg.tensor(log_probabilities(x, axis))
        plain = {"ignore_index": 7, "weight": options.get("weight")}
        for reduction in ("mean", "sum", "none"):
            np.testing.assert_allclose(
                F.nll_loss(logarithms, t, reduction=reduction, **plain).numpy(),
                f(tg.tensor(x), reduction=reduction).numpy(),
            )
        hold(lambda x: F.nll_loss(x, t, **plain), x)


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2), (3,)])
def test_cross_entropy_of_probabilities(shape, rng):
    axis = min(1, len(shape) - 1)
    x, t, w = rng.standard_normal(shape), rng.random(shape), rng.random(3)
    across = w.reshape(3, *[1] * (len(shape) - axis - 1))
    losses = -((t * 0.8 + 0.2 / 3) * across * log_probabilities(x, axis)).sum(axis)

    def f(x, t, w, **more):
        return F.cross_entropy(x, t, w, label_smoothing=0.2, **more)

    np.testing.assert_allclose(
        f(tg.tensor(x), tg.tensor(t), tg.tensor(w), reduction="none").numpy(), losses, rtol=1e-12
    )
    assert f(tg.tensor(x), tg.tensor(t), tg.tensor(w)).item() == pytest.approx(losses.mean())
    hold(f, x, t, w)


def test_ignored_classes():
    scores = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    loss = F.cross_entropy(scores, np.array([-100, 1]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)))
    loss.backward()
    assert scores.grad[0].tolist() == [0, 0] and scores.grad[1].numpy().any()
    assert math.isnan(F.cross_entropy(scores, np.array([-100, -100])).item())
    assert F.cross_entropy(scores, np.array([-100, -100]), reduction="sum").item() == 0
    with pytest.raises(IndexError, match="classes from -100 to 1"):
        F.cross_entropy(scores, np.array([-100, 1]), ignore_index=5)
    within = F.cross_entropy(scores, np.array([0, 1]), ignore_index=0)
    assert within.item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_targets_that_change_later_change_nothing():
    for f in (F.cross_entropy, F.nll_loss):
        scores = tg.tensor([[1.0, 2.0]], requires_grad=True)
        target, weight = tg.tensor([0]), tg.tensor([1.0, 5.0], requires_grad=True)
        loss = f(scores, target, weight, reduction="sum")
        target[0] = 1
        loss.backward()
        assert weight.grad.numpy()[1] == 0


def test_a_target_of_zero_counts_for_nothing():
    low = tg.tensor([[-np.inf, 0.0]])
    assert F.kl_div(low, np.array([[0.0, 1.0]]), reduction="sum").item() == 0
    x = tg.tensor([[-1.0, -2.0]], requires_grad=True)
    F.kl_div(x, np.array([[0.0, 1.0]]), reduction="sum").backward()
    assert x.grad.tolist() == [[0.0, -1.0]]


def test_small_variances_count_as_eps():
    y = F.gaussian_nll_loss(tg.zeros(2), tg.zeros(2), tg.tensor([0.0, 1.0]), reduction="none", eps=0.5)
    np.testing.assert_allclose(y.numpy(), [math.log(0.5) / 2, 0])
    rows = F.gaussian_nll_loss(tg.ones(2, 3), tg.zeros(2, 3), tg.tensor([1.0, 2.0]), reduction="none")
    np.testing.assert_allclose(rows.numpy()[:, 0], [0.5, math.log(2) / 2 + 0.25])


A, ROW = tg.ones(2, 3), tg.ones(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        *[
            (lambda f=f: f(A, ROW), ShapeError, f"{f.__name__}: (input has shape|the shapes differ)")
            for f in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy,
                      F.binary_cross_entropy_with_logits, F.kl_div, F.poisson_nll_loss)
        ],
        (lambda: F.huber_loss(A, A, delta=0), RangeError, "delta is 0"),
        (lambda: F.smooth_l1_loss(A, A, beta=-1), RangeError, "beta is -1"),
        (lambda: F.binary_cross_entropy(A * 2, A), RangeError, r"from 2.0 to 2.0: it lies in \[0, 1\]"),
        (lambda: F.binary_cross_entropy(A * np.nan, A), RangeError, "nan"),
        (lambda: F.binary_cross_entropy(A, A, tg.ones(4, 2, 3)), ShapeError, "weight of shape"),
        (lambda: F.binary_cross_entropy_with_logits(A, A, pos_weight=ROW[:2]), ShapeError, "pos_weight"),
        (lambda: F.cross_entropy(A, np.zeros(2, int), tg.ones(2)), ShapeError, "there are 3 classes"),
        (lambda: F.cross_entropy(A, np.zeros(2, int), label_smoothing=2), RangeError, "label_smoothing"),
        (lambda: F.nll_loss(A, np.ones(2)), DTypeError, "nll_loss: target is float64"),
        (lambda: F.nll_loss(A, np.array([0, 3])), IndexingError, "nll_loss: .* classes from 0 to 3"),
        (lambda: F.nll_loss(A, np.zeros(3, int)), ShapeError, "nll_loss: target has shape"),
        (lambda: F.gaussian_nll_loss(A, A, -A), RangeError, "var has negative"),
        (lambda: F.gaussian_nll_loss(A, A, tg.ones(4)), ShapeError, "var of shape"),
        (lambda: F.hinge_embedding_loss(A, np.ones(4)), ShapeError, "target has shape"),
        (lambda: F.margin_ranking_loss(A, ROW, A), ShapeError, "input2 has shape"),
        (lambda: F.cosine_embedding_loss(A, A, np.ones(3)), ShapeError, "target has shape"),
        (lambda: F.kl_div(tg.tensor(1.0), tg.tensor(1.0), "batchmean"), ShapeError, "no axis"),
        (lambda: F.l1_loss(A, None), ArgumentError, "target is None"),
    ],
)
def test_what_people_get_wrong_raises_with_the_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
