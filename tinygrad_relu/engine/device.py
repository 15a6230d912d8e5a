"""The one device that there is, and what is said about others."""

from tinygrad_relu.errors import ArgumentError


class Device(str):
    """The name of a device, with PyTorch's `type` and `index`: ``"cpu"``, or it raises.

    It is a string, as the array API would have it.

    Parameters
    ----------
    name : str, default "cpu"
    index : int, optional
        Accepted as in PyTorch: all are the same one.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> device = tg.device("cpu")
    >>> device.type, device == tg.ones(2).device == "cpu"
    ('cpu', True)
    """

    #: The kind of device, without its number.
    type = "cpu"
    index = None

    def __new__(cls, name="cpu", index=None):
        checked_device("device", name)
        return super().__new__(cls, "cpu")

    def __repr__(self):
        return "device(type='cpu')"

    def __str__(self):
        return "cpu"

    def __reduce__(self):
        return Device, ()


def checked_device(name, device):
    """Raise unless `device` is the one that there is, or none is given."""
    if device is not None and str(device).split(":")[0] != "cpu":
        raise ArgumentError(f"{name}: device {str(device)!r} is not there: the only one is 'cpu'")


def is_device(value):
    """Tell whether a value is the name of a device, rather than of a dtype."""
    return isinstance(value, str) and value.split(":")[0] in ("cpu", "cuda", "mps", "xpu")


#: Where every tensor is.
CPU = Device()
