"""What tells apart the steps that one line makes: the call that led there, or the round of the loop."""

import numpy as np
import pytest
from edited_models import defined, report_on

from tinygrad_relu.gradcheck.diagnosis.naming import described
from tinygrad_relu.gradcheck.diagnosis.trace import Graph

pytestmark = pytest.mark.usefixtures("walks_before_edits")

CALLED_THRICE = '''
def sig(x):
    return 1 / (1 + np.exp(-x))
def forward(a, b, c):
    return sig(a) * sig(b) + sig(c)
def backward(d, a, b, c):
    A, B, C = sig(a), sig(b), sig(c)
    return d * B * A * (1 - A), d * A * B * (1 - B), d * C * (1 - C)
INPUTS = dict(zip("abc", np.random.default_rng(0).standard_normal((3, 4))))
'''

RNN = '''
def forward(x, W, U):
    h = np.zeros(4)
    for t in range(5):
        h = np.tanh(x[t] @ W + h @ U)
    return h
def backward(d, x, W, U):
    hs = [np.zeros(4)]
    for t in range(5):
        hs.append(np.tanh(x[t] @ W + hs[-1] @ U))
    dx, dW, dU = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U)
    for t in reversed(range(5)):
        dz = d * (1 - hs[t + 1] ** 2)
        dx[t] = W @ dz
        dW += np.outer(x[t], dz)
        dU += np.outer(hs[t], dz)
        d = U @ dz
    return dx, dW, dU
rng = np.random.default_rng(0)
INPUTS = {"x": rng.standard_normal((5, 3)), "W": rng.standard_normal((3, 4)) / 2,
          "U": rng.standard_normal((4, 4)) / 3}
'''

SINES = '''
def forward(x, U):
    h = np.ones(4)
    for t in range(5):
        h = np.sin(x[t] + h @ U)
    return h
def backward(d, x, U):
    hs, zs = [np.ones(4)], []
    for t in range(5):
        zs.append(x[t] + hs[-1] @ U)
        hs.append(np.sin(zs[-1]))
    dx, dU = np.zeros_like(x), np.zeros_like(U)
    for t in reversed(range(5)):
        dx[t] = d * np.cos(zs[t])
        dU += np.outer(hs[t], dx[t])
        d = U @ dx[t]
    return dx, dU
rng = np.random.default_rng(0)
INPUTS = {"x": rng.standard_normal((5, 4)), "U": rng.standard_normal((4, 4)) / 2}
'''


@pytest.mark.parametrize(
    ("model", "edits", "name", "words"),
    [
        (CALLED_THRICE, ("d * A * B * (1 - B)", "d * C * B * (1 - B)"), "b",
         "(<model.py>:3, in sig(c) on line 5) in the place of the result of np.divide (<model.py>:3, in "
         "sig(a) on line 5)"),
        (RNN, ("np.outer(hs[t], dz)", "np.outer(hs[t + 1], dz)"), "U",
         "np.tanh (<model.py>:5) of the same round in the place of that of the round before"),
        (RNN, ("hs[t + 1] ** 2", "hs[t] ** 2"), "W", "np.tanh (<model.py>:5) of the round before for y"),
        (RNN, ("np.outer(x[t], dz)", "np.outer(x[0], dz)"), "W",
         "of the first round in the place of that of the same round"),
    ],
)
def test_steps_of_one_line_are_told_apart(model, edits, name, words):
    report = report_on(model, edits, "model")
    assert words in report[name].explanations[0].claim


def test_lines_that_are_not_to_be_had_are_counted():
    names = {"np": np}
    exec("def forward(a, b): return np.tanh(a) * np.tanh(b)", names)
    graph = Graph.of(lambda xs: names["forward"](*xs), [np.ones(2), np.zeros(2)], 1)
    assert described(graph, 3) == "the result of np.tanh (<string>:1, number 2 of 2 there)"


NESTED = """
def bend(z):
    return np.tanh(z)
def layer(z, w):
    return bend(z * w) + bend(z)
def forward(x, w):
    return layer(layer(x, w), w)
def backward(): pass
"""


def test_calls_within_calls_are_named_from_the_inside():
    names = defined(NESTED, (), "nested.py", {"np": np})
    graph = Graph.of(lambda xs: names["forward"](*xs), [np.ones(2), np.zeros(2)], 1)
    found = [described(graph, k) for k, step in enumerate(graph.steps) if step.function is np.tanh]
    assert found[0] == (
        "the result of np.tanh (<nested.py>:3, in bend(z * w) on line 5, in layer(x, w) on line 7)"
    )
    assert len(set(found)) == 4
