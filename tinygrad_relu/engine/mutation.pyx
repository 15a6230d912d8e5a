"""Changes in place: of memory always, and of what is recorded where a gradient flows.

Design
------
a) A tensor whose memory was changed on record gets the history of its new values: the node of the op
   that computed them.  Whoever used the old values keeps the old node.
b) If it is a view, its base is what was changed: an `overwrite` node says in which part.  Views of a base
   note how often that happened; one that missed it records its op anew from the base, when it is next
   used (`catch_up`).
c) An op in place is computed on a stand-in for the old values.  If a rule saved the stand-in, it gets
   memory of its own before the values are overwritten: ``x *= y`` still knows what `x` was.
d) What others saved before is found by its version when it is needed: see (d) in `graph`.
"""

import numpy as np

cimport numpy as cnp
from cpython.ref cimport PyObject

from tinygrad_relu.engine.graph cimport Node, hooks_pack, is_recording
from tinygrad_relu.engine.op cimport ASSIGN, OVERWRITE, Op, slots, two
from tinygrad_relu.engine.tensor cimport Tensor, carries_gradient, wrap

from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError, IndexingError, ShapeError

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t references "Py_REFCNT"(PyObject*)


# ------------------------------------------------------------------------------ views and bases

cdef int catch_up(Tensor tensor) except -1:
    """Give a view the history that its base has by now."""
    cdef Tensor source, view
    cdef list missed
    if tensor.view is None or tensor.rewrites == tensor.base.rewrites:
        return 0
    # From the base outwards; in a loop, because views of views may be many.
    missed = []
    while tensor.view is not None and tensor.rewrites != tensor.base.rewrites:
        missed.append(tensor)
        tensor = tensor.view[0]
    while missed:
        view = missed.pop()
        source = view.view[0]
        view.node = None
        view.needs_gradient = False
        if source.needs_gradient:
            record_on((<Op> view.view[1]), [source], view.view[2], view)
        view.rewrites = view.base.rewrites
    return 0


cdef int record_on(Op op, list inputs, tuple statics, Tensor output) except -1:
    """Record an op whose result is in the memory of `output` already."""
    cdef Py_ssize_t k, count = len(inputs)
    cdef bytes room = bytes(2 * count * sizeof(void*))
    cdef PyObject** arguments = <PyObject**> <char*> room
    cdef PyObject** arrays = arguments + count
    cdef unsigned long long active = 0
    for k in range(count):
        arguments[k] = <PyObject*> inputs[k]
        arrays[k] = <PyObject*> (<Tensor> inputs[k]).array
        if (<Tensor> inputs[k]).needs_gradient:
            active |= <unsigned long long> 1 << (k & 63)
    return op.record(arguments, arrays, count, statics, active, output)


def record_result(Op op, list inputs, tuple statics, Tensor output):
    """Record that `output` came from `inputs` by `op`, although the op did not compute it."""
    for tensor in inputs:
        catch_up(tensor)
    record_on(op, inputs, statics, output)


def record_change(Tensor tensor, Tensor values):
    """Give a tensor, whose memory somebody has changed, the history of `values`."""
    check_changeable(tensor)
    tensor.changed()
    adopt(tensor, values)


cdef tuple path_to(Tensor view):
    """Return the ops, with their statics, that lead from its base to a view."""
    cdef list steps = []
    while view.view is not None:
        steps.append(view.view[1:])
        view = view.view[0]
    return tuple(steps[::-1])


cdef int adopt(Tensor tensor, Tensor values) except -1:
    """Give a tensor, whose memory was changed, the history of its new values."""
    cdef Tensor base = tensor.base
    if tensor.view is None:
        if (
            tensor.node is not None and values.node is not None
            and (<Node> tensor.node).retained is not None
        ):
            # What leaves its gradient in ``.grad`` is the tensor, as it is from now on.
            (<Node> values.node).retained = (<Node> tensor.node).retained
            (<Node> tensor.node).retained = None
        tensor.node = values.node
        tensor.needs_gradient = values.needs_gradient
        tensor.rewrites += 1
        return 0
    record_on(<Op> slots[OVERWRITE], [base, values], (path_to(tensor),), base)
    base.rewrites += 1
    return catch_up(tensor)


cdef bint is_recorded(Tensor tensor, object other) except -1:
    """Tell whether a change of `tensor` by `other` is one to record."""
    catch_up(tensor)
    if isinstance(other, Tensor):
        catch_up(<Tensor> other)
    return is_recording() and carries_gradient(cnp.PyArray_TYPE(tensor.array)) and (
        tensor.needs_gradient or isinstance(other, Tensor) and (<Tensor> other).needs_gradient
    )


cdef int check_changeable(Tensor tensor) except -1:
    """Raise where a change on record would lose a gradient."""
    cdef Tensor base = tensor.base
    if tensor.needs_gradient and tensor.node is None:
        raise GraphError(
            "a leaf that requires a gradient was about to be changed in place while recording: "
            "write x = x + y for a new tensor, or update it under no_grad()"
        )
    if tensor.shares_unknown:
        raise GraphError(
            "a tensor that shares the memory of another one in a way that is not known was about to be "
            "changed in place while recording: change a clone()"
        )
    if base is None:
        return 0
    if base.needs_gradient and base.node is None:
        raise GraphError(
            "a view of a leaf that requires a gradient was about to be changed in place while "
            "recording: take the view of a clone(), or update it under no_grad()"
        )
    if base.needs_gradient and not tensor.needs_gradient:
        raise GraphError(
            "a view that was taken under no_grad() of a recorded tensor was about to be changed in "
            "place while recording: take the view while recording, or change it under no_grad(), too"
        )
    return 0


# -------------------------------------------------------------------------------------- changes

cdef object in_place(int slot, Tensor tensor, object other):
    """Answer ``tensor op= other``."""
    cdef Tensor old
    if not is_recorded(tensor, other):
        result = two(slot, tensor, other)
        if result is not NotImplemented:
            write(tensor, <Tensor> result)
        return NotImplemented if result is NotImplemented else tensor
    check_changeable(tensor)
    # What hooks pack they may keep as it is.
    old = stand_in(tensor, tensor.array.copy() if hooks_pack() else tensor.array)
    result = two(slot, old, old if other is tensor else other)
    if result is NotImplemented:
        return result
    check_fitting(tensor, <Tensor> result)
    if references(<PyObject*> old) > 1 and old.array is tensor.array:   # a rule has saved it
        old.array = old.array.copy()
    write(tensor, <Tensor> result)
    adopt(tensor, <Tensor> result)
    return tensor


def become(Tensor tensor, function, tuple arguments, dict keywords):
    """Change a tensor in place into ``function(tensor, ...)``: what methods like ``relu_`` do."""
    cdef Tensor old, result
    cdef bint recorded = is_recorded(tensor, None)
    for other in (*arguments, *keywords.values()):
        recorded = recorded or is_recorded(tensor, other)
    if recorded:
        check_changeable(tensor)
        # A composition may save views of what it is given, so it gets memory that nobody overwrites.
        old = stand_in(tensor, tensor.array.copy())
        result = function(old, *[old if other is tensor else other for other in arguments], **keywords)
        check_fitting(tensor, result)
        write(tensor, result)
        adopt(tensor, result)
    else:
        write(tensor, function(tensor, *arguments, **keywords))
    return tensor


cdef int assign(Tensor tensor, object key, object value) except -1:
    """Answer ``tensor[key] = value``."""
    cdef Tensor values, source
    cdef bint recorded = is_recorded(tensor, value)
    if recorded:
        check_changeable(tensor)
    source = value if isinstance(value, Tensor) else None
    try:
        tensor.array[key] = value if source is None else source.array
    except IndexError as error:
        raise IndexingError(f"assignment to a tensor of shape {tensor.shape}: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ShapeError(f"assignment to a tensor of shape {tensor.shape}: {error}") from error
    except TypeError as error:
        raise ArgumentError(f"assignment to a tensor of shape {tensor.shape}: {error}") from error
    tensor.changed()
    if recorded:
        values = wrap(tensor.array)
        if source is None:
            source = wrap(np.asarray(value))
        record_on(<Op> slots[ASSIGN], [tensor, source], (key,), values)
        adopt(tensor, values)
    return 0


cdef Tensor stand_in(Tensor tensor, cnp.ndarray array):
    """Return a tensor with the history of another one."""
    cdef Tensor old = wrap(array)
    old.node = tensor.node
    old.needs_gradient = tensor.needs_gradient
    return old


cdef int check_fitting(Tensor tensor, Tensor result) except -1:
    """Raise where the values of `result` do not go into a tensor."""
    if not cnp.PyArray_SAMESHAPE(result.array, tensor.array):
        raise ShapeError(
            f"in place: the result of shape {result.shape} does not fit into the tensor of shape "
            f"{tensor.shape}"
        )
    if not np.can_cast(result.dtype, tensor.dtype, "same_kind"):
        raise DTypeError(
            f"in place: the result of dtype {result.dtype} does not fit into the tensor of dtype "
            f"{tensor.dtype}"
        )
    return 0


cdef int write(Tensor tensor, Tensor result) except -1:
    """Write values into the memory of a tensor."""
    check_fitting(tensor, result)
    try:
        np.copyto(tensor.array, result.array, casting="same_kind")
    except ValueError as error:
        raise ArgumentError(f"in place: {error}") from error
    return tensor.changed()
