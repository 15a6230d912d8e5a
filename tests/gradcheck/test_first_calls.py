"""What a backward keeps of the first call of all, and what others keep with good reason."""

import functools
import itertools
import types

import numpy as np
import pytest

from tinygrad_relu import autograd, tensor
from tinygrad_relu.gradcheck import check_gradients, memory
from tinygrad_relu.gradcheck.diagnosis import Label
from tinygrad_relu.gradcheck.memory import Snapshot

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(8, 3)), RNG.normal(size=(3, 4))


def loss(x, w):
    return np.sum(np.maximum(x @ w, 0) ** 2)


def backward_with(mask, x, w):
    """Return the gradients, with the mask of ReLU that ``mask(z)`` gives."""
    z = x @ w
    d = 2 * z * mask(z)
    return d @ w.T, x.T @ d


def in_a_dict():
    state = {}
    return lambda x, w: backward_with(lambda z: state.setdefault("mask", z > 0), x, w)


def in_a_class():
    class Layer:
        mask = None

    def mask(z):
        if Layer.mask is None:
            Layer.mask = z > 0
        return Layer.mask

    return functools.partial(backward_with, mask)


def in_a_slot():
    class Layer:
        __slots__ = ("mask",)

        def backward(self, x, w):
            if not hasattr(self, "mask"):
                self.mask = x @ w > 0
            return backward_with(lambda z: self.mask, x, w)

    return Layer().backward


def in_a_name_around():
    kept = None

    def mask(z):
        nonlocal kept
        kept = z > 0 if kept is None else kept
        return kept

    return lambda x, w: backward_with(mask, x, w)


def in_a_global_name():
    names = {"backward_with": backward_with}
    exec(
        "def mask(z):\n"
        "    global kept\n"
        "    if 'kept' not in globals():\n"
        "        kept = z > 0\n"
        "    return kept\n"
        "def backward(x, w):\n"
        "    return backward_with(mask, x, w)\n",
        names,
    )
    return names["backward"]


def in_an_attribute_of_itself():
    def backward(x, w):
        if not hasattr(backward, "mask"):
            backward.mask = x @ w > 0
        return backward_with(lambda z: backward.mask, x, w)

    return backward


def in_an_array():
    mask, made = np.zeros((8, 4)), [False]

    def backward(x, w):
        if not made[0]:
            mask[...] = x @ w > 0
            made[0] = True
        return backward_with(lambda z: mask, x, w)

    return backward


@pytest.mark.parametrize("keeping", [
    in_a_dict, in_a_class, in_a_slot, in_a_name_around, in_a_global_name, in_an_attribute_of_itself,
    in_an_array,
])
def test_what_is_kept_of_the_first_call_is_wrong_wherever_it_is_kept(keeping):
    report = check_gradients(loss, {"x": X, "w": W}, backward=keeping())
    for entry in report.inputs:
        first = entry.explanations[0]
        assert not entry.ok and first.label is Label.STALE_BUFFER, report
        assert "something is kept of the first call" in first.claim


def test_what_the_forward_keeps_of_its_first_call_for_the_backward_is_wrong():
    kept = {}

    def forward(x, w):
        kept.setdefault("z", x @ w)
        return loss(x, w)

    def backward(x, w):
        return backward_with(lambda z: kept["z"] > 0, x, w)

    report = check_gradients(forward, [X, W], backward=backward)
    assert [entry.label for entry in report.inputs] == 2 * [Label.STALE_BUFFER]


def test_a_gradient_that_grows_from_the_first_call_on_is_accumulated():
    total = np.zeros_like(W)

    def backward(x, w):
        dx, dw = backward_with(lambda z: z > 0, x, w)
        total[...] += dw
        return dx, total.copy()

    report = check_gradients(loss, {"x": X, "w": W}, backward=backward)
    assert report["x"].ok and report["w"].label is Label.ACCUMULATED_TWICE


def test_what_a_function_of_tensors_keeps_of_its_first_call_is_wrong():
    class Exponential(autograd.Function):
        kept = None

        @staticmethod
        def forward(ctx, x):
            y = np.exp(x.detach().numpy())
            Exponential.kept = y if Exponential.kept is None else Exponential.kept
            return tensor(y)

        @staticmethod
        def backward(ctx, dy):
            return dy * tensor(Exponential.kept)

    x = tensor([0.5, 1.0, -2.0], requires_grad=True)
    assert check_gradients(Exponential.apply, [x]).inputs[0].label is Label.STALE_BUFFER


def test_what_is_kept_for_the_same_inputs_is_right():
    @functools.lru_cache
    def made(raw):
        return np.frombuffer(raw).reshape(8, 4) > 0

    def backward(x, w):
        return backward_with(lambda z: made(z.tobytes()), x, w)

    assert check_gradients(loss, [X, W], backward=backward).ok


def test_a_function_that_is_defined_nowhere_else_is_checked():
    def forward(x):
        if not (np.abs(x - 2) < 1e-2).all():
            raise ValueError("out of range")
        return np.sum(x ** 2)

    assert check_gradients(forward, [np.full(3, 2.0)], backward=lambda x: 2 * x).ok
    assert not check_gradients(forward, [np.full(3, 2.0)], backward=lambda x: 3 * x).ok


def test_a_snapshot_puts_back_what_is_changed_and_what_is_new():
    state, row = {"a": 1}, [np.zeros(2)]

    def change():
        state["a"], state["b"] = 2, 3
        row[0][0] = 5
        row.append(4)

    before = Snapshot([change])
    change()
    before.put_back()
    assert state == {"a": 1} and len(row) == 1 and not row[0].any()


def test_functions_that_keep_nothing_are_not_called_far_away(monkeypatch):
    asked, counts = [], {}

    def slopes(problem, point, cotangents):
        asked.append(point)
        raise ValueError("out of range")

    def counting(x):
        counts["calls"] = counts.get("calls", 0) + 1
        return 2 * x

    monkeypatch.setattr(memory, "slopes", slopes)
    for backward, times in ((lambda x: 2 * x, 0), (counting, 1 + len(memory.DISTANCES))):
        assert check_gradients(lambda x: np.sum(x ** 2), [np.full(3, 2.0)], backward=backward).ok
        assert len(asked) == times


def test_what_is_made_in_the_first_call_with_good_reason_is_right():
    state = {}

    def log_sum(z):
        shift = state.setdefault("shift", z.max())
        return shift + np.log(np.sum(np.exp(z - shift)))

    def log_sum_backward(z):
        e = np.exp(z - state["shift"])
        return e / e.sum()

    assert check_gradients(log_sum, [np.array([1000.0, 999.0, 998.5])], backward=log_sum_backward).ok
    rounds = {}

    def settled(w, x):
        z, n = np.zeros_like(x), rounds.get("n", 10_000)
        for count in range(n):
            z, last = np.tanh(w @ z + x), z
            if "n" not in rounds and np.abs(z - last).max() < 1e-14:
                rounds["n"] = count + 1
                break
        return z

    def settled_backward(w, x):
        z = settled(w, x)
        s = 1 - z ** 2
        d = s * np.linalg.solve((np.eye(4) - s[:, None] * w).T, np.ones(4))
        return np.outer(d, z), d

    w = np.random.default_rng(0).normal(size=(4, 4))
    inputs = [0.9 * w / np.linalg.norm(w, 2), 0.1 * np.random.default_rng(1).normal(size=4)]
    assert check_gradients(lambda w, x: settled(w, x).sum(), inputs, backward=settled_backward).ok


def test_a_function_that_has_not_settled_elsewhere_is_not_judged_there():
    counts = itertools.count()
    moving = types.SimpleNamespace(
        forward=lambda point: [np.array(float(next(counts)))], backward=lambda point, _: [np.ones(3)]
    )
    settled = types.SimpleNamespace(
        forward=lambda point: [point[0].sum()], backward=lambda point, _: [np.ones(3)]
    )
    point, one = [np.array([1.0, 2.0, 3.0])], [np.array(1.0)]
    assert np.isnan(memory.slopes(moving, point, one)).all()
    by_gradient, by_difference = memory.slopes(settled, point, one)
    np.testing.assert_allclose(by_gradient, by_difference, rtol=1e-8)


def test_objects_that_cannot_be_looked_into_are_left_alone():
    class Config:
        def __init__(self):
            self.values = {"a": 2.0}

        def __getattr__(self, key):
            return self.values[key]

    class Store(dict):
        def clear(self):
            raise AssertionError("nobody asked for that")

    class Net:
        config, store = Config(), Store(k=1.0)

        def forward(self, x):
            return (self.config.a * self.store["k"] * x).sum()

        def backward(self, x):
            self.store["calls"] = self.store.get("calls", 0) + 1
            return np.full_like(x, self.config.a)

    net = Net()
    assert check_gradients(net.forward, [np.ones(3)], backward=net.backward).ok
    assert net.store["calls"] > 0


def test_a_command_that_tries_functions_out_first_sees_what_is_kept(tmp_path, capsys):
    from tinygrad_relu.__main__ import main

    path = tmp_path / "kept.py"
    path.write_text(
        "import numpy as np\n"
        "kept = {}\n"
        "def cube(x):\n"
        "    return np.sum(x**3)\n"
        "def cube_backward(x):\n"
        "    return kept.setdefault('dx', 3 * x**2).copy()\n"
        "def cube_inputs():\n"
        "    return {'x': np.array([1.0, 2.0, -0.5])}\n"
    )
    main(["check", str(path)])
    assert "kept of the first call" in " ".join(capsys.readouterr().out.split())


def test_a_function_of_arrays_that_is_tried_with_tensors_keeps_none():
    kept = {}

    def loss_and_grad(params):
        w = params["w"]
        scale = kept.setdefault("scale", np.arange(1.0, 1 + w.size) * np.ones_like(w))
        return 0.5 * np.sum(scale * w ** 2), {"w": scale * w}

    report = check_gradients(loss_and_grad, [{"w": np.array([1.0, 2.0, 3.0])}])
    assert report.ok and type(kept["scale"]) is np.ndarray


def test_what_is_added_up_over_calls_and_divided_in_each_is_accumulated():
    total = np.zeros(3)

    def backward(x):
        total[...] += 2 * x
        total[...] /= 4
        return total.copy()

    report = check_gradients(lambda x: np.sum(x**2) / 4, [np.array([1.0, -2.0, 3.0])], backward)
    assert report.inputs[0].label is Label.ACCUMULATED_TWICE, report
