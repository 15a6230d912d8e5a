"""Gradients that are told of while the walk back is under way."""

import gc

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.engine import watch


class Watcher:
    """What hears of the gradients of some leaves, and keeps a diary."""

    def __init__(self, *leaves):
        self.leaves, self.diary, self.gradients = leaves, [], {}
        watch(self)

    def begin(self, reached):
        self.diary.append([self.number(x) for x in reached])

    def arrived(self, leaf, gradient):
        self.diary.append(self.number(leaf))
        self.gradients[self.number(leaf)] = None if gradient is None else gradient.numpy().copy()

    def number(self, leaf):
        return next(k for k, x in enumerate(self.leaves) if x is leaf)


@pytest.fixture
def leaves():
    return [tg.tensor([1.0 + k, 2.0], requires_grad=True) for k in range(4)]


def after(x, diary, word):
    """Return `x`, with a note in the diary when the walk back passes here."""
    y = x * 1
    y.register_hook(lambda g: diary.append(word))
    return y


def test_each_gradient_is_told_of_when_the_last_use_is_passed(leaves):
    a, b, c, d = leaves
    watcher = Watcher(a, b, c, d)
    x = after(a * b, watcher.diary, "first")
    x = after(x * a * c, watcher.diary, "second")
    (x.sum() + (c * c).sum()).backward()
    assert watcher.diary == [[0, 1, 2], "second", 2, "first", *watcher.diary[-2:]]
    assert set(watcher.diary[-2:]) == {0, 1}
    for leaf, k in ((a, 0), (b, 1), (c, 2)):
        np.testing.assert_array_equal(watcher.gradients[k], leaf.grad)
    np.testing.assert_allclose(c.grad, a.detach() ** 2 * b.detach() + 2 * c.detach())


def test_what_is_in_grad_already_is_not_counted_in(leaves):
    a = leaves[0]
    watcher = Watcher(a)
    for _ in range(2):
        (a * 3).sum().backward()
    assert watcher.gradients[0].tolist() == [3, 3] and a.grad.tolist() == [6, 6]


def test_leaves_with_hooks_are_told_of_after_these(leaves):
    a, b = leaves[:2]
    watcher = Watcher(a, b)
    handle = a.register_hook(lambda g: 10 * g)
    x = after(b * 2, watcher.diary, "b is used")
    (x * a).sum().backward()
    assert watcher.diary == [[0, 1], "b is used", 1, 0]
    assert watcher.gradients[0].tolist() == (20 * b.detach()).tolist()
    handle.remove()
    watcher.diary.clear()
    (after(b * 2, watcher.diary, "b is used") * a).sum().backward()
    assert watcher.diary == [[0, 1], 0, "b is used", 1]


def test_leaves_that_nothing_flows_to(leaves):
    class Nothing(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g, None

    a, b, c, d = leaves
    watcher = Watcher(a, b, c, d)
    Nothing.apply(a, b).sum().backward()
    assert watcher.diary == [[0, 1], 0, 1] and watcher.gradients[1] is None and b.grad is None
    watcher.diary.clear()
    Nothing.apply(c, d * d).sum().backward()
    assert watcher.diary == [[2, 3], 2, 3] and watcher.gradients[3] is None


def test_a_leaf_that_is_the_output_and_hooks_of_nodes(leaves):
    a, b = leaves[:2]
    watcher = Watcher(a, b)
    a.backward(tg.tensor([5.0, 6.0]))
    assert watcher.diary == [[0], 0] and watcher.gradients[0].tolist() == [5, 6]
    y = a * b
    y.grad_fn.register_hook(lambda pulled, given: (pulled[0] * 2, pulled[1]))
    y.sum().backward()
    assert watcher.gradients[0].tolist() == (2 * b.detach()).tolist()
    assert watcher.diary[2:] == [[0, 1], 0, 1]


def test_autograd_grad_tells_nobody_and_those_gone_hear_nothing(leaves):
    a, b = leaves[:2]
    watcher, other = Watcher(a), Watcher(b)
    tg.autograd.grad((a * b).sum(), [a, b])
    assert watcher.diary == other.diary == []
    del other
    gc.collect()
    (a * b).sum().backward()
    assert watcher.diary == [[0], 0]


def test_a_long_chain_within_the_stack():
    a = tg.ones(1, requires_grad=True)
    watcher, x = Watcher(a), a
    for _ in range(20_000):
        x = x + a
    x.backward()
    assert watcher.diary == [[0], 0] and watcher.gradients[0].item() == 20_001


def test_parts_that_are_added_to_one_sum(leaves):
    a, b = leaves[:2]
    watcher = Watcher(a, b)
    x = after(b * 2, watcher.diary, "b is used")
    y = a[0] * x[0] + a[1] * x[1] + 5 * a[0]
    y.backward()
    assert watcher.diary == [[0, 1], 0, "b is used", 1]
    assert watcher.gradients[0].tolist() == a.grad.tolist() == [9, 4]
