"""Functions with a derivative of the user's own are collected, and so are their results."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg


def exponential(keep):
    """Return a class that keeps its result in one of two ways."""

    class Exponential(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            if keep == "attribute":
                ctx.result = y
            else:
                ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * (ctx.result if keep == "attribute" else ctx.saved_tensors[0])

    return Exponential


@pytest.mark.parametrize("keep", ["attribute", "saved"])
def test_a_class_that_was_applied_is_collected(keep):
    found = []
    for _ in range(5):
        function = exponential(keep)
        found.append(weakref.ref(function))
        x = tg.ones(2, requires_grad=True)
        function.apply(x).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), np.e)
    del function
    gc.collect()
    assert [ref() for ref in found] == [None] * 5


@pytest.mark.parametrize("keep", ["attribute", "saved"])
def test_a_result_that_its_context_names_is_collected(keep):
    function = exponential(keep)
    x = tg.ones(2, requires_grad=True)
    found = [weakref.ref(function.apply(x)) for _ in range(5)]
    gc.collect()
    assert [ref() for ref in found] == [None] * 5
    assert tg.gradgradcheck(function.apply, (tg.tensor([0.3, -1.0], requires_grad=True),))


def test_results_without_a_gradient_can_be_saved():
    class Largest(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            place = x.argmax()
            ctx.save_for_backward(place)
            ctx.place = place
            return x.max(), place

        @staticmethod
        def backward(ctx, g, _):
            (place,) = ctx.saved_tensors
            assert place.item() == ctx.place.item() == 1
            y = tg.zeros(3)
            y[place] = g
            return y

    x = tg.tensor([1.0, 5.0, 2.0], requires_grad=True)
    value, place = Largest.apply(x)
    value.backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0] and place.item() == 1


def test_what_a_context_lacks_is_an_attribute_error():
    class Identity(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with pytest.raises(AttributeError, match="nothing"):
                ctx.nothing
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return g

    assert Identity.apply(tg.ones(1, requires_grad=True)).item() == 1.0
