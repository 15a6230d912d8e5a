"""The generator that is used where none is given."""

import pytest

import tinygrad_relu as tg


@pytest.mark.parametrize("seeded", [True, False])
def test_what_a_forked_block_draws_leaves_no_trace(seeded):
    tg.manual_seed(5)
    expected = tg.rand(3).tolist()
    tg.manual_seed(5)
    with tg.random.fork_rng():
        if seeded:
            tg.manual_seed(6)
        assert (tg.rand(3).tolist() != expected) is seeded
    assert tg.initial_seed() == 5
    assert tg.rand(3).tolist() == expected


def test_a_block_that_is_not_forked_draws_on():
    tg.manual_seed(5)
    first = tg.rand(6).tolist()
    tg.manual_seed(5)
    with tg.random.fork_rng(enabled=False):
        tg.rand(3)
    assert tg.rand(3).tolist() == first[3:]
