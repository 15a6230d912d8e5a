"""One bit for each gate: what the backward of `relu` needs, in 1/32 or 1/64 of the memory of its input.

A mask is a uint8 array with 8 elements of `x` in a byte, in C order, the lowest bit first: as
``np.packbits(~(x <= 0), bitorder="little")``.
"""

import math
from operator import index

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from libc.string cimport memcpy
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty, empty_like
from tinygrad_relu.kernels._threads cimport Loop, run_loop
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.kernel cimport Kernel, real_array

from tinygrad_relu.errors import ShapeError
from tinygrad_relu.kernels.gate import relu

cnp.import_array()


cdef void run_bytes(Loop* loops, ndarray x, ndarray mask, ndarray y, int slot) noexcept:
    """Run a loop over whole bytes of the mask, and then over the elements of the last one."""
    cdef npy_intp item = cnp.PyArray_ITEMSIZE(x), count = cnp.PyArray_SIZE(x)
    cdef npy_intp whole = count // 8, rest = count % 8 * item, one = 1
    cdef npy_intp[3] strides = [8 * item, 1, 8 * item]
    cdef double[8] padded = [0, 0, 0, 0, 0, 0, 0, 0]
    cdef char* operands[3]
    operands[0], operands[1] = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(mask)
    operands[2] = cnp.PyArray_BYTES(y)
    run_loop(loops[slot], NULL, 3, operands, whole, strides)
    if rest == 0:
        return
    memcpy(padded, cnp.PyArray_BYTES(x) + 8 * whole * item, rest)
    operands[0] = operands[2] = <char*> padded
    operands[1] = cnp.PyArray_BYTES(mask) + whole
    loops[slot](operands, &one, strides, NULL)
    memcpy(cnp.PyArray_BYTES(y) + 8 * whole * item, padded, rest)


def mask_size(count):
    """Return how many bytes the mask of `count` elements has."""
    return (count + 7) // 8


cdef ndarray checked_mask(object mask, object count):
    """Return a mask as a plain array, or raise if it is not that of `count` elements."""
    mask = np.asarray(mask)
    if mask.dtype != np.uint8 or mask.shape != (mask_size(count),):
        raise ShapeError(
            f"mask has dtype {mask.dtype} and shape {mask.shape}: that of {count} elements has dtype "
            f"uint8 and shape ({mask_size(count)},)"
        )
    return np.ascontiguousarray(mask)


cdef ndarray rectify_into(object x, ndarray mask):
    """Return ``relu(x)``, and write its mask into a plain array."""
    cdef ndarray y
    cdef int slot
    x = real_array("relu_with_mask", x)
    slot = float_slot(<ndarray> x)
    if slot < 0 and x.dtype in (np.float32, np.float64):
        x = np.array(x, dtype=x.dtype.newbyteorder("="), order="C")
        slot = float_slot(<ndarray> x)
    if slot < 0:
        y = relu(x)
        mask[...] = np.packbits(~(x <= 0), axis=None, bitorder="little")
        return y
    y = empty(
        cnp.PyArray_NDIM(<ndarray> x), cnp.PyArray_DIMS(<ndarray> x), cnp.PyArray_TYPE(<ndarray> x)
    )
    run_bytes(own.relu_with_mask, <ndarray> x, mask, y, slot)
    return y


def relu_with_mask(x):
    """Return ``relu(x)`` and its mask, in one pass over memory.

    Parameters
    ----------
    x : array_like
        Real numbers.

    Returns
    -------
    y : ndarray
        As of `relu`.
    mask : ndarray of uint8, of shape ``((x.size + 7) // 8,)``
        A bit for each element of `x` in C order, the lowest bit of a byte first: 1 where ``x > 0`` or
        `x` is NaN, whose gradient passes, too.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu import kernels
    >>> y, mask = kernels.relu_with_mask(np.array([-1.0, 2.0, 0.0, 3.0]))
    >>> y, mask
    (array([0., 2., 0., 3.]), array([10], dtype=uint8))
    >>> kernels.apply_mask(np.array([5.0, 6.0, 7.0, 8.0]), mask)
    array([0., 6., 0., 8.])
    """
    x = real_array("relu_with_mask", x)
    mask = np.empty(mask_size(x.size), np.uint8)
    return rectify_into(x, mask), mask


def apply_mask(signal, mask):
    """Return `signal` where the bit of the mask is 1, else +0.0: the backward of `relu_with_mask`.

    Parameters
    ----------
    signal : array_like
        Real numbers, in the shape of what the mask was made of.
    mask : ndarray of uint8
        See `relu_with_mask`.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu import kernels
    >>> kernels.apply_mask(np.array([5.0, 6.0]), np.array([2], np.uint8))
    array([0., 6.])
    """
    cdef ndarray y, checked
    cdef int slot
    signal = real_array("apply_mask", signal)
    checked = checked_mask(mask, signal.size)
    slot = float_slot(<ndarray> signal)
    if slot < 0:
        return np.where(unpacked_mask(checked, signal.shape), signal, signal.dtype.type(0))
    y = empty_like(<ndarray> signal)
    run_bytes(own.apply_mask, <ndarray> signal, checked, y, slot)
    return y


def unpacked_mask(mask, shape):
    """Return a mask as booleans in the shape of what it was made of.

    Parameters
    ----------
    mask : ndarray of uint8
        See `relu_with_mask`.
    shape : tuple of int

    Returns
    -------
    ndarray of bool
        Its mean over the first axis is the share of samples for which each unit is alive.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu import kernels
    >>> y, mask = kernels.relu_with_mask(np.array([[-1.0, 2.0], [-3.0, -4.0]]))
    >>> kernels.unpacked_mask(mask, (2, 2)).mean(axis=0)
    array([0. , 0.5])
    """
    try:
        shape = tuple([index(length) for length in shape])
    except TypeError as error:
        raise ShapeError(f"unpacked_mask: shape is {shape!r}: it is a tuple of whole numbers") from error
    if any([length < 0 for length in shape]):
        raise ShapeError(f"unpacked_mask: shape is {shape!r}: no length is negative")
    count = math.prod(shape)
    return np.unpackbits(
        checked_mask(mask, count), count=count, bitorder="little"
    ).reshape(shape).astype(bool)


@cython.final
cdef class RectifyWithMask(Kernel):
    """The kernel of an op that is given `x` and room for the mask, and fills it."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object mask = <object> arrays[1]
        if checked_mask(mask, np.size(<object> arrays[0])) is not mask or not mask.flags.writeable:
            raise ShapeError("mask has to be contiguous and writable")
        return rectify_into(<object> arrays[0], <ndarray> mask)


@cython.final
cdef class ApplyMask(Kernel):
    """The kernel of an op that is given a signal and a mask."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        return apply_mask(<object> arrays[0], <object> arrays[1])
