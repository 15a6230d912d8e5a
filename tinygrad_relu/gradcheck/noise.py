"""How large errors of rounding are in the values of functions along a line."""

import numpy as np

from tinygrad_relu.gradcheck.differences import first_step, ladder

SPACING = 64        # of the points whose values are compared, in units of the precision
APART = 0.7         # the power of the precision that is their spacing where they are farther apart
# How much farther apart they are taken where all values are the same, and how far at most.
WIDER, WIDEST = 64.0, 1e-2
HALVINGS = 24
# The same where a jump is looked for among smooth pieces, which are no steeper than so many times all.
FINE_HALVINGS, STEEPER = 28, 64.0
# Stairs higher than this part of what a function changes by over the whole scale, or than the root of the
# precision, are no rounding, unless they are as high as those of numbers near 1, in its units.
STAIR, NEAR_ONE = 1e-4, 4.0
# So many units of the precision of 1 are between points at which its stairs show.
UNITS_OF_ONE = 7.3
# In so wide steps a function that is flat around 0 is looked at for where it changes.
WIDE = 0.1 * 4.0 ** np.arange(10)


def noise_along(line, eps):
    """Return how large errors of rounding are in the values of functions along a line.

    It is the larger of that at 0 and that a step away, because values are least noisy where they vanish.
    There the points are farther apart, too: over a few ulps what is added to something large stays the
    same, as in a batch that is normalized about a mean of 1000.
    """
    near = noise_from(line, 0.0, SPACING * eps, eps)
    return np.maximum(near, noise_from(line, first_step(eps), max(SPACING * eps, eps**APART), eps))


def noise_from(line, start, spacing, eps):
    """Return how large errors of rounding are in the values of functions at points from `start` on.

    Differences of high order of values at points close together are all noise: a smooth function has
    next to none.  After Moré and Wild, Estimating Computational Noise, SIAM J. Sci. Comput. 33 (2011).
    """
    values = spaced(line, start, spacing)
    with np.errstate(invalid="ignore"):
        constant = (values == values[0]).all(axis=0)
    if constant.any():
        return np.maximum(scatter(values), half_a_stair(line, start, spacing, eps, constant))
    return scatter(values)


def noise_in_stairs(line, eps, constant):
    """Return the noise of functions that are `constant` in the smallest steps, and 0 of all others.

    Along another line what else moves may have hidden their stairs.
    """
    return half_a_stair(line, 0.0, SPACING * eps, eps, constant)


def spaced(line, start, spacing):
    """Return the values at eight points, all on one side of 0, where a kink may be."""
    return np.array([line(start + spacing * k)[1] for k in range(2, 10)])


def scatter(values):
    """Return what differences of high order show of the noise of values."""
    largest = np.max(np.abs(values), axis=0)
    largest = np.where(np.isfinite(largest) & (largest > 0), largest, 1.0)
    values = values / largest
    estimates, weight = [], 1.0
    for order in range(1, 7):
        with np.errstate(invalid="ignore"):
            values = np.diff(values, axis=0)
        weight *= order / (2.0 * (2 * order - 1))       # (k!)^2 / (2k)!
        if order >= 3:
            estimates.append(np.sqrt(weight * np.mean(np.square(values), axis=0)))
    return largest * np.nan_to_num(np.median(estimates, axis=0), nan=0.0, posinf=0.0)


def half_a_stair(line, start, spacing, eps, constant):
    """Return half of what functions that are `constant` over a few ulps jump by farther on, or 0.

    What adds something small to something large, and takes the large part off again, moves in stairs:
    log(1 + x) for a small x, as in the cross-entropy of a sample that is surely right.  Values close
    together are all the same there, and show nothing of its rounding.
    """
    found, waiting = np.zeros(constant.shape), constant.copy()
    while waiting.any() and spacing < WIDEST:
        spacing *= WIDER
        with np.errstate(invalid="ignore"):
            rises = np.nan_to_num(np.abs(np.diff(spaced(line, start, spacing), axis=0)))
        for number in np.flatnonzero(waiting & (rises > 0).any(axis=0)):
            waiting[number] = False
            low = start + spacing * (2 + int(np.argmax(rises[:, number] > 0)))
            found[number] = 0.5 * jump_between(line, low, low + spacing, number)
    if found.any():
        found[are_its_own(line, eps, found)] = 0.0
    return found


def noise_of_jumps(line, eps, wanted):
    """Return half of the jumps that functions make within the steps, and 0 of those that make none.

    What multiplies something that moves in stairs of rounding is smooth on each of them: no values close
    together show them, as of x * (1 - tanh(x)) where 1 - tanh(x) has few digits.
    """
    found = np.zeros(wanted.shape)
    ends = [sign * end for end in (first_step(eps), ladder(eps)[0], 1.0) for sign in (1.0, -1.0)]
    for number in np.flatnonzero(wanted):
        found[number] = 0.5 * max(steepest_rise(line, end, number) for end in ends)
    if found.any():
        found[are_its_own(line, eps, found)] = 0.0
    # To something near 1 a small number is added in stairs of its own, as in (exp(x) - 1) / x.
    spacing = UNITS_OF_ONE * eps / float(getattr(line, "scale", 1.0))
    if SPACING * eps < spacing < WIDEST:
        found = np.maximum(found, np.where(wanted, scatter(spaced(line, 0.0, spacing)), 0.0))
    return found


def are_its_own(line, eps, stairs):
    """Tell which stairs are no rounding, but how the function was made: a large part of its way."""
    whole = np.nanmax(np.abs([line(t)[1] for t in (-2.0, -1.0, 0.0, 1.0, 2.0)]), axis=0)
    # What is near 1 may be multiplied by what is moved.
    near_one = NEAR_ONE * eps * max(1.0, float(getattr(line, "scale", 1.0)))
    return (stairs > max(STAIR, np.sqrt(eps)) * whole) & (stairs > near_one)


def steepest_rise(line, end, number):
    """Return by how much a function jumps somewhere between 0 and a point, or 0 if it is smooth."""
    low, high = 0.0, end
    at_low, at_high = 0.0, line(high)[1][number]
    whole = abs(at_high)
    for _ in range(FINE_HALVINGS):
        middle = 0.5 * (low + high)
        between = line(middle)[1][number]
        if abs(at_high - between) >= abs(between - at_low):
            low, at_low = middle, between
        else:
            high, at_high = middle, between
    height = abs(at_high - at_low)
    return height if height > STEEPER * whole * 0.5**FINE_HALVINGS else 0.0


def jump_between(line, low, high, number):
    """Return by how much a function jumps between two points, or 0 where it gets there by and by.

    A function without jumps changes by so much less over a way that is so much shorter.
    """
    at_low, at_high = line(low)[1][number], line(high)[1][number]
    whole = abs(at_high - at_low)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        between = line(middle)[1][number]
        if between != at_low:
            high, at_high = middle, between
        else:
            low, at_low = middle, between
    height = abs(at_high - at_low)
    return height if height > whole * 0.5 ** (HALVINGS / 2) else 0.0


def hidden_by_stairs(line, slopes):
    """Tell where a function that is flat around 0 may have a slope that its rounding hides.

    Then it first changes by a stair that is higher than the slope would have risen to by there.  One
    that changes by and by, as ReLU does at the end of its flat side, has no such slope.  Nothing can be
    said against a slope where the function changes nowhere.
    """
    hidden = np.ones(slopes.shape, bool)
    flat_to = np.zeros(slopes.shape)
    waiting = hidden.copy()
    for step in WIDE:
        sides = [(sign * step, line(sign * step)[1]) for sign in (1.0, -1.0)]
        for number in np.flatnonzero(waiting):
            for reached, rises in sides:
                if np.isfinite(rises[number]) and rises[number] != 0:
                    waiting[number] = False
                    start = np.copysign(flat_to[number], reached)
                    width, height = first_stair(line, start, reached, number)
                    hidden[number] &= abs(slopes[number]) * width <= 2 * height
        flat_to[waiting] = step
        if not waiting.any():
            break
    return hidden


def first_stair(line, low, high, number):
    """Return where a function that is as at 0 at `low`, and not at `high`, changes, and by how much."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if line(middle)[1][number] == 0:
            low = middle
        else:
            high = middle
    return abs(high), abs(line(high)[1][number])
