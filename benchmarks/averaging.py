"""Whether gradients are averaged while the walk back goes on: start it with ``mpiexec -n 2 python``.

The same net with buckets of some MiB, and with one bucket, which is complete only when the walk is over.
"""

import statistics
from itertools import pairwise
from time import perf_counter

import numpy as np

import tinygrad_relu as tg
import tinygrad_relu.distributed as dist

WIDTHS = (512, 1024, 1024, 1024, 1024, 10)
ROWS, ROUNDS = 256, 21
KINDS = "sent", "received"


def net():
    """Return linear layers with a ReLU between each two."""
    layers = [tg.nn.Linear(a, b) for a, b in pairwise(WIDTHS)]
    return tg.nn.Sequential(*[part for layer in layers for part in (layer, tg.nn.ReLU())][:-1])


def milliseconds(model, x, averaged=True):
    """Return how long a pass back takes."""
    model.zero_grad()
    loss = model(x).square().mean()
    dist.barrier()
    begun = perf_counter()
    if averaged:
        loss.backward()
    else:
        with model.no_sync():
            loss.backward()
    return 1000 * (perf_counter() - begun)


def main():
    """Measure in turn, so that what else the machine does is shared alike."""
    dist.init_process_group("mpi")
    x = tg.tensor(np.random.default_rng(dist.get_rank()).normal(size=(ROWS, WIDTHS[0])))
    models = {f"buckets of {size} MiB": dist.DistributedDataParallel(net(), bucket_cap_mb=size)
              for size in (1, 8)}
    models["one bucket"] = dist.DistributedDataParallel(net(), bucket_cap_mb=1e6)
    times = {name: [] for name in (*models, "not averaged")}
    before = []
    for _ in range(ROUNDS):
        for name, model in models.items():
            times[name].append(milliseconds(model, x))
        times["not averaged"].append(milliseconds(model, x, averaged=False))
        log = models["buckets of 1 MiB"].averages.log
        walked = next(at for what, _, at in log if what == "walked")
        before.append([sum(what == kind and at < walked for what, _, at in log) for kind in KINDS])
    if dist.get_rank() == 0:
        for name, some in times.items():
            print(f"{name:20} {statistics.median(some):8.1f} ms for the pass back")
        count = len(models["buckets of 1 MiB"].averages.buckets)
        sent, received = (statistics.median(numbers) for numbers in zip(*before))
        print(f"of {count} buckets of 1 MiB, {sent} were sent and {received} received within the walk")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
