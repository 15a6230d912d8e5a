"""How this installation was built, and what it runs on."""

import platform

import numpy as np

from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.kernels._threads import OPENMP_VERSION, get_num_threads
from tinygrad_relu.kernels.loops.instruction_set import COMPILER, INSTRUCTION_SET, of_processor


def blas_name():
    """Return the name and version of the BLAS that NumPy brings, as far as NumPy tells."""
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def show_config(mode="stdout"):
    """Print how this installation was built and what it runs on, or return it.

    Parameters
    ----------
    mode : {'stdout', 'dicts'}
        Whether to print it, or to return it as a dict; as in `numpy.show_config`.

    Returns
    -------
    dict or None

    Notes
    -----
    The instruction set is the one that the kernels of the ReLU family, softmax, losses and optimizers
    use.  It is chosen at import, or by the environment variable ``TINYGRAD_RELU_INSTRUCTION_SET``.
    NumPy's own loops, which elementwise arithmetic uses, and BLAS choose for themselves.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.show_config(mode="dicts")["instruction set"] in ("baseline", "avx2", "avx512")
    True
    """
    if mode not in ("stdout", "dicts"):
        raise ArgumentError(f"show_config: mode is {mode!r}: it is 'stdout' or 'dicts'")
    # Not at the top: it takes longer to import than all of ours together.
    from importlib.metadata import PackageNotFoundError, version

    try:
        own_version = version("tinygrad_relu")
    except PackageNotFoundError:
        own_version = "not installed"
    found = {
        "tinygrad_relu": own_version,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "BLAS": blas_name(),
        "machine": f"{platform.system()} {platform.machine()}",
        "instruction set": INSTRUCTION_SET,
        "instruction sets of the processor": ", ".join(of_processor()),
        "compiler": COMPILER,
        "OpenMP": OPENMP_VERSION or "none: kernels are serial",
        "threads": get_num_threads(),
    }
    if mode == "dicts":
        return found
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value}")
    return None
