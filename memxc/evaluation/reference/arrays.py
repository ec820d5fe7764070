"""Arrays in a message: what they are as JSON, and the bytes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Name, element type and shape of each array.
Described = Sequence[tuple[str, str, Sequence[int]]]


def packed(arrays: Mapping[str, NDArray[Any]]) -> tuple[Described, list[bytes]]:
    """Arrays as a message has them. TypeError where one is not of numbers."""
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray) or values.dtype.hasobject:
            raise TypeError(f"{name!r} is no tensor of numbers")
    described = [(name, values.dtype.str, values.shape) for name, values in arrays.items()]
    return described, [values.tobytes() for values in arrays.values()]


def unpacked(described: Described, parts: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """The arrays of a message, read-only. ValueError or TypeError where it makes no sense."""
    return {
        name: np.frombuffer(part, np.dtype(kind)).reshape(shape)
        for (name, kind, shape), part in zip(described, parts, strict=True)
    }
