"""The loops that are built once for each instruction set, from one source (`*.pxi`)."""
