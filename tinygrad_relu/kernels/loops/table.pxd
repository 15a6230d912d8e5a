"""What the loops are called, and what they are told beside their operands.

Every loop has NumPy's own signature (`Loop`): operands, how many steps, bytes from one step to the
next, and one pointer to settings.  What is written in place stands among the operands twice, as input
and as result.
"""

from numpy cimport npy_intp

from tinygrad_relu.kernels._threads cimport Loop

cdef struct Loops:          # of each loop one for float and one for double
    #                       a step is...    operands, the result last           settings
    Loop[2] gate            # an element    signal, control, t0, a0, a1, y
    Loop[2] relu            # an element    x, y
    Loop[2] limit           # an element    x, low, high (one each), y
    Loop[2] relu_with_mask  # 8 elements    x, mask (1 byte), y
    Loop[2] apply_mask      # 8 elements    signal, mask (1 byte), y
    Loop[2] sigmoid         # an element    x, y                                Exponential
    Loop[2] erf             # an element    x, y                                Exponential
    Loop[2] erfc            # an element    x, y                                Exponential
    Loop[2] gelu            # an element    x, y                                Exponential
    Loop[2] gelu_cotangent  # an element    g, x, y                             Exponential
    Loop[2] add_bias        # a row         x, bias, x                          width
    Loop[2] add_bias_relu   # a row         x, bias, x                          width
    Loop[2] softmax         # a row         x, y                                Rows
    Loop[2] log_softmax     # a row         x, y                                Rows
    Loop[2] class_losses    # a row         x, target, losses                   Rows
    Loop[2] less_class      # a row         x, target, scale, y                 Rows
    Loop[2] softmax_cotangent      # a row  g, y, result                        width
    Loop[2] standardize     # a row         x, y                                Standard
    Loop[2] standardize_cotangent  # a row  g, x, result                        Standard
    Loop[2] column_sums     # a column      x, y                                Columns
    Loop[2] squared_distance  # a block     a, b, sums (double)
    Loop[2] sgd             # an element    gradient, velocity, p, p            SgdSettings
    Loop[2] adam            # an element    gradient, mean, square, p, p        AdamSettings

cdef enum:
    DISTANCE_BLOCK = 512    # elements in a step of `squared_distance`

cdef struct Exponential:    # NumPy's own loop, for `erf` and `erfc` always that for double
    Loop loop
    void* data

cdef struct Rows:
    npy_intp width
    Exponential exp

cdef struct Standard:
    npy_intp width
    double epsilon          # added to the variance

cdef struct Columns:
    npy_intp rows
    npy_intp row_bytes

cdef struct SgdSettings:
    double rate
    double momentum
    double decay
    bint nesterov

cdef struct AdamSettings:
    double rate             # divided by the bias correction of the mean
    double root             # of the bias correction of the square
    double beta1
    double beta2
    double epsilon
    double decay            # added to the gradient
    double shrinkage        # what a parameter is multiplied by before its step: AdamW's decay
