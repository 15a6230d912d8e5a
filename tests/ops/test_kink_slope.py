"""The derivative of relu at exactly 0 is a choice."""

import threading

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn

AT = np.array([-1.0, 0.0, -0.0, 2.0, np.nan, np.inf, -np.inf])


def gradient(y, x, **options):
    return tg.autograd.grad(y.sum(), x, **options)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("slope", [0.0, 0.25, 0.5, 1])
def test_the_derivative_at_zero_is_the_slope_and_nothing_else_changes(slope, dtype):
    expected = np.array([0, slope, slope, 1, 1, 1, 0], dtype)
    x = tg.tensor(AT.astype(dtype), requires_grad=True)
    plain = tg.relu(x)
    for call in (tg.relu, nn.functional.relu, tg.Tensor.relu):
        chosen = call(x, slope_at_kink=slope)
        assert chosen.dtype == dtype
        np.testing.assert_array_equal(chosen.detach().numpy(), plain.detach().numpy())
        assert not np.signbit(chosen.detach().numpy()[1:3]).any()
        np.testing.assert_array_equal(gradient(chosen, x).numpy(), expected)
    np.testing.assert_array_equal(gradient(plain, x).numpy(), [0, 0, 0, 1, 1, 1, 0])


def test_the_default_reaches_all_that_is_relu():
    w = tg.zeros(1, 1, requires_grad=True)
    one = tg.ones(1, 1)
    forms = {
        "relu": lambda: tg.relu(w),
        "method": lambda: w.relu(),
        "in place": lambda: (w * 1).relu_(),
        "linear_relu": lambda: tg.linear_relu(one, w),
        "with bias": lambda: tg.linear_relu(one, weight=w, bias=tg.zeros(1)),
        "with mask": lambda: tg.relu_with_mask(w)[0],
        "module": lambda: nn.ReLU()(w),
        "module with mask": lambda: nn.ReLU(mask=True)(w),
    }
    for name, form in forms.items():
        assert gradient(form(), w).item() == 0, name
        with tg.kink_slope(0.5):
            assert gradient(form(), w).item() == 0.5, name
        assert gradient(form(), w).item() == 0, name


def test_blocks_nest_and_end_with_an_error():
    x = tg.tensor(0.0, requires_grad=True)
    block = tg.kink_slope(1)
    with tg.kink_slope(0.5), block, tg.kink_slope(0):
        assert tg.get_kink_slope() == 0 == gradient(tg.relu(x), x).item()
    with pytest.raises(KeyError), tg.kink_slope(0.5), block, block:
        assert gradient(tg.relu(x), x).item() == 1
        raise KeyError
    assert tg.get_kink_slope() == 0 and tg.relu.diversion is None and tg.linear_relu.diversion is None
    assert tg.relu(x).grad_fn.name == "relu"


def test_a_block_is_of_one_thread_and_the_default_of_all():
    found = []

    def look():
        x = tg.tensor(0.0, requires_grad=True)
        found.append(gradient(tg.relu(x), x).item())

    def in_thread():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    with tg.kink_slope(0.5):
        in_thread()
    tg.set_kink_slope(0.25)
    try:
        in_thread()
        with tg.kink_slope(1):
            look()
    finally:
        tg.set_kink_slope(0)
    look()
    assert found == [0, 0.25, 1, 0]


def test_second_derivatives_know_the_slope():
    x = tg.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    (first,) = tg.autograd.grad((tg.relu(x, slope_at_kink=0.5) * x.exp()).sum(), x, create_graph=True)
    # (s x e^x)'' = s (2 + x) e^x, with s the slope and flat in x.
    expected = np.array([0, 0.5, 1]) * (2 + x.detach().numpy()) * np.exp(x.detach().numpy())
    np.testing.assert_allclose(gradient(first, x).numpy(), expected, rtol=1e-12)


def test_elu_is_smooth_at_zero_whatever_the_slope():
    x = tg.zeros(1, requires_grad=True)
    for function in (nn.functional.elu, nn.functional.celu):
        with tg.kink_slope(1):
            assert gradient(function(x), x).item() == 1


def test_the_default_by_name_is_the_plain_op():
    x = tg.zeros(1, requires_grad=True)
    assert tg.relu(input=x).grad_fn.name == tg.relu(x, slope_at_kink=None).grad_fn.name == "relu"


def test_integers_stay_integers():
    with tg.kink_slope(0.5):
        assert tg.relu(tg.tensor([-1, 0, 2])).tolist() == [0, 0, 2]
        assert tg.relu(tg.tensor([-1, 0, 2])).dtype == np.int64


def test_a_slope_that_is_none_is_refused():
    x = tg.zeros(1)
    for bad, error in ((1.5, tg.errors.RangeError), (-0.1, tg.errors.RangeError),
                       (np.nan, tg.errors.RangeError), (True, tg.errors.ArgumentError),
                       ("half", tg.errors.ArgumentError), (np.ones(2), tg.errors.ArgumentError)):
        for call in (lambda s: tg.relu(x, slope_at_kink=s), tg.set_kink_slope, tg.kink_slope):
            with pytest.raises(error, match="pass a number from 0 to 1"):
                call(bad)
    assert tg.get_kink_slope() == 0 and tg.relu.diversion is None
