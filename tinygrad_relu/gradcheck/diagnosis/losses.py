"""Gradients of losses in closed form, such as ``p - y``, with another function in them."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import sigmoid
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described
from tinygrad_relu.gradcheck.diagnosis.trace import Change


def softmax(v):
    """The softmax over the last axis."""
    e = np.exp(v - v.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


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
