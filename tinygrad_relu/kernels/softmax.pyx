"""Softmax, its logarithm, and the loss of a right class, without overflow, in one pass over memory.

A plain float array whose axis is the last one is done row by row: the largest element is taken off,
the exponential is NumPy's own loop, and the sum follows while the row is in cache, in double precision.
Other layouts go by the same formula in NumPy.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport COSTLY_GRAIN, Loop, run_loop
from tinygrad_relu.kernels.elementwise cimport Elementwise, float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.kernel cimport Kernel
from tinygrad_relu.kernels.loops.table cimport Rows

from tinygrad_relu.kernels.elementwise import Elementwise

from tinygrad_relu.errors import DTypeError, IndexingError, ShapeError

cnp.import_array()

cdef Elementwise exponential = Elementwise(np.exp)


cdef void run_rows(
    Loop* loops, int slot, int operand_count, char** operands, npy_intp rows, npy_intp width,
    npy_intp* strides,
) noexcept:
    """Run a loop over `rows` rows, of which there is at least one, and not of width 0."""
    cdef Rows settings
    settings.width = width
    settings.exp.loop, settings.exp.data = exponential.loops[slot], exponential.data[slot]
    run_loop(
        loops[slot], &settings, operand_count, operands, rows, strides,
        COSTLY_GRAIN,
    )


cdef class Normalised(Kernel):
    """What softmax and its logarithm share; static: (axis,)."""

    cdef Loop* loops

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef object axis = statics[0]
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        cdef int ndim = cnp.PyArray_NDIM(<ndarray> x) if slot >= 0 else 0
        if (
            slot >= 0 and ndim > 0 and type(axis) is int and (axis == -1 or axis == ndim - 1)
            and cnp.PyArray_SIZE(<ndarray> x) > 0
        ):
            return self.by_rows(<ndarray> x, slot)
        with np.errstate(all="ignore"):
            # Integers would wrap when the largest is taken off.
            x = np.asarray(x)
            x = x if x.dtype.kind == "f" else x.astype(np.float64)
            return self.general(x - np.amax(x, axis=axis, keepdims=True) if x.size else x, axis)

    cdef ndarray by_rows(self, ndarray x, int slot):
        cdef ndarray y = empty(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))
        cdef npy_intp width = cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)
        cdef npy_intp row = width * cnp.PyArray_ITEMSIZE(x)
        cdef npy_intp[2] strides = [row, row]
        cdef char* operands[2]
        operands[0], operands[1] = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
        run_rows(self.loops, slot, 2, operands, cnp.PyArray_SIZE(x) // width, width, strides)
        return y

    def general(self, shifted, axis):
        """Return the result for any layout, of which the largest element has been taken off."""
        raise NotImplementedError


@cython.final
cdef class Softmax(Normalised):
    """``exp(x) / sum(exp(x))``."""

    def __cinit__(self):
        self.loops = own.softmax

    def general(self, shifted, axis):
        e = np.exp(shifted)
        return e / np.sum(e, axis=axis, keepdims=True)


@cython.final
cdef class LogSoftmax(Normalised):
    """``x - log(sum(exp(x)))``."""

    def __cinit__(self):
        self.loops = own.log_softmax

    def general(self, shifted, axis):
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


cdef bint all_below(const npy_intp* numbers, npy_intp size, npy_intp count) noexcept nogil:
    """Tell whether numbers are at least 0 and less than `count`."""
    cdef npy_intp k
    for k in range(size):
        if not 0 <= numbers[k] < count:
            return False
    return True


cdef class Classes(Kernel):
    """What the loss of a right class and its gradient share: x (rows, classes), target (rows,)."""

    cdef tuple checked(self, object x, object target):
        """Return both as arrays that loops can take, or raise."""
        x = np.ascontiguousarray(x)
        if x.dtype not in (np.float32, np.float64):
            x = x.astype(np.float64)
        if x.ndim != 2:
            raise ShapeError("x needs the axes (rows, classes)")
        if np.shape(target) != x.shape[:1]:
            raise ShapeError("target needs one class for each row of x")
        if target.dtype.kind not in "iu":
            raise DTypeError(f"target has dtype {target.dtype}, and classes are integers")
        numbers = np.ascontiguousarray(target, dtype=np.intp)
        if not all_below(<npy_intp*> cnp.PyArray_DATA(numbers), numbers.size, x.shape[1]):
            raise IndexingError(
                f"target has classes from {target.min()} to {target.max()}, and x has {x.shape[1]} "
                f"classes, from 0 to {x.shape[1] - 1}"
            )
        return x, numbers


@cython.final
cdef class ClassLosses(Classes):
    """``-log_softmax(x)`` at the class of each row."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef ndarray x, target, losses
        cdef char* operands[3]
        cdef npy_intp[3] strides
        cdef npy_intp width, item
        x, target = self.checked(<object> arrays[0], <object> arrays[1])
        losses = empty(1, cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))
        if cnp.PyArray_SIZE(x) > 0:
            width, item = cnp.PyArray_DIM(x, 1), cnp.PyArray_ITEMSIZE(x)
            strides[:] = [width * item, sizeof(npy_intp), item]
            operands[0], operands[1] = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(target)
            operands[2] = cnp.PyArray_BYTES(losses)
            run_rows(
                own.class_losses, float_slot(x), 3, operands, cnp.PyArray_DIM(x, 0), width, strides
            )
        return losses


@cython.final
cdef class LessClass(Classes):
    """``(softmax(x) - one_hot(target)) * scale``, with one scale for each row."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef ndarray x, target, scale, y
        cdef char* operands[4]
        cdef npy_intp[4] strides
        cdef npy_intp width, row
        x, target = self.checked(<object> arrays[0], <object> arrays[1])
        scale = np.ascontiguousarray(<object> arrays[2], dtype=(<object> x).dtype)
        if cnp.PyArray_NDIM(scale) != 1 or cnp.PyArray_DIM(scale, 0) != cnp.PyArray_DIM(x, 0):
            raise ShapeError("scale needs one number for each row of x")
        y = empty(2, cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))
        if cnp.PyArray_SIZE(x) > 0:
            width = cnp.PyArray_DIM(x, 1)
            row = width * cnp.PyArray_ITEMSIZE(x)
            strides[:] = [row, sizeof(npy_intp), cnp.PyArray_ITEMSIZE(x), row]
            operands[0], operands[1] = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(target)
            operands[2], operands[3] = cnp.PyArray_BYTES(scale), cnp.PyArray_BYTES(y)
            run_rows(own.less_class, float_slot(x), 4, operands, cnp.PyArray_DIM(x, 0), width, strides)
        return y
