"""ReLU on one array, in every way that people write it, from 10 elements to 5000 x 5000.

    python benchmarks/relu_kernels.py --threads 2        (prints one JSON object)

It runs in a process of its own for each number of threads, which some contenders read only when they
are loaded.
"""

import argparse
import importlib
import json
import os
import sys

SIZES = (10, 1_000, 100_000, 1_000_000, 25_000_000)
T0, A0, A1 = 0.1, 0.2, 2.0


def pin(threads):
    """Set the number of threads of everything that reads it from the environment."""
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)
    os.environ["NUMEXPR_MAX_THREADS"] = str(threads)
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"


def peers(threads):
    """Return the other libraries that can be imported, and the names of those that cannot."""
    found, missing = {}, []
    for name in ("numexpr", "numba", "torch", "jax"):
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if "torch" in found:
        found["torch"].set_num_threads(threads)
    if "jax" in found:
        found["jax"].config.update("jax_enable_x64", True)
    return found, missing


def numpy_ways(np, x, dout, scratch):
    """Return the ways of the page, by the work that they do."""
    def masked():
        scratch[scratch < 0] = 0

    return {
        "relu": {
            "np.maximum(x, 0)": lambda: np.maximum(x, 0),
            "x * (x > 0)": lambda: x * (x > 0),
            "(abs(x) + x) / 2": lambda: (abs(x) + x) / 2,
            "abs(x) * (x > 0)": lambda: abs(x) * (x > 0),
        },
        "relu in place": {
            "np.maximum(x, 0, out=x)": lambda: np.maximum(scratch, 0, out=scratch),
            "x[x < 0] = 0": masked,
        },
        "relu backward": {
            "np.where(x > 0, dout, 0)": lambda: np.where(x > 0, dout, 0),
            "dout * (x > 0)": lambda: dout * (1.0 * (x > 0)),
        },
        "thresholded relu": {
            "x*(x>t0)*a1 + x*(x<t0)*a0": lambda: x * (x > T0) * A1 + x * (x < T0) * A0,
        },
    }


def our_ways(kernels, x, dout, scratch, spare):
    """Return ours, by the work that they do."""
    return {
        "relu": {"ours": lambda: kernels.relu(x)},
        "relu in place": {"ours": lambda: kernels.relu(scratch, out=scratch)},
        "relu backward": {
            "ours": lambda: kernels.relu_backward(dout, x),
            "ours, into dout": lambda: kernels.relu_backward(spare, x, out=spare),
        },
        "thresholded relu": {"ours": lambda: kernels.thresholded_relu(x, T0, A0, A1)},
    }


def peer_ways(found, np, x, dout):
    """Return those of other libraries, by the work that they do."""
    ways = {"relu": {}, "relu backward": {}, "thresholded relu": {}}
    if "numexpr" in found:
        evaluate = found["numexpr"].evaluate
        ways["relu"]["numexpr"] = lambda: evaluate("where(x > 0, x, 0)", {"x": x})
    if "numba" in found:
        numba = found["numba"]

        @numba.njit(parallel=True, cache=False)
        def rectified(x):
            y = np.empty_like(x)
            for i in numba.prange(x.size):
                y[i] = max(x[i], 0)
            return y

        ways["relu"]["numba"] = lambda: rectified(x)
    if "torch" in found:
        torch = found["torch"]
        tx, tdout = torch.from_numpy(x), torch.from_numpy(dout)
        ways["relu"]["PyTorch"] = lambda: torch.relu(tx)
        ways["relu backward"]["PyTorch"] = lambda: torch.ops.aten.threshold_backward(tdout, tx, 0)
    if "jax" in found:
        jax = found["jax"]
        jx, relu = jax.device_put(x), jax.jit(jax.nn.relu)
        ways["relu"]["JAX"] = lambda: relu(jx).block_until_ready()
    return ways


def main():
    """Time all ways at all sizes, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    settings = parser.parse_args()
    pin(settings.threads)
    import numpy as np
    from measure import medians
    from tinygrad_relu.kernels.elementwise import Elementwise

    from tinygrad_relu import kernels

    copied = Elementwise(np.positive)       # by the loop runner that all kernels go through
    found, missing = peers(settings.threads)
    times = {}
    for size in settings.sizes:
        for dtype in ("float64", "float32"):
            rng = np.random.default_rng(0)
            x, dout = ((rng.random(size, np.float32) - 0.5).astype(dtype) for _ in range(2))
            # In place, the second call meets no negative number any more: the loops of all contenders
            # but `x[x < 0] = 0` do the same work on every input, and that one is given a fresh input.
            scratch, spare = x.copy(), dout.copy()
            work = numpy_ways(np, x, dout, scratch)
            for more in (our_ways(kernels, x, dout, scratch, spare), peer_ways(found, np, x, dout)):
                for name, ways in more.items():
                    work[name].update(ways)
            masked = work["relu in place"].pop("x[x < 0] = 0")

            def refresh(scratch=scratch, x=x):
                np.copyto(scratch, x)

            work["relu in place"]["fresh x[x < 0] = 0"] = lambda f=masked, r=refresh: (r(), f())
            work["relu in place"]["fresh input alone"] = refresh
            target = np.empty_like(x)
            work["copy"] = {
                "np.copyto": lambda t=target, s=x: np.copyto(t, s),
                "threads, streaming": lambda s=x: copied(s),
            }
            for name, ways in work.items():
                found_times = medians(
                    ways, rounds=9, seconds=min(0.02, max(0.004, size * 1e-8)), label=f"{name}, {size:,}"
                )
                if name == "relu in place":
                    fresh = found_times.pop("fresh input alone")
                    found_times["x[x < 0] = 0"] = max(
                        found_times.pop("fresh x[x < 0] = 0") - fresh, 0.0
                    )
                times.setdefault(name, {}).setdefault(dtype, {})[str(size)] = found_times
    json.dump({"threads": settings.threads, "missing": missing, "times": times}, sys.stdout)


if __name__ == "__main__":
    main()
