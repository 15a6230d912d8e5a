"""``python -m tinygrad_relu check``: pairs of functions in a file, their inputs, and the exit status."""

import json
import textwrap

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
        ("raise SystemExit(3)\n", "ends the program while it is read (SystemExit: 3, lesson.py:1)"),
        ("INPUTS = {'x': 1.5}\ndef f(x):\n    raise SystemExit(3)\ndef f_grad(d, x):\n    return d\n",
         "cannot be checked: SystemExit: 3 (lesson.py:3)"),
        ("INPUTS = {'x': [1, 2], 'n': 3}\ndef f(x, n):\n    return x\nf_grad = lambda d, x, n: d\n",
         "no input is an array of floats (x is int64, n is int)"),
        ("INPUTS = {'x': 1.5}\ndef f(x):\n    return 1 / 0\ndef f_grad(d, x):\n    return d\n",
         "ZeroDivisionError: division by zero (lesson.py:3)"),
    ],
)
def test_what_cannot_be_checked_gives_status_two_and_advice(lesson, text, words, capsys):
    assert main(["check", lesson(text)]) == 2
    said = " ".join(capsys.readouterr().err.split()).replace("Write", "write")
    assert words in said


def test_what_cannot_be_checked_beside_what_is_right_gives_status_two(lesson, capsys):
    text = """
INPUTS = {"x": 1.5}
def f(x):
    return x * x
def f_grad(d, x):
    return 2 * x * d
def g(x):
    return x * x
def g_grad(d, x):
    raise RuntimeError("oops")
"""
    assert main(["check", lesson(text), "--json"]) == 2
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["report"]["ok"]
    assert second == {"function": "g", "error": "RuntimeError: oops (lesson.py:10)"}


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


# Forwards that return something for their backward, and backwards that take it under any name.
KEPT = {
    "the input": """
        def f_forward(x: (3, 4)): return np.maximum(0, x), x
        def f_backward(dout, x): return dout * (x > 0) * FACTOR
    """,
    "a mask": """
        def f_forward(x: (3, 4)): return np.maximum(0, x), x > 0
        def f_backward(dout, mask): return dout * mask * FACTOR
    """,
    "a mask of floats": """
        MASK = 2.0 * (np.random.default_rng(0).random((3, 4)) > 0.5)
        def f_forward(x: (3, 4)): return x * MASK, MASK
        def f_backward(dout, mask): return dout * mask * FACTOR
    """,
    "the result": """
        def f_forward(x: (3, 4)): return (np.tanh(x),) * 2
        def f_backward(dout, y): return dout * (1 - y * y) * FACTOR
    """,
    "a tuple": """
        def f_forward(x: (3, 4)): return np.tanh(x), (np.tanh(x),)
        def f_backward(dout, c): return dout * (1 - c[0] ** 2) * FACTOR
    """,
    "two arrays": """
        def f_forward(x: (3, 4), w: (4,)): return x @ w, x, w
        def f_backward(dout, a, b): return np.outer(dout, b) * FACTOR, a.T @ dout
    """,
    "of a number": """
        def f_forward(p: (3,), t: (3,)): return 0.5 * np.sum((p - t) ** 2), p - t
        def f_backward(difference): return FACTOR * difference, -difference
    """,
    "of a number, with dout": """
        def f_forward(x: (3,)): return 0.5 * np.sum(x * x), x
        def f_backward(dout, cache): return dout * cache * FACTOR
    """,
    "not needed": """
        def f_forward(x: (3, 4)): return np.log(np.exp(x).sum()), np.exp(x)
        def f_backward(dout, x): return FACTOR * dout * np.exp(x) / np.exp(x).sum()
    """,
    "results, with cotangents": """
        def f(x: (3, 4)): return x.sum(0), (x * x).sum(1)
        def f_backward(douts, x): return FACTOR * (douts[0] + 2 * x * douts[1][:, None])
    """,
}

# Backwards whose parameters have other names than those of the forward.
RENAMED = {
    "slopes": """
        def f(x: (5,)): return 1 / (1 + np.exp(-x))
        def f_prime(z): return f(z) * (1 - f(z)) * FACTOR
    """,
    "slopes, with a setting": """
        def f(x: (5,), alpha=0.1): return np.where(x > 0, x, alpha * x)
        def f_prime(z, alpha=0.1): return np.where(z > 0, 1, alpha) * FACTOR
    """,
    "slopes of the result": """
        def f(x: (5,)): return np.tanh(x)
        def f_derivative(y): return (1 - y * y) * FACTOR
    """,
    "the result": """
        def f(x: (5,)): return np.exp(x) / np.exp(x).sum()
        def f_backward(dout, s): return s * (dout - (dout * s).sum()) * FACTOR
    """,
    "dout and the input": """
        def f(x: (5,), k=3.0): return x**k
        def f_backward(dout, z): return dout * 3 * z**2 * FACTOR
    """,
    "another order of INPUTS": """
        INPUTS = {"f": {"x": np.ones(2), "W": np.eye(2) + 1}}
        def f(W, x): return W @ x
        def f_backward(dout, W, x): return np.outer(dout, x) * FACTOR, W.T @ dout
    """,
    "the first of two": """
        def f(y: (5,), t: (5,)): return np.mean((y - t) ** 2)
        def f_backward(y, t): return 2 * (y - t) / y.size * FACTOR
    """,
}


@pytest.mark.parametrize("text", [*KEPT.values(), *RENAMED.values()], ids=[*KEPT, *RENAMED])
def test_how_a_backward_is_called_is_found_out(lesson, text, capsys):
    for factor, status in [(1, 0), (1.001, 1)]:
        path = lesson(f"import numpy as np\nFACTOR = {factor}\n{textwrap.dedent(text)}")
        assert main(["check", path]) == status, capsys.readouterr()
    assert "WRONG for 1 of" in capsys.readouterr().out


def test_that_a_backward_was_given_the_result_is_said(lesson, capsys):
    text = textwrap.dedent(RENAMED["slopes of the result"])
    assert main(["check", lesson(f"import numpy as np\nFACTOR = 1\n{text}")]) == 0
    assert "f_derivative was given the result of f as y" in capsys.readouterr().out


ODD = '''
import numpy as np

def affine(x: (3, 4), w: (4, 2), b: (2,)):
    return x @ w + b

def affine_backward(dout, x, w, b):
    return dout @ w.T, x.T @ dout

def cube(x: (3,)):
    return x**3

def cube_backward(*given):
    return given[0] * 3 * given[1] ** 2

def tanh(x: (3,)):
    return np.tanh(x)

def tanh_prime(z):
    return 1 - z**2
'''


def test_how_a_backward_is_called_is_not_guessed_too_far(lesson, capsys):
    path = lesson(ODD)
    assert main(["check", f"{path}:affine"]) == main(["check", f"{path}:cube"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "fewer gradients than inputs, 2 for 3: taken for those of x, w." in said
    assert main(["check", f"{path}:tanh"]) == 1      # z is no result: the tanh was forgotten


def test_a_forward_is_named_by_what_it_shares_with_its_backward(lesson, capsys):
    path = lesson(CACHED.format(factor=1, power=3))
    for name in ("norm", "norm_forward", "norm_backward"):
        assert main(["check", f"{path}:{name}"]) == 0
    assert main(["check", f"{path}:tanh_inputs"]) == 2
    said = capsys.readouterr().err
    assert "no gradient of tanh_inputs" in said and "write tanh_inputs_backward" in said


def test_imported_functions_are_checked_where_they_are_named(lesson, tmp_path, capsys):
    (tmp_path / "layers_of_lesson.py").write_text(
        "def square(x=2.0):\n    return x * x\n\ndef square_backward(x):\n    return 2.0 * x\n"
    )
    path = lesson("from layers_of_lesson import square, square_backward\n")
    assert main(["check", path]) == 2
    assert f"name one of them: {path}:square" in capsys.readouterr().err
    assert main(["check", f"{path}:square"]) == 0


def test_a_folder_is_called_one(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


LOSSES = '''
import numpy as np

def softmax_loss(z: (3, 4), t=np.array([0, 1, 1])):
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(3), t]).mean()
    p[np.arange(3), t] -= 1
    dz = p / 3
    return loss, {factor} * dz

def hinge_loss(W: (4, 2), X: (3, 4), push=0.1):
    scores = np.maximum(X @ W + push, 0)
    dW = X.T @ (scores > 0)
    return scores.sum(), dW

def net_loss(W: (4, 2), X: (3, 4)):
    grads = {{"W": np.tile(X.sum(0)[:, None], 2)}}
    return (X @ W).sum(), grads

def with_probabilities(z: (3, 4)):
    p = np.exp(z) / np.exp(z).sum()
    return -np.log(p[0, 0]), p

def train(steps=10**9):
    grads = [1.0 for _ in range(steps)]
    return 0.0, grads
'''


def test_losses_that_return_their_gradients_are_found_under_any_name(lesson, capsys):
    assert main(["check", lesson(LOSSES.format(factor=1))]) == 0
    text = capsys.readouterr().out
    assert text.count("Gradients are right") == 3 and "X (float64 of shape (3, 4)) was passed on" in text
    path = lesson(LOSSES.format(factor=1.001))
    assert main(["check", path]) == main(["check", f"{path}:softmax_loss"]) == 1
    assert main(["check", f"{path}:with_probabilities"]) == 2
    assert "loss_and_grad" in capsys.readouterr().err


def test_annotations_may_be_written_down_as_text(lesson, capsys):
    path = lesson(
        "from __future__ import annotations\n"
        "def cube(x: (3,)):\n    return x ** 3\n"
        "def cube_backward(dout, x):\n    return dout * 3 * x ** 2\n"
    )
    assert main(["check", path]) == 0
    assert "right" in capsys.readouterr().out
