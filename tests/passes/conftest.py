from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from memxc.ir.design import Bus, Design, Linear
from memxc.ir.kernel import Kernel
from memxc.ir.windows import Windows, ints


def _convolution(
    channels: int,
    filters: int,
    height: int,
    width: int,
    *,
    k: int = 3,
    stride: int = 1,
    pad: int = 1,
    groups: int = 1,
    dilation: int = 1,
    bias: bool = True,
    seed: int = 0,
) -> Design:
    """Return a design of one stage, laid out by hand here and not by memxc's lowering."""
    rng = np.random.default_rng(seed)
    out = [(n + 2 * pad - (k - 1) * dilation - 1) // stride + 1 for n in (height, width)]
    frame = np.pad(
        np.arange(channels * height * width).reshape(channels, height, width),
        ((0, 0), (pad, pad), (pad, pad)),
        constant_values=-1,
    )
    deep, row = frame.shape[1] * frame.shape[2], frame.shape[2]
    c, n = channels // groups, filters // groups
    places = out[0] * out[1]
    taps = Windows(
        ints(frame),
        ints([y * stride * row + x * stride for y in range(out[0]) for x in range(out[1])]),
        ints(np.arange(groups) * c * deep),
        ints(
            [
                i * deep + u * dilation * row + v * dilation
                for i in range(c)
                for u in range(k)
                for v in range(k)
            ]
        ),
    )
    sinks = Windows(
        ints(np.arange(filters * places).reshape(filters, *out)),
        ints(np.arange(places)),
        ints(np.arange(groups) * n * places),
        ints(np.arange(n) * places),
    )
    values = rng.normal(size=(groups, c * k * k * n))
    kernel = Kernel(
        values, None, rng.normal(size=(groups, n)) * 3 if bias else None, taps, sinks, tuple(out)
    )
    buses = {"x": Bus("x", (1, channels, height, width)), "y": Bus("y", (1, filters, *out))}
    return Design("net", ("x",), ("y",), buses, (Linear("conv", "x", "y", (kernel,)),))


@pytest.fixture(scope="session")
def convolution() -> Callable[..., Design]:
    return _convolution
