"""Matrix products, by the BLAS that NumPy brings.

Two plain matrices go to it directly (`_blas.pyx`).  Vectors, stacks of matrices and other dtypes are
left to ``np.matmul``.
"""

import math

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._blas cimport multiply
from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport run_loop
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.kernel cimport Kernel

from tinygrad_relu.kernels.gate import relu

from tinygrad_relu.errors import ShapeError

cnp.import_array()

cdef bint fitting(object a, object b, int contracted) noexcept:
    """Tell whether `a` and `b` are matrices of one float dtype that fit, `b` along axis `contracted`."""
    cdef int number
    if type(a) is not ndarray or type(b) is not ndarray:
        return False
    number = cnp.PyArray_TYPE(<ndarray> a)
    return (
        (number == cnp.NPY_DOUBLE or number == cnp.NPY_FLOAT)
        and cnp.PyArray_TYPE(<ndarray> b) == number
        and cnp.PyArray_NDIM(<ndarray> a) == cnp.PyArray_NDIM(<ndarray> b) == 2
        and cnp.PyArray_DIM(<ndarray> a, 1) == cnp.PyArray_DIM(<ndarray> b, contracted)
        and cnp.PyArray_ISBEHAVED_RO(<ndarray> a)
        and cnp.PyArray_ISBEHAVED_RO(<ndarray> b)
    )


cdef ndarray product(ndarray a, ndarray b):
    cdef npy_intp[2] shape = [cnp.PyArray_DIM(a, 0), cnp.PyArray_DIM(b, 1)]
    cdef ndarray y = empty(2, shape, cnp.PyArray_TYPE(a))
    multiply(a, b, y)
    return y


@cython.final
cdef class MatrixProduct(Kernel):
    """The kernel of `matmul`, called with two arrays."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object a = <object> arrays[0]
        cdef object b = <object> arrays[1]
        if fitting(a, b, 0):
            return product(<ndarray> a, <ndarray> b)
        with np.errstate(all="ignore"):
            return np.matmul(a, b)


@cython.wraparound(True)
def rows_of(a, b):
    """Return two arrays as matrices, whose rows are their last axes, or raise where they do not fit."""
    *outer, width = a.shape if a.ndim else [-1]
    *other, breadth = b.shape if b.ndim else [-1]
    if outer != other or width < 0 or breadth < 0:
        raise ShapeError("all axes but the last one need to be of the same lengths")
    return a.reshape(math.prod(outer), width), b.reshape(math.prod(outer), breadth)


@cython.final
cdef class OuterSum(Kernel):
    """The kernel of `outer_sum`: the sum of the outer products of the last axes of two arrays."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object a = <object> arrays[0]
        cdef object b = <object> arrays[1]
        if type(a) is not ndarray or type(b) is not ndarray or cnp.PyArray_NDIM(a) != 2 or (
            cnp.PyArray_NDIM(b) != 2 or cnp.PyArray_DIM(a, 0) != cnp.PyArray_DIM(b, 0)
        ):
            a, b = rows_of(np.asarray(a), np.asarray(b))
        a = cnp.PyArray_Transpose(<ndarray> a, NULL)
        if fitting(a, b, 0):
            return product(<ndarray> a, <ndarray> b)
        with np.errstate(all="ignore"):
            return np.matmul(a, b)


@cython.final
cdef class Affine(Kernel):
    """The kernel of `linear`, called with (x, weight, bias): ``x @ weight.T + bias``.

    One pass over the product adds the bias, and rectifies as well if that is wanted.
    """

    cdef bint rectified

    def __init__(self, bint rectified=False):
        self.rectified = rectified

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef object weight = <object> arrays[1]
        cdef object bias = <object> arrays[2]
        cdef ndarray y
        if fitting(x, weight, 1) and (bias is None or self.takes(weight, bias)):
            y = product(<ndarray> x, <ndarray> cnp.PyArray_Transpose(<ndarray> weight, NULL))
            if bias is not None:
                self.finish(y, <ndarray> bias)
            elif self.rectified:
                relu(y, y)
            return y
        with np.errstate(all="ignore"):
            if np.ndim(weight) != 2:
                raise ShapeError(f"weight has {np.ndim(weight)} axes, 2 are needed: (outputs, inputs)")
            features = np.shape(x)[np.ndim(x) - 1] if np.ndim(x) else "no"
            if features != np.shape(weight)[1]:
                raise ShapeError(f"x has {features} features, the weight takes {np.shape(weight)[1]}")
            if bias is not None and np.shape(bias) != np.shape(weight)[:1]:
                raise ShapeError("bias needs the shape (outputs,)")
            product_ = np.matmul(x, np.transpose(weight))
            y_ = product_ if bias is None else product_ + bias
            return relu(y_) if self.rectified else y_

    cdef void finish(self, ndarray y, ndarray bias) noexcept:
        """Add `bias` to each row of `y`, in place, and rectify it if that is wanted."""
        cdef npy_intp rows = cnp.PyArray_DIM(y, 0), width = cnp.PyArray_DIM(y, 1)
        cdef npy_intp row = width * cnp.PyArray_ITEMSIZE(y)
        cdef int slot = float_slot(y)
        cdef npy_intp[3] strides = [row, 0, row]
        cdef char* operands[3]
        if rows == 0 or width == 0:
            return
        operands[0] = operands[2] = cnp.PyArray_BYTES(y)
        operands[1] = cnp.PyArray_BYTES(bias)
        run_loop(
            own.add_bias_relu[slot] if self.rectified else own.add_bias[slot], &width, 3,
            operands, rows, strides,
        )

    cdef bint takes(self, ndarray weight, object bias) noexcept:
        return (
            type(bias) is ndarray
            and float_slot(<ndarray> bias) >= 0
            and cnp.PyArray_TYPE(<ndarray> bias) == cnp.PyArray_TYPE(weight)
            and cnp.PyArray_NDIM(<ndarray> bias) == 1
            and cnp.PyArray_DIM(<ndarray> bias, 0) == cnp.PyArray_DIM(weight, 0)
        )
