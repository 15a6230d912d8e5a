"""What an op calls: arrays in, one array out.

A `Kernel` is called from C with borrowed pointers to its operands (arrays, or Python numbers, which
take the dtype of the arrays they meet) and with the static parameters of the op.
"""

import numpy as np

cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray

from tinygrad_relu.errors import DTypeError, ShapeError

cnp.import_array()


cdef bint plain(ndarray x) noexcept:
    """Tell whether `x` lies in memory as a C array of its dtype: contiguous, aligned, native."""
    return cnp.PyArray_ISCARRAY_RO(x)


cdef ndarray real_array(str name, object x):
    """Return what somebody passed as an array of numbers that have an order, or raise."""
    if type(x) is not ndarray:
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ShapeError(f"{name}: {error}") from error
    if (<object> x).dtype.kind not in "biuf":
        raise DTypeError(f"{name}: {x.dtype} values have no order: pass real numbers")
    return x


cdef class Kernel:
    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        raise NotImplementedError

    def __call__(self, *arrays, statics=()):
        """Run the kernel on arrays, as an op would."""
        cdef PyObject* operands[8]
        cdef Py_ssize_t i
        if len(arrays) > 8:
            raise TypeError(f"a kernel called from Python takes at most 8 arrays, got {len(arrays)}")
        for i in range(len(arrays)):
            operands[i] = <PyObject*> arrays[i]
        return self.run(operands, len(arrays), statics)


cdef class Function(Kernel):
    """A kernel that is a Python function, such as NumPy's own, called with arrays and statics."""

    def __init__(self, function):
        self.function = function

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef Py_ssize_t i
        cdef list arguments = [<object> arrays[i] for i in range(count)]
        return self.function(*arguments, *statics)
