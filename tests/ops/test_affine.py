"""Products added to a tensor, by NumPy; derivatives by differences."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ShapeError

# Ours, the shapes of what it takes, and the product by NumPy.
KINDS = {
    "addmm": ((2, 4), (2, 3), (3, 4), lambda a, b: a @ b),
    "addmv": ((2,), (2, 3), (3,), lambda a, b: a @ b),
    "addr": ((2, 3), (2,), (3,), np.outer),
    "baddbmm": ((2, 3, 1), (2, 3, 4), (2, 4, 1), lambda a, b: a @ b),
    "addbmm": ((3, 1), (2, 3, 4), (2, 4, 1), lambda a, b: (a @ b).sum(0)),
}


@pytest.mark.parametrize("name", KINDS)
def test_values_are_numpys_and_derivatives_right(name, rng):
    *shapes, product = KINDS[name]
    function = getattr(tg, name)
    x, a, b = (rng.standard_normal(shape) for shape in shapes)
    np.testing.assert_allclose(function(x, a, b).numpy(), x + product(a, b))
    scaled = getattr(tg.tensor(x), name)(a, b, beta=2, alpha=-0.5)
    np.testing.assert_allclose(scaled.numpy(), 2 * x - 0.5 * product(a, b))
    inputs = [tg.tensor(value, requires_grad=True) for value in (x, a, b)]
    assert tg.gradcheck(lambda *t: function(*t, beta=2, alpha=3), inputs)
    assert tg.gradgradcheck(lambda *t: function(*t, beta=2, alpha=3), inputs)


def test_a_beta_of_zero_leaves_out_even_nan():
    x = tg.full((1, 1), float("nan"))
    assert tg.addmm(x, tg.ones(1, 2), tg.ones(2, 1), beta=0).tolist() == [[2]]
    assert np.isnan(tg.addmm(x, tg.ones(1, 2), tg.ones(2, 1)).numpy()).all()


def test_what_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"addmm: x has shape \(3,\), and the product .*\(1, 2\)"):
        tg.addmm(tg.ones(3), tg.ones(1, 4), tg.ones(4, 2))
    with pytest.raises(ShapeError, match="addmv: b has shape"):
        tg.addmv(tg.ones(1), tg.ones(1, 4), tg.ones(4, 2))
    with pytest.raises(ShapeError, match="addmm: x has shape"):     # it would make the product larger
        tg.addmm(tg.ones(5, 1, 2), tg.ones(1, 4), tg.ones(4, 2))
