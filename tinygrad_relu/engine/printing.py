"""How the values of a tensor are written out."""

import numpy as np

from tinygrad_relu.engine.calling import checked_call
from tinygrad_relu.errors import ArgumentError, RangeError

#: What `numpy.array2string` is told; what is not here is as `numpy.set_printoptions` has it.
DEFAULTS = {"threshold": 200}
PROFILES = {
    "default": DEFAULTS,
    "short": {"precision": 2, "threshold": 200, "edgeitems": 2},
    "full": {"threshold": 2**62},
}

# From where on more makes no difference, so that infinity may be given, too.
MOST = {"precision": 60, "threshold": 2**62, "edgeitems": 2**30, "max_line_width": 2**30}

_options = dict(DEFAULTS)


@checked_call
def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """Set how tensors are printed.  What is not given stays as it is.

    Parameters
    ----------
    precision : int, optional
        Digits behind the point; NumPy's setting to begin with.
    threshold : int, optional
        From how many elements on the middle is left out; 200 to begin with.
    edgeitems : int, optional
        How many are shown at each end then.
    linewidth : int, optional
        Characters in a line.
    profile : {"default", "short", "full"}, optional
        All settings at once; other arguments come on top.
    sci_mode : bool, optional
        Whether numbers are written with an exponent; None leaves that to NumPy.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.set_printoptions(precision=3)
    >>> tg.tensor([1 / 3, 2e-5])
    tensor([3.333e-01, 2.000e-05], dtype=float64)
    >>> tg.set_printoptions(sci_mode=False)
    >>> tg.tensor([1 / 3, 2e-5])
    tensor([0.333, 0.   ], dtype=float64)
    >>> tg.set_printoptions(profile="default")
    """
    if profile is not None and profile not in PROFILES:
        raise ArgumentError(f"set_printoptions: profile {profile!r}: the ones are {', '.join(PROFILES)}")
    counts = {
        "precision": precision, "threshold": threshold, "edgeitems": edgeitems,
        "max_line_width": linewidth,
    }
    counts = {name: int(min(count, MOST[name])) for name, count in counts.items() if count is not None}
    if min(counts.values(), default=0) < 0:
        raise RangeError("set_printoptions: a number is negative")
    if profile is not None:
        _options.clear()
        _options.update(PROFILES[profile])
    _options.update(counts)
    if sci_mode is not None:
        _options["sci_mode"] = bool(sci_mode)


def text_of(array):
    """Return the values of an array as the printing of a tensor shows them."""
    options = dict(_options)
    sci_mode = options.pop("sci_mode", None)
    if sci_mode:
        digits = options.get("precision", np.get_printoptions()["precision"])
        options["formatter"] = {
            "float_kind": lambda x: np.format_float_scientific(x, digits, unique=False)
        }
    elif sci_mode is not None:
        options["suppress_small"] = True
    return np.array2string(array, separator=", ", prefix="tensor(", **options)
