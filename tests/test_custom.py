"""``autograd.Function``: derivatives of the user's own."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.autograd import Function
from tinygrad_relu.errors import ArgumentError, GraphError, MutationError, NotDifferentiable, RuleError


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


class Exp(Function):
    """Saves its result."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class Polar(Function):
    """Two results, a number among the arguments, and the modern way to write it."""

    @staticmethod
    def forward(x, scale, y):
        return scale * (x * x + y * y).sqrt(), x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.scale, y = inputs
        ctx.save_for_backward(x, y, output[0])

    @staticmethod
    def backward(ctx, g, h):
        x, y, r = ctx.saved_tensors
        square = ctx.scale * ctx.scale / r
        return g * x * square + h * y, None, g * y * square + h * x


def points(rng, *shape):
    return tg.tensor(rng.uniform(0.5, 2.0, shape), requires_grad=True)


@pytest.mark.parametrize("function", [Cube, Exp])
def test_first_and_second_order(function, rng):
    x = points(rng, 2, 3)
    assert tg.gradcheck(function.apply, [x])
    assert tg.gradgradcheck(function.apply, [x])


def test_several_results(rng):
    x, y = points(rng, 3), points(rng, 3)
    for f in (
        lambda x, y: Polar.apply(x, 2.0, y)[0],
        lambda x, y: Polar.apply(x, 2.0, y)[1].sum(),
        lambda x, y: (Polar.apply(x, 2.0, y)[0] * Polar.apply(x, 2.0, y)[1]).sum(),
    ):
        assert tg.gradcheck(f, [x, y])
        assert tg.gradgradcheck(f, [x, y])


def test_a_wrong_backward_is_what_gradcheck_finds(rng):
    class Wrong(Cube):
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2.99 * x * x

    with pytest.raises(tg.errors.GradientError):
        tg.gradcheck(Wrong.apply, [points(rng, 3)])


def test_which_gradients_are_needed(rng):
    seen = []

    class Product(Function):
        @staticmethod
        def forward(ctx, a, b, c):
            ctx.save_for_backward(a, b)
            return a * b * c

        @staticmethod
        def backward(ctx, g):
            seen.append(ctx.needs_input_grad)
            a, b = ctx.saved_tensors
            return (g * b if ctx.needs_input_grad[0] else None), g * a, None

    a, b = points(rng, 2), tg.ones(2)
    Product.apply(a, b, 1.0).sum().backward()
    assert seen == [(True, False, False)]
    assert a.grad.tolist() == [1, 1] and b.grad is None
    with tg.no_grad():
        assert not Product.apply(a, b, 1.0).requires_grad
    assert not Product.apply(b, b, 1.0).requires_grad


def test_gradients_that_are_none_and_missing_ones(rng):
    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialized[-1])
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append((g is None, h is None))
            return g * 2 if h is None else g * 2 + h * 3

    x, seen, materialized = points(rng, 2), [], []
    for mode in (True, False):
        materialized.append(mode)
        Two.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [4, 4]
    assert seen == [(False, False), (False, True)]


def test_results_without_gradient(rng):
    class Sorted(Function):
        @staticmethod
        def forward(ctx, x):
            order = tg.asarray(np.argsort(x.detach().numpy()))
            largest = x.amax()
            ctx.mark_non_differentiable(largest)
            ctx.order = order.numpy()
            return x[ctx.order], order, largest

        @staticmethod
        def backward(ctx, g, g_order, g_largest):
            return g[np.argsort(ctx.order)]

    x = points(rng, 4)
    values, order, largest = Sorted.apply(x)
    assert values.requires_grad and not order.requires_grad and not largest.requires_grad
    (values * tg.arange(4)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.argsort(np.argsort(x.detach().numpy())))


def test_a_function_that_changes_its_argument(rng):
    class Doubled(Function):
        @staticmethod
        def forward(ctx, x):
            x *= 2
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    def f(x):
        y = x * x
        same = Doubled.apply(y)
        assert same is y
        return (y * x).sum()

    assert tg.gradcheck(f, [points(rng, 3)])


def test_a_function_that_changes_one_of_its_results_in_place(rng):
    class DoubledAndCubed(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(y)
            x *= 2
            ctx.mark_dirty(x)
            return y**3, x

        @staticmethod
        def backward(ctx, cubed, doubled):
            (y,) = ctx.saved_tensors
            return doubled * 2, cubed * 3 * y**2

    def f(x, y):
        z = x * x
        view = z[1:]
        cubed, same = DoubledAndCubed.apply(z, y)
        assert same is z and cubed is not y
        later = (cubed * z).sum() + view.sum()
        z.mul_(x)           # what is recorded above does not see it, but for z itself
        return later.detach() * 0 + (cubed * 1.0 + z + view.sum()).sum()

    points_of_two = [points(rng, 3), points(rng, 3)]
    assert tg.gradcheck(f, points_of_two) and tg.gradgradcheck(f, points_of_two)
    with pytest.raises(GraphError, match="leaf that requires a gradient"):
        DoubledAndCubed.apply(*points_of_two)


def test_gradients_are_none_where_none_arrives_if_that_is_wanted(rng):
    class Three(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x)
            return x * 2, x.astype(tg.float32), x * 3

        @staticmethod
        def backward(ctx, *gradients):
            seen.append([g is not None for g in gradients])
            return sum(g.double() * k for g, k in zip(gradients, (2, 1, 3)) if g is not None)

    x, seen = points(rng, 2), []
    outputs = Three.apply(x)
    for k in (2, 0, 1, 2):
        outputs[k].sum().backward(retain_graph=True)
    assert x.grad.tolist() == [9, 9]
    assert seen == [[k == j for j in range(3)] for k in (2, 0, 1, 2)]
    first, _, third = Three.apply(x)
    first.zero_()           # what flows back through it is 0
    third *= 2
    (g,) = tg.autograd.grad((first.sum() + third.sum()), [x], create_graph=True)
    assert g.tolist() == [6, 6] and seen[-1] == [True, False, True]
    first, _, third = Three.apply(x)
    (first * 0.0 + third).sum().backward()      # a zero that flows is there
    assert seen[-1] == [True, False, True]


def test_a_result_that_is_an_argument(rng):
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = points(rng, 2)
    Same.apply(x).sum().backward()
    assert x.grad.tolist() == [7, 7] and x.is_leaf


def test_a_backward_that_is_given_once(rng):
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        @tg.autograd.once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return tg.asarray(g.numpy() * np.cos(x.detach().numpy()))

    x = points(rng, 3)
    assert tg.gradcheck(Once.apply, [tg.tensor(x.detach().numpy(), requires_grad=True)])
    (first,) = tg.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    with pytest.raises(NotDifferentiable, match="Once: its backward"):
        first.sum().backward()


def test_saved_tensors_that_were_changed_are_found(rng):
    x, w = points(rng, 2), tg.ones(2)

    class Times(Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(w)
            return x * w

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0], None

    y = Times.apply(x, w)
    w += 1
    with pytest.raises(MutationError, match="Times: a saved tensor"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda g: (g, g), "returned 2 gradients"),
        (lambda g: g.numpy(), "returned a ndarray"),
        (lambda g: g[:1, None] * tg.ones(3, 2), "cotangent of shape"),
    ],
)
def test_a_backward_that_returns_something_else(returned, message, rng):
    class Odd(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return returned(g)

    x = points(rng, 3)
    with pytest.raises(RuleError, match=message):
        Odd.apply(x).sum().backward()
    assert x.grad is None


def test_wrong_calls():
    with pytest.raises(ArgumentError, match="by position"):
        Cube.apply(x=tg.ones(1))

    class Number(Function):
        @staticmethod
        def forward(ctx, x):
            return 5.0

    with pytest.raises(RuleError, match="returned a float"):
        Number.apply(tg.ones(1))


def test_nothing_is_left_behind(rng):
    for function in (Cube, Exp):
        x = points(rng, 3)
        y = function.apply(x)
        seen = weakref.ref(y)
        y.sum().backward()
        del y
        gc.collect()
        assert seen() is None


def test_a_result_that_is_a_view_of_an_argument_is_a_copy(rng):
    class First(Function):
        @staticmethod
        def forward(ctx, x):
            return x[0]

        @staticmethod
        def backward(ctx, g):
            whole = tg.zeros(2, 2)
            whole[0] = 100 * g
            return whole

    x = points(rng, 2, 2)
    a = x * 1
    v = First.apply(a)
    a[1] = 7.0
    v.sum().backward()
    assert x.grad.tolist() == [[100, 100], [0, 0]]


def test_a_saved_result_that_was_changed_in_place_later(rng):
    class ExpInPlace(Function):
        @staticmethod
        def forward(ctx, x):
            x.exp_()
            ctx.mark_dirty(x)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = points(rng, 3)
    b = x * 1
    v = b[:]
    ExpInPlace.apply(v)
    b.mul_(2)
    b.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(x.detach().numpy()), rtol=1e-12)
    y = x * 1
    ExpInPlace.apply(y)
    seen = weakref.ref(y)
    del y
    gc.collect()
    assert seen() is None
