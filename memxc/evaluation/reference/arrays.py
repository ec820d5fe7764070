"""Arrays in a message: their description as JSON, and the bytes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Name, element type and shape of each array.
Described = Sequence[tuple[str, str, Sequence[int]]]


def packed(arrays: Mapping[str, NDArray[Any]]) -> tuple[Described, list[bytes]]:
    """Return arrays as description and bytes. Raises TypeError for an array not of numbers."""
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray) or values.dtype.hasobject:
            raise TypeError(f"{name!r} is not a tensor of numbers")
    described = [(name, values.dtype.str, values.shape) for name, values in arrays.items()]
    return described, [values.tobytes() for values in arrays.values()]


def unbatched(value: NDArray[Any]) -> NDArray[Any]:
    """Return an output without its batch axis of 1, if it has one."""
    return value[0] if value.shape[:1] == (1,) else value


def unpacked(described: Described, parts: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """Return a message's arrays, read-only. Raises ValueError or TypeError if it makes no sense."""
    return {
        name: np.frombuffer(part, np.dtype(kind)).reshape(shape)
        for (name, kind, shape), part in zip(described, parts, strict=True)
    }
