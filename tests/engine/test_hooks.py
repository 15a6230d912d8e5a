"""Hooks, retained gradients, where errors come from, and how values are saved."""

import gc
import inspect
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import GraphError, MutationError, RuleError


def leaf(*values):
    return tg.tensor(values, requires_grad=True)


# ---------------------------------------------------------------------------------------- hooks

def test_hooks_of_a_tensor_run_in_order_and_replace_its_gradient():
    x, seen = leaf(1.0, 2.0), []
    y = x * 3
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    handle = y.register_hook(lambda g: g * 1000)
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle.remove()
    (y + y).sum().backward()
    assert seen == [[2, 2], [20, 20]]       # the whole gradient, once
    assert x.grad.tolist() == [60, 60]


def test_hooks_of_a_leaf_run_before_its_gradient_is_added():
    x = leaf(1.0, 2.0)
    after = []
    x.register_hook(lambda g: g + 1)
    x.register_post_accumulate_grad_hook(lambda leaf: after.append(leaf.grad.tolist()))
    (x * 2 + x).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [7, 7]
    assert after == [[4, 4], [7, 7]]
    assert tg.autograd.grad(x.sum(), x)[0].tolist() == [2, 2]


def test_hooks_can_be_taken_away_and_used_with_with():
    x = leaf(1.0)
    with x.register_hook(lambda g: g * 5):
        x.sum().backward()
    x.sum().backward()
    assert x.grad.tolist() == [6]


def test_hooks_of_nodes():
    x, w, seen = leaf(2.0), leaf(3.0), []
    y = x * w
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 2,))
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10, inputs[1]))
    y.sum().backward()
    (inputs, outputs), = seen
    assert [g.tolist() for g in inputs] == [[6], [4]] and outputs[0].tolist() == [2]
    assert x.grad.tolist() == [60] and w.grad.tolist() == [4]


def test_wrong_hooks():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g[:1])
    with pytest.raises(RuleError, match=r"hook on a leaf returned shape \(1,\)"):
        x.sum().backward()
    assert x.grad is None
    with pytest.raises(GraphError, match="nothing was recorded"):
        tg.ones(2).register_hook(print)
    with pytest.raises(GraphError, match="leaf"):
        (x * 1).register_post_accumulate_grad_hook(print)
    y = x.detach().requires_grad_() * 1
    y.grad_fn.register_hook(lambda inputs, outputs: 5)
    with pytest.raises(RuleError, match="a tuple of 2"):
        y.sum().backward()


def test_a_hook_keeps_its_gradient_from_being_written_over(rng):
    x = tg.tensor(rng.standard_normal((300, 300)), requires_grad=True)
    kept = []
    y = tg.relu(x * 1.0)
    y.register_hook(kept.append)
    (y * 2).sum().backward()
    np.testing.assert_array_equal(kept[0].numpy(), np.full((300, 300), 2.0))


def test_gradients_of_tensors_that_are_no_leaves_are_retained():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [40, 80] and x.grad.tolist() == [80, 160]
    with pytest.raises(GraphError):
        tg.ones(2).retain_grad()
    z = x * 2
    z.retain_grad()
    seen = weakref.ref(z)
    loss = z.sum()
    del z
    gc.collect()
    assert seen() is None
    loss.backward()


# ------------------------------------------------------------------- where an error comes from

def test_errors_of_the_backward_pass_name_the_line_of_the_user():
    x = leaf(1.0, 2.0)
    y = x.exp()             # this line
    line = inspect.currentframe().f_lineno - 1
    with tg.no_grad():
        y += 1
    with pytest.raises(MutationError) as caught:
        y.sum().backward()
    message = str(caught.value)
    assert f"{__file__}, line {line}, in {inspect.currentframe().f_code.co_name}" in message
    assert "y = x.exp()" in message and "version" in message


def test_the_line_is_the_users_also_for_compositions():
    x = leaf(1.0, 2.0)
    y = tg.leaky_relu(x).mean()
    line = inspect.currentframe().f_lineno - 1
    assert f"line {line}, in" in y.grad_fn.place
    assert f"line {line}, in" in y.grad_fn.next_functions[0].place


def test_an_error_in_a_rule_is_noted_with_the_line():
    class Broken(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError("of the user's own")

    y = Broken.apply(leaf(1.0)).sum()
    with pytest.raises(ZeroDivisionError) as caught:
        y.backward()
    assert any("Broken" in note and "y = Broken.apply" in note for note in caught.value.__notes__)


def test_anomalies_are_found_where_they_arise():
    x = leaf(0.0, 1.0)
    with tg.autograd.detect_anomaly():
        y = x.sqrt()                        # the derivative at 0 is infinite, and 0 * inf is NaN
        with pytest.raises(GraphError, match=r"sqrt: the gradient of x is nan at \(0,\)") as caught:
            (y * leaf(0.0, 0.0)).sum().backward()
        assert "y = x.sqrt()" in str(caught.value)
        x.sqrt().sum().backward()           # infinite, but a number
    x.grad = None
    with tg.autograd.detect_anomaly(check_inf=True), pytest.raises(GraphError, match="is inf"):
        x.sqrt().sum().backward()
    assert x.grad is None
    (x.sqrt() * leaf(0.0, 0.0)).sum().backward()
    assert np.isnan(x.grad.numpy()[0])
    with tg.autograd.set_detect_anomaly(True), tg.autograd.set_detect_anomaly(False):
        x.sqrt().sum().backward()


# ---------------------------------------------------------------------------- how values are saved

def test_what_is_saved_is_packed_and_unpacked(rng):
    values = rng.standard_normal(5)
    x, packed = tg.tensor(values, requires_grad=True), []

    def pack(tensor):
        assert not tensor.requires_grad
        packed.append(tensor.shape)
        return tensor.numpy().copy()

    with tg.autograd.saved_tensors_hooks(pack, tg.tensor):
        y = (x * x).exp()
    assert packed == [(5,)] * 3             # both factors, and the output of exp
    with tg.no_grad():
        x *= 0                              # what is packed is not this
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * values * np.exp(values**2), rtol=1e-12)


def test_packed_values_keep_their_history():
    x = leaf(0.5, 2.0)
    with tg.autograd.saved_tensors_hooks(lambda t: t, lambda t: t):
        y = (x * x * x).sum()
    (first,) = tg.autograd.grad(y, x, create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), x)
    assert second.tolist() == [3, 12]


def test_an_unpacking_that_returns_nothing_is_named():
    x = leaf(1.0)
    with tg.autograd.saved_tensors_hooks(lambda t: t, lambda t: None):
        y = x * x
    with pytest.raises(RuleError, match="unpacks"):
        y.backward()


def test_checkpoints_compute_again_what_they_do_not_keep(rng):
    weights = tg.tensor(rng.standard_normal((4, 4)), requires_grad=True)
    values = rng.standard_normal((3, 4))
    calls = []

    def layer(x):
        calls.append(1)
        return tg.tanh(x @ weights).exp() * tg.rand(4)

    results = []
    for keep in (True, False):
        x = tg.tensor(values, requires_grad=True)
        weights.grad = None
        tg.manual_seed(3)
        y = layer(x) if keep else tg.utils.checkpoint.checkpoint(layer, x)
        if not keep:
            tg.rand(100)
        z = (y * y).sum()
        z.backward()
        results.append((z.item(), x.grad.tolist(), weights.grad.tolist()))
    assert results[0] == results[1] and len(calls) == 3


def test_a_checkpoint_that_does_something_else_the_second_time_is_found():
    x, calls = leaf(1.0), []

    def fickle(x):
        calls.append(1)
        return x * x if len(calls) == 1 else x + x

    y = tg.utils.checkpoint.checkpoint(fickle, x)
    with pytest.raises(GraphError, match="the same each time"):
        y.backward()


def test_inference_mode():
    x = leaf(1.0)

    @tg.inference_mode()
    def f():
        return x * 2, tg.is_inference_mode_enabled()

    y, inside = f()
    assert inside and not y.requires_grad and not tg.is_inference_mode_enabled()
    with tg.inference_mode(False):
        assert (x * 2).requires_grad
    assert (x * 2).requires_grad


# ------------------------------------------------------------------------- what an attack found

def test_hooks_return_gradients_of_the_same_shape_and_dtype():
    for register in (
        lambda x, y: x.register_hook(lambda g: g.float()),
        lambda x, y: y.register_hook(lambda g: g.float()),
        lambda x, y: y.grad_fn.register_hook(lambda inputs, outputs: (tg.ones(5), *inputs[1:])),
    ):
        x = leaf(1.0, 2.0)
        y = x * 2
        register(x, y)
        with pytest.raises(RuleError, match="a hook"):
            y.sum().backward()
        assert x.grad is None


def test_hooks_of_leaves_do_not_record():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    x.register_hook(lambda g: g * w)
    x.register_post_accumulate_grad_hook(lambda leaf: leaf.sub_(leaf.grad * 0.1))
    x.sum().backward()
    assert not x.grad.requires_grad and x.tolist() == [0.7, 1.6]


def test_a_hook_that_raises_leaves_nothing_behind():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()

    def refuse(g):
        raise ZeroDivisionError

    x.register_hook(refuse)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert y.grad is None and x.grad is None


def test_gradients_that_are_returned_share_no_memory():
    a, b, d = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0)
    w = tg.ones(4)
    y = tg.cat([a, b]) + tg.cat([a, d, d])
    first, second, third = tg.autograd.grad(y, [a, b, d], w)
    first.zero_()
    second.zero_()
    assert w.tolist() == [1, 1, 1, 1] and third.tolist() == [2]
    (same,) = tg.autograd.grad(a, a, tg.ones(2))
    same.zero_()


def test_checkpoints_that_save_other_shapes_and_gradients_within(rng):
    calls = []

    def fickle(t):
        calls.append(1)
        return (t[:1] if len(calls) == 1 else t).exp().sin().sum()

    with pytest.raises(GraphError, match="the same each time"):
        tg.utils.checkpoint.checkpoint(fickle, leaf(1.0, 2.0)).backward()

    def penalty(t):
        (g,) = tg.autograd.grad((t**3).sum(), t, create_graph=True)
        return (g * g).sum()

    x = leaf(1.0, 2.0)
    tg.utils.checkpoint.checkpoint(penalty, x).backward()
    np.testing.assert_allclose(x.grad.numpy(), 36 * np.array([1.0, 8.0]), rtol=1e-12)


def test_hooks_run_in_the_order_that_pytorch_documents():
    order = []

    def noting(name, factor=None):
        def hook(*gradients):
            order.append(name)
            return None if factor is None else gradients[0] * factor
        return hook

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3.0
    y.retain_grad()
    y.grad_fn.register_prehook(lambda g: (noting("node before", 5.0)(g[0]),))
    y.grad_fn.register_hook(noting("node after"))
    y.register_hook(noting("tensor, first", 2.0))
    y.register_hook(noting("tensor, second"))
    x.register_hook(noting("leaf"))
    x.register_post_accumulate_grad_hook(noting("leaf, added"))
    (captured,) = tg.autograd.grad(y.sum(), [y], retain_graph=True)
    # What is asked for is what hooks on the tensor leave: those on its node come later.
    assert captured.tolist() == [2, 2]
    order.clear()
    y.grad = None
    y.sum().backward()
    assert order == [
        "tensor, first", "tensor, second", "node before", "node after", "leaf", "leaf, added"
    ]
    assert y.grad.tolist() == [10, 10] and x.grad.tolist() == [30, 30]
