"""Build the compiled floors: kernels and engine.

Everything else about the package stands in ``pyproject.toml``.  This file adds what has to be found
out on the machine: where NumPy's headers are, and whether the compiler speaks OpenMP and which
instruction sets it knows.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MODULES = [
    "tinygrad_relu.kernels._threads",
    "tinygrad_relu.kernels._memory",
    "tinygrad_relu.kernels.loops.instruction_set",
    "tinygrad_relu.kernels.loops.baseline",
    "tinygrad_relu.kernels.loops.avx2",
    "tinygrad_relu.kernels.loops.avx512",
    "tinygrad_relu.kernels.kernel",
    "tinygrad_relu.kernels.elementwise",
    "tinygrad_relu.kernels.gate",
    "tinygrad_relu.kernels.mask",
    "tinygrad_relu.kernels.sigmoid",
    "tinygrad_relu.kernels.special",
    "tinygrad_relu.kernels.recurrence",
    "tinygrad_relu.kernels.reduce",
    "tinygrad_relu.kernels._blas",
    "tinygrad_relu.kernels.linalg",
    "tinygrad_relu.kernels.softmax",
    "tinygrad_relu.kernels.rows",
    "tinygrad_relu.kernels.gather",
    "tinygrad_relu.kernels.distance",
    "tinygrad_relu.kernels.update",
    "tinygrad_relu.kernels.view",
    "tinygrad_relu.kernels.windows",
    "tinygrad_relu.engine.tensor",
    "tinygrad_relu.engine.graph",
    "tinygrad_relu.engine.place",
    "tinygrad_relu.engine.walk",
    "tinygrad_relu.engine.accumulation",
    "tinygrad_relu.engine.mutation",
    "tinygrad_relu.engine.op",
]

# What the builds of the loops are compiled with beside the flags of all.  Without contraction to fused
# multiply-adds all of them give the same bits.
INSTRUCTION_SETS = {
    "baseline": [],
    "avx2": ["-mavx2"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"],
}
INSTRUCTION_SET_PROGRAM = """
#include <immintrin.h>
#if !defined(__x86_64__)
#error these instruction sets are those of x86-64
#endif
int main(void) { return 0; }
"""

OPENMP_PROGRAM = """
#include <omp.h>
int main(void) {
    int total = 0;
    #pragma omp parallel for reduction(+:total)
    for (int i = 0; i < 100; i++) total += omp_get_num_threads() > 0;
    return total == 100 ? 0 : 1;
}
"""

# Flags to try, for compiling and for linking: GCC and Clang, Apple's Clang with libomp, MSVC.
OPENMP_FLAGS = [
    (["-fopenmp"], ["-fopenmp"]),
    (["-Xpreprocessor", "-fopenmp"], ["-lomp"]),
    (["/openmp"], []),
]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": True,
}


def openmp_flags(compiler):
    """Return the (compile, link) flags with which an OpenMP program builds and runs, or none."""
    for compile_flags, link_flags in OPENMP_FLAGS:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROGRAM)
            try:
                objects = compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=compile_flags
                )
                compiler.link_executable(
                    objects, "probe", output_dir=folder, extra_postargs=link_flags
                )
                subprocess.run([str(Path(folder, "probe"))], check=True, timeout=30)
            except Exception as error:  # each compiler front end raises its own kinds
                print(f"OpenMP probe: {compile_flags}: {error}", file=sys.stderr)
                continue
        return compile_flags, link_flags
    return [], []


def compiles(compiler, program, flags):
    """Tell whether the compiler takes a program with these flags."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(program)
        try:
            compiler.compile([str(source)], output_dir=folder, extra_postargs=flags)
        except Exception as error:  # each compiler front end raises its own kinds
            print(f"probe of {flags}: {error}", file=sys.stderr)
            return False
    return True


class BuildForMachine(build_ext):
    """Probe for OpenMP and instruction sets, and give each module the flags that it needs."""

    def build_extensions(self):
        wanted = os.environ.get("TINYGRAD_RELU_OPENMP", "1") != "0"
        compile_flags, link_flags = openmp_flags(self.compiler) if wanted else ([], [])
        print(f"OpenMP: {' '.join(compile_flags) or 'none, building serial kernels'}")
        for extension in self.extensions:
            if self.compiler.compiler_type != "msvc":
                extension.extra_compile_args += ["-O3", "-fno-math-errno", "-fno-trapping-math"]
            if extension.name.endswith("._threads"):
                extension.extra_compile_args += compile_flags
                extension.extra_link_args += link_flags
        self.choose_instruction_sets()
        super().build_extensions()

    def choose_instruction_sets(self):
        """Leave out the builds of the loops that this compiler and machine do not have."""
        kept = []
        for extension in self.extensions:
            floor, _, name = extension.name.rpartition(".")
            if floor == "tinygrad_relu.kernels.loops" and name in INSTRUCTION_SETS:
                flags = INSTRUCTION_SETS[name]
                if flags and not compiles(self.compiler, INSTRUCTION_SET_PROGRAM, flags):
                    continue
                if self.compiler.compiler_type != "msvc":
                    extension.extra_compile_args += [*flags, "-ffp-contract=off"]
            kept.append(extension)
        self.extensions = kept


setup(
    ext_modules=cythonize(
        [
            Extension(
                name,
                [name.replace(".", "/") + ".pyx"],
                include_dirs=[np.get_include()],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
            )
            for name in MODULES
        ],
        compiler_directives=DIRECTIVES,
        annotate=bool(os.environ.get("TINYGRAD_RELU_ANNOTATE")),
    ),
    cmdclass={"build_ext": BuildForMachine},
)
