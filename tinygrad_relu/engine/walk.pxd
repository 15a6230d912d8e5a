cdef dict walk_back(
    list outputs, list gradients, list inputs, bint retain_graph, bint create_graph
)
