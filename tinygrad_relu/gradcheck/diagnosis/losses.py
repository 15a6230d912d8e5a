"""Gradients of losses in closed form, such as ``p - y``, with another function in them."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import sigmoid, softmax
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described
from tinygrad_relu.gradcheck.diagnosis.step import take_at
from tinygrad_relu.gradcheck.diagnosis.trace import Change

#: What makes probabilities of scores.
LINKS = {"sigmoid": sigmoid, "softmax": softmax}
#: What is taken for the probabilities.
INSTEAD = {
    "itself": lambda v: v,
    "tanh": np.tanh,
    "exp": np.exp,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "the step function": lambda v: 1.0 * (v > 0),
}


def loss_mutations(graph):
    """Yield ``p - y`` of a loss of scores with something else for the probabilities `p`."""
    for k in graph.live:
        value = graph.steps[k].value
        if value.ndim and value.size > 1:
            yield from other_probabilities(graph, k, value)
            yield from derivative_again(graph, k, value)
        if value.ndim == 2 and min(value.shape) > 1:
            yield from other_labels(graph, k, value)


def other_probabilities(graph, k, value):
    """Yield the gradient of scores with another function of them for their probabilities."""
    step = graph.steps[k]
    for name, function in LINKS.items():
        with np.errstate(all="ignore"):
            right = function(value)
            others = {word: wrong(value) for word, wrong in INSTEAD.items() if word != name}
        for word, wrong in others.items():
            if not np.isfinite(wrong).all():
                continue
            label = Label.PRE_ACTIVATION if word == "itself" else Label.WRONG_FUNCTION
            words = (
                f"in the gradient of {described(graph, k)} stands "
                f"{'that' if word == 'itself' else f'{word} of it'}, where its {name} belongs"
            )
            yield Mutation(
                ("probabilities", k, name, word), label, 25.2,
                [Change(k, k, lambda g, _, extra=wrong - right: extra)], words, step.line, step.name,
                lambda c, label=label, words=words, step=step: Mutation(
                    (), label, 25.2, [], words, step.line, step.name, None, {"weight": c}
                ),
            )


def other_labels(graph, k, value):
    """Yield ``p - y`` with the 1 of `y` at another class, or at all of them."""
    step, (count, classes) = graph.steps[k], value.shape
    for j in graph.live:
        taken = graph.steps[j]
        key = taken.arguments[1] if taken.function is take_at else None
        if not isinstance(key, tuple) or len(key) != 2 or taken.operands[0].shape != value.shape:
            continue
        if not all(isinstance(x, np.ndarray) and x.shape == (count,) for x in key):
            continue
        right = one_hot(key[0], key[1], value.shape)
        wrong = [
            (by, one_hot(key[0], (key[1] + by) % classes, value.shape), Label.SHIFTED,
             f"the class is {'one too large' if by > 0 else 'one too small'}")
            for by in (1, -1)
        ]
        wrong.append((0, np.ones(value.shape), Label.EXTRA_TERM, "1 is taken off at every class"))
        for by, there, label, said in wrong:
            words = f"in the gradient of {described(graph, k)} {said}"
            yield Mutation(
                ("labels", k, j, by), label, 24.9, [Change(k, k, lambda g, _, x=there - right: x)],
                words, step.line, step.name,
                lambda c, label=label, words=words, step=step: Mutation(
                    (), label, 24.9, [], words, step.line, step.name, None, {"weight": c}
                ),
            )


def one_hot(rows, columns, shape):
    """Return an array with 1 at each place."""
    found = np.zeros(shape)
    np.add.at(found, (rows, columns), 1)
    return found


def derivative_again(graph, k, value):
    """Yield the derivative of the softmax once more, after ``p - y``, in which it has cancelled."""
    step, p = graph.steps[k], softmax(value)
    yield Mutation(
        ("softmax again", k), Label.WRONG_FUNCTION, 24.6,
        [Change(k, k, lambda g, _: p * (g - (g * p).sum(-1, keepdims=True)) - g)],
        f"the gradient of {described(graph, k)} is multiplied by the derivative of a softmax, which does "
        "not belong there: in p - y it has cancelled",
        step.line, step.name,
    )
