"""Correct gradients that once raised an alarm, and wrong ones at the same places, which have to."""

import numpy as np
import pytest
from random_nets import Net

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.report import Verdict


@pytest.mark.parametrize(
    "seed",
    [
        60217,      # beyond a kink the function bends within 1e-9, far nearer than steps used to be
        80844,      # at all points nearby that used to be looked at, a unit is off
        100651,     # log(1 + x) of x near 1e-13 moves in stairs of 2e-16
        88322,      # the slope that is chosen at several kinks is off by rounding next to -1000
        5500361,    # a clip that is narrower than a rounded step
        6100312,    # what rounding leaves next to a bias of -1000 stays the same an ulp away
        6100633,    # all that arrives is rounding, of other sizes in the function and its gradient
        6100860,    # in float64 a bias of -1000 makes stairs that the other inputs hide
        18000805,   # where all distances are 0; nearby rounding spoils 1 - tanh**2
        15000999,   # rounding next to a mean of -1000 is seen over wider ways alone, amid other inputs
    ],
)
def test_extreme_scales_and_several_kinks_raise_no_alarm(seed):
    net = Net(seed)
    fast = True if seed % 7 == 0 else None
    report = tg.check_gradients(net.forward, net.inputs, backward=net.backward, fast=fast)
    assert all(entry.ok for entry in report.inputs), report


def surely_right(w):
    """The loss of a sample that is surely right: its values are multiples of 2.2e-16."""
    return np.log(1 + np.exp(-w)).sum()


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-6])
@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.5])
def test_values_that_move_in_stairs_show_a_slope_as_far_as_they_can(scale, factor):
    report = tg.check_gradients(
        lambda w: scale * surely_right(w), [np.array([30.0])],
        backward=lambda w: -factor * scale / (1 + np.exp(w)),
    )
    assert report.inputs[0].ok == (factor == 1.0), report


def test_stairs_in_the_function_itself_are_no_rounding():
    report = tg.check_gradients(
        lambda x: np.round(x, 2).sum(), [np.array([0.303, 0.711])], backward=np.ones_like
    )
    assert report.inputs[0].verdict is Verdict.WRONG


def bent_at_zero(slope):
    """A slope of abs, with a choice of that at 0."""
    return lambda z: np.where(z == 0, slope, np.sign(z))


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.6, 1.0, 1.5, 5.0, -1.01])
@pytest.mark.parametrize("several", [False, True])
def test_the_slope_on_a_single_kink_is_between_those_of_the_sides(slope, several):
    back = bent_at_zero(slope)
    if several:
        report = tg.check_gradients(
            lambda x, y: np.abs(x * y).sum(), [np.array([0.0, 1.0]), np.array([2.0, 3.0])],
            backward=lambda x, y: (back(x * y) * y, back(x * y) * x),
        )
    else:
        report = tg.check_gradients(
            lambda x: np.abs(x).sum(), [np.array([0.0, 1.0])], backward=back
        )
    assert report.ok == (abs(slope) <= 1), report
    if not report.ok:
        limit = 2 if several else 1
        assert f"any slope from -{limit} to {limit}" in str(report)


@pytest.mark.parametrize(
    ("slope", "ok"), [(-0.1, False), (0.0, True), (0.1, True), (1.0, True), (1.2, False)]
)
@pytest.mark.parametrize("relu", [
    lambda x: np.maximum(x, 0), lambda x: x * (x > 0), lambda x: np.where(x > 0, x, 0.0),
    lambda x: np.clip(x, 0, 9.0),
])
def test_however_a_kink_is_written(relu, slope, ok):
    report = tg.check_gradients(
        lambda x, w: relu(x * w), [np.array([0.0, 1.0, -2.0]), np.array([0.5, 2.0, 1.0])],
        backward=lambda g, x, w: (
            g * w * np.where(x == 0, slope, x > 0), g * x * np.where(x == 0, slope, x > 0)
        ),
    )
    assert report.ok == ok, report


def test_kinks_of_two_units_may_meet():
    report = tg.check_gradients(
        lambda x: (np.maximum(x, 0) - 0.5 * np.maximum(-x, 0)).sum(), [np.array([0.0, 1.0])],
        backward=lambda x: np.where(x > 0, 1.0, np.where(x < 0, 0.5, 0.0)),
    )
    assert report["x"].verdict is Verdict.SEVERAL_KINKS


@pytest.mark.parametrize("a", [np.array([0.3, 0.2, 0.4]), np.array(0.3)])
@pytest.mark.parametrize(("above", "below", "ok"), [
    (np.greater, np.less, True),                # a slope of 0 for each kink
    (np.greater_equal, np.less, True),
    (np.greater, np.less_equal, True),
    (np.greater_equal, np.less_equal, False),   # 1 + a, beyond 1 and a
])
def test_kinks_on_one_surface_are_one_kink(above, below, ok, a):
    report = tg.check_gradients(
        lambda x, a: np.maximum(x, 0) + a * np.minimum(x, 0), {"x": np.array([0.0, 1.0, -2.0]), "a": a},
        backward=lambda d, x, a: (
            d * (above(x, 0) + a * below(x, 0)), (d * np.minimum(x, 0)).sum(tuple(range(1 - a.ndim)))
        ),
    )
    assert report.ok == ok, report
    assert ok or report["x"].label is Label.MASK_NOT_STRICT


@pytest.mark.parametrize(
    ("slope", "ok"), [(-1.0, True), (0.0, True), (1.0, True), (1.2, False), (5.0, False)]
)
def test_kinks_on_several_surfaces_have_each_a_slope_between_their_sides(slope, ok, rng):
    back = bent_at_zero(slope)
    v = rng.standard_normal(4)
    report = tg.check_gradients(
        lambda x, w: (np.abs(x @ w) * v).sum(),
        {"x": np.array([[0.0, 0.0, 0.0], [1.0, 2.0, -3.0]]), "w": rng.standard_normal((3, 4))},
        backward=lambda x, w: ((back(x @ w) * v) @ w.T, x.T @ (back(x @ w) * v)),
    )
    assert report.ok == ok, report
    assert ok or report["x"].label is Label.MASK_NOT_STRICT


def test_a_slope_that_is_wrong_at_one_place_of_a_smooth_function_is_wrong():
    x = np.array([0.0, 1.0, -2.0])
    assert not tg.check_gradients(np.exp, [x], lambda d, x: d * np.where(x == 0, 0, np.exp(x))).ok

    def branching(x):       # whose kinks no recording shows
        return np.array([0.0 if v > 0 else v for v in x]) + np.array([v if v > 0 else 0.0 for v in x])

    report = tg.check_gradients(branching, [x], lambda d, x: d * (x != 0))
    assert report["x"].verdict is Verdict.SEVERAL_KINKS


@pytest.mark.parametrize(("back", "ok"), [
    (lambda d, x, y: (d * (x >= y), d * (y > x)), True),
    (lambda d, x, y: (d * (x > y), d * (y >= x)), True),
    (lambda d, x, y: (d * ((x > y) + 0.5 * (x == y)), d * ((y > x) + 0.5 * (x == y))), True),
    (lambda d, x, y: (d * (x >= y), d * (y >= x)), False),      # the whole slope, twice
    (lambda d, x, y: (d * (x > y), d * (y > x)), False),        # and none of it
])
@pytest.mark.parametrize("maximum", [np.maximum, lambda x, y: np.where(x > y, x, y)])
def test_two_inputs_that_tie_share_one_slope(back, ok, maximum):
    x = np.array([0.0, 1.0, -2.0])
    report = tg.check_gradients(maximum, [x, x.copy()], back)
    assert report.ok == ok, report
    assert ok or {entry.verdict for entry in report.inputs} == {Verdict.WRONG}


def test_functions_of_numpy_take_a_dict_by_position():
    assert tg.check_gradients(np.abs, {"x": np.array([1.0, -2.0])}, lambda d, x: d * np.sign(x)).ok


def test_a_function_that_ends_at_the_point_is_said_to():
    report = tg.check_gradients(
        lambda x: np.sqrt(x).sum(), {"x": np.array([0.0, 1.0])},
        lambda x: 0.5 / np.sqrt(np.where(x == 0, 1, x)),
    )
    assert report["x"].verdict is Verdict.CANNOT_TELL
    assert "when x is shifted a little, the function returns NaN" in report["x"].remark


@pytest.mark.parametrize("fast", [False, True])
def test_a_jump_is_named(fast):
    report = tg.check_gradients(
        lambda x: x + np.heaviside(x, 0.0), {"x": np.array([1.0, 0.0])}, lambda d, x: d, fast=fast
    )
    assert report["x"].verdict is Verdict.CANNOT_TELL
    assert "the function jumps at the value of x" in " ".join(str(report).split())
    assert fast or "at index (1,)" in str(report)


def test_gradgradcheck_names_the_kink():
    x = tg.tensor([1.0, 0.0], requires_grad=True)
    with pytest.raises(tg.errors.GradientError, match=r"input 0 at index \(1,\) is on a kink"):
        tg.gradgradcheck(tg.relu, x)
    assert not tg.gradgradcheck(tg.relu, x, raise_exception=False)
    with pytest.raises(tg.errors.GradientError, match="is on a kink"):
        tg.gradgradcheck(tg.relu, x, fast_mode=True)
    assert tg.gradgradcheck(lambda x: tg.relu(x) * x, x)     # its slope is 0 on both sides
    assert tg.gradgradcheck(tg.relu, tg.tensor([1.0, -1.0], requires_grad=True))


def test_gradgradcheck_blames_no_kink_for_a_wrong_rule():
    class Cube(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * (3 * x**2 + 0.01 * (x - x.detach()))

    x = tg.tensor([1.0, 0.0], requires_grad=True)
    with pytest.raises(tg.errors.GradientError, match=r"input 0 at index \(\d,\) is wrong"):
        tg.gradgradcheck(Cube.apply, x)


@pytest.mark.parametrize(("label", "wrong"), [
    ("constant factor", lambda g: 2 * g), ("constant factor", lambda g: -g),
    ("transposed", lambda g: g.T),
])
def test_mistakes_in_a_function_of_ones_own_are_named(label, wrong):
    class Layer(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return tg.tanh(x @ w)

        @staticmethod
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            dz = g * (1 - tg.tanh(x @ w) ** 2)
            return dz @ w.T, wrong(x.T @ dz)

    rng = np.random.default_rng(0)
    report = tg.check_gradients(Layer.apply, [rng.standard_normal((4, 3)), rng.standard_normal((3, 3))])
    assert report.inputs[0].ok
    assert str(report.inputs[1].label) == label, report


@pytest.mark.parametrize("size", [6, 20_000])      # copies, and what is lent
def test_functions_see_inputs_in_the_layout_in_which_they_were_given(size, rng):
    x, orders = np.asfortranarray(rng.standard_normal((size // 2, 2))), set()

    def f(x):
        orders.add(x.flags.f_contiguous)
        return (x**2).ravel("K")

    assert tg.check_gradients(f, [x], lambda d, x: 2 * x * d.reshape(2, -1).T).ok
    assert not tg.check_gradients(f, [x], lambda d, x: 2 * x * d.reshape(-1, 2)).ok
    assert orders == {True}


@pytest.mark.parametrize(("f", "slope"), [
    (lambda x: x**1.5, lambda x: 1.5 * x**0.5),
    (lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * np.maximum(x, 0)),
    (lambda x: np.maximum(x, 0) ** 3, lambda x: 3 * np.maximum(x, 0) ** 2),
])
def test_a_slope_of_nothing_is_right_where_all_of_the_function_begins(f, slope):
    x = np.zeros(2)
    assert tg.check_gradients(f, [x], lambda d, x: d * slope(x)).inputs[0].verdict is Verdict.RIGHT
    for wrong in (1e-3, 1.0):
        report = tg.check_gradients(f, [x], lambda d, x, w=wrong: d * (slope(x) + w * (x == 0)))
        assert report.inputs[0].verdict is Verdict.WRONG


@pytest.mark.parametrize("tiny", [np.float64(1e-200), np.float64(1e-163), np.float32(1e-30)])
def test_nothing_can_be_told_of_a_gradient_that_changes_less_than_the_smallest_number(tiny):
    for fast in (False, True):
        report = tg.check_gradients(
            lambda x: np.sum(x**2), [np.full(3, tiny)], lambda x: 14 * x, fast=fast
        )
        assert report.inputs[0].verdict is Verdict.CANNOT_TELL
    assert "smallest number" in report.inputs[0].remark
    assert tg.check_gradients(lambda x: np.sum(x), [np.full(3, 1e-200)], lambda x: np.ones(3)).ok


@pytest.mark.parametrize("scores", [[0.0, 38.0], [0.0, 100.0], [1.0, -3.0, 50.0, 20.0]])
def test_probabilities_that_are_one_but_for_rounding_raise_no_alarm(scores):
    def softmax(x):
        e = np.exp(x - x.max())
        return e / e.sum()

    def backward(dout, x):
        p = softmax(x)
        return p * (dout - np.sum(dout * p))

    (entry,) = tg.check_gradients(softmax, [np.array(scores)], backward).inputs
    assert entry.verdict is not Verdict.WRONG, entry
    mixed = np.array([*scores, max(scores) + 0.5])     # and here a mistake shows again
    (entry,) = tg.check_gradients(softmax, [mixed], lambda d, x: 1.001 * backward(d, x)).inputs
    assert entry.verdict is Verdict.WRONG, entry
