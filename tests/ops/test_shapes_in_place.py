"""PyTorch's methods that change a shape in place: each says what to write, and what it says works."""

import re

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ShapeError

CALLS = {
    "resize_": ((3, 2), "x.reshape"),
    "resize_as_": ((tg.zeros(3, 2),), "x.reshape_as"),
    "squeeze_": ((), "x.squeeze"),
    "swapaxes_": ((0, 1), "x.swapaxes"),
    "swapdims_": ((0, 1), "x.swapdims"),
    "t_": ((), "x.t"),
    "transpose_": ((0, 1), "x.transpose"),
    "unsqueeze_": ((0,), "x.unsqueeze"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_shape_does_not_change_in_place(name):
    arguments, instead = CALLS[name]
    x = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    words = rf"^{name}: .* in place: write x = {re.escape(instead)}\("
    with pytest.raises(ShapeError, match=words) as caught:
        getattr(x, name)(*arguments)
    assert x.shape == (2, 3)
    words = re.search(r"x\.(\w+)\(", str(caught.value))[1]
    y = getattr(x, words)(*arguments)
    np.testing.assert_array_equal(
        np.sort(y.detach().numpy(), axis=None), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    )
