"""Which build of the loops this processor gets: chosen once, at import.

The loops in `tinygrad_relu.kernels.loops` are compiled for several instruction sets.  The best one that
the processor has is taken, or the one that ``TINYGRAD_RELU_INSTRUCTION_SET`` names; the others are not
even loaded.  All give the same bits: no build may fuse or reorder arithmetic.
"""

import os
from importlib import import_module

from cpython.pycapsule cimport PyCapsule_GetPointer

from tinygrad_relu.kernels.loops.table cimport Loops

from tinygrad_relu.errors import ArgumentError

cdef extern from *:
    """
    #if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    #define tgr_has_avx2() (__builtin_cpu_supports("avx2") != 0)
    #define tgr_has_avx512() (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") \
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    #else
    #define tgr_has_avx2() 0
    #define tgr_has_avx512() 0
    #endif
    #if defined(__clang__)
    #define tgr_compiler "Clang " __clang_version__
    #elif defined(__GNUC__)
    #define tgr_compiler "GCC " __VERSION__
    #elif defined(_MSC_VER)
    #define tgr_compiler "MSVC"
    #else
    #define tgr_compiler "unknown"
    #endif
    """
    bint tgr_has_avx2()
    bint tgr_has_avx512()
    const char* tgr_compiler

COMPILER = (<bytes> tgr_compiler).decode()


def of_processor():
    """Return the instruction sets that this processor has, the best one first."""
    sets = ["baseline"]
    if tgr_has_avx2():
        sets.insert(0, "avx2")
        if tgr_has_avx512():
            sets.insert(0, "avx512")
    return sets


def built(name):
    """Return the loops as built for an instruction set, or None: not each compiler knows each."""
    try:
        return import_module(f"tinygrad_relu.kernels.loops.{name}")
    except ModuleNotFoundError:
        return None


def choose():
    """Return the name of the instruction set to use, and its loops."""
    wanted = os.environ.get("TINYGRAD_RELU_INSTRUCTION_SET", "").lower() or None
    names = of_processor()
    if wanted is not None and wanted not in names:
        raise ArgumentError(
            f"TINYGRAD_RELU_INSTRUCTION_SET is {wanted!r}: this processor has {', '.join(names)}"
        )
    for name in names if wanted is None else [wanted]:
        loops = built(name)
        if loops is not None:
            return name, loops
    raise ArgumentError(f"TINYGRAD_RELU_INSTRUCTION_SET is {wanted!r}, and was not built")


INSTRUCTION_SET, LOOPS = choose()
own = <Loops*> PyCapsule_GetPointer(LOOPS.table, "tinygrad_relu.loops")
