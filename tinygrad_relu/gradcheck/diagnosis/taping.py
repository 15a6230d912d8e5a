"""`taped`: let a function of tensors be recorded as one of arrays is.

While it runs, each op of the table is answered by what NumPy calls the same, with the recorded arrays
that the tensors stand for, and an ``autograd.Function`` by its forward alone: so a backward of the
user's own can be compared with walks back through the steps of its forward.
"""

import contextlib
import threading

import numpy as np

from tinygrad_relu.custom import Context, Function
from tinygrad_relu.engine import Op, Tensor, sharing
from tinygrad_relu.errors import GraphError
from tinygrad_relu.gradcheck.diagnosis.one_call import one_at_a_time
from tinygrad_relu.gradcheck.diagnosis.recording import plain
from tinygrad_relu.ops import synonyms
from tinygrad_relu.ops.kink_slope import divert_followers
from tinygrad_relu.ops.table import TABLE


def softmax(x, axis):
    """Write a softmax out."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax(x, axis):
    """Write the logarithm of a softmax out."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def linear(x, weight, bias=None):
    """Write an affine map out."""
    y = x @ weight.T
    return y if bias is None else y + bias


def summed_to(x, shape):
    """Sum over the axes along which something of a shape was broadcast."""
    lost = tuple(range(x.ndim - len(shape)))
    x = np.sum(x, axis=lost) if lost else x
    axes = tuple(k for k, n in enumerate(shape) if n == 1 and x.shape[k] != 1)
    return np.sum(x, axis=axes, keepdims=True) if axes else x


def squared_deviations(x, axis=None, keepdims=False):
    """Write the sum of squares of what is apart from the mean out."""
    apart = x - np.mean(x, axis=axis, keepdims=True)
    return np.sum(np.square(apart), axis=axis, keepdims=keepdims)


def gate(signal, control, t0, a0, a1):
    """Write a gate out."""
    return np.where(control > t0, a1 * signal, a0 * signal)


def standardize(x, eps):
    """Write out what takes off the mean of each row, and divides by its deviation."""
    apart = x - np.mean(x, axis=-1, keepdims=True)
    return apart / np.sqrt(np.mean(np.square(apart), axis=-1, keepdims=True) + eps)


def squared_distance(a, b, mean=False):
    """Write the sum, or the mean, of the squared differences out."""
    return np.mean(np.square(a - b)) if mean else np.sum(np.square(a - b))


def class_losses(x, target):
    """Write the cross-entropy of each row out."""
    return -log_softmax(x, -1)[np.arange(len(target)), target]


#: What NumPy calls the ops of which the kernel is no ufunc.
OF_NUMPY = {
    "index": lambda x, key: x[key],
    "reshape": np.reshape,
    "permute": np.transpose,
    "swapaxes": np.swapaxes,
    "broadcast_to": np.broadcast_to,
    "sum_to": summed_to,
    "copy": np.copy,
    "cast": lambda x, dtype: x.astype(dtype),
    "join": lambda *arguments: np.concatenate(arguments[:-2], axis=arguments[-2]),
    "clamp_between": np.clip,
    "limit": np.clip,
    "where": np.where,
    "power": np.power,
    "logaddexp": np.logaddexp,
    "relu": lambda x: np.maximum(x, 0.0),
    "sum": lambda x, axis=None, keepdims=False: np.sum(x, axis=axis, keepdims=keepdims),
    "prod": lambda x, axis=None, keepdims=False: np.prod(x, axis=axis, keepdims=keepdims),
    "amax": lambda x, axis=None, keepdims=False: np.max(x, axis=axis, keepdims=keepdims),
    "amin": lambda x, axis=None, keepdims=False: np.min(x, axis=axis, keepdims=keepdims),
    "squared_deviations": squared_deviations,
    "root": np.sqrt,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "matmul": np.matmul,
    "linear": linear,
    "linear_relu": lambda *operands: np.maximum(linear(*operands), 0.0),
    "take_along_axis": np.take_along_axis,
    "gate": gate,
    "standardize": standardize,
    "squared_distance": squared_distance,
    "class_losses": class_losses,
    "running_sum": lambda x, axis: np.cumsum(x, axis=axis),
}

#: The name in the table of each op that has another one, too.
OTHER_NAMES = {
    op: name for op in vars(synonyms).values() if isinstance(op, Op)
    for name, own in TABLE.items() if own.rules is op.rules
}


def taped(function, tensors, arrays):
    """Call a function and return recorded arrays for the tensors that it returns.

    Parameters
    ----------
    function : callable
        ``function() -> list of Tensor``; it reaches `tensors` by itself.
    tensors : list of Tensor
    arrays : list of Recorded
        What each stands for.

    Raises
    ------
    GraphError
        The function uses an op that has no counterpart.
    """
    tape = Tape(tensors, arrays)
    with tape.answering():
        outputs = function()
    return [tape.array_of(y) for y in outputs]


class Tape:
    """Which recorded array each tensor stands for.

    Attributes
    ----------
    pairs : dict of int to (Tensor, Recorded)
        By the address of the tensor, which is kept, so that no other one gets it.
    """

    def __init__(self, tensors, arrays):
        self.pairs = {id(t): (t, x) for t, x in zip(tensors, arrays)}
        self.thread = threading.get_ident()

    def array_of(self, x):
        """Return the recorded array that a tensor stands for, or its values; all else as it is."""
        if not isinstance(x, Tensor):
            return x
        return self.pairs[id(x)][1] if id(x) in self.pairs else x.detach().numpy()

    @contextlib.contextmanager
    def answering(self):
        """Answer all ops and functions that are called in this thread; those of others pass by."""
        with one_at_a_time:
            before = {op: op.diversion for op in (*TABLE.values(), *OTHER_NAMES)}
            try:
                for op, known in before.items():
                    op.diversion = self.answer(op, known)
                Function.diversion = self.call_forward
                yield
            finally:
                Function.diversion = None
                for op in before:
                    op.diversion = None
                divert_followers()

    def answer(self, op, before):
        """Return what answers an op, where a recorded array takes part, or else what did `before`."""
        counterpart = OF_NUMPY.get(OTHER_NAMES.get(op, op.name), getattr(op.kernel, "ufunc", None))

        def call(*arguments):
            if threading.get_ident() != self.thread or not any(id(x) in self.pairs for x in arguments):
                return NotImplemented if before is None else before(*arguments)
            if counterpart is None and all(rule is None for rule in op.rules):
                return NotImplemented       # what nothing flows through may be computed as ever
            if counterpart is None:
                raise GraphError(f"diagnose: {op.name} has no counterpart among NumPy's functions")
            value = counterpart(*map(self.array_of, arguments))
            y = sharing(np.array(plain(value)))
            self.pairs[id(y)] = y, value
            return y

        return call

    def call_forward(self, function, arguments):
        """Call the forward of an ``autograd.Function``, and not record that there is another backward."""
        if threading.get_ident() != self.thread:
            return NotImplemented
        if function.setup_context is not Function.setup_context:
            return function.forward(*arguments)
        return function.forward(Context(function, arguments), *arguments)
