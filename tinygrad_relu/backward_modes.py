"""What may be asked of the backward pass: to look for NaN, and to pack what it saves."""

from contextlib import ContextDecorator

from tinygrad_relu.engine import check_gradients_on_the_way, pop_saved_hooks, push_saved_hooks


class detect_anomaly(ContextDecorator):
    """Raise at the first NaN on the way back, naming the line that recorded the op.

    Parameters
    ----------
    check_nan : bool, default True
    check_inf : bool, default False
        Raise at infinities, too.

    Notes
    -----
    It holds for all threads.  PyTorch's prints where the op was recorded; here each error of the
    backward pass says so in any case.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor(0.0, requires_grad=True)
    >>> with tg.autograd.detect_anomaly():
    ...     try:
    ...         (x * x.sqrt()).backward()
    ...     except tg.errors.GraphError as error:
    ...         print(str(error)[:41])
    sqrt: the gradient of x is nan at (), 1 o
    """

    def __init__(self, check_nan=True, check_inf=False):
        self.checks = check_nan, check_inf
        self.before = []

    def __enter__(self):
        self.before.append(check_gradients_on_the_way(*self.checks))
        return self

    def __exit__(self, *error):
        everything, infinite = self.before.pop()
        check_gradients_on_the_way(everything, infinite)


class set_detect_anomaly(detect_anomaly):
    """Turn `detect_anomaly` on or off from now on, or until the end of a ``with`` block.

    Parameters
    ----------
    mode : bool
    check_nan : bool, default True
    """

    def __init__(self, mode, check_nan=True):
        super().__init__(mode and check_nan)
        self.outside = check_gradients_on_the_way(*self.checks)

    def __enter__(self):
        check_gradients_on_the_way(*self.checks)
        self.before.append(self.outside)
        return self


class saved_tensors_hooks(ContextDecorator):
    """Pack what is saved for the backward pass, within a ``with`` block, in this thread.

    Parameters
    ----------
    pack_hook : callable
        Takes a tensor that is to be saved, and returns anything.  It must not change the tensor.
    unpack_hook : callable
        Takes that, and returns a tensor of the same shape and dtype.

    Notes
    -----
    What is packed is no longer guarded against changes in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([3.0], requires_grad=True)
    >>> with tg.autograd.saved_tensors_hooks(lambda t: t.tolist(), tg.tensor):
    ...     y = x * x
    >>> y.backward()
    >>> x.grad
    tensor([6.], dtype=float64)
    """

    def __init__(self, pack_hook, unpack_hook):
        self.hooks = pack_hook, unpack_hook

    def __enter__(self):
        push_saved_hooks(*self.hooks)
        return self

    def __exit__(self, *error):
        pop_saved_hooks()
