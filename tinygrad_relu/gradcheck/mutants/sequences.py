"""Recurrent cells with backpropagation through time, and attention."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# ----------------------------------------------------------------------------- recurrent net (BPTT)


def recurrent_net(x, h0, Wx, Wh, b):
    h, states = h0, []
    for t in range(len(x)):
        h = np.tanh(x[t] @ Wx + h @ Wh + b)
        states.append(h)
    return np.stack(states)


def recurrent_net_backward(dout, x, h0, Wx, Wh, b):
    states = [h0, *recurrent_net(x, h0, Wx, Wh, b)]
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dnext = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        dh = dout[t] + dnext
        dz = dh * (1 - states[t + 1] ** 2)
        dx[t] = dz @ Wx.T
        dWx += x[t].T @ dz
        dWh += states[t].T @ dz
        db += dz.sum(axis=0)
        dnext = dz @ Wh.T
    return dx, dnext, dWx, dWh, db


RECURRENT = Model(
    recurrent_net,
    recurrent_net_backward,
    points={
        "usual": lambda rng: {
            "x": rng.normal(size=(4, 2, 3)), "h0": rng.normal(size=(2, 3)),
            "Wx": rng.normal(size=(3, 3)), "Wh": rng.normal(size=(3, 3)), "b": rng.normal(size=3),
        },
        "no samples": lambda rng: {
            "x": np.zeros((4, 0, 3)), "h0": np.zeros((0, 3)),
            "Wx": rng.normal(size=(3, 3)), "Wh": rng.normal(size=(3, 3)), "b": rng.normal(size=3),
        },
    },
)
RECURRENT.mutant(
    "x h0 Wx Wh b", Label.MISSING_TERM, "each step hears of its own output only, not of later ones",
    ("dh = dout[t] + dnext", "dh = dout[t]"),
)
RECURRENT.mutant(
    "Wh", Label.WRONG_FUNCTION, "Wh gets the state after the step, where the one before it belongs",
    ("dWh += states[t].T", "dWh += states[t + 1].T"),
    # As if the new state had been written over the old one before that was used.
    also=[Label.STALE_BUFFER],
)
RECURRENT.mutant(
    "x h0 Wx Wh b", Label.MISSING_FACTOR, "the derivative of tanh is missing",
    ("dz = dh * (1 - states[t + 1] ** 2)", "dz = dh"),
    also=[Label.PRE_ACTIVATION],
)
RECURRENT.mutant(
    "x h0 Wx Wh b", Label.WRONG_FUNCTION, "the derivative of tanh is taken at the state before the step",
    ("(1 - states[t + 1] ** 2)", "(1 - states[t] ** 2)"),
)
RECURRENT.mutant(
    "Wx", Label.STALE_BUFFER, "dWx is set by each step: only the first of the sequence is left",
    ("dWx += x[t].T", "dWx = x[t].T"),
    also=[Label.MISSING_TERM],
)
RECURRENT.mutant(
    "x h0 Wx Wh b", Label.TRANSPOSED, "the gradient goes back in time through Wh, not its transpose",
    ("dnext = dz @ Wh.T", "dnext = dz @ Wh"),
)
RECURRENT.mutant(
    "h0", Label.ZEROS, "the first state is taken for a constant",
    ("return dx, dnext,", "return dx, np.zeros_like(h0),"),
)
RECURRENT.mutant(
    "h0", Label.PRE_ACTIVATION, "the first state gets the gradient in front of the step, not behind Wh",
    ("return dx, dnext,", "return dx, dz,"),
    also=[Label.MISSING_FACTOR],
)
RECURRENT.mutant(
    "x", Label.PERMUTED, "the steps of dx come in reverse order",
    ("return dx,", "return dx[::-1],"),
)
RECURRENT.mutant(
    "Wh", Label.MISSING_TERM, "the first step has no part in dWh",
    ("dWh += states[t].T @ dz", "dWh += (t > 0) * states[t].T @ dz"),
)
RECURRENT.mutant(
    "Wh", Label.ACCUMULATED_TWICE, "dWh lives on between calls, and is never set to zero",
    ("    dnext = np.zeros_like(h0)\n",
     "    dnext, dWh = np.zeros_like(h0), state.setdefault('dWh', dWh)\n"),
)
RECURRENT.mutant(
    "b", Label.AVERAGED, "the bias is averaged over the steps",
    ("db += dz.sum(axis=0)", "db += dz.sum(axis=0) / len(x)"),
    also=[Label.CONSTANT_FACTOR],
)

# --------------------------------------------------------------------------------------- LSTM cell


def squashed(z):
    return 1 / (1 + np.exp(-z))


def lstm_cell(x, h, c, W, U):
    i, f, o, g = np.split(x @ W + h @ U, 4, axis=1)
    new_c = squashed(f) * c + squashed(i) * np.tanh(g)
    return squashed(o) * np.tanh(new_c)


def lstm_cell_backward(dout, x, h, c, W, U):
    i, f, o, g = np.split(x @ W + h @ U, 4, axis=1)
    i, f, o, g = squashed(i), squashed(f), squashed(o), np.tanh(g)
    new_c = f * c + i * g
    do = dout * np.tanh(new_c)
    dnew_c = dout * o * (1 - np.tanh(new_c) ** 2)
    dc = dnew_c * f
    df = dnew_c * c
    di = dnew_c * g
    dg = dnew_c * i
    dz = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
    return dz @ W.T, dz @ U.T, dc, x.T @ dz, h.T @ dz


LSTM = Model(
    lstm_cell,
    lstm_cell_backward,
    points={"usual": lambda rng: {
        "x": rng.normal(size=(2, 2)), "h": rng.normal(size=(2, 2)), "c": rng.normal(size=(2, 2)),
        "W": rng.normal(size=(2, 8)), "U": rng.normal(size=(2, 8)),
    }},
)
LSTM.mutant(
    "x h W U", Label.PERMUTED, "the gates are stacked in the order i, o, f, g",
    ("df * f * (1 - f), do * o * (1 - o)", "do * o * (1 - o), df * f * (1 - f)"),
)
LSTM.mutant(
    "x h c W U", Label.MISSING_FACTOR, "the tanh around the cell state has no derivative",
    ("dout * o * (1 - np.tanh(new_c) ** 2)", "dout * o"),
    also=[Label.PRE_ACTIVATION],
)
LSTM.mutant(
    "x h W U", Label.WRONG_FUNCTION, "the candidate is a tanh, and has the derivative of a sigmoid",
    ("dg * (1 - g**2)", "dg * g * (1 - g)"),
)
LSTM.mutant(
    "x h W U", Label.MISSING_TERM, "the output gate gets no gradient",
    ("do * o * (1 - o)", "0 * do"),
)
LSTM.mutant(
    "c", Label.MISSING_FACTOR, "the old cell state is handed on without its forget gate",
    ("dc = dnew_c * f", "dc = dnew_c"),
)
LSTM.mutant(
    "h", Label.WRONG_FUNCTION, "the hidden state gets the gradient of x: W for U",
    ("dz @ U.T, dc", "dz @ W.T, dc"),
    also=[Label.PERMUTED],
)
LSTM.mutant(
    "c", Label.ZEROS, "the cell state is taken for a constant",
    ("dc = dnew_c * f", "dc = np.zeros_like(c)"),
)
LSTM.mutant(
    "x h W U", Label.MISSING_FACTOR, "the forget gate has no derivative of its sigmoid",
    ("df * f * (1 - f)", "df"),
    also=[Label.PRE_ACTIVATION],
)
LSTM.mutant(
    "x h W U", Label.WRONG_FUNCTION, "input gate and candidate get each other's gradient",
    ("di = dnew_c * g", "di = dnew_c * i"), ("dg = dnew_c * i\n", "dg = dnew_c * g\n"),
)

# ------------------------------------------------------------------------------- attention, one head


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(q, k, v):
    return softmax(q @ k.T / q.shape[1] ** 0.5) @ v


def attention_backward(dout, q, k, v):
    scale = q.shape[1] ** -0.5
    p = softmax(q @ k.T * scale)
    dv = p.T @ dout
    dp = dout @ v.T
    dscores = p * (dp - np.sum(dp * p, axis=1, keepdims=True))
    dq = dscores @ k * scale
    dk = dscores.T @ q * scale
    return dq, dk, dv


ATTENTION = Model(
    attention,
    attention_backward,
    points={
        "usual": lambda rng: {name: rng.normal(size=(4, 3)) for name in "qkv"},
        "large scores": lambda rng: {name: 50 + 10 * rng.normal(size=(4, 3)) for name in "qkv"},
        "no queries": lambda rng: {
            "q": np.zeros((0, 3)), "k": rng.normal(size=(4, 3)), "v": rng.normal(size=(4, 3)),
        },
    },
)
ATTENTION.mutant(
    "q k", Label.CONSTANT_FACTOR, "the division by the root of the width is missing",
    ("dq = dscores @ k * scale", "dq = dscores @ k"), ("dscores.T @ q * scale", "dscores.T @ q"),
)
ATTENTION.mutant(
    "q k v", Label.WRONG_FUNCTION, "the weights are computed again without their scale",
    ("p = softmax(q @ k.T * scale)", "p = softmax(q @ k.T)"),
)
ATTENTION.mutant(
    "q k", Label.MISSING_TERM, "of the softmax only the diagonal of its Jacobian is there",
    ("p * (dp - np.sum(dp * p, axis=1, keepdims=True))", "p * dp"),
)
ATTENTION.mutant(
    "v", Label.TRANSPOSED, "the weights of keys and queries are exchanged in dv",
    ("p.T @ dout", "p @ dout"),
)
ATTENTION.mutant(
    "k", Label.TRANSPOSED, "the scores are not transposed for the keys",
    ("dscores.T @ q", "dscores @ q"),
)
ATTENTION.mutant(
    "q k", Label.WRONG_FUNCTION, "keys and queries are exchanged: each gets its own values",
    ("dscores @ k * scale", "dscores @ q * scale"), ("dscores.T @ q * scale", "dscores.T @ k * scale"),
)
ATTENTION.mutant(
    "q k", Label.SUMMED, "the inner products of the softmax are summed over the queries",
    ("axis=1, keepdims=True", "axis=0, keepdims=True"),
)
ATTENTION.mutant(
    "q k", Label.MISSING_FACTOR, "the softmax is passed as if it were not there",
    ("dscores = p * (dp - np.sum(dp * p, axis=1, keepdims=True))", "dscores = dp"),
    also=[Label.PRE_ACTIVATION],
)

ATTENTION.mutant(
    "q k", Label.PERMUTED, "the gradients of keys and queries are returned in the other order",
    ("return dq, dk, dv", "return dk, dq, dv"),
)
ATTENTION.mutant(
    "q k v", Label.NOT_FINITE, "the softmax is computed again without its shift, and overflows",
    ("    dv =", "    e = np.exp(q @ k.T * scale)\n    p = e / e.sum(axis=1, keepdims=True)\n    dv ="),
    at="large scores",
)

# ------------------------------------------------------------------------------- causal attention


def causal_weights(scores):
    future = np.triu(np.ones_like(scores), 1) > 0
    return softmax(np.where(future, -1e9, scores))


def causal_attention(q, k):
    return causal_weights(q @ k.T) @ k


def causal_attention_backward(dout, q, k):
    p = causal_weights(q @ k.T)
    future = np.triu(np.ones_like(p), 1) > 0
    dp = dout @ k.T
    dscores = p * (dp - (dp * p).sum(axis=1, keepdims=True))
    dscores = np.where(future, 0, dscores)
    return dscores @ k, dscores.T @ q + p.T @ dout


CAUSAL = Model(
    causal_attention,
    causal_attention_backward,
    points={"usual": lambda rng: {"q": rng.normal(size=(4, 4)), "k": rng.normal(size=(4, 4))}},
)
CAUSAL.mutant(
    "q k", Label.MASK_NOT_STRICT, "a step is hidden from itself: the mask begins on the diagonal",
    ("np.triu(np.ones_like(p), 1)", "np.triu(np.ones_like(p), 0)"),
)
CAUSAL.mutant(
    "k", Label.MISSING_TERM, "k is used as keys and as values, and gets the gradient of keys alone",
    (" + p.T @ dout", ""),
)
CAUSAL.mutant(
    "k", Label.MISSING_TERM, "k is used as keys and as values, and gets the gradient of values alone",
    ("dscores.T @ q + p.T @ dout", "p.T @ dout"),
)
CAUSAL.mutant(
    "q k", Label.MASK_FORGOTTEN, "the weights are computed again without the mask",
    ("p = causal_weights(q @ k.T)", "p = softmax(q @ k.T)"),
    ("np.where(future, 0, dscores)", "dscores"),
)
CAUSAL.mutant(
    "q k", Label.MASK_FROM_WRONG_TENSOR, "the past is hidden on the way back, where the future is",
    ("np.triu(np.ones_like(p), 1)", "np.tril(np.ones_like(p), -1)"),
)

# ------------------------------------------------------- mean over steps, sequences of any length


def mean_over_steps(x, W, lengths):
    valid = np.arange(x.shape[1]) < lengths[:, None]
    length = lengths[:, None].astype(x.dtype)
    pooled = np.sum(x * valid[:, :, None], axis=1) / length
    return pooled @ W


def mean_over_steps_backward(dout, x, W, lengths):
    valid = np.arange(x.shape[1]) < lengths[:, None]
    length = lengths[:, None].astype(x.dtype)
    pooled = np.sum(x * valid[:, :, None], axis=1) / length
    dW = pooled.T @ dout
    dpooled = dout @ W.T / length
    dx = dpooled[:, None, :] * valid[:, :, None]
    return dx, dW


STEPS = Model(
    mean_over_steps,
    mean_over_steps_backward,
    points={
        "usual": lambda rng: {"x": rng.normal(size=(3, 4, 2)), "W": rng.normal(size=(2, 2))},
        "ill-scaled": lambda rng: {
            "x": 1e8 * rng.normal(size=(3, 4, 2)), "W": 1e-8 * rng.normal(size=(2, 2)),
        },
    },
    data={"usual": lambda rng: {"lengths": np.array([2, 3, 1])}},
)
STEPS.mutant(
    "x W", Label.MASK_NOT_STRICT, "one step too many counts as part of the sequence",
    ("np.arange(x.shape[1]) < lengths", "np.arange(x.shape[1]) <= lengths"),
)
STEPS.mutant(
    "x", Label.MASK_FORGOTTEN, "steps behind the end of a sequence get a gradient",
    ("dpooled[:, None, :] * valid[:, :, None]", "np.repeat(dpooled[:, None, :], x.shape[1], axis=1)"),
)
STEPS.mutant(
    "W", Label.MASK_FORGOTTEN, "for dW the mean takes in what stands behind the end",
    ("np.sum(x * valid[:, :, None], axis=1)", "np.sum(x, axis=1)"),
)
STEPS.mutant(
    "x", Label.MISSING_FACTOR, "the division by the length is missing",
    ("dout @ W.T / length", "dout @ W.T"),
    also=[Label.AVERAGED],
)
STEPS.mutant(
    "x", Label.AVERAGED, "the mean is taken over all steps, also those behind the end",
    ("dout @ W.T / length", "dout @ W.T / x.shape[1]"),
    also=[Label.MISSING_FACTOR],
)
STEPS.mutant(
    "x", Label.TRANSPOSED, "the gradient goes back through W, not through its transpose",
    ("dout @ W.T", "dout @ W"),
)

MODELS = [RECURRENT, LSTM, ATTENTION, CAUSAL, STEPS]
