"""`gradcheck` and `gradgradcheck` take PyTorch's options, and refuse what they do not have."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, GradientError


class Wrong(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0] * 2.002


class WrongAgain(Wrong):
    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].detach() * 2      # right, but its own derivative is not


@pytest.fixture
def x():
    return tg.tensor([0.5, -1.5, 2.0], requires_grad=True)


def test_false_instead_of_an_error(x):
    assert tg.gradcheck(Wrong.apply, (x,), raise_exception=False) is False
    assert tg.gradcheck(tg.square, (x,), raise_exception=False) is True
    assert tg.gradcheck(WrongAgain.apply, (x,), raise_exception=False) is True
    assert tg.gradgradcheck(WrongAgain.apply, (x,), raise_exception=False) is False


@pytest.mark.parametrize("check", [tg.gradcheck, tg.gradgradcheck])
def test_pytorchs_defaults_are_taken_and_other_values_refused(check, x):
    assert check(tg.exp, (x,), eps=1e-6, atol=1e-5, rtol=1e-3, nondet_tol=0.0, check_undefined_grad=True,
                 check_grad_dtypes=False, check_batched_grad=False, fast_mode=False, masked=False)
    for option, value in (("check_batched_grad", True), ("masked", True)):
        with pytest.raises(ArgumentError, match=option):
            check(tg.exp, (x,), **{option: value})


def test_forward_mode_is_refused(x):
    for option, value in (("check_forward_ad", True), ("check_backward_ad", False)):
        with pytest.raises(ArgumentError, match=option):
            tg.gradcheck(tg.exp, (x,), **{option: value})
    with pytest.raises(ArgumentError, match="check_fwd_over_rev"):
        tg.gradgradcheck(tg.exp, (x,), check_fwd_over_rev=True)


def test_fast_mode(x):
    assert tg.gradcheck(tg.exp, (x,), fast_mode=True)
    with pytest.raises(GradientError, match="random directions"):
        tg.gradcheck(Wrong.apply, (x,), fast_mode=True)
    with pytest.raises(GradientError):
        tg.gradgradcheck(WrongAgain.apply, (x,), fast_mode=True)


def test_functions_that_are_not_deterministic(x):
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError, match="not deterministic"):
        tg.gradcheck(lambda v: v * rng.uniform(1.0, 1.001), (x,))
    with pytest.raises(GradientError, match="derivative of the output"):
        tg.gradcheck(lambda v: v * rng.uniform(1.0, 1.001), (x,), nondet_tol=0.1)


def test_kinks_pass_unless_a_tolerance_is_given():
    on = tg.tensor([0.0, 1.0, -1.0], requires_grad=True)
    assert tg.gradcheck(tg.relu, (on,))
    assert tg.gradcheck(tg.abs, (tg.tensor([1e-9, 1.0], requires_grad=True),))
    with pytest.raises(GradientError):
        tg.gradcheck(tg.relu, (on,), eps=1e-6)
    with pytest.raises(GradientError):
        tg.gradcheck(lambda v: tg.relu(v) * v.detach() + Wrong.apply(v), (on,))


def test_both_have_a_second_place():
    assert tg.autograd.gradcheck is tg.gradcheck
    assert tg.autograd.gradgradcheck is tg.gradgradcheck
