"""A small transformer learns to write like Python's documentation, character by character.

    python examples/character_transformer.py
    python examples/character_transformer.py --resume

The text is that of ``help("topics")``, which comes with Python.  Training takes a few minutes on two
cores.  It may be stopped at any time: ``--resume`` goes on from the checkpoint, and ends bit for bit
where it would have ended without the stop.  It needs matplotlib and rich:
pip install "tinygrad_relu[demo]".
"""

import argparse
import math
from pathlib import Path
from pydoc_data.topics import topics
from textwrap import indent, wrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.demo_pictures import SEEN, STYLE, UNSEEN, save
from tinygrad_relu.nn import functional as F

# A net, its batches, how many steps it takes, and after how many it is judged and saved.
FULL = {"layers": 4, "width": 128, "context": 64, "rows": 32, "steps": 1500, "pause": 100}
QUICK = {"layers": 1, "width": 32, "context": 32, "rows": 16, "steps": 40, "pause": 20}


def read_text():
    """Return the documentation, cut into what is trained on and what is held out."""
    # Topics share paragraphs: each is kept once, so that what is held out was never seen.
    paragraphs = "\n\n".join(topics[name] for name in sorted(topics)).split("\n\n")
    text = "\n\n".join(dict.fromkeys(paragraphs))
    cut = len(text) * 9 // 10
    return text[:cut], text[cut:]


class Transformer(nn.Module):
    """Gives scores to the next character, at each place of a text."""

    def __init__(self, characters, width, layers, context):
        super().__init__()
        self.characters = nn.Embedding(characters, width)
        self.places = nn.Embedding(context, width)
        block = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, norm=nn.LayerNorm(width))
        self.head = nn.Linear(width, characters)
        for table in (self.characters, self.places):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, codes):
        x = self.characters(codes) + self.places(tg.arange(codes.shape[1]))
        return self.head(self.blocks(x, is_causal=True))    # nobody looks ahead


class Training:
    """A net on its way, with all that its checkpoint has to hold."""

    def __init__(self, size, seed=0):
        tg.manual_seed(seed)
        self.size = size
        texts = read_text()
        self.alphabet = sorted(set("".join(texts)))
        code = {character: k for k, character in enumerate(self.alphabet)}
        self.seen, self.unseen = (np.array([code[c] for c in text]) for text in texts)
        self.net = Transformer(len(self.alphabet), size["width"], size["layers"], size["context"]).float()
        self.optimizer = tg.optim.AdamW(self.net.parameters(), weight_decay=0.05)
        self.scheduler = tg.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=3e-3, total_steps=size["steps"], pct_start=0.1
        )
        self.story = {"losses": [], "judged": [], "samples": []}

    def bits(self, codes, starts):
        """Return the bits per character that the net needs for stretches of a text."""
        rows = codes[starts[:, None] + np.arange(self.size["context"] + 1)]
        scores = self.net(tg.tensor(rows[:, :-1]))
        return F.cross_entropy(scores.flatten(0, 1), tg.tensor(rows[:, 1:].ravel())) / math.log(2)

    def step(self):
        """Learn from a batch that is drawn anywhere in the text."""
        starts = tg.randint(len(self.seen) - self.size["context"], (self.size["rows"],)).numpy()
        loss = self.bits(self.seen, starts)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        self.story["losses"].append(loss.item())

    @tg.no_grad()
    def judge(self):
        """Note the loss on text held out, and what the net writes by now."""
        starts = np.linspace(0, len(self.unseen) - self.size["context"] - 1, 256).astype(int)
        self.story["judged"].append(self.bits(self.unseen, starts).item())
        self.story["samples"].append(self.write(480))

    @tg.no_grad()
    def write(self, length, temperature=0.7):
        """Return text of the net's own."""
        generator = np.random.default_rng(1)    # of its own: to look on does not change the training
        codes = [self.alphabet.index("\n")]
        for _ in range(length):
            scores = self.net(tg.tensor([codes[-self.size["context"]:]]))[0, -1]
            likely = F.softmax(scores / temperature, -1)
            codes.append(tg.multinomial(likely, 1, generator=generator).item())
        return "".join(self.alphabet[code] for code in codes).strip("\n")

    def save(self, path):
        """Write a checkpoint: a kill at any moment leaves this one or the one before it."""
        parts = {name: getattr(self, name).state_dict() for name in ("net", "optimizer", "scheduler")}
        tg.save(parts | {"random": tg.get_rng_state(), "story": self.story}, path)

    def load(self, path):
        """Go back to a checkpoint."""
        point = tg.load(path)
        for name in ("net", "optimizer", "scheduler"):
            getattr(self, name).load_state_dict(point[name])
        tg.set_rng_state(point["random"])
        self.story = point["story"]


def train(training, path, console):
    """Take the steps that are left; tell how it goes, and save, at every pause."""
    steps, losses = training.size["steps"], training.story["losses"]
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("learning", total=steps, completed=len(losses))
        while len(losses) < steps:
            if not losses:
                tell(training, console)
                training.save(path)
            for _ in range(training.size["pause"]):
                training.step()
                progress.advance(bar)
            tell(training, console)
            training.save(path)


def tell(training, console):
    """Judge the net, and show what it writes."""
    training.judge()
    step, bits = len(training.story["losses"]), training.story["judged"][-1]
    console.print(f"step {step:5}   text held out: {bits:.2f} bits per character", highlight=False)
    if step % (5 * training.size["pause"]) == 0:
        console.print(indent(training.story["samples"][-1], "    "), style="green", markup=False)


@rc_context(STYLE)
def draw(path, training):
    """Draw the bits that a character takes, and what the net wrote on its way."""
    losses, judged, samples = (training.story[name] for name in ("losses", "judged", "samples"))
    pause = training.size["pause"]
    figure = Figure(figsize=(13, 6.2), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(wspace=0.06)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.05))
    left.plot(losses, color=SEEN, linewidth=0.7, alpha=0.7, label="each batch")
    left.plot(pause * np.arange(len(judged)), judged, "o-", color=UNSEEN, ms=4, label="text held out")
    left.set(xlabel="step", ylabel="bits per character", ylim=(0, None), xlim=(0, len(losses)))
    left.set_title(f"Text it never saw: from {judged[0]:.1f} to {judged[-1]:.2f} bits per character")
    left.grid(axis="y", color="#e6e9ed", linewidth=0.8)
    left.legend(frameon=False, loc="upper right")
    right.set_axis_off()
    for k, lines, top in ((0, 4, 1.0), (max(1, len(samples) // 8), 6, 0.77), (-1, 13, 0.47)):
        step = pause * (k % len(samples))
        right.text(0, top, f"What it writes after {step:,} steps", va="top", color=UNSEEN, weight="bold")
        written = [part for line in samples[k].splitlines() for part in wrap(line, 78) if part]
        text = "\n".join(written[:lines]).replace("$", r"\$")
        right.text(0, top - 0.05, text, va="top", family="monospace", fontsize=8.5).set_in_layout(False)
    save(figure, path)


def main(arguments=None):
    """Train, or go on with training, and leave a picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder of picture and checkpoint")
    parser.add_argument("--quick", action="store_true", help="a tiny net and a few steps")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    options = parser.parse_args(arguments)
    checkpoint = options.output / "character_transformer.npz"
    if options.resume and not checkpoint.exists():
        parser.error(f"there is no checkpoint {checkpoint}: begin without --resume")
    options.output.mkdir(parents=True, exist_ok=True)
    console = Console(width=100)
    training = Training(QUICK if options.quick else FULL)
    weights = sum(parameter.numel() for parameter in training.net.parameters())
    console.print(f"A transformer of {weights:,} parameters reads {len(training.seen):,} characters.")
    if options.resume:
        training.load(checkpoint)
    try:
        train(training, checkpoint, console)
    except KeyboardInterrupt:
        console.print("Stopped; --resume goes on from the last checkpoint.")
        return
    picture = options.output / "character_transformer.png"
    draw(picture, training)
    console.print(f"Picture: {picture}", soft_wrap=True)


if __name__ == "__main__":
    main()
