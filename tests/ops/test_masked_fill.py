"""`masked_fill`: the mask is kept as it was, and the value does not change the dtype, nor warn."""

import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import DTypeError


@pytest.mark.parametrize("kind", [tg.tensor, np.array])
def test_a_mask_may_change_after_the_call(kind):
    mask = kind([True, False])
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x.masked_fill(mask, 5.0)
    mask[1] = True
    y.sum().backward()
    assert y.tolist() == [5.0, 2.0] and x.grad.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [0.0, -1e9, 1e300, math.inf, -math.inf, math.nan, 3, True])
def test_the_dtype_stays(dtype, value):
    found = tg.ones(2, dtype=dtype).masked_fill([True, False], value)
    with np.errstate(all="ignore"):
        wanted = np.array([value, 1.0]).astype(dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), wanted)


def test_integers_take_no_fraction():
    assert tg.tensor([1, 2]).masked_fill([True, False], 3).tolist() == [3, 2]
    with pytest.raises(DTypeError):
        tg.tensor([1, 2]).masked_fill([True, False], 3.0)
