"""SciPy's solvers for functions of trees of tensors, with the derivatives that each method asks for.

A solver sees one vector of float64, whatever the parameters are made of.
"""

import inspect

import numpy as np

from tinygrad_relu.engine import Tensor, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError, RangeError, ShapeError
from tinygrad_relu.grad_mode import no_grad
from tinygrad_relu.interop.packages import loaded
from tinygrad_relu.ops.shapes import concat, reshape
from tinygrad_relu.transforms import Call, grad, gradient_of_scalar, jacobian, pushed, vhp
from tinygrad_relu.trees import leaves, leaves_in_step, regrown

#: What the methods of ``scipy.optimize.minimize`` use; those that are not here use the gradient.
WITHOUT_GRADIENT = {"nelder-mead", "powell", "cobyla", "cobyqa"}
WITH_PRODUCTS = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
WITH_HESSIAN = {"dogleg", "trust-exact"}
#: Those of ``scipy.optimize.root`` that use the Jacobian.
ROOTS_WITH_JACOBIAN = {"hybr", "lm"}


class Parameters:
    """A tree of floating tensors, arrays and numbers, and the vector of float64 that stands for it."""

    def __init__(self, name, tree):
        self.name, self.tree = name, tree
        self.paths, self.given, arrays = [], [], []
        for path, leaf in leaves(tree):
            array = leaf.detach().numpy() if isinstance(leaf, Tensor) else np.asarray(leaf)
            if array.dtype.kind != "f":
                raise DTypeError(
                    f"{name}: params{path} has dtype {array.dtype}: parameters are floats; what stays as "
                    "it is goes into the function itself"
                )
            self.paths.append(f"params{path}")
            self.given.append(leaf)
            arrays.append(array)
        self.shapes = [array.shape for array in arrays]
        self.dtypes = [array.dtype for array in arrays]
        self.ends = np.cumsum([array.size for array in arrays], dtype=int)
        self.start = self.flat(arrays)
        if not self.start.size:
            raise ShapeError(f"{name}: params has no elements, so that there is nothing to solve for")

    def flat(self, arrays):
        """Return arrays of the shapes of the leaves as one new vector."""
        parts = [np.asarray(array, dtype=np.float64).ravel() for array in arrays]
        return np.concatenate(parts) if parts else np.zeros(0)

    def flat_tensors(self, tensors):
        """Return the same of tensors."""
        return self.flat([x.detach().numpy() for x in tensors])

    def grown(self, vector):
        """Return the tree for a vector, made of tensors of float64 on memory of its own."""
        parts = np.split(np.array(vector, dtype=np.float64), self.ends[:-1])
        return regrown(self.tree, [sharing(x.reshape(n)) for x, n in zip(parts, self.shapes)])

    def restored(self, vector):
        """Return the tree for a vector, made of what the caller's is made of, in the same dtypes."""
        result = []
        for (_, leaf), given, dtype in zip(leaves(self.grown(vector)), self.given, self.dtypes):
            array = leaf.numpy().astype(dtype)
            if isinstance(given, Tensor):
                result.append(sharing(array))
            else:
                result.append(array if isinstance(given, np.ndarray) else type(given)(array))
        return regrown(self.tree, result)

    def limits(self, bounds, by_element=False):
        """Return lower and upper bounds as two vectors; `by_element` they may be a list of pairs."""
        if hasattr(bounds, "lb") and hasattr(bounds, "ub"):         # scipy.optimize.Bounds
            return [self.limit_of_vector(bound) for bound in (bounds.lb, bounds.ub)]
        if by_element and isinstance(bounds, (tuple, list)) and bounds and all(map(is_pair, bounds)):
            return self.limits_of_elements(bounds)
        if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
            raise ArgumentError(
                f"{self.name}: bounds is a pair (lower, upper): each is a number, a tree of the form of "
                "params, or None"
            )
        return [
            self.limit(f"bounds[{k}]", bound, free)
            for k, (bound, free) in enumerate(zip(bounds, (-np.inf, np.inf)))
        ]

    def limit_of_vector(self, bound):
        """Return a bound of the vector, or one for all its elements, as a vector."""
        try:
            return np.array(np.broadcast_to(np.asarray(bound, dtype=float), self.start.shape))
        except ValueError as error:
            raise ShapeError(
                f"{self.name}: bounds do not fit the {self.start.size} elements of params: {error}"
            ) from error

    def limits_of_elements(self, pairs):
        """Return lower and upper bounds from a pair for each element, as SciPy has them."""
        if len(pairs) == 2 and isinstance(self.tree, (tuple, list)):
            raise ArgumentError(
                f"{self.name}: bounds may mean (lower, upper), or a pair for each element: pass "
                "scipy.optimize.Bounds(lower, upper), whose two vectors are of all elements of params"
            )
        if len(pairs) != self.start.size:
            raise ShapeError(
                f"{self.name}: bounds has {len(pairs)} pairs, and params has {self.start.size} elements"
            )
        lower, upper = zip(*pairs)
        return [
            np.array([free if bound is None else bound for bound in side], dtype=float)
            for side, free in ((lower, -np.inf), (upper, np.inf))
        ]

    def limit(self, word, bound, free):
        """Return one bound of each element as a vector."""
        if bound is None or isinstance(bound, (int, float)):
            return np.full(self.start.shape, free if bound is None else bound, dtype=float)
        found = leaves_in_step(self.tree, bound, f"{self.name}: {word}")
        arrays = [x.detach().numpy() if isinstance(x, Tensor) else x for x in found]
        try:
            return self.flat([np.broadcast_to(x, n) for x, n in zip(arrays, self.shapes)])
        except ValueError as error:
            raise ShapeError(f"{self.name}: {word} does not fit the shapes of params: {error}") from error


def is_pair(entry):
    """Tell whether something is a lower and an upper bound of one number."""
    return isinstance(entry, (tuple, list)) and len(entry) == 2 and all(
        bound is None or isinstance(bound, (int, float, np.number)) for bound in entry
    )


class Loss:
    """A function that gives one number, as SciPy calls it."""

    def __init__(self, parameters, function, args):
        self.parameters, self.function, self.args = parameters, function, tuple(args)
        self.name, self.calls = parameters.name, 0

    def value(self, vector):
        """Return the number."""
        with no_grad():
            result = self.function(self.parameters.grown(vector), *self.args)
        if not isinstance(result, Tensor):
            result = Tensor(result)
        if result.shape != ():
            raise GraphError(
                f"{self.name}: the loss has shape {result.shape}, and what is minimized is one number: "
                "reduce it, such as by .sum()"
            )
        return self.checked(result.item())

    def value_and_gradient(self, vector):
        """Return the number, and its gradient as a vector."""
        call = Call(self.name, self.function, (self.parameters.grown(vector), *self.args), (0,))
        call.single = True
        found = [x for _, x in leaves(gradient_of_scalar(call))]
        if self.calls == 0 and not call.result.requires_grad:
            raise GraphError(
                f"{self.name}: the loss does not depend on the parameters: is something detached, or "
                "computed under no_grad?"
            )
        value = self.checked(call.result.item())
        if np.isfinite(value):
            for path, x in zip(self.parameters.paths, found):
                if np.isnan(x.detach().numpy()).any():
                    raise RangeError(
                        f"{self.name}: the loss is {value:.6g} at evaluation {self.calls}, but its "
                        f"gradient with respect to {path} is NaN: autograd.detect_anomaly finds the line"
                    )
        return value, self.parameters.flat_tensors(found)

    def checked(self, value):
        """Return a value, or raise where nothing can be compared with it."""
        self.calls += 1
        if np.isnan(value) or (self.calls == 1 and not np.isfinite(value)):
            where = "at the start" if self.calls == 1 else f"at evaluation {self.calls}"
            raise RangeError(
                f"{self.name}: the loss is {value} {where}: begin where it is a finite number, and "
                "return infinity (or set bounds) where it is not defined"
            )
        return value

    def product(self, vector, direction):
        """Return the product of the Hessian with a direction."""
        grown = self.parameters.grown
        _, (found,) = vhp(self.of_parameters, (grown(vector),), (grown(direction),))
        return self.parameters.flat_tensors(x for _, x in leaves(found))

    def hessian(self, vector):
        """Return the Hessian as a matrix."""

        def slope(tree):
            return concat([reshape(x, -1) for _, x in leaves(grad(self.of_parameters)(tree))])

        return matrix_of(jacobian(slope)(self.parameters.grown(vector)), self.parameters.start.size)

    def of_parameters(self, tree):
        """Call the function with its other arguments."""
        return self.function(tree, *self.args)


class Equations:
    """A function that gives a tree of residuals, as SciPy calls it."""

    def __init__(self, parameters, function, args):
        self.parameters, self.function, self.args = parameters, function, tuple(args)
        self.name = parameters.name

    def residuals(self, vector):
        """Return all residuals as one vector."""
        with no_grad():
            found = leaves(self.function(self.parameters.grown(vector), *self.args))
        values = [x.numpy() if isinstance(x, Tensor) else x for _, x in found]
        result = self.parameters.flat(values)
        if np.isnan(result).any():
            raise RangeError(
                f"{self.name}: residual {int(np.argmax(np.isnan(result)))} of {result.size} is NaN: "
                "begin where all are numbers, and set bounds where they are not defined"
            )
        return result

    def jacobian(self, vector):
        """Return their derivatives as a matrix: by rows, or by columns if there are far fewer."""
        tree, count = self.parameters.grown(vector), self.parameters.start.size

        def all_residuals(tree):
            return concat([reshape(x, -1) for _, x in leaves(self.function(tree, *self.args))])

        call = Call(self.name, all_residuals, (tree,), (0,))
        if not call.result.requires_grad:
            raise GraphError(
                f"{self.name}: the residuals do not depend on the parameters: is something detached, or "
                "computed under no_grad?"
            )
        # A column takes two passes back, of which the first is recorded: about three.
        if 3 * count >= call.result.size:
            return matrix_of(jacobian(all_residuals)(tree), count)
        columns = []
        for unit in np.eye(count):
            tangents = [x for _, x in leaves(self.parameters.grown(unit))]
            (column,) = pushed(call, tangents, False)
            columns.append(np.zeros(call.result.size) if column is None else column.numpy())
        return np.stack(columns, axis=1)


def matrix_of(tree, columns):
    """Return derivatives of a vector, in a tree of the form of the parameters, as one matrix."""
    blocks = [x.detach().numpy() for _, x in leaves(tree)]
    return np.hstack([x.reshape(len(x), -1) for x in blocks]).reshape(-1, columns)


def optimizers(name):
    """Return ``scipy.optimize``."""
    return loaded(name, "scipy.optimize", "tinygrad_relu[scipy]")


def told(callback, parameters, result_class):
    """Return a callback of SciPy's that tells one of the user's, in the form that its signature asks for.

    As SciPy has it: a function of the one parameter ``intermediate_result`` is given a result.
    """
    try:
        asked = set(inspect.signature(callback).parameters)
    except (TypeError, ValueError):         # of what is written in C
        asked = set()
    if asked != {"intermediate_result"}:
        return lambda vector, *state: callback(parameters.restored(vector))

    def tell(intermediate_result):
        result = intermediate_result        # or the vector, of methods that know no more
        if not isinstance(result, dict):
            result = result_class(x=np.array(result))
        result.params = parameters.restored(result.x)
        return callback(intermediate_result=result)

    return tell


def scipy_minimize(loss, params, args=(), method=None, bounds=None, callback=None, **options):
    """Minimize a function of a tree of parameters by ``scipy.optimize.minimize``.

    Parameters
    ----------
    loss : callable
        Takes a tree of tensors of float64, and `args`; returns a tensor without axes.
    params : tree of Tensor, array or float
        Where to begin.  It is not changed.
    args : tuple, default ()
    method : str, optional
        Any of SciPy's; it is given the gradient, and products with the Hessian or the Hessian itself if
        it uses them.
    bounds : pair of tree, optional
        ``(lower, upper)``: each a number, None, or a tree of numbers and arrays of the form of `params`.
        Also SciPy's: ``Bounds`` of the vector, or a list of one ``(low, high)`` for each element.
    callback : callable, optional
        Called with the tree of parameters after each iteration; it may raise StopIteration.  One whose
        only parameter is named ``intermediate_result`` is given SciPy's result, with ``params``.
    **options
        What else ``minimize`` takes: `tol`, `options`, `constraints` (of the vector).

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's, of the vector, and ``params``: the solution in the form and in the dtypes of `params`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> def loss(p):
    ...     return ((p["a"] - 3) ** 2).sum() + (p["a"].sum() - p["b"]) ** 2
    >>> found = tg.interop.scipy_minimize(loss, {"a": tg.zeros(2), "b": 0.0}, method="BFGS")
    >>> found.params["a"].round(), round(found.params["b"], 4)
    (tensor([3., 3.], dtype=float64), 6.0)
    """
    name = "scipy_minimize"
    solvers = optimizers(name)
    parameters = Parameters(name, params)
    function = Loss(parameters, loss, args)
    kind = method.lower() if isinstance(method, str) else method
    if kind in WITHOUT_GRADIENT:
        derivatives = {"fun": function.value}
    else:
        derivatives = {"fun": function.value_and_gradient, "jac": True}
        if kind in WITH_HESSIAN:
            derivatives["hess"] = function.hessian
        elif kind in WITH_PRODUCTS or callable(kind):
            derivatives["hessp"] = function.product
    if bounds is not None:
        options["bounds"] = solvers.Bounds(*parameters.limits(bounds, by_element=True))
    if callback is not None:
        options["callback"] = told(callback, parameters, solvers.OptimizeResult)
    result = solvers.minimize(x0=parameters.start, method=method, **derivatives, **options)
    result.params = parameters.restored(result.x)
    return result


def scipy_least_squares(residuals, params, args=(), method="trf", bounds=None, **options):
    """Minimize the sum of squares of a function by ``scipy.optimize.least_squares``, with its Jacobian.

    Parameters
    ----------
    residuals : callable
        Takes a tree of tensors of float64, and `args`; returns a tensor, or a tree of them.
    params, args, bounds
        As for `scipy_minimize`; bounds are no list of pairs, but ``(lower, upper)`` or ``Bounds``.
    method : {"trf", "dogbox", "lm"}
    **options
        What else ``least_squares`` takes, such as `loss`, `x_scale`, `max_nfev`.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With ``params`` beside SciPy's entries.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x, y = tg.tensor([0.0, 1.0, 2.0]), tg.tensor([1.0, 2.0, 4.0])
    >>> def misfit(p):
    ...     return p["scale"] * tg.exp(p["rate"] * x) - y
    >>> found = tg.interop.scipy_least_squares(misfit, {"scale": 2.0, "rate": 0.0})
    >>> round(found.params["scale"], 6), round(found.params["rate"], 6)
    (1.0, 0.693147)
    """
    name = "scipy_least_squares"
    solvers = optimizers(name)
    parameters = Parameters(name, params)
    equations = Equations(parameters, residuals, args)
    if bounds is not None:
        options["bounds"] = parameters.limits(bounds)
    result = solvers.least_squares(
        equations.residuals, parameters.start, jac=equations.jacobian, method=method, **options
    )
    result.params = parameters.restored(result.x)
    return result


def scipy_root(function, params, args=(), method="hybr", callback=None, **options):
    """Find where a function is zero by ``scipy.optimize.root``, with its Jacobian if the method uses it.

    Parameters
    ----------
    function : callable
        Takes a tree of tensors of float64, and `args`; returns a tensor, or a tree of them, with as many
        elements as `params`.
    params, args, callback
        As for `scipy_minimize`; the callback is given the tree of parameters.  The methods "hybr" and
        "lm" call nothing back.
    method : str, default "hybr"
        Any of SciPy's.
    **options
        What else ``root`` takes: `tol`, `options`.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With ``params`` beside SciPy's entries.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> found = tg.interop.scipy_root(lambda x: x * x - tg.tensor([4.0, 9.0]), tg.ones(2))
    >>> found.params
    tensor([2., 3.], dtype=float64)
    """
    name = "scipy_root"
    solvers = optimizers(name)
    parameters = Parameters(name, params)
    equations = Equations(parameters, function, args)
    found = equations.residuals(parameters.start).size
    if found != parameters.start.size:
        raise ShapeError(
            f"{name}: the function gives {found} elements for {parameters.start.size} parameters: a root "
            "is looked for of as many; use scipy_least_squares for more or fewer"
        )
    if method in ROOTS_WITH_JACOBIAN:
        options["jac"] = equations.jacobian
    if callback is not None:
        options["callback"] = lambda vector, value: callback(parameters.restored(vector))
    result = solvers.root(equations.residuals, parameters.start, method=method, **options)
    result.params = parameters.restored(result.x)
    return result
