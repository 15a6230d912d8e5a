"""`Op`: how a differentiable function is called, and what it records.

Design
------
a) A call with all arguments by position and no option runs no Python frame: Python's vectorcall
   reaches `Op.apply`, which hands pointers to the kernel and records a node.
b) All else (keywords, options, sequences, missing arguments) is sorted out once, in `Op.call`.
c) An error of a kernel is raised as one of ours, with the name of the op and what it was given.
"""

import inspect
from types import MethodType

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.float cimport PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject_GenericSetAttr
from cpython.ref cimport Py_INCREF, PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_New, PyTuple_SET_ITEM
from numpy cimport ndarray

from tinygrad_relu.engine.graph cimport OUTPUT_BIT, Node, hooks_pack, is_recording, new_node, packed
from tinygrad_relu.engine.mutation cimport catch_up
from tinygrad_relu.engine.tensor cimport Tensor, carries_gradient, wrap
from tinygrad_relu.kernels.kernel cimport Function, Kernel

from tinygrad_relu.engine.calling import BAD_ARGUMENTS, UFUNCS, checked_call, explained, named_parameters
from tinygrad_relu.errors import (
    ArgumentError,
    DeclarationError,
    DTypeError,
    NotDifferentiable,
    RangeError,
)

cnp.import_array()

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        Py_ssize_t tp_vectorcall_offset
        unsigned long tp_flags
        void* tp_call
    unsigned long Py_TPFLAGS_HAVE_VECTORCALL
    unsigned long Py_TPFLAGS_METHOD_DESCRIPTOR
    void* PyVectorcall_Call
    Py_ssize_t PyVectorcall_NARGS(size_t)
    void PyObject_GC_UnTrack(void*)
    void PyType_Modified(PyTypeObject* kind)


# --------------------------------------------------------------------- the ops behind operators

SLOT_NAMES = (
    "__neg__", "__abs__", "__invert__",
    "__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__",
    "__matmul__", "__and__", "__or__", "__xor__", "__lshift__", "__rshift__",
    "__lt__", "__le__", "__eq__", "__ne__", "__gt__", "__ge__",
    "__getitem__", "transpose", "swapaxes", "cast", "sum_to", "copy",
    "assign", "overwrite",
)
for position in range(SLOTS):
    slots[position] = NULL


def install(operators, methods, ufuncs):
    """Give Tensor its operators and methods, once, when the op table has been read.

    Parameters
    ----------
    operators : dict of str to Op
        The op of every slot in `SLOT_NAMES`.
    methods : dict of str to callable
        What ``tensor.name(...)`` calls, with the tensor as first argument.
    ufuncs : dict of numpy.ufunc to callable
        What ``np.name(tensor)`` calls; by a pair with "reduce", what ``np.name.reduce(tensor)`` does.
    """
    UFUNCS.update(ufuncs)
    for index, name in enumerate(SLOT_NAMES):
        op = operators[name]
        Py_INCREF(op)
        slots[index] = <PyObject*> op
    add_methods(methods)


def add_methods(methods):
    """Give Tensor more methods: callables by name, with the tensor as first argument."""
    for name, method in methods.items():
        # An extension type takes no attributes from Python, but its maker may give it some.
        PyObject_GenericSetAttr(Tensor, name, method)
    PyType_Modified(<PyTypeObject*> Tensor)


cdef Tensor one(int slot, object x):
    cdef PyObject* arguments[1]
    arguments[0] = <PyObject*> x
    return (<Op> slots[slot]).apply(arguments, 1, ())


cdef Tensor one_with(int slot, object x, tuple statics):
    cdef PyObject* arguments[1]
    arguments[0] = <PyObject*> x
    return (<Op> slots[slot]).apply(arguments, 1, statics)


cdef object two(int slot, object a, object b):
    cdef PyObject* arguments[2]
    if not (takes_part(a) and takes_part(b)):
        return NotImplemented
    arguments[0] = <PyObject*> a
    arguments[1] = <PyObject*> b
    return (<Op> slots[slot]).apply(arguments, 2, ())


cdef inline bint takes_part(object value):
    """Tell whether an operator takes `value`; others may know how to take a Tensor themselves."""
    if type(value) is Tensor or PyFloat_CheckExact(value) or PyLong_CheckExact(value):
        return True
    return isinstance(value, (Tensor, np.ndarray, np.generic, int, float, complex, list, tuple))


# ------------------------------------------------------------------------- floats of integers

# What functions that give floats make of integers and Python's numbers, unless it is float64: then
# NumPy's own choice stays, which differs only for bytes (half precision) and int16 (single).
cdef object default_dtype = np.dtype(np.float64)
cdef int default_type = cnp.NPY_DOUBLE


def get_default_dtype():
    """Return the dtype of tensors that are made without one."""
    return default_dtype


def keep_default_dtype(dtype):
    """Make a floating dtype that of tensors that are made without one."""
    global default_dtype, default_type
    default_dtype, default_type = dtype, dtype.num


cdef bint has_floats(PyObject** arrays, PyObject** arguments, Py_ssize_t count) noexcept:
    """Tell whether an operand has a floating dtype of its own, as Python's numbers have not."""
    cdef Py_ssize_t i
    for i in range(count):
        if type(<object> arrays[i]) is ndarray and not PyFloat_CheckExact(<object> arguments[i]):
            if carries_gradient(cnp.PyArray_TYPE(<ndarray> <object> arrays[i])):
                return True
    return False


# --------------------------------------------------------------------------------------------- Op

cdef object MISSING = inspect.Parameter.empty


@cython.final
cdef class Op:
    """A differentiable function of tensors: one kernel, and one rule for each input.

    Made by `tinygrad_relu.ops.table.op`, which reads the signature and checks the laws of the table.
    """

    def __init__(
        self, name, declaration, kernel, inputs, required, names, static_defaults, gathers, rules,
        plans, saves, shared_rule, shared_plan, shared_saves,
    ):
        self.vectorcall = <void*> call_op
        self.name = name
        self.declaration = declaration
        self.kernel = kernel if isinstance(kernel, Kernel) else Function(kernel)
        self.inputs = inputs
        self.required = required
        self.names = names
        self.static_defaults = static_defaults
        self.defaults = None if MISSING in static_defaults else static_defaults
        self.gathers = gathers
        self.rules = rules
        self.plans = plans
        if len(rules) > 8:
            raise DeclarationError(f"{name}: an op has at most 8 named inputs, got {len(rules)}")
        self.shared_rule, self.shared_plan, self.shared_saves = shared_rule, shared_plan, shared_saves
        self.zeros = 0
        for k in range(len(rules)):
            self.saves[k] = saves[k]
            if rules[k] is None:
                self.zeros |= <unsigned long long> 1 << k
        self.only_zeros = all(rule is None for rule in rules)

    @property
    def __signature__(self):
        return inspect.signature(self.declaration)

    def __repr__(self):
        return f"<op {self.name}{self.__signature__}>"

    def __reduce__(self):
        return self.name

    def __get__(self, instance, owner):
        return self if instance is None else MethodType(self, instance)

    def renamed(self, name):
        """Return this op under another name, which its errors and what it records have then."""
        cdef Op twin = Op(
            name, self.declaration, self.kernel, self.inputs, self.required, self.names,
            self.static_defaults, self.gathers, self.rules, self.plans,
            [self.saves[k] for k in range(len(self.rules))],
            self.shared_rule, self.shared_plan, self.shared_saves,
        )
        if self.wider is not None:
            twin.wider = checked_call(self.wider.__wrapped__, name)
        vars(twin).update(vars(self), __name__=name, __qualname__=name)
        return twin

    def input_name(self, k):
        """Return the name of input `k`."""
        return self.names[k] if self.inputs >= 0 else f"{self.names[0]}[{k}]"

    cdef Tensor apply(self, PyObject** arguments, Py_ssize_t count, tuple statics):
        """Compute, and record where an input needs a gradient."""
        cdef PyObject* few[8]
        cdef PyObject** arrays = few
        cdef unsigned long long active = 0
        cdef bint needs_gradient = False, only_numbers = True
        cdef Py_ssize_t i
        cdef object argument, converted, result
        cdef list held = None
        cdef bytes many
        cdef Tensor output
        if self.diversion is not None:
            result = self.diversion(*[<object> arguments[i] for i in range(count)], *statics)
            if result is not NotImplemented:
                return result
        if count > 8:
            many = bytes(count * sizeof(void*))
            arrays = <PyObject**> <char*> many
        for i in range(count):
            argument = <object> arguments[i]
            if type(argument) is Tensor:
                only_numbers = False
                if (<Tensor> argument).view is not None:
                    catch_up(<Tensor> argument)
                arrays[i] = <PyObject*> (<Tensor> argument).array
                if (<Tensor> argument).needs_gradient:
                    needs_gradient = True
                    active |= <unsigned long long> 1 << (i & 63)
            elif PyFloat_CheckExact(argument) or PyLong_CheckExact(argument):
                arrays[i] = arguments[i]
            elif isinstance(argument, Tensor):
                only_numbers = False
                catch_up(<Tensor> argument)
                arrays[i] = <PyObject*> (<Tensor> argument).array
                if (<Tensor> argument).needs_gradient:
                    needs_gradient = True
                    active |= <unsigned long long> 1 << (i & 63)
            else:
                if argument is None and self.required <= i < self.inputs:
                    arrays[i] = arguments[i]
                    continue
                if held is None:
                    held = []
                converted = self.operand(argument, i)
                held.append(converted)
                arrays[i] = <PyObject*> converted
                only_numbers = only_numbers and type(converted) is not ndarray
        if only_numbers:
            held = self.as_arrays(arrays, count)
        try:
            result = self.kernel.run(arrays, count, statics)
        except BAD_ARGUMENTS as error:
            raise self.explained(
                error, [<object> arguments[i] for i in range(count)], statics
            ) from error
        if type(result) is not ndarray:
            result = np.asarray(result)
        if (
            default_type != cnp.NPY_DOUBLE and carries_gradient(cnp.PyArray_TYPE(<ndarray> result))
            and <PyObject*> self != slots[CAST] and not has_floats(arrays, arguments, count)
        ):
            result = self.in_default_dtype(result, arrays, count, statics)
        output = wrap(<ndarray> result)
        if cnp.PyArray_BASE(<ndarray> result) is not NULL or <PyObject*> result is arrays[0]:
            self.note_owner(output, <object> arguments[0], <object> arrays[0], statics)
        if not self.only_zeros:
            active &= ~self.zeros
            needs_gradient = needs_gradient and (active != 0 or self.inputs < 0)
        if needs_gradient and is_recording() and carries_gradient(cnp.PyArray_TYPE(<ndarray> result)):
            self.record(arguments, arrays, count, statics, active, output)
        return output

    cdef ndarray in_default_dtype(
        self, ndarray result, PyObject** arrays, Py_ssize_t count, tuple statics
    ):
        """Return floats that came of integers in the default dtype; narrower ones are computed anew."""
        cdef list floats
        if result.itemsize < default_dtype.itemsize:
            floats = [<object> arrays[k] for k in range(count)]
            floats = [x.astype(default_dtype) if type(x) is ndarray else x for x in floats]
            result = np.asarray(self.kernel(*floats, statics=statics))
        return result.astype(default_dtype, copy=False)

    cdef int note_owner(self, Tensor output, object argument, object array, tuple statics) except -1:
        """Note whose memory a result lies in, if it does not own it."""
        cdef PyObject* base = cnp.PyArray_BASE(output.array)
        if type(array) is ndarray and (
            output.array is array or base is <PyObject*> array
            or (base is not NULL and base is cnp.PyArray_BASE(<ndarray> array))
        ):
            if not isinstance(argument, Tensor):
                # The user's own array, of whose changes nobody would tell us.
                output.array = output.array.copy()
                return 0
            output.owner = (<Tensor> argument).memory()
            output.view = (argument, self, statics)
            output.base = (<Tensor> argument).base if (<Tensor> argument).view is not None else argument
            output.rewrites = output.base.rewrites
        elif isinstance(argument, Tensor) and np.may_share_memory(output.array, array):
            output.owner = (<Tensor> argument).memory()
            output.shares_unknown = True
        elif np.may_share_memory(output.array, array):
            output.array = output.array.copy()
        return 0

    cdef int record(
        self, PyObject** arguments, PyObject** arrays, Py_ssize_t count, tuple statics,
        unsigned long long active, Tensor output,
    ) except -1:
        cdef Node node = new_node()
        cdef unsigned long long saves = self.shared_saves
        cdef tuple parents = PyTuple_New(count)
        cdef Py_ssize_t i
        cdef object parent
        cdef Tensor tensor
        cdef bint flows
        for i in range(count):
            parent = None
            if self.inputs >= 0:
                flows = (active >> i) & 1
            else:
                flows = isinstance(<object> arguments[i], Tensor) and (
                    (<Tensor> arguments[i]).needs_gradient
                )
            if flows:
                tensor = <Tensor> arguments[i]
                saves |= self.saves[i if self.inputs >= 0 else 0]
                if tensor.node is None:
                    parent = tensor
                else:
                    parent = tensor.node
                    (<Node> tensor.node).consumers += 1
            Py_INCREF(parent)
            PyTuple_SET_ITEM(parents, i, parent)
        PyObject_GC_UnTrack(<void*> parents)
        node.op = self
        node.statics = statics
        node.parents = parents
        node.remember_shape(output.array)
        if saves:
            node.is_packed = hooks_pack()
            if saves >> OUTPUT_BIT:
                if node.is_packed:
                    node.packed_output = packed(wrap(output.array))
                else:
                    node.output = output.array
            saves &= ~(<unsigned long long> 1 << OUTPUT_BIT)
            if saves:
                node.saved = self.keep(node, arguments, arrays, count, saves)
        output.node = node
        output.needs_gradient = True
        return 0

    cdef tuple keep(
        self, Node node, PyObject** arguments, PyObject** arrays, Py_ssize_t count,
        unsigned long long saves,
    ):
        """Return the inputs that rules will ask for; the user's own arrays are copied."""
        cdef tuple saved = PyTuple_New(count)
        cdef Py_ssize_t i
        cdef object value
        for i in range(count):
            value = None
            if (saves >> i) & 1:
                value = <object> arguments[i]
                if isinstance(value, Tensor):
                    if node.is_packed:
                        value = packed(<Tensor> value)
                    else:
                        node.versions += (<Tensor> value).memory().version
                elif type(<object> arrays[i]) is ndarray:
                    value = <object> arrays[i]
                    value = wrap(value.copy())
            Py_INCREF(value)
            PyTuple_SET_ITEM(saved, i, value)
        PyObject_GC_UnTrack(<void*> saved)
        return saved

    cdef list as_arrays(self, PyObject** arrays, Py_ssize_t count):
        """Put arrays in the place of numbers, where nothing else says what dtype these have."""
        cdef list held = []
        cdef Py_ssize_t k
        for k in range(count):
            value = <object> arrays[k]
            if value is not None:
                value = np.asarray(value)
                if value.dtype.kind == "O":
                    raise RangeError(f"{self.name}: {self.input_name(k)} is {value}: no dtype holds it")
            held.append(value)
            arrays[k] = <PyObject*> value
        return held

    def constant(self, Tensor value, position):
        """Return a copy of the array of a tensor that was given for a static, or raise."""
        name = self.names[len(self.names) - len(self.static_defaults) + position]
        if value.requires_grad:
            raise NotDifferentiable(
                f"{self.name}: {name} is a tensor that requires a gradient, and none flows to it: pass "
                "a number, or its detach()"
            )
        return value.array.copy()

    def operand(self, argument, position):
        """Return an argument that is neither Tensor nor plain number in the form kernels take."""
        if isinstance(argument, bool):
            return argument
        if isinstance(argument, int):
            return int(argument)    # a subclass, such as `Size`: as weak as any Python number
        if type(argument) is ndarray:
            array = argument
        elif argument is None:
            raise ArgumentError(
                f"{self.name}: {self.input_name(position)} is None: a tensor, array or number is needed"
            )
        else:
            try:
                array = np.asarray(argument)
            except BAD_ARGUMENTS as error:
                raise explained(error, self.name, [(self.input_name(position), argument)]) from error
        if array.dtype.kind not in "biuf":
            raise DTypeError(
                f"{self.name}: {self.input_name(position)} is a {type(argument).__name__} of dtype "
                f"{array.dtype}: pass a tensor, array or sequence of real numbers"
            )
        return array

    def explained(self, error, arguments, statics):
        """Return the error of a kernel as one of ours, with the op and its arguments."""
        given = [(self.input_name(k), x) for k, x in enumerate(arguments)]
        given = given[:4] + list(zip(self.names[len(self.names) - len(statics):], statics))
        return explained(error, self.name, given)

    cdef object by_position(self, PyObject** arguments, Py_ssize_t count):
        """Sort positional arguments into inputs and statics, with the default of what is missing."""
        cdef PyObject* inputs[8]
        cdef Py_ssize_t k, extra = count - self.inputs, wanted = len(self.static_defaults)
        cdef tuple statics = self.defaults
        cdef object value
        for k in range(self.inputs):
            inputs[k] = arguments[k] if k < count else <PyObject*> None
        if extra > 0 and self.gathers and wanted == 1:
            value = <object> arguments[self.inputs]
            if extra > 1 or not isinstance(value, (tuple, list)):
                value = [<object> arguments[self.inputs + k] for k in range(extra)]
            statics = (tuple(value),)
        elif 0 < extra <= wanted and not self.gathers:
            statics = PyTuple_New(wanted)
            for k in range(wanted):
                if k < extra:
                    value = <object> arguments[self.inputs + k]
                else:
                    value = self.static_defaults[k]
                    if value is MISSING:
                        return self.bind(arguments, count, NULL)
                if type(value) is list:
                    value = tuple(value)
                elif type(value) is Tensor:
                    value = self.constant(value, k)
                Py_INCREF(value)
                PyTuple_SET_ITEM(statics, k, value)
        elif extra > 0 or statics is None:
            return self.bind(arguments, count, NULL)
        return self.apply(inputs, self.inputs, statics)

    cdef object bind(self, PyObject** arguments, Py_ssize_t count, PyObject* keywords):
        """Sort arguments into inputs and static parameters as the signature has them."""
        cdef list given = [<object> arguments[i] for i in range(count)]
        cdef dict named = {}
        cdef Py_ssize_t i
        if keywords is not NULL:
            for i in range(len(<tuple> keywords)):
                named[(<tuple> keywords)[i]] = <object> arguments[count + i]
        if self.wider is not None and not self.knows(named):
            return self.wider(*given, **named)
        return self.call(given, named_parameters(named, self.names, self.name, self))

    def widened(self, function):
        """Let calls with keywords that the op lacks be answered by `function`, which has more of them."""
        self.wider = checked_call(function, self.name)
        self.declaration = function
        return function

    cdef bint knows(self, dict named) except -1:
        """Tell whether keywords are parameters of the op, or the general words for its inputs."""
        for word in named:
            if word not in self.names and word not in ("input", "other"):
                return False
        return True

    cdef object misfit(self, problem):
        """Return the error of a call that does not fit the signature."""
        return ArgumentError(f"{self.name}: {problem}: the signature is {self.name}{self.__signature__}")

    def call(self, list given, dict named):
        """Apply the op to arguments by position and by name."""
        cdef PyObject* pointers[8]
        cdef tuple inputs, statics
        cdef bytes many
        cdef PyObject** all_pointers = pointers
        cdef Py_ssize_t i, count = self.inputs
        if count < 0:
            count = len(given)
            if count == 0:
                raise self.misfit("at least one tensor is needed")
            inputs, rest = tuple(given), []
            static_names = self.names[1:]
        else:
            static_names = self.names[count:]
            taken = given[:count]
            rest = given[count:]
            for name in self.names[len(taken):count]:
                if name in named:
                    taken.append(named.pop(name))
                elif len(taken) >= self.required:
                    taken.append(None)
                else:
                    raise self.misfit(f"{name} is missing")
            inputs = tuple(taken)
        if self.gathers and rest:
            before = len(static_names) - 1
            tail = rest[before:]
            if len(tail) == 1 and isinstance(tail[0], (tuple, list)):
                tail = tail[0]
            rest = rest[:before] + [tuple(tail)]
        if len(rest) > len(static_names):
            raise self.misfit(f"{len(given)} arguments are too many")
        values = list(self.static_defaults)
        for i in range(len(static_names)):
            name = static_names[i]
            if i < len(rest):
                if name in named:
                    raise self.misfit(f"{name} is given twice")
                values[i] = rest[i]
            elif name in named:
                values[i] = named.pop(name)
            if values[i] is MISSING:
                raise self.misfit(f"{name} is missing")
            if isinstance(values[i], list):
                values[i] = tuple(values[i])
            elif isinstance(values[i], Tensor):
                values[i] = self.constant(values[i], i)
        if named:
            raise self.misfit(f"{', '.join(named)} {'is' if len(named) == 1 else 'are'} given twice")
        statics = tuple(values)
        if count > 8:
            many = bytes(count * sizeof(void*))
            all_pointers = <PyObject**> <char*> many
        for i in range(count):
            all_pointers[i] = PyTuple_GET_ITEM(inputs, i)
        return self.apply(all_pointers, count, statics)


cdef object call_op(object op, PyObject** arguments, size_t flags, PyObject* keywords):
    """Answer ``op(...)``: the entry of the vectorcall protocol."""
    cdef Py_ssize_t count = PyVectorcall_NARGS(flags)
    if keywords is NULL and count == (<Op> op).inputs and (<Op> op).defaults is not None:
        return (<Op> op).apply(arguments, count, (<Op> op).defaults)
    if keywords is NULL and (<Op> op).required <= count and (<Op> op).inputs > 0:
        return (<Op> op).by_position(arguments, count)
    return (<Op> op).bind(arguments, count, keywords)


def allow_vectorcall():
    """Let Python call an Op, and a method that is one, without building a tuple.

    It is the protocol of PEP 590, which Cython offers for its functions but not for its classes.
    """
    cdef PyTypeObject* kind = <PyTypeObject*> Op
    cdef Op sample = Op.__new__(Op)
    kind.tp_vectorcall_offset = <char*> &sample.vectorcall - <char*> <void*> sample
    kind.tp_call = <void*> PyVectorcall_Call
    kind.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR
    PyType_Modified(kind)


allow_vectorcall()
