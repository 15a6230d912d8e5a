"""The diagnosis: each wrong backward gets the right name, for the right inputs.

The wrong backwards are right ones with one expression replaced.  What is right is told by central
differences of the forward.
"""

import functools

import diagnosis_models as models
import numpy as np
import pytest
from edited_models import defined

import tinygrad_relu as tg
from tinygrad_relu.gradcheck import diagnosis
from tinygrad_relu.gradcheck.diagnosis import Case, Draw, Label, diagnose
from tinygrad_relu.gradcheck.diagnosis.trace import Graph

pytestmark = pytest.mark.usefixtures("walks_before_edits")


def compiled(model, *replaced):
    """Return the names that a model defines, with ``old, new`` replaced in its backward."""
    names = {"np": np, "rng": np.random.default_rng(3)}
    return defined(getattr(models, model), replaced, f"{model.lower()}.py", names)


def listed(x):
    return list(x) if isinstance(x, (tuple, list)) else [x]


@functools.cache
def numerical(model):
    """Return cotangents, and for each of them the derivatives of a model by differences."""
    names = compiled(model)
    forward, inputs = names["forward"], list(names["inputs"].values())
    shape = np.shape(forward(*inputs))
    rng = np.random.default_rng(5)
    cotangents = [rng.standard_normal(shape) for _ in range(3)] if shape else [np.array(1.0)]
    h, draws = 1e-4, [[] for _ in cotangents]
    for k, x in enumerate(inputs):
        found = [np.zeros(x.shape) for _ in cotangents]
        for index in np.ndindex(x.shape):
            sides = []
            for step in (2 * h, h, -h, -2 * h):
                shifted = [v.copy() for v in inputs]
                shifted[k][index] += step
                sides.append(np.asarray(forward(*shifted)))
            slope = (8 * (sides[1] - sides[2]) - (sides[0] - sides[3])) / (12 * h)
            for part, w in zip(found, cotangents):
                part[index] = np.sum(w * slope)
        for draw, part in zip(draws, found):
            draw.append(part)
    return list(zip(cotangents, draws))


def case_of(model, *replaced, changed=()):
    """Return the case of a wrong backward, and which inputs are wrong."""
    # The text at hand is that of the last one.
    derived, right, names = numerical(model), compiled(model), compiled(model, *replaced)
    inputs = list(names["inputs"].values())
    scalar = np.shape(right["forward"](*inputs)) == ()

    def forward(xs):
        return [np.asarray(right["forward"](*[x.copy() for x in xs]), np.float64)]

    def backward(xs, cotangents):
        first = [] if scalar else [cotangents[0].copy()]
        return listed(names["backward"](*first, *[x.copy() for x in xs]))

    draws = []
    for cotangent, derivatives in derived:
        error = [1e-9 * (1 + np.abs(d)) for d in derivatives]
        analytic = [None if a is None else np.array(a) for a in backward(inputs, [cotangent])]
        draws.append(Draw([cotangent], analytic, derivatives, error))
    wrong = [
        any(
            d.analytic[k] is None or np.shape(d.analytic[k]) != d.numerical[k].shape
            or d.analytic[k].dtype != float
            or not np.allclose(d.analytic[k], d.numerical[k], rtol=1e-6, atol=1e-7)
            for d in draws
        )
        for k in range(len(inputs))
    ]
    return Case(
        list(names["inputs"]), inputs, wrong, draws, forward, backward,
        lambda xs: right["forward"](*xs), changed=changed,
    )


MUTANTS = [
    # model, what is replaced by what, label, wrong inputs
    ("LINEAR", "2 * error / N", "error / N", Label.CONSTANT_FACTOR, "W b"),
    ("LINEAR", "2 * error / N", "2 * error", Label.CONSTANT_FACTOR, "W b"),
    ("LINEAR", "0.2 * W", "0.1 * W", Label.MISSING_FACTOR, "W"),
    ("LINEAR", " + 0.2 * W", "", Label.MISSING_TERM, "W"),
    ("LINEAR", "dz.sum(axis=0)", "dz.mean(axis=0)", Label.AVERAGED, "b"),
    ("LINEAR", "dz.sum(axis=0)", "dz[0]", Label.NOT_SUMMED, "b"),
    ("LINEAR", "dz.sum(axis=0)", "dz", Label.NOT_SUMMED, "b"),
    ("LINEAR", "dz.sum(axis=0)", "dz.sum(axis=0) + 0.2 * b", Label.EXTRA_TERM, "b"),
    ("LINEAR", "dz.sum(axis=0)", "dz.sum(axis=0, keepdims=True)", Label.WRONG_SHAPE, "b"),
    ("LINEAR", "dz.sum(axis=0)", "dz.sum(axis=0).astype(np.float32)", Label.WRONG_DTYPE, "b"),
    ("LINEAR", "dz.sum(axis=0)", "dz.sum(axis=0).astype(int)", Label.WRONG_DTYPE, "b"),
    ("LINEAR", "dz.sum(axis=0)", "dz.sum()", Label.SUMMED, "b"),
    ("LINEAR", "dz.sum(axis=0)", "np.roll(dz.sum(axis=0), 1)", Label.SHIFTED, "b"),
    ("LINEAR", "X.T @ dz + 0.2 * W", "(X.T @ dz + 0.2 * W).T", Label.TRANSPOSED, "W"),
    ("LINEAR", "X.T @ dz + 0.2 * W", "(X.T @ dz + 0.2 * W)[[2, 0, 1, 3]]", Label.PERMUTED, "W"),
    ("LINEAR", "return dW, db", "return -dW, -db", Label.CONSTANT_FACTOR, "W b"),
    ("LINEAR", "return dW, db", "return np.zeros_like(dW), db", Label.ZEROS, "W"),
    ("LINEAR", "return dW, db", "return dW, db / 0", Label.NOT_FINITE, "b"),
    ("LINEAR", "return dW, db", "return dW, None", Label.ZEROS, "b"),
    ("TWO_LAYERS", "dh * (z1 > 0)", "dh", Label.MASK_FORGOTTEN, "W1 b1"),
    ("TWO_LAYERS", "dh * (z1 > 0)", "dh * (dh > 0)", Label.MASK_FROM_WRONG_TENSOR, "W1 b1"),
    ("TWO_LAYERS", "dh * (z1 > 0)", "dh * (z1 < 0)", Label.MASK_FROM_WRONG_TENSOR, "W1 b1"),
    ("TWO_LAYERS", "dh * (z1 > 0)", "dh * (h >= 0)", Label.MASK_FORGOTTEN, "W1 b1"),
    ("TWO_LAYERS", "dh * (z1 > 0)", "dh * h", Label.WRONG_FUNCTION, "W1 b1"),
    ("TWO_LAYERS", "db1 = dz1.sum", "db1 = dh.sum", Label.MASK_FORGOTTEN, "b1"),
    ("TWO_LAYERS", "dW2 = h.T", "dW2 = z1.T", Label.PRE_ACTIVATION, "W2"),
    ("TWO_LAYERS", "dscores[np.arange(N), y] -= 1", "pass", Label.MISSING_TERM, "W1 b1 W2 b2"),
    ("TWO_LAYERS", "dscores /= N", "pass", Label.CONSTANT_FACTOR, "W1 b1 W2 b2"),
    ("TWO_LAYERS", "db1 = dz1.sum(axis=0)", "db1 = dz1.mean(axis=0)", Label.AVERAGED, "b1"),
    ("TWO_LAYERS", "dh = dscores @ W2.T", "dh = 2 * dscores @ W2.T", Label.CONSTANT_FACTOR, "W1 b1"),
    ("DEEP", "dv * v * (1 - v)", "dv", Label.MISSING_FACTOR, "x A B c"),
    ("DEEP", "dv * v * (1 - v)", "dv * v", Label.MISSING_FACTOR, "x A B c"),
    ("DEEP", "dv * v * (1 - v)", "dv * (1 - v ** 2)", Label.WRONG_FUNCTION, "x A B c"),
    ("DEEP", "dv * v * (1 - v)", "dv * s * (1 - s)", Label.WRONG_FUNCTION, "x A B c"),
    ("DEEP", "du * (1 - u ** 2)", "du", Label.MISSING_FACTOR, "x A"),
    ("DEEP", "du * (1 - u ** 2)", "du * (1 - u)", Label.WRONG_FUNCTION, "x A"),
    ("DEEP", "du * (1 - u ** 2)", "du * (1 - a ** 2)", Label.WRONG_FUNCTION, "x A"),
    ("DEEP", "du * (1 - u ** 2)", "du * u * (1 - u)", Label.WRONG_FUNCTION, "x A"),
    ("DEEP", "du + ds @ B.T", "ds @ B.T", Label.MISSING_TERM, "x A"),
    ("DEEP", "du + ds @ B.T", "du", Label.MISSING_TERM, "x A"),
    ("DEEP", "du + ds @ B.T", "2 * du + ds @ B.T", Label.EXTRA_TERM, "x A"),
    ("DEEP", "ds @ B.T", "ds @ B", Label.TRANSPOSED, "x A"),
    ("DEEP", "da @ A.T", "da @ A", Label.TRANSPOSED, "x"),
    ("DEEP", "dB = u.T @ ds", "dB = ds.T @ u", Label.TRANSPOSED, "B"),
    ("DEEP", "dB = u.T @ ds", "dB = a.T @ ds", Label.PRE_ACTIVATION, "B"),
    ("DEEP", "dA = x.T @ da", "dA = x.T @ du", Label.MISSING_FACTOR, "A"),
    ("DEEP", "dv = dout * u", "dv = dout", Label.MISSING_FACTOR, "x A B c"),
    ("DEEP", "dv = dout * u", "dv = u", Label.MISSING_FACTOR, "x A B c"),
    ("DEEP", "dc = ds.sum(0)", "dc = ds.sum(1)[:4]", Label.SUMMED, "c"),
    ("DEEP", "return dx, dA, dB, dc", "return dx, dB, dA, dc", Label.PERMUTED, "A B"),
    ("DEEP", "return dx, dA, dB, dc", "dx *= rng.uniform(); return dx, dA, dB, "
                                      "dc", Label.STALE_BUFFER, "x"),
    ("BATCH_NORM", "dxhat - dxhat.mean(axis=0) -", "dxhat -", Label.MISSING_TERM, "x"),
    ("BATCH_NORM", " - xhat * (dxhat * xhat).mean(axis=0)", "", Label.MISSING_TERM, "x"),
    ("BATCH_NORM", "(dxhat * xhat).mean(axis=0)", "(dxhat * xhat).sum(axis=0)", Label.AVERAGED, "x"),
    ("BATCH_NORM", ") / std\n    return", ")\n    return", Label.MISSING_FACTOR, "x"),
    ("BATCH_NORM", "dxhat = dout * gamma", "dxhat = dout", Label.MISSING_FACTOR, "x"),
    ("BATCH_NORM", "dout * xhat, axis", "dout * x, axis", Label.PRE_ACTIVATION, "gamma"),
    ("BATCH_NORM", "np.sum(dout, axis=0)", "np.mean(dout, axis=0)", Label.AVERAGED, "beta"),
    ("BATCH_NORM", "- xhat * (dxhat", "+ xhat * (dxhat", Label.WRONG_FUNCTION, "x"),
    ("ATTENTION", "dv = a.T @ dout", "dv = a @ dout", Label.TRANSPOSED, "v"),
    ("ATTENTION", "dv = a.T @ dout", "dv = s.T @ dout", Label.PRE_ACTIVATION, "v"),
    ("ATTENTION", " - np.sum(da * a, axis=1, keepdims=True)", "", Label.MISSING_TERM, "q k"),
    ("ATTENTION", "a * (da - np.sum(da * a, axis=1, keepdims=True))", "da * a * (1 - a)",
     Label.WRONG_FUNCTION, "q k"),
    ("ATTENTION", "da * a, axis=1, keepdims=True", "da * a, axis=0, keepdims=True", Label.SUMMED, "q k"),
    ("ATTENTION", "ds = ds / np.sqrt(d)", "pass", Label.CONSTANT_FACTOR, "q k"),
    ("ATTENTION", "dk = ds.T @ q", "dk = ds @ q", Label.TRANSPOSED, "k"),
    ("ATTENTION", "dq = ds @ k", "dq = ds @ q", Label.WRONG_FUNCTION, "q"),
    ("RECURRENT", "dh * (1 - hs[t + 1] ** 2)", "dh", Label.MISSING_FACTOR, "Wx Wh b h0"),
    ("RECURRENT", "dh * (1 - hs[t + 1] ** "
                  "2)", "dh * (1 - hs[t] ** 2)", Label.WRONG_FUNCTION, "Wx Wh b h0"),
    ("RECURRENT", "dh = dout[t] + dnext", "dh = dout[t]", Label.MISSING_TERM, "Wx Wh b h0"),
    ("RECURRENT", "dWh += hs[t].T", "dWh += hs[t + 1].T", Label.STALE_BUFFER, "Wh"),
    ("RECURRENT", "dWx += xs[t].T @ da", "dWx = xs[t].T @ da", Label.STALE_BUFFER, "Wx"),
    ("RECURRENT", "dnext = da @ Wh.T", "dnext = da @ Wh", Label.TRANSPOSED, "Wx Wh b h0"),
    ("RECURRENT", "da.sum(axis=0)", "da.mean(axis=0)", Label.AVERAGED, "b"),
    ("CONVOLUTION", "tensordot(g, w,", "tensordot(g, w[:, :, ::-1, ::-1],", Label.PERMUTED, "x"),
    ("CONVOLUTION", "dx[:, :, i:i + 3, j:j + 3] +=", "dx[:, :, i:i + 3, j:j + 3] "
        "=", Label.STALE_BUFFER, "x"),
    ("CONVOLUTION", "dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(2, 3))[0]", Label.NOT_SUMMED, "b"),
    ("CONVOLUTION", "dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(2, "
                                                "3)).mean(axis=0)", Label.AVERAGED, "b"),
    ("CONVOLUTION", "dw += np", "dw = np", Label.MISSING_TERM, "w"),
    ("EMBEDDING", "np.add.at(dE, words, dout * w)", "dE[words] = dout * w", Label.STALE_BUFFER, "E"),
    ("EMBEDDING", "np.add.at(dE, words, dout * w)", "dE[words] += dout * w", Label.MISSING_TERM, "E"),
    ("EMBEDDING", "np.add.at(dE, words, dout * w)", "np.add.at(dE, words, "
        "dout)", Label.MISSING_FACTOR, "E"),
    ("EMBEDDING", "words, dout * w)", "(words + 1) % 5, dout * w)", Label.SHIFTED, "E"),
    ("RESIDUAL", "dout + dz @ W.T", "dz @ W.T", Label.MISSING_TERM, "x"),
    ("RESIDUAL", "dd * keep", "dd", Label.MASK_FORGOTTEN, "x W"),
    ("RESIDUAL", "dd * keep", "dd * (keep > 0)", Label.CONSTANT_FACTOR, "x W"),
    ("RESIDUAL", "np.where(z > 0, 1, 0.1)", "(z > 0)", Label.WRONG_FUNCTION, "x W"),
    ("RESIDUAL", "dh * np.where(z > 0, 1, 0.1)", "dh", Label.MASK_FORGOTTEN, "x W"),
    ("RESIDUAL", "np.where(z > 0, 1, 0.1)", "np.where(x > 0, 1, 0.1)", Label.MASK_FROM_WRONG_TENSOR,
     "x W"),
    ("RESIDUAL", "dV = d.T", "dV = h.T", Label.PRE_ACTIVATION, "V"),
    ("RESIDUAL", "dV = d.T", "dV = x.T", Label.WRONG_FUNCTION, "V"),
    ("POOLING", "mask * dout", "np.ones_like(mask) * dout", Label.MASK_FORGOTTEN, "x"),
    ("POOLING", "mask * dout", "0.25 * np.ones(windows.shape) * dout", Label.WRONG_FUNCTION, "x"),
    ("COSINE", " - c[:, None] * u / (a ** 2)[:, None]", "", Label.MISSING_TERM, "u"),
    ("COSINE", "u / (a ** 2)[:, None]", "u / a[:, None]", Label.MISSING_FACTOR, "u"),
    ("COSINE", "(v / (a * b)[:, None] - c", "(v / (a * b)[:, None] + c", Label.WRONG_FUNCTION, "u"),
    ("HINGE", "ds[rows, y] -= ds.sum(axis=1)", "pass", Label.MISSING_TERM, "W"),
    ("HINGE", "ds[rows, y] -= ds", "ds[rows, y] += ds", Label.WRONG_FUNCTION, "W"),
    ("HINGE", "/ N + W", "+ W", Label.AVERAGED, "W"),
    ("HINGE", "/ N + W", "/ N", Label.MISSING_TERM, "W"),
    ("HINGE", "(margins > 0).astype(float)", "np.ones_like(margins)", Label.MASK_FORGOTTEN, "W"),
    ("GAUSSIAN", "dsigma * sigma", "dsigma", Label.MISSING_FACTOR, "s"),
    ("GAUSSIAN", " + 1 / sigma", "", Label.MISSING_TERM, "s"),
    ("GAUSSIAN", "-np.sum(r / sigma)", "np.sum(r / sigma)", Label.CONSTANT_FACTOR, "mu"),
    ("GAUSSIAN", "-np.sum(r / sigma)", "-np.sum(r)", Label.MISSING_FACTOR, "mu"),
    ("LSTM", "di * i * (1 - i)", "di", Label.MISSING_FACTOR, "x h W"),
    ("LSTM", "dg * (1 - g ** 2)", "dg * g * (1 - g)", Label.WRONG_FUNCTION, "x h W"),
    ("LSTM", "dout * o * (1 - t ** 2)", "dout * o", Label.MISSING_FACTOR, "x h c W"),
    ("LSTM", "dout * o * (1 - t ** 2)", "dout * o * (1 - cn ** 2)", Label.WRONG_FUNCTION, "x h c W"),
    ("LSTM", "dcn * c, dcn * g, dcn * i, dcn * f", "dcn * c, dcn * i, dcn * g, dcn * f",
     Label.WRONG_FUNCTION, "x h W"),
    ("LSTM", "dcn * c, dcn * g", "dcn * cn, dcn * g", Label.STALE_BUFFER, "x h W"),
    ("LSTM", "da @ W.T", "da[:, ::-1] @ W.T", Label.PERMUTED, "x h"),
]


@pytest.mark.parametrize(
    ("model", "old", "new", "label", "inputs"), MUTANTS,
    ids=[f"{m[0]}: {m[1]} -> {m[2]}" for m in MUTANTS]
)
def test_the_first_explanation_is_the_right_one(model, old, new, label, inputs):
    with np.errstate(all="ignore"):
        case = case_of(model, old, new)
    assert [n for n, wrong in zip(case.names, case.wrong) if wrong] == inputs.split()
    found = diagnose(case)
    assert list(found) == inputs.split()
    for name, explanations in found.items():
        first = explanations[0]
        assert first.label is label, [(e.label.value, e.claim) for e in explanations]
        assert f"d{name}" in first.claim and first.claim[-1] in ".?"
        assert first.share == (0.0 if label is Label.UNEXPLAINED else 1.0)


# --------------------------------------------------------------------------------- the way of calling


@pytest.mark.parametrize(
    ("old", "new", "label"),
    [
        ("return dx, dA, dB, dc", "kept['dB'] = kept.get('dB', 0) + dB; return dx, dA, kept['dB'], dc",
         Label.ACCUMULATED_TWICE),
        ("return dx, dA, dB, dc", "kept.setdefault('dB', dB); return dx, dA, 2 * kept['dB'], dc",
         Label.STALE_BUFFER),
        ("return dx, dA, dB, dc",
         "dB += kept.setdefault('B', np.zeros((4, 4))); kept['B'][...] = B; return dx, dA, dB, dc",
         Label.STALE_BUFFER),
        ("return dx, dA, dB, dc", "dB[...] = dA; return dx, dB, dB, dc", Label.STALE_BUFFER),
    ],
)
def test_what_a_second_call_shows(monkeypatch, old, new, label):
    monkeypatch.setattr(models, "KEEPING", "kept = {}\n" + models.DEEP, raising=False)
    case = case_of("KEEPING", old, new)
    assert case.wrong[2]
    assert diagnose(case)["B"][0].label is label


def test_a_gradient_that_ignores_dout_lacks_a_factor():
    found = diagnose(case_of("EMBEDDING", "(dout * E[words])", "E[words]"))
    assert found["w"][0].label is Label.MISSING_FACTOR
    assert "every dout" in found["w"][0].claim


def test_so_does_that_of_a_number_which_is_given_dout():
    report = tg.check_gradients(
        lambda x: np.sum(np.sin(x)), {"x": np.array([1.0, -2.0])}, backward=lambda dout, x: np.cos(x)
    )
    first = report["x"].explanations[0]
    assert first.label is Label.MISSING_FACTOR and "every dout" in first.claim


@pytest.mark.parametrize(("given", "label"), [(3.0, Label.MISSING_FACTOR), (5.0, Label.STALE_BUFFER)])
def test_that_of_a_linear_function_is_the_same_at_all_inputs_too(given, label):
    report = tg.check_gradients(
        lambda x: 3 * x, {"x": np.array([1.0, -2.0, 0.5])}, backward=lambda dout, x: np.full(3, given)
    )
    assert report["x"].explanations[0].label is label


def test_what_was_written_to_is_named():
    found = diagnose(case_of("LINEAR", "return dW, db", "return 2 * dW, db", changed=["W"]))
    assert found["W"][0].label is Label.INPUTS_CHANGED
    assert found["W"][0].details == {"changed": ["W"]}


def test_nan_is_traced_to_the_step_that_invites_it(monkeypatch):
    source = '''
inputs = {"x": np.array([0.0, 1.0, 4.0]), "w": np.array([1.0, 2.0, 3.0])}

def forward(x, w):
    return np.sum(np.abs(x) * w)

def backward(x, w):
    return x / np.abs(x) * w, np.abs(x)
'''
    monkeypatch.setattr(models, "SIGNS", source, raising=False)
    with np.errstate(all="ignore"):
        case = case_of("SIGNS")
    first = diagnose(case)["x"][0]
    assert first.label is Label.NOT_FINITE
    assert first.details["index"] == [0]
    assert first.details["op"] == "np.absolute" and first.details["line"] == "<signs.py>:5"


# --------------------------------------------------------------------------------------------- claims


def test_a_claim_names_the_line_and_what_else_is_spoilt():
    found = diagnose(case_of("TWO_LAYERS", "dh * (z1 > 0)", "dh"))
    claim = found["W1"][0].claim
    assert "<two_layers.py>:11" in claim and "it spoils db1, too" in claim
    assert "dW2 and db2 are right" in claim
    assert found["W1"][0].details["line"] == "<two_layers.py>:11"


def test_factors_are_named():
    found = diagnose(case_of("TWO_LAYERS", "dscores /= N", "pass"))
    assert found["W1"][0].details["factor"] == pytest.approx(7)
    assert "7" in found["W1"][0].claim
    found = diagnose(case_of("LINEAR", "return dW, db", "return dW, 2 * db"))
    assert "exactly twice" in found["b"][0].claim


def test_a_ratio_of_lengths_is_named():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 3)), rng.standard_normal(7)
    report = tg.check_gradients(
        lambda w: np.mean((x @ w - y) ** 2), {"w": rng.standard_normal(3)},
        backward=lambda w: 2 * x.T @ (x @ w - y) / 3,
    )
    assert "7/3 times" in report["w"].explanations[0].claim
    assert "divided by 3" in report["w"].explanations[0].claim


def test_what_is_zero_but_for_rounding_is_no_factor():
    report = tg.check_gradients(
        np.tanh, {"x": np.array([1.0, -2.0, 0.5])}, backward=lambda dout, x: 1e-16 * dout
    )
    assert report["x"].explanations[0].label is Label.ZEROS


def test_a_rewritten_line_names_inputs():
    rng = np.random.default_rng(0)

    def backward(dout, a, b, c):
        return dout * b * c, dout * a * c, dout * a * b * np.cos(b) + dout * b

    report = tg.check_gradients(
        lambda a, b, c: a * b * c, {name: rng.standard_normal(4) for name in "abc"}, backward=backward
    )
    assert not any("{" in one.claim for one in report["c"].explanations)


def test_two_mistakes_have_an_explanation_each():
    case = case_of("TWO_LAYERS", "dh * (z1 > 0)", "dh", "db2 = dscores.sum(axis=0)", "db2 = "
        "-dscores.sum(axis=0)")
    found = diagnose(case)
    assert [found[name][0].label for name in ("W1", "b1", "b2")] == [
        Label.MASK_FORGOTTEN, Label.MASK_FORGOTTEN, Label.CONSTANT_FACTOR,
    ]


def test_noise_is_not_explained(without_edits):
    case = case_of("TWO_LAYERS", "dW2 = h.T @ dscores", "dW2 = "
        "np.random.default_rng(0).standard_normal((5, 3))")
    explanations = diagnose(case)["W2"]
    assert explanations[0].label is Label.UNEXPLAINED
    assert all(e.label is not Label.UNEXPLAINED and 0.5 < e.share < 1 for e in explanations[1:])


def test_a_partial_explanation_comes_second_with_its_share(without_edits):
    noise = "dW1 + 0.01 * np.random.default_rng(0).standard_normal((4, 5))"
    explanations = diagnose(case_of("TWO_LAYERS", "return dW1,", f"return 1.7 * {noise},"))["W1"]
    assert explanations[0].label is Label.UNEXPLAINED
    assert explanations[1].label is Label.CONSTANT_FACTOR and 0.5 < explanations[1].share < 1


# ------------------------------------------------------------------------------------ the user's forward


def test_a_forward_that_cannot_be_looked_at_leaves_comparisons(without_edits):
    case = case_of("LINEAR", "2 * error / N", "error / N")
    case = Case(**{**vars(case), "traced": lambda inputs: 1 / 0})
    assert diagnose(case)["b"][0].label is Label.CONSTANT_FACTOR


def test_numpy_is_as_before_and_inputs_are_untouched():
    before = {name: getattr(np, name) for name in ("zeros", "array", "asarray", "ones_like")}
    case = case_of("CONVOLUTION", "dw += np", "dw = np")
    inputs = [x.copy() for x in case.inputs]
    diagnose(case)
    assert all(getattr(np, name) is function for name, function in before.items())
    assert all(np.array_equal(*pair) for pair in zip(inputs, case.inputs))


def test_the_same_case_has_the_same_answer():
    case = case_of("ATTENTION", "dk = ds.T @ q", "dk = ds @ q")
    assert diagnose(case) == diagnose(case)


@pytest.mark.parametrize("model", ["CONVOLUTION", "RECURRENT", "BATCH_NORM", "LSTM", "HINGE", "POOLING"])
def test_the_recorded_graph_has_the_gradient_of_the_forward(model):
    names = compiled(model)
    inputs = list(names["inputs"].values())
    graph = Graph.of(lambda xs: names["forward"](*xs), inputs, 1)
    for cotangent, derivatives in numerical(model):
        for found, right in zip(graph.gradients([cotangent]), derivatives):
            np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-8)


def test_changes_in_place_and_views_are_recorded():
    def forward(inputs):
        x, w = inputs
        y = np.zeros((2, 3))
        y += x.dot(w)
        row = y[0]
        row *= 2.0
        y[y < 0] *= 0.5
        np.add.at(y, np.array([1, 1]), w[:2])
        return y.T / np.array([1.0, 2.0])

    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((2, 3)), rng.standard_normal((3, 3))]
    graph = Graph.of(forward, inputs, 1)
    weight = rng.standard_normal((3, 2))
    for k, found in enumerate(graph.gradients([weight])):
        v = rng.standard_normal(inputs[k].shape)
        sides = []
        for h in (1e-6, -1e-6):
            shifted = [x + h * v if j == k else x for j, x in enumerate(inputs)]
            sides.append(np.sum(weight * forward(shifted)))
        assert np.sum(found * v) == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-7)


# ------------------------------------------------------------------------------------ several results


@pytest.mark.parametrize(
    ("confuse", "label", "words"),
    [
        (lambda a, b: (0 * a, b), Label.MISSING_TERM, "dout[0] is not used"),
        (lambda a, b: (a, 0 * b), Label.MISSING_TERM, "dout[1] is not used"),
        (lambda a, b: (b, a), Label.PERMUTED, "dout[0] and dout[1] exchanged"),
        (lambda a, b: (a, a), Label.PERMUTED, "takes dout[0] for dout[1]"),
    ],
)
def test_cotangents_of_several_results_are_confused(confuse, label, words, rng):
    def forward(x, c):
        h = np.tanh(x * c)
        return h, x + h * c

    def backward(dout, x, c):
        first, second = confuse(*dout)
        h = np.tanh(x * c)
        dz = (first + second * c) * (1 - h * h)
        return dz * c + second, dz * x + second * h

    report = tg.check_gradients(forward, {name: rng.standard_normal(4) for name in "xc"}, backward)
    for entry in report.inputs:
        assert entry.explanations[0].label is label
        assert words in entry.explanations[0].claim


# ------------------------------------------------------------------------- windows, lengths, warnings


def test_windows_that_overlap_are_added_up_by_plus(rng):
    def windows(x):
        return np.lib.stride_tricks.sliding_window_view(x, 3)

    def backward(dout, x, w):
        dx = np.zeros_like(x)
        for i, d in enumerate(dout):
            dx[i : i + 3] = d * w
        return dx, windows(x).T @ dout

    inputs = {"x": rng.standard_normal(6), "w": rng.standard_normal(3)}
    (entry, _) = tg.check_gradients(lambda x, w: windows(x) @ w, inputs, backward).inputs
    assert "with dx[i:i + 3] += d * w in the place of" in entry.explanations[0].claim


def test_a_length_at_zero_is_explained_by_what_is_beside_it():
    report = tg.check_gradients(np.linalg.norm, {"x": np.zeros(4)}, lambda x: 0 * x)
    assert report["x"].explanations[0].label is Label.MISSING_TERM
    assert not any("nan" in one.claim or "kink" in one.claim for one in report["x"].explanations)


@pytest.mark.filterwarnings("error")
def test_what_is_only_tried_warns_of_nothing():
    def forward(x):
        return np.nanmean(np.where(x > 0, x, np.nan))

    x = np.array([1.0, -1.0, 2.0, -3.0])
    assert not tg.check_gradients(forward, {"x": x}, lambda x: (x > 0) / 3).ok


def test_powers_of_nothing_are_explained():
    def poly(c, x):
        return sum(c[k] * x**k for k in range(len(c)))

    def poly_backward(dout, c, x):
        powers = np.array([(dout * x**k).sum() for k in range(len(c))])
        return powers, dout * sum(k * c[k] * x**k for k in range(len(c)))

    rng = np.random.default_rng(7)
    report = tg.check_gradients(poly, [rng.standard_normal(4), rng.standard_normal(3)], poly_backward)
    assert [entry.ok for entry in report.inputs] == [True, False]
    assert "mistake of the checker" not in str(report)


def test_a_diagnosis_that_fails_leaves_the_verdict(monkeypatch):
    def fails(case):
        raise ZeroDivisionError("by chance")

    monkeypatch.setattr(diagnosis, "diagnose", fails)
    report = tg.check_gradients(lambda x: np.sum(x**2), [np.array([1.0, 2.0])], lambda x: 3 * x)
    assert not report.ok and "ZeroDivisionError: by chance" in str(report)
    assert report.inputs[0].label is Label.UNEXPLAINED


def test_one_array_that_is_returned_twice_lacks_a_minus():
    def backward(p, y):
        g = 2 * (p - y) / len(p)
        return g, g

    rng = np.random.default_rng(8)
    report = tg.check_gradients(
        lambda p, y: np.mean((p - y) ** 2), [rng.normal(size=4), rng.normal(size=4)], backward
    )
    assert [entry.ok for entry in report.inputs] == [True, False]
    assert "minus" in report.inputs[1].explanations[0].claim, report


def test_a_factor_that_is_nearly_one_is_told_in_full():
    x = np.array([0.3, -0.5, 0.7])
    report = tg.check_gradients(np.sin, [x], lambda d, x: d * np.cos(x) * (1 + 1e-7))
    assert "1.0000001 times" in report.inputs[0].explanations[0].claim, report


def test_one_element_that_is_off_beside_a_large_one_is_not_rounded():
    c, x = np.array([1e8, 1.0, 2.0]), np.array([0.3, -0.5, 0.7])
    report = tg.check_gradients(lambda x: (x * c).sum(), [x], lambda x: np.array([1e8, 1.5, 2.0]))
    assert not report.ok and report.inputs[0].label is not Label.WRONG_DTYPE, report
