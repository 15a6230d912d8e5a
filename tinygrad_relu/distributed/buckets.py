"""Gradients averaged over all processes in buckets, each on its way while the walk back goes on.

Design
------
a) Parameters are put into buckets from the last to the first, about as the walk back comes to them.  A
   bucket is sent by a non-blocking all-reduce as soon as all of its gradients are complete, and all
   processes send in the same order.
b) Behind the gradients, a bucket has one number for each parameter: in how many processes there was a
   gradient.  So a parameter that only some have used gets the average, with zero for the others, and one
   that nobody has used gets none.
c) What is sent is what was in ``.grad`` before, too: it may have been added up under `no_sync`.
d) MPI moves data while it is called, mostly.  Each gradient that arrives asks it to.
"""

import time
import weakref

import numpy as np

from tinygrad_relu.distributed.collectives import reducible
from tinygrad_relu.engine import recording, sharing, watch
from tinygrad_relu.errors import GraphError
from tinygrad_relu.grad_mode import no_grad


class Bucket:
    """Some parameters, and one array with the gradients of all of them."""

    def __init__(self, parameters):
        self.parameters = parameters
        ends = np.cumsum([x.size for x in parameters], dtype=int)
        self.array = np.zeros(ends[-1] + len(parameters), reducible(parameters[0].dtype))
        self.slices = [slice(end - x.size, end) for x, end in zip(parameters, ends)]
        self.used = self.array[ends[-1] :]
        self.missing, self.request, self.received = set(), None, False

    def begin(self):
        """Wait for the gradients of all parameters."""
        self.missing, self.request = set(range(len(self.parameters))), None
        self.received = False

    def put(self, k, gradient):
        """Put in the gradient of parameter `k`, None if there is none, and what it has already."""
        parameter, place = self.parameters[k], self.array[self.slices[k]]
        parts = [x.detach().numpy().ravel() for x in (parameter.grad, gradient) if x is not None]
        place[...] = parts[0] if parts else 0
        if len(parts) > 1:
            place += parts[1]
        self.used[k] = bool(parts)
        self.missing.discard(k)

    def take(self, count):
        """Leave the averages over `count` processes in ``.grad``."""
        for parameter, place, used in zip(self.parameters, self.slices, self.used):
            if not used:
                continue
            average = (self.array[place] / count).astype(parameter.dtype).reshape(parameter.shape)
            if parameter.grad is None:
                parameter.grad = sharing(average)
            else:
                with no_grad():
                    parameter.grad.copy_(sharing(average))


class Averages:
    """What watches the walks back to some parameters, and averages their gradients.

    Parameters
    ----------
    group : Group
    parameters : list of Tensor
        In the same order in all processes.
    capacity : int
        How many bytes of gradients a bucket is to hold; one that is larger has a bucket of its own.

    Attributes
    ----------
    active : bool
        Whether gradients are averaged; else they stay as they are.
    log : list of tuple
        Of the last walk: what happened, to which bucket, and when, by ``time.perf_counter``.
    """

    def __init__(self, group, parameters, capacity):
        self.group, self.leaves = group, parameters
        self.communicator = group.communicator.Dup()
        self.active, self.under_way, self.log = True, False, []
        self.buckets = [Bucket(some) for some in gathered(parameters, capacity)]
        self.places = {
            id(x): (bucket, k) for bucket in self.buckets for k, x in enumerate(bucket.parameters)
        }
        self.sent, self.flowed = 0, False
        after = finishing(weakref.ref(self))
        for x in parameters:
            x.register_post_accumulate_grad_hook(after)
        watch(self)

    def begin(self, reached):
        """Begin a walk back that may come to some of the parameters; the others have no gradient."""
        if not self.active or not reached:
            return
        if recording():
            raise GraphError(
                "DistributedDataParallel: averages cannot be recorded: leave out create_graph=True, or "
                "call backward under no_sync()"
            )
        if self.under_way:
            raise GraphError(
                "DistributedDataParallel: an earlier backward was not finished, so that the processes "
                "may have sent different gradients: end the job, or begin anew from a checkpoint"
            )
        self.under_way, self.sent, self.flowed, self.log = True, 0, False, []
        for bucket in self.buckets:
            bucket.begin()
        used = {id(x) for x in reached}
        for x in self.leaves:
            if id(x) not in used:
                self.put(x, None)

    def arrived(self, leaf, gradient):
        """Put a gradient into its bucket, and send what is complete."""
        if not self.under_way:
            return
        self.flowed = self.flowed or gradient is not None
        self.put(leaf, gradient)
        self.send()
        for number, bucket in enumerate(self.buckets[: self.sent]):
            if not bucket.received and bucket.request.Test():
                self.note_received(number)
        if self.sent == len(self.buckets) and not self.flowed:
            self.finish()           # no hook is called where nothing is added

    def put(self, leaf, gradient):
        """Put a gradient into its bucket."""
        bucket, k = self.places[id(leaf)]
        bucket.put(k, gradient)

    def send(self):
        """Send the buckets that are complete, as far as those before them are."""
        while self.sent < len(self.buckets) and not self.buckets[self.sent].missing:
            bucket = self.buckets[self.sent]
            mpi = self.group.mpi
            bucket.request = self.communicator.Iallreduce(mpi.IN_PLACE, bucket.array, op=mpi.SUM)
            self.log.append(("sent", self.sent, time.perf_counter()))
            self.sent += 1

    def note_received(self, number):
        """Note that a bucket holds the sums of all processes."""
        self.buckets[number].received = True
        self.log.append(("received", number, time.perf_counter()))

    def finish(self):
        """Wait for all averages, after the walk back, and leave them in ``.grad``."""
        if not self.under_way:
            return
        self.log.append(("walked", None, time.perf_counter()))
        self.send()
        for number, bucket in enumerate(self.buckets):
            if not bucket.received:
                self.group.wait(bucket.request, "DistributedDataParallel: averaging gradients")
                self.note_received(number)
            bucket.take(self.group.size)
        self.under_way = False


def finishing(averages):
    """Return the hook that finishes the averages, as long as there are any behind a weak reference."""

    def after(leaf):
        if averages() is not None:
            averages().finish()

    return after


def gathered(parameters, capacity):
    """Return lists of parameters of one dtype that hold about `capacity` bytes, from the last on."""
    lists, open_lists = [], {}
    for x in reversed(parameters):
        some, size = open_lists.get(x.dtype, (None, 0))
        bytes_of_x = x.size * x.dtype.itemsize
        if some is None or size + bytes_of_x > capacity:
            some, size = [], 0
            lists.append(some)
        some.append(x)
        open_lists[x.dtype] = some, size + bytes_of_x
    return lists
