"""Products: against NumPy and against differences."""

import itertools

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, ShapeError

EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ii", (3, 3)), ("ii->i", (3, 3)),
    ("iij->ji", (3, 3, 2)), ("...ij,...jk->...ik", (5, 2, 3), (3, 4)), ("...ij,...jk", (2, 2, 3), (3, 4)),
    ("bij,bjk,bkl->bil", (2, 2, 3), (2, 3, 2), (2, 2, 4)), ("i,j->ij", (2,), (3,)), ("i,i->", (3,), (3,)),
    ("ij->", (2, 3)), ("ij->ji", (2, 3)), ("ba", (2, 3)), ("i,ij,j", (2,), (2, 3), (3,)),
    ("bi,bj->bij", (4, 2), (4, 3)), ("bi,bi->b", (4, 2), (4, 2)), ("i j , j -> i", (2, 3), (3,)),
    ("ij,jk->ik", (2, 1), (3, 4)), ("ij,jk->ik", (1, 3), (3, 4)), ("...,...->...", (2, 3), (3,)),
    ("a...b->b...a", (2, 4, 3)), ("ij,kl,mn->ikm", (2, 3), (2, 2), (3, 2)), ("iji,j->i", (2, 3, 2), (3,)),
    ("ab,ab,ab->a", (2, 3), (2, 3), (2, 3)), ("i,i,i,i->", (2,), (2,), (2,), (2,)),
    ("ij,k->k", (2, 2), (3,)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 2, 2)), ("i...->...", (3, 4)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(e, s) for e, *s in EQUATIONS])
def test_einsum_is_numpys_and_differentiable(equation, shapes, rng):
    arrays = [rng.standard_normal(shape) for shape in shapes]
    result = tg.einsum(equation, *[tg.tensor(x) for x in arrays]).numpy()
    np.testing.assert_allclose(result, np.einsum(equation, *arrays), rtol=1e-12, atol=1e-13)
    inputs = [tg.tensor(x, requires_grad=True) for x in arrays]
    assert tg.gradcheck(lambda *x: tg.einsum(equation, *x), inputs)
    assert tg.gradgradcheck(lambda *x: tg.einsum(equation, *x), inputs)


def test_einsum_takes_long_chains_of_integers_and_a_list():
    x = np.arange(4).reshape(2, 2)
    assert tg.einsum("ij,jk->ik", [x, x]).tolist() == (x @ x).tolist()
    assert tg.einsum("ij,jk->ik", x, x).dtype == np.int64


PRODUCTS = {
    "dot": (tg.dot, np.dot, (3,), (3,)), "mv": (tg.mv, np.dot, (2, 3), (3,)),
    "mm": (tg.mm, np.matmul, (2, 3), (3, 4)), "bmm": (tg.bmm, np.matmul, (5, 2, 3), (5, 3, 2)),
    "outer": (tg.outer, np.outer, (2,), (3,)), "ger": (tg.ger, np.outer, (2,), (3,)),
    "inner": (tg.inner, np.inner, (2, 3), (2, 4, 3)), "inner of one": (tg.inner, np.inner, (), (2, 3)),
    "kron": (tg.kron, np.kron, (2, 3), (3, 2)), "kron of more": (tg.kron, np.kron, (2, 2, 1), (3,)),
    "cross": (tg.linalg.cross, np.cross, (4, 3), (4, 3)),
    "cross along the first": (
        tg.cross, lambda a, b: np.cross(a, b, axis=1), (2, 3, 4), (2, 3, 4)
    ),
    "cross along": (
        lambda a, b: tg.linalg.cross(a, b, dim=0), lambda a, b: np.cross(a, b, axis=0), (3, 2), (3, 1)
    ),
    "vecdot": (tg.vecdot, np.vecdot, (4, 3), (3,)),
    "vecdot along": (
        lambda a, b: tg.linalg.vecdot(a, b, dim=0), lambda a, b: (a * b).sum(0), (4, 3), (4, 1)
    ),
    "tensordot": (tg.tensordot, np.tensordot, (2, 3, 4), (3, 4, 2)),
    "tensordot of none": (
        lambda a, b: tg.tensordot(a, b, dims=0), lambda a, b: np.tensordot(a, b, 0), (2,), (3,)
    ),
    "tensordot along": (
        lambda a, b: tg.tensordot(a, b, ([1, 0], [0, 2])),
        lambda a, b: np.tensordot(a, b, ([1, 0], [0, 2])), (2, 3, 4), (3, 5, 2),
    ),
    "multi_dot": (
        lambda a, b: tg.linalg.multi_dot([a, b, a, b]),
        lambda a, b: np.linalg.multi_dot([a, b, a, b]), (2, 3), (3, 2),
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_numpys_and_differentiable(name, rng):
    ours, theirs, *shapes = PRODUCTS[name]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    result = ours(*[tg.tensor(x) for x in arrays]).numpy()
    np.testing.assert_allclose(result, theirs(*arrays), rtol=1e-12, atol=1e-13)
    inputs = [tg.tensor(x, requires_grad=True) for x in arrays]
    assert tg.gradcheck(ours, inputs)
    assert tg.gradgradcheck(ours, inputs)


def test_multi_dot_takes_the_cheapest_order(rng):
    sizes = [3, 30, 2, 40, 1]
    chain = [rng.standard_normal(shape) for shape in itertools.pairwise(sizes)]
    expected = np.linalg.multi_dot(chain)
    y = tg.linalg.multi_dot([tg.tensor(x, requires_grad=True) for x in chain])
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-11)
    # 3 x 30 times (30 x 2 times (2 x 40 times 40 x 1)): the last product of all has the smallest factor.
    left, right = y.grad_fn.saved_values
    assert left.shape == (3, 30) and right.shape == (30, 1)
    sizes = [2, 40, 3, 4, 5]       # from the left: 2 x 40 x 3, then 2 x 3 x 4, then 2 x 4 x 5
    chain = [tg.tensor(np.ones(shape), requires_grad=True) for shape in itertools.pairwise(sizes)]
    left, right = tg.linalg.multi_dot(chain).grad_fn.saved_values
    assert left.shape == (2, 4) and right.shape == (4, 5)
    ends = tg.linalg.multi_dot([tg.ones(2), tg.ones(2, 3), tg.ones(3)])
    assert ends.shape == () and ends.item() == 6


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.dot(tg.ones(2, 2), tg.ones(2)), ShapeError, r"dot: a has shape \(2, 2\): it needs 1"),
        (lambda: tg.dot(tg.ones(2), tg.ones(1)), ShapeError, "dot: a of shape"),
        (lambda: tg.mm(tg.ones(2, 3), tg.ones(2, 3)), ShapeError, "mm: a of shape"),
        (lambda: tg.bmm(tg.ones(1, 2, 3), tg.ones(4, 3, 2)), ShapeError, "bmm: a of shape"),
        (lambda: tg.inner(tg.ones(2), tg.ones(3)), ShapeError, "inner: a of shape"),
        (lambda: tg.vecdot(tg.ones(2), tg.ones(1)), ShapeError, "vecdot: a of shape"),
        (lambda: tg.linalg.cross(tg.ones(2), tg.ones(2)), ShapeError, "it needs 3"),
        (lambda: tg.cross(tg.ones(2), tg.ones(2)), ShapeError, "no axis of length 3"),
        (lambda: tg.tensordot(tg.ones(2), tg.ones(2), 2), ShapeError, "tensordot: shapes"),
        (lambda: tg.tensordot(tg.ones(2, 2), tg.ones(2, 2), ([0, 0], [0, 1])), ShapeError, "twice"),
        (lambda: tg.linalg.multi_dot([tg.ones(2, 2)]), ArgumentError, "two matrices"),
        (lambda: tg.linalg.multi_dot([tg.ones(2, 2), tg.ones(2), tg.ones(2, 2)]), ShapeError, "tensor 1"),
        (lambda: tg.einsum("ij,jk", tg.ones(2, 2)), ArgumentError, "for 2 operands, got 1"),
        (lambda: tg.einsum("ij->ijj", tg.ones(2, 2)), ArgumentError, "twice in the result"),
        (lambda: tg.einsum("ij->k", tg.ones(2, 2)), ArgumentError, "a letter that no operand has"),
        (lambda: tg.einsum("i,i", tg.ones(2), tg.ones(3)), ShapeError, "'i' stands for the lengths"),
        (lambda: tg.einsum("ii", tg.ones(2, 3)), ShapeError, "'i' stands for lengths"),
        (lambda: tg.einsum("i", tg.ones(2, 3)), ShapeError, "'i' is for 1 axes"),
        (lambda: tg.einsum("i$", tg.ones(2, 3)), ArgumentError, "is not letters"),
        (lambda: tg.einsum(tg.ones(2)), ArgumentError, "equation first"),
    ],
)
def test_what_people_get_wrong_raises_with_the_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
