"""What test_distributed.py runs by ``mpiexec -n 4 python distributed_program.py NAME``."""

import os
import signal
import sys
import time

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.distributed as dist
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError, GroupError, RangeError
from tinygrad_relu.nn.parallel import DistributedDataParallel

OPERATIONS = {
    dist.ReduceOp.SUM: np.sum, dist.ReduceOp.PRODUCT: np.prod, dist.ReduceOp.MIN: np.min,
    dist.ReduceOp.MAX: np.max, dist.ReduceOp.AVG: np.mean,
}


def check_all_reduce(rank, size):
    for dtype in ("float16", "float32", "float64", "longdouble", "int8", "int64", "uint16", "bool"):
        for op, function in OPERATIONS.items():
            of_all = np.arange(1, size * 6 + 1).reshape(size, 2, 3) % 5 + 1
            of_all = (of_all > 2 if dtype == "bool" else of_all).astype(dtype)
            t = tg.asarray(of_all[rank].copy().T)
            refused = dtype == "bool" and op not in (dist.ReduceOp.MIN, dist.ReduceOp.MAX)
            if refused or (t.dtype.kind != "f" and op is dist.ReduceOp.AVG):
                with pytest.raises(DTypeError):
                    dist.all_reduce(t, op)
            else:
                dist.all_reduce(t, op)
                assert t.dtype == np.dtype(dtype)
                wanted = function(of_all, axis=0).T
                if op is dist.ReduceOp.PRODUCT and dtype == "int8":
                    wanted = wanted.astype("int8")
                np.testing.assert_array_equal(t.numpy(), wanted.astype(dtype))
    with pytest.raises(ArgumentError, match="op is 'sum'"):
        dist.all_reduce(tg.ones(1), "sum")


def check_changes_are_seen_by_the_engine(rank, size):
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    dist.all_reduce(y.detach())
    with pytest.raises(tg.errors.MutationError):
        z.backward()
    dist.all_reduce(x)
    assert x.is_leaf and x.requires_grad and x.tolist() == [size, size]


def check_broadcast_and_gather(rank, size):
    for src in range(size):
        for t in (tg.full((2, 3), float(rank)), tg.tensor(rank), tg.tensor([rank > 0]), tg.zeros(0)):
            dist.broadcast(t, src)
            assert (t == (src > 0 if t.dtype == bool else src)).all()
    for src in (-1, size, True, 0.5):
        with pytest.raises(RangeError, match="broadcast: src is"):
            dist.broadcast(tg.ones(1), src)
    places = [tg.zeros((2, 1), dtype=tg.float16) for _ in range(size)]
    dist.all_gather(places, tg.full((2, 1), rank, dtype=tg.float16))
    assert [p.tolist() for p in places] == [[[k], [k]] for k in range(size)]
    with pytest.raises(ArgumentError, match="tensors for"):
        dist.all_gather(places[1:], places[0])
    with pytest.raises(ArgumentError, match="shape"):
        dist.all_gather(places, tg.ones(3))
    dist.barrier()


class Net(nn.Module):
    """Two branches, of which a call takes one, and a buffer that counts."""

    def __init__(self, generator, dtype=np.float64):
        super().__init__()
        self.first = nn.Linear(6, 20, generator=generator)
        self.left = nn.Linear(20, 3, generator=generator)
        self.right = nn.Linear(20, 3, generator=generator)
        self.never = nn.Linear(2, 2, generator=generator)
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.halves = nn.Parameter(np.ones(3, np.float16))
        self.frozen = nn.Parameter(generator.normal(size=3), requires_grad=False)
        self.count = tg.zeros(1)

    def buffers(self, recurse=True):
        return iter([self.count])

    def forward(self, x, branch):
        x = tg.relu(self.first(x))
        x = tg.relu(self.left(x) if branch == "left" else self.right(x))
        return x * self.scale * self.halves + self.frozen


def global_data(size):
    return np.random.default_rng(5).normal(size=(4 * size, 6))


def averaged_by_hand(size, branches):
    """Return the gradients that one process finds: the mean over what each would find."""
    net = Net(np.random.default_rng(0))
    losses = [
        net(tg.tensor(global_data(size)[k::size]), branches[k]).square().mean() for k in range(size)
    ]
    (sum(losses) / size).backward()
    return {name: p.grad for name, p in net.named_parameters()}


def assert_grads(net, wanted):
    for name, p in net.named_parameters():
        if wanted[name] is None:
            assert p.grad is None, name
        else:
            assert p.grad.dtype == p.dtype
            tolerance = {2: 2e-3, 4: 1e-6, 8: 1e-13}[p.dtype.itemsize]
            np.testing.assert_allclose(p.grad, wanted[name], rtol=tolerance, atol=tolerance, err_msg=name)


def check_gradients(rank, size):
    """Average gradients in buckets of any size, also of parameters that only some have used."""
    for branches in (["left"] * size, ["left", *["right"] * (size - 1)]):
        wanted = averaged_by_hand(size, branches)
        for capacity in (1e-6, 1e-3, 1):
            net = Net(np.random.default_rng(rank))
            model = DistributedDataParallel(net, bucket_cap_mb=capacity, find_unused_parameters=True)
            x = tg.tensor(global_data(size)[rank::size])
            for _ in range(2):
                net.zero_grad()
                model(x, branches[rank]).square().mean().backward()
                assert_grads(net, wanted)
            assert net.never.weight.grad is None and net.frozen.grad is None


def check_start_and_buffers(rank, size):
    net = Net(np.random.default_rng(rank))
    net.count += rank
    model = DistributedDataParallel(net)
    for a, b in zip(net.parameters(), Net(np.random.default_rng(0)).parameters(), strict=True):
        np.testing.assert_array_equal(a.detach(), b.detach())
    assert net.count.item() == 0
    net.count += 10 + rank
    model(tg.ones(1, 6), "left")
    assert net.count.item() == 10
    still = DistributedDataParallel(net, broadcast_buffers=False)
    net.count += rank
    still(tg.ones(1, 6), "left")
    assert net.count.item() == 10 + rank


def check_no_sync(rank, size):
    """Gradients that were added up under no_sync are averaged with the next ones."""
    branches = ["left"] * size
    wanted = averaged_by_hand(size, branches)
    net = Net(np.random.default_rng(rank))
    model = DistributedDataParallel(net)
    x = tg.tensor(global_data(size)[rank::size])
    with model.no_sync():
        model(x, branches[rank]).square().mean().backward()
        local = net.first.weight.grad.numpy().copy()
        model(x, branches[rank]).square().mean().backward()
        np.testing.assert_allclose(net.first.weight.grad, 2 * local, rtol=1e-12)
    assert abs(local - wanted["first.weight"].numpy()).max() > 1e-3
    model(x, branches[rank]).square().mean().backward()
    assert_grads(net, {name: None if g is None else 3 * g for name, g in wanted.items()})


def check_sent_while_walking(rank, size):
    net = nn.Sequential(*[nn.Linear(30, 30) for _ in range(5)])
    model = DistributedDataParallel(net, bucket_cap_mb=30 * 31 * 8 / 2**20)
    walked_before = []
    net[0].weight.register_hook(lambda g: walked_before.append(model.averages.sent))
    model(tg.ones(2, 30)).sum().backward()
    events = [(what, number) for what, number, _ in model.averages.log]
    # The last bucket holds the weight with a hook, which is complete when the hook was called.
    assert events.index(("walked", None)) > events.index(("sent", 4))
    for what in ("sent", "received"):
        assert sorted(k for kind, k in events if kind == what) == list(range(5)), events
    assert [k for kind, k in events if kind == "sent"] == list(range(5))
    assert all(events.index(("sent", k)) < events.index(("received", k)) for k in range(5))
    times = [at for _, _, at in model.averages.log]
    assert times == sorted(times)
    assert walked_before == [4]


def check_hooks_on_leaves(rank, size):
    """What a hook makes of a gradient is averaged, as in PyTorch, and those after see the average."""
    net = nn.Linear(2, 1, bias=False)
    seen = []
    model = DistributedDataParallel(net)
    net.weight.register_hook(lambda g: 10 * g)
    net.weight.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    model(tg.full((1, 2), float(rank))).sum().backward()
    mean = 10 * sum(range(size)) / size
    assert net.weight.grad.tolist() == [[mean, mean]] and seen == [[[mean, mean]]]


def check_shared_and_outside_uses(rank, size):
    """A parameter that is used twice, and outside of the module, too."""
    net = nn.Linear(3, 3, bias=False)
    model = DistributedDataParallel(net)
    x = tg.full((1, 3), rank + 1.0)
    with tg.no_grad():
        net.weight.copy_(tg.eye(3))
    loss = model(model(x)).sum() + (rank + 1) * (net.weight * net.weight).sum()
    loss.backward()
    mean = (size + 1) / 2
    # The product of x with the square of the matrix has at the identity the derivative x_i + x_j.
    np.testing.assert_allclose(net.weight.grad, 2 * mean + 2 * mean * np.eye(3))


def check_no_gradient_here(rank, size):
    """In rank 0 nothing flows to any parameter."""

    class Constant(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return None

    net = nn.Linear(2, 1, bias=False)
    model = DistributedDataParallel(net)
    y = model(tg.ones(1, 2)).sum()
    (Constant.apply(y) if rank == 0 else y).backward()
    assert net.weight.grad.tolist() == [[(size - 1) / size] * 2]


def check_errors(rank, size):
    with pytest.raises(ArgumentError, match="a int was given"):
        DistributedDataParallel(3)
    with pytest.raises(RangeError, match="bucket_cap_mb"):
        DistributedDataParallel(nn.Linear(1, 1), bucket_cap_mb=0)
    with pytest.raises(GroupError, match=r"rank .* has .*weight.* and rank"):
        DistributedDataParallel(nn.Linear(2, 1 + rank % 2))
    with pytest.raises(GroupError, match="there already"):
        dist.init_process_group()
    model = DistributedDataParallel(nn.Linear(2, 1))
    loss = model(tg.ones(2, 2)).sum()
    with pytest.raises(GraphError, match="create_graph"):
        loss.backward(create_graph=True)
    (g,) = tg.autograd.grad(model(tg.ones(2, 2)).sum(), model.module.bias)
    assert g.item() == 2 and model.module.bias.grad is None
    x = tg.ones(2, 2) + rank
    y = model(x.requires_grad_())
    y.register_hook(lambda g: 1 / 0)
    z = model(x).sum() + y.sum()
    with pytest.raises(ZeroDivisionError):
        z.backward()
    with pytest.raises(GraphError, match="earlier backward was not finished"):
        model(x).sum().backward()


def check_sampler_of_the_group(rank, size):
    sampler = dist.DistributedSampler(range(10), shuffle=False)
    assert (sampler.rank, sampler.num_replicas) == (rank, size)
    mine = tg.asarray(np.bincount(list(sampler), minlength=10))
    dist.all_reduce(mine)
    assert mine.min() == 1 and mine.sum() == -(-10 // size) * size


def train(rank, size):
    """Return the losses of a few steps, the same for any number of processes."""
    data = np.random.default_rng(3).normal(size=(48, 6))
    net = nn.Sequential(
        nn.Linear(6, 16, generator=np.random.default_rng(rank)), nn.ReLU(),
        nn.Linear(16, 2, generator=np.random.default_rng(rank + 1)),
    )
    model = DistributedDataParallel(net, bucket_cap_mb=1e-4)
    if rank == 0 and size == 1:
        assert model.averages is None
    optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
    sampler, losses = dist.DistributedSampler(data), []
    for epoch in range(4):
        sampler.set_epoch(epoch)
        mine = np.array(list(sampler))
        for part in mine.reshape(-1, 8 // size):
            loss = (model(tg.tensor(data[part])) - tg.tensor(data[part, :2])).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            shared = tg.tensor([loss.item()])
            dist.all_reduce(shared, dist.ReduceOp.AVG)
            losses.append(shared.item())
    return losses


def end(how, rank):
    """Let rank 1 end in one of many ways, while the others wait for it."""
    if rank == 1:
        if how == "raise":
            raise ValueError("rank 1 has had enough")
        if how == "exit":
            sys.exit(3)
        if how == "return":
            return
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "sleep":
            time.sleep(100)
    dist.all_reduce(tg.ones(2))


def main(what):
    dist.init_process_group("mpi", timeout=1.5 if what == "sleep" else 60)
    rank, size = dist.get_rank(), dist.get_world_size()
    if what == "checks":
        for name, check in list(globals().items()):
            if name.startswith("check_"):
                check(rank, size)
                dist.barrier()
                if rank == 0:
                    print(f"passed: {name}", flush=True)
    elif what == "train":
        losses = train(rank, size)
        if rank == 0:
            print(*[repr(x) for x in losses])
    else:
        end(what, rank)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
