"""Subgraph: what an island computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Subgraph:
    """An island: a part of the original network that stays digital, as an ONNX model.

    model: its bytes, (size,) uint8. Its inputs are called x0, x1, ... and its outputs y0, y1, ...
    output: the number of the output that the stage drives; an island has a stage for each output.
    operators: the operators of its nodes, in their order.
    """

    island: str
    operators: tuple[str, ...]
    model: NDArray[np.uint8]
    output: int
