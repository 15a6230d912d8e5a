"""What comparing one input brought, element by element or along random directions."""

from dataclasses import dataclass, field

import numpy as np

from tinygrad_relu.gradcheck.kinks import MARGIN, Slant


@dataclass
class Comparison:
    """The comparison of the gradients of one input with differences.

    Attributes
    ----------
    numerical, error : ndarray
        For each set of cotangents and each element the derivative by differences, and how far it may
        be off; NaN and infinity where none was taken.
    analytic : ndarray
        What the gradients say, as float64; NaN where they have not the shape of the input.
    rounding : ndarray
        The error of rounding that the gradients are allowed.
    findings : dict of tuple to Finding
        Elements that were looked at closely.
    lines : list of Finding
        The same for random directions.
    elsewhere : list of (tuple, Finding, float)
        Elements that are wrong at a point nearby, and their scales, where this one hides it.
    signal, doubt : float
        How large slopes and their errors are altogether, in the scale of the inputs.
    """

    numerical: np.ndarray
    error: np.ndarray
    analytic: np.ndarray
    rounding: np.ndarray
    findings: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)
    elsewhere: list = field(default_factory=list)
    signal: float = 0.0
    doubt: float = 0.0

    def keep(self, index, finding, scale):
        """Keep what was found of one element."""
        self.findings[index] = finding
        self.numerical[(slice(None), *index)] = finding.numerical / scale
        self.error[(slice(None), *index)] = finding.error / scale

    def weigh(self, finding):
        """Add a finding to what is known of slopes and errors altogether."""
        with np.errstate(all="ignore"):
            size = np.fmax(np.abs(finding.analytic), np.abs(finding.numerical))
            self.signal += float(np.nansum(np.square(size)))
            error = np.where(np.isfinite(finding.numerical), finding.error, np.inf)
            self.doubt += float(np.sum(np.square(error)))

    def wrong_mask(self):
        """Return for each element and draw whether its gradient is wrong."""
        with np.errstate(all="ignore"):
            off = np.abs(self.analytic - self.numerical)
            wrong = ~(off <= MARGIN * self.error + self.rounding)
        wrong &= np.isfinite(self.error)
        for index, finding in self.findings.items():
            if finding.slant is not Slant.WRONG:
                wrong[(slice(None), *index)] = False
        return wrong

    @property
    def wrong(self):
        """bool: Whether an element or a direction was found wrong."""
        found = [*self.findings.values(), *self.lines]
        return bool(self.elsewhere) or any(one.slant is Slant.WRONG for one in found)


def blank(at, position):
    """Return the comparison of an input of which nothing is known yet."""
    x, count = at.point[position], len(at.gradients)
    analytic = np.full((count, *x.shape), np.nan)
    for draw in range(count):
        gradient = at.floating_gradient(draw, position)
        if gradient is not None:
            analytic[draw] = gradient
    with np.errstate(all="ignore"):
        squares = np.square(analytic).reshape(count, -1)
        usual = np.sqrt(squares.mean(axis=1)) if x.size else np.zeros(count)
        rounding = 32 * at.eps * (np.abs(analytic) + usual.reshape(count, *[1] * x.ndim))
    return Comparison(
        np.full(analytic.shape, np.nan), np.full(analytic.shape, np.inf), analytic,
        np.nan_to_num(rounding),
    )
