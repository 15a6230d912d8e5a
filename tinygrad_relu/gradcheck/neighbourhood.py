"""A point, what the function and its derivative give there, and the lines that lead away from it."""

import numpy as np

from tinygrad_relu.errors import GradientError
from tinygrad_relu.gradcheck.differences import first_step, scales
from tinygrad_relu.gradcheck.noise import SPACING, WIDE, noise_along, scatter, spaced

# A step in which each result changes that does so along a line at all.
LARGE_STEP = 0.1
# Elements of this part of their scale, in units of the precision, are 0 but for rounding.
ROUNDED = 64


class Neighbourhood:
    """A point at which gradients are compared with differences.

    Parameters
    ----------
    problem : Problem
    point : list of ndarray
    cotangents : list of list of ndarray
        Several sets, each with one for each result.

    Attributes
    ----------
    base : list of ndarray
        The results at the point.
    gradients : list of list of (ndarray or None)
        For each set of cotangents what the derivative gives, as it gives it.
    noise : ndarray
        For each set the error of rounding of the weighted sum of the results.
    eps : float
        The precision of the least precise of inputs and results.
    scales, sizes : list of ndarray
        The natural scale of each element of the inputs, and its own size, or its scale if it is 0.
    radius : float
        How far this point was moved from the one that is checked, which may be on a kink: 1 for that one.
    """

    def __init__(self, problem, point, cotangents, gradients=None, radius=1.0):
        self.problem, self.point, self.cotangents = problem, point, cotangents
        self.radius = radius
        results = problem.results(point)
        self.base = [np.asarray(y, np.float64) for y in results]
        self.weights = [[np.asarray(c, np.float64) for c in draw] for draw in cotangents]
        if gradients is None:
            gradients = [problem.backward(point, draw) for draw in cotangents]
        self.gradients = gradients
        dtypes = [y.dtype for y in results] + [x.dtype for x in point if x.size]
        # No less than that of float64, in which results are compared.
        self.eps = max(float(np.finfo(dtype).eps) for dtype in [*dtypes, np.float64])
        self.scales = [scales(x) for x in point]
        self.sizes = [np.where(x == 0, s, np.abs(x)) for x, s in zip(point, self.scales)]
        self.failure = self.noise_of_each = None
        self.noise = self.estimated_noise(max(float(np.finfo(y.dtype).eps) for y in results))

    def rises(self, values):
        """Return the weighted sums of results at other values less those here; NaN where it fails."""
        try:
            results = self.problem.forward(values)
        except Exception as error:
            self.failure = f"raises {type(error).__name__}: {error}"
            return np.full(len(self.weights), np.nan)
        if [y.shape for y in results] != [y.shape for y in self.base]:
            self.failure = "returns results of other shapes"
            return np.full(len(self.weights), np.nan)
        with np.errstate(all="ignore"):
            changes = [y - base for y, base in zip(results, self.base)]
            sums = [sum(np.vdot(c, change) for c, change in zip(draw, changes)) for draw in self.weights]
        if not np.isfinite(sums).all():
            self.failure = "returns NaN or infinity"
        return np.array(sums, np.float64)

    def rounding_of_results(self, eps):
        """Return how large the rounding of the results alone is, for each set of cotangents."""
        with np.errstate(all="ignore"):
            return np.array([
                0.5 * eps * length([c * y for c, y in zip(draw, self.base)]) for draw in self.weights
            ])

    def estimated_noise(self, eps):
        """Return the noise: as seen along a line, and at least that of rounding the results."""
        least = self.rounding_of_results(eps)
        if not all(np.isfinite(y).all() for y in self.base) or not sum(x.size for x in self.point):
            return np.nan_to_num(least)
        rng = np.random.default_rng(0)
        seen = noise_along(Direction(self, random_moves(self, rng)), self.eps)
        return np.maximum(least, seen)

    def noise_along(self, line):
        """Return the noise of those results alone that change along a line, as far as it can be told."""
        if self.problem.scalar or line.count > 1:
            return self.noise
        if self.noise_of_each is None:
            self.noise_of_each = self.estimated_noise_of_each()
        changed = np.zeros(self.noise_of_each.shape, bool)
        # A probability that is 1 but for rounding depends on all scores, and shows it far away alone.
        for step in (first_step(self.eps), LARGE_STEP, *WIDE):
            for t in (step, -step):
                try:
                    changed |= flattened(self.problem.forward(line.values(t))) != flattened(self.base)
                except Exception:
                    return self.noise
        if not changed.any():
            return self.noise
        with np.errstate(all="ignore"):
            own = [length([(flattened(draw) * self.noise_of_each)[changed]]) for draw in self.weights]
        return np.fmin(self.noise, np.where(np.isfinite(own), own, np.inf))

    def estimated_noise_of_each(self):
        """Return the noise of each result, infinite where rounding hides all changes close by."""
        move = Direction(self, random_moves(self, np.random.default_rng(0)))
        rounding = 0.5 * self.eps * np.abs(flattened(self.base))
        try:
            values = spaced(
                lambda t: (t, flattened(self.problem.forward(move.values(t)))), 0.0, SPACING * self.eps
            )
            seen = scatter(values - values[0])
        except Exception:
            return np.full(rounding.shape, np.inf)
        return np.where((values == values[0]).all(axis=0), np.inf, np.maximum(rounding, seen))

    def floating_gradient(self, draw, position):
        """Return a gradient as float64 of the shape of its input, or None where it is none."""
        return as_gradient(self.gradients[draw][position], self.point[position].shape)

    def sizes_but_for_rounding(self):
        """Return the sizes, and the scale of an element that is 0 but for rounding, as 0.3 - 3 * 0.1 is.

        None if there is no such element.
        """
        with np.errstate(under="ignore"):
            rounded = [
                (x != 0) & (np.abs(x) <= ROUNDED * np.finfo(x.dtype).eps * s)
                for x, s in zip(self.point, self.scales)
            ]
        if not any(where.any() for where in rounded):
            return None
        return [
            np.where(where, scale, size)
            for where, scale, size in zip(rounded, self.scales, self.sizes)
        ]

    def shifted(self, rng, radius, sign=1.0, sizes=None):
        """Return a point nearby, no element of which is where it is here; with -1, the opposite one.

        Elements move in proportion to `sizes`, by default those of their own.
        """
        point = []
        for x, size in zip(self.point, self.sizes if sizes is None else sizes):
            move = size * rng.uniform(0.5, 1.0, x.shape)
            move *= sign * rng.choice([-1.0, 1.0], x.shape)
            moved = np.asarray(x + radius * move, x.dtype)
            moved.flags.writeable = False
            point.append(moved)
        return Neighbourhood(self.problem, point, self.cotangents, radius=radius)

    def in_double(self):
        """Return the same neighbourhood with inputs and cotangents in float64."""
        point = [x.astype(np.float64) for x in self.point]
        return Neighbourhood(
            self.problem, point, [[c.astype(np.float64) for c in draw] for draw in self.cotangents],
            radius=self.radius,
        )

    def one_by_one(self, count, line):
        """Return the same neighbourhood for single results: so many sets of cotangents, all 0 but one.

        They are those of the results that bend most along a line.
        """
        total = sum(y.size for y in self.base)
        draws, step = [], first_step(self.eps)
        above, below = (self.problem.forward(line.values(t)) for t in (step, -step))
        with np.errstate(all="ignore"):
            bends = np.concatenate([
                np.abs((a - y) + (b - y)).ravel() for a, b, y in zip(above, below, self.base)
            ])
        for place in np.sort(np.argsort(-np.nan_to_num(bends), kind="stable")[:count]):
            flat = np.zeros(total)
            flat[place] = 1.0
            parts = np.split(flat, np.cumsum([y.size for y in self.base])[:-1])
            draws.append([
                part.reshape(c.shape).astype(c.dtype) for part, c in zip(parts, self.cotangents[0])
            ])
        return Neighbourhood(self.problem, self.point, draws)

    def shaken(self, rng, ulps=1.0):
        """Return only the gradients, where inputs and cotangents are some ulps away in each element."""
        point = [ulps_off(x, rng, ulps) for x in self.point]
        draws = self.cotangents
        if not self.problem.scalar:
            draws = [[ulps_off(c, rng, ulps) for c in draw] for draw in draws]
        return Gradients(
            point, self.scales, [self.problem.backward(point, draw) for draw in draws], self.eps
        )


class Gradients:
    """What a derivative gives at a point, and no more."""

    radius = 1.0

    def __init__(self, point, scales, gradients, eps):
        self.point, self.scales, self.gradients, self.eps = point, scales, gradients, eps

    floating_gradient = Neighbourhood.floating_gradient


class Element:
    """The line on which one element changes; t = 1 changes it by its scale.

    t = own changes it by its size, or, at a point moved off a kink, by as much as that was moved.
    """

    count = 1

    def __init__(self, at, position, index, scale=None):
        self.at, self.position, self.index = at, position, index
        self.moves = (position,)
        self.start = np.float64(at.point[position][index])
        self.scale = np.float64(at.scales[position][index] if scale is None else scale)
        self.own = min(abs(self.start) / self.scale, at.radius)

    def values(self, t):
        """Return the inputs at `t`."""
        values = list(self.at.point)
        values[self.position] = moved = values[self.position].copy(order="K")
        with np.errstate(over="ignore"):
            moved[self.index] = self.start + t * self.scale
        return values

    def __call__(self, t):
        """Return the t that could be represented, and how far the results rise."""
        values = self.values(t)
        with np.errstate(invalid="ignore"):
            reached = (np.float64(values[self.position][self.index]) - self.start) / self.scale
        return reached, self.at.rises(values)

    def analytic(self):
        """Return what the gradients say of the slope along this line, and their error of rounding."""
        found, doubts = [], []
        for draw in range(len(self.at.gradients)):
            gradient = self.at.floating_gradient(draw, self.position)
            found.append(np.nan if gradient is None else gradient[self.index] * self.scale)
            doubts.append(0.0 if gradient is None else usual(gradient) * self.scale)
        found = np.array(found)
        return found, 32 * self.at.eps * (np.abs(found) + np.array(doubts))

    def moves_of(self):
        """Return which inputs move along the line, and how."""
        move = np.zeros(self.at.point[self.position].shape)
        move[self.index] = self.scale
        return {self.position: move}

    def at_another(self, place):
        """Return the same line through another point."""
        return Element(place, self.position, self.index, self.scale)


class Direction:
    """A line on which many elements change; `moves` says for each input in which direction."""

    def __init__(self, at, moves):
        self.at, self.moves, self.own = at, moves, at.radius
        self.count = sum(np.count_nonzero(move) for move in moves.values())

    def values(self, t):
        """Return the inputs at `t`."""
        values = list(self.at.point)
        for position, move in self.moves.items():
            x = values[position]
            with np.errstate(over="ignore"):
                values[position] = moved = np.empty_like(x)      # in its layout
                moved[...] = np.add(x, t * move, dtype=np.float64)
        return values

    def __call__(self, t):
        """Return t, and how far the results rise."""
        return t, self.at.rises(self.values(t))

    def analytic(self):
        """Return what the gradients say of the slope along this line, and their error of rounding."""
        found, doubts = [], []
        for draw in range(len(self.at.gradients)):
            total, squares = 0.0, 0.0
            for position, move in self.moves.items():
                gradient = self.at.floating_gradient(draw, position)
                if gradient is None:
                    total = np.nan
                    continue
                with np.errstate(all="ignore"):
                    products = (gradient * move).ravel()
                    total += float(products.sum())
                    squares += float(products @ products)
            found.append(total)
            doubts.append(np.sqrt(squares))
        return np.array(found), 32 * self.at.eps * np.array(doubts)

    def moves_of(self):
        """Return which inputs move along the line, and how."""
        return self.moves

    def at_another(self, place):
        """Return the same line through another point."""
        return Direction(place, self.moves)


def random_moves(at, rng, positions=None, sizes=None):
    """Return a random direction: for each input how its elements move, in proportion to their size."""
    sizes = at.sizes if sizes is None else sizes
    positions = range(len(at.point)) if positions is None else positions
    return {
        k: sizes[k] * rng.uniform(0.5, 1.5, at.point[k].shape)
        * (2.0 * rng.integers(0, 2, at.point[k].shape) - 1.0)
        for k in positions if at.point[k].size
    }


def ulps_off(x, rng, ulps):
    """Return an array each element of which is so many times its precision, or twice that, off `x`."""
    move = ulps * np.finfo(x.dtype).eps * rng.choice([-2, -1, 1, 2], x.shape)
    with np.errstate(all="ignore"):
        return np.asarray(x * (1 + move), x.dtype)


def length(arrays):
    """Return the Euclidean length of several arrays as one vector, without overflow."""
    largest = max((float(np.abs(x).max()) for x in arrays if x.size), default=0.0)
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(sum(np.sum(np.square(x / largest)) for x in arrays)))


def flattened(arrays):
    """Return several arrays as one vector."""
    return np.concatenate([y.ravel() for y in arrays])


def usual(gradient):
    """Return the usual size of the elements of a gradient."""
    with np.errstate(all="ignore"):
        size = float(np.sqrt(np.mean(np.square(gradient)))) if gradient.size else 0.0
    return size if np.isfinite(size) else 0.0


def as_gradient(found, shape):
    """Return what a derivative gave as a float64 array of `shape`, or None where it cannot be one."""
    try:
        found = np.asarray(np.real(found), np.float64)      # that it is complex, `faults` tells
    except (TypeError, ValueError):
        return None
    return found if found.shape == shape else None


def check_base(problem, results):
    """Raise if the results are not finite where they are to be checked."""
    for number, y in enumerate(results):
        if not np.isfinite(y).all():
            index = tuple(int(k) for k in np.argwhere(~np.isfinite(y))[0])
            where = f" at index {index}" if index else ""
            raise GradientError(
                f"check_gradients: {problem.name_of_result(number, len(results))} of the function is "
                f"{y[index]}{where} for the inputs given: there is no derivative to check; choose "
                "inputs at which it is finite"
            )
