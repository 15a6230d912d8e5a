"""Reductions over one axis or all, by the reducing form of a ufunc's own inner loop.

Design
------
a) A plain float array reduced over one axis is a block of shape (outer, axis, inner).  Where inner
   is 1, each row is reduced by one call of the loop with an output stride of 0, which NumPy's loops
   know as a reduction (sums are pairwise, so their error grows with log n).  Where it is not, rows
   are folded into the result one after the other.  Both are what NumPy does, without its overhead.
b) Long rows are folded by blocks of fixed length, and columns side by side, on several threads: the
   result is the same bits for any number of them.
c) Several axes, other dtypes and layouts, and empty axes are left to ``ufunc.reduce``.
"""

from operator import index

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.long cimport PyLong_AsLong
from cpython.ref cimport PyObject
from libc.string cimport memcpy
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport GRAIN, Loop, run_loop
from tinygrad_relu.kernels.elementwise cimport Elementwise, float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.kernel cimport Kernel
from tinygrad_relu.kernels.loops.table cimport Columns

from tinygrad_relu.kernels.elementwise import Elementwise

from tinygrad_relu.errors import ShapeError

cnp.import_array()


cdef object axes_meant(object x, object axis):
    """Return axes as NumPy takes them: all (None) for the empty tuple, which means that in PyTorch, and of
    an array without axes for 0 and -1, too."""
    if axis is None or type(axis) is int and cnp.PyArray_CheckExact(x) and cnp.PyArray_NDIM(x) > 0:
        return axis
    if type(axis) is list:
        axis = tuple(axis)
    if type(axis) is tuple and not axis or np.ndim(x) == 0 and axis in (0, -1, (0,), (-1,)):
        return None
    return axis


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
        cdef object axis = axes_meant(x, statics[0])
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

    cdef int fold_rows(
        self, char* x, char* y, npy_intp outer, npy_intp length, int slot
    ) except -1:
        cdef npy_intp item = sizeof(double) if slot else sizeof(float)
        cdef npy_intp row = length * item, blocks = length // FOLD_BLOCK, parts = blocks + 1
        cdef Fold fold = Fold(self.elementwise.loops[slot], self.elementwise.data[slot], length, item)
        cdef ndarray partial
        cdef char* partial_data
        if blocks < 2:
            return run_fold(fold_rows, &fold, x, y, outer, row, item)
        partial = empty(1, &parts, cnp.NPY_DOUBLE if slot else cnp.NPY_FLOAT)
        partial_data = cnp.PyArray_BYTES(partial)
        for _ in range(outer):
            fold.length = FOLD_BLOCK
            run_fold(fold_rows, &fold, x, partial_data, blocks, FOLD_BLOCK * item, item)
            fold.length = length - blocks * FOLD_BLOCK
            parts = blocks
            if fold.length > 0:
                run_fold(
                    fold_rows, &fold, x + blocks * FOLD_BLOCK * item, partial_data + blocks * item,
                    1, row, item,
                )
                parts += 1
            fold.length = parts
            run_fold(fold_rows, &fold, partial_data, y, 1, parts * item, item)
            x += row
            y += item
        return 0

    cdef int fold_columns(
        self, char* x, char* y, npy_intp outer, npy_intp length, npy_intp inner, int slot
    ) except -1:
        cdef npy_intp item = sizeof(double) if slot else sizeof(float)
        cdef Fold fold = Fold(
            self.elementwise.loops[slot], self.elementwise.data[slot], length, inner * item
        )
        for _ in range(outer):
            run_fold(fold_columns, &fold, x, y, inner, item, item)
            x += length * inner * item
            y += inner * item
        return 0


cdef enum:
    # A longer row is folded block by block, on however many threads: so they make no difference.
    FOLD_BLOCK = 32768
    # Columns whose results stay in the first-level cache.
    FEW_COLUMNS = 1024

cdef struct Fold:
    Loop loop                   # the reducing loop of a ufunc
    void* data
    npy_intp length             # how many elements go into one
    npy_intp step               # bytes from one of them to the next


cdef int run_fold(
    Loop loop, Fold* fold, char* x, char* y, npy_intp count, npy_intp x_step, npy_intp y_step
) except -1:
    """Fold `count` rows or columns."""
    cdef npy_intp[2] strides = [x_step, y_step]
    cdef char* operands[2]
    operands[0], operands[1] = x, y
    # Of columns, the strides tell only the first row.
    run_loop(
        loop, fold, 2, operands, count, strides, GRAIN if x_step > fold.step else GRAIN // fold.length
    )
    return 0


cdef void fold_rows(
    char** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """A step is a row: what lies end to end is folded into one."""
    cdef Fold* fold = <Fold*> settings
    cdef char* x = operands[0]
    cdef char* y = operands[1]
    cdef npy_intp rest = fold.length - 1
    cdef npy_intp[3] fold_strides = [0, fold.step, 0]
    cdef char* fold_operands[3]
    for _ in range(count[0]):
        memcpy(y, x, fold.step)
        if rest > 0:
            fold_operands[0] = fold_operands[2] = y
            fold_operands[1] = x + fold.step
            fold.loop(fold_operands, &rest, fold_strides, fold.data)
        x += strides[0]
        y += strides[1]


cdef void fold_columns(
    char** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """A step is a column: row after row is folded into the first one."""
    cdef Fold* fold = <Fold*> settings
    cdef npy_intp item = strides[0], start = 0, size
    cdef npy_intp[3] fold_strides = [item, item, item]
    cdef char* fold_operands[3]
    cdef char* x
    cdef char* y
    while start < count[0]:
        size = min(FEW_COLUMNS, count[0] - start)
        x = operands[0] + start * item
        y = operands[1] + start * item
        memcpy(y, x, size * item)
        for _ in range(1, fold.length):
            x += fold.step
            fold_operands[0] = fold_operands[2] = y
            fold_operands[1] = x
            fold.loop(fold_operands, &size, fold_strides, fold.data)
        start += size


cdef Reduction adding = Reduction(np.add)


cdef ndarray column_sums(ndarray x, int leading):
    """Sum a plain array that is not empty over its `leading` axes, row by row."""
    cdef int rest = cnp.PyArray_NDIM(x) - leading
    cdef ndarray y = empty(
        rest, cnp.PyArray_DIMS(x) + leading, cnp.PyArray_TYPE(x)
    )
    cdef npy_intp width = cnp.PyArray_SIZE(y), item = cnp.PyArray_ITEMSIZE(x)
    cdef Columns columns = Columns(cnp.PyArray_SIZE(x) // width, width * item)
    cdef npy_intp[2] strides = [item, item]
    cdef char* operands[2]
    operands[0], operands[1] = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
    run_loop(
        own.column_sums[item == sizeof(double)], &columns, 2, operands, width, strides,
        GRAIN // columns.rows,
    )
    return y


cdef Elementwise subtracting = Elementwise(np.subtract)
cdef Elementwise multiplying = Elementwise(np.multiply)
cdef Elementwise dividing = Elementwise(np.true_divide)


@cython.final
cdef class SquaredDeviations(Kernel):
    """The sum of the squared deviations from the mean along some axes; statics: (axis, keepdims)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef object axis = axes_meant(x, statics[0]), deviation, total
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        cdef PyObject* operand
        cdef npy_intp[3] strides
        cdef char* operands[3]
        if slot < 0 or cnp.PyArray_SIZE(x) == 0:
            with np.errstate(all="ignore"):
                total = np.add.reduce(x, axis=axis, keepdims=True)
                deviation = x - total / (np.size(x) // max(np.size(total), 1))
                return np.add.reduce(np.square(deviation), axis=axis, keepdims=statics[1])
        total = adding.run(arrays, 1, (statics[0], True))
        total = dividing.with_number(
            <ndarray> total, <double> (cnp.PyArray_SIZE(x) // cnp.PyArray_SIZE(total)), False, slot
        )
        deviation = subtracting.binary(<ndarray> x, <ndarray> total, slot)
        operands[0] = operands[1] = operands[2] = cnp.PyArray_BYTES(deviation)
        strides[0] = strides[1] = strides[2] = cnp.PyArray_ITEMSIZE(deviation)
        run_loop(
            multiplying.loops[slot], multiplying.data[slot], 3, operands, cnp.PyArray_SIZE(x), strides
        )
        operand = <PyObject*> deviation
        return adding.run(&operand, 1, statics)


@cython.final
cdef class SumTo(Kernel):
    """Sum over the axes along which an array of a shape was broadcast; static: (shape,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef tuple shape = statics[0]
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        cdef int axis, leading = (
            cnp.PyArray_NDIM(<ndarray> x) if type(x) is ndarray else np.ndim(x)
        ) - len(shape)
        if slot >= 0 and cnp.PyArray_SIZE(x) > 0 and leading >= 0:
            for axis in range(leading, cnp.PyArray_NDIM(x)):
                if cnp.PyArray_DIM(x, axis) != <npy_intp> shape[axis - leading]:
                    break
            else:
                if len(shape) == 0:
                    return adding.fold(<ndarray> x, 0, leading, False, slot)
                return column_sums(<ndarray> x, leading)
        if leading < 0 or any(
            [n != 1 and n != wide for n, wide in zip(shape, np.shape(x)[leading:])]
        ):
            raise ShapeError(f"an array of shape {np.shape(x)} is no broadcast one of shape {shape}")
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
            raise ShapeError(f"{len(shape)} axes are fewer than the array has")
        for axis in range(len(shape)):
            lengths[axis] = index(shape[axis])      # which refuses fractions
            if lengths[axis] < 0:
                raise ShapeError(f"negative lengths are not allowed: {shape}")
        y = empty(len(shape), lengths, cnp.PyArray_TYPE(<ndarray> x))
        cnp.PyArray_CopyInto(y, <ndarray> x)
        return y
