# Everything that each build is made of.

from cpython.pycapsule cimport PyCapsule_New
from cython cimport floating
from libc.math cimport fabs, log, sqrt
from libc.string cimport memcpy
from numpy cimport npy_intp

from tinygrad_relu.kernels._threads cimport Loop
from tinygrad_relu.kernels.loops.table cimport *

include "gate.pxi"
include "rows.pxi"
include "update.pxi"
include "error_function.pxi"
include "table.pxi"
