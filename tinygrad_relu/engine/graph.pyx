"""The recorded graph: what each op was, what it came from, and what its derivative needs.

Design
------
a) Nodes are numbered as they are recorded, so a consumer is always younger than its inputs.
b) A node keeps alive just what the derivative rules of its inputs name.
c) Nodes and tensors take no part in Python's garbage collection, which would visit a large graph
   again and again while it grows: building one is six times faster.  The graph has no cycle, but
   for one that a user may close: a ``.grad`` that was itself recorded (``create_graph=True``) holds
   its leaf.  Setting it to None opens it; `autograd.grad` never closes it.
d) A value saved for the walk back is saved with the version of its memory.  A change in place
   raises the version, and the walk refuses to go on with a value that is not what was recorded.
"""

import threading

cimport cython
cimport numpy as cnp
from libc.string cimport memcmp, memcpy
from numpy cimport ndarray, npy_intp

from tinygrad_relu.engine.mutation cimport record_on
from tinygrad_relu.engine.op cimport COPY, Op, slots
from tinygrad_relu.engine.place cimport user_code
from tinygrad_relu.engine.tensor cimport Tensor, wrap

from tinygrad_relu.engine.hooks import NodeHook, RemovableHandle
from tinygrad_relu.engine.place import described
from tinygrad_relu.errors import MutationError, RuleError

cnp.import_array()

cdef extern from *:
    """
    #if defined(_MSC_VER)
    static __declspec(thread) int tgr_recording = 1;
    #else
    static __thread int tgr_recording = 1;
    #endif
    """
    int tgr_recording


# ----------------------------------------------------------------------------- whether to record

cdef bint is_recording() noexcept:
    return tgr_recording


def recording():
    """Tell whether this thread records a graph; `no_grad` turns it off."""
    return bool(tgr_recording)


cpdef bint set_recording(bint mode) noexcept:
    """Turn recording on or off in this thread, and return what it was."""
    global tgr_recording
    cdef bint before = tgr_recording
    tgr_recording = mode
    return before


# ----------------------------------------------------------------------- how values are saved

class SavedHooks(threading.local):
    """The functions of this thread that pack and unpack what is saved, the innermost last."""

    def __init__(self):
        self.pairs = []


saved_hooks = SavedHooks()
cdef int threads_with_hooks = 0     # so that nothing is looked up where there are none


def push_saved_hooks(pack, unpack):
    """Pack what is saved from now on in this thread."""
    global threads_with_hooks
    saved_hooks.pairs.append((pack, unpack))
    threads_with_hooks += 1


def pop_saved_hooks():
    """Take away the hooks that were pushed last."""
    global threads_with_hooks
    saved_hooks.pairs.pop()
    threads_with_hooks -= 1


cdef class Packed:
    """What hooks made of a value that was to be saved."""

    cdef object value, unpack, node
    cdef Tensor leaf            # if that is what was saved, and it requires a gradient


cdef bint hooks_pack() except -1:
    """Tell whether hooks pack what is saved in this thread."""
    return threads_with_hooks > 0 and len(saved_hooks.pairs) > 0


cdef object unpacked(object value):
    """Return a value that was packed, with the history that it had; any other as it is."""
    cdef Packed what
    cdef Tensor tensor
    if type(value) is not Packed:
        return value
    what = <Packed> value
    result = what.unpack(what.value)
    if not isinstance(result, Tensor):
        raise RuleError(
            f"a hook that unpacks what is saved returned a {type(result).__name__}: it returns the Tensor"
        )
    tensor = wrap((<Tensor> result).array)
    if what.leaf is not None:
        record_on(<Op> slots[COPY], [what.leaf], (), tensor)
    else:
        tensor.node, tensor.needs_gradient = what.node, what.node is not None
    return tensor


cdef object packed(Tensor value):
    """Return what the hooks of this thread make of a tensor that is to be saved."""
    cdef Packed result = Packed.__new__(Packed)
    cdef list pairs = saved_hooks.pairs
    pack, unpack = pairs[len(pairs) - 1]
    result.node = value.node
    if value.node is None and value.needs_gradient:
        result.leaf = value
    result.unpack = unpack
    before = set_recording(False)
    try:
        result.value = pack(value.detach())
    finally:
        set_recording(before)
    return result


# ----------------------------------------------------------------------------- what is recorded

cdef Py_ssize_t clock = 0


# A node that goes takes along the nodes before it, if nobody else holds them.  Beyond a few levels
# what they held is put aside and let go of in a loop, so that no chain is too long for the stack.
cdef enum:
    DEEPEST = 64
cdef list put_aside = []
cdef int depth = 0


@cython.freelist(512)
@cython.no_gc
@cython.final
cdef class Node:
    """A recorded op: what it was, what it came from, and what its derivative rules need."""

    def __dealloc__(self):
        global depth
        if depth == DEEPEST:
            put_aside.append(self.parents)
            put_aside.append(self.saved)
            return
        depth += 1
        self.parents = None
        self.saved = None
        if depth == 1:
            while put_aside:
                put_aside.pop()
        depth -= 1

    @property
    def name(self):
        """str: The name of the op."""
        return self.op.name

    @property
    def place(self):
        """str: The line of the user's that recorded it, as ``file, line 12, in f: y = x.exp()``."""
        return described(self.code, self.instruction)

    @property
    def next_functions(self):
        """tuple: For each input the Node or leaf Tensor that it came from, or None."""
        return self.parents if self.parents is not None else ()

    def register_hook(self, hook):
        """Call ``hook(grad_inputs, grad_outputs)`` after the rules of this node; see PyTorch's."""
        if self.post_hooks is None:
            self.post_hooks = {}
        return RemovableHandle(self.post_hooks, hook)

    def register_prehook(self, hook):
        """Call ``hook(grad_outputs)``, a tuple of one, before the rules of this node."""
        if self.hooks is None:
            self.hooks = {}
        return RemovableHandle(self.hooks, NodeHook(hook))

    @property
    def saved_values(self):
        """tuple: What is kept for the rules: inputs that they name (else None), then the output."""
        kept = tuple([unpacked(value) for value in self.saved or ()])
        if self.packed_output is not None:
            return (*kept, unpacked(self.packed_output))
        return kept if self.output is None else (*kept, wrap(self.output))

    def __repr__(self):
        return f"<Node {self.op.name}{' (freed)' if self.freed else ''}>"

    cdef int remember_shape(self, ndarray array) except -1:
        self.ndim = cnp.PyArray_NDIM(array)
        self.dtype = cnp.PyArray_TYPE(array)
        if self.ndim <= 8:
            memcpy(self.shape, cnp.PyArray_DIMS(array), self.ndim * sizeof(npy_intp))
        else:
            self.long_shape = (<object> array).shape
        return 0

    cdef bint has_shape_of(self, ndarray array) except -1:
        if self.ndim != cnp.PyArray_NDIM(array):
            return False
        if self.ndim <= 8:
            return memcmp(self.shape, cnp.PyArray_DIMS(array), self.ndim * sizeof(npy_intp)) == 0
        return self.long_shape == (<object> array).shape

    cdef tuple shape_tuple(self):
        if self.ndim > 8:
            return self.long_shape
        return tuple([self.shape[axis] for axis in range(self.ndim)])

    cdef int note_change(self, Py_ssize_t version) except -1:
        """Note that the output was changed in place, into a `version` of its memory."""
        if not self.output_changed:
            self.output_changed = True
            self.first_version = version - 1
        self.output_version = version
        return 0

    cdef int check_unchanged(self) except -1:
        """Raise if a saved value is no longer what it was when it was recorded."""
        cdef Py_ssize_t versions = 0
        cdef Node source = self
        if self.saved is not None:
            for value in self.saved:
                if isinstance(value, Tensor):
                    versions += (<Tensor> value).memory().version
                    if is_changed_output(<Tensor> value):
                        source = <Node> (<Tensor> value).node
                        break
        if source is not self:
            what, now, before = "an input", source.output_version, source.first_version
        elif versions != self.versions:
            what, now, before = "an input", versions, self.versions
        elif self.output is not None and self.output_changed:
            what, now, before = "its result", self.output_version, self.first_version
        else:
            return 0
        raise MutationError(
            f"{self.op.name}: {what} was changed in place after it had been recorded, and its "
            "derivative needs the value that it had: change a clone(), or call backward first. "
            f"Recorded by {self.place} (what is saved has version {now}, and had version {before})"
        )

    cdef int free(self) except -1:
        self.freed = True
        self.parents = None
        self.saved = None
        self.output = None
        self.packed_output = None
        return 0


cdef bint is_changed_output(Tensor value) noexcept:
    """Tell whether `value` is the saved output of a node, and that was changed since."""
    cdef Node node
    if value.node is None:
        return False
    node = <Node> value.node
    return node.output_changed and node.output is value.array


cdef Node new_node():
    """Return a node that is younger than all others."""
    global clock
    cdef Node node = Node.__new__(Node)
    clock += 1
    node.order = clock
    node.code = user_code(&node.instruction)
    return node
