"""Islands: the nodes of the original network, copied into the twin.

An island computes one sample, in the shapes of the original network with a batch of 1. The twin has
its samples on the first axis, so a Scan goes through them:

    (N, 1, 3, 5) --> Scan: (1, 3, 5) --> Cast --> nodes --> Cast --> (1, 4) --> (N, 1, 4)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx  # noqa: TID251
from onnx import TensorProto, helper  # noqa: TID251

from memxc.backends.twin.graph_builder import Sheet, TwinTensor
from memxc.errors import fail
from memxc.frontend import parsed_island
from memxc.ir.design import Bus
from memxc.ir.stages import Digital


def opset(stage: Digital) -> int:
    """Return the opset of an island. Raises MemxcError (bad-design) as `draw` does."""
    return int(_model(stage).opset_import[0].version)


def draw(
    sheet: Sheet, stage: Digital, buses: Mapping[str, Bus], sources: Sequence[TwinTensor]
) -> TwinTensor:
    """Return what an island gives, in the shape of a sample of its bus.

    Raises MemxcError (bad-design) if its bytes are no island.
    """
    assert stage.subgraph is not None, "it is an island"
    model, dst = _model(stage), buses[stage.dst]
    wholes = [
        sheet.reshape(sheet.first(source), buses[src].shape).name
        for src, source in zip(stage.srcs, sources, strict=True)
    ]
    prefix = f"island.{len(sheet.nodes)}/"
    body = _body(model.graph, stage.subgraph.output, prefix)
    scan = helper.make_node("Scan", wholes, [""], body=body, num_scan_inputs=len(wholes))
    name = sheet.append(scan, "island", stage.subgraph.model.nbytes)
    return sheet.reshape(TwinTensor(name, dst.shape), dst.sample)


def _body(graph: onnx.GraphProto, output: int, prefix: str) -> onnx.GraphProto:
    """Return the graph of one sample: float32 outside, the types of the network inside."""
    wanted, nodes = {graph.output[output].name}, list[onnx.NodeProto]()
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            nodes.insert(0, _renamed(node, prefix))
    first, last, ends = [], [], []
    for value in graph.input:
        outer, kind = f"{prefix}in.{value.name}", value.type.tensor_type.elem_type
        first.append(helper.make_node("Cast", [outer], [prefix + value.name], to=kind))
        ends.append(_declared(outer, value))
    result, outer = graph.output[output], f"{prefix}out"
    last.append(helper.make_node("Cast", [prefix + result.name], [outer], to=TensorProto.FLOAT))
    constants = [tensor for tensor in graph.initializer if tensor.name in wanted]
    body = helper.make_graph(
        [*first, *nodes, *last], "island", ends, [_declared(outer, result)], constants
    )
    for tensor in body.initializer:
        tensor.name = prefix + tensor.name
    return body


def _renamed(node: onnx.NodeProto, prefix: str) -> onnx.NodeProto:
    """Return a node under names that no other part of the twin has."""
    other = onnx.NodeProto()
    other.CopyFrom(node)
    other.name = prefix + node.name
    other.input[:] = [name and prefix + name for name in node.input]
    other.output[:] = [name and prefix + name for name in node.output]
    return other


def _declared(name: str, value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)


def _model(stage: Digital) -> onnx.ModelProto:
    assert stage.subgraph is not None, "it is an island"
    try:
        return parsed_island(stage.subgraph)
    except ValueError as error:
        raise fail("bad-design", stage.name, str(error), "compile the model again") from error
