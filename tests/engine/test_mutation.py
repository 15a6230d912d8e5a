"""Changes in place that are recorded: against finite differences, which know nothing of graphs."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import DTypeError, GraphError, IndexingError, MutationError, ShapeError


def check(f, *arrays):
    """Check `f` at first order, against the same function of arrays that are not recorded."""
    inputs = [tg.tensor(array, requires_grad=True) for array in arrays]
    assert tg.gradcheck(f, inputs)
    with tg.no_grad():
        plain = f(*[tg.tensor(array) for array in arrays])
    np.testing.assert_array_equal(f(*inputs).detach().numpy(), plain.numpy())


def test_operators(rng):
    def f(x, y):
        z = x * 1.0
        z += y
        z *= y
        z -= 2 * x
        z /= y + 3.0
        z **= 2
        return (z * y).sum()

    check(f, rng.uniform(1, 2, (2, 3)), rng.uniform(1, 2, 3))


def test_old_values_are_kept_for_rules_that_need_them(rng):
    def f(x):
        z = x * 1.0
        z *= z
        z.exp_()
        z.sigmoid_()
        z.clamp_(0.6, 0.9)
        z.square_().relu_()
        return z.sum()

    check(f, rng.uniform(0.2, 1.5, 7))


def test_methods_in_place_are_their_functions(rng):
    values = rng.uniform(0.5, 1.5, (3, 4))
    for name in ("abs", "exp", "log", "neg", "relu", "sigmoid", "sin", "sqrt", "tanh", "reciprocal"):
        x = tg.tensor(values, requires_grad=True)
        y = x.clone()
        assert getattr(y, f"{name}_")() is y
        z = tg.tensor(values, requires_grad=True)
        w = getattr(z, name)()
        (y * values).sum().backward()
        (w * values).sum().backward()
        np.testing.assert_array_equal(y.detach().numpy(), w.detach().numpy())
        np.testing.assert_array_equal(x.grad.numpy(), z.grad.numpy())


def test_a_view_sees_changes_of_its_base_and_the_base_those_of_the_view(rng):
    def f(x):
        y = x * 1.0
        view = y[1:]
        deeper = view.reshape(2, 2).mT
        y *= x                          # the views are of the new values
        deeper += view[:2] * 3.0
        view *= 2.0
        return (y * y).sum() + (deeper * x[:2]).sum() + view.sum()

    check(f, rng.uniform(0.5, 1.5, 5))


def test_views_of_every_kind(rng):
    def f(x):
        y = x.clone()
        y.T[0] *= 2.0
        y.reshape(-1)[::5] += x[0, 0]
        y[:, 1:].permute(1, 0)[0].exp_()
        y[..., None][1, :, 0] -= x[1]
        y.squeeze().unsqueeze(0).flatten()[2:4] = x[1, 2:4]
        return (y * y).sum()

    check(f, rng.uniform(0.2, 1.0, (3, 4)))


KEYS = [
    0, -1, slice(1, None), (slice(None), 2), (Ellipsis, None, 1), np.array([2, 0]),
    ([0, 2, 1], [1, 1, 0]), np.array([[True, False, True, False]] * 3), (slice(None), np.array([3, 1])),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_assignment(key, rng):
    shape = np.zeros((3, 4))[key].shape

    def f(x, value):
        y = x * 2.0
        y[key] = value * value
        y[0, 0] = 3.0
        return (y * y).sum()

    check(f, rng.standard_normal((3, 4)), rng.standard_normal(shape))
    check(f, rng.standard_normal((3, 4)), rng.standard_normal(()))      # broadcast


def test_assignment_fills_a_buffer_that_was_not_recorded(rng):
    def f(x):
        rows = tg.zeros(3, 4)
        for k in range(3):
            rows[k] = x * float(k)
        rows[1] = rows[0] + rows[2]
        return (rows**2).sum()

    check(f, rng.standard_normal(4))


def test_of_values_assigned_to_one_element_the_last_one_stays_and_has_the_gradient():
    value = tg.tensor([5.0, 6.0, 7.0, 8.0], requires_grad=True)
    x = tg.zeros(3)
    x[[0, 0, 2, 0]] = value
    assert x.tolist() == [8, 0, 7]
    x.sum().backward()
    assert value.grad.tolist() == [0, 0, 1, 1]


def test_overlapping_assignment(rng):
    def f(x):
        y = x * 1.0
        y[1:] = y[:-1] * 2.0
        y[:-1] = y[1:]
        return (y * y).sum()

    check(f, rng.standard_normal(5))


def test_filling_and_copying(rng):
    x = tg.tensor(rng.standard_normal(3), requires_grad=True)
    y = x * 1.0
    y.zero_()
    y += x
    y[1:].fill_(4.0)
    z = tg.zeros(2, 3)
    assert z.copy_(y) is z
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 0, 0])


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed):
    """Any mix of views and changes: right by differences, or refused because a value is gone."""
    plan = np.random.default_rng(seed)
    steps = [(plan.integers(9), plan.integers(100), plan.integers(100)) for _ in range(8)]

    def f(x):
        pool = [x * 1.0, x[::-1] * 0.5]
        for kind, first, second in steps:
            a, b = pool[first % len(pool)], pool[second % len(pool)]
            size = min(a.shape[0], b.shape[0])
            if kind == 0:
                a += b[0]
            elif kind == 1:
                a *= b[-1]
            elif kind == 2:
                a[:size] = b[:size]
            elif kind == 3:
                a.tanh_()
            elif kind == 4:
                pool.append(a[: max(1, a.shape[0] - 1)])
            elif kind == 5:
                pool.append(a[::-1])
            elif kind == 6:
                pool.append(a + b[0])
            elif kind == 7:
                pool.append(a[:size] * b[:size])
            else:
                a[:1] -= b[-1:]
        return sum((t * t).sum() for t in pool)

    values = np.random.default_rng(seed + 1000).uniform(0.3, 1.2, 4)
    try:
        f(tg.tensor(values, requires_grad=True)).backward()
    except MutationError:
        return
    check(f, values)


def test_most_random_programs_are_not_refused():
    refused = 0
    for seed in range(60):
        x = tg.tensor(np.linspace(0.5, 1.0, 4), requires_grad=True)
        y = x * 1.0
        for k in np.random.default_rng(seed).integers(4, size=6):
            y[k:] *= y[k].clone()
            y += x
        try:
            y.sum().backward()
        except MutationError:
            refused += 1
    assert refused == 0


def test_second_order(rng):
    def f(x):
        y = x * x
        y[1:] *= x[:-1]
        y.exp_()
        return y.sum()

    assert tg.gradgradcheck(f, [tg.tensor(rng.uniform(0.1, 0.8, 4), requires_grad=True)])


# ---------------------------------------------------------------------------- what is refused

def test_a_leaf_and_its_views_are_not_changed_while_recording():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    for change in (
        lambda: w.__iadd__(1), lambda: w[:1].__imul__(2), lambda: w.exp_(), lambda: w.zero_(),
        lambda: w.reshape(2, 1).__setitem__(0, 3.0),
    ):
        with pytest.raises(GraphError, match="leaf"):
            change()
    assert w.tolist() == [1, 2]
    with tg.no_grad():
        w[:1] *= 5
    assert w.tolist() == [5, 2] and w.is_leaf


def test_a_view_taken_without_recording_is_not_changed_on_record():
    y = tg.tensor([1.0, 2.0], requires_grad=True) * 1.0
    with tg.no_grad():
        view = y[:1]
    with pytest.raises(GraphError, match="under no_grad"):
        view += tg.tensor([1.0], requires_grad=True)
    assert y.tolist() == [1, 2]


def test_what_does_not_fit_changes_nothing():
    y = tg.tensor([1.0, 2.0], requires_grad=True) * 1.0
    before = y.grad_fn
    with pytest.raises(ShapeError, match="fit"):
        y += tg.ones(2, 2)
    with pytest.raises(ShapeError):
        y[:] = tg.ones(3)
    with pytest.raises(IndexingError):
        y[5] = 1.0
    with pytest.raises(DTypeError, match="fit"):
        i = tg.tensor([1, 2])
        i += y
    assert y.tolist() == [1, 2] and y.grad_fn is before and i.tolist() == [1, 2]


def test_values_that_others_need_are_missed(rng):
    x = tg.tensor(rng.standard_normal(3), requires_grad=True)
    y = x * 1.0
    product = y * y
    y += 1.0
    with pytest.raises(MutationError, match="multiply"):
        product.sum().backward()
    z = x.exp()
    z[0] = 0.0
    with pytest.raises(MutationError, match="exp: its result"):
        z.sum().backward()


def test_nothing_is_left_behind():
    x = tg.tensor(np.ones(4), requires_grad=True)
    y = x * 2.0
    view = y[1:]
    view += x[1:]
    y[:2] = view[:2]
    seen = weakref.ref(y), weakref.ref(view)
    y.sum().backward()
    del y, view
    gc.collect()
    assert [reference() for reference in seen] == [None, None]


def test_many_views_of_views_and_many_changes():
    x = tg.tensor(np.ones(3), requires_grad=True)
    base = x * 1.0
    view = base
    for _ in range(100_000):
        view = view[:]
    base += 1.0
    assert view.grad_fn.name == "index"
    view *= 2.0
    for _ in range(1000):
        base += 0.0
    base.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    del view, base


# ------------------------------------------------------------------------- what an attack found

def test_values_that_hooks_pack_are_not_overwritten(rng):
    def f(x, w):
        y = x * 1.0
        y *= w
        y **= 2
        view = y[:1]
        view *= w[:1]
        y *= y
        return y.sum()

    def packed(x, w):
        with tg.autograd.saved_tensors_hooks(lambda t: t, lambda t: t):
            return f(x, w)

    inputs = [tg.tensor(rng.uniform(0.5, 1.5, 3), requires_grad=True) for _ in range(2)]
    assert tg.gradcheck(packed, inputs)
    assert tg.gradcheck(lambda x, w: tg.utils.checkpoint.checkpoint(f, x, w), inputs)


def test_a_detached_tensor_is_a_base_of_its_own(rng):
    def f(w):
        h = (w * 1.0).detach()
        h[0] = w[0]
        h[1] = w[1] * 2.0
        h.add_(w)
        row = h[0]
        row.mul_(w[1])
        h.mul_(2.0)
        return (h * h).sum() + row.sum()

    w = rng.uniform(0.5, 1.5, (2, 2))
    x = tg.tensor(w, requires_grad=True)
    f(x).backward()
    assert np.isfinite(x.grad.numpy()).all()

    def without_detach(w):
        h = tg.zeros(2, 2).detach()
        h[0].add_(w[0])
        h.select(0, 1).copy_(w[1] * 3.0)
        return (h * w).sum()

    assert tg.gradcheck(without_detach, [x])


def test_a_result_that_was_saved_survives_detaching_its_tensor():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for leave in (
        lambda y: (y.detach_(), y.zero_()),
        lambda y: (lambda d: (setattr(y, "data", tg.zeros(2)), d.zero_()))(y.detach()),
    ):
        x.grad = None
        y = x.exp()
        z = y * 1.0
        with tg.no_grad():
            leave(y)
        try:
            z.sum().backward()
        except MutationError:
            continue
        np.testing.assert_allclose(x.grad.numpy(), np.exp([1.0, 2.0]), rtol=1e-12)


def test_a_quotient_and_a_product_need_only_what_their_rules_need():
    x = tg.tensor([1.0, 2.0, 4.0], requires_grad=True)
    y = x / x.sum()
    y *= 2.0
    y.sum().backward()
    w = tg.tensor(np.ones((2, 2)), requires_grad=True)
    product = (tg.ones(3, 2) @ w).sum()
    with tg.no_grad():
        w -= 0.1
    product.backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.full((2, 2), 3.0))


def test_retained_gradients_go_with_the_tensor():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    assert y.retains_grad
    (y * 5).sum().backward()
    assert y.grad.tolist() == [5, 5] and x.grad.tolist() == [30, 30]
