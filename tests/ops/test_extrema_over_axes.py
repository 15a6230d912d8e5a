"""``max`` and ``min`` over several axes, as NumPy has them."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ShapeError
from tinygrad_relu.testing import assert_gradients

X = np.random.default_rng(0).permutation(48.0 * np.arange(48)).reshape(2, 3, 2, 4)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("axis", [(1, 3), [0, -1], (2,), (0, 1, 2, 3)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_method_takes_several_axes(name, axis, keepdims):
    found = getattr(tg.tensor(X), name)(axis=axis, keepdims=keepdims)
    right = getattr(X, name)(axis=tuple(axis), keepdims=keepdims)
    assert isinstance(found, tg.Tensor) and found.shape == right.shape
    assert np.array_equal(found.numpy(), right)


@pytest.mark.parametrize("name", ["max", "min"])
def test_pooling_by_reshape_has_the_right_gradient(name):
    def pooled(x):
        return getattr(x.reshape(2, 3, 2, 2, 2), name)(axis=(1, 4))

    assert_gradients(pooled, [X])


def test_one_axis_still_returns_places():
    assert np.array_equal(tg.tensor(X).max(axis=3).indices.numpy(), X.argmax(axis=3))


def test_an_axis_that_is_not_there_is_named():
    with pytest.raises(ShapeError, match="max"):
        tg.tensor(X).max(axis=(1, 4))
