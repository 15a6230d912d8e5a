"""Mistakes that nobody listed: the backward is run again with one place written otherwise.

Each case is found by that alone: the explanation names the line of the backward, and without the search
it is "no simple explanation".
"""

import numpy as np
import pytest
from edited_models import report_on

from tinygrad_relu.gradcheck import check_gradients, diagnosis
from tinygrad_relu.gradcheck.diagnosis import Label

pytestmark = pytest.mark.usefixtures("without_edits")

FACTORISED = '''
def forward(A, B, C):
    return np.sum(np.sin(np.einsum("ir,jr,kr->ijk", A, B, C)))
def backward(A, B, C):
    d = np.cos(np.einsum("ir,jr,kr->ijk", A, B, C))
    dA = np.einsum("ijk,jr,kr->ir", d, B, C)
    dB = np.einsum("ijk,ir,kr->jr", d, A, C)
    dC = np.einsum("ijk,ir,jr->kr", d, A, B)
    return dA, dB, dC
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=(n, 2)) for n in (3, 4, 5)]
'''

PENALISED = '''
def forward(T, U):
    z = np.tanh(X @ T[:, 1:].T + T[:, 0]) @ U[:, 1:].T + U[:, 0]
    return np.sum(z ** 2) / 6 + 0.5 * (np.sum(T[:, 1:] ** 2) + np.sum(U[:, 1:] ** 2))
def backward(T, U):
    h = np.tanh(X @ T[:, 1:].T + T[:, 0])
    one, two = np.hstack([np.ones((6, 1)), X]), np.hstack([np.ones((6, 1)), h])
    dz = 2 * (two @ U.T) / 6
    dh = dz @ U[:, 1:] * (1 - h ** 2)
    dT, dU = dh.T @ one, dz.T @ two
    dT[:, 1:] += T[:, 1:]
    dU[:, 1:] += U[:, 1:]
    return dT, dU
rng = np.random.default_rng(1)
X = rng.normal(size=(6, 3))
INPUTS = [rng.normal(size=(4, 4)), rng.normal(size=(2, 5))]
'''

MIXTURE = '''
def forward(logits, means):
    joint = logits - logits.max() - np.log(np.sum(np.exp(logits - logits.max())))
    joint = joint - 0.5 * (X[:, None] - means) ** 2
    return -np.sum(np.logaddexp.reduce(joint, axis=1))
def backward(logits, means):
    weights = np.exp(logits) / np.exp(logits).sum()
    shares = weights * np.exp(-0.5 * (X[:, None] - means) ** 2)
    shares = shares / shares.sum(axis=1, keepdims=True)
    return len(X) * weights - shares.sum(axis=0), -np.sum(shares * (X[:, None] - means), axis=0)
rng = np.random.default_rng(2)
X = rng.normal(size=7)
INPUTS = [rng.normal(size=3), rng.normal(size=3)]
'''

WINDOWS = '''
def forward(x, W):
    padded = np.concatenate([np.zeros((2, 3)), x])
    return np.stack([np.tanh(padded[t:t + 3].ravel() @ W) for t in range(len(x))])
def backward(dout, x, W):
    padded = np.concatenate([np.zeros((2, 3)), x])
    dpadded, dW = np.zeros_like(padded), np.zeros_like(W)
    for t in range(len(x)):
        window = padded[t:t + 3].ravel()
        dz = dout[t] * (1 - np.tanh(window @ W) ** 2)
        dW += np.outer(window, dz)
        dpadded[t:t + 3] += (W @ dz).reshape(3, 3)
    return dpadded[2:], dW
rng = np.random.default_rng(3)
INPUTS = [rng.normal(size=(6, 3)), rng.normal(size=(9, 2))]
'''

RANKED = '''
rng = np.random.default_rng(4)
X, grades = rng.normal(size=(6, 3)), np.array([1, 2, 2, 3, 1, 2])
better = grades[:, None] > grades[None, :]
INPUTS = [rng.normal(size=3)]
def forward(w):
    s = X @ w
    return np.sum(better * np.log1p(np.exp(s[None, :] - s[:, None])))
def backward(w):
    s = X @ w
    g = 1 / (1 + np.exp(s[:, None] - s[None, :]))
    d = g * (grades[:, None] > grades[None, :])
    return X.T @ (d.sum(axis=0) - d.sum(axis=1))
'''

# Model, what is right and what is written, the wrong inputs, what is wrong, and a word of the sentence.
CASES = [
    (FACTORISED, '"ijk,ir,kr->jr", d, A, C', '"ijk,ir->jr", d, A', "B", Label.MISSING_FACTOR, "C"),
    (FACTORISED, '"ijk,ir,jr->kr"', '"ijk,is,jr->kr"', "C", Label.SUMMED, "'ijk,ir,jr->kr'"),
    (PENALISED, "dT[:, 1:] += T[:, 1:]", "dT += T", "T", Label.EXTRA_TERM, "index 0 of axis 1"),
    (MIXTURE, "= shares / shares.sum(axis=1, keepdims=True)", "= 2 * shares", "logits means",
     Label.MISSING_FACTOR, "over its sum along axis 1"),
    (WINDOWS, "return dpadded[2:], dW", "return dpadded[:-2], dW", "x", Label.SHIFTED, "slice"),
    (RANKED, "grades[:, None] > grades", "grades[:, None] >= grades", "w", Label.MASK_NOT_STRICT, "mask"),
    (RANKED, "s[:, None] - s[None, :]", "s[None, :] - s[:, None]", "w", Label.WRONG_FUNCTION,
     "exchanged"),
]


@pytest.mark.parametrize(("source", "old", "new", "wrong", "label", "word"), CASES)
def test_a_place_of_the_backward_is_named_with_what_makes_it_right(source, old, new, wrong, label, word):
    report = report_on(source, [old, new], "model")
    assert [entry.name for entry in report.inputs if not entry.ok] == wrong.split()
    head, _, backward = source.partition("def backward")
    number = 1 + head.count("\n") + backward[: backward.index(old)].count("\n")
    for name in wrong.split():
        said = [(str(one.label), one.claim) for one in report[name].explanations]
        assert report[name].label is label, said
        first = report[name].explanations[0]
        assert f"model.py>:{number}, in the backward" in first.claim and word in first.claim, said
        assert "{" not in first.claim, said


@pytest.mark.parametrize(("source", "old", "new", "wrong"), [case[:4] for case in CASES[:3]])
def test_nothing_else_explains_them(source, old, new, wrong, monkeypatch):
    monkeypatch.setitem(diagnosis.diagnose.__globals__, "repairs", lambda *_, **__: [])
    report = report_on(source, [old, new], "model")
    assert all(report[name].label is Label.UNEXPLAINED for name in wrong.split())


def test_two_places_with_one_mistake_are_found_together():
    source = '''
def forward(x, low, high):
    return np.sum(np.where(x > high, 2 * (x - high), 0) + np.where(x < low, 3 * (x - low), 0) + x ** 3)
def backward(x, low, high):
    above, below = x > high, x < low
    return 2.0 * above + 3.0 * below + 3 * x ** 2, -3.0 * below.sum(0), -2.0 * above.sum(0)
x = np.random.default_rng(5).normal(size=(9, 3))
INPUTS = [x, np.array([-0.4, -0.5, -0.6]), np.array([0.5, 0.4, 0.7])]
'''
    report = report_on(source, ["x > high, x < low", "x > 0, x < 0"], "model")
    assert all("mask" in str(entry.label) and entry.explanations[0].share == 1 for entry in report.inputs)
    assert "and" in report["x"].explanations[0].claim


def test_what_no_place_explains_stays_without_an_explanation():
    report = report_on(WINDOWS, ["dpadded[2:], dW", "dpadded[2:], np.clip(dW, -0.3, 0.2)"], "model")
    assert report["W"].label is Label.UNEXPLAINED


def test_a_backward_that_keeps_its_forward_is_rewritten_too():
    kept = {}

    def forward(x, w):
        kept["x"], kept["z"] = x, np.einsum("nd,dkh->nkh", x, w)
        return np.max(kept["z"], axis=1)

    def backward(dout, x, w):
        z = kept["z"]
        d = dout[:, None, :] * (z == z.max(axis=2, keepdims=True))
        return np.einsum("nkh,dkh->nd", d, w), np.einsum("nd,nkh->dkh", kept["x"], d)

    rng = np.random.default_rng(6)
    inputs = [rng.normal(size=(5, 4)), rng.normal(size=(4, 3, 2))]
    report = check_gradients(forward, inputs, backward=backward)
    assert {entry.label for entry in report.inputs} == {Label.MASK_FROM_WRONG_TENSOR}


def test_exchanged_indices_and_rows_that_data_name_are_found():
    rng = np.random.default_rng(7)
    source, target, kept = np.array([0, 1, 2, 3, 0]), np.array([1, 2, 3, 4, 3]), np.array([0, 2, 3])

    def forward(h):
        sent = np.zeros_like(h)
        np.add.at(sent, target, np.tanh(h)[source])
        return np.sum((h + sent)[kept] ** 3)

    def backward_by(send):
        def backward(h):
            sent = np.zeros_like(h)
            np.add.at(sent, target, np.tanh(h)[source])
            return send(h, 3 * (h + sent) ** 2)

        return backward

    def exchanged(h, g):
        d, dt = np.zeros_like(h), np.zeros_like(h)
        d[kept] = g[kept]
        np.add.at(dt, target, d[source])
        return d + dt * (1 - np.tanh(h) ** 2)

    def of_all(h, g):
        d, dt = np.zeros_like(h), np.zeros_like(h)
        d[:] = g
        np.add.at(dt, source, d[target])
        return d + dt * (1 - np.tanh(h) ** 2)

    h = rng.normal(size=(5, 2))
    for send, label, word in (
        (exchanged, Label.PERMUTED, "arrays of indices"), (of_all, Label.MASK_FORGOTTEN, "rows"),
    ):
        first = check_gradients(forward, [h], backward=backward_by(send)).inputs[0].explanations[0]
        assert first.label is label and word in first.claim, first.claim
