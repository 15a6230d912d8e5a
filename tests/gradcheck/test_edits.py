"""Mistakes that the text of a backward shows: it is written otherwise at one place, until it is right."""

import array
import concurrent.futures
import math
import sys
import time
import types

import numpy as np
import pytest
from edited_models import defined, first_explanations, report_on

from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis import Label
from tinygrad_relu.gradcheck.diagnosis.edits import search
from tinygrad_relu.gradcheck.diagnosis.edits.kept import Kept
from tinygrad_relu.gradcheck.diagnosis.edits.program import programs
from tinygrad_relu.gradcheck.diagnosis.ranking import Candidate

LAYER = '''
def forward(x, W, b):
    z = x @ W + b
    h = np.tanh(z) * np.where(z > 0.1, 1.0, 0.3)
    return np.sum(h ** 2, axis=1)
def backward(dout, x, W, b):
    z = x @ W + b
    t, slope = np.tanh(z), np.where(z > 0.1, 1.0, 0.3)
    h = t * slope
    dh = 2 * h * dout[:, None]
    dz = dh * slope * (1 - t ** 2)
    dW = x.T @ dz
    db = dz.sum(axis=0)
    return dz @ W.T, dW, db
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=(3, 3)) for _ in range(2)] + [rng.normal(size=3)]
'''

# Each sample takes one way or the other, which arrays that record their steps do not see.
HINGES = '''
X = np.random.default_rng(1).normal(size=(9, 3))
y = np.array([1, -1, 1, 1, -1, -1, 1, -1, 1])
def forward(w):
    total = 0.0
    for xi, yi in zip(X, y):
        margin = 1 - yi * (xi @ w)
        if margin > 1:
            total = total + 2 * margin - 1
        elif margin > 0:
            total = total + margin ** 2
    return total / len(X)
def backward(w):
    g = np.zeros_like(w)
    for xi, yi in zip(X, y):
        margin = 1 - yi * (xi @ w)
        if margin > 1:
            g += -2 * yi * xi
        elif margin > 0:
            g += -2 * margin * yi * xi
    return g / len(X)
INPUTS = [np.random.default_rng(2).normal(size=3)]
'''

PENDULUM = '''
def forward(start, length):
    angle, speed, path = start[:3], start[3:], []
    for _ in range(5):
        speed = speed - 0.2 * np.sin(angle) / length
        angle = angle + 0.2 * speed
        path.append(angle)
    return np.stack(path)
def backward(dout, start, length):
    angle, speed, tape = start[:3], start[3:], []
    for _ in range(5):
        tape.append(angle)
        speed = speed - 0.2 * np.sin(angle) / length
        angle = angle + 0.2 * speed
    dangle, dspeed = np.zeros(3), np.zeros(3)
    dlength = np.zeros_like(length)
    for t in reversed(range(5)):
        dangle = dangle + dout[t]
        dspeed = dspeed + 0.2 * dangle
        dlength += dspeed * 0.2 * np.sin(tape[t]) / length ** 2
        dangle = dangle - dspeed * 0.2 * np.cos(tape[t]) / length
    return np.concatenate([dangle, dspeed]), dlength
INPUTS = [np.random.default_rng(3).normal(size=6), np.array([1.3, 0.9, 1.1])]
'''

# Model, what is right and what is written, the wrong inputs, what is wrong, and what the report says.
CASES = [
    (LAYER, ["dz.sum(axis=0)", "dz.sum(axis=1)"], "b", Label.SUMMED,
     "dz.sum(axis=0) in the place of dz.sum(axis=1)"),
    (LAYER, ["z > 0.1", "z < 0.1"], "x W b", Label.MASK_FROM_WRONG_TENSOR,
     "z > 0.1 in the place of z < 0.1"),
    (LAYER, ["1 - t ** 2", "1 + t ** 2"], "x W b", Label.WRONG_FUNCTION, "1 - t ** 2 in the place of"),
    (LAYER, ["x.T @ dz\n", "x @ dz\n"], "W", Label.TRANSPOSED, "x.T @ dz in the place of x @ dz"),
    (LAYER, ["dz @ W.T", "dz @ W"], "x", Label.TRANSPOSED, "dz @ W.T in the place of dz @ W"),
    (LAYER, ["2 * h * dout", "2 * t * dout"], "x W b", Label.MISSING_FACTOR, "2 * h * dout"),
    (LAYER, ["2 * h * dout[:, None]", "2 * h * dout[::-1][:, None]"], "x W b", Label.PERMUTED, "dout["),
    (HINGES, ["if margin > 1:", "if margin < 1:"], "w", Label.MASK_FROM_WRONG_TENSOR,
     "margin > 1 in the place"),
    (HINGES, ["-2 * yi * xi", "2 * yi * xi"], "w", Label.WRONG_FUNCTION, "in the place of"),
    (HINGES, ["-2 * margin * yi", "-2 * yi"], "w", Label.MISSING_FACTOR, "margin"),
    (HINGES, ["g += -2 * margin", "g = -2 * margin"], "w", Label.STALE_BUFFER, "g += "),
    (PENDULUM, ["np.cos(tape[t])", "np.cos(tape[t - 1])"], "start length", Label.SHIFTED,
     "tape[t] in the place of tape[t - 1]"),
    (PENDULUM, ["dangle = dangle + dout[t]", "dangle = dangle + dout[t - 4]"],
     "start length", Label.SHIFTED, "dout[t"),
    (PENDULUM, ["dlength += dspeed", "dlength = dspeed"], "length", Label.STALE_BUFFER, "dlength += "),
    (PENDULUM, ["dspeed * 0.2 * np.cos(tape[t])", "0.2 * np.cos(tape[t])"],
     "start length", Label.MISSING_FACTOR, "* dspeed"),
    (PENDULUM, ["length ** 2", "length"], "length", Label.MISSING_FACTOR, "length"),
    (PENDULUM, ["        dspeed = dspeed + 0.2 * dangle\n", "",
                "np.cos(tape[t]) / length\n",
                "np.cos(tape[t]) / length\n        dspeed = dspeed + 0.2 * dangle\n"],
     "start length", Label.STALE_BUFFER, "dspeed = dspeed + 0.2 * dangle"),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "words"), CASES)
def test_the_report_says_what_to_write(source, edits, wrong, label, words):
    report = report_on(source, edits, "model")
    for first in first_explanations(report, wrong):
        assert first.label is label and words in first.claim, first


def test_what_a_function_has_at_hand_is_as_it_was():
    kept = "data = np.ones(3)\nkept = {'calls': []}\n"
    source = LAYER.replace("def backward", f"{kept}def backward").replace(
        "    dW = x.T", "    dz = dz * data\n    kept['calls'].append(1)\n    dW = x.T"
    )
    names = defined(source, ["1 - t ** 2", "1 + t ** 2"], "model.py", {"np": np})
    code, data = names["backward"].__code__, names["data"]
    before = set(names)
    report = check_gradients(names["forward"], names["INPUTS"], backward=names["backward"])
    assert not report.ok and "in the place of" in report["W"].explanations[0].claim
    assert names["backward"].__code__ is code and set(names) == before
    assert names["data"] is data and data.flags.writeable and (data == 1).all()
    # The lists that it fills by itself are as long as its own calls make them.
    assert len(names["kept"]["calls"]) < 500


def test_methods_closures_and_helpers_are_edited_and_put_back(capsys):
    def sigmoid_slope(s):
        return s * (1 + s)

    class Layer:
        def __init__(self, weight):
            self.W, self.grads = weight, {}

        def forward(self, x):
            self.x, self.s = x, 1 / (1 + np.exp(-x @ self.W))
            return self.s

        def backward(self, dout):
            print("on the way back")
            dz = dout * sigmoid_slope(self.s)
            self.grads["W"] = self.x.T @ dz
            return dz @ self.W.T

    rng = np.random.default_rng(3)
    layer, x = Layer(rng.normal(size=(3, 2))), rng.normal(size=(4, 3))

    def backward(dout, x):
        layer.forward(x)
        return layer.backward(dout)

    own = sigmoid_slope.__code__, Layer.backward.__code__, backward.__code__
    report = check_gradients(layer.forward, [x], backward=backward)
    first = report.inputs[0].explanations[0]
    assert first.label is Label.WRONG_FUNCTION
    assert "s * (1 - s) in the place of s * (1 + s)" in first.claim
    assert (sigmoid_slope.__code__, Layer.backward.__code__, backward.__code__) == own
    np.testing.assert_array_equal(layer.backward(np.ones((4, 2))), backward(np.ones((4, 2)), x))
    assert capsys.readouterr().out.count("on the way back") < 300


def test_what_the_forward_is_given_is_not_edited():
    def forward(x):
        return np.maximum(x, 0.2 * x)

    def backward(dout, x):
        y = forward(x)
        return dout * np.where(y < 0, 1.0, 0.2)

    x = np.random.default_rng(4).normal(size=6)
    explanations = check_gradients(forward, [x], backward=backward).inputs[0].explanations
    assert explanations[0].label is Label.MASK_FROM_WRONG_TENSOR
    assert "in the place of" in explanations[0].claim
    assert all(one.claim.count("forward(") == one.claim.count("forward(x)") for one in explanations)


def test_functions_without_a_text_have_the_other_explanations():
    names = {"np": np}
    exec(  # no file: nothing to read
        compile("def backward(x):\n    return 2 * np.sin(x) * np.sin(x)", "nowhere.py", "exec"), names
    )
    assert isinstance(names["backward"], types.FunctionType)
    report = check_gradients(
        lambda x: np.sum(np.sin(x) ** 2), [np.random.default_rng(5).normal(size=4)],
        backward=names["backward"],
    )
    first = report.inputs[0].explanations[0]
    assert first.label is Label.WRONG_FUNCTION and "in the place of" not in first.claim


def test_loops_that_might_not_end_end():
    source = '''
def forward(x):
    return np.sum(np.exp(x))
def backward(x):
    term, total, n = np.ones_like(x), np.zeros_like(x), 0
    while n < 30:
        total = total + term
        n = n + 1
        term = term * x / n
    return total
INPUTS = [np.array([0.3, -0.2])]
'''
    report = report_on(source, ["term * x / n", "term * x * n"], "model")
    first = report["x"].explanations[0]
    assert first.label is Label.WRONG_FUNCTION and "term * x / n" in first.claim


def test_functions_of_plain_floats_are_edited_though_their_steps_cannot_be_recorded():
    def forward(x):
        total = 0.0
        for value in x:
            total += math.exp(float(value)) * math.sin(float(value))
        return total

    def backward(x):
        return np.array([math.exp(v) * (math.sin(v) - math.cos(v)) for v in x])

    report = check_gradients(forward, [np.array([0.3, 0.5, 0.9])], backward=backward)
    first = report.inputs[0].explanations[0]
    assert first.label is Label.WRONG_FUNCTION
    assert "math.sin(v) + math.cos(v) in the place of" in first.claim


def test_what_a_condition_guards_is_not_done(tmp_path):
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    calls = {"count": 0}

    def forward(x, w):
        return np.tanh(x @ w)

    def backward(dout, x, w):
        calls["count"] += 1
        if x.shape[0] == 0:
            kept.unlink()
        if len(x) == 0:
            sys.exit("nothing to do")
        order = [0]
        for k in order:
            if k < 3:
                order += [k + 1]
        d = dout * (1 - np.tanh(x @ w)) * np.exp(x.sum())
        return d @ w.T, x.T @ d

    rng = np.random.default_rng(6)
    inputs = [rng.normal(size=(4, 3)), rng.normal(size=(3, 2))]
    report = check_gradients(forward, inputs, backward=backward)
    assert not report.ok and kept.read_text() == "mine"
    assert isinstance(calls["count"], int) and calls["count"] < 1000


def test_a_product_for_a_power_is_told():
    def forward(x):
        return np.tanh(x)

    def backward(dout, x):
        h = np.tanh(x)
        return dout * (1 - h * 2)

    report = check_gradients(forward, [np.random.default_rng(7).normal(size=5)], backward=backward)
    first = report.inputs[0].explanations[0]
    assert first.label is Label.WRONG_FUNCTION and "h ** 2" in first.claim and "h * 2" in first.claim


def cubes(x):
    return np.sum(np.tanh(x) ** 3)


def test_counters_of_all_kinds_are_whole_and_agree_afterwards():
    class Counts:
        calls = 0

        def __init__(self):
            self.own, self.log, self.inner = 0, [], types.SimpleNamespace(n=0)

        def count(self):
            self.own += 1
            self.log.append(1)
            self.inner.n += 1
            Counts.calls += 1

        @classmethod
        def of_class(cls):
            cls.seen = getattr(cls, "seen", 0) + 1

    class Slots:
        __slots__ = ("n",)

    counts, slots, raw = Counts(), Slots(), array.array("d", [0.0])
    slots.n = 0

    def backward(x):
        counts.count()
        Counts.of_class()
        slots.n += 1
        raw[0] += 1
        t = np.tanh(x)
        return 3 * t ** 2 * (1 + t ** 2)

    report = check_gradients(cubes, [np.array([0.3, -0.6])], backward=backward)
    assert "1 - t ** 2 in the place of" in report.inputs[0].explanations[0].claim
    found = [counts.own, len(counts.log), counts.inner.n, Counts.calls, Counts.seen, slots.n, raw[0]]
    assert len({float(n) for n in found}) == 1 and isinstance(Counts.calls, int), found


def test_numbers_that_loops_of_c_run_to_are_left_alone():
    def backward(x):
        t = np.tanh(x)
        rest = sum(range(10 ** 5)) * 0.0
        return 3 * t ** 2 * (1 + t ** 2) + rest

    began = time.perf_counter()
    report = check_gradients(cubes, [np.array([0.3, -0.6])], backward=backward)
    assert "1 - t ** 2 in the place of" in report.inputs[0].explanations[0].claim
    assert time.perf_counter() - began < 60


def test_checks_in_several_threads_look_for_edits_one_at_a_time(monkeypatch):
    inside, most, apart = [], [], search.apart

    def slowly(work):
        inside.append(work)
        time.sleep(0.1)
        most.append(len(inside))
        inside.pop()
        return apart(work)

    def check(_):
        return check_gradients(
            lambda x: np.sum(np.sin(x)), [np.array([0.3, -0.6])], backward=lambda x: np.cos(x) + x
        ).ok

    monkeypatch.setattr(search, "apart", slowly)
    own = sys.stdout
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert not any(pool.map(check, range(6)))
    assert sys.stdout is own and len(most) == 6 and max(most) == 1


def test_one_mistake_that_is_made_for_each_input_goes_before_a_dearer_one_for_all():
    each = [Candidate(Label.AVERAGED, 18.5, f"{k}", frozenset({k})) for k in (0, 1)]
    other = Candidate(Label.MISSING_TERM, 18.5, "of another kind", frozenset({0}))
    dearer = Candidate(Label.MISSING_FACTOR, 25.0, "both", frozenset({0, 1}))
    assert dearer.rank < min(one.rank for one in each)
    search.with_twins([*each, other])
    assert max(one.rank for one in each) < dearer.rank < other.rank


def test_what_is_not_run_is_no_gradient():
    async def later(x):
        return 2 * x

    def yielding(x):
        yield 2 * x

    for backward, word in ((later, "coroutine"), (yielding, "generator")):
        with pytest.raises(ArgumentError, match=f"backward returned a {word}"):
            check_gradients(lambda x: np.sum(x ** 2), [np.ones(2)], backward=backward)


def test_arrays_at_hand_stay_as_they_are_where_add_at_writes_to_them():
    # It does so even if they are read-only.
    knots = np.linspace(-1.0, 1.0, 5)
    before = knots.copy()

    def backward(d):
        g = np.zeros(5)
        np.add.at(g, [0, 0], d * knots[0])
        return g

    def call():
        return backward(2.0)

    program = next(one for one in programs(call) if one.code.co_name == "backward")
    kept = Kept(program.functions, call, program)
    with kept.unwritable():
        np.add.at(knots, [0, 0], 1.0)
        kept.restore()
        np.testing.assert_array_equal(knots, before)
        assert not knots.flags.writeable
        np.add.at(knots, [1], 1.0)
    np.testing.assert_array_equal(knots, before)
    assert knots.flags.writeable


class Packed:
    """A net whose weights are parts of one array."""

    def __init__(self):
        self.theta = np.arange(1.0, 5.0)
        self.W, self.b = self.theta[:2], self.theta[2:]

    def forward(self, x):
        return float(np.sum(np.tanh(x * self.W + self.b)))

    def backward(self, x):
        t = np.tanh(x * self.W + self.b)
        return self.W * (1 - t)


def test_arrays_with_parts_can_be_written_to_afterwards():
    net = Packed()
    report = check_gradients(net.forward, [np.array([0.3, -0.7])], backward=net.backward)
    assert "1 - t ** 2" in report.inputs[0].explanations[0].claim
    assert net.theta.flags.writeable and net.W.flags.writeable and net.b.flags.writeable
    np.testing.assert_array_equal(net.theta, np.arange(1.0, 5.0))


def test_what_a_mask_hides_stays_as_it_is():
    data = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])

    def backward(w):
        g = np.zeros(3)
        g[:2] += 2 * w[:2] ** 2
        g += data.data
        return g

    report = check_gradients(
        lambda w: float(np.sum(w[:2] ** 3) + np.sum(data.data * w)), [np.array([0.3, -0.7, 0.2])],
        backward=backward,
    )
    assert not report.ok and data.data.flags.writeable
    np.testing.assert_array_equal(data.data, [1.0, 2.0, 3.0])


class Filled(dict):
    """A dict that makes what it is asked for."""

    def __missing__(self, key):
        self[key] = np.arange(key, key + 3.0)
        return self[key]


def test_a_dict_of_the_users_own_kind_keeps_what_it_had():
    kept = Filled()
    kept[1], kept[2] = np.ones(3), 2 * np.ones(3)
    report = check_gradients(
        lambda w: float(np.sum(w**3 * kept[1] + w**2)), [np.array([0.3, -0.7, 0.2])],
        backward=lambda w: 3 * w**2 * kept[2] + 2 * w,
    )
    assert not report.ok and list(kept) == [1, 2]


def test_parts_are_added_to_in_words_that_can_be_written():
    source = '''
rows = np.array([0, 2, 0])
def forward(x):
    return np.sum(x[:, rows] ** 3)
def backward(x):
    dx = np.zeros_like(x)
    np.add.at(dx, np.s_[:, rows], 3 * x[:, rows] ** 2)
    return dx
INPUTS = [np.random.default_rng(0).normal(size=(2, 3))]
'''
    edits = ["np.add.at(dx, np.s_[:, rows], 3 * x[:, rows] ** 2)", "dx[:, rows] += 3 * x[:, rows] ** 2"]
    report = report_on(source, edits, "model")
    assert "np.add.at(dx, np.s_[:, rows], 3 * x[:, rows] ** 2)" in report["x"].explanations[0].claim


@pytest.mark.parametrize("ways", ["of_statements", "crossings", "with_functions", "without_an_end"])
def test_a_way_of_editing_that_fails_hides_no_other_one(monkeypatch, ways):
    def failing(*_):
        yield from ()
        raise ValueError("of a value that nobody thought of")

    monkeypatch.setattr(search, ways, failing)
    report = report_on(LAYER, ["2 * h * dout[:, None]", "2 * dout[:, None]"], "model")
    first = report["W"].explanations[0]
    assert "in the backward" in first.claim and "* h in the place" in first.claim, first.claim


def test_of_a_factor_that_is_no_usual_one_it_is_told_where_it_comes_from():
    def backward(x):
        return 2 * x**2

    (entry,) = check_gradients(lambda x: np.sum(x**3), [np.array([1.0, 2.0, 3.0])], backward).inputs
    claim = entry.explanations[0].claim
    assert entry.label is Label.CONSTANT_FACTOR and "2/3 times what it should be" in claim
    assert "with 3 * x ** 2 in the place of 2 * x ** 2 it is right" in claim and "axis" not in claim
