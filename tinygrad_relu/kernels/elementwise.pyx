"""Elementwise kernels: a ufunc's own inner loop, reached without the ufunc's overhead.

Design
------
a) The arithmetic of float and double arrays is NumPy's, bit for bit: a ufunc keeps a table of C
   loops, already chosen for this processor, and we call the one that the ufunc would call.
b) Operands of one dtype that lie contiguously in memory (and rows or numbers broadcast against
   them) go to that loop directly, in parallel when they are large.  All else (other dtypes, strides,
   general broadcasting) is answered by the ufunc itself: correct first.
c) Functions that NumPy lacks are made into ufuncs from loops of our own (`gate`, `sigmoid`), so
   that everything elementwise goes through this one file.
d) Floating-point events (overflow, division by zero, invalid) never warn: the answer is in the
   array, on the fast path as on the general one.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongAndOverflow, PyLong_CheckExact
from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport COSTLY_GRAIN, GRAIN, Loop, run_loop
from tinygrad_relu.kernels.kernel cimport Kernel, plain

cnp.import_array()
cnp.import_ufunc()

# Ufuncs that take several times as long as an addition.
COSTLY = frozenset(
    "exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh arcsin arccos arctan arctan2 "
    "arcsinh arccosh arctanh power sigmoid logaddexp remainder floor_divide hypot cbrt "
    "gelu gelu_cotangent erf erfc erfinv lgamma digamma polygamma".split()
)
cdef int[2] FLOAT_TYPES = [cnp.NPY_FLOAT, cnp.NPY_DOUBLE]
cdef npy_intp[2] ITEM_SIZES = [sizeof(float), sizeof(double)]


cdef int float_slot(ndarray x) noexcept:
    """Return 0 for a plain float array, 1 for a plain double array, -1 for any other."""
    cdef int number = cnp.PyArray_TYPE(x)
    if number == cnp.NPY_DOUBLE:
        return 1 if plain(x) else -1
    if number == cnp.NPY_FLOAT:
        return 0 if plain(x) else -1
    return -1


cdef inline bint as_number(object value, double* number) except -1:
    """Read a Python float or small int; other kinds of number have a dtype of their own."""
    cdef int overflow = 0
    cdef long whole
    if PyFloat_CheckExact(value):
        number[0] = PyFloat_AS_DOUBLE(value)
        return True
    if PyLong_CheckExact(value):
        whole = PyLong_AsLongAndOverflow(value, &overflow)
        number[0] = <double> whole
        return not overflow and -(1 << 24) <= whole <= (1 << 24)
    return False


@cython.final
cdef class Elementwise(Kernel):
    """A kernel that applies `ufunc` elementwise, with broadcasting.

    Parameters
    ----------
    ufunc : numpy.ufunc
    of_whole : callable, optional
        What is called instead where all operands are integers or booleans.
    """

    def __init__(self, cnp.ufunc ufunc, of_whole=None):
        cdef int row, k, slot, width = ufunc.nin + ufunc.nout
        self.ufunc = ufunc
        self.of_whole = of_whole
        self.grain = COSTLY_GRAIN if ufunc.__name__ in COSTLY else GRAIN
        for slot in range(2):
            self.loops[slot] = NULL
            for row in range(ufunc.ntypes):
                for k in range(ufunc.nin):
                    if ufunc.types[row * width + k] != FLOAT_TYPES[slot]:
                        break
                else:
                    self.loops[slot] = <Loop> <void*> ufunc.functions[row]
                    self.data[slot] = ufunc.data[row] if ufunc.data is not NULL else NULL
                    self.result_types[slot] = ufunc.types[row * width + ufunc.nin]
                    break

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object a, b
        cdef int slot
        cdef double number
        if count == 1:
            a = <object> arrays[0]
            if type(a) is ndarray:
                slot = float_slot(<ndarray> a)
                if slot >= 0 and self.loops[slot] is not NULL:
                    return self.unary(<ndarray> a, slot)
            return self.general((a,))
        if count == 2:
            a = <object> arrays[0]
            b = <object> arrays[1]
            if type(a) is ndarray:
                slot = float_slot(<ndarray> a)
                if slot >= 0 and self.loops[slot] is not NULL:
                    if type(b) is ndarray:
                        if cnp.PyArray_TYPE(<ndarray> b) == FLOAT_TYPES[slot] and plain(<ndarray> b):
                            return self.binary(<ndarray> a, <ndarray> b, slot)
                    elif as_number(b, &number):
                        return self.with_number(<ndarray> a, number, False, slot)
            elif type(b) is ndarray:
                slot = float_slot(<ndarray> b)
                if slot >= 0 and self.loops[slot] is not NULL and as_number(a, &number):
                    return self.with_number(<ndarray> b, number, True, slot)
            return self.general((a, b))
        return self.general(tuple([<object> arrays[k] for k in range(count)]))

    def general(self, arrays):
        """Leave `arrays` to NumPy: any dtype, stride and broadcasting."""
        function = self.ufunc
        if self.of_whole is not None and np.result_type(*arrays).kind in "biu":
            function = self.of_whole
        with np.errstate(all="ignore"):
            result = function(*arrays)
        if len(arrays) == 1 and arrays[0].dtype == np.float16 and result.dtype == np.float32:
            return result.astype(np.float16)    # a ufunc of ours has no loop for halves
        return result

    cdef ndarray unary(self, ndarray x, int slot):
        cdef ndarray y = empty(
            cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), self.result_types[slot]
        )
        cdef char* operands[2]
        cdef npy_intp strides[2]
        operands[0] = cnp.PyArray_BYTES(x)
        operands[1] = cnp.PyArray_BYTES(y)
        strides[0] = ITEM_SIZES[slot]
        strides[1] = cnp.PyArray_ITEMSIZE(y)
        run_loop(self.loops[slot], self.data[slot], 2, operands, cnp.PyArray_SIZE(y), strides, self.grain)
        return y

    cdef ndarray binary(self, ndarray a, ndarray b, int slot):
        cdef ndarray y, larger
        cdef char* operands[3]
        cdef npy_intp strides[3]
        cdef npy_intp row, rows, width
        if cnp.PyArray_SAMESHAPE(a, b):
            y = empty(
                cnp.PyArray_NDIM(a), cnp.PyArray_DIMS(a), self.result_types[slot]
            )
            strides[0] = strides[1] = ITEM_SIZES[slot]
            strides[2] = cnp.PyArray_ITEMSIZE(y)
            operands[0] = cnp.PyArray_BYTES(a)
            operands[1] = cnp.PyArray_BYTES(b)
            operands[2] = cnp.PyArray_BYTES(y)
            run_loop(
                self.loops[slot], self.data[slot], 3, operands, cnp.PyArray_SIZE(y), strides, self.grain
            )
            return y
        larger = a
        if cnp.PyArray_NDIM(b) > cnp.PyArray_NDIM(a) or (
            cnp.PyArray_NDIM(b) == cnp.PyArray_NDIM(a) and cnp.PyArray_SIZE(b) > cnp.PyArray_SIZE(a)
        ):
            larger = b
        width = tiled(larger, b if larger is a else a)
        if width < 0:
            width = columnar(larger, b if larger is a else a)
            return self.general((a, b)) if width < 0 else self.by_column(a, b, larger is a, width, slot)
        # One number, or one row, against each row of the larger operand.
        y = empty(
            cnp.PyArray_NDIM(larger), cnp.PyArray_DIMS(larger), self.result_types[slot]
        )
        rows = cnp.PyArray_SIZE(y)
        if width == 1:
            width, rows = rows, 1
        elif width > 0:
            rows //= width
        strides[0] = ITEM_SIZES[slot] if cnp.PyArray_SIZE(a) > 1 or larger is a else 0
        strides[1] = ITEM_SIZES[slot] if cnp.PyArray_SIZE(b) > 1 or larger is b else 0
        strides[2] = cnp.PyArray_ITEMSIZE(y)
        for row in range(rows):
            operands[0] = cnp.PyArray_BYTES(a)
            operands[1] = cnp.PyArray_BYTES(b)
            operands[2] = cnp.PyArray_BYTES(y) + row * width * strides[2]
            operands[0 if larger is a else 1] += row * width * ITEM_SIZES[slot]
            run_loop(self.loops[slot], self.data[slot], 3, operands, width, strides, self.grain)
        return y

    cdef ndarray by_column(self, ndarray a, ndarray b, bint a_is_larger, npy_intp width, int slot):
        """Apply the ufunc to each row, `width` elements, of one operand and one number of the other."""
        cdef ndarray larger = a if a_is_larger else b
        cdef ndarray y = empty(
            cnp.PyArray_NDIM(larger), cnp.PyArray_DIMS(larger), self.result_types[slot]
        )
        cdef char* operands[3]
        cdef npy_intp strides[3]
        cdef npy_intp row
        cdef int k
        strides[0] = strides[1] = ITEM_SIZES[slot]
        strides[2] = cnp.PyArray_ITEMSIZE(y)
        strides[1 if a_is_larger else 0] = 0
        for row in range(cnp.PyArray_SIZE(larger) // width):
            operands[0] = cnp.PyArray_BYTES(a)
            operands[1] = cnp.PyArray_BYTES(b)
            operands[2] = cnp.PyArray_BYTES(y) + row * width * strides[2]
            for k in range(2):
                operands[k] += row * (width * strides[k] if strides[k] else ITEM_SIZES[slot])
            run_loop(self.loops[slot], self.data[slot], 3, operands, width, strides, self.grain)
        return y

    cdef ndarray with_number(self, ndarray x, double number, bint number_first, int slot):
        cdef ndarray y = empty(
            cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), self.result_types[slot]
        )
        cdef float single = <float> number
        cdef char* operands[3]
        cdef npy_intp strides[3]
        operands[0 if number_first else 1] = <char*> &number if slot else <char*> &single
        operands[1 if number_first else 0] = cnp.PyArray_BYTES(x)
        operands[2] = cnp.PyArray_BYTES(y)
        strides[0] = 0 if number_first else ITEM_SIZES[slot]
        strides[1] = ITEM_SIZES[slot] if number_first else 0
        strides[2] = cnp.PyArray_ITEMSIZE(y)
        run_loop(self.loops[slot], self.data[slot], 3, operands, cnp.PyArray_SIZE(y), strides, self.grain)
        return y


cdef npy_intp tiled(ndarray larger, ndarray smaller) noexcept:
    """Return the size of `smaller` if copies of it, end to end, fill `larger`; else -1.

    So it is when the smaller shape, less its leading ones, is the tail of the larger shape.
    """
    cdef int k, axis, leading = 0
    cdef int ndim = cnp.PyArray_NDIM(smaller), shift = cnp.PyArray_NDIM(larger) - ndim
    while leading < ndim and cnp.PyArray_DIM(smaller, leading) == 1:
        leading += 1
    for axis in range(leading, ndim):
        if cnp.PyArray_DIM(smaller, axis) != cnp.PyArray_DIM(larger, axis + shift):
            return -1
    for k in range(leading):
        if cnp.PyArray_DIM(larger, k + shift) == 0:
            return -1
    return cnp.PyArray_SIZE(smaller)


cdef enum:
    # Elements from which on a row is worth a call of the loop.
    WIDE = 8


cdef npy_intp columnar(ndarray larger, ndarray smaller) noexcept:
    """Return how wide the rows are if `smaller` has one number for each row of `larger`; else -1.

    So it is when its last axes are of length 1, and all others are those of `larger`.
    """
    cdef int axis, ndim = cnp.PyArray_NDIM(larger)
    cdef npy_intp width = 1
    if cnp.PyArray_NDIM(smaller) != ndim:
        return -1
    while ndim > 0 and cnp.PyArray_DIM(smaller, ndim - 1) == 1:
        ndim -= 1
        width *= cnp.PyArray_DIM(larger, ndim)
    for axis in range(ndim):
        if cnp.PyArray_DIM(smaller, axis) != cnp.PyArray_DIM(larger, axis):
            return -1
    return width if width >= WIDE else -1


cdef Elementwise adding = Elementwise(np.add)


cdef int add_into(ndarray target, ndarray x) except -1:
    """Add `x` to `target`, in place; both are of one shape and dtype."""
    cdef int slot = float_slot(target)
    cdef char* operands[3]
    cdef npy_intp[3] strides
    if slot < 0 or float_slot(x) != slot or not cnp.PyArray_ISWRITEABLE(target):
        np.add(target, x, out=target)
        return 0
    operands[0] = operands[2] = cnp.PyArray_BYTES(target)
    operands[1] = cnp.PyArray_BYTES(x)
    strides[:] = [ITEM_SIZES[slot], ITEM_SIZES[slot], ITEM_SIZES[slot]]
    run_loop(adding.loops[slot], adding.data[slot], 3, operands, cnp.PyArray_SIZE(target), strides)
    return 0


@cython.final
cdef class Power(Kernel):
    """Power, with the exponents that a processor has an instruction for taken out of the general way.

    As in NumPy's ``x ** 2``, whole exponents of 2, 1 and -1 are a product, a copy and a quotient.
    """

    cdef Elementwise general
    cdef dict shortcuts

    def __init__(self):
        self.general = Elementwise(np.power)
        self.shortcuts = {
            2: Elementwise(np.square), 1: Elementwise(np.positive), -1: Elementwise(np.reciprocal)
        }

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object base = <object> arrays[0]
        cdef object exponent = <object> arrays[1]
        if type(exponent) in (int, float) and type(base) is ndarray and float_slot(base) >= 0:
            shortcut = self.shortcuts.get(exponent)
            if shortcut is not None:
                return (<Kernel> shortcut).run(arrays, 1, statics)
        return self.general.run(arrays, count, statics)
