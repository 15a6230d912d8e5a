"""`Tensor`: an array that remembers how it was computed."""

import math
import weakref

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray

from tinygrad_relu.engine.accumulation cimport add_gradients
from tinygrad_relu.engine.graph cimport Node
from tinygrad_relu.engine.mutation cimport assign, catch_up, in_place
from tinygrad_relu.engine.op cimport (
    ABSOLUTE, ADD, AND, COPY, DIVIDE, EQUAL, FLOOR_DIVIDE, GREATER, GREATER_EQUAL, INVERT,
    ITEM, LEFT_SHIFT, LESS, LESS_EQUAL, MATMUL, MULTIPLY, NEGATIVE, NOT_EQUAL, OR, POWER, REMAINDER,
    RIGHT_SHIFT, SUBTRACT, SWAP, TRANSPOSE, XOR, one, one_with, two,
)
from tinygrad_relu.kernels.kernel cimport plain

from tinygrad_relu.engine.calling import UFUNCS
from tinygrad_relu.engine.device import CPU
from tinygrad_relu.engine.hooks import RemovableHandle
from tinygrad_relu.engine.printing import text_of
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError, ShapeError

cnp.import_array()

cdef extern from "Python.h":
    # By pointer: an object handed over would be counted once more on the way.
    Py_ssize_t references "Py_REFCNT"(PyObject*)


class Size(int):
    """A number of elements that can be called: ``x.size`` is NumPy's, ``x.size(0)`` PyTorch's."""

    def __new__(cls, shape):
        self = super().__new__(cls, math.prod(shape))
        self.shape = shape
        return self

    def __call__(self, dim=None):
        """Return the lengths of all axes, or of one."""
        if dim is None:
            return self.shape
        try:
            return self.shape[dim]
        except (IndexError, TypeError) as error:
            raise ShapeError(f"size: dim is {dim!r}, and the shape is {self.shape}") from error

    def __reduce__(self):
        return int, (int(self),)


cdef bint carries_gradient(int dtype) noexcept:
    """Tell whether a dtype, by its number, is one that gradients are taken in."""
    return dtype in (cnp.NPY_DOUBLE, cnp.NPY_FLOAT, cnp.NPY_FLOAT16, cnp.NPY_LONGDOUBLE)


cdef Tensor wrap(ndarray array):
    cdef Tensor tensor = Tensor.__new__(Tensor)
    tensor.array = array
    return tensor


@cython.freelist(512)
@cython.no_gc
cdef class Tensor:
    """An array that remembers how it was computed.

    Make one with `tinygrad_relu.tensor` (copies) or `tinygrad_relu.asarray` (shares memory).
    ``Tensor(data)`` is the same as ``tensor(data)``.

    Parameters
    ----------
    data : array_like
        Copied.
    requires_grad : bool, default False
        Whether gradients with respect to it are wanted.  Only floating dtypes can carry one.
    dtype : dtype, optional
        As in NumPy: what `data` has, and float64 for Python floats.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([1.0, -2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([ 2., -4.,  6.], dtype=float64)
    """

    def __init__(self, data, requires_grad=False, dtype=None):
        if self.array is not None:
            raise ArgumentError("Tensor: it is made already: set its elements or its .data instead")
        if isinstance(data, Tensor):
            data = (<Tensor> data).array
        if dtype is not None and np.iscomplexobj(data):
            raise DTypeError("tensor: data is complex: take its real or its imaginary part")
        if type(data) is ndarray and dtype is None:
            self.array = cnp.PyArray_NewCopy(computable(data), cnp.NPY_CORDER)
        else:
            with np.errstate(all="ignore"):
                self.array = computable(np.array(data, dtype=dtype, order="C"))
        self.requires_grad = requires_grad

    # ------------------------------------------------------------------------------ what it is

    @property
    def shape(self):
        """tuple of int: The length of each axis."""
        return (<object> self.array).shape

    @property
    def ndim(self):
        """int: How many axes there are."""
        return cnp.PyArray_NDIM(self.array)

    @property
    def size(self):
        """int: How many elements there are, as in NumPy; called, the shape, as in PyTorch."""
        return Size((<object> self.array).shape)

    def numel(self):
        """Return how many elements there are."""
        return cnp.PyArray_SIZE(self.array)

    @property
    def dtype(self):
        """numpy.dtype: The type of the elements."""
        return self.array.dtype

    @property
    def device(self):
        """Device: Where the memory is: ``"cpu"``, there is no other."""
        return CPU

    @property
    def is_leaf(self):
        """bool: Whether it was made by the user rather than recorded as the result of an op."""
        catch_up(self)
        return self.node is None

    @property
    def grad_fn(self):
        """Node or None: The recorded op that it came from."""
        catch_up(self)
        return self.node

    @property
    def requires_grad(self):
        """bool: Whether ops on it are recorded.  Can be set on leaves of floating dtype."""
        catch_up(self)
        return self.needs_gradient

    @requires_grad.setter
    def requires_grad(self, value):
        catch_up(self)
        if not isinstance(value, (bool, np.bool_)):
            raise ArgumentError(f"requires_grad: {value!r} was given: it is True or False")
        if value and not carries_gradient(cnp.PyArray_TYPE(self.array)):
            raise DTypeError(
                f"requires_grad: a tensor of dtype {self.array.dtype} cannot carry a gradient: make "
                "it of a floating dtype, such as tensor(data, dtype=float64)"
            )
        if self.node is not None and not value:
            raise GraphError(
                "requires_grad: only that of a leaf can be turned off: use tensor.detach() for a "
                "tensor outside of the graph"
            )
        self.needs_gradient = value

    @property
    def grad(self):
        """Tensor or None: The sum of the gradients that backward passes have left here."""
        return self.gradient

    @grad.setter
    def grad(self, value):
        if value is None:
            self.gradient = None
            return
        if not isinstance(value, Tensor):
            raise ArgumentError(f"grad: a {type(value).__name__} was given: set a Tensor or None")
        if (<object> (<Tensor> value).array).shape != (<object> self.array).shape:
            raise ShapeError(
                f"grad: shape {(<Tensor> value).shape} was given for a tensor of shape {self.shape}"
            )
        if (<Tensor> value).array.dtype != self.array.dtype:
            raise DTypeError(
                f"grad: dtype {(<Tensor> value).dtype} was given for a tensor of dtype {self.dtype}"
            )
        self.gradient = value

    @property
    def _version(self):
        """int: How often the memory was changed in place."""
        return self.memory().version

    @property
    def T(self):
        """Tensor: The axes in reverse order, as in NumPy."""
        return one_with(TRANSPOSE, self, (tuple(range(self.ndim - 1, -1, -1)),))

    @property
    def mT(self):
        """Tensor: The last two axes swapped."""
        if self.ndim < 2:
            raise ShapeError(f"mT: a tensor of shape {self.shape} has no two axes to swap")
        return one_with(SWAP, self, (-2, -1))

    @property
    def data(self):
        """Tensor: The same memory outside of the graph, as `detach`.  What is assigned is copied.

        A tensor of another floating dtype gives a leaf that dtype.
        """
        return self.detach()

    @data.setter
    def data(self, value):
        if isinstance(value, Tensor):
            array = (<Tensor> value).array.copy()
        else:
            array = np.array(value, dtype=self.array.dtype)
        if array.shape != self.shape or not takes_dtype_of(self, array):
            raise ShapeError(
                f"data: shape {array.shape} and dtype {array.dtype} were given for a tensor of "
                f"shape {self.shape} and dtype {self.dtype}"
            )
        self.leave_output()
        self.array = array
        self.changed()

    # ------------------------------------------------------------------------- what it holds

    def numpy(self):
        """Return the array itself, without copying; changes to it are not seen by the engine."""
        catch_up(self)
        if self.needs_gradient:
            raise GraphError(
                "numpy: the array would leave the graph, and with it the gradient: say so with "
                "tensor.detach().numpy()"
            )
        return self.array

    def __array__(self, dtype=None, copy=None):
        catch_up(self)
        if self.needs_gradient:
            raise GraphError(
                "a tensor that requires a gradient was about to become a NumPy array, and its "
                "gradient would be lost: use an op of tinygrad_relu, or tensor.detach() if that is meant"
            )
        return np.array(self.array, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        """Answer ``np.exp(tensor)`` and ``ndarray * tensor`` by the op that the ufunc stands for."""
        op = UFUNCS.get(ufunc if method == "__call__" else (ufunc, method))
        if op is None or (options and method == "__call__"):
            how = "" if method == "__call__" else f".{method}"
            raise ArgumentError(
                f"np.{ufunc.__name__}{how}"
                f"{f' with {chr(44).join(options)}=' if options else ''}: there is no op for it that "
                "could be recorded: use a function of tinygrad_relu, or tensor.detach().numpy()"
            )
        return op(*inputs, **options)

    def detach(self):
        """Return a tensor on the same memory that is outside of the graph."""
        cdef Tensor tensor = wrap(self.array)
        tensor.owner = self.memory()
        return tensor

    def detach_(self):
        """Take this tensor out of the graph."""
        if self.view is not None:
            raise GraphError("detach_: a view cannot leave the graph of its base: use detach()")
        self.leave_output()
        self.node = None
        self.needs_gradient = False
        return self

    cdef int leave_output(self) except -1:
        """Give the node its own copy of this result, if it was saved: it will not see changes of it."""
        cdef Node node
        if self.node is not None:
            node = <Node> self.node
            if node.output is self.array:
                node.output = node.output.copy()
        return 0

    def requires_grad_(self, requires_grad=True):
        """Set `requires_grad`, and return the tensor."""
        self.requires_grad = requires_grad
        return self

    def clone(self):
        """Return a recorded copy."""
        return one(COPY, self)

    def item(self):
        """Return the only element as a Python number."""
        if self.numel() != 1:
            raise ShapeError(
                f"item: a tensor of shape {self.shape} has {self.size} elements: only one element "
                "is a number; reduce it first, or use tolist()"
            )
        return self.array.item()

    def tolist(self):
        """Return the elements as (nested lists of) Python numbers."""
        return self.array.tolist()

    def __repr__(self):
        catch_up(self)
        state = ""
        if self.node is not None:
            state = f", grad_fn=<{(<Node> self.node).op.name}>"
        elif self.needs_gradient:
            state = ", requires_grad=True"
        return f"tensor({text_of(self.array)}, dtype={self.array.dtype.name}{state})"

    def __format__(self, spec):
        return format(self.array.item() if self.numel() == 1 else str(self), spec)

    def __len__(self):
        if self.ndim == 0:
            raise ArgumentError("len: a tensor without axes has no length")
        return cnp.PyArray_DIM(self.array, 0)

    def __iter__(self):
        if self.ndim == 0:
            raise ArgumentError("iteration over a tensor without axes: use item() for its number")
        return (self[index] for index in range(len(self)))

    def __bool__(self):
        if self.numel() != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self.shape} is not true or false as a whole: use "
                ".all() or .any()"
            )
        return bool(self.array.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if self.array.dtype.kind not in "iu" or self.size != 1:
            raise ArgumentError(
                f"a tensor of dtype {self.dtype} and shape {self.shape} is no index: only one "
                "integer is"
            )
        return self.array.item()

    def __hash__(self):
        return <Py_ssize_t> <void*> self >> 4

    def __reduce__(self):
        catch_up(self)
        if self.node is not None:
            raise GraphError(
                "copying or pickling a recorded tensor would lose its graph: use tensor.detach() or "
                "tensor.clone()"
            )
        return type(self), (self.array, self.needs_gradient)

    def __deepcopy__(self, memory):
        kind, arguments = self.__reduce__()
        return kind(*arguments)

    # ----------------------------------------------------------------------- the walk back

    def backward(self, gradient=None, retain_graph=False, create_graph=False, inputs=None, **unknown):
        """Add the gradient of this tensor to the ``.grad`` of every leaf it was computed from.

        Parameters
        ----------
        gradient : Tensor or array_like, optional
            The gradient of what is wanted with respect to this tensor, of its shape.  A tensor of
            one element needs none: it is then 1.
        retain_graph : bool, default False
            Keep what was saved, so that backward can be called again.
        create_graph : bool, default False
            Record the backward pass itself, so that the gradients can be differentiated.  A leaf and
            its recorded ``.grad`` then hold each other until ``.grad`` is set to None: use
            `autograd.grad`, which leaves nothing behind.
        inputs : Tensor or sequence of Tensor, optional
            Whose ``.grad`` is added to: all leaves, if they are not given.

        Raises
        ------
        GraphError
            The tensor was not recorded, its graph was freed by an earlier backward, or it has more
            than one element and no `gradient` was given.
        ShapeError, DTypeError
            `gradient` does not fit.  In each case all ``.grad`` are as they were.
        """
        if unknown:
            raise ArgumentError(
                f"backward: unknown keyword {', '.join(unknown)}: the signature is "
                "backward(gradient=None, retain_graph=False, create_graph=False, inputs=None)"
            )
        add_gradients([self], [gradient], inputs, retain_graph, create_graph)

    def retain_grad(self):
        """Leave the gradient in ``.grad`` also here, although this is no leaf."""
        catch_up(self)
        if not self.needs_gradient:
            raise GraphError("retain_grad: nothing was recorded for this tensor, so it gets no gradient")
        if self.node is not None:
            (<Node> self.node).retained = weakref.ref(self)

    @property
    def retains_grad(self):
        """bool: Whether `retain_grad` was called for this tensor, which is no leaf."""
        catch_up(self)
        return self.node is not None and (<Node> self.node).retained is not None

    def register_hook(self, hook):
        """Call ``hook(gradient)`` when the gradient of this tensor is known.

        Parameters
        ----------
        hook : callable
            Returns another gradient to go on with, or None.  Hooks are called in the order in which they
            were registered, and those of a leaf before its gradient is added to ``.grad``.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook away.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: 2 * gradient)
        >>> x.sum().backward()
        >>> x.grad
        tensor([2., 2.], dtype=float64)
        """
        cdef Node node
        catch_up(self)
        if not self.needs_gradient:
            raise GraphError(
                "register_hook: nothing was recorded for this tensor, so it gets no gradient: make it "
                "with requires_grad=True"
            )
        if self.node is None:
            if self.hooks is None:
                self.hooks = {}
            return RemovableHandle(self.hooks, hook)
        node = <Node> self.node
        if node.hooks is None:
            node.hooks = {}
        return RemovableHandle(node.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Call ``hook(tensor)`` after a gradient was added to the ``.grad`` of this leaf."""
        if not self.is_leaf or not self.needs_gradient:
            raise GraphError(
                "register_post_accumulate_grad_hook: only a leaf that requires a gradient has one added"
            )
        if self.added_hooks is None:
            self.added_hooks = {}
        return RemovableHandle(self.added_hooks, hook)

    cdef Tensor memory(self):
        return self if self.owner is None else self.owner

    cdef int changed(self) except -1:
        """Note that the memory was changed in place."""
        cdef Tensor owner = self.memory()
        owner.version += 1
        if owner.node is not None and (<Node> owner.node).output is owner.array:
            (<Node> owner.node).note_change(owner.version)
        if self is not owner and self.node is not None and (<Node> self.node).output is self.array:
            (<Node> self.node).note_change(owner.version)
        return 0

    # ----------------------------------------------------------------------------- operators

    def __neg__(self):
        return one(NEGATIVE, self)

    def __pos__(self):
        return self

    def __abs__(self):
        return one(ABSOLUTE, self)

    def __invert__(self):
        return one(INVERT, self)

    def __add__(a, b):
        return two(ADD, a, b)

    def __radd__(a, b):
        return two(ADD, b, a)

    def __sub__(a, b):
        return two(SUBTRACT, a, b)

    def __rsub__(a, b):
        return two(SUBTRACT, b, a)

    def __mul__(a, b):
        return two(MULTIPLY, a, b)

    def __rmul__(a, b):
        return two(MULTIPLY, b, a)

    def __truediv__(a, b):
        return two(DIVIDE, a, b)

    def __rtruediv__(a, b):
        return two(DIVIDE, b, a)

    def __floordiv__(a, b):
        return two(FLOOR_DIVIDE, a, b)

    def __rfloordiv__(a, b):
        return two(FLOOR_DIVIDE, b, a)

    def __mod__(a, b):
        return two(REMAINDER, a, b)

    def __rmod__(a, b):
        return two(REMAINDER, b, a)

    def __divmod__(a, b):
        return a // b, a % b

    def __rdivmod__(a, b):
        return b // a, b % a

    def __pow__(a, b, modulus):
        return two(POWER, a, b)

    def __rpow__(a, b, modulus):
        return two(POWER, b, a)

    def __matmul__(a, b):
        return two(MATMUL, a, b)

    def __rmatmul__(a, b):
        return two(MATMUL, b, a)

    def __and__(a, b):
        return two(AND, a, b)

    def __rand__(a, b):
        return two(AND, b, a)

    def __or__(a, b):
        return two(OR, a, b)

    def __ror__(a, b):
        return two(OR, b, a)

    def __xor__(a, b):
        return two(XOR, a, b)

    def __rxor__(a, b):
        return two(XOR, b, a)

    def __lshift__(a, b):
        return two(LEFT_SHIFT, a, b)

    def __rlshift__(a, b):
        return two(LEFT_SHIFT, b, a)

    def __rshift__(a, b):
        return two(RIGHT_SHIFT, a, b)

    def __rrshift__(a, b):
        return two(RIGHT_SHIFT, b, a)

    def __lt__(a, b):
        return two(LESS, a, b)

    def __le__(a, b):
        return two(LESS_EQUAL, a, b)

    def __eq__(a, b):
        return two(EQUAL, a, b)

    def __ne__(a, b):
        return two(NOT_EQUAL, a, b)

    def __gt__(a, b):
        return two(GREATER, a, b)

    def __ge__(a, b):
        return two(GREATER_EQUAL, a, b)

    def __iadd__(self, other):
        return in_place(ADD, self, other)

    def __isub__(self, other):
        return in_place(SUBTRACT, self, other)

    def __imul__(self, other):
        return in_place(MULTIPLY, self, other)

    def __itruediv__(self, other):
        return in_place(DIVIDE, self, other)

    def __ifloordiv__(self, other):
        return in_place(FLOOR_DIVIDE, self, other)

    def __imod__(self, other):
        return in_place(REMAINDER, self, other)

    def __ipow__(self, other):
        return in_place(POWER, self, other)

    def __iand__(self, other):
        return in_place(AND, self, other)

    def __ior__(self, other):
        return in_place(OR, self, other)

    def __ixor__(self, other):
        return in_place(XOR, self, other)

    def __ilshift__(self, other):
        return in_place(LEFT_SHIFT, self, other)

    def __irshift__(self, other):
        return in_place(RIGHT_SHIFT, self, other)

    def __getitem__(self, key):
        return one_with(ITEM, self, (frozen_key(key),))

    def __setitem__(self, key, value):
        assign(self, frozen_key(key), value)


cdef ndarray computable(ndarray array):
    """Return `array` if there are ops for its dtype, or raise."""
    dtype = (<object> array).dtype
    if dtype.kind not in "biuf":
        raise DTypeError(
            f"tensor: {dtype} data cannot be computed with: pass booleans, integers or real "
            "floating-point numbers, in a rectangular shape"
        )
    return array


cdef bint takes_dtype_of(Tensor tensor, ndarray array) except -1:
    """Tell whether values of the dtype of `array` may take the place of those of a tensor."""
    if (<object> array).dtype == tensor.array.dtype:
        return True
    return (
        tensor.node is None and tensor.base is None and tensor.gradient is None
        and carries_gradient(cnp.PyArray_TYPE(array))
        and carries_gradient(cnp.PyArray_TYPE(tensor.array))
    )


def sharing(ndarray array):
    """Return a tensor on the memory of `array`."""
    return wrap(computable(array))


cdef object frozen_key(object key):
    """Return an index that nobody else can change: tensors become arrays, arrays are copied."""
    if isinstance(key, tuple):
        return tuple([frozen_key(part) for part in key])
    if isinstance(key, Tensor):
        return (<Tensor> key).array.copy()
    if isinstance(key, np.ndarray):
        return key.copy()
    if isinstance(key, list):
        return np.array(key) if key else np.array(key, dtype=np.intp)
    return key


cdef bint held_once(Tensor tensor) noexcept:
    """Tell whether nobody but one variable of the caller holds a tensor, or sees its memory."""
    return (
        references(<PyObject*> tensor) == 1
        and references(<PyObject*> tensor.array) == 1
        and cnp.PyArray_BASE(tensor.array) is NULL
        and cnp.PyArray_ISWRITEABLE(tensor.array)
        and plain(tensor.array)
    )


def open_for_update(list parameters):
    """Return the arrays of `parameters` and those of their gradients, None where there is none.

    The arrays are there to be changed in place: each with a gradient counts as changed from now on.
    """
    cdef list arrays = [], gradients = []
    cdef Tensor parameter
    for parameter in parameters:
        arrays.append(parameter.array)
        if parameter.gradient is None:
            gradients.append(None)
        else:
            gradients.append((<Tensor> parameter.gradient).array)
            parameter.changed()
    return arrays, gradients


def forget_gradients(parameters, set_to_none=True):
    """Set the gradients of tensors to None; or those that there are to 0, outside of any graph."""
    cdef Tensor parameter
    for parameter in parameters:
        if set_to_none or parameter.gradient is None:
            parameter.gradient = None
        else:
            parameter.gradient = wrap(np.zeros_like((<Tensor> parameter.gradient).array))
