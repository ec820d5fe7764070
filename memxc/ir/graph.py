"""Graph: what a network computes.

Nodes over named tensors with static shapes; weights are separate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]
#: The operator of a part that stays digital. No operator of ONNX has a dot in its name.
ISLAND = "memxc.Island"


@dataclass(frozen=True)
class Node:
    """One application of an operator of the ONNX domain; the frontend refuses other domains.

    inputs: tensor names, "" for an absent optional input. attrs: the values are int, float, str,
    tuples of these, or a numpy array for a tensor.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        attrs = "".join(f" {key}={_short(value)}" for key, value in sorted(self.attrs.items()))
        return f"{', '.join(self.outputs)} = {self.op}({', '.join(self.inputs)}){attrs}"


@dataclass(frozen=True)
class Graph:
    """A network: `nodes` in topological order, `shapes` of every tensor (with a batch axis of 1).

    `weights` are the constant tensors in the dtype of the file (float16 widened to float32).
    `inputs` and `outputs` are tensor names; no weight is an input.
    `kinds` has the element types of signals that are not real numbers, in ONNX's words and in lower
    case (uint8, int64, bool, float8e4m3fn ...). A signal without an entry is a real number.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    shapes: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, Tensor]
    opset: int
    kinds: Mapping[str, str] = field(default_factory=dict)

    def verify(self) -> None:
        """Raise AssertionError if the graph is not well formed."""
        written = set(self.inputs) | set(self.weights)
        assert not set(self.inputs) & set(self.weights), "a weight is also an input"
        for node in self.nodes:
            for name in node.inputs:
                assert not name or name in written, f"{node.name}: {name!r} is read before written"
            for name in node.outputs:
                assert not name or name not in written, f"{node.name}: {name!r} is written twice"
                written.add(name)
        for name in written - {""}:
            assert name in self.shapes, f"{name!r} has no shape"
        for name in self.outputs:
            assert name in written, f"output {name!r} is never written"

    def __str__(self) -> str:
        head = f"graph {self.name} opset {self.opset}"
        lines = [f"  {name}{self._type(name)} = input" for name in self.inputs]
        for node in self.nodes:
            shapes = " ".join(self._type(name) for name in node.outputs if name)
            lines.append(f"  {node}  # {shapes}")
        tail = f"  return {', '.join(self.outputs)}"
        return "\n".join([head, *lines, tail])

    def _type(self, name: str) -> str:
        return f"{list(self.shapes[name])} {self.kinds.get(name, '')}".rstrip()


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"tensor{list(value.shape)}"
    return repr(value)
