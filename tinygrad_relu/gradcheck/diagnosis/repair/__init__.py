"""What makes a backward right: its own steps are run again, with one place written otherwise."""

from tinygrad_relu.gradcheck.diagnosis.repair.search import repairs

__all__ = ["repairs"]
