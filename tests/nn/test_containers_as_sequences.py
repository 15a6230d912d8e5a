"""Containers under Python's operators for sequences, and sequences padded to one length."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.nn.utils.rnn import pad_sequence


def test_parameters_and_modules_are_added_in_place():
    weights = same = nn.ParameterList([tg.ones(1)])
    weights += [nn.Parameter([2.0]), np.array([3.0])]
    assert weights is same and [p.item() for p in weights] == [1, 2, 3]
    assert [name for name, _ in weights.named_parameters()] == ["0", "1", "2"]
    model = nn.Sequential(nn.ReLU())
    held = model
    model += nn.Sequential(nn.Tanh())
    assert model is held and [type(m).__name__ for m in model] == ["ReLU", "Tanh"]
    model += model
    assert len(model) == 4


def test_modules_several_times_in_a_row_are_the_same_ones():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    with tg.no_grad():
        model[0].weight[...] = 3.0
    for twice in (model * 2, 2 * model):
        assert len(twice) == 4 and twice[2] is model[0] and len(list(twice.parameters())) == 1
        assert twice(tg.tensor([[2.0]])).item() == 18
    held = model
    model *= 3
    assert model is held and len(model) == 6 and model(tg.tensor([[1.0]])).item() == 27
    for wrong, error in ((0, RangeError), (-1, RangeError), (1.5, ArgumentError), ("2", ArgumentError)):
        with pytest.raises(error, match="Sequential: the number of times"):
            model * wrong
    assert len(model) == 6


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_padded_sequences_and_their_gradients(rng, side, batch_first):
    arrays = [rng.normal(size=(n, 2)) for n in (3, 1, 0, 4)]
    wanted = np.full((4, 4, 2), -7.0)
    for row, array in zip(wanted, arrays):
        row[slice(0, len(array)) if side == "right" else slice(4 - len(array), 4)] = array
    given = [tg.tensor(a, requires_grad=True) for a in arrays]
    found = pad_sequence(given, batch_first, -7.0, side)
    np.testing.assert_array_equal(found.detach(), wanted if batch_first else wanted.swapaxes(0, 1))
    (found * found).sum().backward()
    for x, array in zip(given, arrays):
        np.testing.assert_array_equal(x.grad, 2 * array)


def test_padding_keeps_integers_and_says_what_does_not_fit():
    found = pad_sequence([tg.tensor([1, 2]), tg.tensor([3])], batch_first=True, padding_value=-100)
    assert found.dtype == np.int64 and found.tolist() == [[1, 2], [3, -100]]
    with pytest.raises(ShapeError, match=r"shapes \(1, 2\), \(1, 3\)"):
        pad_sequence([tg.ones(1, 2), tg.ones(1, 3)])
    with pytest.raises(ShapeError, match="one axis or more"):
        pad_sequence([tg.tensor(1.0)])
    with pytest.raises(ArgumentError, match="sequences is empty"):
        pad_sequence([])
    with pytest.raises(ArgumentError, match="padding_side is 'up'"):
        pad_sequence([tg.ones(1)], padding_side="up")
