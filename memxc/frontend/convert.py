"""What is left after folding, as a Graph: plain Python and numpy, no protobuf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx  # noqa: TID251
from numpy.typing import NDArray
from onnx import numpy_helper  # noqa: TID251

from memxc.errors import Fault, MemxcError
from memxc.frontend.fold import Folded
from memxc.ir.graph import Graph, Node


def convert(folded: Folded, path: Path) -> Graph:
    """The Graph of a folded model. Raises MemxcError with every tensor that is not usable."""
    where = str(path)
    nodes = _nodes(folded)
    used = {name for node in nodes for name in node.inputs if name}
    weights = {name: _widened(value) for name, value in folded.constants.items() if name in used}
    faults = [
        *_open_shapes(nodes, folded, where),
        *_constant_outputs(folded, where),
        *_not_numbers(weights, where),
    ]
    if faults:
        raise MemxcError(faults)
    made = {name for node in nodes for name in node.outputs if name}
    shapes = {name: folded.shapes[name] for name in (*folded.inputs, *sorted(made))}
    shapes |= {name: value.shape for name, value in weights.items()}
    opset = next(o.version for o in folded.model.opset_import if o.domain in ("", "ai.onnx"))
    graph = Graph(
        path.stem, tuple(folded.inputs), tuple(folded.outputs), tuple(nodes), shapes, weights, opset
    )
    graph.verify()
    return graph


def _nodes(folded: Folded) -> list[Node]:
    """Nodes with unique names: the model's own, or the operator and a number."""
    taken: set[str] = set()
    read = {name for node in folded.nodes for name in node.input} | set(folded.outputs)
    nodes = []
    for index, node in enumerate(folded.nodes):
        name = node.name or f"{node.op_type}_{index}"
        while name in taken:
            name = f"{name}_{index}"
        taken.add(name)
        attrs = {a.name: _attribute(a) for a in node.attribute}
        domain = "" if node.domain == "ai.onnx" else node.domain
        # An output that nothing reads (Dropout's mask) counts as absent.
        outputs = tuple(made if made in read else "" for made in node.output)
        nodes.append(Node(name, node.op_type, tuple(node.input), outputs, attrs, domain))
    return nodes


def _attribute(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, (int, float)):
        return value
    return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value)


def _widened(value: NDArray[Any]) -> NDArray[Any]:
    """float16 and bfloat16 as float32; everything read-only."""
    # ml_dtypes' narrow floats have numpy kind "V".
    narrow = value.dtype == np.float16 or value.dtype.kind == "V"
    widened = value.astype(np.float32) if narrow else value.view()
    widened.setflags(write=False)
    return widened


def _open_shapes(nodes: list[Node], folded: Folded, where: str) -> list[Fault]:
    return [
        Fault(
            "unsupported-shape",
            f"{where}:{node.name}",
            f"the shape of its output {name!r} depends on the data",
            "give the inputs fixed sizes with --shape",
        )
        for node in nodes
        for name in node.outputs
        if name and name not in folded.shapes
    ]


def _constant_outputs(folded: Folded, where: str) -> list[Fault]:
    return [
        Fault(
            "unsupported-model",
            f"{where}:{name}",
            "this output is a constant: it does not depend on the network's inputs",
        )
        for name in folded.outputs
        if name in folded.constants
    ]


def _not_numbers(weights: dict[str, NDArray[Any]], where: str) -> list[Fault]:
    return [
        Fault("broken-model", f"{where}:{name}", "the weights hold NaN")
        for name, value in weights.items()
        if value.dtype.kind == "f" and bool(np.isnan(value).any())
    ]
