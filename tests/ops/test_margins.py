"""`triplet_margin_loss` and `multi_margin_loss`: against loops, SciPy's distances, finite differences."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import IndexingError, RangeError, ShapeError

F = tg.nn.functional
RNG = np.random.default_rng(0)
ANCHOR, NEAR, FAR = RNG.normal(size=(3, 6, 4))
FAR[:3] += 3.0          # far enough to cost nothing
SCORES, CLASSES = RNG.normal(size=(5, 4)), np.array([0, 3, 1, 1, 2])
WEIGHT = np.array([0.5, 2.0, 1.0, 3.0])
REDUCED = {"mean": np.mean, "sum": np.sum, "none": lambda losses: losses}


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("reduction", REDUCED)
def test_triplets(reduction, p, swap):
    distance = pytest.importorskip("scipy.spatial.distance")
    eps = 1e-6

    def between(a, b):
        return np.array([distance.minkowski(x + eps, y, p) for x, y in zip(a, b)])

    far = between(ANCHOR, FAR)
    if swap:
        far = np.minimum(far, between(NEAR, FAR))
    losses = np.maximum(between(ANCHOR, NEAR) - far + 0.7, 0)
    assert 0 < (losses > 0).sum() < len(losses)
    settings = {"margin": 0.7, "p": p, "swap": swap, "reduction": reduction}
    found = F.triplet_margin_loss(*map(tg.tensor, (ANCHOR, NEAR, FAR)), **settings)
    np.testing.assert_allclose(found.numpy(), REDUCED[reduction](losses), rtol=1e-12)
    layer = tg.nn.TripletMarginLoss(**settings)
    np.testing.assert_array_equal(layer(*map(tg.tensor, (ANCHOR, NEAR, FAR))).numpy(), found.numpy())


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("reduction", REDUCED)
def test_classes(reduction, p, weight):
    losses = np.zeros(5)
    for row, right in enumerate(CLASSES):
        for other in range(4):
            if other != right:
                lacking = max(0.3 - SCORES[row, right] + SCORES[row, other], 0) ** p
                losses[row] += lacking * (1 if weight is None else weight[right]) / 4
    found = F.multi_margin_loss(
        tg.tensor(SCORES), tg.tensor(CLASSES), p, 0.3, weight, reduction=reduction
    )
    np.testing.assert_allclose(found.numpy(), REDUCED[reduction](losses), rtol=1e-12)
    layer = tg.nn.MultiMarginLoss(p, 0.3, weight, reduction)
    np.testing.assert_array_equal(layer(tg.tensor(SCORES), tg.tensor(CLASSES)).numpy(), found.numpy())


def test_one_row_of_classes():
    rows = F.multi_margin_loss(tg.tensor(SCORES), tg.tensor(CLASSES), reduction="none")
    one = F.multi_margin_loss(tg.tensor(SCORES[1]), tg.tensor(CLASSES[1]), reduction="none")
    assert one.shape == () and one.item() == rows[1].item()
    assert F.multi_margin_loss(tg.zeros(0, 3), tg.zeros(0, dtype=tg.int64), reduction="sum").item() == 0.0


@pytest.mark.parametrize("swap", [False, True])
def test_derivatives_of_triplets(swap):
    tg.check_gradients(
        lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=0.7, swap=swap, reduction="sum"),
        (ANCHOR, NEAR, FAR), raise_exception=True,
    )


@pytest.mark.parametrize("p", [1, 2])
def test_derivatives_of_classes(p):
    tg.check_gradients(
        lambda x: F.multi_margin_loss(x, tg.tensor(CLASSES), p, 0.3, WEIGHT), SCORES, raise_exception=True
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: F.triplet_margin_loss(x, x, x[:1]), ShapeError, "negative has shape"),
        (lambda x: F.triplet_margin_loss(x, x, x, margin=-1.0), RangeError, "margin is -1.0"),
        (lambda x: F.multi_margin_loss(x, CLASSES, p=3), RangeError, "it is 1 or 2"),
        (lambda x: F.multi_margin_loss(x, CLASSES + 1), IndexingError, "classes from 1 to 4"),
        (lambda x: F.multi_margin_loss(x, CLASSES[:3]), ShapeError, r"target has shape \(3,\)"),
        (lambda x: F.multi_margin_loss(x, CLASSES, weight=[1.0]), ShapeError, "weight has shape"),
    ],
)
def test_what_is_wrong_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call(tg.tensor(SCORES))
