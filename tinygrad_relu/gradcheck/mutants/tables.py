"""Rows that are looked up, gathered and scattered, and products of two tables."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# ----------------------------------------------------------- embedding, the same row several times


def embedding_bag(table, weight, ids):
    return np.tanh(table[ids].sum(axis=1) @ weight)


def embedding_bag_backward(dout, table, weight, ids):
    bags = table[ids].sum(axis=1)
    dz = dout * (1 - np.tanh(bags @ weight) ** 2)
    dweight = bags.T @ dz
    dbags = dz @ weight.T
    dtable = np.zeros_like(table)
    for position in range(ids.shape[1]):
        np.add.at(dtable, ids[:, position], dbags)
    return dtable, dweight


EMBEDDING = Model(
    embedding_bag,
    embedding_bag_backward,
    points={
        "usual": lambda rng: {"table": rng.normal(size=(5, 3)), "weight": rng.normal(size=(3, 3))},
        "no samples": lambda rng: {"table": rng.normal(size=(5, 3)), "weight": rng.normal(size=(3, 3))},
    },
    data={
        "usual": lambda rng: {"ids": np.array([[0, 2], [2, 2], [4, 0], [2, 3]])},
        "no samples": lambda rng: {"ids": np.zeros((0, 2), int)},
    },
)
EMBEDDING.mutant(
    "table", Label.MISSING_TERM, "a row that is looked up twice gets one gradient: += does not add up",
    ("np.add.at(dtable, ids[:, position], dbags)", "dtable[ids[:, position]] += dbags"),
)
EMBEDDING.mutant(
    "table", Label.STALE_BUFFER, "rows are assigned, so that the last one who wants a row has it",
    ("np.add.at(dtable, ids[:, position], dbags)", "dtable[ids[:, position]] = dbags"),
    also=[Label.MISSING_TERM],
)
EMBEDDING.mutant(
    "table", Label.SHIFTED, "rows are counted from one",
    ("ids[:, position], dbags", "(ids[:, position] + 1) % 5, dbags"),
)
EMBEDDING.mutant(
    "table", Label.MISSING_TERM, "only the first row of each bag gets a gradient",
    ("range(ids.shape[1])", "range(1)"),
)
EMBEDDING.mutant(
    "table weight", Label.MISSING_FACTOR, "the derivative of tanh is missing",
    ("dout * (1 - np.tanh(bags @ weight) ** 2)", "dout"),
    also=[Label.PRE_ACTIVATION],
)
EMBEDDING.mutant(
    "table", Label.AVERAGED, "a bag is a sum, and its gradient is shared as that of a mean",
    ("dbags = dz @ weight.T", "dbags = dz @ weight.T / ids.shape[1]"),
    also=[Label.CONSTANT_FACTOR],
)
EMBEDDING.mutant(
    "table", Label.WRONG_DTYPE, "the gradient of the table is made in single precision",
    ("np.zeros_like(table)", "np.zeros(table.shape, np.float32)"),
)
EMBEDDING.mutant(
    "table", Label.ACCUMULATED_TWICE, "the gradient of the table is kept, and added to, between calls",
    ("dtable = np.zeros_like(table)", "dtable = state.setdefault('dtable', np.zeros_like(table))"),
)
EMBEDDING.mutant(
    "table", Label.TRANSPOSED, "the gradient goes back through weight, not through its transpose",
    ("dbags = dz @ weight.T", "dbags = dz @ weight"),
)
EMBEDDING.mutant(
    "weight", Label.AVERAGED, "the bags are averaged for dweight, and summed on the way there",
    ("dweight = bags.T @ dz", "dweight = table[ids].mean(axis=1).T @ dz"),
    also=[Label.CONSTANT_FACTOR],
)

# ------------------------------------------------------------------------------ messages on a graph


def message_passing(nodes, W, sender, receiver):
    messages = np.maximum(nodes[sender] @ W, 0)
    received = np.zeros((len(nodes), W.shape[1]), nodes.dtype)
    np.add.at(received, receiver, messages)
    return nodes + received


def message_passing_backward(dout, nodes, W, sender, receiver):
    z = nodes[sender] @ W
    dmessages = dout[receiver]
    dz = dmessages * (z > 0)
    dW = nodes[sender].T @ dz
    dnodes = dout.copy()
    np.add.at(dnodes, sender, dz @ W.T)
    return dnodes, dW


MESSAGES = Model(
    message_passing,
    message_passing_backward,
    points={
        "usual": lambda rng: {"nodes": rng.normal(size=(4, 3)), "W": rng.normal(size=(3, 3))},
        "on kinks": lambda rng: {
            "nodes": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]),
            "W": np.array([[1.0, 1.0], [0.0, -1.0]]),
        },
        "no edges": lambda rng: {"nodes": rng.normal(size=(4, 3)), "W": rng.normal(size=(3, 3))},
    },
    data={
        "usual": lambda rng: {
            "sender": np.array([0, 1, 1, 2, 3, 0]), "receiver": np.array([1, 2, 3, 3, 0, 3]),
        },
        "no edges": lambda rng: {"sender": np.zeros(0, int), "receiver": np.zeros(0, int)},
    },
)
MESSAGES.mutant(
    "nodes W", Label.PERMUTED, "the gradient is read where a message came from, not where it went",
    ("dmessages = dout[receiver]", "dmessages = dout[sender]"),
)
MESSAGES.mutant(
    "nodes", Label.PERMUTED, "the gradient is put where a message went, not where it came from",
    ("np.add.at(dnodes, sender,", "np.add.at(dnodes, receiver,"),
)
MESSAGES.mutant(
    "nodes", Label.MISSING_TERM, "nodes that send twice get the gradient of one message",
    ("np.add.at(dnodes, sender, dz @ W.T)", "dnodes[sender] += dz @ W.T"),
)
MESSAGES.mutant(
    "nodes", Label.MISSING_TERM, "what a node keeps of itself is missing",
    ("dnodes = dout.copy()", "dnodes = np.zeros_like(nodes)"),
)
MESSAGES.mutant(
    "nodes W", Label.MASK_FORGOTTEN, "the ReLU of the messages is passed as if it were not there",
    ("dmessages * (z > 0)", "dmessages"),
)
MESSAGES.mutant(
    "nodes W", Label.MASK_FROM_WRONG_TENSOR, "the mask is made of what the sender is, not what it sends",
    ("(z > 0)", "(nodes[sender] > 0)"),
)
MESSAGES.mutant(
    "nodes W", Label.INPUTS_CHANGED, "the gradient of the messages is added to the caller's dout",
    ("dnodes = dout.copy()", "dnodes = dout"),
)

MESSAGES.mutant(
    "W", Label.CONSTANT_FACTOR, "dW has the other sign, and some messages are at 0",
    ("dW = nodes[sender].T @ dz", "dW = -nodes[sender].T @ dz"),
    at="on kinks",
)

# -------------------------------------------------------------------------- matrix factorisation


def matrix_factorisation(U, V, ratings, known, strength):
    error = known * (U @ V.T - ratings)
    return 0.5 * np.sum(error**2) + 0.5 * strength * (np.sum(U**2) + np.sum(V**2))


def matrix_factorisation_backward(U, V, ratings, known, strength):
    error = known * (U @ V.T - ratings)
    dU = error @ V + strength * U
    dV = error.T @ U + strength * V
    return dU, dV


FACTORISATION = Model(
    matrix_factorisation,
    matrix_factorisation_backward,
    points={
        "usual": lambda rng: {"U": rng.normal(size=(4, 2)), "V": rng.normal(size=(4, 2))},
        "ill-scaled": lambda rng: {
            "U": 1e8 * rng.normal(size=(4, 2)), "V": 1e-8 * rng.normal(size=(4, 2)),
        },
        "no users": lambda rng: {"U": np.zeros((0, 2)), "V": rng.normal(size=(4, 2))},
    },
    data={
        "usual": lambda rng: {
            "ratings": rng.normal(size=(4, 4)), "known": rng.random((4, 4)) < 0.6, "strength": 0.1,
        },
        "ill-scaled": lambda rng: {
            "ratings": rng.normal(size=(4, 4)), "known": rng.random((4, 4)) < 0.6, "strength": 1e-17,
        },
        "no users": lambda rng: {
            "ratings": np.zeros((0, 4)), "known": np.zeros((0, 4), bool), "strength": 0.1,
        },
    },
)
FACTORISATION.mutant(
    "U V", Label.MASK_FORGOTTEN, "ratings that nobody gave count as if they were 0",
    ("error = known * (U @ V.T - ratings)", "error = U @ V.T - ratings"),
)
FACTORISATION.mutant(
    "V", Label.TRANSPOSED, "the errors are not transposed for V",
    ("error.T @ U", "error @ U"),
)
FACTORISATION.mutant(
    "U V", Label.MISSING_TERM, "the penalties have no part in the gradients",
    (" + strength * U", ""), (" + strength * V", ""),
)
FACTORISATION.mutant(
    "V", Label.STALE_BUFFER, "U is moved before V has had its gradient: V sees the new one",
    ("    dV =", "    U = U - 0.1 * dU\n    dV ="),
)
FACTORISATION.mutant(
    "U", Label.INPUTS_CHANGED, "U is moved in place within backward",
    ("    return dU, dV", "    U -= 0.1 * dU\n    return dU, dV"),
)
FACTORISATION.mutant(
    "U V", Label.CONSTANT_FACTOR, "both gradients have the sign of a step, not of a gradient",
    ("    return dU, dV", "    return -dU, -dV"),
)
FACTORISATION.mutant(
    "U V", Label.PERMUTED, "the two gradients are returned in the other order",
    ("    return dU, dV", "    return dV, dU"),
)
FACTORISATION.mutant(
    "U", Label.EXTRA_TERM, "the penalty of V is added to the gradient of U",
    ("strength * U", "strength * U + strength * V"),
)

# ------------------------------------------------------------------------------- cosine similarity


def cosine_similarity(a, b):
    norms = np.sqrt(np.sum(a**2, axis=1) * np.sum(b**2, axis=1))
    return np.sum(a * b, axis=1) / norms


def cosine_similarity_backward(dout, a, b):
    a_norm = np.sqrt(np.sum(a**2, axis=1, keepdims=True))
    b_norm = np.sqrt(np.sum(b**2, axis=1, keepdims=True))
    cosine = np.sum(a * b, axis=1, keepdims=True) / (a_norm * b_norm)
    d = dout[:, None]
    da = d * (b / (a_norm * b_norm) - cosine * a / a_norm**2)
    db = d * (a / (a_norm * b_norm) - cosine * b / b_norm**2)
    return da, db


COSINE = Model(
    cosine_similarity,
    cosine_similarity_backward,
    points={
        "usual": lambda rng: {"a": rng.normal(size=(4, 3)), "b": rng.normal(size=(4, 3))},
        "ill-scaled": lambda rng: {
            "a": 1e-8 * rng.normal(size=(4, 3)), "b": 1e8 * rng.normal(size=(4, 3)),
        },
        "no pairs": lambda rng: {"a": np.zeros((0, 3)), "b": np.zeros((0, 3))},
    },
)
COSINE.mutant(
    "a b", Label.MISSING_TERM, "the norms are taken for constants",
    (" - cosine * a / a_norm**2", ""), (" - cosine * b / b_norm**2", ""),
)
COSINE.mutant(
    "a", Label.MISSING_TERM, "the norm of a is taken for a constant",
    (" - cosine * a / a_norm**2", ""),
)
COSINE.mutant(
    "a", Label.WRONG_FUNCTION, "the norm in the second term of da is not squared",
    ("a / a_norm**2", "a / a_norm"),
    also=[Label.MISSING_FACTOR],
)
COSINE.mutant(
    "b", Label.WRONG_FUNCTION, "the second term of db is that of a",
    ("cosine * b / b_norm**2", "cosine * a / a_norm**2"),
)
COSINE.mutant(
    "a b", Label.CONSTANT_FACTOR, "the gradient of the distance, 1 - cosine, is returned",
    ("    return da, db", "    return -da, -db"),
)
COSINE.mutant(
    "a b", Label.MISSING_FACTOR, "the cotangent is not used: right for dout = 1 only",
    ("d = dout[:, None]", "d = 1.0"),
)
COSINE.mutant(
    "a", Label.MISSING_FACTOR, "da lacks the division by the norm of a in both terms",
    ("b / (a_norm * b_norm) - cosine * a / a_norm**2", "b / b_norm - cosine * a / a_norm"),
)

MODELS = [EMBEDDING, MESSAGES, FACTORISATION, COSINE]
