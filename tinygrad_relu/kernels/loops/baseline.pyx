"""The loops for any processor of the platform: SSE2 on x86-64, NEON on aarch64."""

include "all.pxi"
