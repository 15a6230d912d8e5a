"""All ways in which one place of a backward may be meant."""

from tinygrad_relu.gradcheck.diagnosis.repair.arrangements import of_arrangement, rearranged
from tinygrad_relu.gradcheck.diagnosis.repair.calls import (
    minus_removed,
    of_axes,
    of_einsum,
    of_function,
    of_numbers,
    of_numbers_at_hand,
)
from tinygrad_relu.gradcheck.diagnosis.repair.indices import of_addition, of_key, of_other_arrays
from tinygrad_relu.gradcheck.diagnosis.repair.operands import of_operand, other_operand
from tinygrad_relu.gradcheck.diagnosis.repair.results import (
    of_result,
    of_rounds,
    of_sums,
    with_a_matrix,
    with_a_value,
)
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import COMPARISONS, plainly


def small_rewrites(written, place):
    """Yield the ways in which one place of a backward may be meant, with nothing else put there.

    Parameters
    ----------
    written : Written
    place : tuple of int
    """
    step = written.steps[place[0]]
    yield from of_function(written, place)
    yield from of_numbers(written, place)
    yield from of_numbers_at_hand(written, place)
    yield from of_axes(written, place)
    yield from of_einsum(written, place)
    yield from of_arrangement(written, place)
    yield from of_key(step)
    yield from of_other_arrays(written, place)
    yield from of_addition(written, place)
    yield from minus_removed(written, place)
    for path in step.paths:
        yield from of_operand(written, place, path)
        if step.function in COMPARISONS:
            yield from other_operand(written, place, path)
    if step.value.dtype.kind == "f":
        yield from of_result(written, place)
        yield from of_rounds(written, place)
        yield from of_sums(written, place)
        yield from rearranged(
            step.value, lambda rule: lambda w, k, x: rule(plainly(w, k, x)), "its result"
        )


def rewrites_by_values(written, place):
    """Yield the place with one of the values that are at hand put in, or multiplied in, or added."""
    step = written.steps[place[0]]
    for path in step.paths:
        yield from other_operand(written, place, path)
    if step.value.dtype.kind == "f":
        yield from with_a_value(written, place)
        yield from with_a_matrix(written, place)
