"""Functions of ours in JAX, jitted or not, and JAX's in our graph.

Where the way back is differentiated itself, it crosses as a function like any other, so that there are
derivatives of every order.
"""

import functools

import numpy as np

from tinygrad_relu.engine import Tensor, checked_signature, recording, sharing
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.grad_mode import no_grad
from tinygrad_relu.interop.calls import Arguments, ForeignFunction, results_of
from tinygrad_relu.interop.packages import loaded
from tinygrad_relu.transforms import vjp
from tinygrad_relu.trees import regrown


def library(name):
    """Return JAX."""
    return loaded(name, "jax", "jax")


def is_floating(x):
    """Tell whether gradients are taken with respect to an array."""
    return np.dtype(x.dtype).kind == "f"


# -------------------------------------------------------------------------------------- ours in JAX


class CallFromJax:
    """A function of ours of a fixed number of arrays, as JAX calls it from compiled programs."""

    def __init__(self, jax, function, arguments):
        self.jax, self.function, self.arguments = jax, function, arguments
        self.form = None

    def run(self, *arrays):
        """Compute all results as arrays, in the dtypes that JAX was told."""
        with no_grad():
            tensors = [sharing(np.asarray(x)) for x in arrays]
            self.form = self.arguments.called(self.function, tensors)
            found = results_of("jax_function", self.form, Tensor)
        return [x.numpy().astype(self.jax.dtypes.canonicalize_dtype(x.dtype)) for x in found]

    def declared(self, inputs):
        """Return the shapes and dtypes of the results, from a call with ones."""
        found = self.run(*[np.ones(x.shape, x.dtype) for x in inputs])
        return [self.jax.ShapeDtypeStruct(x.shape, x.dtype) for x in found]

    def computed(self, *inputs):
        """Put a call of ours into the program of JAX's that is being made."""
        declared = self.declared(inputs)
        found = self.jax.pure_callback(self.run, declared, *inputs, vmap_method="sequential")
        return list(found)

    def pull(self, inputs, cotangents):
        """Carry cotangents of the floating results back to the floating inputs, with tensors of ours."""
        places = [k for k, x in enumerate(inputs) if is_floating(x)]

        def of_floating(*given):
            filled = list(inputs)
            for k, x in zip(places, given):
                filled[k] = x
            found = results_of("jax_function", self.arguments.called(self.function, filled), Tensor)
            return tuple(x for x in found if is_floating(x))

        _, back = vjp(of_floating, *[inputs[k] for k in places])
        return back(tuple(cotangents))

    def backward(self, inputs, cotangents):
        """Return the cotangent of each input, for JAX."""
        real = [g for g in cotangents if g.dtype != self.jax.dtypes.float0]
        found = iter(jax_function(self.pull)(list(inputs), real))
        return tuple(
            next(found).astype(x.dtype) if is_floating(x) else np.zeros(x.shape, self.jax.dtypes.float0)
            for x in inputs
        )


@checked_signature
def jax_function(function):
    """Make a function of JAX's arrays of a function of ours: a ``custom_vjp`` over a ``pure_callback``.

    Parameters
    ----------
    function : callable
        Takes tensors, or trees of them, and anything else; returns a tensor, or a tree of them, whose
        shapes depend on the shapes of the arguments only.

    Returns
    -------
    callable
        It takes JAX's arrays in their places, and returns JAX's, also under ``jit`` and ``vmap``.
        Reverse-mode derivatives of every order go through; each computes the function anew.  JAX refuses
        those of forward mode: ``jax.jvp``, ``jacfwd``, ``hessian`` (take ``jacrev(jacrev(f))``).  What
        the function closes over is constant.

    Notes
    -----
    To tell JAX the shapes of the results, the function is called with ones when JAX traces it.  Without
    ``jax_enable_x64`` JAX makes float32 of the results.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> soft = tg.interop.jax_function(lambda x: tg.log(1 + tg.exp(x)))
    >>> import jax                                          # doctest: +SKIP
    >>> jax.jit(jax.grad(soft))(0.0)                        # doctest: +SKIP
    Array(0.5, dtype=float32)
    """
    if not callable(function):
        raise ArgumentError(f"jax_function: {function!r} is no function")

    @functools.wraps(function)
    def on_jax(*arguments, **keywords):
        jax = library("jax_function")
        found = Arguments((jax.Array, np.ndarray), arguments, keywords)
        call = CallFromJax(jax, function, found)
        crossing = jax.custom_vjp(call.computed)
        # By the function itself, so that the way forward can be differentiated, too.
        crossing.defvjp(lambda *x: (crossing(*x), x), call.backward)
        outputs = crossing(*[jax.numpy.asarray(x) for x in found.crossing])
        return regrown(call.form, outputs)

    return on_jax


# -------------------------------------------------------------------------------------- JAX in ours


class CallIntoJax:
    """One call of a function of JAX's, with tensors of ours: what it gave, and the way back."""

    def __init__(self, jax, function, arguments):
        self.jax, self.function, self.arguments = jax, function, arguments
        self.form, self.back, self.floating = None, None, []

    def arrays(self, tensors):
        """Return tensors of ours as arrays of JAX's, in the dtype that they have."""
        return [self.jax.numpy.asarray(x.detach().numpy()) for x in tensors]

    def on_arrays(self, given, places):
        """Return the function of the arrays at `places` alone."""

        def function(*some):
            filled = list(given)
            for k, x in zip(places, some):
                filled[k] = x
            result = self.arguments.called(self.function, filled)
            found, self.form = self.jax.tree_util.tree_flatten(result)
            return found

        return function

    def forward(self, given, wanted):
        """Compute the results as tensors of ours, and keep what JAX needs for the way back."""
        with self.jax.enable_x64(True):
            arrays = self.arrays(given)
            places = [k for k, needed in enumerate(wanted) if needed]
            function = self.on_arrays(arrays, places)
            some = [arrays[k] for k in places]
            if places:
                found, self.back = self.jax.vjp(function, *some)
            else:
                found = function()
            self.floating = [k for k, y in enumerate(found) if is_floating(y)]
            # JAX's memory is read-only.
            return tuple(sharing(np.array(y)) for y in found)

    def flowing(self):
        """Return which results have a gradient."""
        return self.floating

    def pull(self, inputs, places, cotangents):
        """Carry cotangents of the floating results back, with arrays of JAX's."""
        function = self.on_arrays(inputs, places)
        _, back = self.jax.vjp(
            lambda *x: [y for y in function(*x) if is_floating(y)], *[inputs[k] for k in places]
        )
        return back(list(cotangents))

    def backward(self, given, wanted, cotangents):
        """Return the gradient for each tensor that was given, None where it is not wanted."""
        places = [k for k, needed in enumerate(wanted) if needed]
        if recording():
            crossing = from_jax(lambda inputs, g: self.pull(inputs, places, g))
            found = iter(crossing(list(given), [cotangents[k] for k in self.floating]))
        else:
            with self.jax.enable_x64(True):
                found = iter([sharing(np.array(g)) for g in self.back(self.seeds(cotangents))])
        return [next(found) if needed else None for needed in wanted]

    def seeds(self, cotangents):
        """Return cotangents as JAX wants them: those of whole numbers have a dtype of no bits."""
        arrays = self.arrays(cotangents)
        none = self.jax.dtypes.float0
        return [x if k in self.floating else np.zeros(x.shape, none) for k, x in enumerate(arrays)]


@checked_signature
def from_jax(function):
    """Make a function of our tensors of a function of JAX's, differentiated by ``jax.vjp``.

    Parameters
    ----------
    function : callable
        Takes JAX's arrays, or trees of them, and anything else; returns one, or a tree of them.

    Returns
    -------
    callable
        It takes our tensors in their places, and returns ours; float64 stays float64.  What the function
        closes over is constant.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import jax                                                      # doctest: +SKIP
    >>> soft = tg.interop.from_jax(jax.nn.softplus)                     # doctest: +SKIP
    >>> x = tg.tensor(0.0, requires_grad=True)
    >>> soft(x).backward()                                              # doctest: +SKIP
    >>> x.grad                                                          # doctest: +SKIP
    tensor(0.5, dtype=float64)
    """
    if not callable(function):
        raise ArgumentError(f"from_jax: {function!r} is no function")

    @functools.wraps(function, updated=())
    def on_ours(*arguments, **keywords):
        jax = library("from_jax")
        found = Arguments(Tensor, arguments, keywords)
        call = CallIntoJax(jax, function, found)
        outputs = ForeignFunction.apply(call, *found.crossing)
        return jax.tree_util.tree_unflatten(call.form, outputs)

    return on_ours
