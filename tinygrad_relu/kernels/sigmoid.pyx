"""The logistic function as a ufunc, at full precision in both tails.

With ``e = exp(-|x|)``, sigmoid(x) is ``1 / (1 + e)`` for ``x >= 0`` and ``e / (1 + e)`` below: no
overflow and no cancellation.  The exponential is NumPy's own loop, a block at a time, so that it
stays in the first-level cache.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.math cimport fabs
from numpy cimport npy_intp

from tinygrad_relu.kernels._threads cimport Loop
from tinygrad_relu.kernels.elementwise cimport Elementwise

from tinygrad_relu.kernels.elementwise import Elementwise

cnp.import_array()
cnp.import_ufunc()

cdef enum:
    BLOCK = 512

cdef Elementwise exponential = Elementwise(np.exp)
cdef Loop[2] EXP_LOOPS
EXP_LOOPS[0], EXP_LOOPS[1] = exponential.loops[0], exponential.loops[1]
cdef void* EXP_DATA[2]
EXP_DATA[0], EXP_DATA[1] = exponential.data[0], exponential.data[1]


cdef inline void sigmoid_strided(
    char** operands, npy_intp count, npy_intp* strides, floating* witness
) noexcept nogil:
    """Sigmoid of `count` elements; `witness` only tells Cython which of float and double."""
    cdef floating[BLOCK] block
    cdef char* exp_operands[2]
    cdef npy_intp[2] exp_strides = [sizeof(floating), sizeof(floating)]
    cdef int slot = 1 if floating is double else 0
    cdef char* x = operands[0]
    cdef char* y = operands[1]
    cdef npy_intp i, size
    cdef floating value, e
    while count > 0:
        size = min(count, BLOCK)
        for i in range(size):
            block[i] = -<floating> fabs((<floating*> (x + i * strides[0]))[0])
        exp_operands[0] = exp_operands[1] = <char*> block
        EXP_LOOPS[slot](exp_operands, &size, exp_strides, EXP_DATA[slot])
        for i in range(size):
            value = (<floating*> (x + i * strides[0]))[0]
            e = block[i]
            (<floating*> (y + i * strides[1]))[0] = (1 if value >= 0 else e) / (1 + e)
        x += size * strides[0]
        y += size * strides[1]
        count -= size


cdef void sigmoid_float(char** operands, npy_intp* n, npy_intp* strides, void* data) noexcept nogil:
    sigmoid_strided[float](operands, n[0], strides, NULL)


cdef void sigmoid_double(char** operands, npy_intp* n, npy_intp* strides, void* data) noexcept nogil:
    sigmoid_strided[double](operands, n[0], strides, NULL)


cdef cnp.PyUFuncGenericFunction[2] LOOPS = [
    <cnp.PyUFuncGenericFunction> sigmoid_float, <cnp.PyUFuncGenericFunction> sigmoid_double
]
cdef char[4] TYPES = [cnp.NPY_FLOAT, cnp.NPY_FLOAT, cnp.NPY_DOUBLE, cnp.NPY_DOUBLE]
cdef void* NO_DATA[2]   # zero, as all static memory is

sigmoid_ufunc = cnp.PyUFunc_FromFuncAndData(
    LOOPS, NO_DATA, TYPES, 2, 1, 1, -1, "sigmoid", "1 / (1 + exp(-x))", 0
)
sigmoid_kernel = Elementwise(sigmoid_ufunc)
