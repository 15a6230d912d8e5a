"""``python -m tinygrad_relu check``: pairs of functions in a file, their inputs, and the exit status."""

import json

import pytest

from tinygrad_relu.__main__ import main

LESSON = '''
import numpy as np

def layer(x, W, b):
    return np.tanh(x @ W + b)

def layer_backward(dout, x, W, b):
    dz = dout * (1 - np.tanh(x @ W + b) ** 2)
    return dz @ W.T, x.T @ dz, {factor} * dz.sum(axis=0)

def layer_inputs():
    rng = np.random.default_rng(0)
    return rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), np.zeros(2)

def sigmoid(x: (3, 4)):
    return 1 / (1 + np.exp(-x))

def sigmoid_grad(dout, x):
    y = sigmoid(x)
    return dout * y * (1 - y)

def square(q, p=2.0):
    return float(q @ q) * p

def square_backward(q, p):
    return 2 * q * p, float(q @ q)

INPUTS = {{"q": np.array([1.0, 2.0])}}

def loss_and_grad(params):
    r = params["A"] @ params["v"]
    return 0.5 * r @ r, {{"A": np.outer(r, params["v"]), "v": params["A"].T @ r}}

def loss_and_grad_inputs():
    return {{"A": np.ones((2, 2)), "v": np.array([1.0, 2.0])}}
'''


@pytest.fixture
def lesson(tmp_path):
    def write(text):
        path = tmp_path / "lesson.py"
        path.write_text(text)
        return str(path)

    return write


def test_all_pairs_of_a_file_are_checked(lesson, capsys):
    assert main(["check", lesson(LESSON.format(factor=1))]) == 0
    text = capsys.readouterr().out
    for title in ("layer and layer_backward", "sigmoid and sigmoid_grad", "square and", "loss_and_grad"):
        assert title in text
    assert text.count("Gradients are right") == 4


def test_a_wrong_gradient_gives_status_one_and_is_named(lesson, capsys):
    path = lesson(LESSON.format(factor=2))
    assert main(["check", path]) == 1
    assert "WRONG for 1 of 3 inputs, compared element by element: b" in capsys.readouterr().out
    assert main(["check", f"{path}:sigmoid"]) == 0
    assert "layer" not in capsys.readouterr().out
    assert main(["check", f"{path}:layer", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["function"] == "layer" and found["report"]["inputs"][2]["ok"] is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(x):\n    return x\n", "has no function with its gradient beside it (it has f)"),
        ("", "it has no functions"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("def f(\n", "SyntaxError"),
        ("def f(x):\n    return x\ndef f_backward(d, x):\n    return d\n", "write a function f_inputs()"),
        ("INPUTS = {'x': 1.5}\ndef f(x):\n    return 1 / 0\ndef f_grad(d, x):\n    return d\n",
         "ZeroDivisionError: division by zero (lesson.py:3)"),
    ],
)
def test_what_cannot_be_checked_gives_status_two_and_advice(lesson, text, words, capsys):
    assert main(["check", lesson(text)]) == 2
    said = " ".join(capsys.readouterr().err.split()).replace("Write", "write")
    assert words in said


def test_a_file_or_function_that_is_not_there(lesson, capsys):
    assert main(["check", "nowhere.py"]) == 2
    assert main(["check", lesson(LESSON.format(factor=1)) + ":lost"]) == 2
    said = capsys.readouterr().err
    assert "there is no file nowhere.py" in said and "has no function lost" in said


CACHED = '''
import numpy as np

def norm_forward(x: (4, 3), gamma: (3,), eps=1e-5):
    centred = x - x.mean(0)
    root = np.sqrt((centred**2).mean(0) + eps)
    y = centred / root
    return gamma * y, (y, gamma, root)

def norm_backward(dout, cache):
    y, gamma, root = cache
    dy = dout * gamma
    return (dy - dy.mean(0) - {factor} * y * (dy * y).mean(0)) / root, (dout * y).sum(0)

def tanh(x):
    return np.tanh(x)

def tanh_prime(x):
    return 1 - np.tanh(x) ** {power}

def tanh_inputs():
    return np.linspace(-1, 1, 4)
'''


def test_backwards_with_a_cache_and_slopes_are_checked(lesson, capsys):
    assert main(["check", lesson(CACHED.format(factor=1, power=2))]) == 0
    text = capsys.readouterr().out
    assert text.count("Gradients are right") == 2 and "gamma" in text
    for factor, power in [(1.001, 2), (1, 2.001)]:
        assert main(["check", lesson(CACHED.format(factor=factor, power=power))]) == 1
    text = capsys.readouterr().out
    assert text.count("Gradients are right") == 2 and text.count("WRONG for 1 of") == 2
