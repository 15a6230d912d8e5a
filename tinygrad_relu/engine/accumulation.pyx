"""What is done with what a walk back has found: it is added to ``.grad``, or returned."""

import os
import threading

import numpy as np

cimport numpy as cnp

from tinygrad_relu.engine.graph cimport set_recording
from tinygrad_relu.engine.op cimport ADD, COPY, one, two
from tinygrad_relu.engine.tensor cimport Tensor, held_once, wrap
from tinygrad_relu.engine.walk cimport walk_back
from tinygrad_relu.kernels.elementwise cimport add_into

from tinygrad_relu.errors import ArgumentError, GraphError

cnp.import_array()


# Held while gradients are added to what other walks have left in ``.grad``.
ACCUMULATION = threading.RLock()


def renew_lock():
    """Make the lock anew in a forked child: a thread that held it stayed behind in the parent."""
    global ACCUMULATION
    ACCUMULATION = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_lock)


cpdef int add_gradients(
    list outputs, list cotangents, object inputs, bint retain_graph, bint create_graph
) except -1:
    """Add gradients of `outputs`, in one pass back, to the ``.grad`` of all leaves, or of `inputs`."""
    cdef list wanted = None if inputs is None else asked_for(inputs)
    cdef dict found = walk_back(
        outputs, cotangents, wanted, retain_graph or create_graph, create_graph
    )
    cdef Tensor tensor, cotangent, sofar
    if wanted is not None:
        found = {wanted[position]: found[position] for position in found if found[position] is not None}
    cdef list with_hooks = []
    # Large sums let go of the GIL between reading and writing.
    with ACCUMULATION:
        while found:
            tensor, cotangent = found.popitem()
            sofar = tensor.gradient
            if sofar is None:
                tensor.gradient = alone(cotangent, create_graph)
            elif create_graph or not cnp.PyArray_ISWRITEABLE(sofar.array):
                tensor.gradient = two(ADD, sofar, cotangent)
            else:
                add_into(sofar.array, cotangent.array)
                sofar.changed()
            if tensor.added_hooks is not None:
                with_hooks.append(tensor)
    if not with_hooks:
        return 0
    cdef bint before = set_recording(create_graph)
    try:
        for tensor in with_hooks:
            for hook in list(tensor.added_hooks.values()):
                hook(tensor)
    finally:
        set_recording(before)
    return 0


cdef list asked_for(object inputs):
    """Return the tensors whose gradients backward is asked for as a list, or raise."""
    one_only = isinstance(inputs, Tensor) or not hasattr(inputs, "__iter__")
    cdef list wanted = [inputs] if one_only else list(inputs)
    if not wanted:
        raise ArgumentError("backward: inputs is empty: name one, or leave it out for all leaves")
    for k, x in enumerate(wanted):
        if not isinstance(x, Tensor):
            raise ArgumentError(f"backward: inputs[{k}] is a {type(x).__name__}: pass tensors")
        if not x.requires_grad:
            raise GraphError(f"backward: inputs[{k}] does not require a gradient")
    return wanted


cdef Tensor alone(Tensor cotangent, bint recorded):
    """Return `cotangent` if nobody else holds it or its memory, else a copy: grads never alias."""
    if held_once(cotangent):
        return cotangent
    return one(COPY, cotangent) if recorded else wrap(np.array(cotangent.array, order="C"))


def gradients(outputs, inputs, cotangents, retain_graph, create_graph):
    """Return the gradient of the sum of `outputs`, weighted by `cotangents`, for each of `inputs`.

    The engine's own form of ``autograd.grad``: lists of tensors in, a list of tensors out, with
    None for an input that no output depends on.
    """
    cdef dict found = walk_back(outputs, cotangents, inputs, retain_graph or create_graph, create_graph)
    cdef list results = []
    cdef Tensor gradient
    for position in range(len(inputs)):
        # What is done to one is not done to another, nor to what the caller gave.
        gradient = found.pop(position)
        results.append(None if gradient is None else alone(gradient, create_graph))
    return results
