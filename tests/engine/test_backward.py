"""The walk back."""

import contextlib
import gc
import os
import signal
import threading
import time
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import (
    ArgumentError,
    GraphError,
    MutationError,
    RuleError,
    ShapeError,
    TensorError,
)
from tinygrad_relu.ops.domain import elementwise, real
from tinygrad_relu.ops.table import TABLE, op


def test_gradients_add_up_over_paths_and_calls():
    x = tg.tensor([2.0, 3.0], requires_grad=True)
    h = x * x
    (h * x + h + x).sum().backward()
    assert x.grad.tolist() == [3 * 4 + 4 + 1, 27 + 6 + 1]
    first = x.grad
    (2 * x).sum().backward()
    assert x.grad is first and x.grad.tolist() == [19, 36]


def test_a_leaf_can_be_its_own_output():
    x = tg.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1


def test_broadcast_inputs_get_gradients_of_their_own_shape_and_dtype():
    a = tg.tensor(np.ones((2, 1), np.float32), requires_grad=True)
    b = tg.tensor(np.ones((4, 1, 3)), requires_grad=True)
    c = tg.tensor(2.0, requires_grad=True)
    (a * b + c).sum().backward()
    assert a.grad.shape == (2, 1) and a.grad.dtype == np.float32 and a.grad.tolist() == [[12], [12]]
    assert b.grad.shape == (4, 1, 3) and b.grad.dtype == np.float64
    assert c.grad.shape == () and c.grad.item() == 24


def test_gradient_argument_weights_the_outputs():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).backward(gradient=tg.tensor([10.0, 100.0]))
    assert x.grad.tolist() == [20, 400]
    (x * x).backward([1, 1])
    assert x.grad.tolist() == [22, 404]


def test_grads_never_alias_each_other_or_the_gradient_given():
    x, y = (tg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    given = tg.tensor([1.0, 1.0])
    (x + y).backward(given)
    x.grad *= 5
    assert y.grad.tolist() == given.tolist() == [1, 1]
    x.grad = None
    x.sum().backward()
    x.grad += 1
    assert x.grad.tolist() == [2, 2]
    w = tg.zeros(2, 3, requires_grad=True)
    w.mT.backward(np.arange(6.0).reshape(3, 2))
    assert w.grad.numpy().flags.c_contiguous and w.grad.tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_leaves_that_are_added_up_have_gradients_of_their_own(count, create_graph):
    leaves = [tg.ones(3, requires_grad=True) for _ in range(count)]
    for _ in range(2):
        sum(leaves[1:], leaves[0]).sum().backward(create_graph=create_graph)
    assert [x.grad.tolist() for x in leaves] == [[2] * 3] * count
    for x in leaves:
        x.grad = x.grad.detach().clone()
    leaves[0].grad *= 5
    assert leaves[1].grad.tolist() == [2] * 3
    given = tg.ones(3)
    leaves[0].grad = None
    (leaves[0] + 1).backward(given, create_graph=create_graph)
    (leaves[0] + 1).backward(given, create_graph=create_graph)
    assert given.tolist() == [1] * 3 and leaves[0].grad.tolist() == [2] * 3


def test_a_gradient_in_read_only_memory_is_replaced():
    x = tg.zeros(4, requires_grad=True)
    memory = bytes(np.ones(4))
    x.grad = tg.asarray(np.frombuffer(memory))
    (x * 3).sum().backward()
    assert x.grad.tolist() == [4] * 4 and memory == bytes(np.ones(4))


def test_the_users_arrays_are_never_shared_silently():
    x = tg.ones(2, 3, requires_grad=True)
    for view in (
        lambda a: np.broadcast_to(a, (2, 3)), lambda a: tg.reshape(a, 1, 3), lambda a: tg.permute(a, 0),
    ):
        array = np.ones(3)
        y = x * view(array)
        array[:] = 7
        (gradient,) = tg.autograd.grad(y.sum(), x)
        assert gradient.tolist() == [[1] * 3] * 2


def test_a_changed_output_is_found_at_second_order():
    for f in (tg.relu, tg.exp, tg.tanh, tg.sigmoid, tg.sqrt):
        x, w = tg.tensor([1.0, 2.0], requires_grad=True), tg.ones(2, requires_grad=True)
        y = f(x)
        (first,) = tg.autograd.grad((y * w).sum(), x, create_graph=True)
        with tg.no_grad():
            y[...] = 0.0
        with pytest.raises(MutationError):
            tg.autograd.grad((first * first).sum(), (w, x))


@pytest.mark.parametrize(
    ("make", "gradient", "kind", "words"),
    [
        (lambda x: x * 2, None, GraphError, "has no single gradient"),
        (lambda x: x.detach().sum(), None, GraphError, "nothing was recorded"),
        (lambda x: x * 2, np.ones(3), ShapeError, r"\(3,\).*\(2,\)"),
        (lambda x: x * 2, np.ones(2, complex), TypeError, "complex"),
    ],
)
def test_backward_that_cannot_begin_changes_nothing(make, gradient, kind, words):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(kind, match=words):
        make(x).backward(gradient)
    assert x.grad is None


def test_backward_twice_needs_retain_graph():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 8]
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()
    assert x.grad.tolist() == [4, 8]
    shared = x * x
    shared.sum().backward()
    with pytest.raises(GraphError, match="multiply"):
        shared.mean().backward()
    assert x.grad.tolist() == [6, 12]


def test_a_walk_that_fails_leaves_all_grads_alone():
    try:
        @op(np.positive, domain=elementwise(real), x=lambda g: g.reshape(1, -1) if g.size else None)
        def misshapen(x, /):
            """A rule that returns a wrong shape."""

        a, b = (tg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        y = (b * 3 + misshapen(a.exp().expand(3, 2))).sum()
        with pytest.raises(RuleError, match=r"misshapen: the rule of x .*\(1, 6\).*\(3, 2\)"):
            y.backward()
        assert a.grad is None and b.grad is None
    finally:
        TABLE.pop("misshapen", None)


def test_a_rule_that_returns_no_tensor_is_named():
    try:
        @op(np.positive, domain=elementwise(real), x=lambda g: None)
        def forgetful(x, /):
            """A rule that forgets to return."""

        with pytest.raises(RuleError, match="forgetful: the rule of x returned a NoneType"):
            forgetful(tg.tensor([1.0], requires_grad=True)).backward()
    finally:
        TABLE.pop("forgetful", None)


def test_a_rule_may_ask_for_its_shape_and_its_position():
    asked = []

    def rule(g, i, parts_shape):
        asked.append((i, parts_shape))
        return g

    try:
        @op(lambda *parts: np.add.reduce(parts), domain=elementwise(real), parts=rule)
        def total(*parts):
            """The sum of any number of parts."""

        parts = [tg.ones(2, 3, requires_grad=True) for _ in range(20)]
        total(*parts).sum().backward()
        assert asked == [(i, (2, 3)) for i in range(20)]
        assert all(part.grad.tolist() == [[1] * 3] * 2 for part in parts)
    finally:
        TABLE.pop("total", None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_another_thread_adds_gradients_does_not_hang():
    x = tg.ones(4_000_000, requires_grad=True)
    stop = []

    def walk():
        while not stop:
            (x * 2.0).sum().backward()

    thread = threading.Thread(target=walk)
    thread.start()
    try:
        for _ in range(5):
            time.sleep(0.02)
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                y = tg.ones(1, requires_grad=True)
                (y * 3).backward()
                os._exit(0 if y.grad.item() == 3 else 1)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        stop.append(True)
        thread.join()


def test_second_and_third_derivatives():
    x = tg.tensor(2.0, requires_grad=True)
    y = x**4
    expected = [4 * 8.0, 12 * 4.0, 24 * 2.0, 24.0]
    for value in expected:
        (y,) = tg.autograd.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(value)


def test_create_graph_leaves_recorded_grads():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    first.sum().backward()
    assert first.tolist() == [3, 12] and x.grad.tolist() == [6, 12]


def test_autograd_grad_of_inner_values_several_outputs_and_unused_inputs():
    x, unused = tg.tensor([1.0, 2.0], requires_grad=True), tg.zeros(1, requires_grad=True)
    h = x * x
    y = h.sum()
    (inner,) = tg.autograd.grad(y, h, retain_graph=True)
    assert inner.tolist() == [1, 1] and x.grad is None
    (both,) = tg.autograd.grad([y, h], [x], [None, tg.tensor([10.0, 0.0])], retain_graph=True)
    assert both.tolist() == [22, 4]
    (through,) = tg.autograd.grad([h.exp().sum(), h.sum()], h)
    np.testing.assert_allclose(through.numpy(), np.exp([1, 4]) + 1)
    y = (x * 2).sum()
    with pytest.raises(GraphError, match=r"inputs\[1\]"):
        tg.autograd.grad(y, [x, unused], retain_graph=True)
    assert tg.autograd.grad(y, [x, unused], allow_unused=True)[1] is None
    with pytest.raises(GraphError, match=r"inputs\[0\]"):
        tg.autograd.grad(x.sum(), tg.zeros(1))


def test_many_inputs():
    parts = [tg.full((1,), float(k), requires_grad=True) for k in range(100)]
    (tg.cat(parts) * np.arange(100.0)).sum().backward()
    assert [p.grad.item() for p in parts] == list(range(100))


def test_more_axes_than_nodes_hold_inline():
    x = tg.ones((1,) * 12 + (2,), requires_grad=True)
    (x * 3 * tg.ones(2)).sum().backward()
    assert x.grad.shape == x.shape and x.grad.tolist() == (x.detach() * 3).tolist()


def test_a_chain_of_a_million_ops_is_built_walked_and_freed():
    for walked in (True, False):
        x = tg.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(1_000_000):
            y = y * 1.0
        if walked:
            y.backward()
            assert x.grad.item() == 1
        del y


def test_a_wide_graph_is_walked_in_order(rng):
    x = tg.tensor(rng.standard_normal(50), requires_grad=True)
    layer = list(x)
    for _ in range(6):
        order = rng.permutation(50)
        layer = [layer[k] * 0.5 + layer[j] for k, j in enumerate(order)]
    total = tg.stack(layer).sum()
    total.backward()
    assert x.grad.sum().item() == pytest.approx(50 * 1.5**6)


def test_graphs_are_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = tg.tensor([1.0, 2.0], requires_grad=True)
        inner = x.exp()
        reference = weakref.ref(inner)
        y = (inner * inner).sum()
        del inner
        assert reference() is not None      # multiply keeps it
        y.backward()
        assert reference() is None          # and lets go as it is passed
        inner = x.exp()
        reference = weakref.ref(inner)
        y = (inner * inner).sum()
        del inner, y
        assert reference() is None
    finally:
        gc.enable()


def test_threads_differentiate_their_own_and_a_shared_graph(rng):
    w = tg.tensor(rng.standard_normal((20, 20)), requires_grad=True)
    shared = (w @ w).relu()
    expected = [tg.autograd.grad(shared[k].sum(), w, retain_graph=True)[0].numpy() for k in range(8)]
    found = [None] * 8

    def work(k):
        for _ in range(10):
            (found[k],) = tg.autograd.grad(shared[k].sum(), w, retain_graph=True)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(expected, found):
        np.testing.assert_array_equal(a, b.numpy())


def in_threads(work, count):
    threads = [threading.Thread(target=work, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("create_graph", [False, True])
def test_threads_add_to_one_large_leaf_without_losing_anything(create_graph):
    for _ in range(5):
        x = tg.ones(1_000_000, requires_grad=True)
        barrier = threading.Barrier(4)

        def work(k, x=x, barrier=barrier):
            barrier.wait()
            for _ in range(2):
                (x * 2).sum().backward(create_graph=create_graph)

        in_threads(work, 4)
        assert (x.grad.detach().numpy() == 16).all()
        x.grad = None


def test_grads_may_be_forgotten_while_another_thread_walks():
    x = tg.ones(500_000, requires_grad=True)
    stop = []

    def forget(k):
        while not stop:
            x.grad = None

    thread = threading.Thread(target=forget, args=(0,))
    thread.start()
    for _ in range(50):
        (x * 2).sum().backward()
    stop.append(True)
    thread.join()


def test_threads_that_free_one_graph_raise_and_do_not_crash():
    for _ in range(10):
        h = tg.ones(100_000, requires_grad=True)
        for _ in range(10):
            h = tg.exp(h * 0.1) * h
        losses = [h.sum(), (h * 2).sum()]

        def work(k, losses=losses):
            with contextlib.suppress(GraphError):
                losses[k].backward()

        in_threads(work, 2)


# ------------------------------------------------------------------------------------------ modes


def test_no_grad_and_enable_grad_as_contexts_and_decorators():
    x = tg.tensor([1.0], requires_grad=True)

    @tg.no_grad
    def bare():
        return x * 2

    @tg.no_grad()
    def called():
        with tg.enable_grad():
            inner = x * 2
        return x * 2, inner

    assert not bare().requires_grad
    outer, inner = called()
    assert not outer.requires_grad and inner.requires_grad
    assert tg.is_grad_enabled() and (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert tg.is_grad_enabled()
    mode = tg.no_grad()
    with mode, mode:
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()


def test_a_decorated_function_keeps_the_modes_of_threads_apart():
    inside, left = threading.Event(), threading.Event()
    seen = {}

    @tg.no_grad
    def slow(name):
        if name == "a":
            inside.set()
            left.wait(10)

    def a():
        slow("a")
        seen["a"] = tg.is_grad_enabled()

    thread = threading.Thread(target=a)
    thread.start()
    inside.wait(10)
    with tg.no_grad():
        slow("b")
        left.set()
        thread.join()
        seen["b"] = tg.is_grad_enabled()
    assert seen == {"a": True, "b": False}
    with pytest.raises(ArgumentError, match="generator"):
        @tg.no_grad
        def numbers():
            yield 1


def test_set_grad_enabled_as_call_context_and_decorator():
    x = tg.tensor([1.0], requires_grad=True)
    tg.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    tg.set_grad_enabled(True)
    with tg.set_grad_enabled(False):
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()

    @tg.set_grad_enabled(False)
    def f():
        return x * 2

    assert tg.is_grad_enabled() and not f().requires_grad and tg.is_grad_enabled()


def test_the_mode_is_each_threads_own():
    seen = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(tg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# ------------------------------------------------------------- kinks, ties and edges, as documented


def gradient_at(f, *values):
    inputs = [tg.tensor(v, requires_grad=True) for v in values]
    f(*inputs).sum().backward()
    return [x.grad.tolist() for x in inputs]


def test_conventions_at_kinks_and_ties():
    assert gradient_at(tg.relu, [0.0, -0.0, np.inf, -np.inf]) == [[0, 0, 1, 0]]
    assert gradient_at(lambda x: tg.leaky_relu(x, 0.5), [0.0]) == [[0.5]]
    assert gradient_at(lambda x: tg.thresholded_relu(x, 1.0, 0.25, 2.0), [1.0]) == [[0.25]]
    assert gradient_at(abs, [0.0]) == [[0]]
    assert gradient_at(tg.sign, [0.0, 2.0]) == [[0, 0]]
    assert gradient_at(tg.maximum, [1.0, 2.0], [1.0, 0.0]) == [[0.5, 1], [0.5, 0]]
    assert gradient_at(tg.minimum, [1.0], [1.0]) == [[0.5], [0.5]]
    assert gradient_at(lambda x: x.max(), [3.0, 1.0, 3.0]) == [[0.5, 0, 0.5]]
    assert gradient_at(lambda x: x.max(0).values, [3.0, 1.0, 3.0]) == [[1, 0, 0]]
    assert gradient_at(lambda x: x.clamp(0.0, 1.0), [-1.0, 0.0, 1.0, 2.0]) == [[0, 1, 1, 0]]
    assert gradient_at(tg.sqrt, [0.0]) == [[np.inf]]
    assert gradient_at(lambda x: x**2, [0.0]) == [[0]]
    assert gradient_at(lambda x: x**0, [0.0]) == [[0]]
    assert gradient_at(tg.pow, [0.0, 2.0], [2.0, 0.0]) == [[0, 0], [0, np.log(2)]]


def test_nan_passes_relu_and_so_does_its_gradient():
    x = tg.tensor([np.nan], requires_grad=True)
    y = x.relu()
    y.backward()
    assert np.isnan(y.item()) and x.grad.item() == 1


def test_where_lets_no_nan_through_from_the_other_side():
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    tg.where(x > 0, tg.where(x > 0, x, 1.0).log(), 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    y = tg.where(tg.tensor([False, True]), x, 5.0)
    y.backward([np.inf, 1.0])
    assert x.grad.tolist() == [0, 1]


def test_prod_with_zeros_is_right_at_every_order():
    for values in ([2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [2.0, 3.0, 4.0]):
        x = tg.tensor(values, requires_grad=True)
        assert tg.gradcheck(lambda v: v.prod(), x)
        assert tg.gradgradcheck(lambda v: v.prod(), x)
    x = tg.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, 5.0]], requires_grad=True)
    for axis in (0, 1, (0, 1), None, -1):
        assert tg.gradcheck(lambda v, a=axis: v.prod(a), x)


def test_zero_size():
    x = tg.zeros(0, 3, requires_grad=True)
    w = tg.ones(2, 3, requires_grad=True)
    (tg.relu(tg.linear(x, w)).sum() + x.sum(0).sum() + tg.cat([x, x]).sum()).backward()
    assert x.grad.shape == (0, 3) and w.grad.tolist() == [[0, 0, 0]] * 2
    assert np.isnan(tg.zeros(0).mean().item()) and tg.zeros(0).sum().item() == 0


def test_logsumexp_and_softmax_at_extremes():
    x = tg.tensor([-np.inf, 0.0, 1000.0], requires_grad=True)
    y = x.logsumexp(0)
    y.backward()
    assert y.item() == 1000 and x.grad.tolist() == [0, 0, 1]
    assert tg.tensor([-np.inf, -np.inf]).logsumexp(0).item() == -np.inf
    assert tg.softmax(tg.tensor([1e308, 0.0]), 0).tolist() == [1, 0]
    loss = tg.cross_entropy(tg.tensor([[1000.0, -1000.0]], requires_grad=True), tg.tensor([1]))
    assert loss.item() == 2000


# ------------------------------------------------------- cotangents that are written over

def buffers_taken(loss):
    before = tg.memory_stats()
    loss.backward()
    after = tg.memory_stats()
    return sum(after[key] - before[key] for key in ("reused", "obtained"))


@pytest.mark.parametrize(
    "activation",
    [tg.relu, tg.leaky_relu, lambda x: tg.relu_with_mask(x)[0], lambda x: tg.thresholded_relu(x, 0.1)],
)
def test_the_backward_of_a_gate_writes_over_a_cotangent_that_nobody_else_holds(activation, rng):
    values = rng.standard_normal((300, 400))
    x = tg.tensor(values, requires_grad=True)
    plain = buffers_taken((x * 2).sum())
    x.grad = None
    assert buffers_taken(activation(x * 2).sum()) == plain
    expected = tg.tensor(values, requires_grad=True)
    given = tg.ones(300, 400)
    activation(expected * 2).backward(given)
    np.testing.assert_array_equal(x.grad.numpy(), expected.grad.numpy())
    np.testing.assert_array_equal(given.numpy(), np.ones((300, 400)))


def test_a_cotangent_that_others_hold_is_left_alone(rng):
    values = rng.standard_normal((300, 400))
    x = tg.tensor(values, requires_grad=True)
    other = tg.tensor(np.ones((300, 400)), requires_grad=True)
    y = tg.relu(x)
    (g_sum,) = tg.autograd.grad((y + other).sum(), [other], retain_graph=True)
    (y + other).sum().backward()        # one cotangent for relu and for the leaf
    np.testing.assert_array_equal(other.grad.numpy(), np.ones((300, 400)))
    np.testing.assert_array_equal(g_sum.numpy(), np.ones((300, 400)))
    np.testing.assert_array_equal(x.grad.numpy(), values > 0)
    z = x * 1.0
    dy, dz = tg.autograd.grad(tg.relu(z).sum() * 3, [z, x])
    np.testing.assert_array_equal(dy.numpy(), 3.0 * (values > 0))
    np.testing.assert_array_equal(dz.numpy(), 3.0 * (values > 0))
    w = tg.relu(x * 1.0)
    dw, dx = tg.autograd.grad((w * 3).sum(), [w, x])    # asked for: relu must not write over it
    np.testing.assert_array_equal(dw.numpy(), np.full((300, 400), 3.0))
    np.testing.assert_array_equal(dx.numpy(), 3.0 * (values > 0))


def test_a_learned_slope_gets_the_cotangent_as_it_was(rng):
    values = rng.standard_normal((300, 400))
    x = tg.tensor(values, requires_grad=True)
    slope = tg.tensor([0.25], requires_grad=True)
    (tg.prelu(x * 1.0, slope) * 2).sum().backward()
    np.testing.assert_allclose(slope.grad.numpy(), [2 * values[values <= 0].sum()], rtol=1e-12)
    np.testing.assert_array_equal(x.grad.numpy(), np.where(values > 0, 2.0, 0.5))


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("view", [lambda t: t.reshape(4), lambda t: t.T])
def test_gradients_of_several_leaves_never_share_memory(view, create_graph):
    a, b = (tg.tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2))

    def loss():
        return (view(a) + view(b)).square().sum()

    for found in (a.grad, b.grad):
        assert found is None
    loss().backward(create_graph=create_graph)
    loss().backward()
    np.testing.assert_array_equal(a.grad.detach().numpy(), np.full((2, 2), 8.0))
    np.testing.assert_array_equal(b.grad.detach().numpy(), np.full((2, 2), 8.0))
    first, second = tg.autograd.grad(loss(), [a, b], create_graph=create_graph)
    with tg.no_grad():
        first *= 0
    np.testing.assert_array_equal(second.detach().numpy(), np.full((2, 2), 4.0))


def test_one_element_of_a_vector_is_a_view():
    t = tg.zeros(3)
    element = t[1]
    element += 5
    assert t.tolist() == [0, 5, 0]


@pytest.mark.parametrize("seed", range(20))
def test_parts_add_to_one_sum_without_spoiling_what_others_hold(seed):
    rng = np.random.default_rng(seed)
    keys = [slice(0, 3), slice(None, None, -2), 4, np.array([1, 1, 3]), (np.array([[0, -1], [0, 2]]),)]

    def loss(*leaves):
        whole, other = leaves[0] * leaves[1], leaves[1] + leaves[2]
        both = whole + other        # one cotangent, as it is, for two that have further ones
        both.retain_grad()
        total, draw = (both * both).sum(), np.random.default_rng(seed)
        for source in draw.permutation(np.repeat(np.arange(5), 4)):
            tensor = (whole, other, both, leaves[0], leaves[2])[source]
            part = tensor[keys[draw.integers(len(keys))]]
            total = total + (part * draw.standard_normal(part.shape)).sum()
        return total, both

    start = [rng.standard_normal((6, 3)) for _ in range(3)]
    found = []
    for create_graph in (False, True):      # which lends no sum to any rule
        leaves = [tg.tensor(x, requires_grad=True) for x in start]
        total, both = loss(*leaves)
        total.backward(create_graph=create_graph)
        found.append([both.grad.detach().numpy(), *(x.grad.detach().numpy() for x in leaves)])
    for lent, plain in zip(*found):
        np.testing.assert_allclose(lent, plain, rtol=1e-12, atol=1e-12)


def test_the_way_back_through_many_parts_makes_one_array_of_the_size_of_the_whole():
    import tracemalloc

    x = tg.zeros(200, 1000, requires_grad=True)
    y = x * 2.0
    total = tg.stack([row.sum() for row in y.unbind()]).sum()
    tracemalloc.start()
    total.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * x.numel() * 8
    np.testing.assert_array_equal(x.grad.numpy(), np.full((200, 1000), 2.0))


def test_what_does_not_lie_on_the_way_to_the_inputs_is_neither_walked_nor_freed():
    seen = []
    w, v = tg.tensor([2.0], requires_grad=True), tg.tensor([1.0], requires_grad=True)
    h, k = w.exp(), v.exp()
    h.register_hook(lambda g: seen.append("h"))
    k.register_hook(lambda g: seen.append("k"))
    loss = (h * k).sum()
    (gradient,) = tg.autograd.grad(loss, k)
    assert seen == ["k"]
    k.backward(gradient)
    np.testing.assert_allclose(v.grad, np.exp(3.0))
    (h * 2).sum().backward()
    np.testing.assert_allclose(w.grad, 2 * np.exp(2.0))
    with pytest.raises(GraphError, match="freed"):
        loss.backward()


def test_an_input_that_lies_before_another_one_gets_its_gradient_too():
    w = tg.tensor([2.0], requires_grad=True)
    h = w.exp()
    k = h * 2
    first, second = tg.autograd.grad((k * h).sum(), [h, k])
    np.testing.assert_allclose([first.item(), second.item()], [4 * np.exp(2.0), np.exp(2.0)])


def test_backward_adds_to_the_inputs_that_are_named_and_to_nothing_else():
    w, v = tg.tensor([2.0], requires_grad=True), tg.tensor([3.0], requires_grad=True)
    h = w * v
    (h * h).sum().backward(inputs=[h, v])
    np.testing.assert_allclose(h.grad, 12.0)
    np.testing.assert_allclose(v.grad, 24.0)
    assert w.grad is None


@pytest.mark.parametrize(
    ("inputs", "message"),
    [([], "inputs is empty"), ([1.0], r"inputs\[0\] is a float"), (5, r"inputs\[0\] is a int"),
     ([tg.ones(1)], "does not require")],
)
def test_backward_refuses_inputs_that_have_no_gradient(inputs, message):
    x = tg.tensor(1.0, requires_grad=True)
    with pytest.raises(TensorError, match=message):
        (x * x).backward(inputs=inputs)
    assert x.grad is None


def test_only_inputs_of_older_programs():
    x = tg.tensor(3.0, requires_grad=True)
    assert tg.autograd.grad(x * x, x, only_inputs=True)[0].item() == 6
    with pytest.raises(ArgumentError, match=r"only_inputs is False: call backward\(\)"):
        tg.autograd.grad(x * x, x, only_inputs=False)
