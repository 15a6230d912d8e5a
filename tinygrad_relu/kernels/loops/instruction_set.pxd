from tinygrad_relu.kernels.loops.table cimport Loops

cdef Loops* own       # loops of ours, as built for this processor
