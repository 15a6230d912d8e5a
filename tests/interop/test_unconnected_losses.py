"""Losses that the parameters do not reach."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import GraphError


def test_a_loss_that_does_not_depend_on_the_parameters_is_refused():
    pytest.importorskip("scipy", reason="SciPy is not installed")
    with pytest.raises(GraphError, match="does not depend on the parameters"):
        tg.interop.scipy_minimize(lambda p: ((p.detach() - 1) ** 2).sum(), np.zeros(2))
