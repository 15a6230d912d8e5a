"""`tg.testing`: what is close passes, what is not is told where."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError

close = tg.testing.assert_close


def test_what_is_close_passes():
    close(tg.tensor([1.0, 2.0]), np.array([1.0, 2.0 + 1e-8]))
    close(np.float32([1.0]), np.float32([1.0 + 1e-6]))
    close(3, 3)
    close({"a": [tg.tensor([1.0]), 2.0]}, {"a": (np.ones(1), 2.0)})
    close(np.array([np.nan]), np.array([np.nan]), equal_nan=True)
    close(np.ones(2), np.ones(2) * 1.01, rtol=0.1, atol=0)
    close(np.ones(2), np.ones(2, np.float32), check_dtype=False)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (np.ones(2), np.array([1.0, 1.1]), r"1 of 2 differ.*\n.*0.1 at index \(1,\)"),
        (np.ones(2), np.ones(2) + 1e-6, "2 of 2"),
        (np.float32([1.0]), np.float32([1.0001]), "1 of 1"),
        (np.ones(2), np.ones(3), "shapes differ"),
        (np.ones(2), np.ones(2, np.float32), "dtypes differ"),
        (np.array([np.nan]), np.array([np.nan]), "1 of 1"),
        (1, 2, "not close"),
        ({"a": 1}, {"b": 1}, "keys differ"),
        ({"a": [1, 2]}, {"a": [1, 3]}, r"not close at \['a'\]\[1\]"),
        ([1], [1, 2], "lengths differ"),
    ],
)
def test_what_is_not_is_told(actual, expected, words):
    with pytest.raises(AssertionError, match=words):
        close(actual, expected)


def test_strides_messages_and_half_given_tolerances():
    with pytest.raises(AssertionError, match="strides differ"):
        close(np.ones((2, 3)), np.ones((3, 2)).T, check_stride=True)
    with pytest.raises(AssertionError, match=r"^mine$"):
        close(1, 2, msg="mine")
    with pytest.raises(AssertionError, match=r"^so: "):
        close(1, 2, msg=lambda text: f"so: {text}")
    with pytest.raises(ArgumentError, match="both rtol and atol"):
        close(1, 1, rtol=0.1)
