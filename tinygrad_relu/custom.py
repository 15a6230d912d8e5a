"""Functions with a derivative of the user's own: PyTorch's ``autograd.Function``."""

import functools
import math

import numpy as np

from tinygrad_relu.engine import (
    NO_GRADIENT,
    Op,
    Tensor,
    record_change,
    record_result,
    recording,
    set_recording,
    sharing,
)
from tinygrad_relu.engine.graph import RuleName
from tinygrad_relu.errors import ArgumentError, MutationError, NotDifferentiable, RuleError
from tinygrad_relu.ops.indexing import place
from tinygrad_relu.ops.shapes import cast, concat, reshape

__all__ = ["Context", "Function", "once_differentiable"]


def taken_part(packed, start, shape, arrived):
    """Return one of the arrays that lie in `packed` one after the other."""
    return packed[start : start + math.prod(shape)].reshape(shape)


def put_back(g, packed_shape, start, shape, arrived):
    """Return the cotangent of what a part was taken of, and note that one has arrived."""
    arrived.add(start)
    return place(reshape(g, -1), packed_shape, (slice(start, start + math.prod(shape)),))


#: One of several results of a `Function`: the part of ``packed`` that begins at ``start``.
part_of = Op(
    "part_of", taken_part, taken_part, 1, 1, ("packed", "start", "shape", "arrived"), ((), (), None),
    False, (put_back,), (
        tuple(int(code) for code in (
            RuleName.COTANGENT, RuleName.OWN_SHAPE, RuleName.FIRST_STATIC, RuleName.FIRST_STATIC + 1,
            RuleName.FIRST_STATIC + 2,
        )),
    ), [0], None, None, 0,
)
part_of.__module__, part_of.__doc__ = __name__, taken_part.__doc__


class Context:
    """What `Function.forward` leaves for `Function.backward`; any attribute may be set on it.

    A result may be such an attribute, too: it is kept as if by `save_for_backward`, because a context
    that held its own result would never be collected.  Within a list or dict nobody sees it.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        For each argument whether its gradient is asked for.
    saved_tensors : tuple of Tensor
        What `save_for_backward` was given.
    """

    def __init__(self, function, arguments):
        self._function = function
        self._positions = [k for k, value in enumerate(arguments) if isinstance(value, Tensor)]
        self._argument_count = len(arguments)
        self.needs_input_grad = tuple(
            isinstance(value, Tensor) and value.requires_grad for value in arguments
        )
        self._to_save, self._saved, self._dirty, self._constant = (), (), (), ()
        self._materialize = True
        self._outputs, self._last, self._results, self._result_names = [], None, None, {}
        self._arrived = set()

    def __getattr__(self, name):
        number = vars(self).get("_result_names", {}).get(name)
        if number is None or self._results is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return self._results[number]

    def save_for_backward(self, *tensors):
        """Keep tensors for backward: arguments, results, or others.  Changes in place are found."""
        self._to_save = tensors

    def mark_dirty(self, *tensors):
        """Say which arguments were changed in place; they are to be among the results."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors):
        """Say which results have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value):
        """Set whether results that nothing flows back to have a gradient of zeros, or of None."""
        self._materialize = value

    @property
    def saved_tensors(self):
        """tuple of Tensor: What was saved, as it was."""
        found = []
        for tensor, version, output in self._saved:
            if tensor is None:
                found.append(None)
            elif output is not None:
                found.append(self._results[output])
            elif tensor._version != version:
                raise MutationError(
                    f"{self._function.__name__}: a saved tensor of shape {tensor.shape} was changed in "
                    f"place since (it has version {tensor._version}, and had version {version}): "
                    "save a clone()"
                )
            else:
                found.append(tensor)
        return tuple(found)

    def _settle(self, outputs):
        """Note what is saved: of results only which one, because they will hold this context."""
        numbers = {id(output): k for k, output in enumerate(outputs) if self._flows_to(output)}
        self._saved = [
            (None, 0, None) if tensor is None
            else (True, 0, numbers[id(tensor)]) if id(tensor) in numbers
            else (tensor, tensor._version, None)
            for tensor in self._to_save
        ]
        self._result_names = {
            name: numbers[id(value)] for name, value in vars(self).items()
            if isinstance(value, Tensor) and id(value) in numbers
        }
        for name in self._result_names:
            delattr(self, name)
        self._saves_output = bool(self._result_names) or any(
            output is not None for _, _, output in self._saved
        )
        self._to_save = ()

    def _flows_to(self, output):
        """Tell whether a result has a gradient."""
        return output.dtype.kind == "f" and not any(output is x for x in self._constant)

    def _gradient(self, k, g, y):
        """Return the gradient of tensor argument `k`: backward is called once for all of them."""
        if self._last is None or self._last[0] is not g:
            parts = self._gradients_of_results(g)
            if self._saves_output:
                self._results = self._taken_apart(y, set())
            found = self._function.backward(self, *self._filled(parts))
            self._results = None
            self._last = g, self._checked(found)
        gradient = self._last[1][self._positions[k]]
        if k == len(self._positions) - 1:
            self._last = None
        return NO_GRADIENT if gradient is None else gradient

    def _taken_apart(self, packed, arrived):
        """Return the results, or their gradients, from the one tensor that stands for all of them."""
        if len(self._outputs) == 1 and self._outputs[0][2] is None:
            return [packed]
        return [
            None if start is None else cast(part_of(packed, start, shape, arrived), dtype)
            for shape, dtype, start in self._outputs
        ]

    def _gradients_of_results(self, g):
        """Return the gradient of each result: None where none has arrived, if that is wanted."""
        parts = self._taken_apart(g, set())
        if len(parts) > 1 and not self._materialize:
            starts = [start for _, _, start in self._outputs]
            parts = [
                part if start in self._arrived else None for start, part in zip(starts, parts)
            ]
        self._arrived.clear()
        return parts

    def _filled(self, parts):
        if not self._materialize:
            return parts
        return [
            sharing(np.zeros(shape, dtype)) if part is None else part
            for part, (shape, dtype, _) in zip(parts, self._outputs)
        ]

    def _checked(self, found):
        """Return what backward gave as a tuple with one entry for each argument."""
        found = found if isinstance(found, tuple) else (found,)
        if len(found) > self._argument_count and all(x is None for x in found[self._argument_count:]):
            found = found[: self._argument_count]
        if len(found) != self._argument_count:
            raise RuleError(
                f"{self._function.__name__}.backward returned {len(found)} gradients, and forward took "
                f"{self._argument_count} arguments: return one for each, None where there is none"
            )
        return found


class Function:
    """A function with a derivative of its own: a subclass says both, and is called by `apply`.

    ``forward(ctx, *arguments)`` computes one tensor or a tuple of them, without recording;
    ``backward(ctx, *gradients)`` is given the gradient of each and returns one for each argument.  As in
    PyTorch, `forward` may also be written without `ctx`, beside ``setup_context(ctx, inputs, output)``.

    Several results are kept in one piece of memory; unlike in PyTorch, each is a copy, but for an
    argument that was changed in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> class Cube(tg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12., dtype=float64)
    """

    # Answers ``diversion(function, arguments)`` in place of `apply`, unless it is None, or gives
    # NotImplemented: as that of an op.
    diversion = None

    @staticmethod
    def forward(*arguments):
        """Compute the result, or a tuple of results."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Save what backward needs, for a forward that is not given the context."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx, *gradients):
        """Return the gradient of each argument, given that of each result."""
        raise NotImplementedError("a Function needs a static method backward(ctx, ...)")

    @classmethod
    def apply(cls, *arguments, **keywords):
        """Call the function, and record it where an argument requires a gradient."""
        if keywords:
            raise ArgumentError(
                f"{cls.__name__}.apply takes arguments by position only, as PyTorch's: "
                f"{', '.join(keywords)} was given by name"
            )
        if Function.diversion is not None:
            answer = Function.diversion(cls, arguments)
            if answer is not NotImplemented:
                return answer
        context = Context(cls, arguments)
        before = set_recording(False)
        try:
            if cls.setup_context is not Function.setup_context:
                result = cls.forward(*arguments)
                cls.setup_context(context, arguments, result)
            else:
                result = cls.forward(context, *arguments)
        finally:
            set_recording(before)
        outputs = list(result) if isinstance(result, tuple) else [result]
        for k, output in enumerate(outputs):
            if not isinstance(output, Tensor):
                raise RuleError(
                    f"{cls.__name__}.forward returned a {type(output).__name__} as result {k}: return "
                    "tensors"
                )
        outputs = [cls._of_its_own(context, arguments, output) for output in outputs]
        context._settle(outputs)
        if recording() and any(context.needs_input_grad):
            outputs = cls._recorded(context, arguments, outputs)
        # They would hold what holds this context.
        context._dirty, context._constant = (), ()
        return tuple(outputs) if isinstance(result, tuple) else outputs[0]

    @classmethod
    def _of_its_own(cls, context, arguments, output):
        """Return a result as a tensor apart from the arguments, unless it was changed in place."""
        if any(output is tensor for tensor in context._dirty):
            return output
        array = output.detach().numpy()
        if any(
            isinstance(argument, Tensor) and np.may_share_memory(array, argument.detach().numpy())
            for argument in arguments
        ):
            # A view of an argument would get the history of that, when it is changed.
            return sharing(array.copy())
        return output

    @classmethod
    def _recorded(cls, context, arguments, outputs):
        """Record one node for all results."""
        flowing = [k for k, output in enumerate(outputs) if context._flows_to(output)]
        if not flowing:
            return outputs
        inputs = [arguments[k] for k in context._positions]
        op = cls._op(context._saves_output)
        if len(outputs) == 1:
            context._outputs = [(outputs[0].shape, outputs[0].dtype, None)]
            if any(outputs[0] is x for x in context._dirty):
                # A copy: later changes of the tensor it was made of are not to be seen in what is saved.
                values = outputs[0].detach().clone()
                record_result(op, inputs, (context,), values)
                record_change(outputs[0], values)
            else:
                record_result(op, inputs, (context,), outputs[0])
            return outputs
        start, context._outputs = 0, []
        for k, output in enumerate(outputs):
            context._outputs.append((output.shape, output.dtype, start if k in flowing else None))
            start += output.size if k in flowing else 0
        before = set_recording(False)
        try:
            packed = concat([reshape(outputs[k], -1) for k in flowing])
        finally:
            set_recording(before)
        record_result(op, inputs, (context,), packed)
        parts = context._taken_apart(packed, context._arrived)
        for k in flowing:
            if any(outputs[k] is x for x in context._dirty):
                record_change(outputs[k], parts[k])
                parts[k] = None
        return [output if part is None else part for output, part in zip(outputs, parts)]

    @classmethod
    def _op(cls, saves_output):
        """Return the op of this class, which has it: a cache elsewhere would keep the class for ever."""
        name = "_saving_op" if saves_output else "_plain_op"
        if name not in vars(cls):
            plan = (RuleName.COTANGENT, RuleName.POSITION, RuleName.FIRST_STATIC)
            if saves_output:
                plan += (RuleName.OUTPUT,)
            setattr(cls, name, op_for(cls.__name__, plan, saves_output << RuleName.OUTPUT_BIT))
        return vars(cls)[name]


def op_for(name, plan, saves):
    """Return an op that is recorded for a `Function`: its one rule asks the context."""

    def rule(g, k, context, y=None):
        return context._gradient(k, g, y)

    return Op(
        name, rule, rule, -1, 1, ("arguments", "context"), (None,), False, (rule,),
        (tuple(int(code) for code in plan),), [saves], None, None, 0,
    )


class _Refused(Function):
    """The identity, whose derivative is refused: what comes out of a backward that is given once."""

    @staticmethod
    def forward(ctx, gradient, name, source):
        ctx.name = name
        return gradient.clone()

    @staticmethod
    def backward(ctx, g):
        raise NotDifferentiable(
            f"{ctx.name}: its backward is marked once_differentiable, so it has no second derivative"
        )


def once_differentiable(backward):
    """Mark a `Function.backward` as one that is not made of ops, and cannot be differentiated again.

    It is then called without recording, and a second derivative raises `NotDifferentiable`.
    """

    @functools.wraps(backward)
    def once(ctx, *gradients):
        before = set_recording(False)
        try:
            found = backward(ctx, *[g.detach() if isinstance(g, Tensor) else g for g in gradients])
        finally:
            set_recording(before)
        if not before:
            return found
        entries = found if isinstance(found, tuple) else (found,)
        name = ctx._function.__name__
        # It depends on more than the gradients, so that it is refused even if those are constant.
        source = sharing(np.zeros(())).requires_grad_()
        return tuple(
            entry if entry is None else _Refused.apply(entry, name, source) for entry in entries
        )

    return once
