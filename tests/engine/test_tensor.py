"""What a Tensor is, holds and answers."""

import copy
import pickle
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    GraphError,
    IndexingError,
    MutationError,
    ShapeError,
    TensorError,
)

# --------------------------------------------------------------------------------------- making


def test_dtypes_are_numpys():
    assert tg.tensor([1.0, 2.0]).dtype == np.float64
    assert tg.tensor([1, 2]).dtype == np.int64
    assert tg.tensor([True]).dtype == np.bool_
    assert tg.tensor(np.ones(2, np.float32)).dtype == np.float32
    assert tg.tensor([1, 2], dtype=tg.float32).dtype == np.float32
    assert tg.tensor(2.5).shape == ()


def test_python_scalars_are_weak_and_arrays_are_not():
    x = tg.tensor(np.ones(3, np.float32))
    for y in (x * 2, 2.0 * x, x + 1, x / 3.0, x**2, 1 - x, tg.maximum(x, 0.5), tg.where(x > 0, x, 0.0)):
        assert y.dtype == np.float32
    assert (x * np.ones(3)).dtype == np.float64
    assert (x * np.float64(2)).dtype == np.float64
    assert (tg.tensor([1, 2]) / 2).dtype == np.float64
    assert (tg.tensor([1, 2]) * 2).dtype == np.int64


def test_tensor_copies_and_asarray_shares():
    array = np.zeros(3)
    copied, shared, also = tg.tensor(array), tg.asarray(array), tg.from_numpy(array)
    array[0] = 1
    assert copied.tolist() == [0, 0, 0]
    assert shared.tolist() == also.tolist() == [1, 0, 0]
    assert shared.numpy() is array
    assert tg.asarray(shared) is shared
    with pytest.raises(ArgumentError, match="list"):
        tg.from_numpy([1.0])


def test_default_dtype_can_be_changed():
    try:
        tg.set_default_dtype(tg.float32)
        assert tg.zeros(2).dtype == tg.randn(2).dtype == np.float32
        assert tg.tensor(np.ones(1)).dtype == np.float64        # data keeps what it comes with
        assert tg.tensor([1.0]).dtype == np.float32     # of which Python's floats have none
    finally:
        tg.set_default_dtype(tg.float64)
    with pytest.raises(DTypeError):
        tg.set_default_dtype(tg.int64)


def test_creation_functions():
    assert tg.zeros(2, 3).shape == tg.ones((2, 3)).shape == tg.full((2, 3), 7.0).shape == (2, 3)
    assert tg.arange(2, 8, 2).tolist() == [2, 4, 6]
    assert tg.eye(2).tolist() == [[1, 0], [0, 1]]
    assert tg.linspace(0, 1, 3).tolist() == [0, 0.5, 1]
    assert tg.ones_like(tg.zeros(2, dtype=tg.float32)).dtype == np.float32
    assert sorted(tg.randperm(5).tolist()) == [0, 1, 2, 3, 4]
    a, b = (tg.randn(4, generator=np.random.default_rng(3)) for _ in range(2))
    assert a.tolist() == b.tolist()
    tg.manual_seed(5)
    first = tg.rand(3).tolist()
    tg.manual_seed(5)
    assert tg.rand(3).tolist() == first
    with pytest.raises(ArgumentError, match="whole numbers"):
        tg.zeros(2.5)


@pytest.mark.parametrize("data", [["a"], [1j], [object()], np.array(["2020"], "M8[D]")])
def test_data_that_cannot_be_computed_with(data):
    with pytest.raises(DTypeError):
        tg.tensor(data)


def test_ragged_lists():
    with pytest.raises(ValueError):
        tg.tensor([[1.0], [1.0, 2.0]])


def test_integers_cannot_require_a_gradient():
    with pytest.raises(DTypeError, match="dtype=float64"):
        tg.tensor([1, 2], requires_grad=True)
    x = tg.tensor([1, 2])
    with pytest.raises(TypeError):
        x.requires_grad = True
    assert not x.requires_grad


# --------------------------------------------------------------------------------- what it answers


def test_attributes():
    x = tg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x * 2
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
    assert x.is_leaf and x.grad_fn is None and x.grad is None
    assert not y.is_leaf and y.requires_grad and y.grad_fn.name == "multiply"
    assert y.grad_fn.next_functions == (x, None)
    assert x.T.shape == x.mT.shape == (3, 2)
    assert tg.zeros(2, 3, 4).T.shape == (4, 3, 2) and tg.zeros(2, 3, 4).mT.shape == (2, 4, 3)


def test_detach_shares_memory_outside_of_the_graph():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    z = x.detach()
    z[0] = 5.0
    assert x.tolist() == [5.0, 2.0]
    assert x.data.tolist() == [5.0, 2.0]


def test_numpy_does_not_detach_silently():
    x = tg.tensor([1.0], requires_grad=True)
    for leave in (x.numpy, lambda: np.asarray(x), lambda: (x * 2).numpy()):
        with pytest.raises((GraphError, TypeError)):
            leave()
    assert np.asarray(x.detach()).tolist() == [1.0]


def test_numpys_functions_are_recorded_or_refused():
    x, array = tg.tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0])
    y = np.exp(x) + np.maximum(array, x) + np.float64(2) * x + array**x + divmod(array, x)[1]
    expected = np.exp([1, 2]) + array + [2, 4] + array ** [1, 2] + [0, 0]
    np.testing.assert_allclose(y.detach().numpy(), expected)
    assert y.requires_grad
    for refused in (
        lambda: np.spacing(x), lambda: np.add.accumulate(x), lambda: np.add(x, 1.0, where=[True, False]),
        lambda: np.add(array, x, out=array), lambda: np.multiply.outer(x, x),
    ):
        with pytest.raises(ArgumentError, match="no op for it that could be recorded"):
            refused()
    with pytest.raises(ArgumentError):
        array += x
    assert array.tolist() == [3, 4]


def test_item_bool_float_int_index():
    assert tg.tensor([[2.5]]).item() == 2.5 == float(tg.tensor(2.5))
    assert int(tg.tensor(3)) == 3 and [10, 20][tg.tensor(1)] == 20
    assert bool(tg.tensor([1.0])) and not bool(tg.tensor(0))
    with pytest.raises(ShapeError, match="2 elements"):
        tg.tensor([1.0, 2.0]).item()
    with pytest.raises(ValueError, match="any"):
        bool(tg.tensor([1.0, 2.0]))
    with pytest.raises(ArgumentError):
        [1, 2][tg.tensor(1.0)]


def test_iteration_and_unpacking():
    a, b = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert a.tolist() == [1, 2] and b.tolist() == [3, 4] and a.requires_grad
    with pytest.raises(TypeError):
        iter(tg.tensor(1.0))
    with pytest.raises(TypeError):
        len(tg.tensor(1.0))


def test_repr_shows_values_dtype_and_state():
    x = tg.tensor([1.0, 2.5], requires_grad=True)
    assert repr(x) == "tensor([1. , 2.5], dtype=float64, requires_grad=True)"
    assert repr(x.exp().sum()).endswith("dtype=float64, grad_fn=<sum>)")
    assert repr(tg.tensor(np.float32(1))) == "tensor(1., dtype=float32)"
    assert "..." in repr(tg.zeros(1000))
    assert f"{tg.tensor(1.5):.3f}" == "1.500"
    assert "relu" in repr(x.relu().grad_fn) and "op relu" in repr(tg.relu)


def test_hash_is_by_identity_and_equality_is_elementwise():
    x, y = tg.tensor([1.0]), tg.tensor([1.0])
    assert len({x, y, x}) == 2
    assert (x == y).tolist() == [True] and (x != y).tolist() == [False]


def test_weak_references_and_copies():
    x = tg.tensor([1.0], requires_grad=True)
    reference = weakref.ref(x)
    assert reference() is x
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.copy(x)):
        assert twin.tolist() == [1.0] and twin.requires_grad and twin is not x
    with pytest.raises(GraphError):
        pickle.dumps(x * 2)
    assert pickle.loads(pickle.dumps(tg.relu)) is tg.relu
    del x
    assert reference() is None


# --------------------------------------------------------------------------------------- operators

BINARY = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b,
    lambda a, b: a // b, lambda a, b: a % b, lambda a, b: a**b, lambda a, b: a < b,
    lambda a, b: a <= b, lambda a, b: a == b, lambda a, b: a != b, lambda a, b: a > b,
    lambda a, b: a >= b, lambda a, b: divmod(a, b)[0],
]


@pytest.mark.parametrize("operator", BINARY)
@pytest.mark.parametrize("other", [2, 0.5, np.float64(3.0), np.array([1.0, 2.0, 3.0]), [1.0, 4.0, 2.0]])
def test_operators_both_ways_round_with_anything(operator, other):
    array = np.array([1.5, 2.0, 0.25])
    x = tg.tensor(array)
    plain = np.asarray(other) if isinstance(other, list) else other
    for ours, theirs in (
        (operator(x, other), operator(array, plain)), (operator(other, x), operator(plain, array)),
    ):
        assert isinstance(ours, tg.Tensor)
        np.testing.assert_array_equal(ours.numpy(), theirs)
        assert ours.dtype == theirs.dtype


def test_matmul_unary_and_bitwise_operators():
    a, x = np.arange(6.0).reshape(2, 3), tg.tensor(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal((a @ x).numpy(), a @ x.numpy())
    np.testing.assert_array_equal((x @ a).numpy(), x.numpy() @ a)
    assert (-x).tolist() == (-x.numpy()).tolist() and (+x) is x
    assert abs(tg.tensor([-1.0])).tolist() == [1.0]
    p, q = tg.tensor([True, True, False]), tg.tensor([True, False, False])
    assert (p & q).tolist() == [True, False, False] and (p | q).tolist() == [True, True, False]
    assert (p ^ q).tolist() == [False, True, False] and (~p).tolist() == [False, False, True]
    assert (tg.tensor([5]) & 4).tolist() == [4] and (4 | tg.tensor([1])).tolist() == [5]


def test_operators_leave_strangers_to_themselves():
    class Stranger:
        def __radd__(self, other):
            return "mine"

    assert tg.tensor([1.0]) + Stranger() == "mine"
    with pytest.raises(TypeError):
        tg.tensor([1.0]) + object()


# ---------------------------------------------------------------------------------------- indexing

KEYS = [
    np.array(1), np.array(True), np.zeros((3, 4), bool), np.array(1, np.int8),
    0, -1, slice(1, 3), slice(None, None, -2), (1, 2), (slice(None), 1), (Ellipsis, 0), None,
    (None, 1, None), np.array([0, 2, 0]), [2, 1], (np.array([0, 1]), np.array([1, 3])),
    np.array([True, False, True]), (np.array([0, 2]), slice(1, 3)), tg.tensor([1, 1]),
    (slice(None), tg.tensor([0, 0])), (), (Ellipsis, np.array([[0], [1]])), tg.tensor([False] * 3), [],
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_every_index_reads_as_numpy_and_has_its_gradient(key):
    array = np.arange(12.0).reshape(3, 4)
    x = tg.tensor(array, requires_grad=True)
    plain = key.numpy() if isinstance(key, tg.Tensor) else key
    if isinstance(key, tuple):
        plain = tuple(k.numpy() if isinstance(k, tg.Tensor) else k for k in key)
    if isinstance(key, list) and not key:
        plain = np.array([], int)
    y = x[key]
    np.testing.assert_array_equal(y.detach().numpy(), array[plain])
    weight = np.arange(1.0, y.size + 1).reshape(y.shape)
    (y * weight).sum().backward()
    expected = np.zeros((3, 4))
    np.add.at(expected, plain, weight)
    np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_an_index_is_copied_so_that_changing_it_later_changes_nothing():
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    key = np.array([0, 0])
    y = x[key].sum()
    key[:] = 2
    y.backward()
    assert x.grad.tolist() == [2, 0, 0]


def test_wrong_indices():
    x = tg.zeros(2, 3)
    for key in (2, (0, 5), (0, 0, 0), np.array([7])):
        with pytest.raises(IndexingError, match=r"index.*\(2, 3\)"):
            x[key]
    with pytest.raises(IndexError):
        x["a"]


# ----------------------------------------------------------------------- changes in place, versions


def test_in_place_operators_without_recording():
    x = tg.tensor([1.0, 2.0])
    same = x
    x += 1
    x *= np.array([2.0, 3.0])
    x -= 1
    x /= 2
    assert same is x and x.tolist() == [1.5, 4.0]
    x **= 2
    x //= 2
    x %= 3
    assert same is x and x.tolist() == [1.0, 2.0]
    p = same_p = tg.tensor([True, False])
    p |= True
    p &= tg.tensor([True, False])
    p ^= True
    assert p is same_p and p.tolist() == [False, True]
    x[0] = 9
    assert x.tolist() == [9, 2]
    with pytest.raises(DTypeError):
        i = tg.tensor([1, 2])
        i += 0.5
    with pytest.raises(ShapeError):
        x += np.ones((3, 2))
    assert x.tolist() == [9, 2]


def test_adding_up_a_loss_in_place_is_recorded():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    total = tg.zeros(())
    total += (x * x).sum()
    total += x.sum()
    total.backward()
    assert x.grad.tolist() == [3, 5]


def test_a_leaf_is_not_changed_in_place_while_recording():
    w = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="no_grad"):
        w += 1
    with pytest.raises(GraphError, match="no_grad"):
        w[0] = 1
    assert w.tolist() == [1.0]
    with tg.no_grad():
        w += 1
        w[...] = w * 2
    assert w.tolist() == [4.0] and w.requires_grad and w.is_leaf


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.__setitem__(0, 5.0), lambda w: w.__imul__(2), lambda w: w.detach().__iadd__(1),
        lambda w: w.detach()[:1].__iadd__(1), lambda w: w.reshape(2, 1).__imul__(3),
        lambda w: w.mT.__imul__(3) if w.ndim > 1 else w.T.__imul__(3),
        lambda w: setattr(w, "data", tg.tensor([7.0, 7.0])),
    ],
)
def test_a_saved_input_that_was_changed_raises(change):
    x, w = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([3.0, 4.0])
    y = (x * w).sum()
    with tg.no_grad():
        change(w)
    with pytest.raises(MutationError, match=r"multiply.*in place"):
        y.backward()
    assert x.grad is None


def test_a_saved_output_that_was_changed_raises():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    z = y.sum()
    with tg.no_grad():
        y += 1
    with pytest.raises(MutationError, match="exp: its result"):
        z.backward()


def test_a_changed_value_that_no_rule_needs_does_not_raise():
    x, w = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([3.0, 4.0])
    y = (x + w).sum()
    w += 1
    y.backward()
    assert x.grad.tolist() == [1, 1]


def test_what_is_assigned_to_data_is_not_shared():
    x, a, b = tg.tensor([1.0, 2.0], requires_grad=True), tg.zeros(2), tg.tensor([5.0, 5.0])
    a.data = b
    y = (x * a).sum()
    b += 1
    y.backward()
    assert x.grad.tolist() == [5, 5]


def test_an_optimizer_step_between_forward_and_backward_is_found():
    w = tg.tensor([1.0], requires_grad=True)
    first, second = (w * w).sum(), (w * w).sum()
    optimizer = tg.optim.SGD([w], lr=0.1)
    first.backward()
    optimizer.step()
    with pytest.raises(MutationError):
        second.backward()


def test_the_users_own_arrays_are_copied_when_they_are_saved():
    x, batch = tg.tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0])
    y = (x * batch).sum()
    batch[:] = 0
    y.backward()
    assert x.grad.tolist() == [3, 4]


def test_data_and_grad_can_be_set():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    w.data = [5.0, 6.0]
    assert w.tolist() == [5, 6]
    w.grad = tg.ones(2)
    w.grad = None
    for wrong in (tg.ones(3), tg.ones(2, dtype=tg.float32), [1.0, 2.0]):
        with pytest.raises(TensorError):
            w.grad = wrong
    with pytest.raises(ShapeError):
        w.data = np.zeros(3)
    assert w.grad is None and w.tolist() == [5, 6]


# ------------------------------------------------------------------------------- calls that misfit


def test_calls_that_do_not_fit_the_signature():
    x = tg.zeros(2, 3)
    for call, words in [
        (lambda: tg.relu(x, in_place=True), r"relu: unknown keyword 'in_place'.*relu\(x, \*, slope"),
        (lambda: tg.relu(), "relu: x is missing"),
        (lambda: tg.relu(x, 1, 2), "relu: 3 arguments are too many"),
        (lambda: x.sum(0, axis=1), "given twice"),
        (lambda: tg.add(x), "add: b is missing"),
        (lambda: tg.add(x, None), "b is None"),
        (lambda: tg.matmul(x, b=None), "unknown keyword|None"),
        (lambda: tg.transpose(x, 0), "axis2 is missing"),
        (lambda: x.mean(axes=1), "mean: unknown keyword 'axes'"),
        (lambda: tg.softmax(x), "softmax: axis is missing"),
        (lambda: tg.cat([]), "at least one"),
        (lambda: x.sum(dim=0, axis=1), "sum: axis is given twice"),
        (lambda: x.mean(dim=0, axis=1), "mean: axis is given twice"),
        (lambda: tg.cat([x, x], 1.5), "cat: axis is 1.5"),
        (lambda: tg.rand(2, generator=5), "rand: "),
        (lambda: tg.tensor([1.0], layout="rows"), "tensor: unknown keyword 'layout'"),
        (lambda: tg.tensor(), "tensor: missing"),
        (lambda: tg.zeros(2, gradient=True), "zeros: unknown keyword"),
        (lambda: tg.nn.Linear(2, 3, biases=False), r"Linear: unknown keyword 'biases'"),
        (lambda: tg.optim.SGD([x], rate=0.1), "SGD: unknown keyword 'rate'"),
        (lambda: tg.gradcheck(tg.exp, x, tolerance=1), "gradcheck: unknown keyword"),
        (lambda: x.sum().backward(keep_graph=True), "backward: unknown keyword keep_graph"),
        (lambda: tg.autograd.grad(x, x, keep=True), "grad: unknown keyword"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


def test_shapes_and_dtypes_that_do_not_fit_are_named():
    a, b = tg.zeros(2, 3), tg.zeros(4)
    with pytest.raises(ShapeError, match=r"add: .*a of shape \(2, 3\), b of shape \(4,\)"):
        a + b
    with pytest.raises(ShapeError, match=r"matmul.*\(2, 3\).*\(2, 3\)"):
        a @ a
    with pytest.raises(ShapeError, match=r"reshape.*\(5,\)"):
        a.reshape(5)
    with pytest.raises(ShapeError, match=r"linear.*weight of shape \(4, 2\)"):
        tg.linear(a, tg.zeros(4, 2))
    with pytest.raises(ShapeError, match="bias"):
        tg.linear(a, tg.zeros(4, 3), tg.zeros(3))
    with pytest.raises(ValueError, match=r"sum.*axis=2"):
        a.sum(2)
    with pytest.raises(ValueError, match="axis"):
        a.mean((0, 0))
    with pytest.raises(ShapeError, match="amax"):
        tg.zeros(0).amax()
    with pytest.raises(DTypeError, match="bitwise_and"):
        a & a
    with pytest.raises(DTypeError, match="str"):
        tg.add(a, "x")
    with pytest.raises(ShapeError, match=r"cat: the shapes .* differ along other axes"):
        tg.cat([a, tg.zeros(2, 4)], 0)
    with pytest.raises(ShapeError, match="x has 3 features, the weight takes 2"):
        tg.linear(a, tg.zeros(4, 2))
    for fraction in (
        lambda: a.reshape(2.0, 3), lambda: a.permute(0, 1.5), lambda: a.expand(2.0, 3),
        lambda: tg.transpose(a, 0, 1.5),
    ):
        with pytest.raises(ArgumentError, match="integer"):
            fraction()
    for dtype in (complex, object, "M8[s]", str):
        with pytest.raises(DTypeError, match="cast"):
            a.astype(dtype)
    with pytest.raises(ValueError, match="fewer"):
        tg.tensor([[[1.0]]]).expand(())
    for wrong in (
        lambda: tg.zeros(-1), lambda: tg.tensor([300], dtype=np.uint8), lambda: tg.arange(0, 1, 0),
        lambda: tg.tensor([1, 2]) * 2**70, lambda: tg.tensor([[1, 2], [3]]), lambda: tg.ones(2) + 10**400,
    ):
        with pytest.raises(TensorError):
            wrong()
    with pytest.raises(ShapeError, match="stack"):
        tg.stack([a, b])
    with pytest.raises(ShapeError, match=r"expand: .*\(5,3\)"):
        a.expand(5, 3)


def test_pytorchs_and_numpys_words_for_arguments():
    x = tg.tensor(np.arange(6.0).reshape(2, 3))
    assert x.sum(dim=1, keepdim=True).tolist() == x.sum(axis=1, keepdims=True).tolist() == [[3], [12]]
    assert tg.add(input=x, other=1).tolist() == (x + 1).tolist()
    assert x.permute(1, 0).shape == x.permute((1, 0)).shape == x.permute(dims=(1, 0)).shape == (3, 2)
    assert x.reshape(3, 2).shape == x.reshape((3, -1)).shape == x.view(3, 2).shape == (3, 2)
    assert tg.softmax(x, dim=0).sum(0).tolist() == pytest.approx([1, 1, 1])
    assert x.transpose(0, 1).shape == x.transpose(dim0=0, dim1=1).shape == (3, 2)
