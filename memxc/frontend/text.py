"""Check that every name is text: protobuf returns raw bytes for a name that is not UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx  # noqa: TID251

from memxc.errors import fail
from memxc.frontend.subgraphs import subgraphs


def check_text(model: onnx.ModelProto, where: str) -> None:
    """Raise MemxcError (broken-model) if a name that is used later is not UTF-8."""
    for name in _names(model):
        if not isinstance(name, str):
            shown = repr(name[:40])[2:-1]
            raise fail("broken-model", where, f"holds a name that is not UTF-8 text: {shown}")


def _names(model: onnx.ModelProto) -> Iterator[str | bytes]:
    yield from _graph_names(model.graph)
    yield from (opset.domain for opset in model.opset_import)
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        yield from (opset.domain for opset in function.opset_import)
        yield from _node_names(function.node)


def _graph_names(graph: onnx.GraphProto) -> Iterator[str | bytes]:
    yield graph.name
    for values in (graph.input, graph.output, graph.value_info):
        for value in values:
            yield value.name
            yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    yield from _tensor_names(graph.initializer)
    yield from _node_names(graph.node)


def _node_names(nodes: Iterable[onnx.NodeProto]) -> Iterator[str | bytes]:
    for node in nodes:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
            yield from _tensor_names((attribute.t, *attribute.tensors))
        for graph in subgraphs(node):
            yield from _graph_names(graph)


def _tensor_names(tensors: Iterable[onnx.TensorProto]) -> Iterator[str | bytes]:
    for tensor in tensors:
        yield tensor.name
        for entry in tensor.external_data:
            yield from (entry.key, entry.value)
