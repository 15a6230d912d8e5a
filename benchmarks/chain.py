"""A chain of ops: the time of each op must not grow with the length of the chain."""

import time

import tinygrad_relu as tg


def per_op(length):
    """Return how long one op of a chain takes to build, walk and free, in seconds."""
    x = tg.tensor(1.0, requires_grad=True)
    start = time.perf_counter()
    y = x
    for _ in range(length):
        y = y * 1.0
    y.backward()
    del y
    return (time.perf_counter() - start) / length


def lengths():
    """Return the best time per op of chains of 10,000, 100,000 and 1,000,000 ops."""
    return {length: min(per_op(length) for _ in range(5)) for length in (10_000, 100_000, 1_000_000)}
