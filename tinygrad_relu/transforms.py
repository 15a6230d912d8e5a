"""Functions made of functions: their gradients, Jacobians, Hessians, and products with these.

The functions take and return trees of tensors, arrays and numbers (see `trees`), and take part in the
graph: what a transform returns can be differentiated again, by another transform or by ``backward``.
Where nothing outside could ask for that, the result is outside of the graph.

The names are those of ``torch.func``, which `func` lists; ``value_and_grad`` is JAX's.
"""

import functools
import threading

import numpy as np

from tinygrad_relu.engine import Tensor, checked_signature, gradients, recording
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError, ShapeError
from tinygrad_relu.grad_mode import enable_grad
from tinygrad_relu.ops.shapes import reshape, stack
from tinygrad_relu.trees import changed, leaves, leaves_in_step, regrown

__all__ = [
    "grad",
    "grad_and_value",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "value_and_grad",
    "vhp",
    "vjp",
]


class Running(threading.local):
    """The calls that this thread is in, each within the one before."""

    def __init__(self):
        self.calls = []


RUNNING = Running()


def own_leaf(array):
    """Return a leaf that no caller can see, and say so to the calls that are running."""
    leaf = array.detach() if isinstance(array, Tensor) else Tensor(array)
    leaf.requires_grad = True
    for call in RUNNING.calls:
        call.own.append(leaf)
    return leaf


def lifted(name, path, leaf):
    """Return a leaf as a tensor with a gradient of its own, connected to the graph that it is in."""
    if isinstance(leaf, (bool, int, np.bool_, np.integer)) or not (
        isinstance(leaf, (Tensor, float, np.ndarray, np.floating))
    ):
        raise DTypeError(
            f"{name}: {path} is {type(leaf).__name__} {leaf!r}: a derivative is taken with respect to "
            "floating tensors, arrays and numbers: choose others with argnums, or write a float"
        )
    tensor = leaf if isinstance(leaf, Tensor) else Tensor(leaf)
    if tensor.dtype.kind != "f":
        raise DTypeError(
            f"{name}: {path} has dtype {tensor.dtype}, and has no derivative: choose others with "
            "argnums, or convert it to a float"
        )
    if tensor.requires_grad:
        return reshape(tensor, tensor.shape)
    return own_leaf(tensor)


def reaches_others(tensors, own):
    """Tell whether tensors were computed from a leaf that needs a gradient and is none of `own`."""
    known = {id(x) for x in own}
    reached = [x.grad_fn or x for x in tensors if x.requires_grad]
    seen = set()
    while reached:
        node = reached.pop()
        if isinstance(node, Tensor):
            if id(node) not in known:
                return True
        elif node not in seen:
            seen.add(node)
            reached.extend(parent for parent in node.next_functions if parent is not None)
    return False


class Call:
    """One recorded call of a function: the trees it took and gave, and their tensors.

    Parameters
    ----------
    name : str
        Of the transform.
    function : callable
    arguments : tuple
    argnums : tuple of int
        Which of the arguments are to be differentiated with respect to.
    keywords : dict
    has_aux : bool
        Whether the function returns a pair, of which only the first is differentiated.
    """

    def __init__(self, name, function, arguments, argnums, keywords=None, has_aux=False):
        if not callable(function):
            raise ArgumentError(f"{name}: {function!r} is no function")
        self.name = name
        self.form = tuple(arguments[k] for k in argnums)
        found = [pair for k in argnums for pair in leaves(arguments[k], f"argument {k}")]
        outside = recording()
        with enable_grad():
            self.inputs = [lifted(name, path, leaf) for path, leaf in found]
            self.own = list(self.inputs)
            arguments = list(arguments)
            for k, tree in zip(argnums, regrown(self.form, self.inputs)):
                arguments[k] = tree
            RUNNING.calls.append(self)
            try:
                result = function(*arguments, **(keywords or {}))
            finally:
                RUNNING.calls.pop()
        self.aux = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise ArgumentError(
                    f"{name}: with has_aux=True the function returns a pair (value, aux), and it "
                    f"returned a {type(result).__name__}"
                )
            result, self.aux = result
        self.result = result
        self.outputs = [self.checked_output(path, leaf) for path, leaf in leaves(result)]
        extra = [leaf for _, leaf in leaves(self.aux) if isinstance(leaf, Tensor)]
        self.stays = outside and reaches_others([*self.outputs, *extra], self.own)

    def checked_output(self, path, leaf):
        """Return an output of the function, or raise if it cannot have been recorded."""
        if not isinstance(leaf, Tensor):
            where = f" at {path}" if path else ""
            raise ArgumentError(
                f"{self.name}: the function returned a {type(leaf).__name__}{where}: it returns tensors, "
                "computed by functions that are recorded"
            )
        return leaf

    def pulled(self, cotangents, create_graph, outputs=None):
        """Return the gradient for each input of the outputs weighted by `cotangents`; None for none."""
        outputs = self.outputs if outputs is None else outputs
        pairs = [(y, v) for y, v in zip(outputs, cotangents) if y.requires_grad]
        if not pairs or not self.inputs:
            return [None] * len(self.inputs)
        outputs, weights = zip(*pairs)
        return gradients(list(outputs), self.inputs, list(weights), True, create_graph)

    def gradient(self, cotangents, create_graph):
        """Return the same with zeros for None."""
        found = self.pulled(cotangents, create_graph)
        return [zeros_like(x) if g is None else g for x, g in zip(self.inputs, found)]

    def released(self, tree):
        """Return a result as the caller gets it: outside of the graph if nobody outside is in it."""
        if self.stays:
            return tree
        return changed(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, tree)


def zeros_like(x):
    """Return zeros of the shape and dtype of a tensor."""
    return Tensor(np.zeros(x.shape, x.dtype))


def cotangents_for(name, what, like, tree, tensors):
    """Return the leaves of `tree` as tensors of the shapes of `tensors`, which are those of `like`."""
    found = leaves_in_step(like, tree, f"{name}: {what}")
    result = []
    for x, v in zip(tensors, found):
        v = v if isinstance(v, Tensor) else Tensor(v)
        if v.shape != x.shape:
            raise ShapeError(f"{name}: {what} has shape {v.shape} for a tensor of shape {x.shape}")
        if v.dtype.kind != "f":
            v = Tensor(v, dtype=x.dtype)
        result.append(v)
    return result


def chosen(name, arguments, argnums):
    """Return `argnums` as a tuple of positions from the front, or raise."""
    numbers = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    for k in numbers:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
            raise ArgumentError(f"{name}: argnums is {argnums!r}: it is a number or a tuple of numbers")
        if not -len(arguments) <= k < len(arguments):
            raise ArgumentError(f"{name}: argnums names argument {k}, and {len(arguments)} were given")
    numbers = tuple(int(k) % len(arguments) for k in numbers)
    if len(set(numbers)) < len(numbers):
        raise ArgumentError(f"{name}: argnums {argnums} names an argument twice")
    return numbers


def transform(name, function, answer, argnums, has_aux):
    """Return the function whose call is recorded, and answered by `answer`."""
    if not callable(function):
        raise ArgumentError(f"{name}: {function!r} is no function")

    @functools.wraps(function)
    def transformed(*arguments, **keywords):
        numbers = chosen(name, arguments, argnums)
        call = Call(name, function, arguments, numbers, keywords, has_aux)
        call.single = not isinstance(argnums, (tuple, list))
        return answer(call)

    return transformed


def one_or_all(call, trees):
    """Return the tree of the one argument if ``argnums`` was a number, else the tuple of all."""
    return trees[0] if call.single else trees


def gradient_of_scalar(call):
    """Return the gradient of a call that gave one number, in the form of its arguments."""
    if not isinstance(call.result, Tensor) or call.result.shape != ():
        given = f"shape {call.result.shape}" if isinstance(call.result, Tensor) else "several leaves"
        raise GraphError(
            f"{call.name}: the function returned {given}, and a gradient is that of one number: reduce "
            "it, such as by .sum(), or use jacobian or vjp"
        )
    if call.result.dtype.kind != "f":
        raise DTypeError(f"{call.name}: the function returned dtype {call.result.dtype}, which has none")
    found = call.gradient([None], call.stays)
    return one_or_all(call, regrown(call.form, found))


@checked_signature
def grad(func, argnums=0, has_aux=False):
    """Return a function that computes the gradient of `func`, which returns one number.

    Parameters
    ----------
    func : callable
        Its arguments are trees of tensors, arrays and numbers; it returns a tensor without axes.
    argnums : int or tuple of int, default 0
        With respect to which arguments.  The gradient has their form; a tuple gives a tuple.
    has_aux : bool, default False
        `func` returns ``(value, aux)``; the new function then returns ``(gradient, aux)``.

    Returns
    -------
    callable
        It can be differentiated in turn.  An argument that the value does not depend on has gradient
        zero.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> cube = lambda x: x**3
    >>> tg.func.grad(cube)(2.0), tg.func.grad(tg.func.grad(cube))(2.0)
    (tensor(12., dtype=float64), tensor(12., dtype=float64))
    >>> tg.func.grad(lambda p: (p["w"] * 3 + p["b"]).sum())({"w": tg.ones(2), "b": 0.5})
    {'w': tensor([3., 3.], dtype=float64), 'b': tensor(2., dtype=float64)}
    """

    def answer(call):
        found = call.released(gradient_of_scalar(call))
        return (found, call.released(call.aux)) if has_aux else found

    return transform("grad", func, answer, argnums, has_aux)


@checked_signature
def value_and_grad(func, argnums=0, has_aux=False):
    """Return a function that computes `func` and its gradient, in this order, as JAX's; see `grad`.

    With `has_aux` it returns ``((value, aux), gradient)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.transforms.value_and_grad(lambda x: x * x)(3.0)
    (tensor(9., dtype=float64), tensor(6., dtype=float64))
    """

    def answer(call):
        found = call.released(gradient_of_scalar(call))
        value = call.released(call.result)
        return ((value, call.released(call.aux)) if has_aux else value), found

    return transform("value_and_grad", func, answer, argnums, has_aux)


@checked_signature
def grad_and_value(func, argnums=0, has_aux=False):
    """Return a function that computes the gradient of `func` and its value, as PyTorch's; see `grad`.

    With `has_aux` it returns ``(gradient, (value, aux))``.
    """
    both = value_and_grad(func, argnums, has_aux)
    return functools.wraps(both)(lambda *arguments, **keywords: both(*arguments, **keywords)[::-1])


def vjp(func, *primals, has_aux=False):
    """Return ``func(*primals)``, and a function that pulls a cotangent of it back to the primals.

    Parameters
    ----------
    func : callable
    *primals : tree
    has_aux : bool, default False
        `func` returns ``(value, aux)``; `aux` is then returned as a third.

    Returns
    -------
    value : tree
    pull : callable
        Takes a tree of the form of `value`; gives a tuple, the cotangent of each primal.  It can be
        called more than once.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> value, pull = tg.func.vjp(lambda x, y: x * y, tg.tensor([1.0, 2.0]), 3.0)
    >>> pull(tg.tensor([1.0, 1.0]))
    (tensor([3., 3.], dtype=float64), tensor(3., dtype=float64))
    """
    call = Call("vjp", func, primals, tuple(range(len(primals))), has_aux=has_aux)

    def pull(cotangents):
        weights = cotangents_for("vjp", "the cotangent", call.result, cotangents, call.outputs)
        stays = recording() and (call.stays or any(v.requires_grad for v in weights))
        return regrown(call.form, call.gradient(weights, stays))

    result = (call.released(call.result), pull)
    return (*result, call.released(call.aux)) if has_aux else result


def pushed(call, tangents, create_graph):
    """Return what tangents of the inputs become at the outputs; None where nothing does.

    The pullback is linear in its cotangent, and the pullback of it is the pushforward.
    """
    dummies = [own_leaf(np.zeros(y.shape, y.dtype)) if y.requires_grad else None for y in call.outputs]
    pulled = call.pulled(dummies, True)
    pairs = [(g, t) for g, t in zip(pulled, tangents) if g is not None and g.requires_grad]
    inputs = [d for d in dummies if d is not None]
    if not pairs or not inputs:
        return [None] * len(dummies)
    found = iter(gradients(
        [g for g, _ in pairs], inputs, [t for _, t in pairs], True, create_graph
    ))
    return [None if d is None else next(found) for d in dummies]


@checked_signature
def jvp(func, primals, tangents, has_aux=False):
    """Return ``func(*primals)``, and how it changes along `tangents`: the Jacobian times these.

    By two passes back: it costs a small multiple of `func`, as a pass forward would.

    Parameters
    ----------
    func : callable
    primals, tangents : tuple of tree
        Of one form.
    has_aux : bool, default False
        `func` returns ``(value, aux)``; `aux` is then returned as a third.

    Returns
    -------
    value, tangent : tree

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.func.jvp(lambda x: x * x, (tg.tensor([1.0, 2.0]),), (tg.tensor([1.0, 10.0]),))
    (tensor([1., 4.], dtype=float64), tensor([ 2., 40.], dtype=float64))
    """
    primals = tuple_of("jvp", "primals", primals)
    call = Call("jvp", func, primals, tuple(range(len(primals))), has_aux=has_aux)
    tangents = cotangents_for(
        "jvp", "tangents", call.form, tuple_of("jvp", "tangents", tangents), call.inputs
    )
    stays = recording() and (call.stays or any(t.requires_grad for t in tangents))
    found = pushed(call, tangents, stays)
    moved = [zeros_like(y) if t is None else t for y, t in zip(call.outputs, found)]
    result = (call.released(call.result), regrown(call.result, moved))
    return (*result, call.released(call.aux)) if has_aux else result


def tuple_of(name, word, given):
    """Return the arguments of a function, given as a tuple, or raise."""
    if not isinstance(given, (tuple, list)):
        raise ArgumentError(f"{name}: {word} is a {type(given).__name__}: pass a tuple of all arguments")
    return tuple(given)


def rows(call, create_graph):
    """Return for each output, for each input, the array of derivatives; None for none."""
    blocks = []
    for y in call.outputs:
        found = []
        for position in np.ndindex(y.shape):
            direction = np.zeros(y.shape, y.dtype)
            direction[position] = 1
            found.append(call.pulled([Tensor(direction)], create_graph, [y]))
        # Along an axis without elements there is no row, and each block is empty.
        columns = list(zip(*found)) if found else [()] * len(call.inputs)
        blocks.append([block_of(y, x, column) for x, column in zip(call.inputs, columns)])
    return blocks


def block_of(y, x, column):
    """Return the derivatives of each element of `y`, listed in `column`, in one tensor, or None."""
    if all(g is None for g in column):
        return None
    return reshape(stack([zeros_like(x) if g is None else g for g in column]), (*y.shape, *x.shape))


@checked_signature
def jacobian(func, argnums=0, has_aux=False):
    """Return a function that computes all derivatives of `func`: torch.func's ``jacrev``.

    Row by row, a pass back for each element of the value.

    Parameters
    ----------
    func : callable
    argnums : int or tuple of int, default 0
    has_aux : bool, default False
        `func` returns ``(value, aux)``; the new function then returns ``(jacobian, aux)``.

    Returns
    -------
    callable
        It gives a tree of the form of the value, with trees of the form of the arguments in it.  Each
        leaf has the axes of the value, then those of the argument.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.func.jacrev(lambda x: x * x)(tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]], dtype=float64)
    """

    def answer(call):
        trees = []
        for y, row in zip(call.outputs, rows(call, call.stays)):
            blocks = [
                Tensor(np.zeros((*y.shape, *x.shape), x.dtype)) if block is None else block
                for x, block in zip(call.inputs, row)
            ]
            trees.append(one_or_all(call, regrown(call.form, blocks)))
        found = call.released(regrown(call.result, trees))
        return (found, call.released(call.aux)) if has_aux else found

    return transform("jacobian", func, answer, argnums, has_aux)


@checked_signature
def hessian(func, argnums=0):
    """Return a function that computes the second derivatives of `func`: the Jacobian of its Jacobian.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.func.hessian(lambda x: (x**3).sum())(tg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]], dtype=float64)
    """
    return jacobian(jacobian(func, argnums), argnums)


@checked_signature
def vhp(func, primals, v):
    """Return ``func(*primals)``, one number, and the product of `v` with its Hessian.

    Parameters
    ----------
    func : callable
    primals, v : tuple of tree
        Of one form.

    Returns
    -------
    value : Tensor
    product : tuple of tree

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x, v = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 0.0])
    >>> tg.transforms.vhp(lambda x: (x**3).sum(), (x,), (v,))
    (tensor(9., dtype=float64), (tensor([6., 0.], dtype=float64),))
    """
    primals, v = tuple_of("vhp", "primals", primals), tuple_of("vhp", "v", v)
    slopes = value_and_grad(func, tuple(range(len(primals))))
    call = Call("vhp", lambda *p: slopes(*p)[::-1], primals, tuple(range(len(primals))), has_aux=True)
    weights = cotangents_for("vhp", "v", call.result, v, call.outputs)
    stays = recording() and (call.stays or any(w.requires_grad for w in weights))
    return call.released(call.aux), regrown(call.form, call.gradient(weights, stays))


@checked_signature
def hvp(func, primals, v):
    """Return ``func(*primals)``, one number, and the product of its Hessian with `v`.

    The Hessian is symmetric, so that this is `vhp`, which takes one pass back less.
    """
    return vhp(func, primals, v)
