"""`check_gradients`: right gradients pass, wrong ones are caught, kinks and noise are neither."""

import json

import numpy as np
import pytest
from random_nets import Net

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, GradientError
from tinygrad_relu.gradcheck import Verdict
from tinygrad_relu.gradcheck.diagnosis import Label


def affine(x, w, b):
    return np.tanh(x @ w + b)


def affine_backward(dout, x, w, b):
    dz = dout * (1 - np.tanh(x @ w + b) ** 2)
    return dz @ w.T, x.T @ dz, dz.sum(axis=0)


@pytest.fixture
def inputs(rng):
    return [rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)]


def spoiled(backward, position, change):
    """Return a backward of which one gradient is changed."""

    def wrong(*arguments):
        found = list(backward(*arguments))
        found[position] = change(found[position])
        return tuple(found)

    return wrong


# ------------------------------------------------------------------------------ the ways to be called

def test_arrays_by_hand_pass_and_are_left_alone(inputs):
    before = [x.copy() for x in inputs]
    for x in inputs:
        x.flags.writeable = False
    report = tg.check_gradients(affine, inputs, backward=affine_backward)
    assert report and report.ok and [x.name for x in report.inputs] == ["x", "w", "b"]
    assert all(x.verdict is Verdict.RIGHT for x in report.inputs) and not report.fast
    assert report.taylor_order == pytest.approx(2, abs=0.1)
    assert all(np.array_equal(x, y) for x, y in zip(inputs, before))


def test_dicts_by_keyword_and_as_one_argument(inputs):
    named = dict(zip("xwb", inputs))
    assert tg.check_gradients(affine, named, backward=affine_backward).ok

    def whole(p):
        return affine(**p).sum()

    def whole_backward(p):
        found = affine_backward(np.ones((4, 2)), **p)
        return {f"d{name}": g for name, g in zip("xwb", found)}

    assert tg.check_gradients(whole, named, backward=whole_backward).ok
    wrong = tg.check_gradients(whole, named, backward=lambda p: whole_backward(p) | {"dw": p["w"]})
    assert [x.ok for x in wrong.inputs] == [True, False, True] and not wrong["w"].ok
    forgotten = tg.check_gradients(whole, named, backward=lambda p: {"dx": whole_backward(p)["dx"]})
    assert [x.label for x in forgotten.inputs] == [None, Label.ZEROS, Label.ZEROS]


def test_loss_and_gradients_together_are_found_out(inputs):
    x, w, b = inputs

    def loss_and_grad(params):
        found = affine_backward(np.ones((4, 2)), x, params["w"], params["b"])
        return affine(x, **params).sum(), {"w": found[1], "b": found[2]}

    assert tg.check_gradients(loss_and_grad, {"w": w, "b": b}).ok
    assert tg.check_gradients(loss_and_grad, {"w": w, "b": b}, returns_gradients=True).ok

    def with_data(params, x):
        found = affine_backward(np.ones((4, 2)), x, params["l"]["w"], params["l"]["b"])
        return affine(x, **params["l"]).sum(), {"l": {"w": found[1], "b": 2 * found[2]}}

    report = tg.check_gradients(with_data, ({"l": {"w": w, "b": b}}, x))
    assert [(entry.name, entry.ok) for entry in report.inputs] == [("l.w", True), ("l.b", False)]
    assert report["l.b"].worst[0].ratio == pytest.approx(2)
    assert any("input 1" in note for note in report.notes)


def test_tensors_closures_and_custom_functions():
    w = tg.tensor([[1.0, 2.0]], requires_grad=True)
    assert tg.check_gradients(lambda p: (w * w).sum(), w).ok
    assert not tg.check_gradients(lambda p: (w * w.detach()).sum(), w).ok
    assert w.tolist() == [[1, 2]] and w.grad is None
    assert tg.check_gradients(tg.sin, np.ones(3)).ok

    class Constant(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x * x).sum()

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0]      # forgets g: right for a cotangent of 1

    assert not tg.check_gradients(Constant.apply, [np.ones(2)]).ok


def test_several_results_and_scalars_with_cotangent():
    def both(a):
        return np.sin(a), np.cos(a).sum()

    right = tg.check_gradients(both, [np.ones(2)], lambda d, a: d[0] * np.cos(a) - d[1] * np.sin(a))
    assert right.ok
    assert not tg.check_gradients(both, [np.ones(2)], lambda d, a: d[0] * np.cos(a)).ok
    assert tg.check_gradients(lambda x: np.sin(x).sum(), [np.ones(2)], lambda d, x: d * np.cos(x)).ok
    assert tg.check_gradients(lambda x: x * x, 3.0, lambda x: 2 * x).ok


def test_integers_are_carried(rng):
    def pick(table, rows):
        return table[rows]

    def pick_backward(dout, table, rows):
        g = np.zeros_like(table)
        np.add.at(g, rows, dout)
        return g, None

    def overwrites(dout, table, rows):
        g = np.zeros_like(table)
        g[rows] = dout
        return g

    at = [rng.standard_normal((4, 2)), np.array([1, 1, 3])]
    assert tg.check_gradients(pick, at, pick_backward).ok
    report = tg.check_gradients(pick, at, overwrites)
    assert not report.ok and {x.index[0] for x in report.inputs[0].worst} == {1}


# --------------------------------------------------------------------------------- what is caught

@pytest.mark.parametrize("factor", [1.001, 0.999, 2.0, -1.0, 0.0])
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("fast", [False, True])
def test_a_factor_in_one_gradient_is_caught_there_and_only_there(inputs, factor, position, fast):
    wrong = spoiled(affine_backward, position, lambda g: g * factor)
    report = tg.check_gradients(affine, inputs, backward=wrong, fast=fast)
    assert [entry.ok for entry in report.inputs] == [k != position for k in range(3)]
    worst = report.inputs[position].worst[0]
    assert worst.ratio == pytest.approx(factor, abs=1e-6)
    assert worst.analytic == pytest.approx(worst.numerical * factor, abs=1e-6)
    assert report.taylor_order < 1.5


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_one_element_that_is_off_by_a_thousandth_is_caught_at_any_scale(inputs, scale):
    def change(g):
        g = g.copy()
        g[2, 1] *= 1.001
        return g

    at = [inputs[0] * scale, inputs[1] / scale, inputs[2]]
    assert tg.check_gradients(affine, at, backward=affine_backward).ok
    report = tg.check_gradients(affine, at, backward=spoiled(affine_backward, 1, change))
    (worst,) = report["w"].worst
    assert worst.index == (2, 1) and worst.ratio == pytest.approx(1.001, abs=1e-6)
    assert report["w"].wrong_count == 1


def test_numerical_derivatives_and_their_errors_are_right(inputs):
    report = tg.check_gradients(affine, inputs, backward=spoiled(affine_backward, 1, lambda g: 0 * g))
    rng = np.random.default_rng([0, 0])
    draws = [
        rng.uniform(0.5, 1.5, (4, 2)) * rng.choice([-1.0, 1.0], (4, 2)) for _ in range(3)
    ]
    for worst in report["w"].worst:
        exact = affine_backward(draws[worst.draw], *inputs)[1][worst.index]
        assert abs(worst.numerical - exact) <= 4 * worst.error
        assert worst.error <= 1e-8 * abs(exact)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steep_and_shifted_functions(dtype):
    x = np.array([1e-6, 3.0], dtype)
    assert tg.check_gradients(np.log, [x], lambda d, x: d / x).ok
    assert not tg.check_gradients(np.log, [x], lambda d, x: 1.01 * d / x).ok
    assert tg.check_gradients(lambda x: np.sin(x) + 100, [x], lambda d, x: d * np.cos(x)).ok


def test_columns_of_very_different_scales_in_one_array(rng):
    x = rng.standard_normal((6, 3)) * np.array([1e-9, 1.0, 1e8])

    def standardized(x):
        return (x - x.mean(0)) / x.std(0)

    def backward(factor):
        def back(d, x):
            y = standardized(x)
            return factor * (d - d.mean(0) - y * (d * y).mean(0)) / x.std(0)
        return back

    assert tg.check_gradients(standardized, [x], backward(1.0)).ok
    for factor in (0.0, 1.001, np.array([1.001, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])):
        assert not tg.check_gradients(standardized, [x], backward(factor)).ok


def test_float32_is_judged_by_what_it_shows():
    x = np.array([1.0, 2.0], np.float32)
    grow = np.float32(1e7)
    report = tg.check_gradients(
        lambda x: grow + np.sin(x).sum() * np.float32(1e-3), [x], lambda x: np.float32(5e-3) * np.cos(x)
    )
    assert report["x"].verdict is Verdict.CANNOT_TELL and "float64" in report["x"].remark
    assert not report.ok and "nothing can be told" in str(report)
    for factor, ok in [(1, True), (5, False)]:      # a straight function shows its slope far away
        straight = tg.check_gradients(
            lambda x: grow + x.sum() * np.float32(1e-3), [x],
            lambda x, factor=factor: np.full(2, factor * 1e-3, np.float32),
        )
        assert straight.ok == ok
    exact = tg.check_gradients(np.sin, [x], lambda d, x: d * np.cos(x))
    assert exact["input 0"].verdict is Verdict.RIGHT
    assert not tg.check_gradients(np.sin, [x], lambda d, x: d * np.cos(x) * np.float32(1.001)).ok


def test_the_gradient_that_depends_on_cotangents_in_the_wrong_way():
    x = np.array([0.5, 1.0])
    assert not tg.check_gradients(np.sin, [x], lambda d, x: np.cos(x)).ok
    assert not tg.check_gradients(np.sin, [x], lambda d, x: d**2 * np.cos(x)).ok


# ------------------------------------------------------------------------------------------ kinks

def relu_backward(slope):
    return lambda d, x: d * np.where(x == 0, slope, x > 0)


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_any_slope_between_the_sides_is_right_on_a_kink(slope):
    x = np.array([0.0, 1.0, -1.0])
    report = tg.check_gradients(lambda x: np.maximum(x, 0), [x], relu_backward(slope))
    (entry,) = report.inputs
    assert entry.verdict is Verdict.ON_KINK and entry.ok
    (kink,) = entry.kinks
    assert kink.index == (0,) and kink.kind == "on"
    assert sorted([abs(kink.left), abs(kink.right)])[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("slope", [-1.0, 0.5, 1.1, 5.0])
def test_a_slope_beyond_the_sides_is_that_of_no_kink(slope):
    x = np.array([0.0, 1.0, -1.0])
    report = tg.check_gradients(np.abs, [x], lambda d, x: d * np.where(x, np.sign(x), slope))
    expected = Verdict.ON_KINK if abs(slope) <= 1 else Verdict.WRONG
    assert report.inputs[0].verdict is expected


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7, 1e-9, 1e-12])
def test_a_kink_nearby_is_found_and_never_failed(distance):
    x = np.array([distance, 1.0, -distance])
    report = tg.check_gradients(lambda x: np.maximum(x, 0), [x], relu_backward(0.0))
    assert report.ok
    if distance < 1e-4:     # else it lies beyond the steps
        assert {kink.index for kink in report.inputs[0].kinks} == {(0,), (2,)}
    assert not tg.check_gradients(lambda x: np.maximum(x, 0), [x], lambda d, x: d * 0.5).ok


def test_several_kinks_at_once_have_a_verdict_of_their_own():
    report = tg.check_gradients(lambda x: tg.relu(x) - tg.relu(-x), [np.array([0.0, 1.0, -2.0])])
    (entry,) = report.inputs
    assert entry.verdict is Verdict.SEVERAL_KINKS and report.ok
    (kink,) = entry.kinks
    assert kink.kind == "several" and kink.analytic == 0 and kink.left == pytest.approx(kink.right)
    assert "no choice of one slope" in str(report)


def test_ties_have_shares_that_sum_to_one():
    x = np.array([2.0, 2.0, 1.0])
    largest = tg.check_gradients(np.max, [x], lambda x: np.eye(3)[x.argmax()])
    assert largest.ok and largest.inputs[0].verdict is Verdict.ON_KINK
    assert tg.check_gradients(np.max, [x], lambda x: (x == x.max()) / (x == x.max()).sum()).ok
    assert not tg.check_gradients(np.max, [x], lambda x: (x == x.max()) * 1.0).ok

    def blocks(x):      # tensors cannot be sent through it
        return x.reshape(1, 3, 1).max(axis=(1, 2))

    assert not tg.check_gradients(blocks, [x], lambda d, x: (x == x.max()) * d).ok
    assert tg.check_gradients(blocks, [x], lambda d, x: (x == x.max()) * d / (x == x.max()).sum()).ok


@pytest.mark.parametrize(("function", "backward", "slope"), [
    (lambda x: np.sum(np.abs(x)), np.sign, 0.0),
    (lambda x: np.sum(np.clip(x, 0, 1)), lambda x: 0.5 * (x == 0) + ((x > 0) & (x < 1)), 0.5),
])
def test_a_kink_is_listed_where_the_slope_is_that_of_the_middle(function, backward, slope):
    report = tg.check_gradients(function, [np.array([0.0, 0.5, -1.5])], backward)
    (entry,) = report.inputs
    assert report.ok and entry.verdict is Verdict.ON_KINK
    assert [(kink.index, kink.analytic) for kink in entry.kinks] == [((0,), slope)]
    assert "on a kink it cannot be 2" in " ".join(str(report).split())


def test_elements_on_kinks_of_opposite_turns_are_each_on_a_kink():
    def backward(x):
        return ((x > -1) & (x < 1)).astype(float)

    x = np.array([-1.0, 0, 1, 2])
    (entry,) = tg.check_gradients(lambda x: np.clip(x, -1, 1).sum(), [x], backward).inputs
    assert entry.verdict is Verdict.ON_KINK
    assert [kink.index for kink in entry.kinks] == [(0,), (2,)]


def test_a_list_of_numbers_is_a_vector_unless_there_is_a_parameter_for_each():
    vector = tg.check_gradients(lambda x: np.sum(x**2), [1.0, 2.0, 3.0], lambda x: 2 * x)
    assert vector.ok and vector.inputs[0].shape == (3,)
    each = tg.check_gradients(lambda x, y: x * y, [3.0, 2.0], lambda x, y: (y, x))
    assert each.ok and [(one.name, one.shape) for one in each.inputs] == [("x", ()), ("y", ())]


@pytest.mark.parametrize(("function", "backward", "label"), [
    (lambda x: np.sum(np.abs(x)), lambda x: 0.5 * np.sign(x), Label.CONSTANT_FACTOR),
    (lambda x: np.sum(np.abs(x)), lambda x: -np.sign(x), Label.CONSTANT_FACTOR),
    (lambda x: np.sum(x**2) + np.sum(np.abs(x)), lambda x: 2 * x, Label.MISSING_TERM),
    (lambda x: 0.5 * np.sum((x - 1) ** 2) + 3 * np.sum(np.abs(x)), lambda x: x - 1 + np.sign(x),
     Label.MISSING_FACTOR),
])
def test_a_mistake_does_not_hide_in_the_middle_of_kinks(function, backward, label):
    for size in (1, 2, 3):
        (entry,) = tg.check_gradients(function, [np.zeros(size)], backward).inputs
        assert entry.verdict is Verdict.WRONG and entry.label is label, size


def test_a_mistake_does_not_hide_behind_kinks(rng):
    x, w = rng.standard_normal((5, 3)), np.zeros((3, 4))

    def layer(w):
        return np.maximum(x @ w, 0)

    def backward(factor):
        return lambda d, w: x.T @ (d * (x @ w > 0)) * factor

    w[:, :2] = rng.standard_normal((3, 2))
    assert tg.check_gradients(layer, [w], backward(1.0)).ok
    assert not tg.check_gradients(layer, [w], backward(1.001)).ok
    allzero = np.zeros((3, 4))
    assert tg.check_gradients(layer, [allzero], backward(1.0)).ok
    assert not tg.check_gradients(layer, [allzero], lambda d, w: x.T @ (d * (x @ w >= 0)) * 1.001).ok


@pytest.mark.parametrize("seed", range(40))
def test_correct_random_nets_with_planted_kinks_raise_no_alarm(seed):
    net = Net(seed)
    report = tg.check_gradients(
        net.forward, net.inputs, backward=net.backward, fast=True if seed % 7 == 0 else None
    )
    assert all(entry.ok for entry in report.inputs), str(report)


def test_wrong_random_nets_do():
    caught = 0
    for seed in range(60):
        net = Net(seed)
        if net.dtype is np.float32 or not all(x.size for x in net.inputs) or any(net.normalized):
            continue
        g = net.backward(*[np.ones(net.forward(*net.inputs).shape)] * net.array_valued, *net.inputs)
        if not np.abs(g[1]).max() > 1e-6 * max(np.abs(x).max() for x in g):
            continue
        report = tg.check_gradients(
            net.forward, net.inputs, spoiled(net.backward, 1, lambda g: g * 1.001)
        )
        assert [x.ok for x in report.inputs] == [k != 1 for k in range(len(net.inputs))], str(report)
        caught += 1
    assert caught >= 10


# ----------------------------------------------------------------------------- how backward behaves

def test_what_backward_must_not_do_is_seen():
    x, stock, buffer = np.array([0.5, 1.0]), np.zeros(2), np.zeros(2)

    def changes_input(d, x):
        g = d * np.cos(x)
        x[:] = 0
        return g

    def changes_dout(d, x):
        d *= np.cos(x)
        return d

    def accumulates(d, x):
        stock[:] += d * np.cos(x)
        return stock

    def reuses(d, x):
        buffer[:] = d * np.cos(x)
        return buffer

    labels = {
        changes_input: Label.INPUTS_CHANGED, changes_dout: Label.INPUTS_CHANGED,
        accumulates: Label.ACCUMULATED_TWICE, reuses: Label.STALE_BUFFER,
    }
    for backward, label in labels.items():
        report = tg.check_gradients(np.sin, [x], backward)
        assert report.inputs[0].verdict is Verdict.WRONG and report.inputs[0].label is label
    assert x.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("backward", "label"),
    [
        (lambda d, x: None, Label.ZEROS),
        (lambda d, x: (d * np.cos(x))[None], Label.WRONG_SHAPE),
        (lambda d, x: (d * np.cos(x)).astype(np.float32), Label.WRONG_DTYPE),
        (lambda d, x: (d * np.cos(x)).astype(int), Label.WRONG_DTYPE),
        (lambda d, x: d * np.nan, Label.NOT_FINITE),
        (lambda d, x: d * 0, Label.ZEROS),
    ],
)
def test_gradients_that_are_none(backward, label):
    report = tg.check_gradients(np.sin, [np.array([0.5, 1.0])], backward)
    assert report.inputs[0].label is label and not report.ok


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("rounded", ["y", "dz", "dx", "x"])
def test_digits_lost_to_float32_on_the_way_are_seen_and_named(rounded, scalar):
    def single(name, a):
        return a.astype(np.float32).astype(np.float64) if name == rounded else a

    def layer_backward(dout, x, w, b):
        y = single("y", np.tanh(x @ w + b))
        dz = single("dz", dout * (1 - y * y))
        return single("dx", dz @ w.T), single("x", x).T @ dz, dz.sum(axis=0)

    def loss(x, w, b):
        return np.sum(np.tanh(x @ w + b) ** 2)

    def loss_backward(x, w, b):
        return layer_backward(2 * np.tanh(x @ w + b), x, w, b)

    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=(5, 4)), "w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    report = tg.check_gradients(
        *((loss, inputs, loss_backward) if scalar else
          (lambda x, w, b: np.tanh(x @ w + b), inputs, layer_backward))
    )
    spoilt = {"dx": {"x"}, "x": {"w"}}.get(rounded, {"x", "w", "b"})
    assert {one.name for one in report.inputs if not one.ok} == spoilt
    assert all(one.label is Label.WRONG_DTYPE for one in report.inputs if not one.ok)
    assert " ratio 1 " in str(report)


def test_what_is_right_without_a_gradient():
    assert tg.check_gradients(lambda a, b: a * 2, [np.ones(2), np.ones(3)],
                              lambda d, a, b: (2 * d, None)).ok
    report = tg.check_gradients(np.sin, [np.zeros((0, 3))], lambda d, x: d * np.cos(x))
    assert report.ok and report.inputs[0].verdict is Verdict.EMPTY


def test_functions_that_are_not_deterministic_are_named():
    rng = np.random.default_rng(0)
    report = tg.check_gradients(lambda x: rng.standard_normal() * x, [np.ones(2)], lambda d, x: d)
    assert not report.ok and report.inputs[0].verdict is Verdict.NOT_DETERMINISTIC
    assert "another value" in str(report)


def test_functions_that_fail_at_shifted_points():
    at = np.array([1.0, 2.0])

    def here_only(x):
        if not np.array_equal(x, at):
            raise RuntimeError("elsewhere")
        return np.sin(x)

    report = tg.check_gradients(here_only, [at], lambda d, x: d * np.cos(x))
    assert report["x"].verdict is Verdict.CANNOT_TELL and "raises RuntimeError: elsewhere" in str(report)

    def from_one_on(x):
        return np.where(x >= 1, (np.maximum(x, 1) - 1) * 3.0, np.nan)

    assert tg.check_gradients(from_one_on, [at], lambda d, x: d * 3).ok
    assert not tg.check_gradients(from_one_on, [at], lambda d, x: d * 3.01).ok
    assert tg.check_gradients(tg.sqrt, [np.array([0.0, 1.0])]).ok      # infinitely steep at 0


def test_a_function_that_changes_its_input_is_noted():
    x = np.array([1.0, 2.0])

    def f(x):
        x *= 2
        return np.sin(x)

    report = tg.check_gradients(f, [x], lambda d, x: 2 * d * np.cos(2 * x))
    assert report.ok and "changes its input x" in str(report) and x.tolist() == [1, 2]


def test_tensors_that_share_memory_and_the_same_one_twice():
    memory = np.array([1.0, 2.0])
    a, b = tg.asarray(memory, requires_grad=True), tg.asarray(memory, requires_grad=True)
    assert tg.check_gradients(lambda a, b: a * b * b, [a, b]).ok
    assert tg.check_gradients(lambda a, b: a * b * b, [a, a]).ok
    assert memory.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "keywords", "words"),
    [
        ((3, [np.ones(2)]), {}, "pass a function"),
        ((np.sin, []), {}, "inputs is empty"),
        ((np.sin, {}), {}, "inputs is empty"),
        ((np.sin, [np.array([1, 2])]), {}, "no input is an array of floats"),
        ((np.sin, [np.ones(2) * 1j], np.cos), {}, "is complex"),
        ((lambda x: None, [np.ones(2)], np.cos), {}, "of type NoneType"),
        ((lambda x: x.astype(int), [np.ones(2)], np.cos), {}, "int64"),
        ((lambda x: x + 1j, [np.ones(2)], np.cos), {}, "is complex"),
        ((lambda x: [], [np.ones(2)], np.cos), {}, "returned nothing"),
        ((lambda x: float(x.sum()), [np.ones(2)]), {}, "pass the gradient by hand"),
        ((np.sin, [np.ones(2)], 5), {}, "backward is of type int"),
        ((np.sin, [np.ones(2)], np.cos), {"names": ["a", "b"]}, "2 entries for 1 inputs"),
        ((np.sin, [np.ones(2)], np.cos), {"wrt": "q"}, "wrt names 'q'"),
        ((lambda a, b: a * b, [np.ones(2)] * 2, lambda d, a, b: (b,)), {}, "returned 1 gradients"),
        ((lambda a, b: a * b, [np.ones(2)] * 2, lambda d, a, b: b), {}, "return a tuple or a dict"),
        ((lambda x: x, [np.ones(2)]), {"returns_gradients": True}, "has to return a pair"),
    ],
)
def test_bad_input_gets_a_clear_sentence(arguments, keywords, words):
    with pytest.raises(ArgumentError, match=words):
        tg.check_gradients(*arguments, **keywords)


def test_results_that_are_not_finite():
    with pytest.raises(GradientError, match=r"nan at index \(0,\)"):
        tg.check_gradients(np.log, [np.array([-1.0, 1.0])], lambda d, x: d / x)


# ------------------------------------------------------------------------------------ the report

def test_reports_are_the_same_for_a_seed(inputs):
    wrong = spoiled(affine_backward, 0, lambda g: g * 1.1)
    first, again, other = (
        tg.check_gradients(affine, inputs, backward=wrong, seed=seed) for seed in (3, 3, 4)
    )
    assert first.to_json() == again.to_json() != other.to_json()


def test_the_text_fits_and_names_what_is_wrong(inputs):
    wrong = spoiled(affine_backward, 1, lambda g: g * 1.1)
    text = str(tg.check_gradients(affine, inputs, backward=wrong))
    assert "WRONG for 1 of 3 inputs" in text.splitlines()[0] and "ratio 1.1" in text
    assert max(map(len, text.splitlines())) <= 100 and "\x1b" not in text


def test_colour_is_for_terminals_only(inputs, capsys, monkeypatch):
    report = tg.check_gradients(affine, inputs, backward=affine_backward)
    report.show()
    assert capsys.readouterr().out == f"{report}\n"
    monkeypatch.delenv("NO_COLOR", raising=False)

    class Terminal(list):
        write = list.append
        flush = list.clear

        def isatty(self):
            return True

    terminal = Terminal()
    report.show(terminal)
    assert "\x1b[32mright" in "".join(terminal)


def test_json_and_html_tell_the_same(inputs):
    wrong = spoiled(affine_backward, 1, lambda g: np.where(g == g.max(), np.nan, g))
    report = tg.check_gradients(affine, inputs, backward=wrong)
    found = json.loads(report.to_json())
    assert found["ok"] is False and [x["verdict"] for x in found["inputs"]] == ["right", "wrong", "right"]
    assert found["inputs"][1]["label"] == "not finite"
    assert found["inputs"][1]["worst"][0]["analytic"] == "nan"
    page = report._repr_html_()
    assert page.startswith("<div>") and "WRONG for 1 of 3" in page and "not finite" in page
    odd = tg.check_gradients(np.sin, [np.ones(1)], lambda d, x: d * np.cos(x), names=["<b>&"])
    assert "<b>&" not in odd._repr_html_() and "&lt;b&gt;&amp;" in odd._repr_html_()


def test_raising_has_the_same_text(inputs):
    wrong = spoiled(affine_backward, 1, lambda g: g * 1.1)
    report = tg.check_gradients(affine, inputs, backward=wrong)
    with pytest.raises(GradientError) as caught:
        tg.check_gradients(affine, inputs, backward=wrong, raise_exception=True)
    assert str(report) in str(caught.value)
    with pytest.raises(AssertionError) as caught:
        tg.testing.assert_gradients(affine, inputs, wrong)
    assert str(report) in str(caught.value)
    tg.testing.assert_gradients(affine, inputs, affine_backward)


def raises_beside(x):
    if x[0] != 0.5:
        raise ValueError("no")
    return np.sum(x)


def is_nan_beside(x):
    return np.where(x[0] != 0.5, np.nan, 0.0) + np.sum(x)


@pytest.mark.parametrize(("function", "does"), [(raises_beside, "raises ValueError: no"),
                                                (is_nan_beside, "returns NaN")])
@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [([7.0, 1.0], "cannot tell"), ([1.0, 1.0], "cannot tell"), ([1.0, 7.0], "wrong")],
)
def test_an_element_that_cannot_be_shifted_is_not_called_right(function, does, gradient, verdict):
    x = np.array([0.5, 1.5])
    report = tg.check_gradients(function, [x], backward=lambda x: np.array(gradient))
    assert not report.ok and str(report["x"].verdict) == verdict
    if verdict == "cannot tell":
        assert f"when x[0] is shifted a little, the function {does}" in report["x"].remark
    assert (x == [0.5, 1.5]).all()
