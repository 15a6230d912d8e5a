"""Reductions over one axis or all, by the reducing form of a ufunc's own inner loop.

Design
------
a) A plain float array reduced over one axis is a block of shape (outer, axis, inner).  Where inner
   is 1, each row is reduced by one call of the loop with an output stride of 0, which NumPy's loops
   know as a reduction (sums are pairwise, so their error grows with log n).  Where it is not, rows
   are folded into the result one after the other.  Both are what NumPy does, without its overhead.
b) Several axes, other dtypes and layouts, and empty axes are left to ``ufunc.reduce``.
"""

from operator import index

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.long cimport PyLong_AsLong
from cpython.ref cimport PyObject
from cython cimport floating
from libc.string cimport memcpy
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels.elementwise cimport Elementwise, float_slot
from tinygrad_relu.kernels.kernel cimport Kernel

from tinygrad_relu.kernels.elementwise import Elementwise

cnp.import_array()


@cython.final
cdef class Reduction(Kernel):
    """A kernel that folds an axis with `ufunc`, called with the statics (axis, keepdims)."""

    cdef readonly object ufunc
    cdef Elementwise elementwise

    def __init__(self, ufunc):
        self.ufunc = ufunc
        self.elementwise = Elementwise(ufunc)

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef object axis = statics[0]
        cdef bint keepdims = statics[1]
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        cdef long position
        if slot >= 0 and self.elementwise.loops[slot] is not NULL and cnp.PyArray_SIZE(x) > 0:
            if axis is None:
                return self.fold(<ndarray> x, 0, cnp.PyArray_NDIM(x), keepdims, slot)
            if type(axis) is int:
                position = PyLong_AsLong(axis)
                if position < 0:
                    position += cnp.PyArray_NDIM(x)
                if 0 <= position < cnp.PyArray_NDIM(x):
                    return self.fold(<ndarray> x, position, position + 1, keepdims, slot)
        if type(axis) is list:
            axis = tuple(axis)
        with np.errstate(all="ignore"):
            return self.ufunc.reduce(x, axis=axis, keepdims=keepdims)

    cdef ndarray fold(self, ndarray x, int first, int end, bint keepdims, int slot):
        """Fold the axes from `first` to before `end` of a plain array that is not empty."""
        cdef npy_intp[64] shape
        cdef npy_intp outer = 1, length = 1, inner = 1
        cdef int axis, kept = 0
        cdef ndarray y
        for axis in range(cnp.PyArray_NDIM(x)):
            if axis < first:
                outer *= cnp.PyArray_DIM(x, axis)
            elif axis < end:
                length *= cnp.PyArray_DIM(x, axis)
                if keepdims:
                    shape[kept] = 1
                    kept += 1
                continue
            else:
                inner *= cnp.PyArray_DIM(x, axis)
            shape[kept] = cnp.PyArray_DIM(x, axis)
            kept += 1
        y = empty(kept, shape, cnp.PyArray_TYPE(x))
        if inner == 1:
            self.fold_rows(cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y), outer, length, slot)
        else:
            self.fold_columns(cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y), outer, length, inner, slot)
        return y

    cdef void fold_rows(
        self, char* x, char* y, npy_intp outer, npy_intp length, int slot
    ) noexcept:
        cdef npy_intp item = sizeof(double) if slot else sizeof(float)
        cdef npy_intp rest = length - 1
        cdef npy_intp[3] strides = [0, item, 0]
        cdef char* operands[3]
        for _ in range(outer):
            memcpy(y, x, item)
            if rest > 0:
                operands[0] = operands[2] = y
                operands[1] = x + item
                self.elementwise.loops[slot](operands, &rest, strides, self.elementwise.data[slot])
            x += length * item
            y += item

    cdef void fold_columns(
        self, char* x, char* y, npy_intp outer, npy_intp length, npy_intp inner, int slot
    ) noexcept:
        cdef npy_intp item = sizeof(double) if slot else sizeof(float)
        cdef npy_intp[3] strides = [item, item, item]
        cdef char* operands[3]
        for _ in range(outer):
            memcpy(y, x, inner * item)
            for _ in range(1, length):
                x += inner * item
                operands[0] = operands[2] = y
                operands[1] = x
                self.elementwise.loops[slot](operands, &inner, strides, self.elementwise.data[slot])
            x += inner * item
            y += inner * item


cdef Reduction adding = Reduction(np.add)


cdef ndarray column_sums(ndarray x, int leading):
    """Sum a plain array that is not empty over its `leading` axes, row by row."""
    cdef int rest = cnp.PyArray_NDIM(x) - leading
    cdef ndarray y = empty(
        rest, cnp.PyArray_DIMS(x) + leading, cnp.PyArray_TYPE(x)
    )
    cdef npy_intp width = cnp.PyArray_SIZE(y)
    if cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE:
        column_sums_loop(
            <double*> cnp.PyArray_DATA(x), <double*> cnp.PyArray_DATA(y),
            cnp.PyArray_SIZE(x) // width, width,
        )
    else:
        column_sums_loop(
            <float*> cnp.PyArray_DATA(x), <float*> cnp.PyArray_DATA(y),
            cnp.PyArray_SIZE(x) // width, width,
        )
    return y


cdef void column_sums_loop(
    const floating* x,      # IN   rows * width
    floating* y,            # OUT  width
    npy_intp rows, npy_intp width,
) noexcept nogil:
    cdef npy_intp k
    memcpy(y, x, width * sizeof(floating))
    for _ in range(1, rows):
        x += width
        for k in range(width):
            y[k] += x[k]


@cython.final
cdef class SumTo(Kernel):
    """Sum over the axes along which an array of a shape was broadcast; static: (shape,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef tuple shape = statics[0]
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        cdef int axis, leading
        if slot >= 0 and cnp.PyArray_SIZE(x) > 0:
            leading = cnp.PyArray_NDIM(x) - len(shape)
            for axis in range(leading, cnp.PyArray_NDIM(x)):
                if cnp.PyArray_DIM(x, axis) != <npy_intp> shape[axis - leading]:
                    break
            else:
                if len(shape) == 0:
                    return adding.fold(<ndarray> x, 0, leading, False, slot)
                return column_sums(<ndarray> x, leading)
        leading = np.ndim(x) - len(shape)
        axes = tuple(range(leading)) + tuple(
            [axis + leading for axis in range(len(shape)) if shape[axis] == 1]
        )
        with np.errstate(all="ignore"):
            return np.add.reduce(x, axis=axes, keepdims=True, dtype=x.dtype).reshape(shape)


@cython.final
cdef class Broadcast(Kernel):
    """Repeat an array into a larger shape, in memory of its own; static: (shape,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef tuple shape = statics[0]
        cdef npy_intp[64] lengths
        cdef ndarray y
        cdef int axis
        if type(x) is not ndarray or len(shape) > 64:
            return np.broadcast_to(x, shape).copy()
        if len(shape) < cnp.PyArray_NDIM(<ndarray> x):
            raise ValueError(f"{len(shape)} axes are fewer than the array has")
        for axis in range(len(shape)):
            lengths[axis] = index(shape[axis])      # which refuses fractions
            if lengths[axis] < 0:
                raise ValueError(f"negative lengths are not allowed: {shape}")
        y = empty(len(shape), lengths, cnp.PyArray_TYPE(<ndarray> x))
        cnp.PyArray_CopyInto(y, <ndarray> x)
        return y
