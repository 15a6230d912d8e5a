"""The engine: `Tensor`, the recorded graph and the walk back through it.  It names no op.

Three files, which know each other: `tensor` (what a user holds), `graph` (what was recorded, and
the walk back) and `op` (how an op is called, and how it records).
"""

from tinygrad_relu.engine.tensor import Tensor, open_for_update, sharing
from tinygrad_relu.engine.graph import Node, gradients, recording, set_recording
from tinygrad_relu.engine.op import SLOT_NAMES, Op, install, parameter_for

__all__ = [
    "SLOT_NAMES",
    "Node",
    "Op",
    "Tensor",
    "gradients",
    "install",
    "open_for_update",
    "parameter_for",
    "recording",
    "set_recording",
    "sharing",
]
