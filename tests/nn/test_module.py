"""`Module`: what is found in it, its modes, dtypes, copies and words."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, DTypeError


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter([1.0, 2.0])
        self.register_buffer("mean", tg.zeros(2))

    def forward(self, x):
        return x * self.weight + self.mean


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter([3.0])
        self.first = Inner()
        self.again = self.first
        self.second = Inner()
        self.tied = self.second.weight
        self.register_buffer("seen", tg.tensor(0), persistent=False)

    def forward(self, x):
        return self.second(self.first(x)) * self.scale


def names(pairs):
    return [name for name, _ in pairs]


# -------------------------------------------------------------------------------- what is found

def test_names_are_those_of_pytorch():
    model = Outer()
    assert names(model.named_parameters()) == ["scale", "tied", "first.weight"]
    assert names(model.named_parameters("net")) == ["net.scale", "net.tied", "net.first.weight"]
    assert names(model.named_parameters(recurse=False)) == ["scale", "tied"]
    assert names(model.named_parameters(remove_duplicate=False)) == [
        "scale", "tied", "first.weight", "again.weight", "second.weight",
    ]
    assert names(model.named_modules()) == ["", "first", "second"]
    assert names(model.named_modules(prefix="net", remove_duplicate=False)) == [
        "net", "net.first", "net.again", "net.second",
    ]
    assert names(model.named_children()) == ["first", "second"]
    assert names(model.named_buffers()) == ["seen", "first.mean", "second.mean"]
    assert [m is model.first or m is model.second for m in model.children()] == [True, True]
    assert len(list(model.modules())) == 3 and len(list(model.buffers())) == 3
    assert len(list(model.parameters())) == 3 and len(list(model.parameters(recurse=False))) == 2


def test_what_is_asked_for_by_name():
    model = Outer()
    assert model.get_submodule("") is model and model.get_submodule("first") is model.first
    assert model.get_parameter("second.weight") is model.tied
    assert model.get_buffer("first.mean") is model.first.mean
    for function, target, message in [
        (model.get_submodule, "first.third", "Inner has no module 'third': it has none"),
        (model.get_submodule, "scale", "Outer has no module 'scale': it has first, again, second"),
        (model.get_parameter, "first.bias", "Inner has no parameter 'bias': it has weight"),
        (model.get_buffer, "first.weight", "Inner has no buffer 'weight': it has mean"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            function(target)


def test_what_is_found_can_be_read_but_not_written_behind_the_back():
    model = Outer()
    assert list(model._modules) == ["first", "again", "second"] and list(model._buffers) == ["seen"]
    assert list(model._parameters) == ["scale", "tied"]
    with pytest.raises(TypeError):
        model._modules["first"] = Inner()


def test_attributes_come_and_go():
    model = Inner()
    model.weight = None
    assert names(model.named_parameters()) == [] and model.weight is None
    model.weight = nn.Parameter([5.0])
    del model.weight
    assert not hasattr(model, "weight")
    with pytest.raises(AttributeError):
        del model.weight
    model.mean = tg.ones(3)
    assert model.state_dict()["mean"].tolist() == [1, 1, 1]
    model.mean = None
    assert "mean" not in model.state_dict() and names(model.named_buffers()) == []
    model.mean = tg.ones(1)
    assert "mean" in model.state_dict()
    del model.mean
    model.mean = 5      # no buffer any more
    model.register_buffer("other", None)
    model.other = nn.Parameter([1.0])
    assert names(model.named_parameters()) == ["other"] and names(model.named_buffers()) == []
    model.plain = tg.ones(2)
    assert names(model.named_buffers()) == [] and "plain" not in model.state_dict()


def test_a_buffer_may_be_registered_again():
    model = Inner()
    model.register_buffer("mean", tg.ones(1), persistent=False)
    assert model.mean.tolist() == [1] and "mean" not in model.state_dict()


def test_modules_and_parameters_can_be_registered_by_name():
    model = nn.Module()
    model.register_parameter("weight", None)
    model.register_parameter("weight", nn.Parameter([1.0]))
    model.add_module("0", nn.Linear(2, 2))
    model.register_module("empty", None)
    assert names(model.named_parameters()) == ["weight", "0.weight", "0.bias"]
    assert names(model.named_children()) == ["0"]


@pytest.mark.parametrize(("act", "message"), [
    (lambda m: setattr(m, "weight", tg.ones(2)), r"Inner\.weight is a parameter, a Tensor would be none"),
    (lambda m: setattr(m, "mean", np.ones(2)), r"Inner\.mean is a buffer, a ndarray would be none"),
    (lambda m: setattr(m, "train", nn.ReLU()), r"Inner\.train is something that every module has"),
    (lambda m: setattr(m, "forward", nn.Parameter([1.0])), r"Inner\.forward is something"),
    (lambda m: m.register_parameter("a.b", None), "it is not empty, and has no dot"),
    (lambda m: m.register_parameter("", None), "it is not empty"),
    (lambda m: m.register_parameter(5, None), "it is a string"),
    (lambda m: m.register_parameter("mean", None), "Inner has mean already"),
    (lambda m: m.register_parameter("p", tg.ones(1)), "p is a Tensor: pass a Parameter or None"),
    (lambda m: m.register_buffer("weight", tg.ones(1)), "Inner has weight already"),
    (lambda m: m.register_buffer("b", 5), "b is a int: pass a tensor or None"),
    (lambda m: m.register_module("weight", None), "Inner has weight already"),
    (lambda m: m.register_module("m", 5), "m is a int: pass a module or None"),
    (lambda m: m.register_forward_hook(5), "a hook was to be registered that is a int"),
    (lambda m: m.train("yes"), "train: mode is 'yes': it is True or False"),
    (lambda m: m.requires_grad_("no"), "requires_grad_: requires_grad is 'no'"),
    (lambda m: m.get_submodule(5), "get_submodule: target is a int: pass a name"),
    (lambda m: m.get_parameter(None), "get_parameter: target is a NoneType: pass a name"),
])
def test_errors_say_what_and_change_nothing(act, message):
    model = Inner()
    before = dict(vars(model))
    with pytest.raises(ArgumentError, match=message):
        act(model)
    assert vars(model) == before


def test_parameters_are_tensors_of_their_own():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    p = nn.Parameter(x * 2, requires_grad=False)
    assert p.is_leaf and not p.requires_grad and p.tolist() == [2, 4] and isinstance(p, tg.Tensor)
    assert repr(nn.Parameter([1.0])) == "Parameter(tensor([1.], dtype=float64, requires_grad=True))"
    with pytest.raises(ArgumentError, match=r"^Parameter: missing a required argument: 'data'"):
        nn.Parameter()
    with pytest.raises(DTypeError, match=r"^Parameter: a tensor of dtype int64 cannot carry a gradient"):
        nn.Parameter([1, 2])


def test_a_module_is_not_replaced_by_what_is_none():
    model = Outer()
    with pytest.raises(ArgumentError, match=r"Outer\.first is a module, a function would be none"):
        model.first = lambda x: x
    model.first = nn.Identity()
    model.second = None
    assert names(model.named_children()) == ["first", "again"]


def test_a_name_of_the_class_is_not_shadowed_by_registration():
    class Named(nn.Module):
        rate = 0.5

    with pytest.raises(ArgumentError, match=r"Named\.rate is an attribute of the class"):
        Named().register_buffer("rate", tg.ones(1))


def test_what_is_assigned_without_super_init_is_found():
    class Plain(nn.Module):
        def __init__(self):
            self.child = Inner()
            self.register_buffer("b", tg.zeros(1))

        def forward(self, x):
            return self.child(x)

    model = Plain()
    model.register_forward_hook(lambda module, inputs, output: output * 2)
    assert model(tg.ones(2)).tolist() == [2, 4] and model.training
    assert names(model.state_dict().items()) == ["b", "child.weight", "child.mean"]


# ----------------------------------------------------------------------------------------- modes

def test_train_and_eval_reach_everything():
    model = Outer()
    assert model.training and model.first.training
    assert model.eval() is model and not any(m.training for m in model.modules())
    assert model.train() is model and all(m.training for m in model.modules())
    model.first.eval()
    assert model.training and not model.first.training


def test_apply_goes_to_the_children_first():
    seen = []
    model = nn.Sequential(Outer(), nn.ReLU())
    assert model.apply(seen.append) is model
    assert seen == [model[0].first, model[0].second, model[0], model[1], model]


def test_requires_grad_and_zero_grad():
    model = Outer()
    model(tg.ones(2)).sum().backward()
    model.zero_grad(set_to_none=False)
    assert [p.grad.tolist() for p in model.parameters()] == [[0], [0, 0], [0, 0]]
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert model.requires_grad_(False) is model
    assert not model(tg.ones(2)).requires_grad
    assert model.requires_grad_()(tg.ones(2)).requires_grad


# ---------------------------------------------------------------------------------------- dtypes

def test_dtypes_change_in_place():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    model[2].weight = nn.Parameter(np.ones((1, 2)))
    model.tied = model[2].weight
    optimizer = tg.optim.SGD(model.parameters(), lr=0.5)
    parameters = list(model.parameters())
    model(tg.ones(3, 2)).sum().backward()
    assert model.to(tg.float32) is model
    assert all(p is q for p, q in zip(parameters, model.parameters()))
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model[1].running_var.dtype == np.float32 and model[1].num_batches_tracked.dtype == np.int64
    before = model[2].bias.item()
    optimizer.step()
    # The optimizer still holds the parameters.
    assert model[2].bias.item() == pytest.approx(before - 0.5 * 3)
    model.zero_grad()
    assert model(tg.ones(3, 2, dtype=tg.float32)).dtype == np.float32
    assert model.double()[0].weight.dtype == np.float64
    assert model.half()[0].weight.dtype == np.float16
    assert model.float()[0].weight.dtype == np.float32
    assert model.to(tg.ones(1))[0].weight.dtype == np.float64
    assert model.to("cpu", tg.float32)[0].weight.dtype == np.float32
    assert model.to(device="cpu", dtype=tg.float64)[0].weight.requires_grad
    version = model[0].weight._version
    assert model.cpu() is model.to("cpu") is model and model[0].weight._version == version


def test_dtypes_and_devices_that_do_not_serve():
    model = Inner()
    with pytest.raises(DTypeError, match="pass a floating dtype"):
        model.to(tg.int64)
    with pytest.raises(DTypeError, match="float33"):
        model.to("float33")
    for call in (lambda: model.to("cuda"), model.cuda, lambda: nn.ReLU().to(device="mps")):
        with pytest.raises(ArgumentError, match="the only one is 'cpu'"):
            call()
    assert model.weight.dtype == np.float64


def test_a_leaf_takes_another_dtype_by_its_data():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    w.data = tg.tensor([3.0, 4.0], dtype=tg.float32)
    assert w.dtype == np.float32 and w.requires_grad and w.tolist() == [3, 4]
    (w * w).sum().backward()
    assert w.grad.dtype == np.float32
    with pytest.raises(ValueError, match="data"):
        w.data = tg.ones(2)             # its gradient is float32
    w.grad = None
    for wrong in (tg.tensor([1, 2]), tg.ones(3)):
        with pytest.raises(ValueError, match="data"):
            w.data = wrong
    y = w * 2
    with pytest.raises(ValueError, match="data"):
        y.data = tg.ones(2)
    numbers = tg.tensor([1, 2])
    with pytest.raises(ValueError, match="data"):
        numbers.data = tg.ones(2)
    assert numbers.dtype == np.int64


# ---------------------------------------------------------------------------------------- copies

@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_apart_and_keep_what_is_tied(copied, rng):
    model = Outer()
    model.first.requires_grad_(False)
    model.second.eval()
    other = copied(model)
    assert type(other) is Outer and other.again is other.first and other.tied is other.second.weight
    assert not other.first.weight.requires_grad and not other.second.training and other.training
    assert names(other.named_buffers()) == names(model.named_buffers())
    assert list(other.state_dict()) == list(model.state_dict())
    with tg.no_grad():
        other.scale += 1
        other.first.mean += 1
    assert model.scale.item() == 3 and model.first.mean.tolist() == [0, 0]
    x = tg.tensor(rng.standard_normal(2))
    other.load_state_dict(model.state_dict())
    assert other(x).tolist() == model(x).tolist()


def whole_zoo():
    """Return a module of every class that can be made in a line."""
    given = {
        "Bilinear": (2, 3, 4), "Conv1d": (2, 4, 3), "Conv2d": (2, 4, 3), "ConvTranspose1d": (2, 4, 3),
        "ConvTranspose2d": (2, 4, 3), "Embedding": (5, 3), "Linear": (2, 3), "BatchNorm1d": (3,),
        "BatchNorm2d": (3,), "GroupNorm": (2, 4), "InstanceNorm1d": (3,), "InstanceNorm2d": (3,),
        "LayerNorm": (3,), "RMSNorm": (3,), "LocalResponseNorm": (2,), "RNN": (2, 3), "GRU": (2, 3),
        "LSTM": (2, 3), "RNNCell": (2, 3), "GRUCell": (2, 3), "LSTMCell": (2, 3), "Fold": (4, 2),
        "Unfold": (2,), "MultiheadAttention": (4, 2), "TransformerEncoderLayer": (4, 2, 8),
        "TransformerEncoder": (nn.Linear(2, 2), 2), "Unflatten": (1, (2, 3)), "Threshold": (0.1, 2.0),
        "ThresholdedReLU": (1.0,), "Softmax": (1,), "LogSoftmax": (1,), "Softmin": (1,),
        "PixelShuffle": (2,), "PixelUnshuffle": (2,),
    }
    for name in nn.__all__:
        kind = getattr(nn, name)
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            continue
        window = (2,) if "Pool" in name else (1,) if "Pad" in name else ()
        window = (1, 5.0) if "ConstantPad" in name else window
        yield kind(*given.get(name, window))


@pytest.mark.parametrize("module", list(whole_zoo()), ids=lambda m: type(m).__name__)
def test_every_module_is_copied_pickled_shown_and_documented(module):
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert type(other) is type(module) and repr(other) == repr(module)
        assert list(other.state_dict()) == list(module.state_dict())
        for p, q in zip(other.state_dict().values(), module.state_dict().values()):
            np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert repr(module).startswith(f"{type(module).__name__}(")
    assert len(type(module).__doc__) > 20 and type(module).__module__.startswith("tinygrad_relu.nn.")


# ----------------------------------------------------------------------------------------- words

def test_repr_shows_the_tree_and_counts():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
            self.head = nn.Linear(3, 1, bias=False)

        def extra_repr(self):
            return "kind=test"

    model = Net()
    model.head.requires_grad_(False)
    assert repr(model) == """\
Net(
  kind=test
  (body): Sequential(
    (0): Linear(in_features=2, out_features=3, bias=True)
    (1): Tanh()
  )  # 9 parameters
  (head): Linear(in_features=3, out_features=1, bias=False)
)  # 12 parameters, 3 of them frozen"""
    assert repr(nn.Sequential(nn.PReLU())).endswith(")  # 1 parameter")
    assert repr(nn.Sequential()) == "Sequential()"
