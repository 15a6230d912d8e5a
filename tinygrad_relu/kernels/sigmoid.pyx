"""The logistic function as a ufunc, at full precision in both tails.

The exponential is NumPy's own loop, a block at a time, so that it stays in the first-level cache.
"""

import numpy as np

cimport numpy as cnp

from tinygrad_relu.kernels.elementwise cimport Elementwise
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.loops.table cimport Exponential

from tinygrad_relu.kernels.elementwise import Elementwise

cnp.import_array()
cnp.import_ufunc()

cdef Elementwise exponential = Elementwise(np.exp)
cdef Exponential[2] SETTINGS
SETTINGS[0].loop, SETTINGS[0].data = exponential.loops[0], exponential.data[0]
SETTINGS[1].loop, SETTINGS[1].data = exponential.loops[1], exponential.data[1]

cdef cnp.PyUFuncGenericFunction[2] LOOPS = [
    <cnp.PyUFuncGenericFunction> own.sigmoid[0], <cnp.PyUFuncGenericFunction> own.sigmoid[1]
]
cdef char[4] TYPES = [cnp.NPY_FLOAT, cnp.NPY_FLOAT, cnp.NPY_DOUBLE, cnp.NPY_DOUBLE]
cdef void* DATA[2]
DATA[0], DATA[1] = <void*> &SETTINGS[0], <void*> &SETTINGS[1]

sigmoid_ufunc = cnp.PyUFunc_FromFuncAndData(
    LOOPS, DATA, TYPES, 2, 1, 1, -1, "sigmoid", "1 / (1 + exp(-x))", 0
)
sigmoid_kernel = Elementwise(sigmoid_ufunc)
