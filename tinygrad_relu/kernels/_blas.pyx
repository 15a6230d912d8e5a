"""Products of two matrices by the BLAS that NumPy brings: the only file that speaks BLAS.

Design
------
a) The library is loaded already, with NumPy.  Its C functions are asked for by name and called
   directly: that costs a tenth of a microsecond over the product itself, where
   ``PyArray_MatrixProduct2`` costs half of one, and fills the result with zeros first.
b) Only names that say how wide their integers are will do (``..._64_``); where NumPy was built with
   another BLAS, or with none, products go through ``PyArray_MatrixProduct2``.
c) Transposed views and views of columns go to BLAS without a copy, but for one case.  OpenBLAS has
   no kernel for small products whose second factor alone is transposed, which is ``x @ weight.T``:
   64 x 16 times 16 x 16 took 1.5 microseconds instead of 0.9, and 128 x 128 times 128 x 10 took 14
   instead of 8, so a small second factor is turned round first.
"""

import ctypes

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.stdlib cimport free, malloc
from numpy cimport ndarray, npy_intp

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    ndarray PyArray_MatrixProduct2(object a, object b, ndarray out)

ctypedef cnp.npy_int64 Length

ctypedef void (*DoubleMatrices)(
    int order, int transpose_a, int transpose_b, Length m, Length n, Length k, double alpha,
    const double* a, Length row_a, const double* b, Length row_b, double beta, double* y, Length row_y,
) noexcept nogil
ctypedef void (*FloatMatrices)(
    int order, int transpose_a, int transpose_b, Length m, Length n, Length k, float alpha,
    const float* a, Length row_a, const float* b, Length row_b, float beta, float* y, Length row_y,
) noexcept nogil
ctypedef void (*DoubleVector)(
    int order, int transpose, Length m, Length n, double alpha, const double* a, Length row_a,
    const double* x, Length step_x, double beta, double* y, Length step_y,
) noexcept nogil
ctypedef void (*FloatVector)(
    int order, int transpose, Length m, Length n, float alpha, const float* a, Length row_a,
    const float* x, Length step_x, float beta, float* y, Length step_y,
) noexcept nogil

cdef enum:
    ROW_MAJOR = 101             # as in every cblas.h
    PLAIN = 111
    TRANSPOSED = 112
    # Multiplications from which on other Python threads may run meanwhile.
    LONG = 100_000
    # Up to how many multiplications OpenBLAS takes a kernel for small products, how many rows make up
    # for turning the second factor round, and how large that may be for scratch memory without faults.
    SMALL = 1_000_000
    ENOUGH_ROWS = 16
    SCRATCH_BYTES = 65536


def address_of(name):
    """Return where the function `name` of NumPy's BLAS begins, or 0 if there is none of that name."""
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)
    for spelling in (f"scipy_cblas_{name}64_", f"cblas_{name}64_"):
        try:
            return ctypes.cast(getattr(library, spelling), ctypes.c_void_p).value
        except AttributeError:
            continue
    return 0


cdef DoubleMatrices double_matrices = <DoubleMatrices> <void*> <size_t> address_of("dgemm")
cdef FloatMatrices float_matrices = <FloatMatrices> <void*> <size_t> address_of("sgemm")
cdef DoubleVector double_vector = <DoubleVector> <void*> <size_t> address_of("dgemv")
cdef FloatVector float_vector = <FloatVector> <void*> <size_t> address_of("sgemv")
cdef bint is_direct = (
    double_matrices is not NULL and float_matrices is not NULL
    and double_vector is not NULL and float_vector is not NULL
)


cdef struct Matrix:
    void* data
    int transpose
    Length row                  # elements from one row of what lies in memory to the next


cdef bint described(ndarray x, Matrix* matrix) noexcept:
    """Describe a matrix as BLAS wants it; tell whether that can be done without a copy."""
    cdef npy_intp item = cnp.PyArray_ITEMSIZE(x)
    cdef npy_intp m = cnp.PyArray_DIM(x, 0), n = cnp.PyArray_DIM(x, 1)
    cdef npy_intp down = cnp.PyArray_STRIDE(x, 0), along = cnp.PyArray_STRIDE(x, 1)
    matrix.data = cnp.PyArray_DATA(x)
    # The stride of an axis of length 1 says nothing.
    if (n == 1 or along == item) and (m == 1 or (down % item == 0 and down >= n * item)):
        matrix.transpose, matrix.row = PLAIN, n if m == 1 else down // item
        return True
    if (m == 1 or down == item) and (n == 1 or (along % item == 0 and along >= m * item)):
        matrix.transpose, matrix.row = TRANSPOSED, m if n == 1 else along // item
        return True
    return False


cdef void turned_round(const floating* x, Length row, floating* y, Length m, Length n) noexcept nogil:
    """Write the transpose of an m x n matrix to `y`."""
    cdef Length i, j
    for i in range(m):
        for j in range(n):
            y[j * m + i] = x[i * row + j]


cdef void multiply_described(
    bint is_double, Length m, Length n, Length k, Matrix* a, Matrix* b, void* y
) noexcept nogil:
    cdef Matrix* matrix = a
    cdef Matrix* vector = b
    cdef Length rows = m, columns = k, step
    cdef bint turned = False    # a row vector times a matrix is the matrix, turned, times the vector
    if m == 1:
        matrix, vector, rows, columns, turned = b, a, k, n, True
    if m == 1 or n == 1:
        # How far apart the elements of the vector lie, which is all that its matrix form says.
        step = vector.row if (vector.transpose == PLAIN) != turned else 1
        if (matrix.transpose == TRANSPOSED):
            rows, columns, turned = columns, rows, not turned
        if is_double:
            double_vector(
                ROW_MAJOR, TRANSPOSED if turned else PLAIN, rows, columns, 1, <double*> matrix.data,
                matrix.row, <double*> vector.data, step, 0, <double*> y, 1,
            )
        else:
            float_vector(
                ROW_MAJOR, TRANSPOSED if turned else PLAIN, rows, columns, 1, <float*> matrix.data,
                matrix.row, <float*> vector.data, step, 0, <float*> y, 1,
            )
    elif is_double:
        double_matrices(
            ROW_MAJOR, a.transpose, b.transpose, m, n, k, 1, <double*> a.data, a.row,
            <double*> b.data, b.row, 0, <double*> y, n,
        )
    else:
        float_matrices(
            ROW_MAJOR, a.transpose, b.transpose, m, n, k, 1, <float*> a.data, a.row,
            <float*> b.data, b.row, 0, <float*> y, n,
        )


cdef void multiply_turned(
    bint is_double, Length m, Length n, Length k, Matrix* a, Matrix* b, void* y
) noexcept nogil:
    """Multiply by a small matrix that is stored transposed, after turning it round."""
    cdef Matrix plain = Matrix(malloc(n * k * (sizeof(double) if is_double else sizeof(float))), PLAIN, n)
    if plain.data is NULL:
        multiply_described(is_double, m, n, k, a, b, y)
        return
    if is_double:
        turned_round(<double*> b.data, b.row, <double*> plain.data, n, k)
    else:
        turned_round(<float*> b.data, b.row, <float*> plain.data, n, k)
    multiply_described(is_double, m, n, k, a, &plain, y)
    free(plain.data)


cdef int multiply(ndarray a, ndarray b, ndarray y) except -1:
    """Write ``a @ b`` to `y`.

    All are aligned matrices of one dtype, float or double, that fit; `y` is row-major and shares no
    memory with the others.
    """
    cdef Matrix left, right
    cdef npy_intp m = cnp.PyArray_DIM(a, 0), k = cnp.PyArray_DIM(a, 1), n = cnp.PyArray_DIM(b, 1)
    cdef bint is_double = cnp.PyArray_TYPE(a) == cnp.NPY_DOUBLE
    if not is_direct or m == 0 or n == 0 or k == 0 or not (
        described(a, &left) and described(b, &right)
    ):
        with np.errstate(all="ignore"):
            PyArray_MatrixProduct2(a, b, y)
    elif (
        left.transpose == PLAIN and right.transpose == TRANSPOSED and n > 1 and m >= ENOUGH_ROWS
        and m * n * k <= SMALL and n * k * cnp.PyArray_ITEMSIZE(b) <= SCRATCH_BYTES
    ):
        multiply_turned(is_double, m, n, k, &left, &right, cnp.PyArray_DATA(y))
    elif m * n * k < LONG:
        multiply_described(is_double, m, n, k, &left, &right, cnp.PyArray_DATA(y))
    else:
        with nogil:
            multiply_described(is_double, m, n, k, &left, &right, cnp.PyArray_DATA(y))
    return 0
