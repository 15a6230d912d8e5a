"""What rounding hides, and what it does not: small slopes beside large ones, and functions in stairs."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.report import Verdict


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (5.0, False)])
def test_a_result_that_depends_on_one_element_alone_has_its_own_noise(factor, ok):
    c = np.array([1e-12, 1.0, 1.0, 1.0])
    at_first = np.array([factor, 1.0, 1.0, 1.0])
    assert tg.check_gradients(lambda x: c * x, [np.ones(4)], lambda d, x: d * c * at_first).ok == ok


@pytest.mark.parametrize("size", [1e-14, 1e-12])
@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (7.0, False)])
def test_a_straight_function_shows_small_slopes_far_away(size, factor, ok):
    report = tg.check_gradients(
        lambda x, s: x + size * s, [np.ones(4)] * 2, lambda d, x, s: (d, factor * size * d)
    )
    assert report.ok == ok, report


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (1.001, False)])
def test_steps_beyond_the_scale_where_that_is_small(factor, ok):
    x = np.array([1.0, -0.5, 0.3]) * 1e-10
    assert tg.check_gradients(np.exp, [x], lambda d, x: factor * d * np.exp(x)).ok == ok


def test_an_input_of_which_nothing_can_be_told_is_no_yes():
    report = tg.check_gradients(
        lambda x, s: x + 1e-17 * np.sin(s), [np.ones(4)] * 2,
        lambda d, x, s: (d, 3e-17 * d * np.cos(s)),
    )
    assert report.inputs[0].verdict is Verdict.RIGHT
    assert report.ok == (report.inputs[1].verdict is not Verdict.CANNOT_TELL)
    hidden = tg.check_gradients(
        lambda x, s: x + 1e-13 * np.sin(s), [np.ones(4)] * 2,
        lambda d, x, s: (d, 3e-13 * d * np.cos(s)),
    )
    assert not hidden.ok, hidden
