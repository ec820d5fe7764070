"""The inputs and outputs of a model, as its file declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx  # noqa: TID251

from memxc.frontend.read import parse, prepared


@dataclass(frozen=True)
class Ends:
    """The declared inputs that are not weights, and the outputs, by name and in order."""

    inputs: Mapping[str, onnx.ValueInfoProto]
    outputs: Mapping[str, onnx.ValueInfoProto]


def ends(path: Path) -> Ends:
    """Return inputs and outputs of a file. Raises MemxcError (broken-model, unsupported-model)."""
    graph = prepared(parse(path), str(path)).graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: value for value in graph.input if value.name not in weights}
    return Ends(inputs, {value.name: value for value in graph.output})
