"""Gradient checkers, ours and those of other libraries, each as one function of an exercise.

Each is called as its documentation says, with its own steps and tolerances, on the functions of the
exercise as they stand.  Another library is imported when its checker is asked for.
"""

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Answer:
    """What a checker says of an exercise.

    Attributes
    ----------
    ok : bool
    named : dict of str to str
        For each input that it calls wrong, in which word; empty where it names none.
    failure : str
        What it raised, if that is not how it says no.
    """

    ok: bool
    named: dict = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Checker:
    """A gradient checker.

    Attributes
    ----------
    name : str
    call : str
        What is called.
    package : str
        What has to be installed.
    module : str
        What is imported to see whether it is.
    check : callable
        Exercise to bool or `Answer`; an exception is a no, since that is how most of them say it.
    takes_float32 : bool
        Whether it is made for single precision, too.
    explains : bool
        Whether it says what is wrong; then an exception is a failure of its own.
    """

    name: str
    call: str
    package: str
    module: str
    check: Callable
    takes_float32: bool = False
    explains: bool = False

    def is_installed(self):
        """Tell whether its library can be imported."""
        try:
            importlib.import_module(self.module)
        except ImportError:
            return False
        return True

    def answer(self, exercise):
        """Return what it says, whatever else its functions print, warn of or raise."""
        silent = contextlib.redirect_stdout(io.StringIO())
        with warnings.catch_warnings(), np.errstate(all="ignore"), silent:
            warnings.simplefilter("ignore")
            try:
                said = self.check(exercise)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}".partition("\n")[0]
                return Answer(False, failure=failure if self.explains else "")
        return said if isinstance(said, Answer) else Answer(bool(said))


def of_exercise(exercise):
    """Return forward and backward with a dout in both cases, and the inputs as new arrays."""

    def backward(dout, *inputs):
        if exercise.is_scalar:
            return tuple(dout * g for g in exercise.backward(*inputs))
        return exercise.backward(dout, *inputs)

    return exercise.forward, backward, [np.array(value) for value in exercise.inputs.values()]


def check_ours(exercise):
    """Ask `check_gradients` of this package."""
    from tinygrad_relu.gradcheck import check_gradients

    names = list(exercise.inputs)
    inputs = [value.copy() for value in exercise.inputs.values()]
    report = check_gradients(exercise.forward, inputs, backward=exercise.backward, names=names)
    return Answer(report.ok, {entry.name: str(entry.label) for entry in report.inputs if not entry.ok})


def check_torch(exercise):
    """Ask PyTorch, of an autograd.Function around the NumPy functions."""
    import torch

    forward, backward, inputs = of_exercise(exercise)

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return torch.as_tensor(forward(*(x.detach().numpy() for x in tensors)))

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, dout):
            arrays = [x.detach().numpy() for x in ctx.saved_tensors]
            return tuple(torch.as_tensor(g) for g in backward(dout.numpy(), *arrays))

    # Made by PyTorch, since it refuses the strides that NumPy gives to arrays without elements.
    tensors = [torch.zeros(x.shape, dtype=torch.float64).copy_(torch.as_tensor(x)) for x in inputs]
    tensors = [x.requires_grad_() for x in tensors]
    return torch.autograd.gradcheck(Wrapped.apply, tensors)


def check_autograd(exercise):
    """Ask HIPS autograd, of a primitive around the NumPy functions."""
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    forward, backward, inputs = of_exercise(exercise)
    wrapped = primitive(lambda *values: forward(*values))
    defvjp(wrapped, *(
        lambda y, *values, k=k: lambda dout: backward(dout, *values)[k] for k in range(len(inputs))
    ))
    check_grads(wrapped, tuple(range(len(inputs))), modes=["rev"], order=1)(*inputs)
    return True


def check_scipy(exercise):
    """Ask SciPy, of the sum of the results with random weights, as a function of one long vector.

    It gives a number, the norm of the difference, and leaves the judgement to its caller: here, up to
    1e-5 of the norm of the gradient (at least of 1).
    """
    from scipy.optimize import check_grad

    forward, backward, inputs = of_exercise(exercise)
    ends = np.cumsum([x.size for x in inputs])[:-1]
    weights = np.random.default_rng(0).standard_normal(np.shape(forward(*inputs)))
    weights = np.ones(()) if exercise.is_scalar else weights

    def parts(vector):
        return [part.reshape(x.shape) for part, x in zip(np.split(vector, ends), inputs)]

    def value(vector):
        return float(np.sum(weights * forward(*parts(vector))))

    def gradient(vector):
        return np.concatenate([np.ravel(g) for g in backward(weights, *parts(vector))])

    at = np.concatenate([x.ravel() for x in inputs])
    return check_grad(value, gradient, at) <= 1e-5 * max(1.0, np.linalg.norm(gradient(at)))


def check_jax(exercise):
    """Ask JAX, of a custom_vjp that calls the NumPy functions back."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    forward, backward, inputs = of_exercise(exercise)
    y = np.asarray(forward(*inputs))
    result = jax.ShapeDtypeStruct(y.shape, y.dtype)
    gradients = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in inputs)

    def called(function):
        def call(*values):
            out = function(*(np.array(x) for x in values))
            return tuple(np.asarray(g) for g in out) if isinstance(out, tuple) else np.asarray(out)
        return call

    wrapped = jax.custom_vjp(lambda *values: jax.pure_callback(called(forward), result, *values))
    wrapped.defvjp(
        lambda *values: (wrapped(*values), values),
        lambda values, dout: jax.pure_callback(called(backward), gradients, dout, *values),
    )
    check_grads(wrapped, inputs, order=1, modes=["rev"])
    return True


CHECKERS = {
    checker.name: checker
    for checker in (
        Checker(
            "ours", "tg.check_gradients", "tinygrad_relu", "tinygrad_relu", check_ours,
            takes_float32=True, explains=True,
        ),
        Checker("torch", "torch.autograd.gradcheck", "torch", "torch", check_torch),
        Checker("jax", "jax.test_util.check_grads", "jax", "jax", check_jax),
        Checker("autograd", "autograd.test_util.check_grads", "autograd", "autograd", check_autograd),
        Checker("scipy", "scipy.optimize.check_grad", "scipy", "scipy", check_scipy),
    )
}
