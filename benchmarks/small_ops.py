"""One op on 16 x 16 float64, recorded."""

import numpy as np

import tinygrad_relu as tg


def contenders(peers):
    """Return, for each piece of work, the contenders that do it."""
    rng = np.random.default_rng(0)
    a, c = rng.standard_normal((16, 16)), rng.standard_normal((16, 16))
    ta, tc = tg.tensor(a, requires_grad=True), tg.tensor(c)
    work = {
        "a + c, 16 x 16": {"ours": lambda: ta + tc, "NumPy": lambda: a + c},
        "relu(a), 16 x 16": {"ours": lambda: tg.relu(ta), "NumPy": lambda: np.maximum(a, 0)},
        "a @ c, 16 x 16": {"ours": lambda: ta @ tc, "NumPy": lambda: a @ c},
    }
    if "torch" in peers:
        torch = peers["torch"]
        pa, pc = torch.tensor(a, requires_grad=True), torch.tensor(c)
        work["a + c, 16 x 16"]["PyTorch"] = lambda: pa + pc
        work["relu(a), 16 x 16"]["PyTorch"] = lambda: torch.relu(pa)
        work["a @ c, 16 x 16"]["PyTorch"] = lambda: pa @ pc
    return work
