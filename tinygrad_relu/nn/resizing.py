"""Signals and images in other sizes."""

from tinygrad_relu.nn.function_module import REQUIRED, FunctionModule
from tinygrad_relu.nn.settings import number, one_of, optional, truth, whole
from tinygrad_relu.ops.resizing import MODES, interpolate, pixel_shuffle, pixel_unshuffle


def each(check, least):
    """Return a check of one value, or of each of several, that are at least `least`; None passes."""

    def checked(title, name, value):
        if isinstance(value, (tuple, list)):
            return tuple(check(title, name, part, least) for part in value)
        return check(title, name, value, least)

    return optional(checked)


class Upsample(
    FunctionModule, function=interpolate,
    size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None,
):
    """Signals, images or volumes in another size; see `interpolate`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Upsample(scale_factor=2, mode="bilinear")(tg.ones(1, 3, 4, 5)).shape
    (1, 3, 8, 10)
    """

    own_checks = {      # noqa: RUF012
        "size": each(whole, 1),
        "scale_factor": each(number, 0),
        "mode": lambda title, name, value: one_of(title, name, value, tuple(MODES)),
        "align_corners": optional(truth),
        "recompute_scale_factor": optional(truth),
    }


class PixelShuffle(FunctionModule, function=pixel_shuffle, upscale_factor=REQUIRED):
    """Blocks of pixels in place of channels; see `pixel_shuffle`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.PixelShuffle(2)(tg.ones(1, 8, 3, 4)).shape
    (1, 2, 6, 8)
    """

    own_checks = {      # noqa: RUF012
        "upscale_factor": lambda title, name, value: whole(title, name, value, 1),
    }


class PixelUnshuffle(FunctionModule, function=pixel_unshuffle, downscale_factor=REQUIRED):
    """Channels in place of blocks of pixels; see `pixel_unshuffle`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.PixelUnshuffle(2)(tg.ones(1, 2, 6, 8)).shape
    (1, 8, 3, 4)
    """

    own_checks = {      # noqa: RUF012
        "downscale_factor": lambda title, name, value: whole(title, name, value, 1),
    }
