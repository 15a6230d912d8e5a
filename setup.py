"""Build the compiled floors: kernels and engine.

Everything else about the package stands in ``pyproject.toml``.  This file adds what has to be found
out on the machine: where NumPy's headers are, and whether the compiler speaks OpenMP.
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
    "tinygrad_relu.kernels.kernel",
    "tinygrad_relu.kernels.elementwise",
    "tinygrad_relu.kernels.gate",
    "tinygrad_relu.kernels.sigmoid",
    "tinygrad_relu.kernels.reduce",
    "tinygrad_relu.kernels.linalg",
    "tinygrad_relu.kernels.softmax",
    "tinygrad_relu.kernels.gather",
    "tinygrad_relu.kernels.distance",
    "tinygrad_relu.kernels.update",
    "tinygrad_relu.kernels.view",
    "tinygrad_relu.engine.tensor",
    "tinygrad_relu.engine.graph",
    "tinygrad_relu.engine.op",
]

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


class BuildWithOpenMP(build_ext):
    """Probe for OpenMP once, and give its flags to the one module that uses it."""

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
        super().build_extensions()


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
    cmdclass={"build_ext": BuildWithOpenMP},
)
