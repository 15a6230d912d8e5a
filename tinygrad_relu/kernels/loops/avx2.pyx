"""The loops for x86-64 processors with AVX2."""

include "all.pxi"
