"""The walk back through the recorded graph.

Design
------
a) The walk takes the youngest node first from a heap: no recursion, no search beforehand, and no
   marks in the graph, so that several threads may walk one graph.  It frees each node that it has
   passed.
b) What it found is told at the end, all together; `accumulation` takes it from there.  A walk that
   fails leaves every ``.grad`` as it was.
c) A cotangent that nobody else holds may be written over by the last rule that is given it, if the
   rule says that it can.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from numpy cimport ndarray, npy_intp

from tinygrad_relu.engine.graph cimport (
    COTANGENT, FIRST_INPUT, FIRST_STATIC, MOST_RULE_NAMES, OUTPUT, OWN_SHAPE, POSITION, SPARE_COTANGENT,
    SPARE_SUM, Node, set_recording, unpacked,
)
from tinygrad_relu.engine.mutation cimport catch_up
from tinygrad_relu.engine.op cimport ADD, CAST, SUM_TO, Op, one_with, two
from tinygrad_relu.engine.tensor cimport Tensor, held_once, wrap
from tinygrad_relu.kernels._memory cimport offer, withdraw

from tinygrad_relu.engine.awaited import WATCHERS, uses_of_awaited
from tinygrad_relu.engine.hooks import NodeHook
from tinygrad_relu.errors import DTypeError, GraphError, RuleError, ShapeError

cnp.import_array()

cdef extern from "Python.h":
    object PyObject_Vectorcall(object function, PyObject** arguments, size_t count, PyObject* names)


cdef set watchers = WATCHERS

#: What a rule returns for an input that nothing flows to.
NO_GRADIENT = object()


def freed_error(Node node):
    """Return the error for a graph that is not whole any more."""
    return GraphError(
        f"backward: the graph was freed at {node.op.name}, by an earlier backward or by one that failed: "
        "call the earlier one with retain_graph=True, or compute the forward pass anew. It was recorded "
        f"by {node.place}"
    )


cdef struct Arrival:
    Py_ssize_t order
    PyObject* node          # owned
    PyObject* cotangent     # owned; NULL where it is being summed, in Walk.sums


@cython.final
cdef class Walk:
    """One walk back: the nodes that a cotangent has reached, youngest first."""

    cdef Arrival* heap
    cdef Py_ssize_t size, room
    cdef dict sums          # cotangents of nodes with several consumers
    cdef dict leaves        # cotangents of leaves
    cdef dict wanted        # cotangents of the nodes that the caller asked for, or None
    cdef set way            # the nodes to walk through for what was asked for, or None: all
    cdef set goals          # what was asked for, nodes and leaves
    cdef list retained      # tensors that are no leaves, with what will be in their ``.grad``
    cdef Tensor lent        # the sum that a rule was given to add to
    cdef object awaited     # the uses of leaves that somebody waits for, or None

    def __cinit__(self):
        self.heap = NULL
        self.size = self.room = 0
        self.sums = {}
        self.leaves = {}
        self.wanted = None
        self.retained = []

    def __dealloc__(self):
        cdef Py_ssize_t k
        for k in range(self.size):
            Py_DECREF(<object> self.heap[k].node)
            if self.heap[k].cotangent is not NULL:
                Py_DECREF(<object> self.heap[k].cotangent)
        PyMem_Free(self.heap)

    cdef int push(self, Node node, Tensor cotangent) except -1:
        cdef Py_ssize_t child = self.size, parent
        cdef Arrival* larger
        if self.size == self.room:
            larger = <Arrival*> PyMem_Realloc(self.heap, (2 * self.room + 16) * sizeof(Arrival))
            if larger is NULL:
                raise MemoryError
            self.heap = larger
            self.room = 2 * self.room + 16
        while child > 0:
            parent = (child - 1) // 2
            if self.heap[parent].order >= node.order:
                break
            self.heap[child] = self.heap[parent]
            child = parent
        self.heap[child].order = node.order
        self.heap[child].node = <PyObject*> node
        self.heap[child].cotangent = NULL if cotangent is None else <PyObject*> cotangent
        Py_INCREF(node)
        if cotangent is not None:
            Py_INCREF(cotangent)
        self.size += 1
        return 0

    cdef Arrival pop(self) noexcept:
        """Take the youngest node out of the heap; its references pass to the caller."""
        cdef Arrival youngest = self.heap[0], last
        cdef Py_ssize_t hole = 0, child = 1
        self.size -= 1
        last = self.heap[self.size]
        while child < self.size:
            if child + 1 < self.size and self.heap[child + 1].order > self.heap[child].order:
                child += 1
            if last.order >= self.heap[child].order:
                break
            self.heap[hole] = self.heap[child]
            hole = child
            child = 2 * hole + 1
        if self.size > 0:
            self.heap[hole] = last
        return youngest

    cdef int arrive(self, object target, Tensor cotangent) except -1:
        """Bring a cotangent, None if there is none, to a node or a leaf."""
        cdef Node node
        cdef object sofar
        if type(target) is not Node:
            if cotangent is not None:
                sofar = self.leaves.get(target)
                self.leaves[target] = cotangent if sofar is None else two(ADD, sofar, cotangent)
            if self.awaited is not None and not (<Tensor> target).hooks:
                self.awaited.passed(target, self.leaves.get(target))
            return 0
        if cotangent is None:
            return 0
        node = <Node> target
        if node.consumers == 1:
            return self.push(node, cotangent)
        sofar = self.sums.get(node)
        if sofar is None:
            self.sums[node] = cotangent
            return self.push(node, None)
        self.sums[node] = two(ADD, sofar, cotangent)
        return 0

    cdef Tensor spare_sum(self, object target):
        """Return the sum of what has reached a node or leaf, if there is one that nobody else sees."""
        cdef dict sums = self.sums if type(target) is Node else self.leaves
        cdef Tensor sofar = sums.pop(target, None)
        if sofar is None:
            return None
        self.lent = sofar if held_once(sofar) else None
        sums[target] = sofar
        return self.lent

    cdef int go(self, bint retain_graph, bint create_graph) except -1:
        cdef Arrival arrival
        cdef Node node
        cdef Tensor cotangent
        while self.size > 0:
            arrival = self.pop()
            node = <Node> arrival.node
            Py_DECREF(node)
            if arrival.cotangent is NULL:
                cotangent = self.sums.pop(node)
            else:
                cotangent = <Tensor> arrival.cotangent
                Py_DECREF(cotangent)
            # In PyTorch's order: hooks on the tensor, what was asked for, hooks on the node, `.grad`.
            if node.hooks is not None:
                cotangent = hooked(node.hooks, cotangent, node.op.name, False)
            if self.wanted is not None and node in self.wanted:
                self.wanted[node] = cotangent
            if node.hooks is not None:
                cotangent = hooked(node.hooks, cotangent, node.op.name, True)
            if self.way is not None and node not in self.way:
                continue
            if node.retained is not None:
                self.retained.append((node.retained(), cotangent))
            if node.freed:
                raise freed_error(node)
            node.check_unchanged()
            self.through(node, cotangent, create_graph)
            cotangent = None
            if not retain_graph:
                node.free()
        return 0

    cdef int through(self, Node node, Tensor cotangent, bint create_graph) except -1:
        """Carry a cotangent from the output of `node` to each of its inputs."""
        cdef Op op = <Op> node.op
        cdef Tensor output = None, shared
        # Held here, because another thread that walks the same nodes may free them meanwhile.
        cdef tuple parents = node.parents, saved = node.saved
        cdef ndarray output_array = node.output
        if node.freed:
            raise freed_error(node)
        if node.is_packed:
            saved = tuple([unpacked(value) for value in saved]) if saved is not None else None
            if node.packed_output is not None:
                output_array = (<Tensor> unpacked(node.packed_output)).array
        if output_array is not None:
            output = wrap(output_array)
            if create_graph:
                output.node = node
                output.needs_gradient = True
                node.consumers += 1
        if op.shared_rule is None:
            return self.to_inputs(node, parents, saved, cotangent, output, create_graph)
        shared = by_rule(
            None, node, op.shared_rule, op.shared_plan, saved, 0, None, cotangent, output,
            not create_graph and held_once(cotangent),
        )
        return self.to_inputs(node, parents, saved, shared, output, create_graph)

    cdef bint leads(self, object target) except -1:
        """Tell whether a node or leaf was asked for, or lies on the way to what was."""
        return self.way is None or target in self.way or target in self.goals

    cdef int seek(self, list inputs, list outputs) except -1:
        """Find the way from `outputs` to what the caller asked for: nothing else is walked, or freed."""
        cdef Tensor tensor
        cdef list pending = [tensor.node for tensor in outputs if tensor.node is not None]
        cdef set seen = set()
        cdef tuple parents
        self.wanted = {tensor.node: None for tensor in inputs if tensor.node is not None}
        self.goals = {tensor if tensor.node is None else tensor.node for tensor in inputs}
        self.way = set()
        while pending:
            node = pending[len(pending) - 1]
            parents = (<Node> node).parents or ()
            if node not in seen:
                seen.add(node)
                pending.extend([p for p in parents if type(p) is Node and p not in seen])
                continue
            # Met again, below all that came to the list because of it.
            pending.pop()
            for parent in parents:
                if parent is not None and (parent in self.goals or parent in self.way):
                    self.way.add(node)
                    break
        return 0

    cdef int to_inputs(
        self, Node node, tuple parents, tuple saved, Tensor cotangent, Tensor output, bint create_graph
    ) except -1:
        """Carry a cotangent through the rule of each input; the last one may write over it."""
        cdef Py_ssize_t k, last = 0
        cdef object parent
        cdef Tensor pulled
        cdef list all_pulled = None if node.post_hooks is None else [None] * len(parents)
        for k in range(PyTuple_GET_SIZE(parents)):
            if PyTuple_GET_ITEM(parents, k) is not <PyObject*> None:
                last = k
        for k in range(last + 1):
            parent = <object> PyTuple_GET_ITEM(parents, k)
            if parent is None or not self.leads(parent):
                continue
            self.lent = None
            pulled = pulled_back(
                None if create_graph or all_pulled is not None else self, node, saved, k, parent,
                cotangent, output,
                k == last and all_pulled is None and not create_graph and held_once(cotangent),
            )
            if pulled is not None and checks_gradients:
                check_numbers(node, k, pulled)
            if all_pulled is not None:
                all_pulled[k] = pulled
            else:
                # To a sum that it was lent the rule has added already.
                self.arrive(parent, None if pulled is self.lent else pulled)
        if all_pulled is not None:
            for parent, pulled in zip(parents, post_hooked(node, tuple(all_pulled), cotangent)):
                if parent is not None:
                    self.arrive(parent, pulled)
        return 0


cdef Tensor by_rule(
    Walk walk, Node node, object rule, tuple plan, tuple saved, Py_ssize_t k, object parent,
    Tensor cotangent, Tensor output, bint spare,
):
    """Call a rule with what its parameters name.

    What nobody else holds (`spare`) is offered to a rule that says that it can write into it.  `walk` is
    None where sums of cotangents are not.
    """
    cdef Op op = <Op> node.op
    cdef object result, position = None, own_shape = None, sofar
    cdef PyObject* arguments[MOST_RULE_NAMES]
    cdef Py_ssize_t j, code
    for j in range(PyTuple_GET_SIZE(plan)):
        code = <object> PyTuple_GET_ITEM(plan, j)
        if code == COTANGENT:
            arguments[j] = <PyObject*> cotangent
        elif code == SPARE_COTANGENT:
            arguments[j] = <PyObject*> cotangent
            if spare:
                offer(cotangent.array)
        elif code == SPARE_SUM:
            sofar = None if walk is None else walk.spare_sum(parent)
            arguments[j] = <PyObject*> sofar
        elif code == OUTPUT:
            arguments[j] = <PyObject*> output
        elif code == POSITION:
            position = k
            arguments[j] = <PyObject*> position
        elif code == OWN_SHAPE:
            own_shape = shape_of(parent)
            arguments[j] = <PyObject*> own_shape
        elif code < FIRST_STATIC:
            arguments[j] = PyTuple_GET_ITEM(saved, code - FIRST_INPUT)
        else:
            arguments[j] = PyTuple_GET_ITEM(node.statics, code - FIRST_STATIC)
    try:
        result = PyObject_Vectorcall(rule, arguments, PyTuple_GET_SIZE(plan), NULL)
    except Exception as error:
        error.add_note(f"On the way back through {op.name}, recorded by {node.place}")
        raise
    finally:
        withdraw()
    if result is NO_GRADIENT:
        return None
    if not isinstance(result, Tensor):
        raise RuleError(
            f"{op.name}: the rule of {op.input_name(k)} returned a {type(result).__name__}: a rule "
            f"returns the cotangent of its input, a Tensor. Recorded by {node.place}"
        )
    # Written over, the cotangent is the result, and belongs to nobody else.
    return cotangent if spare and (<Tensor> result).array is cotangent.array else <Tensor> result


cdef Tensor pulled_back(
    Walk walk, Node node, tuple saved, Py_ssize_t k, object parent, Tensor cotangent, Tensor output,
    bint spare,
):
    """Apply the rule of input `k`, and bring what it gives to the shape and dtype of that input."""
    cdef Op op = <Op> node.op
    cdef Py_ssize_t row = k if op.inputs >= 0 else 0
    cdef object rule = op.rules[row]
    cdef Tensor pulled
    cdef Node source
    cdef bint fits
    cdef int dtype
    if rule is None:
        return wrap(np.zeros(shape_of(parent), dtype=cnp.PyArray_DescrFromType(dtype_of(parent))))
    pulled = by_rule(walk, node, rule, op.plans[row], saved, k, parent, cotangent, output, spare)
    if pulled is None:
        return None
    if type(parent) is Node:
        source = <Node> parent
        fits = source.has_shape_of(pulled.array)
        dtype = source.dtype
    else:
        fits = cnp.PyArray_SAMESHAPE(pulled.array, (<Tensor> parent).array)
        dtype = cnp.PyArray_TYPE((<Tensor> parent).array)
    if not fits:
        pulled = summed_to(pulled, shape_of(parent), node, k)
    if cnp.PyArray_TYPE(pulled.array) != dtype:
        pulled = one_with(CAST, pulled, (cnp.PyArray_DescrFromType(dtype),))
    return pulled


cdef Tensor summed_to(Tensor cotangent, tuple shape, Node node, Py_ssize_t k):
    """Sum over the axes along which an input of `shape` was broadcast."""
    cdef Op op = <Op> node.op
    cdef Py_ssize_t axis, leading = cotangent.ndim - len(shape)
    cdef bint fits = leading >= 0
    cdef npy_intp length
    if fits:
        for axis in range(len(shape)):
            length = shape[axis]
            if length != 1 and length != cnp.PyArray_DIM(cotangent.array, leading + axis):
                fits = False
    if not fits:
        raise RuleError(
            f"{op.name}: the rule of {op.input_name(k)} returned a cotangent of shape "
            f"{cotangent.shape} for an input of shape {shape}. Recorded by {node.place}"
        )
    return one_with(SUM_TO, cotangent, (shape,))


cdef tuple shape_of(object target):
    return (<Node> target).shape_tuple() if type(target) is Node else target.shape


cdef int dtype_of(object target):
    if type(target) is Node:
        return (<Node> target).dtype
    return cnp.PyArray_TYPE((<Tensor> target).array)


cdef Tensor one_like(ndarray array):
    """Return 1 in the shape and dtype of an array of one element."""
    cdef ndarray result
    if cnp.PyArray_TYPE(array) not in (cnp.NPY_DOUBLE, cnp.NPY_FLOAT):
        return wrap(np.ones_like(array))
    result = cnp.PyArray_EMPTY(
        cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array), cnp.PyArray_TYPE(array), 0
    )
    if cnp.PyArray_TYPE(array) == cnp.NPY_DOUBLE:
        (<double*> cnp.PyArray_DATA(result))[0] = 1
    else:
        (<float*> cnp.PyArray_DATA(result))[0] = 1
    return wrap(result)


cdef Tensor seed(Tensor output, object gradient):
    """Return the cotangent with which a walk back begins at `output`."""
    cdef Tensor cotangent
    catch_up(output)
    if not output.needs_gradient:
        raise GraphError(
            "backward: nothing was recorded for this tensor: make an input with requires_grad=True, "
            "and compute outside of no_grad()"
        )
    if gradient is None:
        if cnp.PyArray_SIZE(output.array) != 1:
            raise GraphError(
                f"backward: a tensor of shape {output.shape} has no single gradient: reduce it to "
                "one number, such as .sum(), or pass gradient= of its shape"
            )
        return one_like(output.array)
    cotangent = gradient if isinstance(gradient, Tensor) else wrap(np.array(gradient))
    if not cnp.PyArray_SAMESHAPE(cotangent.array, output.array):
        raise ShapeError(
            f"backward: gradient has shape {cotangent.shape}, and the tensor has shape {output.shape}"
        )
    if cnp.PyArray_TYPE(cotangent.array) != cnp.PyArray_TYPE(output.array):
        if not np.can_cast(cotangent.dtype, output.dtype, "same_kind"):
            raise DTypeError(
                f"backward: gradient has dtype {cotangent.dtype}, and the tensor has dtype "
                f"{output.dtype}"
            )
        return one_with(CAST, cotangent, (output.dtype,))
    return cotangent


cdef dict walk_back(
    list outputs, list gradients, list inputs, bint retain_graph, bint create_graph
):
    """Return the cotangents of the leaves, or of `inputs` (by position) if they are given."""
    cdef Walk walk = Walk()
    cdef Tensor tensor
    cdef list seeds = [seed(output, gradient) for output, gradient in zip(outputs, gradients)]
    cdef bint before = set_recording(create_graph)
    try:
        if inputs is not None:
            for tensor in inputs:
                catch_up(tensor)
            walk.seek(inputs, outputs)
        else:
            walk.awaited = uses_of_awaited(outputs) if watchers else None
        for tensor in outputs:
            if tensor.node is not None:
                if (<Node> tensor.node).freed:
                    raise freed_error(<Node> tensor.node)
                # This walk: its cotangent arrives beside those of recorded consumers.
                (<Node> tensor.node).consumers += 1
        for tensor, cotangent in zip(outputs, seeds):
            walk.arrive(tensor if tensor.node is None else tensor.node, cotangent)
        walk.go(retain_graph, create_graph)
        for leaf in walk.leaves:
            if (<Tensor> leaf).hooks is not None:
                walk.leaves[leaf] = hooked((<Tensor> leaf).hooks, walk.leaves[leaf], "a leaf", False)
        if walk.awaited is not None:
            walk.awaited.finish(walk.leaves)
        # Nothing is left behind before nothing can fail any more.
        for tensor, cotangent in walk.retained:
            retain(tensor, cotangent, create_graph)
    finally:
        set_recording(before)
    if inputs is None:
        return walk.leaves
    return {
        position: walk.leaves.get(x) if (<Tensor> x).node is None else walk.wanted[(<Tensor> x).node]
        for position, x in enumerate(inputs)
    }


# ---------------------------------------------------------------------------------------- hooks

cdef Tensor hooked(dict hooks, Tensor cotangent, where, bint on_node):
    """Return what hooks on a tensor, or on its node, make of a cotangent; None leaves it as it is."""
    for hook in list(hooks.values()):
        if isinstance(hook, NodeHook) != on_node:
            continue
        result = hook(cotangent)
        if result is None:
            continue
        check_replacement(f"a hook on {where}", result, cotangent)
        cotangent = result
    return cotangent


cdef tuple post_hooked(Node node, tuple pulled, Tensor cotangent):
    """Return what hooks after a node make of the cotangents of its inputs."""
    for hook in list(node.post_hooks.values()):
        result = hook(pulled, (cotangent,))
        if result is None:
            continue
        if not isinstance(result, tuple) or len(result) != len(pulled):
            raise RuleError(
                f"a hook after {node.op.name} returned {shape_or_type(result)}: it returns a tuple of "
                f"{len(pulled)} gradients, or None"
            )
        for given, own in zip(result, pulled):
            if given is not None and own is not None:
                check_replacement(f"a hook after {node.op.name}", given, own)
        pulled = result
    return pulled


def check_replacement(where, result, cotangent):
    """Raise if a hook did not return a gradient of the shape and dtype of the one that it was given."""
    if isinstance(result, Tensor) and (result.shape, result.dtype) == (cotangent.shape, cotangent.dtype):
        return
    raise RuleError(
        f"{where} returned {shape_or_type(result)} for a gradient of shape {cotangent.shape} and dtype "
        f"{cotangent.dtype}: it returns a Tensor of that shape and dtype, or None"
    )


def shape_or_type(value):
    """Return the shape of a tensor, or the type of anything else, in words."""
    if isinstance(value, Tensor):
        return f"shape {value.shape} and dtype {value.dtype}"
    return f"a {type(value).__name__}"


cdef int retain(Tensor tensor, Tensor cotangent, bint create_graph) except -1:
    """Leave a cotangent in the ``.grad`` of a tensor that is no leaf, if there still is one."""
    if tensor is None:
        return 0
    if tensor.gradient is not None:
        tensor.gradient = two(ADD, tensor.gradient, cotangent)
    else:
        tensor.gradient = cotangent if create_graph else wrap(cotangent.array.copy())
    return 0


# Whether each gradient is looked at on the way back: for NaN, and for infinities as well.
cdef bint checks_gradients = False, checks_infinities = False


def check_gradients_on_the_way(bint nan, bint infinite):
    """Set whether the walk back raises at the first NaN or infinity; return what was set."""
    global checks_gradients, checks_infinities
    before = checks_gradients, checks_infinities
    checks_gradients, checks_infinities = nan or infinite, infinite
    return before


cdef int check_numbers(Node node, Py_ssize_t k, Tensor pulled) except -1:
    """Raise if the cotangent that came out of a rule is not a number, naming where it was recorded."""
    cdef ndarray wrong = np.asarray(np.isnan(pulled.array))
    if checks_infinities:
        wrong = np.asarray(wrong | np.isinf(pulled.array))
    if not wrong.any():
        return 0
    position = np.unravel_index(int(np.argmax(wrong)), pulled.shape)
    raise GraphError(
        f"{node.op.name}: the gradient of {node.op.input_name(k)} is "
        f"{(<object> pulled.array)[position]} at {tuple(int(n) for n in position)}, {int(wrong.sum())} "
        f"of {pulled.size} elements are no finite numbers. Recorded by {node.place}"
    )
