"""`gradcheck` finds what is wrong, says where, and passes what is right."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, GradientError
from tinygrad_relu.gradcheck import numerical_jacobian
from tinygrad_relu.ops.domain import elementwise, real
from tinygrad_relu.ops.table import TABLE, op


@pytest.fixture
def planted():
    """Declare ops with wrong rules, and take them out of the table again."""
    names = []

    def plant(kernel, rule):
        @op(kernel, domain=elementwise(real), x=rule)
        def planted_op(x, /):
            """An op with a wrong rule."""

        names.append(planted_op.name)
        return TABLE.pop(planted_op.name)

    return plant


def test_numerical_jacobian_of_a_known_function(rng):
    matrix, at = rng.standard_normal((3, 2)), rng.standard_normal(2)

    def f(x):
        return [matrix @ np.sin(x.detach().numpy())]

    ((jacobian, noise),) = numerical_jacobian(f, [tg.tensor(at)], 0)
    np.testing.assert_allclose(jacobian, matrix * np.cos(at), rtol=1e-9)
    assert (np.abs(jacobian - matrix * np.cos(at)) < 4 * noise + 1e-9).all() and (noise < 1e-9).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_right_gradients_pass_in_both_dtypes_and_at_any_scale(dtype, scale, rng):
    x = tg.tensor((rng.uniform(0.5, 1.5, (2, 3)) * scale).astype(dtype), requires_grad=True)
    assert tg.gradcheck(lambda v: (v / scale).tanh() * v / scale, x)


@pytest.mark.parametrize("factor", [1.001, 0.999])
def test_a_rule_that_is_off_by_a_thousandth_fails(planted, factor):
    wrong = planted(np.exp, lambda g, y: g * y * factor)
    x = tg.tensor([0.5, 1.0], requires_grad=True)
    with pytest.raises(GradientError, match=rf"ratio {factor:.3f}"):
        tg.gradcheck(wrong, x)
    with pytest.raises(GradientError):
        tg.gradgradcheck(lambda v: tg.exp(v) + wrong(v.detach()) * v, x) or tg.gradgradcheck(wrong, x)


def test_the_message_names_input_index_values_and_ratio(planted):
    wrong = planted(np.square, lambda g, x: g * tg.tensor([[2.0, 2.0], [2.0, 3.0]]) * x)
    a = tg.tensor([[1.0, 1.0], [1.0, 2.0]], requires_grad=True)
    with pytest.raises(GradientError) as caught:
        tg.gradcheck(lambda c, v: wrong(v) * c, [2.0, a])
    text = str(caught.value)
    for part in (
        "the output at index (1, 1)", "input 1 at index (1, 1)", "analytic 12", "numerical 8",
        "ratio 1.5", "1 of 16",
    ):
        assert part in text


def test_only_one_wrong_input_of_several_and_one_of_several_outputs(planted):
    wrong = planted(np.negative, lambda g: g)
    x, y = (tg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    with pytest.raises(GradientError, match=r"output 1 at index \(0,\).*input 1"):
        tg.gradcheck(lambda a, b: (a * b, a + wrong(b)), [x, y])


def test_nan_is_never_right(planted):
    wrong = planted(np.negative, lambda g: g * np.nan)
    with pytest.raises(GradientError, match="analytic nan"):
        tg.gradcheck(wrong, tg.tensor([1.0], requires_grad=True))


def test_a_gradient_that_is_missing_is_found():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match="analytic 0, numerical 1"):
        tg.gradcheck(lambda v: v.detach() + 0 * v, x)
    with pytest.raises(GradientError, match="analytic 2, numerical 4"):
        tg.gradcheck(lambda v: v.detach() * v, x)


def test_steps_and_tolerances_can_be_given():
    x = tg.tensor([1.0], requires_grad=True)
    assert tg.gradcheck(tg.exp, x, eps=1e-2, atol=1e-3, rtol=0)
    with pytest.raises(GradientError):
        tg.gradcheck(tg.exp, x, eps=1e-2, atol=1e-6, rtol=0)


def test_inputs_are_left_alone():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = tg.tensor([3.0, 4.0])
    tg.gradcheck(lambda a, b: a * b, [x, y])
    assert x.tolist() == [1, 2] and y.tolist() == [3, 4] and x.grad is None


def test_functions_that_reach_the_input_by_another_way():
    w = tg.tensor([[1.0, 2.0]], requires_grad=True)
    assert tg.gradcheck(lambda p: (w * w).sum(), w)
    with pytest.raises(GradientError):
        tg.gradcheck(lambda p: (w * w.detach()).sum(), w)
    assert w.tolist() == [[1, 2]]


def test_inputs_are_restored_when_the_function_raises():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    calls = []

    def fails(v):
        calls.append(1)
        if len(calls) > 2:
            raise ZeroDivisionError
        return v * 1

    with pytest.raises(ZeroDivisionError):
        tg.gradcheck(fails, x)
    assert x.tolist() == [1, 2]


def test_large_offsets_and_steep_points():
    x = tg.tensor([1.0, 0.3], requires_grad=True)
    assert tg.gradcheck(lambda v: v.sin() + 1e9, x)
    with pytest.raises(GradientError):
        tg.gradcheck(lambda v: v.detach().sin() + 0 * v + 1e9, x)
    with pytest.raises(GradientError, match="cannot be told"):
        tg.gradcheck(lambda v: v * v.detach() * 1e-3 + 1e12, x)
    assert tg.gradcheck(tg.log, tg.tensor([1e-8], requires_grad=True))
    assert tg.gradcheck(tg.sqrt, tg.tensor([1e-9], requires_grad=True))


def test_read_only_inputs():
    frozen = np.array([1.0, 2.0])
    frozen.flags.writeable = False
    assert tg.gradcheck(tg.exp, tg.asarray(frozen, requires_grad=True))


def test_zero_size_and_constant_functions():
    assert tg.gradcheck(lambda x: x * 2, tg.zeros(0, 3, requires_grad=True))
    assert tg.gradcheck(lambda x: tg.ones(2), tg.tensor([1.0], requires_grad=True))


@pytest.mark.parametrize(
    ("f", "inputs", "words"),
    [
        (tg.exp, [tg.tensor([1.0])], "no input requires a gradient"),
        (tg.exp, [np.ones(2)], "no input requires a gradient"),
        (lambda x: 1.0, [tg.tensor([1.0], requires_grad=True)], "type float"),
        (lambda x: x.argmax(), [tg.tensor([1.0], requires_grad=True)], "int64"),
        (lambda x: None, [tg.tensor([1.0], requires_grad=True)], "NoneType"),
    ],
)
def test_nothing_to_check(f, inputs, words):
    with pytest.raises(ArgumentError, match=words):
        tg.gradcheck(f, inputs)


def test_second_order_of_functions_with_several_inputs_and_linear_ones(rng):
    x, w = (tg.tensor(rng.uniform(0.5, 1.5, (2, 2)), requires_grad=True) for _ in range(2))
    assert tg.gradgradcheck(lambda a, b: (a @ b).tanh(), [x, w])
    assert tg.gradgradcheck(lambda a: a * 3, x)
    assert tg.gradgradcheck(lambda a, b: (a * b, a.exp()), [x, w])


@pytest.mark.parametrize("check", [tg.gradcheck, tg.gradgradcheck])
@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_function_that_changes_its_input_is_named_and_the_input_is_kept(check, fast_mode):
    x = tg.tensor([1.0, 2.0], requires_grad=True)

    def changing(x):
        x.detach().numpy()[0] += 1
        return (x * x).sum()

    with pytest.raises(GradientError, match="the function changes its input 0 where it lies"):
        check(changing, x, fast_mode=fast_mode)
    assert x.tolist() == [1, 2]


def test_what_is_below_the_tolerance_is_seen_without_one():
    class Lost(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1e-7

        @staticmethod
        def backward(ctx, g):
            return 0 * g

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    assert tg.gradcheck(Lost.apply, x)      # as in PyTorch
    assert not tg.gradcheck(Lost.apply, x, atol=0, raise_exception=False)
    assert not tg.check_gradients(Lost.apply, [x]).ok


@pytest.mark.parametrize("fast", [False, True])
def test_an_infinite_slope_where_the_function_ends_is_right(fast):
    x = tg.tensor([0.0, 1.0], requires_grad=True)
    assert tg.gradcheck(lambda x: tg.sqrt(x).sum(), x, fast_mode=fast)
    assert not tg.gradcheck(
        lambda x: tg.sqrt(x).sum() + tg.sqrt(x.detach()).sum(), x, fast_mode=fast, raise_exception=False
    )
