"""Islands: parts of a network that stay digital, each as an ONNX model of its own.

A part keeps its nodes, attributes and constants. Only its tensors get new names, so that no name of
the user's model goes further: x0, x1 ... are its inputs, y0, y1 ... its outputs.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from itertools import chain

import numpy as np
import onnx  # noqa: TID251
from google.protobuf.message import DecodeError
from onnx import numpy_helper  # noqa: TID251

from memxc import worker
from memxc.errors import fail
from memxc.frontend import native
from memxc.frontend.network import Network
from memxc.frontend.part import serialised
from memxc.frontend.shapes import sizes
from memxc.frontend.subgraphs import subgraphs
from memxc.ir.design import Bus, Design
from memxc.ir.graph import ISLAND, Graph, Node
from memxc.ir.subgraph import Subgraph

#: Islands have this opset at least: the twin that copies them is of this opset or a newer one.
_OPSET = 17
_NAME = re.compile(r"[xytwn]\d+")


def joined(network: Network, graph: Graph, parts: Sequence[Sequence[int]]) -> Graph:
    """Return the graph with each part, which is a list of node numbers, as one node.

    graph: what `convert` makes of the network. Raises MemxcError (unsupported-model) for an island
    that cannot be brought to opset 17, and broken-model for one of more than 2 GiB.
    """
    graph, copies = _apart(graph, parts)
    readers = _readers(graph)
    taken = {node.name for node in graph.nodes}
    nodes: dict[int, Node] = dict(enumerate(graph.nodes))
    for count, part in enumerate(parts, 1):
        name = f"island_{count}"
        while name in taken:
            name += "'"
        inside = {*part}
        made = dict.fromkeys(t for number in part for t in graph.nodes[number].outputs if t)
        own = {copy: tensor for copy, tensor in copies.items() if tensor in made}
        made.update(dict.fromkeys(own))
        outputs = [t for t in made if t in graph.outputs or readers.get(t, set()) - inside]
        read = dict.fromkeys(t for number in part for t in graph.nodes[number].inputs if t)
        inputs = [t for t in read if t not in graph.weights and t not in made]
        copied = [network.nodes[number] for number in part]
        data = _model(copied, inputs, outputs, own, network, name)
        attributes = {
            "model": np.frombuffer(data, np.uint8),
            "operators": tuple(graph.nodes[number].op for number in part),
        }
        for number in part:
            del nodes[number]
        nodes[part[0]] = Node(name, ISLAND, tuple(inputs), tuple(outputs), attributes)
    return _ordered(graph, nodes)


def _readers(graph: Graph) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for number, node in enumerate(graph.nodes):
        for tensor in node.inputs:
            found.setdefault(tensor, set()).add(number)
    return found


def _apart(graph: Graph, parts: Sequence[Sequence[int]]) -> tuple[Graph, dict[str, str]]:
    """Return the graph with copies of some tensors, and the tensor of each copy.

    If a tensor of a part goes to analog nodes, and also to another part or to an output of the
    network, the analog nodes read a copy. So the tensor stays digital, and only its copy has volts.
    """
    part_of = {number: part for part in parts for number in part}
    readers, nodes, shapes = _readers(graph), list(graph.nodes), dict(graph.shapes)
    copies: dict[str, str] = {}
    for number, part in part_of.items():
        for tensor in filter(None, graph.nodes[number].outputs):
            reading = readers.get(tensor, set())
            analog = [n for n in reading if n not in part_of]
            others = [n for n in reading if part_of.get(n) not in (None, part)]
            if analog and (others or tensor in graph.outputs):
                copy = f"{tensor}~volts"
                while copy in shapes:
                    copy += "~"
                copies[copy], shapes[copy] = tensor, shapes[tensor]
                for n in analog:
                    inputs = tuple(copy if t == tensor else t for t in nodes[n].inputs)
                    nodes[n] = replace(nodes[n], inputs=inputs)
    return replace(graph, nodes=tuple(nodes), shapes=shapes), copies


def _ordered(graph: Graph, nodes: Mapping[int, Node]) -> Graph:
    """Return the graph with these nodes in topological order, and only the weights that they read.

    Nodes that may stand in several orders keep that of their numbers.
    """
    makers = {tensor: number for number, node in nodes.items() for tensor in node.outputs if tensor}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for number, node in nodes.items():
        sorter.add(number, *(makers[tensor] for tensor in node.inputs if tensor in makers))
    sorter.prepare()
    ready, order = [*sorter.get_ready()], list[Node]()
    heapq.heapify(ready)
    while ready:
        number = heapq.heappop(ready)
        order.append(nodes[number])
        sorter.done(number)
        for following in sorter.get_ready():
            heapq.heappush(ready, following)
    read = {tensor for node in order for tensor in node.inputs}
    weights = {name: value for name, value in graph.weights.items() if name in read}
    done = replace(graph, nodes=tuple(order), weights=weights)
    done.verify()
    return done


def _model(
    part: Sequence[onnx.NodeProto],
    inputs: Sequence[str],
    outputs: Sequence[str],
    copies: Mapping[str, str],
    network: Network,
    name: str,
) -> bytes:
    """Return the model of some nodes, serialised; equal parts give equal bytes.

    copies: the tensors that some of the outputs are copies of.
    """
    names = {tensor: f"x{k}" for k, tensor in enumerate(inputs)}
    names |= {tensor: f"y{k}" for k, tensor in enumerate(outputs)}
    read = dict.fromkeys(tensor for node in part for tensor in node.input if tensor)
    constants = [tensor for tensor in read if tensor in network.constants]
    names |= {tensor: f"w{k}" for k, tensor in enumerate(constants)}
    for tensor in chain.from_iterable(node.output for node in part):
        names.setdefault(tensor, f"t{len(names)}")
    names[""] = ""
    nodes = [
        onnx.NodeProto(
            name=f"n{k}",
            op_type=node.op_type,
            input=[names[tensor] for tensor in node.input],
            output=[names[tensor] for tensor in node.output],
            attribute=node.attribute,
        )
        for k, node in enumerate(part)
    ]
    nodes += [
        onnx.helper.make_node("Identity", [names[tensor]], [names[copy]], f"n{len(nodes) + k}")
        for k, (copy, tensor) in enumerate(copies.items())
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "island",
        [_declared(network, tensor, names[tensor]) for tensor in inputs],
        [_declared(network, copies.get(tensor, tensor), names[tensor]) for tensor in outputs],
        [
            numpy_helper.from_array(np.array(network.constants[tensor]), names[tensor])
            for tensor in constants
        ],
    )
    opsets = [onnx.helper.make_opsetid("", network.opset)]
    version = onnx.helper.find_min_ir_version_for(opsets)
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=version)
    if network.opset < _OPSET:
        model = _raised(model, network, name)
    return serialised(model, name)


def _declared(network: Network, tensor: str, name: str) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, network.types[tensor], network.shapes[tensor])


def _raised(model: onnx.ModelProto, network: Network, name: str) -> onnx.ModelProto:
    """Return an island in opset 17. Raises MemxcError (unsupported-model) if onnx cannot do it."""
    try:
        done = native.ask("raised", model, network.allowance)
    except (worker.Refused, worker.Died) as error:
        what = f"onnx cannot convert this part of the network from opset {network.opset}: {error}"
        hint = f"export the model with opset {_OPSET} or newer"
        raise fail("unsupported-model", name, " ".join(what.split())[:300], hint) from error
    # The converter adds constants under names of its own.
    names = {"": ""}
    for node in done.graph.node:
        for tensor in (*node.input, *node.output):
            if not _NAME.fullmatch(tensor):
                names.setdefault(tensor, f"t{len(names)}9")
        node.input[:] = [names.get(tensor, tensor) for tensor in node.input]
        node.output[:] = [names.get(tensor, tensor) for tensor in node.output]
    for tensor in done.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    return done


def check(design: Design) -> None:
    """Check the islands of a design from a file, before anything runs them.

    Raises ValueError, with a sentence, for bytes that are no island, or that do not fit the buses.
    """
    known = dict[bytes, onnx.GraphProto]()
    for stage in design.islands:
        assert stage.subgraph is not None, "it is an island"
        data = stage.subgraph.model.tobytes()
        if data not in known:
            known[data] = parsed(stage.subgraph).graph
        graph, number = known[data], stage.subgraph.output
        if number >= len(graph.output):
            raise ValueError(f"the island {stage.name!r} has no output {number}")
        ends = [(design.buses[src], value) for src, value in _paired(stage.srcs, graph.input)]
        ends.append((design.buses[stage.dst], graph.output[number]))
        for bus, value in ends:
            if not _fits(bus, value):
                raise ValueError(
                    f"the island {stage.name!r} does not fit the shape of its bus {bus.name!r}"
                )


def _paired(
    srcs: Sequence[str], inputs: Sequence[onnx.ValueInfoProto]
) -> Iterator[tuple[str, onnx.ValueInfoProto]]:
    if len(srcs) != len(inputs):
        raise ValueError(f"an island of {len(inputs)} inputs reads {len(srcs)} buses")
    return zip(srcs, inputs, strict=True)


def _fits(bus: Bus, value: onnx.ValueInfoProto) -> bool:
    return tuple(sizes(value) or ()) == bus.shape


def parsed(subgraph: Subgraph) -> onnx.ModelProto:
    """Return the model of an island: plain nodes of standard operators, with all their data.

    Raises ValueError for any other bytes.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(subgraph.model.tobytes())
    except DecodeError as error:
        raise ValueError("an island is no ONNX model") from error
    graph = model.graph
    opsets = [(o.domain, o.version) for o in model.opset_import]
    newest = onnx.defs.onnx_opset_version()
    if len(opsets) != 1 or opsets[0][0] or not _OPSET <= opsets[0][1] <= newest:
        raise ValueError(f"an island is not of one opset from {_OPSET} to {newest}")
    if model.functions or graph.sparse_initializer or graph.quantization_annotation:
        raise ValueError("an island has more than nodes and constants")
    for node in graph.node:
        if node.domain or any(subgraphs(node)) or any(map(_outside, _tensors(node))):
            raise ValueError("an island has a node that is none of ONNX's plain operators")
    if any(map(_outside, graph.initializer)):
        raise ValueError("an island has constants in another file")
    for prefix, values in (("x", graph.input), ("y", graph.output)):
        if [value.name for value in values] != [f"{prefix}{k}" for k in range(len(values))]:
            raise ValueError("an island has other inputs or outputs than x0, x1 ... and y0, y1 ...")
    names = chain.from_iterable((*node.input, *node.output) for node in graph.node)
    if not all(_NAME.fullmatch(name) for name in names if name):
        raise ValueError("an island has other names than memxc writes")
    return model


def _tensors(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        yield attribute.t
        yield from attribute.tensors


def _outside(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL or bool(tensor.external_data)
