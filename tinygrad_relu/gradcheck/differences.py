"""Derivatives along lines by differences, each with an estimate of its error.

Along a line a function of many inputs is one of a single number t, which is counted in the natural
scale of the inputs, so that t = 1 changes them altogether.
"""

from dataclasses import dataclass

import numpy as np

RATIO = 4.0     # of one step to the next smaller one
# How often the ladder is made longer where its best step is at an end.
EXTENSIONS = 3
# How many times the error of rounding at the smallest step an error is that is none of rounding.
BLIND = 30.0
# What agrees is off by this part at most.
NEAR = 0.02


@dataclass
class Slope:
    """The derivatives of some functions of one number at 0; each field has one entry for each of them.

    Attributes
    ----------
    value, error : ndarray
        From differences centred at 0, and how far off they may be.
    left, right, left_error, right_error : ndarray
        From one side only; None if only few steps were taken.
    kink_nearby : bool
        Whether larger steps reach over a kink that smaller ones do not.
    bends : bool
        Whether the sides seem to have slopes of their own; told where only few steps were taken.
    steepening : ndarray or None
        The sign of a slope that grows beyond all bounds as the steps fall, else 0.
    jumps : bool
        Whether some function is another one on one side however small the steps are.
    widened : float
        The largest step, if it is larger than the scale, else 0.
    still, moves : ndarray of bool or None
        Whether nothing changes over the smallest steps, and whether something does over the scale.
    estimates : ndarray or None
        The derivatives by each pair of neighbouring steps, a row each.
    """

    value: np.ndarray
    error: np.ndarray
    left: np.ndarray | None = None
    left_error: np.ndarray | None = None
    right: np.ndarray | None = None
    right_error: np.ndarray | None = None
    kink_nearby: bool = False
    bends: bool = False
    steepening: np.ndarray | None = None
    jumps: bool = False
    widened: float = 0.0
    still: np.ndarray | None = None
    moves: np.ndarray | None = None
    estimates: np.ndarray | None = None

    def is_doubtful(self, gradient):
        """Tell which gradients the derivatives do not agree with, and not even with each other."""
        with np.errstate(invalid="ignore"):
            apart = np.abs(self.estimates - self.value).max(axis=0, initial=0.0)
            return (apart > NEAR * np.abs(self.value)) & (
                np.abs(self.value - gradient) > NEAR * np.abs(gradient)
            )


def scales(x):
    """Return the natural scale of each element: its size, or a tenth of what is usual in its array."""
    size = np.abs(x.astype(np.float64))
    with np.errstate(over="ignore", under="ignore"):
        usual = float(np.sqrt(np.mean(np.square(size)))) if size.size else 1.0
    if not np.isfinite(usual) or usual == 0.0:
        usual = float(size.max()) if size.size and 0 < size.max() < np.inf else 1.0
    return np.maximum(size, 0.1 * usual)


def first_step(eps):
    """Return the larger of the two steps that are tried first, for numbers of relative precision `eps`.

    With extrapolation the error of truncation is of the fourth order, and that of rounding falls with
    the step: they are least together near the fifth root of the precision.  It is taken somewhat
    smaller, because fewer kinks lie within a smaller step.
    """
    return float(eps) ** 0.22


def ladder(eps):
    """Return steps from about a tenth down to about the root of the precision."""
    start = first_step(eps)
    above = int(np.ceil(np.log(0.08 / start) / np.log(RATIO)))
    below = int(np.ceil(np.log(start / np.sqrt(eps)) / np.log(RATIO)))
    return start * RATIO ** np.arange(above, -below - 1.0, -1.0)


class Samples:
    """Values of a function at pairs of points around 0, from large steps to small ones.

    Parameters
    ----------
    line : callable
        ``line(t) -> (t, values)``: the number that could be represented, and the values there less
        those at 0.
    """

    def __init__(self, line, steps):
        self.line = line
        self.steps, self.pairs = [], []
        self.take(steps)

    def take(self, steps):
        """Take more samples."""
        for step in steps:
            self.steps.append(step)
            self.pairs.append((self.line(step), self.line(-step)))
        order = np.argsort(self.steps)[::-1]
        self.steps = [self.steps[k] for k in order]
        self.pairs = [self.pairs[k] for k in order]
        self.above = np.array([high[0] for high, _ in self.pairs])[:, None]
        self.below = -np.array([low[0] for _, low in self.pairs])[:, None]
        self.high = np.array([high[1] for high, _ in self.pairs])
        self.low = np.array([low[1] for _, low in self.pairs])

    def central(self, noise):
        """Return the best derivative from both sides, its error and the number of its step."""
        return best(self.below + self.above, self.high - self.low, 2, noise)

    def estimates(self):
        """Return the derivatives from both sides by each pair of neighbouring steps."""
        widths = self.below + self.above
        with np.errstate(all="ignore"):
            return extrapolated(widths, (self.high - self.low) / widths, 2)

    def right(self, noise):
        """Return the best derivative from above, its error and the number of its step."""
        return best(self.above, self.high, 1, noise)

    def left(self, noise):
        """Return the best derivative from below, its error and the number of its step."""
        return best(self.below, -self.low, 1, noise)

    def kink_nearby(self, noise):
        """Tell whether the slopes of the two sides come to agree all at once as the steps fall.

        Those of a smooth function approach each other in proportion to the steps.
        """
        with np.errstate(all="ignore"):
            jumps = np.abs(self.high / self.above + self.low / self.below)
            seen = 6 * noise / self.below
            vanish = (jumps[:-1] > 6 * RATIO * jumps[1:]) & (jumps[:-1] > 10 * seen[1:])
        return bool(vanish.any())

    def bends(self, noise):
        """Tell whether the slopes of the two sides differ by no less for smaller steps.

        Those of a smooth function differ in proportion to the steps.
        """
        with np.errstate(all="ignore"):
            apart = np.abs(self.high / self.above + self.low / self.below)
            return bool(((apart[-1] > 0.5 * apart[0]) & (apart[-1] > 10 * noise / self.below[-1])).any())

    def steepening(self):
        """Return the sign of a slope that grows on and on as the steps fall, from either side, else 0."""
        sign = np.zeros(self.high.shape[1])
        with np.errstate(all="ignore"):
            for quotients in (self.high / self.above, -self.low / self.below):
                last = np.abs(quotients[-5:])
                growing = (last[1:] > 1.3 * last[:-1]).all(axis=0) & np.isfinite(last).all(axis=0)
                sign = np.where(growing, np.sign(quotients[-1]), sign)
        return sign

    def jumps(self, noise):
        """Tell whether some function rises by as much over the smallest steps as over larger ones."""
        found = False
        for rises in (self.high, self.low):
            last = np.abs(rises[-5:])
            found |= bool((last.min(axis=0) > np.maximum(0.9 * last.max(axis=0), 100 * noise)).any())
        return found


def best(widths, rises, order, noise):
    """Return the extrapolated quotient that seems least wrong, its error, and which it was.

    Richardson's extrapolation takes out the term of the error of `order`.  What it then differs by
    between neighbouring steps estimates what is left, and `noise` is that of a rise.  What a large step
    says is believed as far as no smaller one contradicts it.
    """
    with np.errstate(all="ignore"):
        quotients = rises / widths
        refined = extrapolated(widths, quotients, order)
        changes = np.abs(refined - quotients[1:])
        if len(refined) > 1:
            between = np.abs(np.diff(refined, axis=0))
            changes = np.maximum(changes / 16, np.concatenate([between[:1], between]))
        rounding = 3 * noise / np.abs(widths[1:])
        if len(refined) > 2:
            changes = np.maximum(changes, contradicted(refined, rounding))
        errors = changes + rounding
        errors = np.where(np.isfinite(errors) & np.isfinite(refined), errors, np.inf)
    chosen = np.argmin(errors, axis=0)
    pick = chosen[None]
    return (
        np.take_along_axis(refined, pick, 0)[0], np.take_along_axis(errors, pick, 0)[0], chosen,
    )


def extrapolated(widths, quotients, order):
    """Return what quotients of neighbouring steps tell together, without the term of `order`."""
    factor = (widths[:-1] / widths[1:]) ** order
    return (factor * quotients[1:] - quotients[:-1]) / (factor - 1)


def contradicted(refined, rounding):
    """Return how far each estimate is from those of smaller steps, beyond the rounding of these."""
    distance = np.abs(refined[:, None] - refined[None, :]) - 2 * rounding[None, :]
    smaller = np.tri(len(refined), k=-1, dtype=bool).T[..., None]
    return np.max(np.where(smaller & np.isfinite(distance), distance, 0.0), axis=1)


def quick_slope(line, eps, noise, smaller=1.0):
    """Return the derivatives from two steps, four values of the function."""
    start = first_step(eps) * smaller
    samples = Samples(line, [start, start / RATIO])
    value, error, _ = samples.central(noise)
    return Slope(value, error, bends=samples.bends(noise))


def careful_slope(line, eps, noise, wanted, own=None):
    """Return the derivatives, from the centre and from each side, from as many steps as they need.

    Parameters
    ----------
    line : callable
        As for `Samples`.
    eps : float
        The precision of the inputs.
    noise : ndarray
        That of the values.
    wanted : ndarray
        The error that is good enough.
    own : float, optional
        The size of what is moved, where that is far smaller than the scale.
    """
    steps = ladder(eps)
    if own is not None:
        smaller = own * first_step(eps) * RATIO ** np.arange(4.0, -4.0, -1.0)
        steps = np.concatenate([steps, smaller[smaller < 0.5 * steps[-1]]])
    samples = Samples(line, steps)
    for _ in range(EXTENSIONS):
        value, error, chosen = samples.central(noise)
        poor = error > wanted
        last = len(samples.steps) - 2
        lost = not np.isfinite(error).all()     # not finite on one side: is there room nearer by?
        # Worse than rounding makes the smallest step: all steps so far are too large for the function.
        blind = poor & (error > BLIND * noise / samples.steps[-1])
        if not lost and not blind.any() and (poor & (chosen == 0)).any() and samples.steps[0] < 1e12:
            samples.take(samples.steps[0] * RATIO ** np.arange(1.0, 7.0))
        elif (lost or (poor & (blind | (chosen == last))).any()) and samples.steps[-1] > 1e-16:
            samples.take(samples.steps[-1] / RATIO ** np.arange(1.0, 5.0))
        else:
            break
    value, error, _ = samples.central(noise)
    left, left_error, _ = samples.left(noise)
    right, right_error, _ = samples.right(noise)
    return Slope(
        value, error, left, left_error, right, right_error, samples.kink_nearby(noise), False,
        samples.steepening(), samples.jumps(noise), samples.steps[0] if samples.steps[0] > 1.0 else 0.0,
        (np.abs(samples.high[-3:]) + np.abs(samples.low[-3:]) == 0).all(axis=0),
        (np.abs(samples.high[:2]) * np.abs(samples.low[:2]) > 0).any(axis=0),
        samples.estimates(),
    )
