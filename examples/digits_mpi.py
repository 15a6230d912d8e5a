"""Read handwritten digits with a net that several processes train together.

    mpiexec -n 2 python examples/digits_mpi.py
    python examples/digits_mpi.py

Each process takes its share of every batch, and gradients are averaged on the way back, so that the
losses are those of one process, to rounding.  It needs scikit-learn, matplotlib and rich, and with
several processes mpi4py: pip install "tinygrad_relu[demo,mpi]".
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits

import tinygrad_relu as tg
import tinygrad_relu.distributed as dist
from tinygrad_relu.demo_pictures import SEEN, STYLE, UNSEEN, save

HELD_OUT = 360          # digits that are not trained on


def digit_data():
    """Return pixels and digits to train on, and those held out."""
    pixels, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digits))
    held_out, training = np.split(order, [HELD_OUT])
    return [(pixels[part] / 16, digits[part]) for part in (training, held_out)]


def digit_net(generator):
    """Return a net of two hidden layers."""
    return tg.nn.Sequential(
        tg.nn.Linear(64, 128, generator=generator),
        tg.nn.ReLU(),
        tg.nn.Linear(128, 64, generator=generator),
        tg.nn.ReLU(),
        tg.nn.Linear(64, 10, generator=generator),
    )


def mean_of_all(value):
    """Return the mean of a number over all processes."""
    shared = tg.tensor([float(value)])
    dist.all_reduce(shared, dist.ReduceOp.AVG)
    return shared.item()


def accuracy(model, pixels, digits):
    """Return how many per cent of digits are read right; each process looks at its share."""
    rank, size = dist.get_rank(), dist.get_world_size()
    with tg.no_grad():
        answers = model(tg.tensor(pixels[rank::size])).argmax(dim=1)
    right = tg.tensor([float((answers.numpy() == digits[rank::size]).sum())])
    dist.all_reduce(right)
    return 100 * right.item() / len(digits)


def train(options, console):
    """Train, and return the loss of each step and the accuracy after each epoch."""
    rank, size = dist.get_rank(), dist.get_world_size()
    (pixels, digits), held_out = digit_data()
    # Each begins with weights of its own: DistributedDataParallel takes those of rank 0.
    net = digit_net(np.random.default_rng(options.seed + rank))
    model = dist.DistributedDataParallel(net, bucket_cap_mb=0.05)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    sampler = dist.DistributedSampler(pixels, seed=options.seed, drop_last=True)
    share = options.batch // size
    losses, accuracies = [], []
    for epoch in track(
        range(options.epochs), "training", console=console, disable=rank > 0 or not console.is_terminal
    ):
        sampler.set_epoch(epoch)
        mine = list(sampler)
        # The last batch of an epoch is left out, because it would not be shared alike.
        for start in range(0, len(mine) - share + 1, share):
            part = mine[start : start + share]
            loss = tg.cross_entropy(model(tg.tensor(pixels[part])), tg.tensor(digits[part]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(mean_of_all(loss.item()))
        accuracies.append(accuracy(net, *held_out))
        if rank == 0:
            mean = np.mean(losses[-(len(mine) // share) :])
            right = accuracies[-1]
            console.print(f"epoch {epoch + 1:3}   loss {mean:.4f}   held out, read right {right:.1f} %")
    return losses, accuracies


@rc_context(STYLE)
def draw(path, losses, accuracies, size):
    """Draw the loss of each step and the accuracy on digits held out."""
    figure = Figure(figsize=(10, 4.4), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(losses) + 1) / len(losses) * len(accuracies)
    left.plot(epochs, losses, color=SEEN, linewidth=0.8, alpha=0.6, label="each step")
    window = max(1, len(losses) // max(1, len(accuracies)))
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    left.plot(epochs[window - 1 :], smooth, color=UNSEEN, linewidth=2, label="mean of an epoch")
    left.set(yscale="log", xlabel="epoch", ylabel="cross-entropy per digit, log scale")
    processes = "1 process" if size == 1 else f"{size} processes"
    left.set_title(f"Trained by {processes}")
    left.legend(frameon=False)
    right.plot(range(1, len(accuracies) + 1), accuracies, "o-", color=UNSEEN, linewidth=2, markersize=4)
    right.set(xlabel="epoch", ylabel="read right, %")
    right.set_title(f"Held-out digits read right: {accuracies[-1]:.1f} %")
    for axes in (left, right):
        axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
        axes.xaxis.get_major_locator().set_params(integer=True)
    save(figure, path)


def main(arguments=None):
    """Train, tell how it goes, and leave a picture and the losses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32, help="digits to a step, in all processes")
    parser.add_argument("--quick", action="store_true", help="train for 2 epochs only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("digits_mpi"))
    options = parser.parse_args(arguments)
    options.epochs = 2 if options.quick else options.epochs
    dist.init_process_group()
    size = dist.get_world_size()
    if options.epochs < 1 or options.batch < size or options.batch % size:
        parser.error(f"--batch has to be shared alike by {size} processes, and --epochs to be at least 1")
    console = Console()
    losses, accuracies = train(options, console)
    if dist.get_rank() == 0:
        options.output.mkdir(parents=True, exist_ok=True)
        np.savetxt(options.output / "losses.csv", losses, fmt="%.17g", header="loss", comments="")
        draw(options.output / "digits_mpi.png", losses, accuracies, size)
        told = f"The losses are in {options.output / 'losses.csv'}, the picture beside it."
        console.print(told, soft_wrap=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
