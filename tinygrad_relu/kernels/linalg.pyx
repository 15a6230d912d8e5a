"""Matrix products, by the BLAS that NumPy brings.

Two plain matrices go to the loop of ``np.matmul`` itself, which hands transposed views to BLAS without a
copy, and never warns: the ufunc would say of an infinity what stands in the result.  Vectors, stacks
of matrices, other strides and other dtypes are left to ``np.matmul``.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport Loop, run_loop
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.kernel cimport Kernel

from tinygrad_relu.kernels.gate import relu

from tinygrad_relu.errors import ShapeError

cnp.import_array()
cnp.import_ufunc()

cdef int[2] FLOAT_TYPES = [cnp.NPY_FLOAT, cnp.NPY_DOUBLE]
cdef Loop[2] loops              # of np.matmul, for float and for double
cdef void* loop_data[2]

# Multiplications below which other Python threads would not gain from running meanwhile.
cdef enum:
    LONG = 1 << 15


cdef int find_loops() except -1:
    """Look up what ``np.matmul`` calls for each dtype."""
    cdef cnp.ufunc ufunc = np.matmul
    cdef int row, slot
    for slot in range(2):
        for row in range(ufunc.ntypes):
            if ufunc.types[3 * row] == ufunc.types[3 * row + 1] == FLOAT_TYPES[slot]:
                loops[slot] = <Loop> <void*> ufunc.functions[row]
                loop_data[slot] = ufunc.data[row] if ufunc.data is not NULL else NULL
                break
        else:
            raise ImportError("np.matmul has no loop for floats: this NumPy is not one that is known")
    return 0


find_loops()


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
        and (cnp.PyArray_IS_C_CONTIGUOUS(<ndarray> a) or cnp.PyArray_IS_F_CONTIGUOUS(<ndarray> a))
        and (cnp.PyArray_IS_C_CONTIGUOUS(<ndarray> b) or cnp.PyArray_IS_F_CONTIGUOUS(<ndarray> b))
    )


cdef ndarray product(ndarray a, ndarray b):
    """Return ``a @ b`` of two matrices that are `fitting`."""
    cdef npy_intp rows = cnp.PyArray_DIM(a, 0), columns = cnp.PyArray_DIM(b, 1)
    cdef npy_intp inner = cnp.PyArray_DIM(a, 1), item = cnp.PyArray_ITEMSIZE(a)
    cdef npy_intp[2] shape = [rows, columns]
    cdef ndarray y = empty(2, shape, cnp.PyArray_TYPE(a))
    # What a generalized ufunc hands to its loop: how often, the lengths; to the next call, and within.
    cdef npy_intp[4] lengths = [1, rows, inner, columns]
    cdef npy_intp[9] steps = [
        0, 0, 0, cnp.PyArray_STRIDE(a, 0), cnp.PyArray_STRIDE(a, 1),
        cnp.PyArray_STRIDE(b, 0), cnp.PyArray_STRIDE(b, 1), columns * item, item,
    ]
    cdef char* operands[3]
    operands[:] = [cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(b), cnp.PyArray_BYTES(y)]
    cdef int slot = cnp.PyArray_TYPE(a) == cnp.NPY_DOUBLE
    if <double> rows * inner * columns < LONG:
        loops[slot](operands, lengths, steps, loop_data[slot])
    else:
        with nogil:
            loops[slot](operands, lengths, steps, loop_data[slot])
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
