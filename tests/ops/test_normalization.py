"""Normalisation, embedding, dropout, attention: against NumPy and differences."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, IndexingError, RangeError, ShapeError

F = tg.nn.functional


def hold(f, *arrays):
    inputs = [tg.tensor(x, requires_grad=True) for x in arrays]
    assert tg.gradcheck(f, inputs)
    assert tg.gradgradcheck(f, inputs, atol=1e-4)


def standard(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2), (2, 3, 2, 2)])
def test_batch_norm(shape, rng):
    x, w, b = rng.standard_normal(shape), rng.standard_normal(3), rng.standard_normal(3)
    start_mean, start_var = rng.standard_normal(3), rng.random(3)
    mean, var = tg.tensor(start_mean), tg.tensor(start_var)
    across = (1, 3, *[1] * (len(shape) - 2))
    axes = (0, *range(2, len(shape)))
    learned = F.batch_norm(tg.tensor(x), mean, var, tg.tensor(w), tg.tensor(b)).numpy()
    expected = (x - start_mean.reshape(across)) / np.sqrt(start_var.reshape(across) + 1e-5)
    np.testing.assert_allclose(learned, expected * w.reshape(across) + b.reshape(across), rtol=1e-12)
    assert mean.tolist() == start_mean.tolist()
    y = F.batch_norm(
        tg.tensor(x, requires_grad=True), mean, var, tg.tensor(w), tg.tensor(b), True, momentum=0.3
    )
    expected = standard(x, axes) * w.reshape(across) + b.reshape(across)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-10)
    np.testing.assert_allclose(mean.numpy(), 0.7 * start_mean + 0.3 * x.mean(axes))
    np.testing.assert_allclose(var.numpy(), 0.7 * start_var + 0.3 * x.var(axes, ddof=1))
    assert not mean.requires_grad and not var.requires_grad
    hold(lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), x, w, b)


def test_running_statistics_of_single_precision_stay_so(rng):
    mean, var = tg.zeros(3, dtype=tg.float32), tg.ones(3, dtype=tg.float32)
    x = tg.randn(4, 3, dtype=tg.float32)
    assert F.batch_norm(x, mean, var, training=True).dtype == np.float32
    assert mean.dtype == var.dtype == np.float32 and mean.numpy().any()


def test_layer_norm_and_rms_norm(rng):
    x, w, b = rng.standard_normal((2, 3, 4)), rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    y = F.layer_norm(tg.tensor(x), (3, 4), tg.tensor(w), tg.tensor(b), eps=0.1).numpy()
    np.testing.assert_allclose(y, standard(x, (1, 2), 0.1) * w + b, rtol=1e-12)
    np.testing.assert_allclose(F.layer_norm(tg.tensor(x), 4).numpy(), standard(x, 2), rtol=1e-12)
    r = F.rms_norm(tg.tensor(x), 4, tg.tensor(w[0]), eps=0.1).numpy()
    np.testing.assert_allclose(r, x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.1) * w[0], rtol=1e-12)
    tiny = tg.tensor(np.full((1, 2), 1e-8))
    eps = np.finfo(float).eps
    np.testing.assert_allclose(F.rms_norm(tiny, 2).numpy(), 1e-8 / np.sqrt(1e-16 + eps), rtol=1e-12)
    hold(lambda x, w, b: F.layer_norm(x, (3, 4), w, b), x, w, b)
    hold(lambda x, w: F.rms_norm(x, (3, 4), w), x, w)


def test_group_norm_and_instance_norm(rng):
    x, w, b = rng.standard_normal((2, 4, 3)), rng.standard_normal(4), rng.standard_normal(4)
    y = F.group_norm(tg.tensor(x), 2, tg.tensor(w), tg.tensor(b)).numpy()
    expected = standard(x.reshape(2, 2, 6), 2).reshape(2, 4, 3) * w[:, None] + b[:, None]
    np.testing.assert_allclose(y, expected, rtol=1e-11)
    mean, var = tg.zeros(4), tg.ones(4)
    z = F.instance_norm(tg.tensor(x), mean, var, tg.tensor(w), tg.tensor(b), momentum=0.5).numpy()
    np.testing.assert_allclose(z, standard(x, 2) * w[:, None] + b[:, None], rtol=1e-11)
    np.testing.assert_allclose(mean.numpy(), 0.5 * x.mean((0, 2)))
    np.testing.assert_allclose(var.numpy(), 0.5 + 0.5 * x.var(2, ddof=1).mean(0))
    again, moved = tg.zeros(4), tg.zeros(4)
    F.instance_norm(tg.tensor(x), again)
    F.batch_norm(tg.tensor(x), moved, None, training=True)
    np.testing.assert_allclose(again.numpy(), 0.1 * x.mean((0, 2)))
    np.testing.assert_allclose(moved.numpy(), again.numpy())
    learned = F.instance_norm(tg.tensor(x), mean, var, use_input_stats=False).numpy()
    np.testing.assert_allclose(learned, F.batch_norm(tg.tensor(x), mean, var).numpy())
    hold(lambda x, w, b: F.group_norm(x, 2, w, b), x, w, b)
    hold(lambda x, w, b: F.instance_norm(x, weight=w, bias=b), x, w, b)


def test_local_response_norm(rng):
    x = rng.standard_normal((2, 5, 3))
    y = F.local_response_norm(tg.tensor(x), 4, alpha=0.5, beta=0.6, k=2.0).numpy()
    for c in range(5):
        near = (x[:, max(c - 2, 0) : c + 2] ** 2).sum(1) / 4
        np.testing.assert_allclose(y[:, c], x[:, c] / (2 + 0.5 * near) ** 0.6, rtol=1e-12)
    hold(lambda x: F.local_response_norm(x, 3, alpha=0.5), x)


def test_embedding(rng):
    table, numbers = rng.standard_normal((4, 3)), np.array([[0, 2], [2, 3]])
    rows = F.embedding(numbers, tg.tensor(table)).numpy()
    np.testing.assert_array_equal(rows, table[numbers])
    hold(lambda w: F.embedding(numbers, w) ** 2, table)
    for padding in (2, -2):
        w = tg.tensor(table, requires_grad=True)
        y = F.embedding(numbers, w, padding_idx=padding)
        np.testing.assert_array_equal(y.detach().numpy(), table[numbers])
        y.sum().backward()
        np.testing.assert_array_equal(w.grad.numpy(), np.array([1, 0, 0, 1])[:, None] * np.ones(3))
    w = tg.tensor(table, requires_grad=True)
    picked = tg.tensor(numbers)
    y = F.embedding(picked, w)
    picked[0, 0] = 1        # what was picked was picked
    y.sum().backward()
    assert w.grad.numpy()[:, 0].tolist() == [1, 0, 2, 1]


def test_one_hot():
    assert F.one_hot(np.array([[1], [0]])).tolist() == [[[0, 1]], [[1, 0]]]
    assert F.one_hot(tg.tensor(2), 4).tolist() == [0, 0, 1, 0]
    assert F.one_hot(np.zeros((0, 2), int), 3).shape == (0, 2, 3)


def test_dropout_keeps_the_mean_and_its_mask(rng):
    generator = np.random.default_rng(0)
    x = tg.ones(200, 50, requires_grad=True)
    y = F.dropout(x, 0.2, generator=generator)
    values = y.detach().numpy()
    assert set(np.unique(values)) == {0.0, 1.25}
    assert values.mean() == pytest.approx(1, abs=0.02)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), values)
    assert F.dropout(x, 0.5, training=False) is x and F.dropout(x, 0.0) is x
    assert F.dropout(tg.tensor(2.0), 0.5).item() in (0.0, 4.0)
    assert not F.dropout(x, 1.0).detach().numpy().any()
    again = [F.dropout(x, 0.5, generator=tg.manual_seed(3)).detach().numpy() for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert F.dropout(tg.ones(3, dtype=tg.float32)).dtype == np.float32


@pytest.mark.parametrize(("f", "shape"), [(F.dropout1d, (8, 9, 5)), (F.dropout2d, (8, 9, 5, 4))])
def test_dropout_of_channels_leaves_out_whole_ones(f, shape):
    y = f(tg.ones(*shape), 0.5, generator=np.random.default_rng(0)).numpy().reshape(72, -1)
    assert (y == y[:, :1]).all() and set(np.unique(y)) == {0.0, 2.0}
    assert f(tg.ones(*shape[1:])).shape == shape[1:]


def attended(q, k, v, scores_plus=0.0):
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + scores_plus
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True) @ v


def test_attention(rng):
    q, k, v = (rng.standard_normal(s) for s in ((2, 3, 4), (2, 5, 4), (2, 5, 6)))
    bias = rng.standard_normal((3, 5))
    tensors = [tg.tensor(x) for x in (q, k, v)]
    attend = F.scaled_dot_product_attention
    np.testing.assert_allclose(attend(*tensors).numpy(), attended(q, k, v), rtol=1e-12)
    np.testing.assert_allclose(attend(*tensors, scale=1.0).numpy(), attended(q * 2, k, v), rtol=1e-12)
    np.testing.assert_allclose(attend(*tensors, bias).numpy(), attended(q, k, v, bias), rtol=1e-12)
    seen = np.tri(3, 5, dtype=bool)
    closed = attended(q, k, v, np.where(seen, 0, -1e9))
    np.testing.assert_allclose(attend(*tensors, is_causal=True).numpy(), closed, rtol=1e-12)
    np.testing.assert_allclose(attend(*tensors, tg.tensor(seen)).numpy(), closed, rtol=1e-12)
    np.testing.assert_allclose(attend(*tensors, np.where(seen, 0, -np.inf)).numpy(), closed, rtol=1e-12)
    hold(lambda q, k, v, m: attend(q, k, v, m), q, k, v, bias)
    hold(lambda q, k, v: attend(q, k, v, is_causal=True), q, k, v)
    dropped = attend(*tensors, dropout_p=0.5, generator=np.random.default_rng(1)).numpy()
    assert not np.allclose(dropped, attended(q, k, v))


@pytest.mark.parametrize("numbers", [True, False])
def test_a_query_that_sees_nothing_gets_0_and_no_gradient(numbers, rng):
    q, k, v = (tg.tensor(rng.standard_normal((3, 2)), requires_grad=True) for _ in range(3))
    seen = np.array([[True, False, True], [False] * 3, [True] * 3])
    y = F.scaled_dot_product_attention(q, k, v, np.where(seen, 0.0, -np.inf) if numbers else seen)
    assert y[1].tolist() == [0.0, 0.0]
    y.sum().backward()
    assert q.grad[1].tolist() == [0.0, 0.0]
    assert all(bool(x.grad.isfinite().all()) for x in (q, k, v))


X = tg.ones(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.batch_norm(X, None, None), ArgumentError, "batch_norm: running_mean and"),
        (lambda: F.batch_norm(X, tg.ones(2), tg.ones(3)), ShapeError, "running_mean has shape"),
        (lambda: F.batch_norm(X, None, None, tg.ones(2), training=True), ShapeError, "weight has shape"),
        (lambda: F.batch_norm(tg.ones(1, 3), None, None, training=True), ShapeError, "1 value in a"),
        (lambda: F.batch_norm(X, np.ones(3), None, training=True), ArgumentError, "pass tensors"),
        (lambda: F.batch_norm(tg.ones(3), None, None), ShapeError, "2 or more axes"),
        (lambda: F.layer_norm(X, (4, 3)), ShapeError, "does not end in"),
        (lambda: F.layer_norm(X, 4, tg.ones(3)), ShapeError, "weight has shape"),
        (lambda: F.layer_norm(X, ()), ShapeError, "does not end in"),
        (lambda: F.layer_norm(X, 4.0), ArgumentError, "normalized_shape"),
        (lambda: F.group_norm(X, 2), ShapeError, "3 channels do not go into 2"),
        (lambda: F.group_norm(X, 0), RangeError, "num_groups"),
        (lambda: F.instance_norm(tg.ones(2, 3, 1)), ShapeError, "1 value in a channel"),
        (lambda: F.local_response_norm(X, 0), RangeError, "size is 0"),
        (lambda: F.embedding(np.array([4]), tg.ones(4, 2)), IndexingError, "from 4 to 4.*4 rows"),
        (lambda: F.embedding(np.array([-1]), tg.ones(4, 2)), IndexingError, "from -1"),
        (lambda: F.embedding(np.array([1.0]), tg.ones(4, 2)), DTypeError, "pass integers"),
        (lambda: F.embedding(np.array([1]), tg.ones(4, 9), 4), IndexingError, "padding_idx is 4"),
        (lambda: F.one_hot(np.array([3]), 3), IndexingError, "one_hot"),
        (lambda: F.one_hot(np.array([-1])), IndexingError, "negative"),
        (lambda: F.one_hot(np.zeros(0, int)), IndexingError, "how many classes"),
        (lambda: F.dropout(X, 1.5), RangeError, "dropout: p is 1.5"),
        (lambda: F.dropout2d(tg.ones(2, 3)), ShapeError, "dropout2d"),
        (lambda: F.scaled_dot_product_attention(X, X[:, :, :3], X), ShapeError, "do not fit"),
        (lambda: F.scaled_dot_product_attention(X, X, X, np.ones((2, 2), bool)), ShapeError, "attn_mask"),
        (lambda: F.scaled_dot_product_attention(X, X, X, np.ones((3, 3)), is_causal=True), ArgumentError,
         "is_causal"),
    ],
)
def test_what_people_get_wrong_raises_with_the_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
