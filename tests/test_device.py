"""The one device, and the switches and names around it that scripts for PyTorch use."""

import pickle

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError

X = tg.ones(2, 2)
MAKERS = {
    "arange": lambda **where: tg.arange(3, **where),
    "as_tensor": lambda **where: tg.as_tensor([1.0], **where),
    "asarray": lambda **where: tg.asarray(X, **where),
    "bernoulli": lambda **where: tg.bernoulli(X, **where),
    "empty": lambda **where: tg.empty(2, **where),
    "empty_like": lambda **where: tg.empty_like(X, **where),
    "eye": lambda **where: tg.eye(2, **where),
    "full": lambda **where: tg.full((2,), 1.0, **where),
    "full_like": lambda **where: tg.full_like(X, 1.0, **where),
    "linspace": lambda **where: tg.linspace(0, 1, 3, **where),
    "logspace": lambda **where: tg.logspace(0, 1, 3, **where),
    "new_empty": lambda **where: X.new_empty(2, **where),
    "new_full": lambda **where: X.new_full((2,), 1.0, **where),
    "new_ones": lambda **where: X.new_ones(2, **where),
    "new_tensor": lambda **where: X.new_tensor([1.0], **where),
    "new_zeros": lambda **where: X.new_zeros(2, **where),
    "normal": lambda **where: tg.normal(0.0, 1.0, (2,), **where),
    "ones": lambda **where: tg.ones(2, **where),
    "ones_like": lambda **where: tg.ones_like(X, **where),
    "rand": lambda **where: tg.rand(2, **where),
    "rand_like": lambda **where: tg.rand_like(X, **where),
    "randint": lambda **where: tg.randint(0, 3, (2,), **where),
    "randint_like": lambda **where: tg.randint_like(X, 3, **where),
    "randn": lambda **where: tg.randn(2, **where),
    "randn_like": lambda **where: tg.randn_like(X, **where),
    "randperm": lambda **where: tg.randperm(3, **where),
    "tensor": lambda **where: tg.tensor([1.0], **where),
    "tril_indices": lambda **where: tg.tril_indices(2, 2, **where),
    "triu_indices": lambda **where: tg.triu_indices(2, 2, **where),
    "zeros": lambda **where: tg.zeros(2, **where),
    "zeros_like": lambda **where: tg.zeros_like(X, **where),
}


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_what_makes_a_tensor_takes_the_one_device_and_refuses_others(name):
    make = MAKERS[name]
    for device in ("cpu", "cpu:0", tg.device("cpu"), X.device, None):
        made = make(device=device)
        assert made.device == "cpu" and (made.shape, made.dtype) == (make().shape, make().dtype)
    for device in ("cuda", "cuda:1", "mps", 0):
        with pytest.raises(ArgumentError, match=rf"device '{device}' is not there.*'cpu'"):
            make(device=device)


def test_a_device_is_its_name():
    device = tg.device("cpu", 0)
    assert device == "cpu" == str(device) and device.type == "cpu" and device.index is None
    assert isinstance(X.device, tg.device) and pickle.loads(pickle.dumps(device)).type == "cpu"
    assert repr(device) == "device(type='cpu')" and tg.device(device) == device and "cuda" not in device
    with pytest.raises(ArgumentError, match="device 'cuda' is not there"):
        tg.device("cuda")
    assert tg.get_default_device() == device and tg.set_default_device(device) is None
    with pytest.raises(ArgumentError, match="set_default_device"):
        tg.set_default_device("cuda")


def test_there_is_no_other_device():
    for where in (tg.cuda, tg.backends.mps, tg.backends.cudnn, tg.accelerator):
        assert where.is_available() is False
    assert tg.cuda.device_count() == tg.accelerator.device_count() == tg.cuda.memory_allocated() == 0
    assert tg.accelerator.current_accelerator() is None and not tg.cuda.is_bf16_supported()
    assert not X.is_cuda and X.pin_memory() is X and (X.nbytes, X.itemsize) == (32, 8)


def test_seeds_of_other_devices_leave_ours_alone():
    tg.manual_seed(3)
    expected = tg.rand(2).tolist()
    tg.manual_seed(3)
    tg.cuda.manual_seed(5)
    tg.cuda.manual_seed_all(5)
    tg.cuda.empty_cache()
    assert tg.rand(2).tolist() == expected


def test_seeds_are_told():
    tg.manual_seed(3)
    assert tg.initial_seed() == 3
    drawn = tg.seed()
    assert drawn == tg.initial_seed() != tg.seed()
    first = tg.Generator("cpu").manual_seed(drawn)
    second = tg.Generator(device="cpu").manual_seed(first.initial_seed())
    assert tg.rand(3, generator=first).tolist() == tg.rand(3, generator=second).tolist()
    assert first.seed() == first.initial_seed() != drawn
    with pytest.raises(ArgumentError, match="Generator: device 'cuda'"):
        tg.Generator(device="cuda")


def test_switches_may_be_set():
    tg.backends.cudnn.benchmark = True
    tg.backends.cuda.matmul.allow_tf32 = True
    tg.use_deterministic_algorithms(True)
    tg.set_float32_matmul_precision("high")
    assert tg.are_deterministic_algorithms_enabled() and tg.get_float32_matmul_precision() == "highest"
    with pytest.raises(ArgumentError, match="'low'"):
        tg.set_float32_matmul_precision("low")


def test_compile_gives_back_what_it_is_given():
    model = tg.nn.Linear(2, 2)
    assert tg.compile(model, mode="max-autotune") is model
    assert tg.compile(fullgraph=True)(len) is len
    with pytest.raises(ArgumentError, match="model is a int"):
        tg.compile(3)
    with pytest.raises(ArgumentError, match="speed"):
        tg.compile(model, speed=2)


def test_mixed_precision_changes_nothing():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    optimizer, scaler = tg.optim.SGD([w], lr=0.5), tg.cuda.amp.GradScaler(enabled=True)
    with tg.autocast("cuda", dtype=tg.float16):
        loss = (w * w).sum()
    assert loss.dtype == np.float64 and scaler.scale(loss) is loss
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert w.tolist() == [0.0, 0.0] and scaler.get_scale() == 1 and not scaler.is_enabled()
    scaler.load_state_dict(scaler.state_dict())

    @tg.amp.autocast("cpu")
    def twice(x):
        return 2 * x

    assert twice(3) == 6
    with pytest.raises(ArgumentError, match=r"GradScaler\.step"):
        scaler.step(3)


def test_a_dtype_that_is_absent_is_named_by_what_refuses_it():
    for use in (lambda: tg.zeros(2, dtype=tg.bfloat16), lambda: X.to(tg.bfloat16)):
        with pytest.raises(DTypeError, match=r"bfloat16.*float32"):
            use()


def test_older_names_of_tensors():
    for name, dtype in (("FloatTensor", "float32"), ("LongTensor", "int64"), ("DoubleTensor", "float64"),
                        ("BoolTensor", "bool"), ("ByteTensor", "uint8"), ("IntTensor", "int32")):
        kind = getattr(tg, name)
        made = kind([[0, 1]])
        assert made.dtype == dtype and made.tolist() == [[0, 1]] and kind(2, 3).shape == (2, 3)
        assert X.type(kind).dtype == dtype and kind().shape == (0,)
    source = np.zeros(2)
    made = tg.DoubleTensor(source)
    source[0] = 1
    assert made.tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="LongTensor"):
        tg.LongTensor([1], [2])
    assert tg.autograd.Variable(X, requires_grad=False) is X
    assert tg.autograd.Variable(tg.ones(1), requires_grad=True).requires_grad


def test_pythons_floats_get_the_default_dtype():
    try:
        tg.set_default_dtype(tg.float32)
        for data in (1.5, [1, 2.5], ((1.5,), (2,))):
            assert tg.tensor(data).dtype == tg.as_tensor(data).dtype == np.float32
        assert tg.arange(0, 1, 0.5).dtype == np.float32 and tg.arange(3).dtype == np.int64
        for data in (np.ones(2), [np.ones(2)], np.float64(1.0)):
            assert tg.tensor(data).dtype == np.float64
        assert tg.tensor([1, 2]).dtype == np.int64
        assert tg.tensor([1.5], dtype=tg.float64).dtype == np.float64
        assert tg.tensor([tg.tensor(1.5, dtype=tg.float64)]).dtype == np.float64
    finally:
        tg.set_default_dtype(tg.float64)


def test_arguments_by_their_names():
    assert tg.arange(start=1, end=6, step=2).tolist() == [1, 3, 5] == tg.arange(1, 6, step=2).tolist()
    assert tg.arange(end=2).tolist() == [0, 1] and tg.arange(2, step=1).tolist() == [0, 1]
    assert tg.linspace(start=0, end=1, steps=3).tolist() == [0, 0.5, 1]
    for make in (tg.zeros, tg.ones, tg.empty, tg.rand, tg.randn):
        assert make(size=(2, 3)).shape == (2, 3) == make((2, 3)).shape and make().shape == ()
    assert tg.eye(n=2, m=3).shape == (2, 3)
    with pytest.raises(ArgumentError, match="arange: end is missing"):
        tg.arange()


def test_unbiased_is_a_correction():
    x = np.random.default_rng(0).standard_normal((3, 5))
    t = tg.tensor(x)
    for unbiased in (False, True):
        for name in ("var", "std"):
            expected = getattr(np, name)(x, axis=1, ddof=int(unbiased))
            np.testing.assert_allclose(getattr(t, name)(1, unbiased=unbiased), expected, rtol=1e-14)
            pair = getattr(tg, f"{name}_mean")(t, dim=1, unbiased=unbiased)
            np.testing.assert_allclose(pair[0], expected, rtol=1e-14)


def test_a_generator_of_ours_draws_samples():
    weights = tg.tensor([[0.2, 0.8], [0.5, 0.5]])
    first, second = (
        tg.multinomial(weights, 20, replacement=True, generator=tg.Generator().manual_seed(4))
        for _ in range(2)
    )
    assert tg.equal(first, second)
    with pytest.raises(ArgumentError, match="multinomial: generator is a int"):
        tg.multinomial(weights, 1, generator=3)


def test_printing():
    x = tg.tensor([1 / 3, -2e-5, 1e4])
    try:
        assert tg.set_printoptions(precision=2, sci_mode=False) is None
        assert repr(x) == "tensor([    0.33,    -0.  , 10000.  ], dtype=float64)"
        tg.set_printoptions(sci_mode=True)
        assert repr(x) == "tensor([3.33e-01, -2.00e-05, 1.00e+04], dtype=float64)"
        tg.set_printoptions(profile="short", threshold=5)
        assert repr(tg.arange(9)) == "tensor([0, 1, ..., 7, 8], dtype=int64)"
        tg.set_printoptions(profile="full")
        assert "..." not in repr(tg.arange(2000))
        for many in (float("inf"), 10**30):
            tg.set_printoptions(many, many, many, many, profile="default")
            assert "..." not in repr(tg.arange(2000)) and "0.5" in repr(tg.tensor([0.5, 1 / 3]))
        tg.set_printoptions(profile="default", linewidth=20)
        assert max(map(len, repr(tg.arange(20)).split("dtype")[0].splitlines())) <= 20
        with pytest.raises(ArgumentError, match="'loud'"):
            tg.set_printoptions(profile="loud")
        with pytest.raises(RangeError, match="negative"):
            tg.set_printoptions(precision=-1)
    finally:
        tg.set_printoptions(profile="default")
    assert repr(x) == "tensor([ 3.33333333e-01, -2.00000000e-05,  1.00000000e+04], dtype=float64)"
