"""Builds `oscillator`, which cimports the kernels of tinygrad_relu."""

from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

import tinygrad_relu

setup(
    name="oscillator",
    ext_modules=cythonize(
        [Extension("oscillator", ["oscillator.pyx"], include_dirs=[numpy.get_include()])],
        # In site-packages Cython finds the package by itself; an editable installation lies elsewhere.
        include_path=[str(Path(tinygrad_relu.__file__).parents[1])],
        language_level=3,
    ),
)
