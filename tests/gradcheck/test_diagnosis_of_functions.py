"""The diagnosis of wrong backwards of ``autograd.Function``, whose forward is followed op by op."""

import linecache
import re
import threading

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.diagnosis.taping import taped
from tinygrad_relu.ops.table import TABLE

pytestmark = pytest.mark.usefixtures("walks_before_edits")


class Bent(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        return g


class Squashed(tg.autograd.Function):
    @staticmethod
    def forward(x):
        return tg.sigmoid(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * (1 - y**2)       # that of tanh


class Affine(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return tg.nn.functional.linear(x, w, b).tanh()

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w, g.T @ x, g.sum(0)


class Normal(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        apart = x - x.mean(dim=1, keepdim=True)
        deviation = (apart**2).mean(dim=1, keepdim=True).sqrt()
        ctx.save_for_backward(deviation)
        return apart / deviation

    @staticmethod
    def backward(ctx, g):
        (deviation,) = ctx.saved_tensors
        return (g - g.mean(dim=1, keepdim=True)) / deviation


class Shares(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        e = (x - x.max(dim=1, keepdim=True).values).exp()
        y = e / e.sum(dim=1, keepdim=True)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).mean(dim=1, keepdim=True))


class Pair(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp(), x.sin()

    @staticmethod
    def backward(ctx, a, b):
        (x,) = ctx.saved_tensors
        return a * x.exp() + b * x.sin()


@pytest.mark.parametrize(("function", "shapes", "label", "line"), [
    (Bent.apply, [(4, 3)], "mask forgotten", "clamp"),
    (lambda x: Bent.apply(x * 2).sum(), [(4, 3)], "mask forgotten", "clamp"),
    (Squashed.apply, [(5,)], "derivative of the wrong function", "sigmoid"),
    (Affine.apply, [(4, 3), (2, 3), (2,)], "missing chain factor", "tanh"),
    (Normal.apply, [(4, 5)], "missing term", "deviation ="),
    (Shares.apply, [(4, 3)], "averaged instead of summed", "y = e /"),
    (Pair.apply, [(4,)], "derivative of the wrong function", "x.exp(), x.sin()"),
])
def test_a_wrong_backward_is_explained(function, shapes, label, line, rng):
    report = tg.check_gradients(
        function, [tg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]
    )
    for entry in report.inputs:
        claim = entry.explanations[0].claim
        assert str(entry.label) == label, claim
        number = re.search(r"test_diagnosis_of_functions\.py:(\d+)", claim)[1]
        assert line in linecache.getline(__file__, int(number)), claim
    assert all(op.diversion is None for op in TABLE.values())


def test_a_module_that_closes_over_its_parameters_is_followed(rng):
    layer = tg.nn.Linear(3, 2, dtype=tg.float64)
    report = tg.check_gradients(
        lambda x: Bent.apply(layer(x)), [tg.tensor(rng.standard_normal((4, 3)), requires_grad=True)]
    )
    assert report.inputs[0].label == "mask forgotten"


def test_what_has_no_counterpart_is_not_followed(rng):
    x = tg.tensor(rng.standard_normal((3, 3)), requires_grad=True)
    report = tg.check_gradients(lambda x: Bent.apply(tg.linalg.inv(x)), [x])
    assert not report.ok and report.inputs[0].label == "no simple explanation"
    assert all(op.diversion is None for op in TABLE.values())


def test_other_threads_record_as_ever_meanwhile():
    x = tg.tensor([1.0, -2.0], requires_grad=True)
    found = []

    def elsewhere():
        with tg.kink_slope(0.5):
            (tg.relu(x * 3) + Squashed.apply(x)).sum().backward()
        found.append(x.grad.numpy().copy())

    def function():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return [tg.relu(x)]

    elsewhere()
    x.grad = None
    taped(function, [x], [np.array([1.0, -2.0])])
    assert np.array_equal(*found)
    with tg.kink_slope(0.5):
        before = tg.relu.diversion
        taped(lambda: [tg.relu(x)], [x], [np.array([1.0, -2.0])])
        assert tg.relu.diversion is before
