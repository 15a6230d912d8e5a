"""Other shapes for the same elements, and elements around them."""

from tinygrad_relu.nn.function_module import FunctionModule
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, number
from tinygrad_relu.ops.operands import whole, whole_numbers
from tinygrad_relu.ops.rearranging import pad
from tinygrad_relu.ops.shapes import flatten, unflatten


class Flatten(FunctionModule, function=flatten, start_axis=1, end_axis=-1):
    """The axes from `start_axis` to `end_axis` in one; or `start_dim` and `end_dim`, in PyTorch's words.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Flatten()(tg.zeros(5, 3, 4, 4)).shape
    (5, 48)
    """

    own_checks = {"start_axis": whole, "end_axis": whole}       # noqa: RUF012


class Unflatten(Module):
    """One axis as several.

    Parameters
    ----------
    axis : int
    unflattened_size : tuple of int
        One of them may be -1: what remains.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Unflatten(1, (3, 4, 4))(tg.zeros(5, 48)).shape
    (5, 3, 4, 4)
    """

    @checked_constructor
    def __init__(self, axis, unflattened_size):
        super().__init__()
        self.axis = whole("Unflatten", "axis", axis)
        count = len(unflattened_size) if isinstance(unflattened_size, (tuple, list)) else 1
        self.unflattened_size = whole_numbers(
            "Unflatten", "unflattened_size", unflattened_size, count, -1
        )

    def forward(self, x):
        return unflatten(x, self.axis, self.unflattened_size)

    def extra_repr(self):
        return f"axis={self.axis}, unflattened_size={self.unflattened_size}"


class Padding(Module):
    """What puts elements before and behind the last axes; see `nn.functional.pad`."""

    axes, mode = None, "constant"

    @checked_constructor
    def __init__(self, padding):
        super().__init__()
        name = type(self).__name__
        # One number stands for all; a negative one takes elements away.
        self.padding = whole_numbers(name, "padding", padding, 2 * self.axes, None)
        self.value = 0.0

    def forward(self, x):
        return pad(x, self.padding, self.mode, self.value if self.mode == "constant" else None)

    def extra_repr(self):
        return f"{self.padding}" + (f", value={self.value}" if self.value else "")


class ZeroPad1d(Padding):
    """Elements around sequences, with 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ZeroPad1d(1)(tg.tensor([[1.0, 2.0]]))
    tensor([[0., 1., 2., 0.]], dtype=float64)
    """

    axes = 1


class ZeroPad2d(Padding):
    """Elements around images, with 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ZeroPad2d(1)(tg.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[0., 0., 0., 0.],
             [0., 1., 2., 0.],
             [0., 3., 4., 0.],
             [0., 0., 0., 0.]]], dtype=float64)
    """

    axes = 2


class ConstantPad1d(Padding):
    """Elements around sequences, with a number.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ConstantPad1d(1, 7.0)(tg.tensor([[1.0, 2.0]]))
    tensor([[7., 1., 2., 7.]], dtype=float64)
    """

    axes = 1

    @checked_constructor
    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = number("ConstantPad1d", "value", value)


class ConstantPad2d(Padding):
    """Elements around images, with a number.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ConstantPad2d(1, 7.0)(tg.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[7., 7., 7., 7.],
             [7., 1., 2., 7.],
             [7., 3., 4., 7.],
             [7., 7., 7., 7.]]], dtype=float64)
    """

    axes = 2

    @checked_constructor
    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = number("ConstantPad2d", "value", value)


class ReflectionPad1d(Padding):
    """Elements around sequences, mirrored at the outermost element.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ReflectionPad1d(1)(tg.tensor([[1.0, 2.0]]))
    tensor([[2., 1., 2., 1.]], dtype=float64)
    """

    axes, mode = 1, "reflect"


class ReflectionPad2d(Padding):
    """Elements around images, mirrored at the outermost element.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ReflectionPad2d(1)(tg.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[4., 3., 4., 3.],
             [2., 1., 2., 1.],
             [4., 3., 4., 3.],
             [2., 1., 2., 1.]]], dtype=float64)
    """

    axes, mode = 2, "reflect"


class ReplicationPad1d(Padding):
    """Elements around sequences, with the outermost element.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ReplicationPad1d(1)(tg.tensor([[1.0, 2.0]]))
    tensor([[1., 1., 2., 2.]], dtype=float64)
    """

    axes, mode = 1, "replicate"


class ReplicationPad2d(Padding):
    """Elements around images, with the outermost element.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ReplicationPad2d(1)(tg.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[1., 1., 2., 2.],
             [1., 1., 2., 2.],
             [3., 3., 4., 4.],
             [3., 3., 4., 4.]]], dtype=float64)
    """

    axes, mode = 2, "replicate"


class CircularPad1d(Padding):
    """Elements around sequences, with what is at the other side.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.CircularPad1d(1)(tg.tensor([[1.0, 2.0]]))
    tensor([[2., 1., 2., 1.]], dtype=float64)
    """

    axes, mode = 1, "circular"


class CircularPad2d(Padding):
    """Elements around images, with what is at the other side.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.CircularPad2d(1)(tg.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[4., 3., 4., 3.],
             [2., 1., 2., 1.],
             [4., 3., 4., 3.],
             [2., 1., 2., 1.]]], dtype=float64)
    """

    axes, mode = 2, "circular"
