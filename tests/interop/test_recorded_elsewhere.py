"""Data that PyTorch records: where its gradient would be lost, an error says so."""

import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import GraphError


class Recorded:
    """What answers NumPy as a tensor of PyTorch's does that requires a gradient."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use detach() instead.")


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("out of order")


MAKERS = {"tensor": tg.tensor, "asarray": tg.asarray, "Parameter": tg.nn.Parameter}


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_recorded_elsewhere_is_to_be_detached(name):
    message = rf"^{name}: data is recorded by PyTorch.*data\.detach\(\).*interop\.torch_function"
    for data in (Recorded(), [Recorded(), Recorded()]):
        with pytest.raises(GraphError, match=message):
            MAKERS[name](data)
    with pytest.raises(RuntimeError, match=r"^out of order$"):
        MAKERS[name](Broken())


# Some releases of PyTorch do not know NumPy's keyword `copy`, and NumPy says so.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", MAKERS)
def test_pytorch_itself_says_that(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = torch.ones(2, requires_grad=True)
    for data in (x, 2 * x):
        with pytest.raises(GraphError, match=f"^{name}: data is recorded by PyTorch"):
            MAKERS[name](data)
    assert MAKERS[name](x.detach()).tolist() == [1, 1]
