"""Products of two matrices by the BLAS that NumPy brings: the only file that speaks BLAS.

Design
------
a) What is called is the loop of ``np.matmul``, which costs a tenth of a microsecond over BLAS, where
   ``PyArray_MatrixProduct2`` costs half of one, and fills the result with zeros first.  A loop does
   not warn, as the ufunc would, of an infinity that stands in the result anyway.
b) Transposed views and views of columns go to BLAS without a copy, but for one case.  OpenBLAS has
   no kernel for small products whose second factor alone is transposed, which is ``x @ weight.T``:
   64 x 16 times 16 x 16 took 1.5 microseconds instead of 0.9, and 128 x 128 times 128 x 10 took 14
   instead of 8, so a small second factor is turned round first.
c) Nor has ``np.matmul`` one for a column times a row: 64 x 16 took 1.1 microseconds more than here.
d) What BLAS does not take without a copy is copied by ``PyArray_MatrixProduct2``.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.stdlib cimport free, malloc
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._threads cimport Loop

cnp.import_array()
cnp.import_ufunc()

cdef extern from "numpy/arrayobject.h":
    ndarray PyArray_MatrixProduct2(object a, object b, ndarray out)

cdef enum:
    # Multiplications from which on other Python threads may run meanwhile.
    LONG = 100_000
    # Up to how many multiplications OpenBLAS takes a kernel for small products, how many rows make up
    # for turning the second factor round, and how large that may be for scratch memory without faults.
    SMALL = 1_000_000
    ENOUGH_ROWS = 16
    SCRATCH_BYTES = 65536

cdef int[2] FLOAT_TYPES = [cnp.NPY_FLOAT, cnp.NPY_DOUBLE]
cdef Loop[2] loops              # of np.matmul, for float and for double
cdef void* loop_data[2]


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


cdef struct Matrix:
    char* data
    bint transposed             # columns lie in memory one after the other, and not rows
    npy_intp step               # bytes from one of them to the next


cdef bint described(ndarray x, Matrix* matrix) noexcept:
    """Describe a matrix as BLAS wants it; tell whether that can be done without a copy."""
    cdef npy_intp item = cnp.PyArray_ITEMSIZE(x)
    cdef npy_intp m = cnp.PyArray_DIM(x, 0), n = cnp.PyArray_DIM(x, 1)
    cdef npy_intp down = cnp.PyArray_STRIDE(x, 0), along = cnp.PyArray_STRIDE(x, 1)
    matrix.data = cnp.PyArray_BYTES(x)
    # The stride of an axis of length 1 says nothing.
    if (n == 1 or along == item) and (m == 1 or (down % item == 0 and down >= n * item)):
        matrix.transposed, matrix.step = False, n * item if m == 1 else down
        return True
    if (m == 1 or down == item) and (n == 1 or (along % item == 0 and along >= m * item)):
        matrix.transposed, matrix.step = True, m * item if n == 1 else along
        return True
    return False


cdef void turned_round(
    const floating* x, npy_intp step, floating* y, npy_intp m, npy_intp n
) noexcept nogil:
    """Write the transpose of an m x n matrix to `y`."""
    cdef npy_intp i, j
    for i in range(m):
        for j in range(n):
            y[j * m + i] = x[j]
        x = <const floating*> (<const char*> x + step)


cdef void column_times_row(
    const char* a, npy_intp down, const char* b, npy_intp along, floating* y, npy_intp m, npy_intp n
) noexcept nogil:
    cdef npy_intp i, j
    cdef floating factor
    for i in range(m):
        factor = (<const floating*> (a + i * down))[0]
        if along == sizeof(floating):
            for j in range(n):
                y[j] = factor * (<const floating*> b)[j]
        else:
            for j in range(n):
                y[j] = factor * (<const floating*> (b + j * along))[0]
        y += n


cdef void multiply_described(
    int slot, npy_intp m, npy_intp n, npy_intp k, Matrix* a, Matrix* b, char* y
) noexcept nogil:
    cdef npy_intp item = sizeof(double) if slot else sizeof(float)
    # What a generalized ufunc hands to its loop: how often, the lengths; to the next call, and within.
    cdef npy_intp[4] lengths = [1, m, k, n]
    cdef npy_intp[9] steps = [
        0, 0, 0, item if a.transposed else a.step, a.step if a.transposed else item,
        item if b.transposed else b.step, b.step if b.transposed else item, n * item, item,
    ]
    cdef char* operands[3]
    if k == 1 and slot:
        column_times_row(a.data, steps[3], b.data, steps[6], <double*> y, m, n)
        return
    if k == 1:
        column_times_row(a.data, steps[3], b.data, steps[6], <float*> y, m, n)
        return
    operands[0], operands[1], operands[2] = a.data, b.data, y
    loops[slot](operands, lengths, steps, loop_data[slot])


cdef void multiply_turned(
    int slot, npy_intp m, npy_intp n, npy_intp k, Matrix* a, Matrix* b, char* y
) noexcept nogil:
    """Multiply by a small matrix that is stored transposed, after turning it round."""
    cdef npy_intp item = sizeof(double) if slot else sizeof(float)
    cdef Matrix plain
    plain.data, plain.transposed, plain.step = <char*> malloc(n * k * item), False, n * item
    if plain.data is NULL:
        multiply_described(slot, m, n, k, a, b, y)
        return
    if slot:
        turned_round(<double*> b.data, b.step, <double*> plain.data, n, k)
    else:
        turned_round(<float*> b.data, b.step, <float*> plain.data, n, k)
    multiply_described(slot, m, n, k, a, &plain, y)
    free(plain.data)


cdef int multiply(ndarray a, ndarray b, ndarray y) except -1:
    """Write ``a @ b`` to `y`.

    All are aligned matrices of one dtype, float or double, that fit; `y` is row-major and shares no
    memory with the others.
    """
    cdef Matrix left, right
    cdef npy_intp m = cnp.PyArray_DIM(a, 0), k = cnp.PyArray_DIM(a, 1), n = cnp.PyArray_DIM(b, 1)
    cdef int slot = cnp.PyArray_TYPE(a) == cnp.NPY_DOUBLE
    if m == 0 or n == 0 or k == 0 or not (described(a, &left) and described(b, &right)):
        with np.errstate(all="ignore"):
            PyArray_MatrixProduct2(a, b, y)
    elif (
        not left.transposed and right.transposed and n > 1 and m >= ENOUGH_ROWS
        and m * n * k <= SMALL and n * k * cnp.PyArray_ITEMSIZE(b) <= SCRATCH_BYTES
    ):
        multiply_turned(slot, m, n, k, &left, &right, cnp.PyArray_BYTES(y))
    elif m * n * k < LONG:
        multiply_described(slot, m, n, k, &left, &right, cnp.PyArray_BYTES(y))
    else:
        with nogil:
            multiply_described(slot, m, n, k, &left, &right, cnp.PyArray_BYTES(y))
    return 0
