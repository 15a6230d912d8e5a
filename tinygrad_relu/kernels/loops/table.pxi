# The table of all loops, for float and for double, that each build hands out.

cdef Loops loops
loops.gate[:] = [<Loop> gate[float], <Loop> gate[double]]
loops.relu[:] = [<Loop> relu[float], <Loop> relu[double]]
loops.limit[:] = [<Loop> limit[float], <Loop> limit[double]]
loops.relu_with_mask[:] = [<Loop> relu_with_mask[float], <Loop> relu_with_mask[double]]
loops.apply_mask[:] = [<Loop> apply_mask[float], <Loop> apply_mask[double]]
loops.sigmoid[:] = [<Loop> sigmoid[float], <Loop> sigmoid[double]]
loops.erf[:] = [<Loop> erf[float], <Loop> erf[double]]
loops.erfc[:] = [<Loop> erfc[float], <Loop> erfc[double]]
loops.gelu[:] = [<Loop> gelu[float], <Loop> gelu[double]]
loops.gelu_cotangent[:] = [<Loop> gelu_cotangent[float], <Loop> gelu_cotangent[double]]
loops.add_bias[:] = [<Loop> add_bias[float], <Loop> add_bias[double]]
loops.add_bias_relu[:] = [<Loop> add_bias_relu[float], <Loop> add_bias_relu[double]]
loops.softmax[:] = [<Loop> softmax[float], <Loop> softmax[double]]
loops.log_softmax[:] = [<Loop> log_softmax[float], <Loop> log_softmax[double]]
loops.class_losses[:] = [<Loop> class_losses[float], <Loop> class_losses[double]]
loops.less_class[:] = [<Loop> less_class[float], <Loop> less_class[double]]
loops.softmax_cotangent[:] = [<Loop> softmax_cotangent[float], <Loop> softmax_cotangent[double]]
loops.standardize[:] = [<Loop> standardize[float], <Loop> standardize[double]]
loops.standardize_cotangent[:] = [
    <Loop> standardize_cotangent[float], <Loop> standardize_cotangent[double]
]
loops.column_sums[:] = [<Loop> column_sums[float], <Loop> column_sums[double]]
loops.squared_distance[:] = [<Loop> squared_distance[float], <Loop> squared_distance[double]]
loops.sgd[:] = [<Loop> sgd[float], <Loop> sgd[double]]
loops.adam[:] = [<Loop> adam[float], <Loop> adam[double]]

table = PyCapsule_New(&loops, "tinygrad_relu.loops", NULL)
