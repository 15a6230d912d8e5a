"""What a check found: `GradientReport`, with one `InputReport` for each input."""

import enum
import json
from dataclasses import dataclass, field

import numpy as np

from tinygrad_relu.gradcheck import notebook, printed
from tinygrad_relu.gradcheck.diagnosis import Explanation, Label


class Verdict(enum.StrEnum):
    """What became of one input."""

    RIGHT = "right"
    ON_KINK = "right, on a kink"            # any slope between the two sides is
    SEVERAL_KINKS = "kinks meet"            # the slopes chosen at each give no slope of the whole
    CANNOT_TELL = "cannot tell"             # rounding hides it, or the function is not finite nearby
    EMPTY = "nothing to check"
    NOT_DETERMINISTIC = "not deterministic"
    WRONG = "wrong"


@dataclass(frozen=True)
class WorstElement:
    """One derivative that disagrees.

    Attributes
    ----------
    index : tuple of int
        Where in the input.
    analytic, numerical, error : float
        What the gradient says, what differences say, and how far these may be off.  `analytic` is None
        where no gradient of the shape of the input was returned.
    draw : int
        For which of the sets of cotangents.
    """

    index: tuple
    analytic: float | None
    numerical: float
    error: float
    draw: int = 0

    @property
    def ratio(self):
        """float: Analytic by numerical derivative; NaN where both are 0, or the first is none."""
        if self.analytic is None:
            return float("nan")
        with np.errstate(all="ignore"):
            return float(np.float64(self.analytic) / np.float64(self.numerical))


@dataclass(frozen=True)
class Kink:
    """An element, or a random direction, at which the function bends.

    Attributes
    ----------
    index : tuple of int or None
        Where in the input; None for a direction.
    analytic, left, right : float
        The slope that the gradient has, and those of the two sides.
    kind : str
        ``"on"``, ``"near"`` or ``"several"``.
    """

    index: tuple | None
    analytic: float
    left: float
    right: float
    kind: str


@dataclass(eq=False)
class InputReport:
    """What became of one input.

    Attributes
    ----------
    name, shape, dtype : str, tuple, str
    verdict : Verdict
    label : Label or None
        What is wrong, in a word: that of the first explanation.
    explanations : list of Explanation
        Best first.
    worst : list of WorstElement
        The elements that disagree most, worst first.
    kinks : list of Kink
        Where the function bends at the point, or nearby.
    wrong_count, compared, size : int
        How many elements are wrong, how many were compared one by one, and how many there are.
    relative_error : ndarray or None
        For each element how far the gradient is off, in proportion; NaN where it was not compared.
    remark : str
        One more sentence, or nothing.
    """

    name: str
    shape: tuple
    dtype: str
    verdict: Verdict = Verdict.RIGHT
    label: Label | None = None
    explanations: list[Explanation] = field(default_factory=list)
    worst: list[WorstElement] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    wrong_count: int = 0
    compared: int = 0
    size: int = 0
    relative_error: np.ndarray | None = None
    remark: str = ""

    @property
    def ok(self):
        """bool: Whether nothing wrong was found."""
        return self.verdict not in (Verdict.WRONG, Verdict.NOT_DETERMINISTIC)

    def __eq__(self, other):
        return isinstance(other, InputReport) and input_as_dict(self) == input_as_dict(other)


@dataclass(eq=False)
class GradientReport:
    """What `check_gradients` found.  It is true where the gradients are right.

    Attributes
    ----------
    inputs : list of InputReport
    fast : bool
        Whether random directions were compared, and not each element.
    seed : int
        Of the cotangents and directions.
    taylor_order : float
        How the remainder ``f(x + h v) - f(x) - h g.v`` falls with h along a random direction: 2 where
        the gradient is right, 1 where it is not, infinite where it is zero; NaN where it shows nothing.
    notes : list of str
        What else was seen.
    calls : int
        How often the function and its derivative were called.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> report = tg.check_gradients(np.sin, [np.ones(2)], backward=lambda dout, x: -dout * np.cos(x))
    >>> report.ok, report.inputs[0].worst[0].ratio
    (False, -1.0...)
    """

    inputs: list[InputReport]
    fast: bool = False
    seed: int = 0
    taylor_order: float = float("nan")
    notes: list[str] = field(default_factory=list)
    calls: int = 0

    @property
    def ok(self):
        """bool: Whether nothing is wrong, and something could be told of each input."""
        hidden = any(entry.verdict is Verdict.CANNOT_TELL for entry in self.inputs)
        return bool(self.inputs) and not hidden and all(entry.ok for entry in self.inputs)

    def __bool__(self):
        return self.ok

    def __eq__(self, other):
        return isinstance(other, GradientReport) and self.to_dict() == other.to_dict()

    def __getitem__(self, name):
        for entry in self.inputs:
            if entry.name == name:
                return entry
        raise KeyError(f"{name!r} is none of the inputs {', '.join(x.name for x in self.inputs)}")

    def __str__(self):
        return printed.text_of(self)

    def __repr__(self):
        words = ", ".join(f"{entry.name}: {entry.verdict}" for entry in self.inputs)
        return f"<GradientReport {'ok' if self.ok else 'NOT OK'}: {words}>"

    def _repr_html_(self):
        return notebook.html_of(self)

    def show(self, file=None):
        """Print the report, in colour where `file` (by default standard output) is a terminal."""
        printed.show(self, file)

    def to_json(self, indent=None):
        """Return the report as JSON; NaN and infinities as strings."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def to_dict(self):
        """Return the report as plain dicts, lists, numbers and strings."""
        return {
            "ok": self.ok,
            "fast": self.fast,
            "seed": self.seed,
            "taylor_order": plain(self.taylor_order),
            "calls": self.calls,
            "notes": list(self.notes),
            "inputs": [input_as_dict(entry) for entry in self.inputs],
        }

    def plot(self, figure=None):
        """Draw the relative error of each element of each input, and return matplotlib's figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            Where to draw; a new one by default.
        """
        from tinygrad_relu.gradcheck.pictures import draw  # here: matplotlib is an extra

        return draw(self, figure)


def input_as_dict(entry):
    """Return the report of one input as plain values."""
    return {
        "name": entry.name,
        "shape": list(entry.shape),
        "dtype": entry.dtype,
        "verdict": str(entry.verdict),
        "ok": entry.ok,
        "label": None if entry.label is None else str(entry.label),
        "explanations": [
            {
                "label": str(one.label), "claim": one.claim, "share": plain(one.share),
                "details": {str(key): plain(value) for key, value in one.details.items()},
            }
            for one in entry.explanations
        ],
        "worst": [
            {
                "index": list(one.index), "analytic": plain(one.analytic),
                "numerical": plain(one.numerical), "ratio": plain(one.ratio),
                "error": plain(one.error), "draw": one.draw,
            }
            for one in entry.worst
        ],
        "kinks": [
            {
                "index": None if one.index is None else list(one.index), "kind": one.kind,
                "analytic": plain(one.analytic), "left": plain(one.left), "right": plain(one.right),
            }
            for one in entry.kinks
        ],
        "wrong_count": entry.wrong_count,
        "compared": entry.compared,
        "size": entry.size,
        "remark": entry.remark,
    }


def plain(value):
    """Return a value as JSON can hold it."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else str(float(value))
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part) for part in value]
    return str(value)
