from tinygrad_relu.engine.op cimport Op
from tinygrad_relu.engine.tensor cimport Tensor

cdef int catch_up(Tensor tensor) except -1
cdef int record_on(Op op, list inputs, tuple statics, Tensor output) except -1
cdef object in_place(int slot, Tensor tensor, object other)
cdef int assign(Tensor tensor, object key, object value) except -1
