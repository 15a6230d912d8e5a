"""Is a slope right along a line?  On a kink any slope between those of the two sides is.

Differences settle most lines.  Where they do not agree with the gradient, or cannot tell, more steps are
taken, from both sides.  What still disagrees is looked at from nearby: a mistake is one there, too, while
a point where several kinks meet is an exception.
"""

import contextlib
import enum
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.cones import is_beyond, turns_one_way
from tinygrad_relu.gradcheck.crossings import Crossing
from tinygrad_relu.gradcheck.differences import careful_slope, quick_slope
from tinygrad_relu.gradcheck.noise import hidden_by_stairs, noise_in_stairs, noise_of_jumps
from tinygrad_relu.gradcheck.ops_used import orders_alone, ties_alone
from tinygrad_relu.gradcheck.surroundings import range_of_slopes

# How often the estimated error a slope may be off; the estimate is one of the order of magnitude.
MARGIN = 4.0
# An error of this part of the slope would be seen, which is what a derivative has to be known to.
SHARP = 1e-4
# Of each element that is no rounding of others an error of this part has to show at a glance.
CLEAR = 1e-2
# An element of this part of what is usual in its array may change on a scale of its own.
SMALL = 1e-3
# How much smaller the steps are that are tried where a kink lies within the first ones.
CLOSER = 1 / 256
# How much larger they are for a slope that may be hidden by the rounding of others.
FARTHER = 64.0
# So many times the roughness that is seen at a few points a gradient may be off.
ROUGHNESSES = 8
# At this part of the largest step a slope is looked at once more: no power of any.
UNEVEN = 0.7368
# From this precision on, that of float32, rounding may hide much.
ROUGH = 1e-10
# Noise of so many units of the precision may be stairs of the function's own.
COARSE = 1e3
# Of a gradient that cancels such a power of the precision is left; more of it only where differences,
# whose errors may be underestimated by so much in stairs of rounding, would not show it.
LEFT, UNDERESTIMATED = 0.65, 1e4
STAIRS = (
    "The function moves in stairs, as np.round does: it does not change over small steps, and does over "
    "larger ones.  Its derivative is 0 wherever it has one."
)
# How many results are looked at one by one, where elements tie.
SINGLE_RESULTS = 16
# How far the points nearby are away that are looked at, as far as they are needed.  Of two in a row one
# lies opposite to the other, so that together they show both sides of each kink.
RADII = (1e-2, 1e-2, 1e-4, 1e-4)
ROUGH_RADII = (5e-2, 5e-2, 1e-2, 1e-2)
# The same where the function has become another one there.
CLOSER_RADII = (1e-6, 1e-8, 1e-6, 1e-8)
# At so many of them a gradient has to be wrong that passes here.
ENOUGH_NEARBY = 2
# More of them where all these show nothing, as where each has fallen on the side on which a unit is off.
MORE_RADII = (1e-2, 1e-4) * 3
MORE_ROUGH_RADII = (5e-2, 1e-2) * 3


class Slant(enum.Enum):
    """What the comparison of a slope with differences tells."""

    RIGHT = enum.auto()
    ON_KINK = enum.auto()           # between the slopes of the two sides, which differ
    NEAR_KINK = enum.auto()         # right, and a kink is nearby
    SEVERAL_KINKS = enum.auto()     # not between them, but right everywhere nearby
    HIDDEN = enum.auto()            # the function is not finite at shifted points
    WRONG = enum.auto()


@dataclass
class Finding:
    """The comparison along one line; arrays have one entry for each set of cotangents.

    `rounded` says that the gradient is off in a less precise dtype, and right in float64.
    """

    slant: Slant
    analytic: np.ndarray
    numerical: np.ndarray
    error: np.ndarray
    left: np.ndarray | None = None
    right: np.ndarray | None = None
    left_error: np.ndarray | None = None
    right_error: np.ndarray | None = None
    jumps: bool = False
    rounded: bool = False


class Inspector:
    """Compares the gradients at a point with differences along lines through it.

    Parameters
    ----------
    at : Neighbourhood
    seed : int
        Of the points nearby.
    """

    def __init__(self, at, seed):
        self.at, self.seed = at, seed
        self.around = {}
        self.shaken, self.double = {}, None
        self.single = self.ties = None
        self.typical = typical_slope(at)
        # Slopes that may be rounding of larger ones, and how sharp others are to be seen.
        self.negligible = 32 * at.eps * self.typical if at.eps < ROUGH else 1e-3 * self.typical
        self.part_wanted = SHARP if at.eps < ROUGH else 0.02
        self.bent = set()       # the inputs that are known to have a kink here

    def judged(self, line, mismatch=np.inf):
        """Return the finding from as few differences as settle it and would show a `mismatch`."""
        for smaller in (1.0, CLOSER):
            finding, settled = self.glance(line, smaller)
            if settled and (MARGIN * finding.error < mismatch).all():
                return finding
        return self.compared(line)[0]

    def glance(self, line, smaller=1.0):
        """Return the finding from few differences, and whether they settle it."""
        analytic, rounding = line.analytic()
        slope = quick_slope(line, self.at.eps, self.at.noise, smaller)
        off = np.abs(analytic - slope.value)
        sharp = slope.error <= self.wanted(analytic, slope.value, rounding)
        negligible = np.abs(analytic) <= self.negligible
        sharp &= (slope.error <= CLEAR * np.abs(analytic)) | negligible
        if negligible.any() and self.at.eps < ROUGH:
            # What is 0 beside large slopes need not be: a larger step shows a smaller one.
            farther = quick_slope(line, self.at.eps, self.at.noise, FARTHER)
            sharp &= ~negligible | (np.abs(farther.value - analytic) <= farther.error)
        settled = bool(((off <= MARGIN * slope.error + rounding) & sharp).all()) and not slope.bends
        if settled and 0 < line.own < SMALL:
            # An element far smaller than its fellows may have a scale of its own.
            near = quick_slope(line, self.at.eps, self.at.noise, line.own)
            settled = bool((np.abs(analytic - near.value) <= MARGIN * near.error + rounding).all())
        return Finding(Slant.RIGHT, analytic, slope.value, slope.error), settled

    def inspect(self, line):
        """Return the finding from as many differences as it needs, at this point and nearby."""
        finding, allowed = self.compared(line)
        if finding.slant is not Slant.WRONG or not np.isfinite(finding.analytic).all():
            return finding
        mismatch = np.abs(finding.analytic - finding.numerical)
        mismatch[mismatch <= allowed] = np.inf
        rough = np.where(np.isfinite(mismatch), mismatch, 0.0) <= ROUGHNESSES * self.roughness(line)
        if rough.all():
            finding.slant = Slant.RIGHT
            finding.error = np.maximum(finding.error, np.abs(finding.analytic - finding.numerical))
            return finding
        if self.right_nearby(line, finding, mismatch) and not self.unexplained(line, finding):
            finding.slant = Slant.SEVERAL_KINKS
        elif self.right_in_double(line):
            finding.slant, finding.rounded = Slant.RIGHT, True
            finding.error = np.maximum(finding.error, np.abs(finding.analytic - finding.numerical))
        return finding

    def right_in_double(self, line):
        """Tell whether a gradient that is wrong in a less precise dtype is right in float64.

        Then it is rounding that spoils it.  A mistake in a formula is one in each dtype.
        """
        if self.at.eps < ROUGH or self.at.problem.own_graph:
            return False
        if self.double is None:
            try:
                place = self.at.in_double()
            except Exception:
                return False
            self.double = Inspector(place, self.seed)
        there = self.double.inspect(line.at_another(self.double.at))
        return there.slant not in (Slant.WRONG, Slant.HIDDEN) and self.double.at.eps <= ROUGH

    def compared(self, line):
        """Return the finding from differences at this point, and by how much the slope may be off."""
        analytic, rounding = line.analytic()
        enough = np.fmax(self.part_wanted * np.abs(analytic), self.negligible)
        enough = np.nan_to_num(enough, posinf=0.0)
        own = line.own if 0 < line.own < SMALL else None
        noise = self.at.noise_along(line)
        slope = careful_slope(line, self.at.eps, noise, enough, own)
        in_stairs = slope.still & slope.moves
        if in_stairs.any():
            noise = np.maximum(noise, noise_in_stairs(line, self.at.eps, in_stairs))
            slope = careful_slope(line, self.at.eps, noise, enough, own)
        # Within one stair of rounding all small steps agree, and with the slope of the stair alone.
        doubtful = slope.is_doubtful(analytic)
        if doubtful.any():
            noise = np.maximum(noise, noise_of_jumps(line, self.at.eps, doubtful))
            slope = careful_slope(line, self.at.eps, noise, enough, own)
        slope = one_sided_at_an_edge(slope)
        # A slope that changes the function by less than its rounding, over the whole scale, is none,
        # unless larger steps show it: what they show as flat may be so only on the whole.
        with np.errstate(invalid="ignore"):
            shown = (slope.widened > 0) & (np.abs(slope.value) > 10 * slope.error)
        if shown.any():
            shown &= is_straight(line, slope, noise)
        error = slope.error + np.where(shown, 0.0, np.sqrt(line.count) * noise)
        allowed = MARGIN * error + rounding
        with np.errstate(invalid="ignore"):
            smooth = np.abs(analytic - slope.value) <= allowed
        flat = (slope.value == 0) & (slope.left == 0) & (slope.right == 0)
        faint = flat & (analytic != 0) & (np.abs(analytic) <= 256 * self.at.eps * line.count)
        if faint.any():
            smooth |= faint & hidden_by_stairs(line, analytic)
        smooth |= np.isinf(analytic) & (np.sign(analytic) == slope.steepening)
        # Where the function does not move, as with a bias that is normalized away, a gradient is what
        # rounding leaves of larger terms that cancel.
        still = np.abs(slope.value) <= MARGIN * error
        left = np.abs(analytic) <= self.at.eps**LEFT * self.typical
        left |= (np.abs(analytic) <= UNDERESTIMATED * error) | (self.at.eps > ROUGH)
        smooth |= still & left & (np.abs(analytic) <= np.sqrt(self.at.eps) * self.typical)
        # A function in stairs too high for those of rounding numbers near 1 has a slope of 0, too.
        own_stairs = COARSE * np.maximum(self.at.eps, 2 * self.at.rounding_of_results(self.at.eps))
        smooth |= slope.still & (analytic == 0) & (noise > own_stairs)
        kink = has_kink(slope)
        between = may_have_kink(slope) & is_between(analytic, slope, rounding)
        finding = Finding(
            Slant.RIGHT, analytic, slope.value, error, slope.left, slope.right, slope.left_error,
            slope.right_error, slope.jumps,
        )
        if not np.isfinite(slope.error).all() and not smooth.all():
            finding.slant = Slant.WRONG if np.isnan(analytic).any() else Slant.HIDDEN
        elif not (smooth | between).all():
            finding.slant = Slant.WRONG
            flat = slope.still & (np.abs(slope.value) <= MARGIN * slope.error)
            if (flat & slope.moves & ~smooth).any():
                self.at.problem.note(STAIRS)
        elif (kink & between).any():
            finding.slant = Slant.ON_KINK
            self.bent.update(line.moves)
        elif slope.kink_nearby:
            finding.slant = Slant.NEAR_KINK
        return finding, allowed

    def wanted(self, analytic, numerical, rounding):
        """Return how small the error of a difference has to be to tell something."""
        with np.errstate(invalid="ignore"):
            size = np.fmax(np.abs(analytic), np.abs(numerical))
        sharp = SHARP / MARGIN if self.at.eps < ROUGH else SHARP
        least = np.fmax(rounding, 1e-2 * sharp * self.typical)
        return np.nan_to_num(np.fmax(sharp * size, least), nan=0.0, posinf=0.0)

    def roughness(self, line):
        """Return how large the errors of rounding in the gradient are, as seen nearby.

        There, on no kink, inputs that differ by an ulp have gradients that differ by rounding alone.
        """
        found = self.unsteadiness(line)
        for inspector in self.nearby():
            there = line.at_another(inspector.at)
            found = np.fmax(found, inspector.changes(there, 1.0))
            found = np.fmax(found, inspector.unsteadiness(there))
        return found

    def unsteadiness(self, line):
        """Return how far the slope changes close by, if it is by little, as on no kink.

        An ulp of what is added to something large changes nothing, more of it does.
        """
        found = self.changes(line, 1.0)
        if self.at.eps < ROUGH:     # else it is more than what is to be seen
            found = np.fmax(found, self.changes(line, self.at.eps**-0.4))
        return np.where(found <= self.at.eps**0.4 * self.typical, found, 0.0)

    def changes(self, line, ulps):
        """Return how far the slope changes so many ulps of each element away from here."""
        if ulps not in self.shaken:
            rng, self.shaken[ulps] = np.random.default_rng([self.seed, 5]), []
            for _ in range(2):
                with contextlib.suppress(Exception):    # where the user's function does not reach
                    self.shaken[ulps].append(self.at.shaken(rng, ulps))
        here, found = line.analytic()[0], np.zeros(len(self.at.gradients))
        for place in self.shaken[ulps]:
            with np.errstate(invalid="ignore"):
                found = np.fmax(found, np.abs(line.at_another(place).analytic()[0] - here))
        return found

    def right_nearby(self, line, here, mismatch):
        """Tell whether the gradient is right at points nearby, and clearly so at one at least.

        Clearly is, that it is off by far less than `mismatch`, which it is off by here.
        """
        clear, known = 0, not self.bent.isdisjoint(line.moves)
        rough = self.at.eps > ROUGH
        for inspector in self.nearby():
            finding = inspector.judged(line.at_another(inspector.at), mismatch)
            if finding.slant is Slant.WRONG and not is_slight(finding, mismatch):
                return False
            clear += tells(finding, here, mismatch, known)
            if clear == 2:
                return True
        # The function may have become another one already there; differences tell less nearer by.
        for one in () if clear or rough else self.nearby(CLOSER_RADII):
            if tells(one.judged(line.at_another(one.at), mismatch), here, mismatch, known):
                return True
        for one in () if clear else self.nearby(MORE_ROUGH_RADII if rough else MORE_RADII, len(RADII)):
            finding = one.judged(line.at_another(one.at), mismatch)
            if finding.slant is Slant.WRONG and not is_slight(finding, mismatch):
                return False
            if tells(finding, here, mismatch, known):
                return True
        return clear > 0

    def wrong_nearby(self, line, sizes=None):
        """Return the inspectors of points nearby if the gradient is wrong at two of them, else none.

        A factor that is off a little may hide between the two sides of a kink; nearby it cannot.  The
        elements of these points are moved in proportion to `sizes`, by default those of their own.
        """
        wrong = []
        for one in self.nearby(sizes=sizes):
            if one.judged(line.at_another(one.at)).slant is not Slant.WRONG:
                continue
            finding, allowed = one.compared(line.at_another(one.at))
            off = np.abs(finding.analytic - finding.numerical)
            size = np.fmax(np.abs(finding.analytic), np.abs(finding.numerical))
            # Here all slopes may be 0, as where every distance is.
            material = np.maximum(2 * SHARP * size, 1e-6 * np.maximum(self.typical, one.typical))
            worse = (off > np.maximum(allowed + ROUGHNESSES * self.roughness(line), material)).any()
            # What is wrong in float64, too, at one point, is no rounding at another.
            if worse and (wrong or not one.right_in_double(line.at_another(one.at))):
                wrong.append(one)
            if len(wrong) == ENOUGH_NEARBY:
                return wrong
        return []

    def nearby(self, radii=None, first=0, sizes=None):
        """Yield inspectors of points nearby, those at which the function is finite; each is made once.

        The number of a point, from `first` on, says in which direction it lies: odd ones opposite.
        """
        radii = (RADII if self.at.eps < ROUGH else ROUGH_RADII) if radii is None else radii
        for number, radius in enumerate(radii, first):
            key = number, radius, sizes is None
            if key not in self.around:
                self.around[key] = self.away(number, radius, sizes)
            if self.around[key] is not None:
                yield self.around[key]

    def away(self, number, radius, sizes):
        """Return an inspector of a random point `radius` away, or None where nothing is finite."""
        pair, opposite = divmod(number, 2)
        try:
            place = self.at.shifted(
                np.random.default_rng([self.seed, 1, pair]), radius, -1.0 if opposite else 1.0, sizes
            )
        except Exception:
            return None
        finite = all(np.isfinite(y).all() for y in place.base)
        return Inspector(place, self.seed) if finite else None

    def unexplained(self, line, finding):
        """Tell whether no meeting of kinks explains a slope that is outside of both sides."""
        rounding = ROUGHNESSES * self.roughness(line)
        crossing = Crossing.of(self.at.problem, line, self.at.eps, rounding)
        one_sided = not np.isfinite([finding.left_error, finding.right_error]).all()
        explained = True if crossing is None else crossing.explains(finding, one_sided)
        if explained is None:
            explained = self.seen_around(line, finding)
        return not explained or self.ties_counted_twice(line)

    def seen_around(self, line, finding):
        """Tell whether a slope is within, or near, the range of those that the function has around."""
        rough = self.at.eps > ROUGH
        low, high = range_of_slopes(line, [finding.left, finding.right], rough, self.seed)
        doubt = MARGIN * np.where(np.isfinite(finding.error), finding.error, 0.0) + self.negligible
        return bool(((low - doubt <= finding.analytic) & (finding.analytic <= high + doubt)).all())

    def beyond_a_cone(self, line):
        """Return the finding of a slope beyond all of a kink of many elements, or None.

        That is one where the function turns one way only, so that no kinks of opposite turns meet.
        """
        crossing = Crossing.of(self.at.problem, line, self.at.eps)
        if crossing is not None and crossing.of_single_elements:
            return None
        rng = np.random.default_rng([self.seed, 9])
        for inspector in (self,) if self.at.problem.scalar else (self, self.of_single_results(line)):
            here = line.at_another(inspector.at)
            finding = inspector.compared(here)[0]
            beyond = is_beyond(finding) if finding.slant is Slant.WRONG else np.zeros(1, bool)
            if not beyond.any():
                continue
            if (beyond & turns_one_way(here, self.at.eps, inspector.at.noise, rng)).any():
                return finding
        return None

    def of_single_results(self, line):
        """Return the inspector of single results, those that bend most along the first line."""
        if self.single is None:
            self.single = Inspector(self.at.one_by_one(SINGLE_RESULTS, line), self.seed)
        return self.single

    def ties_counted_twice(self, line):
        """Tell whether elements that tie for a maximum get more, or less, than one share together.

        Kinks of single elements can meet so that the slopes chosen at each are together that of no side.
        Shares in a tie have to sum to one; it shows where results are looked at one by one, because
        those of several ties may mix as those of kinks do.
        """
        if not self.only_ties():
            return False
        if self.at.problem.scalar:
            return self.compared(line)[0].slant is Slant.WRONG
        single = self.of_single_results(line)
        return single.compared(line.at_another(single.at))[0].slant is Slant.WRONG

    def tied_otherwise(self, line):
        """Return the finding if a slope is wrong along a line on which ties stay ties, or None.

        Of a function that picks elements by their order, such a line passes no kink, however the shares
        in a tie are chosen.
        """
        if not orders_alone(self.at.problem.function):
            return None
        finding = self.inspect(line)
        if finding.slant is Slant.SEVERAL_KINKS:
            finding.slant = Slant.WRONG
        return finding if finding.slant is Slant.WRONG else None

    def only_ties(self):
        """Tell whether the function has maxima of several elements, but no kinks of single ones."""
        if self.ties is None:
            self.ties = ties_alone(self.at.problem, self.at.point)
        return self.ties


def typical_slope(at):
    """Return for each set of cotangents how steep the function is along one element, as a rule."""
    sizes = np.zeros(len(at.gradients))
    for draw in range(len(sizes)):
        for position, scale in enumerate(at.scales):
            gradient = at.floating_gradient(draw, position)
            if gradient is not None and gradient.size:
                with np.errstate(all="ignore"):
                    size = np.sqrt(np.mean(np.square(gradient * scale)))
                sizes[draw] = max(sizes[draw], np.nan_to_num(size, posinf=0.0))
    return sizes


def is_straight(line, slope, noise):
    """Tell whether a slope that only large steps show is there at one that is no power of others, too.

    Errors of rounding grow with the number that is rounded, and by powers of 2 they grow in step.
    """
    reached, rises = line(UNEVEN * slope.widened)
    with np.errstate(all="ignore"):
        off = np.abs(rises / reached - slope.value)
        return off <= 0.1 * np.abs(slope.value) + MARGIN * noise / np.abs(reached)


def one_sided_at_an_edge(slope):
    """Return a slope with the value of one side where the function ends at the point."""
    if np.isfinite(slope.error).all():
        return slope
    for value, error in ((slope.right, slope.right_error), (slope.left, slope.left_error)):
        open_end = ~np.isfinite(slope.error) & np.isfinite(error)
        slope.value = np.where(open_end, value, slope.value)
        slope.error = np.where(open_end, error, slope.error)
    return slope


def has_kink(slope):
    """Tell where the slopes of the two sides, of a `Slope` or a `Finding`, differ beyond their errors."""
    with np.errstate(invalid="ignore"):
        return np.abs(slope.right - slope.left) > MARGIN * (slope.left_error + slope.right_error)


def is_slight(finding, mismatch):
    """Tell whether a gradient is off too little for a mistake that makes a `mismatch` elsewhere."""
    size = np.fmax(np.abs(finding.analytic), np.abs(finding.numerical))
    off = np.abs(finding.analytic - finding.numerical)
    least = np.minimum(0.25 * mismatch, 1e-3 * SHARP * size)
    return bool((off < np.maximum(0.01 * mismatch, least)).all())


def tells(finding, here, mismatch, known):
    """Tell whether a finding nearby is clearly right, and says something of that `here`.

    Where next to nothing is left of a slope, and no kink tells why, being right says nothing; `known`
    says whether there is one.
    """
    if finding.slant is Slant.HIDDEN:
        return False
    size = np.fmax(np.abs(finding.analytic), np.abs(finding.numerical))
    bent = np.abs(here.right - here.left) > 0.01 * mismatch
    bent |= np.abs(here.numerical) <= MARGIN * here.error
    alive = (size >= 0.1 * np.abs(here.numerical)) | np.isinf(mismatch) | bent | known
    close = distance_from(finding) < 0.25 * mismatch
    return bool((alive & close).all())


def distance_from(finding):
    """Return how far the gradient is off the slope, or off those between the two sides."""
    off = np.abs(finding.analytic - finding.numerical)
    if finding.slant is Slant.ON_KINK:
        low, high = np.minimum(finding.left, finding.right), np.maximum(finding.left, finding.right)
        off = np.maximum(np.maximum(low - finding.analytic, finding.analytic - high), 0.0)
    return off


def may_have_kink(slope):
    """Tell where the slopes of the two sides differ by as much as their errors."""
    with np.errstate(invalid="ignore"):
        return np.abs(slope.right - slope.left) > slope.left_error + slope.right_error


def is_between(analytic, slope, rounding):
    """Tell where a slope lies between those of the two sides, but for their errors."""
    doubt = MARGIN * np.maximum(slope.left_error, slope.right_error) + rounding
    low, high = np.minimum(slope.left, slope.right), np.maximum(slope.left, slope.right)
    with np.errstate(invalid="ignore"):
        return (low - doubt <= analytic) & (analytic <= high + doubt)
