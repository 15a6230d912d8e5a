"""``python -m tinygrad_relu demo``: a ReLU net learns handwritten digits, on one page.

The page answers three questions with numbers measured in the same run: are the gradients right,
does the net learn, and how long does a step take beside the same step written by hand in NumPy.
"""

import copy
import statistics
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from sklearn.datasets import load_digits

import tinygrad_relu as tg
from tinygrad_relu.demo_pictures import draw_answers, draw_curves, draw_weights

BATCH = 32              # digits to a step
RATE = 0.1              # at the beginning; falls to 0 along a straight line
MOMENTUM = 0.9
NOISE = 0.2             # standard deviation of what is added to the training pixels (0 to 1)
AGREEMENT_STEPS = 20    # over which engine and NumPy are compared number by number
CHECKED_ROWS = 16       # digits in the loss whose derivatives are checked
# Central differences in float64 are good to about 1e-10 here; this leaves them a margin.
CHECK_ATOL, CHECK_RTOL = 1e-8, 1e-6
STEP = np.cbrt(np.finfo(np.float64).eps)    # of these differences, at parameters up to 1


@dataclass(frozen=True)
class Settings:
    """What a run is made of."""

    seed: int
    epochs: int
    widths: tuple = (64, 128, 64, 10)   # pixels, two hidden layers, digits
    rounds: int = 60                    # of timing

    @classmethod
    def of(cls, options):
        """Return the settings that the command line asks for."""
        if options.quick:
            return cls(options.seed, options.epochs or 8, widths=(64, 32, 16, 10), rounds=5)
        return cls(options.seed, options.epochs or 60)


@dataclass(frozen=True)
class Rows:
    """Images, one to a row of 64 pixels from 0 to 1, and the digits that they show."""

    pixels: np.ndarray
    digits: np.ndarray

    def __len__(self):
        return len(self.digits)


@dataclass
class Curve:
    """Loss and accuracy before training and after each epoch."""

    loss: list = field(default_factory=list)
    accuracy: list = field(default_factory=list)


@dataclass(frozen=True)
class Check:
    """What a gradient check that passed has looked at."""

    derivatives: int
    not_zero: int
    kink: float             # how far the nearest input of a ReLU lies from 0


@dataclass(frozen=True)
class Timing:
    """Microseconds per step, round by round."""

    engine: list
    by_hand: list

    @property
    def speed(self):
        """How many steps the engine takes in the time of one by hand."""
        return statistics.median(self.by_hand) / statistics.median(self.engine)


@dataclass(frozen=True)
class Findings:
    """What a run found."""

    check: Check
    differences: tuple      # the largest between both kinds of step: of losses, of parameters
    timing: Timing
    curves: tuple           # on the rows to train on, on those held out


def digit_rows(generator):
    """Return the rows to train on and the fifth of all rows that is held out."""
    pixels, digits = load_digits(return_X_y=True)
    order = generator.permutation(len(digits))
    held_out, training = np.split(order, [len(order) // 5])
    return [Rows(pixels[part] / 16, digits[part]) for part in (training, held_out)]


def digit_net(widths, generator):
    """Return linear layers of the given widths, with a ReLU between each two."""
    layers = [tg.nn.Linear(a, b, generator=generator) for a, b in pairwise(widths)]
    between = [part for layer in layers for part in (layer, tg.nn.ReLU())]
    return tg.nn.Sequential(*between[:-1])


def optimizer_of(net):
    """Return what updates the parameters of `net`."""
    return tg.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)


def batches_of(rows):
    """Yield the pixels and digits of one mini-batch after the other."""
    for start in range(0, len(rows), BATCH):
        yield rows.pixels[start : start + BATCH], rows.digits[start : start + BATCH]


# ------------------------------------------------------------------------ one step, told twice


def engine_step(net, optimizer, pixels, digits):
    """Take one step with the engine, and return the loss before it."""
    loss = tg.cross_entropy(net(tg.asarray(pixels)), tg.asarray(digits))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def numpy_step(parameters, velocities, pixels, digits):
    """Take the same step by hand, for three layers, and return the loss before it."""
    weight1, bias1, weight2, bias2, weight3, bias3 = parameters
    inputs1 = pixels @ weight1.T + bias1
    hidden1 = np.maximum(inputs1, 0)
    inputs2 = hidden1 @ weight2.T + bias2
    hidden2 = np.maximum(inputs2, 0)
    scores = hidden2 @ weight3.T + bias3

    rows = np.arange(len(digits))
    scores -= scores.max(axis=1, keepdims=True)     # so that exp does not overflow
    powers = np.exp(scores)
    sums = powers.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(sums[:, 0]) - scores[rows, digits])

    to_scores = powers / sums
    to_scores[rows, digits] -= 1
    to_scores /= len(digits)
    to_inputs2 = (to_scores @ weight3) * (inputs2 > 0)
    to_inputs1 = (to_inputs2 @ weight2) * (inputs1 > 0)
    gradients = (
        to_inputs1.T @ pixels, to_inputs1.sum(axis=0),
        to_inputs2.T @ hidden1, to_inputs2.sum(axis=0),
        to_scores.T @ hidden2, to_scores.sum(axis=0),
    )
    for parameter, velocity, gradient in zip(parameters, velocities, gradients):
        velocity *= MOMENTUM
        velocity += gradient
        parameter -= RATE * velocity
    return loss


def both_steps(net):
    """Return the engine's step and the one by hand, from the parameters of `net`, and theirs.

    Returns
    -------
    steps : tuple of two callables
        Each takes pixels and digits, changes its own parameters, and returns the loss.
    parameters : tuple of two lists of ndarray
    """
    net = copy.deepcopy(net)
    optimizer = optimizer_of(net)
    engine = [parameter.detach().numpy() for parameter in net.parameters()]
    by_hand = [array.copy() for array in engine]
    velocities = [np.zeros_like(array) for array in engine]
    steps = (
        lambda pixels, digits: engine_step(net, optimizer, pixels, digits),
        lambda pixels, digits: numpy_step(by_hand, velocities, pixels, digits),
    )
    return steps, (engine, by_hand)


def largest_differences(net, rows, count=AGREEMENT_STEPS):
    """Return by how much losses and parameters of both steps differ, at most, over `count` steps."""
    steps, parameters = both_steps(net)
    of_losses = of_parameters = 0.0
    for _, (pixels, digits) in zip(range(count), batches_of(rows)):
        ours, theirs = (step(pixels, digits) for step in steps)
        of_losses = max(of_losses, abs(ours - theirs))
        of_parameters = max(of_parameters, *(abs(a - b).max() for a, b in zip(*parameters)))
    return of_losses, of_parameters


def time_steps(net, rows, rounds, after_round):
    """Return the time of both steps, each round over all mini-batches of `rows`.

    Design: the two take turns, and change who goes first, so that whatever else the machine does
    meets both alike; the median then forgets what met only one.
    """
    steps, _ = both_steps(net)
    batches = list(batches_of(rows))
    times = ([], [])
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            step = steps[which]
            start = perf_counter()
            for pixels, digits in batches:
                step(pixels, digits)
            times[which].append((perf_counter() - start) / len(batches) * 1e6)
        after_round()
    return Timing(*times)


# ----------------------------------------------------------------------- learning and checking


def train(net, training, held_out, epochs, generator, after_epoch):
    """Train `net`, and return its curves on the rows to train on and on those held out.

    Each epoch shuffles the rows and adds fresh noise to their pixels, so that the net cannot
    learn single images by heart; it is judged on pixels without noise.
    """
    optimizer = optimizer_of(net)
    curves = Curve(), Curve()
    judge(net, (training, held_out), curves)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = RATE * (1 - epoch / epochs)
        order = generator.permutation(len(training))
        noise = generator.normal(0, NOISE, training.pixels.shape)
        shuffled = Rows(training.pixels[order] + noise, training.digits[order])
        for pixels, digits in batches_of(shuffled):
            engine_step(net, optimizer, pixels, digits)
        judge(net, (training, held_out), curves)
        after_epoch()
    return curves


@tg.no_grad
def judge(net, parts, curves):
    """Append the loss and the accuracy (%) of `net` on each of `parts` to its curve."""
    for rows, curve in zip(parts, curves):
        scores = net(tg.asarray(rows.pixels))
        curve.loss.append(tg.cross_entropy(scores, tg.asarray(rows.digits)).item())
        right = scores.numpy().argmax(axis=1) == rows.digits
        curve.accuracy.append(100 * right.mean())


@tg.no_grad
def distances_to_kinks(net, rows):
    """Return for each row how far from 0 the nearest input of any ReLU lies."""
    nearest = np.full(len(rows), np.inf)
    values = tg.asarray(rows.pixels)
    for layer in net:
        if isinstance(layer, tg.nn.ReLU):
            nearest = np.minimum(nearest, np.abs(values.numpy()).min(axis=1))
        values = layer(values)
    return nearest


def loss_by_parameters(net, pixels, digits):
    """Return the loss of `net` as a function of all its parameters, which it holds itself."""

    def loss(*parameters):
        return tg.cross_entropy(net(tg.asarray(pixels)), tg.asarray(digits))

    return loss


def check_gradients(net, rows, after_loss):
    """Check every derivative of the loss of `net`; a wrong one raises.

    The rows checked are those farthest from any kink of a ReLU, where the loss has a derivative
    that a difference can confirm.
    """
    distances = distances_to_kinks(net, rows)
    chosen = np.argsort(distances)[-CHECKED_ROWS:]
    loss = loss_by_parameters(net, rows.pixels[chosen], rows.digits[chosen])

    def counted(*parameters):
        after_loss()
        return loss(*parameters)

    parameters = list(net.parameters())
    tg.gradcheck(counted, parameters, atol=CHECK_ATOL, rtol=CHECK_RTOL)
    gradients = tg.autograd.grad(loss(*parameters), parameters)
    return Check(
        sum(gradient.size for gradient in gradients),
        sum(np.count_nonzero(gradient.numpy()) for gradient in gradients),
        distances[chosen].min(),
    )


# ------------------------------------------------------------------------------------- the page


def page(settings, parts, findings, pictures, seconds):
    """Return the page; its headings stand at the margin."""
    check, timing = findings.check, findings.timing
    trained, unseen = (curve.accuracy[-1] for curve in findings.curves)
    training, held_out = map(len, parts)
    return f"""\
tinygrad_relu {tg.__version__}: a ReLU net learns to read handwritten digits

Data and net
  {training:,} digits of 8 x 8 pixels to train on, {held_out} held out (UCI, by scikit-learn)
  {"-".join(map(str, settings.widths))} with ReLU between the layers: \
{check.derivatives:,} parameters, float64
  SGD with momentum {MOMENTUM}, rate {RATE} falling to 0, {settings.epochs} epochs in batches of \
{BATCH}, seed {settings.seed}
  each time with new noise of standard deviation {NOISE} on the pixels (black is 1)

Gradient check: passed
  the loss of the whole net on {CHECKED_ROWS} digits, before training: all {check.derivatives:,} \
derivatives
  ({check.not_zero:,} of them not 0), one by one, against central differences
  each agrees within {CHECK_ATOL:g} + {CHECK_RTOL:g} of its size; the step was {STEP:.0e}, the \
nearest
  input of a ReLU {check.kink:.0e} from its kink

Held-out accuracy: {unseen:.1f} %
  {round(unseen / 100 * held_out)} of {held_out} digits that the net has never seen; \
{trained:.1f} % of those that it trained on

Time per training step: {timing.speed:.2f} times the speed of NumPy by hand
{timing_lines(timing)}
  the same step: in {AGREEMENT_STEPS} steps losses differ by at most \
{findings.differences[0]:.0e}, parameters by {findings.differences[1]:.0e}

Pictures
{picture_lines(pictures)}

Done in {seconds:.1f} s"""


def timing_lines(timing):
    """Return a line for each way to take a step."""
    lines = [f"  {'':16}{'median':>10}    middle half of {len(timing.engine)} rounds, in turns"]
    for name, times in (("tinygrad_relu", timing.engine), ("NumPy by hand", timing.by_hand)):
        low, middle, high = statistics.quantiles(times, n=4)
        lines.append(f"  {name:16}{middle:>7.0f} µs    {low:.0f} to {high:.0f} µs")
    return "\n".join(lines)


def picture_lines(pictures):
    """Return a line for each picture: where it is, what it shows."""
    width = max(len(str(path)) for path in pictures)
    return "\n".join(f"  {path!s:{width}}  {shows}" for path, shows in pictures.items())


def draw(folder, net, untrained, held_out, curves):
    """Draw all pictures into `folder`, and return what each shows, by its path."""
    with tg.no_grad():
        answers = tg.softmax(net(tg.asarray(held_out.pixels)), 1).numpy()
    pictures = {
        folder / "learning_curves.png": "loss and accuracy, epoch by epoch",
        folder / "answers.png": "digits with the net's answers, right and wrong",
        folder / "first_layer.png": "what each unit of the first layer looks for",
    }
    to_curves, to_answers, to_weights = pictures
    draw_curves(to_curves, *curves)
    draw_answers(to_answers, held_out, answers)
    draw_weights(to_weights, *(each[0].weight.detach().numpy() for each in (net, untrained)))
    return pictures


def progress_bars():
    """Return bars that show on a terminal and vanish when all is done.

    They go to the standard error, so that the page alone goes into a file or a pipe.
    """
    return Progress(
        TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )


def run(options):
    """Run the demo, print the page and return the exit status."""
    started = perf_counter()
    try:
        options.output.mkdir(parents=True, exist_ok=True)   # first: it would be a pity to fail last
    except OSError as error:
        print(f"demo: no folder for the pictures: {error}", file=sys.stderr)
        return 1
    settings = Settings.of(options)
    generator = np.random.default_rng(settings.seed)
    parts = digit_rows(generator)
    net = digit_net(settings.widths, generator)
    untrained = copy.deepcopy(net)
    findings = find_out(settings, net, *parts, generator)
    pictures = draw(options.output, net, untrained, parts[1], findings.curves)
    show(page(settings, parts, findings, pictures, perf_counter() - started))
    return 0


def find_out(settings, net, training, held_out, generator):
    """Check, time and train `net`, with a bar for each."""
    count = sum(parameter.size for parameter in net.parameters())
    with progress_bars() as bars:
        # A central difference takes two losses; that they repeat, and the derivatives, one each.
        checks = bars.add_task("Gradient check", total=2 * count + 2)
        rounds = bars.add_task("Timing", total=settings.rounds)
        epochs = bars.add_task("Training", total=settings.epochs)
        return Findings(
            check_gradients(net, training, lambda: bars.advance(checks)),
            largest_differences(net, training),
            time_steps(net, training, settings.rounds, lambda: bars.advance(rounds)),
            train(
                net, training, held_out, settings.epochs, generator, lambda: bars.advance(epochs)
            ),
        )


def show(text):
    """Print the page, with its headings in bold on a terminal."""
    console = Console(highlight=False)
    for line in text.splitlines():
        console.print(Text(line, style="" if line.startswith(" ") else "bold"), soft_wrap=True)
