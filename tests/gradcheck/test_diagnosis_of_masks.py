"""The diagnosis of wrong backwards of models that are not in the bank: masks, stale values, kinks."""

import numpy as np
import pytest
from edited_models import defined

from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis import Label
from tinygrad_relu.gradcheck.diagnosis.masks import masks_at_level
from tinygrad_relu.gradcheck.diagnosis.trace import Graph

pytestmark = pytest.mark.usefixtures("walks_before_edits")

rng = np.random.default_rng(7)
DATA = {
    "np": np,
    "X": rng.normal(size=(5, 4)),
    "y": np.array([0.0, 1.0, 1.0, 0.0, 1.0]),
    "labels": np.array([0, 2, 1, 2, 0]),
    "keep": (rng.random((5, 6)) > 0.4) * 1.0,
    "chance": rng.integers(0, 3, (5, 6)),
}
MODELS = {
    "DROPOUT": ({"W": (4, 6), "b": 6, "v": 6}, """
def forward(W, b, v):
    h = np.maximum(X @ W + b, 0) * keep / 0.6
    p = 1 / (1 + np.exp(-(h @ v)))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

def backward(W, b, v):
    z = X @ W + b
    h = np.maximum(z, 0)
    d = h * keep / 0.6
    s = d @ v
    p = 1 / (1 + np.exp(-s))
    ds = (p - y) / len(y)
    dv = d.T @ ds
    dd = np.outer(ds, v)
    dh = dd * keep / 0.6
    dz = dh * (z > 0)
    return X.T @ dz, dz.sum(0), dv
"""),
    "GATE": ({"a": (5, 6), "s": (5, 6)}, """
def forward(a, s):
    return np.sum(np.where(chance >= 1, a * s, 0.3 * a) ** 2) + np.sum(np.exp(s))

def backward(a, s):
    is_open = chance >= 1
    dy = 2 * np.where(is_open, a * s, 0.3 * a)
    da = dy * np.where(is_open, s, 0.3)
    ds = dy * a * is_open + np.exp(s)
    return da, ds
"""),
    "SOFTMAX": ({"W": (4, 3)}, """
def forward(W):
    e = np.exp(X @ W)
    p = e / e.sum(1, keepdims=True)
    return -np.log(p[np.arange(5), labels]).sum() / 5

def backward(W):
    s = X @ W
    p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
    ds = p.copy()
    ds[np.arange(5), labels] -= 1
    return (X.T @ ds / 5,)
"""),
    "AUTOENCODER": ({"U": (4, 3), "V": (3, 4), "c": 3}, """
def forward(U, V, c):
    h = np.tanh(X @ U + c)
    return 0.5 * np.sum((h @ V - X) ** 2)

def backward(U, V, c):
    h = np.tanh(X @ U + c)
    r = h @ V - X
    dV = h.T @ r
    dh = r @ V.T
    da = dh * (1 - h ** 2)
    return X.T @ da, dV, da.sum(0)
"""),
    "KINKS": ({"w": 3}, """
x = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, -2.0], [3.0, -1.0, 0.0]])

def forward(w):
    return np.sum(np.maximum(w - x, 0) ** 2) + np.sum(np.abs(w - 1)) + np.sum(np.maximum(w, 0) @ x)

def backward(w):
    dw = (2 * np.maximum(w - x, 0)).sum(0) + np.sign(w - 1) + (w > 0) * x.sum(1)
    return (dw,)
"""),
    "SIGMOID": ({"x": (5, 4), "A": (4, 4), "B": (4, 4)}, """
def forward(x, A, B):
    g = 1 / (1 + np.exp(-(x @ A)))
    return g * np.maximum(x @ B, 0)

def backward(dout, x, A, B):
    g = 1 / (1 + np.exp(-(x @ A)))
    z = x @ B
    du = dout * np.maximum(z, 0) * g * (1 - g)
    dz = dout * g * (z > 0)
    return du @ A.T + dz @ B.T, x.T @ du, x.T @ dz
"""),
    "GAUSSIAN": ({"m": 4, "l": 4}, """
def forward(m, l):
    return np.sum(l + 0.5 * ((X - m) / np.exp(l)) ** 2)

def backward(m, l):
    r = (X - m) / np.exp(l)
    return -np.sum(r / np.exp(l), axis=0), np.sum(1 - r ** 2, axis=0)
"""),
    "HINGE": ({"W": (4, 3)}, """
def forward(W):
    s = X @ W
    margins = np.maximum(s - s[np.arange(5), labels][:, None] + 1, 0)
    margins[np.arange(5), labels] = 0
    return np.sum(margins)

def backward(W):
    s = X @ W
    ds = (s - s[np.arange(5), labels][:, None] + 1 > 0).astype(float)
    ds[np.arange(5), labels] = 0
    ds[np.arange(5), labels] = -ds.sum(axis=1)
    return (X.T @ ds,)
"""),
    "DISTANCE": ({"a": (4, 3), "b": (4, 3)}, """
def forward(a, b):
    return np.sum(a * b, axis=1) / (np.sum(a ** 2, axis=1) * np.sum(b ** 2, axis=1))

def backward(dout, a, b):
    aa, bb = np.sum(a ** 2, 1, keepdims=True), np.sum(b ** 2, 1, keepdims=True)
    ab, d = np.sum(a * b, 1, keepdims=True), dout[:, None]
    da = d * (b / (aa * bb) - 2 * ab * a / (aa ** 2 * bb))
    db = d * (a / (aa * bb) - 2 * ab * b / (aa * bb ** 2))
    return da, db
"""),
    "LEAKY": ({"x": (5, 4), "W": (4, 4)}, """
def forward(x, W):
    z = x @ W
    return np.where(z > 0, z, 0.2 * z)

def backward(dout, x, W):
    dz = dout * np.where(x @ W > 0, 1, 0.2)
    return dz @ W.T, x.T @ dz
"""),
}
WRONG = [
    # model, what is replaced by what, label, wrong inputs
    ("DROPOUT", "(p - y) / len", "(p - y) * p * (1 - p) / len", Label.WRONG_FUNCTION, "W b v"),
    ("DROPOUT", "(p - y) / len", "(s - y) / len", Label.PRE_ACTIVATION, "W b v"),
    ("DROPOUT", "d.T @ ds", "h.T @ ds", Label.PRE_ACTIVATION, "v"),
    ("DROPOUT", "d.T @ ds", "(z * keep / 0.6).T @ ds", Label.PRE_ACTIVATION, "v"),
    ("DROPOUT", "d.T @ ds", "(h / 0.6).T @ ds", Label.MASK_FORGOTTEN, "v"),
    ("DROPOUT", "dd * keep / 0.6", "dd * (1 - keep) / 0.6", Label.MASK_FROM_WRONG_TENSOR, "W b"),
    ("DROPOUT", "(z > 0)", "(z > 1)", Label.MASK_FROM_WRONG_TENSOR, "W b"),
    ("DROPOUT", "dd = np.outer", "v = v - 0.3 * dv\n    dd = np.outer", Label.STALE_BUFFER, "W b"),
    ("DROPOUT", "z = X @ W + b", "z = X @ W", Label.MISSING_TERM, "W b v"),
    ("GATE", "is_open = chance >= 1", "is_open = chance > 1", Label.MASK_NOT_STRICT, "a s"),
    ("GATE", "np.where(is_open, s, 0.3)", "np.where(chance > 1, s, 0.3)", Label.MASK_NOT_STRICT, "a"),
    ("GATE", "np.where(is_open, s, 0.3)", "np.where(a > 0, s, 0.3)", Label.MASK_FROM_WRONG_TENSOR, "a"),
    ("GATE", "a * is_open", "a * (dy > 0)", Label.MASK_FROM_WRONG_TENSOR, "s"),
    ("GATE", "a * is_open", "a * ~is_open", Label.MASK_FROM_WRONG_TENSOR, "s"),
    ("SOFTMAX", "labels] -= 1", "(labels + 1) % 3] -= 1", Label.SHIFTED, "W"),
    ("SOFTMAX", "ds[np.arange(5), labels] -= 1", "ds -= 1", Label.EXTRA_TERM, "W"),
    ("AUTOENCODER", "return X.T @ da", "return X.T @ dh", Label.MISSING_FACTOR, "U"),
    ("AUTOENCODER", "dh = r", "V = V - 2 * dV\n    dh = r", Label.STALE_BUFFER, "U c"),
    ("KINKS", "return (dw,)", "return (3 * dw,)", Label.CONSTANT_FACTOR, "w"),
    ("KINKS", "return (dw,)", "return (-dw,)", Label.CONSTANT_FACTOR, "w"),
    ("SIGMOID", "* g * (1 - g)", "* (1 - g)", Label.MISSING_FACTOR, "x A"),
    ("GAUSSIAN", "np.sum(1 - r ** 2, axis=0)", "np.sum(1 - r ** 2, axis=0) / np.exp(l)",
     Label.MISSING_FACTOR, "l"),
    ("DISTANCE", "ab * b / (aa * bb ** 2)", "ab * a / (aa ** 2 * bb)", Label.WRONG_FUNCTION, "b"),
]


def inputs_of(model):
    """Draw the inputs; those of the model on kinks are kinks of it."""
    if model == "KINKS":
        return {"w": np.array([1.0, 2.0, -1.0])}
    draw = np.random.default_rng(11)
    return {name: draw.normal(size=shape) for name, shape in MODELS[model][0].items()}


def checked(model, old="", new=""):
    """Return the report of a model with one expression of its backward replaced."""
    edits = (old, new) if old else ()
    names = defined(MODELS[model][1], edits, f"{model.lower()} {new}", DATA)
    inputs = inputs_of(model)
    return check_gradients(
        names["forward"], list(inputs.values()), backward=names["backward"], names=list(inputs)
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_right_backward_is_right(model):
    assert checked(model).ok


@pytest.mark.parametrize(
    ("model", "old", "new", "label", "inputs"), WRONG, ids=[f"{m[0]}: {m[1]} -> {m[2]}" for m in WRONG]
)
def test_the_first_explanation_is_the_right_one(model, old, new, label, inputs):
    wrong = [entry for entry in checked(model, old, new).inputs if not entry.ok]
    assert [entry.name for entry in wrong] == inputs.split()
    for entry in wrong:
        said = [(one.label.value, one.claim) for one in entry.explanations]
        assert entry.label is label and entry.explanations[0].share == 1.0, said


def test_a_value_of_the_first_call_is_named_as_stale():
    kept = {}

    def forward(x):
        e = np.exp(x)
        return e / e.sum()

    def backward(dout, x):
        p = forward(x)
        return p * (dout - kept.setdefault("inner", np.sum(dout * p)))

    report = check_gradients(forward, [np.array([0.3, -1.0, 0.8, 0.1])], backward=backward, names=["x"])
    assert report.inputs[0].label is Label.STALE_BUFFER


def test_a_step_of_an_update_that_comes_too_early_is_named():
    first = checked("AUTOENCODER", "dh = r", "V = V - 2 * dV\n    dh = r")["U"].explanations[0]
    assert "with V in the place of V - 2 * dV" in first.claim


def test_masks_at_a_level_differ_in_the_elements_at_the_level():
    x = np.array([0, 1, 2, 1, 3])
    found = dict(masks_at_level(x > 1, x))
    np.testing.assert_array_equal(found[1, ">="], x >= 1)
    np.testing.assert_array_equal(found[1, ">"], x > 2)
    assert not dict(masks_at_level(np.array([True, False, False, False, True]), x[::-1] % 2))


def test_plain_arrays_that_the_forward_has_at_hand_are_noted():
    scale = np.array([1.0, 2.0])

    def forward(inputs):
        chance = np.array([0.2, 0.7])
        return inputs[0] * (chance > 0.5) * scale

    graph = Graph.of(forward, [np.ones(2)], 1)
    data = dict(graph.data)
    np.testing.assert_array_equal(data["chance"], [0.2, 0.7])
    np.testing.assert_array_equal(data["scale"], scale)
