"""The loops for x86-64 processors with AVX-512 (F, BW, DQ and VL)."""

include "all.pxi"
