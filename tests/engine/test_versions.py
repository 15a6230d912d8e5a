"""The versions that a MutationError tells."""

import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import MutationError


def test_of_a_result_that_was_changed():
    x = tg.ones(3, requires_grad=True)
    y = tg.exp(x)
    y.detach().add_(1)
    y.detach().mul_(2)
    with pytest.raises(MutationError, match=r"its result .*has version 2, and had version 0\)"):
        y.sum().backward()


def test_of_an_input_that_is_the_result_of_an_op():
    y = tg.exp(tg.ones(3, requires_grad=True))
    z = y * y
    y.detach().add_(1)
    with pytest.raises(MutationError, match=r"an input .*has version [1-9]\d*, and had version 0\)"):
        z.sum().backward()


def test_of_a_leaf():
    x = tg.ones(3)
    x.add_(1)
    z = x * tg.ones(3, requires_grad=True)
    x.add_(1)
    with pytest.raises(MutationError, match=r"an input .*has version 2, and had version 1\)"):
        z.sum().backward()
