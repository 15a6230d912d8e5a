cdef object user_code(int* instruction)
