"""Convolution and pooling, against loops that say what they mean, and against differences."""

import itertools

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError

F = tg.nn.functional
RECTANGULAR = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}
LAYOUTS = [
    {}, {"stride": 2}, {"padding": 1}, {"dilation": 2, "padding": 2}, {"groups": 2}, {"padding": "valid"},
    {"padding": "same"}, {"padding": "same", "dilation": 2}, RECTANGULAR, {"stride": 3, "padding": 2},
]


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def correlated(x, w, b=0.0, stride=1, padding=0, dilation=1, groups=1):
    """Convolution by its definition: one product for each place of the window."""
    stride, dilation = pair(stride), pair(dilation)
    reach = [d * (n - 1) for d, n in zip(dilation, w.shape[2:])]
    if padding == "same":
        sides = [(n // 2, n - n // 2) for n in reach]
    else:
        sides = [(p, p) for p in pair(0 if padding == "valid" else padding)]
    x = np.pad(x, [(0, 0), (0, 0), *sides])
    height, width = ((n - r - 1) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride))
    y = np.zeros((len(x), len(w), height, width))
    inside, outside = w.shape[1], len(w) // groups
    for k, i, j in itertools.product(range(len(w)), range(height), range(width)):
        group = k // outside
        seen = x[
            :, group * inside : (group + 1) * inside,
            i * stride[0] : i * stride[0] + reach[0] + 1 : dilation[0],
            j * stride[1] : j * stride[1] + reach[1] + 1 : dilation[1],
        ]
        y[:, k, i, j] = (seen * w[k]).sum((1, 2, 3))
    return y + np.reshape(b, (-1, 1, 1))


def hold(f, *arrays):
    inputs = [tg.tensor(x, requires_grad=True) for x in arrays]
    assert tg.gradcheck(f, inputs)
    assert tg.gradgradcheck(f, inputs)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_conv2d_is_what_it_means(layout, rng):
    x, b = rng.standard_normal((2, 4, 5, 6)), rng.standard_normal(4)
    w = rng.standard_normal((4, 4 // layout.get("groups", 1), 3, 2))
    y = tg.conv2d(tg.tensor(x), tg.tensor(w), tg.tensor(b), **layout).numpy()
    np.testing.assert_allclose(y, correlated(x, w, b, **layout), atol=1e-12)
    alone = tg.conv2d(tg.tensor(x[0]), tg.tensor(w), tg.tensor(b), **layout).numpy()
    np.testing.assert_allclose(alone, y[0], atol=1e-13)
    hold(lambda x, w, b: tg.conv2d(x, w, b, **layout), x[:1], w, b)


@pytest.mark.parametrize("layout", [k for k in LAYOUTS if k is not RECTANGULAR])
def test_conv1d_is_conv2d_of_height_1(layout, rng):
    x = rng.standard_normal((2, 4, 9))
    w = rng.standard_normal((4, 4 // layout.get("groups", 1), 3))
    y = tg.conv1d(tg.tensor(x), tg.tensor(w), **layout).numpy()
    flat = {
        k: n if k == "groups" or isinstance(n, str) else (0 if k == "padding" else 1, n)
        for k, n in layout.items()
    }
    np.testing.assert_allclose(y, correlated(x[:, :, None], w[:, :, None], **flat)[:, :, 0], atol=1e-12)
    hold(lambda x, w: tg.conv1d(x, w, **layout), x, w)


@pytest.mark.parametrize(
    "layout",
    [{}, {"stride": 2}, {"stride": 2, "output_padding": 1}, {"padding": 1}, {"dilation": 2},
     {"groups": 2}, {"stride": 3, "padding": 1, "output_padding": 2, "dilation": 2, "groups": 2},
     {"dilation": 2, "output_padding": 1}],
)
def test_conv_transpose2d_is_the_adjoint(layout, rng):
    groups = layout.get("groups", 1)
    v, w = rng.standard_normal((2, 4, 3, 4)), rng.standard_normal((4, 3, 2, 3))
    b = rng.standard_normal(3 * groups)
    y = tg.conv_transpose2d(tg.tensor(v), tg.tensor(w), tg.tensor(b), **layout).numpy()
    y = y - b[:, None, None]
    x = rng.standard_normal(y.shape)
    forward = {k: n for k, n in layout.items() if k != "output_padding"}
    there = correlated(x, w, **forward)[:, :, :3, :4]
    # <conv(x), v> == <x, conv_transpose(v)>, for all x
    np.testing.assert_allclose((there * v).sum(), (x * y).sum(), rtol=1e-10)
    hold(lambda v, w: tg.conv_transpose2d(v, w, **layout), v[:1], w)
    size = [
        (n - 1) * layout.get("stride", 1) - 2 * layout.get("padding", 0)
        + layout.get("dilation", 1) * (k - 1) + layout.get("output_padding", 0) + 1
        for n, k in zip(v.shape[2:], w.shape[2:])
    ]
    assert list(y.shape[2:]) == size


def test_conv_transpose1d_is_conv_transpose2d_of_height_1(rng):
    v, w = rng.standard_normal((2, 4, 5)), rng.standard_normal((4, 3, 3))
    layout = {"stride": 2, "padding": 1, "output_padding": 1}
    y = tg.conv_transpose1d(tg.tensor(v), tg.tensor(w), **layout).numpy()
    flat = {k: (0 if k != "stride" else 1, n) for k, n in layout.items()}
    wide = tg.conv_transpose2d(tg.tensor(v[:, :, None]), tg.tensor(w[:, :, None]), **flat).numpy()
    np.testing.assert_allclose(y, wide[:, :, 0], atol=1e-13)
    hold(lambda v, w: tg.conv_transpose1d(v, w, **layout), v, w)


def test_single_precision_empty_batches_and_integers(rng):
    x, w = rng.standard_normal((2, 2, 4, 4)), rng.standard_normal((3, 2, 3, 3))
    y = tg.conv2d(tg.tensor(x, dtype=tg.float32), tg.tensor(w, dtype=tg.float32), padding=1)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), correlated(x, w, padding=1), atol=1e-5)
    assert tg.conv2d(tg.zeros(0, 2, 4, 4), tg.tensor(w)).shape == (0, 3, 2, 2)
    whole = tg.conv2d(np.ones((1, 1, 2, 2), int), np.ones((1, 1, 2, 2), int))
    assert whole.dtype == np.float64 and whole.item() == 4
    view = tg.tensor(x).permute(0, 1, 3, 2)
    np.testing.assert_allclose(
        tg.conv2d(view, tg.tensor(w)).numpy(), correlated(x.swapaxes(2, 3), w), atol=1e-12
    )


def test_unfold_and_fold_are_adjoints(rng):
    x = rng.standard_normal((2, 3, 5, 6))
    layout = {"dilation": 2, "padding": (1, 0), "stride": (1, 2)}
    columns = F.unfold(tg.tensor(x), (2, 3), **layout).numpy()
    place = np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 0)])[:, :, 1:4:2, 0:5:2]
    np.testing.assert_array_equal(columns[:, :, 1], place.reshape(2, -1))
    v = rng.standard_normal(columns.shape)
    back = F.fold(tg.tensor(v), (5, 6), (2, 3), **layout).numpy()
    assert (columns * v).sum() == pytest.approx((x * back).sum())
    np.testing.assert_allclose(F.fold(tg.tensor(v[0]), (5, 6), (2, 3), **layout).numpy(), back[0])
    np.testing.assert_array_equal(F.unfold(tg.tensor(x[0]), (2, 3), **layout).numpy(), columns[0])
    hold(lambda x: F.unfold(x, (2, 3), **layout), x)
    assert F.unfold(tg.tensor(x), 2).shape == (2, 12, 20)
    assert F.fold(tg.ones(2, 12, 20), (5, 6), 2).numpy()[0, 0, 0].tolist() == [1, 2, 2, 2, 2, 1]


# ------------------------------------------------------------------------------------------- pooling

def places(n, k, stride, padding, dilation, ceil_mode):
    """Yield which elements of an axis a window sees, place by place, padding left out."""
    first = -padding
    while True:
        stop = first + dilation * (k - 1)
        if stop > n - 1 + padding and not (ceil_mode and first < n and stop - stride < n - 1 + padding):
            return
        yield [i for i in range(first, stop + 1, dilation) if 0 <= i < n], (first, stop)
        first += stride


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("k", "stride", "padding", "dilation"),
    [(2, None, 0, 1), (3, 2, 1, 1), (3, 1, 1, 2), (2, 3, 1, 1), (3, 2, 0, 1)],
)
def test_pooling_is_what_it_means(k, stride, padding, dilation, ceil_mode, rng):
    x = rng.integers(0, 4, (2, 3, 6, 8)).astype(float)
    step = stride or k
    axes = [list(places(n, k, step, padding, dilation, ceil_mode)) for n in x.shape[2:]]
    values, indices = tg.max_pool2d(
        tg.tensor(x), k, stride, padding, dilation, ceil_mode, return_indices=True
    )
    assert values.shape == (2, 3, len(axes[0]), len(axes[1]))
    for (i, (rows, _)), (j, (columns, _)) in itertools.product(*map(enumerate, axes)):
        seen = x[:, :, rows][:, :, :, columns].reshape(2, 3, -1)
        np.testing.assert_array_equal(values.numpy()[:, :, i, j], seen.max(-1))
        row, column = np.divmod(seen.argmax(-1), len(columns))      # the first of several
        expected = np.array(rows)[row] * x.shape[3] + np.array(columns)[column]
        np.testing.assert_array_equal(indices.numpy()[:, :, i, j], expected)
    if dilation > 1:
        return
    for counted in (True, False):
        means = tg.avg_pool2d(tg.tensor(x), k, stride, padding, ceil_mode, counted).numpy()
        for (i, (rows, top)), (j, (columns, left)) in itertools.product(*map(enumerate, axes)):
            seen = x[:, :, rows][:, :, :, columns]
            count = len(rows) * len(columns)
            if counted:
                count = np.prod([
                    min(stop, n - 1 + padding) - first + 1
                    for (first, stop), n in zip((top, left), x.shape[2:])
                ])
            np.testing.assert_allclose(means[:, :, i, j], seen.sum((2, 3)) / count, atol=1e-13)


def test_pooling_along_one_axis_is_that_of_an_image_of_height_1(rng):
    x = rng.standard_normal((2, 3, 7))
    image = tg.tensor(x[:, :, None])
    for one, two, arguments in (
        (tg.max_pool1d, tg.max_pool2d, (3, 2, 1)), (tg.avg_pool1d, tg.avg_pool2d, (3, 2, 1)),
    ):
        wide = two(image, *[(k, n) for k, n in zip((1, 1, 0), arguments)]).numpy()[:, :, 0]
        np.testing.assert_allclose(one(tg.tensor(x), *arguments).numpy(), wide)
        np.testing.assert_allclose(one(tg.tensor(x[0]), *arguments).numpy(), wide[0])
    np.testing.assert_allclose(
        tg.adaptive_avg_pool1d(tg.tensor(x), 3).numpy(),
        tg.adaptive_avg_pool2d(image, (1, 3)).numpy()[:, :, 0],
    )


@pytest.mark.parametrize("count", [1, 2, 3, 5, (2, None), (6, 9)])
def test_adaptive_pooling_is_over_parts(count, rng):
    x = rng.permutation(2 * 6 * 8).reshape(1, 2, 6, 8) * 0.1
    rows, columns = (n if k is None else k for k, n in zip(pair(count), x.shape[2:]))
    means = tg.adaptive_avg_pool2d(tg.tensor(x), count).numpy()
    maxima, indices = tg.adaptive_max_pool2d(tg.tensor(x), count, return_indices=True)
    assert means.shape == maxima.shape == (1, 2, rows, columns)
    for i, j in itertools.product(range(rows), range(columns)):
        seen = x[
            :, :, i * 6 // rows : -(-(i + 1) * 6 // rows), j * 8 // columns : -(-(j + 1) * 8 // columns)
        ]
        np.testing.assert_allclose(means[:, :, i, j], seen.mean((2, 3)))
        np.testing.assert_array_equal(maxima.numpy()[:, :, i, j], seen.max((2, 3)))
    picked = np.take_along_axis(x.reshape(1, 2, 48), indices.numpy().reshape(1, 2, -1), 2)
    np.testing.assert_array_equal(picked.reshape(maxima.shape), maxima.numpy())
    hold(lambda x: tg.adaptive_avg_pool2d(x, count), x)
    hold(lambda x: tg.adaptive_max_pool2d(x, count), x)


def test_derivatives_of_pooling(rng):
    x = rng.permutation(60).reshape(1, 2, 5, 6) * 0.1
    hold(lambda x: tg.max_pool2d(x, 3, 2, 1) ** 2, x)
    hold(lambda x: tg.avg_pool2d(x, 3, 2, 1, count_include_pad=False) ** 2, x)
    tie = tg.tensor([[[1.0, 3.0, 3.0, 3.0]]], requires_grad=True)
    tg.max_pool1d(tie, 2, 1).sum().backward()
    assert tie.grad.tolist() == [[[0.0, 2.0, 1.0, 0.0]]]


def test_pooling_lets_nan_pass():
    x = np.ones((1, 3, 3))
    x[0, 1, 1] = np.nan
    assert tg.max_pool2d(tg.tensor(x), 2).isnan().all()
    low = tg.full((1, 2, 2), -np.inf)
    assert tg.max_pool2d(low, 2, return_indices=True)[1].item() == 0
    assert tg.avg_pool2d(tg.ones(1, 2, 2), 2, divisor_override=8).item() == 0.5


IMAGE, WEIGHT = tg.ones(1, 4, 5, 5), tg.ones(2, 4, 3, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.conv2d(IMAGE, tg.ones(2, 3, 3, 3)), ShapeError, "conv2d: input has 4 channels"),
        (lambda: tg.conv2d(IMAGE, tg.ones(3, 2, 3, 3), groups=2), ShapeError, "conv2d: .* 2 groups"),
        (lambda: tg.conv2d(tg.ones(5, 5), WEIGHT), ShapeError, "conv2d: input has shape"),
        (lambda: tg.conv2d(IMAGE, tg.ones(2, 4, 3)), ShapeError, "conv2d: weight has shape"),
        (lambda: tg.conv2d(IMAGE, tg.ones(2, 4, 6, 3)), ShapeError, "conv2d: a window of"),
        (lambda: tg.conv2d(IMAGE, tg.ones(2, 4, 0, 3)), ShapeError, "a window needs elements"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, tg.ones(3)), ShapeError, "bias has shape"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, stride=0), RangeError, "stride is 0"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, padding=-1), RangeError, "padding is -1"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, padding="full"), ArgumentError, "padding is 'full'"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, padding="same", stride=2), RangeError, "padding is 'same'"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, stride=(1, 2, 3)), ArgumentError, "stride is"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, dilation=1.5), ArgumentError, "dilation is 1.5"),
        (lambda: tg.conv2d(IMAGE, WEIGHT, groups=0), RangeError, "groups is 0"),
        (lambda: tg.conv_transpose2d(IMAGE, WEIGHT), ShapeError, "weight takes 2"),
        (lambda: tg.conv_transpose1d(tg.ones(1, 1, 2), tg.ones(1, 1, 2), output_padding=1), RangeError,
         "output_padding 1"),
        (lambda: tg.conv_transpose1d(tg.ones(1, 1, 1), tg.ones(1, 1, 1), padding=1), ShapeError,
         "gives images of"),
        (lambda: tg.max_pool2d(IMAGE, 2, padding=2), RangeError, "more than half"),
        (lambda: tg.max_pool2d(IMAGE, 6), ShapeError, "max_pool2d: a window"),
        (lambda: tg.max_pool2d(tg.ones(1, 2, 2, dtype=np.float16), 2), DTypeError, "float16"),
        (lambda: tg.max_pool2d(IMAGE, 0), RangeError, "kernel_size is 0"),
        (lambda: tg.avg_pool2d(IMAGE, 2, divisor_override=0), RangeError, "divisor_override is 0"),
        (lambda: tg.adaptive_avg_pool2d(IMAGE, (1, 2, 3)), ArgumentError, "output_size"),
        (lambda: tg.adaptive_avg_pool2d(tg.ones(1, 0, 2), 1), ShapeError, "length 0"),
        (lambda: F.fold(tg.ones(1, 5, 4), (3, 3), 2), ShapeError, "columns"),
        (lambda: F.fold(tg.ones(1, 4, 5), (3, 3), 2), ShapeError, "5 places"),
    ],
)
def test_what_people_get_wrong_raises_with_the_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
