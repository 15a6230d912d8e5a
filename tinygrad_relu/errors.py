"""Every exception that the package raises.

Each derives from `TensorError` and from the built-in exception that a caller would expect, so that
``except ValueError`` catches a wrong shape and ``except TensorError`` catches all of ours.  A
message says what is wrong, where, and what to do next.
"""

__all__ = [
    "ArgumentError",
    "DTypeError",
    "DeclarationError",
    "FileError",
    "GradientError",
    "GraphError",
    "GroupError",
    "IndexingError",
    "MissingPackage",
    "MutationError",
    "NotDifferentiable",
    "RangeError",
    "RuleError",
    "ShapeError",
    "StateError",
    "TensorError",
]


class TensorError(Exception):
    """The base of every exception of this package."""


class ShapeError(TensorError, ValueError):
    """Shapes, axes or sizes do not fit the op or each other."""


class DTypeError(TensorError, TypeError):
    """A dtype cannot be used here, such as an integer tensor that asks for a gradient."""


class ArgumentError(TensorError, TypeError):
    """An argument is missing, unknown, given twice or of the wrong kind."""


class RangeError(TensorError, ValueError):
    """A number lies outside of what is allowed here, or of what its dtype can hold."""


class DivisionByZeroError(RangeError, ZeroDivisionError):
    """Integers are divided by 0, which has no result among them."""


class IndexingError(TensorError, IndexError):
    """An index lies outside of its axis, or there are too many indices."""


class MissingPackage(TensorError, ImportError):
    """What was called needs a package that is not installed; the message says which."""


class GraphError(TensorError, RuntimeError):
    """The recorded graph cannot be walked: it was freed, never recorded, or is not a scalar."""


class MutationError(GraphError):
    """A value that the backward pass still needs was changed after it had been recorded."""


class NotDifferentiable(TensorError, RuntimeError):
    """A derivative was asked for that does not exist; the message says why."""


class RuleError(TensorError, RuntimeError):
    """A derivative rule returned something that is no cotangent of its input."""


class DeclarationError(TensorError, TypeError):
    """An op was declared against the laws of the op table."""


class StateError(TensorError, RuntimeError):
    """What was saved does not fit what it is to be loaded into; the message lists all that does not."""


class FileError(TensorError, ValueError):
    """A file is damaged, or is not one that can be read here."""


class GradientError(TensorError, RuntimeError):
    """An analytic gradient differs from the numerical one."""


class GroupError(TensorError, RuntimeError):
    """Processes that compute together do not: there is no group, or one does not come."""
