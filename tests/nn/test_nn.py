"""Modules, layers, initialisation."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, RangeError, TensorError


def net(seed=0, sizes=(3, 5, 2)):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Linear(sizes[0], sizes[1], generator=rng),
        nn.ReLU(),
        nn.Linear(sizes[1], sizes[2], generator=rng),
    )


def test_parameters_are_found_by_name_and_each_once():
    model = net()
    assert [name for name, _ in model.named_parameters()] == [
        "0.weight", "0.bias", "2.weight", "2.bias",
    ]
    assert [p.shape for p in model.parameters()] == [(5, 3), (5,), (2, 5), (2,)]

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(2, 2)
            self.second = self.first
            self.scale = nn.Parameter([1.0])

        def forward(self, x):
            return self.second(self.first(x)) * self.scale

    tied = Tied()
    assert [name for name, _ in tied.named_parameters()] == ["scale", "first.weight", "first.bias"]
    tied(tg.ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in tied.parameters())
    tied.zero_grad()
    assert all(p.grad is None for p in tied.parameters())


def test_a_module_does_not_need_to_call_super_init():
    class Plain(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(np.ones(2))

        def forward(self, x):
            return x * self.w

    assert len(list(Plain().parameters())) == 1


@pytest.mark.parametrize("bias", [True, False])
def test_linear_and_relu_in_one_pass_are_the_two_after_each_other(bias, rng):
    x = tg.tensor(rng.standard_normal((6, 5)), requires_grad=True)
    w = tg.tensor(rng.standard_normal((4, 5)), requires_grad=True)
    b = tg.tensor(rng.standard_normal(4), requires_grad=True) if bias else None
    leaves = [leaf for leaf in (x, w, b) if leaf is not None]
    weights = tg.tensor(rng.standard_normal((6, 4)))
    one = nn.functional.linear_relu(x, w, b)
    two = tg.relu(tg.linear(x, w, b))
    np.testing.assert_array_equal(one.detach(), two.detach())
    for a, e in zip(
        tg.autograd.grad((one * weights).sum(), leaves), tg.autograd.grad((two * weights).sum(), leaves)
    ):
        np.testing.assert_allclose(a.numpy(), e.numpy(), rtol=1e-14)


def test_sequential_does_a_linear_layer_and_its_relu_at_once(rng):
    class Doubled(nn.Linear):
        def forward(self, x):
            return super().forward(x) * 2

    x = tg.tensor(rng.standard_normal((2, 3)))
    assert nn.Sequential(nn.Linear(3, 4), nn.ReLU())(x).grad_fn.name == "linear_relu"
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(mask=True))
    assert model(x).grad_fn.name == "rectify_with_mask"
    model = nn.Sequential(Doubled(3, 4), nn.ReLU())
    expected = np.maximum(2 * (x.numpy() @ model[0].weight.detach().numpy().T
                               + model[0].bias.detach().numpy()), 0)
    np.testing.assert_allclose(model(x).detach().numpy(), expected, rtol=1e-14)


def test_a_relu_layer_knows_its_dead_units():
    layer = nn.ReLU(mask=True)
    with pytest.raises(ArgumentError, match="no mask"):
        layer.dead_units()
    x = np.array([[-1.0, 2.0, 0.0, np.nan], [-3.0, 4.0, 5.0, -1.0]])
    with tg.no_grad():
        layer(tg.tensor(x))
    np.testing.assert_array_equal(layer.dead_units(), [True, False, False, False])
    np.testing.assert_array_equal(layer.alive_share(), [0, 1, 0.5, 0.5])
    np.testing.assert_array_equal(layer.alive_share(axis=1), [0.5, 0.5])
    assert repr(layer) == "ReLU(mask=True)" and repr(nn.ReLU(inplace=True)) == "ReLU()"


def test_nets_train_in_several_threads_at_once():
    def trained(seed):
        model = net(seed, (20, 300, 10))
        rng = np.random.default_rng(seed)
        x, target = tg.tensor(rng.standard_normal((500, 20))), rng.integers(0, 10, 500)
        optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(20):
            loss = tg.cross_entropy(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [loss.item(), *(p.detach().numpy() for p in model.parameters())]

    alone = [trained(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(trained, range(4)))
    for expected, found in zip(alone, together):
        for e, f in zip(expected, found):
            np.testing.assert_array_equal(e, f)


def test_the_gradient_of_a_whole_net(rng):
    model, x = net(), tg.tensor(rng.standard_normal((4, 3)))
    target = np.array([0, 1, 1, 0])

    def loss(*parameters):
        return nn.functional.cross_entropy(model(x), target)

    assert tg.gradcheck(loss, list(model.parameters()))
    model[0].weight.grad = None


def test_linear_is_numpys_affine_map(rng):
    layer = nn.Linear(3, 2, generator=rng)
    x = rng.standard_normal((4, 3))
    expected = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(tg.tensor(x)).detach().numpy(), expected)
    assert nn.Linear(3, 2, bias=False).bias is None
    assert nn.Linear(3, 2, dtype=tg.float32)(tg.tensor(x.astype(np.float32))).dtype == np.float32


def test_initialisation_follows_the_seed_and_the_bounds():
    a, b = net(seed=4), net(seed=4)
    for p, q in zip(a.parameters(), b.parameters()):
        assert p.tolist() == q.tolist()
    assert net(seed=5)[0].weight.tolist() != a[0].weight.tolist()
    wide = nn.Linear(400, 300, generator=np.random.default_rng(0))
    for p in wide.parameters():
        values = p.detach().numpy()
        assert np.abs(values).max() <= 1 / 20
        assert values.std() == pytest.approx(1 / 20 / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 400), ("fan_out", 300)])
def test_kaiming_keeps_the_variance(mode, fan):
    generator = np.random.default_rng(1)
    for draw in (nn.init.kaiming_uniform_, nn.init.kaiming_normal_):
        w = draw(tg.zeros(300, 400), mode=mode, nonlinearity="relu", generator=generator)
        assert w.detach().numpy().std() == pytest.approx(math.sqrt(2 / fan), rel=0.02)
    x = tg.tensor(generator.standard_normal((2000, 400)))
    w = nn.init.kaiming_normal_(tg.zeros(400, 400), nonlinearity="relu", generator=generator)
    assert (tg.linear(x, w).relu() ** 2).mean().item() == pytest.approx(1.0, rel=0.1)


def test_initialisers_fill_in_place():
    w = tg.zeros(2, 3, requires_grad=True)
    assert nn.init.constant_(w, 2.0) is w and w.tolist() == [[2] * 3] * 2 and w.requires_grad
    nn.init.uniform_(w, 5.0, 6.0, np.random.default_rng(0))
    assert (w.detach().numpy() >= 5).all()


def test_repr_shows_layers_and_counts():
    text = repr(net())
    assert "(0): Linear(in_features=3, out_features=5, bias=True)" in text
    assert "32 parameters" in text


def test_sequential_is_indexed_and_iterated():
    model = net()
    assert len(model) == 3 and isinstance(model[1], nn.ReLU) and len(list(model)) == 3


def test_bad_input():
    with pytest.raises(ArgumentError, match="item 1 is a function"):
        nn.Sequential(nn.ReLU(), lambda x: x)
    with pytest.raises(RangeError, match="Linear: in_features is -1"):
        nn.Linear(-1, 2)
    with pytest.raises(ArgumentError, match="out_features"):
        nn.Linear(1, 2.5)
    with pytest.raises(TensorError):
        nn.Parameter([1, 2])
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)
    with pytest.raises(ArgumentError, match="mode"):
        nn.init.kaiming_uniform_(tg.zeros(2, 2), mode="fan")
    with pytest.raises(ArgumentError, match="nonlinearity"):
        nn.init.kaiming_uniform_(tg.zeros(2, 2), nonlinearity="gelu")
    with pytest.raises(TensorError, match="no inputs and outputs"):
        nn.init.kaiming_uniform_(tg.zeros(2))


def test_losses_refuse_what_people_get_wrong():
    scores = tg.zeros(4, 3)
    with pytest.raises(ValueError, match=r"target has shape \(4, 1\)"):
        tg.cross_entropy(scores, np.zeros((4, 1), int))
    with pytest.raises(IndexError, match="classes from 0 to 3"):
        tg.cross_entropy(scores, np.array([0, 1, 2, 3]))
    with pytest.raises(TypeError, match="bool"):
        tg.cross_entropy(scores, np.ones(4, bool))
    with pytest.raises(ValueError, match="target probabilities"):
        tg.cross_entropy(scores, np.ones(4))
    with pytest.raises(ValueError, match=r"\(4, 1\).*\(4,\)"):
        tg.mse_loss(tg.zeros(4, 1), tg.zeros(4))
    with pytest.raises(TypeError, match="reduction"):
        tg.mse_loss(scores, scores, reduction="average")
    with pytest.raises(ValueError, match="prelu"):
        tg.prelu(scores, tg.zeros(2))


def test_cross_entropy_over_images_and_single_rows(rng):
    scores, target = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    expected = -np.take_along_axis(logs, target[:, None], 1)[:, 0]
    losses = tg.cross_entropy(tg.tensor(scores), target, reduction="none")
    np.testing.assert_allclose(losses.numpy(), expected)
    assert tg.cross_entropy(tg.tensor(scores), target).item() == pytest.approx(expected.mean())
    assert tg.cross_entropy(tg.tensor([0.0, 0.0]), tg.tensor(1)).item() == pytest.approx(math.log(2))


def test_a_parameter_is_not_replaced_by_what_is_none():
    layer = nn.Linear(2, 3)
    for value in (tg.ones(3, 2), np.ones((3, 2)), 5):
        with pytest.raises(ArgumentError, match=r"Linear.weight is a parameter"):
            layer.weight = value
    layer.weight = nn.Parameter(np.ones((3, 2)))
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


def test_losses_of_small_integers_do_not_wrap_around():
    scores = tg.tensor(np.array([[1, 2]], np.uint8))
    assert tg.cross_entropy(scores, [0]).item() == pytest.approx(np.log(1 + np.e))
    assert tg.softmax(tg.tensor(np.array([-100, 100], np.int8)), 0).tolist() == pytest.approx([0, 1])
    a, b = (tg.tensor(np.array(v, np.int8)) for v in ([-100, 100], [100, -100]))
    assert tg.mse_loss(a, b).item() == 40000


def test_a_probability_that_is_learned_has_its_gradient_at_0(rng):
    scores = tg.tensor(rng.standard_normal((1, 3)))
    target = tg.tensor([[0.0, 0.5, 0.5]], requires_grad=True)
    tg.cross_entropy(scores, target).backward()
    np.testing.assert_allclose(target.grad.numpy(), -tg.log_softmax(scores, 1).numpy())
    certain = tg.tensor([[-np.inf, 0.0]])
    assert tg.cross_entropy(certain, np.array([[0.0, 1.0]])).item() == 0
