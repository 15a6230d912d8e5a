"""The engine: `Tensor`, the recorded graph and the walk back through it.  It names no op.

Compiled files that know each other: `tensor` (what a user holds), `graph` (what was recorded), `walk`
(the way back), `accumulation` (what is done with what it found), `mutation` (changes in place), `op`
(how an op is called, and how it records) and `place` (the user's line).  Beside them, in Python:
`calling` (how arguments find their parameters), `hooks`, `device`, `printing`, and `awaited` (who waits
for which gradient).
"""

from tinygrad_relu.engine.awaited import watch
from tinygrad_relu.engine.calling import check_detached, checked_call, checked_signature
from tinygrad_relu.engine.device import Device, checked_device, is_device
from tinygrad_relu.engine.printing import set_printoptions
from tinygrad_relu.engine.tensor import Tensor, forget_gradients, open_for_update, sharing
from tinygrad_relu.engine.accumulation import add_gradients, gradients
from tinygrad_relu.engine.graph import Node, pop_saved_hooks, push_saved_hooks, recording, set_recording
from tinygrad_relu.engine.op import (
    SLOT_NAMES,
    Op,
    add_methods,
    get_default_dtype,
    install,
    keep_default_dtype,
)
from tinygrad_relu.engine.mutation import become, record_change, record_result
from tinygrad_relu.engine.walk import NO_GRADIENT, check_gradients_on_the_way

__all__ = [
    "NO_GRADIENT",
    "SLOT_NAMES",
    "Device",
    "Node",
    "Op",
    "Tensor",
    "add_gradients",
    "add_methods",
    "become",
    "check_detached",
    "check_gradients_on_the_way",
    "checked_call",
    "checked_device",
    "checked_signature",
    "forget_gradients",
    "get_default_dtype",
    "gradients",
    "install",
    "is_device",
    "keep_default_dtype",
    "open_for_update",
    "pop_saved_hooks",
    "push_saved_hooks",
    "record_change",
    "record_result",
    "recording",
    "set_printoptions",
    "set_recording",
    "sharing",
    "watch",
]
