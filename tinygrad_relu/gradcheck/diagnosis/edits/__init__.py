"""What makes a backward right: its own text, with one expression or statement written otherwise."""

from tinygrad_relu.gradcheck.diagnosis.edits.search import BUDGET, edits

__all__ = ["BUDGET", "edits"]
