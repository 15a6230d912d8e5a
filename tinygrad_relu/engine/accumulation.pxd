cpdef int add_gradients(
    list outputs, list cotangents, object inputs, bint retain_graph, bint create_graph
) except -1
