"""Two of a kind: terms of one for those of the other, weights of an interpolation, all for some."""

import linecache

import numpy as np
import pytest
from edited_models import assert_told, defined, report_on

from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis import Label

# The angle of two vectors, a mixture of both, and choices one after the other.
PAIR = '''
labels = np.array([2, 0, 1])
def forward(a, b, g, s):
    a_norm, b_norm = np.sqrt(np.sum(a ** 2)), np.sqrt(np.sum(b ** 2))
    f = np.linspace(0.1, 0.9, 5)
    mixed = g * ((1 - f) * np.sin(a) + f * np.cos(b))
    order = [3, 1, 4, 0, 2]
    total = 0.0
    for k in range(4):
        total += np.log(np.exp(b[order[k:]]).sum()) - b[order[k]]
    logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    spread = s.T @ s
    return (a @ b / (a_norm * b_norm) + np.sum(mixed ** 3) + total - logp[np.arange(3), labels].sum()
            + 0.1 * np.sum(spread) ** 2 + np.sum(np.log(1 + g ** 2)) + 0.5 * g[0] ** 2)
def backward(a, b, g, s):
    a_norm, b_norm = np.sqrt(np.sum(a ** 2)), np.sqrt(np.sum(b ** 2))
    cosine = a @ b / (a_norm * b_norm)
    f = np.linspace(0.1, 0.9, 5)
    p, q = np.sin(a), np.cos(b)
    d = 3 * (g * ((1 - f) * p + f * q)) ** 2
    da = b / (a_norm * b_norm) - cosine * a / a_norm ** 2 + d * g * (1 - f) * np.cos(a)
    db = a / (a_norm * b_norm) - cosine * b / b_norm ** 2 - d * g * f * np.sin(b)
    dg = d * ((1 - f) * p + f * q) + 2 * g / (1 + g ** 2)
    dg[0] += g[0]
    order = [3, 1, 4, 0, 2]
    for k in range(4):
        rest = order[k:]
        e = np.exp(b[rest])
        db[rest] += e / e.sum()
        db[order[k]] -= 1
    share = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    share[np.arange(3), labels] -= 1
    total = np.sum(s.T @ s)
    ds = share + 0.4 * total * s.sum(axis=1, keepdims=True)
    return da, db, dg, ds
rng = np.random.default_rng(8)
INPUTS = [rng.normal(size=5), rng.normal(size=5), rng.normal(size=5), rng.normal(size=(3, 4))]
'''

# Model, what is right and what is written, in turns, the wrong inputs, what is wrong, and what to write.
CASES = [
    (PAIR, ["cosine * b / b_norm ** 2", "cosine * a / a_norm ** 2"],
     "b", Label.WRONG_FUNCTION, "b_norm ** 2"),
    (PAIR, ["dg = d * ((1 - f) * p + f * q)", "dg = d * (p + q)"],
     "g", Label.MISSING_FACTOR, "(1 - f) * p + f * q"),
    (PAIR, ["rest = order[k:]", "rest = list(order)"], "b", Label.MASK_FORGOTTEN, "order[k:]"),
    (PAIR, ["share[np.arange(3), labels] -= 1", "share[np.arange(3)] -= 1"],
     "s", Label.EXTRA_TERM, "share[np.arange(3), labels] -= 1"),
    (PAIR, ["share = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)", "share = s.copy()"],
     "s", Label.PRE_ACTIVATION, "np.exp("),
    (PAIR, ["np.sum(s.T @ s)", "np.trace(s.T @ s)"], "s", Label.MISSING_TERM, "np.sum(s.T @ s)"),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "words"), CASES)
def test_the_report_says_what_to_write(source, edits, wrong, label, words):
    assert_told(report_on(source, edits, "model"), wrong, label, words)


def test_the_model_is_right():
    assert report_on(PAIR, [], "model").ok


def test_a_text_that_is_not_the_functions_own_any_more_is_not_used():
    names = defined(PAIR, ["dg[0] += g[0]", "dg[0] += 2 * g[0]"], "edited.py", {"np": np})
    # As if the file had been mended since, and not been read again.
    defined(PAIR, [], "edited.py", {"np": np})
    report = check_gradients(names["forward"], names["INPUTS"], backward=names["backward"])
    assert [entry.name for entry in report.inputs if not entry.ok] == ["g"]
    assert "in the backward" not in str(report)
    assert "<edited.py>" in linecache.cache


def test_functions_that_live_in_a_dict_are_looked_into():
    names = defined(PAIR, ["- d * g * f * np.sin(b)", "- d * f * np.sin(b)"], "graded.py", {"np": np})
    before = dict(names)

    def forward(a, b, g, s):
        return names["forward"](a, b, g, s)

    def backward(a, b, g, s):
        return names["backward"](a, b, g, s)

    report = check_gradients(forward, names["INPUTS"], backward=backward)
    first = report["b"].explanations[0]
    assert first.label is Label.MISSING_FACTOR and "* g" in first.claim, first
    assert names.keys() == before.keys() and all(names[key] is x for key, x in before.items())
