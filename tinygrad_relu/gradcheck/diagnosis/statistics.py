"""Wrong backwards of what is centred and scaled by statistics of itself: batch norm and its kin.

With ``n = (x - mean) / deviation`` and the gradient ``d`` of ``n``, the right one of ``x`` is
``(d - mean(d) - n * mean(d * n)) / deviation`` (Ioffe and Szegedy 2015, section 3).
"""

import itertools
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described
from tinygrad_relu.gradcheck.diagnosis.reductions import axis_of
from tinygrad_relu.gradcheck.diagnosis.trace import Change

REDUCTIONS = (np.mean, np.sum)
MOST_STATISTICS = 8


@dataclass(frozen=True)
class Norm:
    """Where something is divided by the root of the mean of its squares.

    Attributes
    ----------
    x, square : int
        Steps: what is normalised, and the square of it after the mean was taken off.
    centred : tuple of int
        The steps where that is done, since a variance does it once more; `x` where it is not done.
    axes : tuple of int
        Those of the means.
    normal, deviation : ndarray
    count : float
        What the sum of squares is divided by.
    """

    x: int
    square: int
    centred: tuple
    axes: tuple
    normal: np.ndarray
    deviation: np.ndarray
    count: float


def statistic_mutations(graph):
    """Yield wrong backwards of norms, and several statistics taken for constants."""
    yield from several_constants(graph)
    for norm in norms_of(graph):
        yield from wrong_norms(graph, norm)


def several_constants(graph):
    """Yield all, or two, statistics taken for constants."""
    found = [
        k for k in graph.live
        if graph.steps[k].function in REDUCTIONS and graph.steps[k].references
        and graph.steps[k].value.size < graph.steps[k].operands[0].size and k not in graph.outputs
    ]
    if not 2 <= len(found) <= MOST_STATISTICS:
        return
    groups = list(itertools.combinations(found, 2))
    for group in groups + ([tuple(found)] if len(found) > 2 else []):
        step = graph.steps[group[0]]
        yield Mutation(
            ("constants", group), Label.MISSING_TERM, 19.8,
            [Change(k, k, lambda g, _: -g) for k in group],
            f"{' and '.join(described(graph, k) for k in group)} are treated as constants, and depend on "
            "the inputs, too",
            step.line, step.name,
        )


def norms_of(graph):
    """Yield the norms of a graph."""
    for k in graph.live:
        step = graph.steps[k]
        if step.function not in REDUCTIONS or len(step.references) != 1:
            continue
        square = step.references[0]
        centred = base_of_square(graph, square)
        axes = axes_of(step)
        if centred is None or axes is None:
            continue
        root = root_of(graph, k)
        if root is None:
            continue
        deviation = graph.steps[root].value
        if deviation.ndim < graph.steps[centred].value.ndim:
            deviation = np.expand_dims(deviation, axes)
        value = graph.steps[centred].value
        x, all_centred = centred_from(graph, centred, axes)
        count = divisor_of(graph, k)
        if count is not None:
            yield Norm(x, square, all_centred, axes, value / deviation, deviation, count)


def divisor_of(graph, k):
    """Return what a sum is divided by to be a mean; ``np.var(ddof=1)`` takes one less than there are."""
    step = graph.steps[k]
    if step.function is np.mean:
        return step.operands[0].size / max(1, step.value.size)
    later = [graph.steps[j] for j in graph.live if k in graph.steps[j].references]
    if len(later) != 1 or later[0].function is not np.divide or later[0].references[0] != k:
        return None
    divisor = np.asarray(later[0].operands[1] if len(later[0].operands) > 1 else later[0].arguments[1])
    return float(divisor.reshape(())) if divisor.size == 1 else None


def base_of_square(graph, k):
    """Return the step that another one is the square of, or None."""
    step = graph.steps[k]
    parents = {p for _, p in graph.edges(k)}
    if len(parents) != 1 or not step.elementwise:
        return None
    (base,) = parents
    value = graph.steps[base].value
    return base if value.shape == step.value.shape and np.allclose(step.value, value * value) else None


def axes_of(step):
    """Return the axes of a mean as a tuple of numbers from 0 on, or None if they are not known."""
    ndim, axis = step.operands[0].ndim, axis_of(step)
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    try:
        return tuple(sorted(a % ndim for a in axes))
    except TypeError:
        return None


def root_of(graph, k):
    """Return the square root that is made of a variance, maybe after a small number is added."""
    for _ in range(4):
        if graph.steps[k].function is np.sqrt:
            return k
        later = [j for j in graph.live if k in graph.steps[j].references]
        if len(later) != 1 or graph.steps[later[0]].value.shape != graph.steps[k].value.shape:
            return None
        k = later[0]
    return None


def centred_from(graph, centred, axes):
    """Return what a mean was taken off, and all steps where it was; or the step itself."""
    step = graph.steps[centred]
    if step.function is np.subtract and len(step.references) == 2:
        value, x = step.value, step.operands[0]
        if x.shape == value.shape and np.allclose(value, x - x.mean(axes, keepdims=True)):
            source = step.references[0]
            return source, tuple(
                k for k in graph.live
                if graph.steps[k].function is np.subtract and graph.steps[k].references[0] == source
                and graph.steps[k].value.shape == value.shape and np.allclose(graph.steps[k].value, value)
            )
    return centred, (centred,)


def wrong_norms(graph, norm):
    """Yield the wrong backwards of a norm."""
    has_mean = norm.x not in norm.centred
    n, r, over = norm.normal, 1 / norm.deviation, norm.axes
    step = graph.steps[norm.centred[0]]

    def mean(x, axes=over):
        return x.mean(axes, keepdims=True) if has_mean else np.zeros(x.shape)

    def extra(now, rule):
        # Of the gradient of the normalised what comes from behind, without the way by the variance.
        by_variance = sum(
            part for s, part in enumerate(graph.steps[norm.square].pull(now[norm.square]))
            if graph.steps[norm.square].flowing[s]
        )
        d = (sum(now[k] for k in norm.centred) - by_variance) / r
        return rule(d) - r * (d - mean(d) - n * (d * n).sum(over, keepdims=True) / norm.count)

    x = graph.steps[norm.x].value
    for key, label, cost, words, rule in norm_mistakes(norm, n, r, mean, x):
        yield Mutation(
            ("norm", norm.centred, key), label, cost,
            [Change(norm.centred[0], norm.x, lambda g, now, rule=rule: extra(now, rule))],
            f"the way back through the norm {words}", step.line, "the norm",
        )


def norm_mistakes(norm, n, r, mean, x):
    """Yield wrong rules of a norm: key, label, cost, words and rule."""
    over, value = norm.axes, n * norm.deviation
    count = int(np.prod([n.shape[a] for a in over]))

    def averaged(d, axes=over):
        return d.mean(axes, keepdims=True) * (count / norm.count)

    def second(d, axes=over, by=averaged, times=n):
        return times * by(d * times, axes)

    def summed(d, axes=over):
        return d.sum(axes, keepdims=True)

    yield from (
        ("constants", Label.MISSING_TERM, 19.7, "takes mean and deviation for constants, and both depend "
         "on the inputs", lambda d: r * d),
        ("sums", Label.AVERAGED, 21.9, "sums where it has to average",
         lambda d: r * (d - count * mean(d) - second(d, by=summed))),
        ("variance", Label.WRONG_FUNCTION, 22.2, "divides by the variance, not by its root",
         lambda d: r * r * (d - mean(d) - second(d))),
        ("no deviation", Label.MISSING_FACTOR, 22.2, "does not divide by the deviation",
         lambda d: d - mean(d) - second(d)),
        ("not scaled", Label.MISSING_FACTOR, 22, "takes the centred values for the normalised ones",
         lambda d: r * (d - mean(d) - second(d, times=value))),
        ("not scaled once", Label.MISSING_FACTOR, 22.1, "takes the centred values for the normalised",
         lambda d: r * (d - mean(d) - value * averaged(d * n))),
        ("sum of variance", Label.AVERAGED, 22, "sums d * n where it has to average",
         lambda d: r * (d - mean(d) - second(d, by=summed))),
        ("sum of mean", Label.AVERAGED, 22, "sums d where it has to average",
         lambda d: r * (d - count * mean(d) - second(d))),
        ("not normal", Label.MISSING_FACTOR, 22.2, "does not multiply the mean of d * n by the "
         "normalised values n", lambda d: r * (d - mean(d) - averaged(d * n))),
        ("mean for inner", Label.MISSING_FACTOR, 22.2, "takes the mean of d for that of d * n",
         lambda d: r * (d - mean(d) - n * averaged(d))),
        ("times deviation", Label.WRONG_FUNCTION, 21.8, "multiplies by the deviation, and has to divide",
         lambda d: (d - mean(d) - second(d)) / r),
        ("not averaged", Label.NOT_SUMMED, 22.5, "leaves out the mean of d * n",
         lambda d: r * (d - mean(d) - n * d * n)),
        ("twice", Label.EXTRA_TERM, 22.6, "counts that by the variance twice",
         lambda d: r * (d - mean(d) - 2 * second(d))),
        ("not scaled at all", Label.MISSING_FACTOR, 22.3, "does not divide the two terms of mean and "
         "variance by the deviation", lambda d: r * d - mean(d) - second(d)),
    )
    for key, a, b in (("raw inside", x, n), ("raw outside", n, x), ("raw", x, x)):
        yield (
            key, Label.WRONG_FUNCTION, 22.1, "takes what is normalised before that for the normalised "
            "values", lambda d, a=a, b=b: r * (d - mean(d) - b * averaged(d * a))
        )
    if count != norm.count:
        yield (
            "count", Label.CONSTANT_FACTOR, 21.9, f"divides by {count}, where the variance divides by "
            f"{norm.count:g}", lambda d: r * (d - mean(d) - second(d) * (norm.count / count))
        )
    yield from over_other_axes(norm, n, r, mean, second)


def over_other_axes(norm, n, r, mean, second):
    """Yield rules of a norm that average over other axes: key, label, cost, words and rule."""
    over = norm.axes
    for length in range(1, n.ndim + 1):
        for axes in itertools.combinations(range(n.ndim), length):
            if axes != over:
                yield from (
                    (("axes", axes), Label.SUMMED, 21.8, f"averages over {axes}, where it should over "
                     f"{over}", lambda d, a=axes: r * (d - mean(d, a) - second(d, a))),
                    (("sum over", axes), Label.SUMMED, 22.3, f"sums d * n over {axes}, not over {over}",
                     lambda d, a=axes:
                     r * (d - mean(d) - n * (d * n).sum(a, keepdims=True) / norm.count)),
                    (("axes of mean", axes), Label.SUMMED, 22.4, f"takes the first mean over {axes}, not "
                     f"over {over}", lambda d, a=axes: r * (d - mean(d, a) - second(d))),
                    (("axes of variance", axes), Label.SUMMED, 22.4, f"takes the second mean over "
                     f"{axes}, not over {over}", lambda d, a=axes: r * (d - mean(d) - second(d, a))),
                )
