"""PyTorch's ``torch.amp``: mixed precision, where every op keeps the dtype of its operands."""

from contextlib import ContextDecorator

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, StateError

__all__ = ["GradScaler", "autocast", "bfloat16"]


class AbsentDType:
    """A dtype that NumPy lacks: scripts may name it, and what uses it raises `DTypeError`."""

    def __repr__(self):
        return "bfloat16 (which NumPy lacks: take float32)"


bfloat16 = AbsentDType()


class autocast(ContextDecorator):
    """Change nothing: ops compute in the dtypes of their operands, which is never less exact.

    Parameters
    ----------
    device_type, dtype, enabled, cache_enabled : optional
        Accepted as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> with tg.autocast("cpu"):
    ...     (tg.ones(2) @ tg.ones(2)).dtype
    dtype('float64')
    """

    def __init__(self, device_type="cpu", dtype=None, enabled=True, cache_enabled=None):
        self.device_type = device_type

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        return False


class GradScaler:
    """The scaler of a loss that needs no scaling: `step` is the step of the optimizer.

    It is PyTorch's with ``enabled=False``, which is what that one becomes without a graphics card.

    Parameters
    ----------
    device, init_scale, growth_factor, backoff_factor, growth_interval, enabled : optional
        Accepted as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> optimizer, scaler = tg.optim.SGD([w], lr=0.5), tg.amp.GradScaler()
    >>> scaler.scale(w.sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w
    tensor([0.5], dtype=float64, requires_grad=True)
    """

    @checked_call
    def __init__(self, device="cpu", init_scale=1.0, growth_factor=2.0, backoff_factor=0.5,
                 growth_interval=2000, enabled=False):
        pass

    def scale(self, outputs):
        """Return what is given."""
        return outputs

    def unscale_(self, optimizer):
        """Do nothing: gradients are not scaled."""

    def step(self, optimizer, *arguments, **keywords):
        """Let the optimizer make its step."""
        if not hasattr(optimizer, "step"):
            raise ArgumentError(
                f"GradScaler.step: optimizer is a {type(optimizer).__name__}: pass one that has step()"
            )
        return optimizer.step(*arguments, **keywords)

    def update(self, new_scale=None):
        """Do nothing."""

    def is_enabled(self):
        """Return False."""
        return False

    def get_scale(self):
        """Return 1."""
        return 1.0

    def state_dict(self):
        """Return an empty dict, as PyTorch's does where it is not enabled."""
        return {}

    def load_state_dict(self, state_dict):
        """Accept a state of PyTorch's or of this one; there is nothing to take from it."""
        if not isinstance(state_dict, dict):
            raise StateError(f"GradScaler.load_state_dict: a {type(state_dict).__name__} is no dict")
