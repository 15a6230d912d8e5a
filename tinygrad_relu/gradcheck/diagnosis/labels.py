"""The vocabulary of the diagnosis: what can be wrong with a backward."""

import enum


class Label(enum.StrEnum):
    """What is wrong with the gradient of one input.

    Reports print these words, and the mutant bank is labelled with them.
    """

    CONSTANT_FACTOR = "constant factor"  # 2, 1/2, N, 1/N, -1, or any other number
    TRANSPOSED = "transposed"
    PERMUTED = "permuted"  # rows, columns or elements in another order
    SHIFTED = "shifted"  # rolled by some places along an axis
    SUMMED = "summed over an axis"  # where it should not be
    NOT_SUMMED = "not summed over a broadcast axis"
    AVERAGED = "averaged instead of summed"  # over an axis, or the converse
    MISSING_TERM = "missing term"  # the contribution of one branch, or one use of an input
    EXTRA_TERM = "extra term"  # a contribution that does not belong, or one counted again
    MASK_FORGOTTEN = "mask forgotten"
    MASK_FROM_WRONG_TENSOR = "mask from the wrong tensor"
    MASK_NOT_STRICT = ">= for >"
    WRONG_FUNCTION = "derivative of the wrong function"  # or of the right one at the wrong place
    PRE_ACTIVATION = "gradient of the pre-activation"  # stops before, or begins behind, an activation
    MISSING_FACTOR = "missing chain factor"
    STALE_BUFFER = "stale or overwritten buffer"
    INPUTS_CHANGED = "inputs changed by backward"
    ACCUMULATED_TWICE = "accumulated twice"  # a second call adds to the result of the first
    WRONG_SHAPE = "wrong shape"
    WRONG_DTYPE = "wrong dtype"
    ZEROS = "zeros"
    NOT_FINITE = "not finite"
    UNEXPLAINED = "no simple explanation"
