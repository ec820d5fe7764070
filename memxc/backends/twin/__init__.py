"""The twin: an ONNX model of ordinary operators that computes what a Design computes.

Signals are in units of activation, and the limiter of a bus is a Clip at limit / scale. Inputs and
outputs have the names of the network. A model with islands has the opset of these, if it is newer
than 17. If the ends of the original model are given, they also have
its types and shapes; otherwise they are float32 with a free batch axis N before a sample.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx  # noqa: TID251
from onnx import helper  # noqa: TID251

from memxc.backends.twin import digital, gather, island, lanes, linear
from memxc.backends.twin import ends as twin_ends
from memxc.backends.twin.graph_builder import Shape, Sheet, TwinTensor, check
from memxc.frontend import Ends
from memxc.ir.design import Bus, Design
from memxc.ir.stages import Array, Digital, Lanes, Linear, Rename, Stage
from memxc.ir.subgraph import Subgraph
from memxc.physics.network.effective import effective

_OPSET, _IR = 17, 8
#: For a twin without an original model: float32, and batches of any size.
_FREE = Ends({}, {})


def model(
    design: Design,
    seed: int = 0,
    ends: Ends | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return the twin of a design, serialised. Equal arguments give equal bytes; see `proto`."""
    return bytes(proto(design, seed, ends, metadata).SerializeToString(deterministic=True))


def proto(
    design: Design,
    seed: int = 0,
    ends: Ends | None = None,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Return the twin of a design. An Array becomes a Linear stage of its effective weights.

    seed: for the read noise, which every run of the model draws anew.
    ends: inputs and outputs of the original model, for their types and shapes.
    metadata: properties that are written into the file.

    Raises MemxcError (usage) if its weights do not fit into a file.
    """
    ends, design = ends or _FREE, effective(design)
    kernels = [k for s in design.stages if isinstance(s, Linear) for k in s.kernels]
    # Blocks of one place each share no weights, so all of these will be written. Weights that do
    # not fit into a file are refused before hours are spent.
    check(sum(4 * k.values.size for k in kernels if k.places == 1 and k.groups > 1))
    opset = max([_OPSET, *(island.opset(stage) for stage in design.islands)])
    sheet = Sheet(frozenset((*design.inputs, *design.outputs)), seed, opset)
    signals = dict[str, TwinTensor]()
    for name in design.inputs:
        bus = design.buses[name]
        signal = twin_ends.read(sheet, bus, ends.inputs.get(name))
        signals[name] = limited(sheet, bus, signal)
    for stage in design.stages:
        sources = [signals[src] for src in stage.srcs]
        signals[stage.dst] = _step(sheet, stage, design, sources)
    twin = _assembled(sheet, design, signals, ends)
    for key, value in (metadata or {}).items():
        twin.metadata_props.add(key=key, value=value)
    return twin


def limited(sheet: Sheet, bus: Bus, signal: TwinTensor) -> TwinTensor:
    """Return the signal behind the limiter of its bus, or the signal itself without one."""
    if bus.limit is None:
        return signal
    edge = bus.limit / (bus.scale or 1.0)
    return sheet.clip(signal, -edge, edge)


def _step(sheet: Sheet, stage: Stage, design: Design, sources: list[TwinTensor]) -> TwinTensor:
    """Return the signal on a stage's output bus, in the shape of a sample of it."""
    dst = design.buses[stage.dst]
    shape = dst.sample
    match stage:
        case Linear():
            return limited(sheet, dst, linear.draw(sheet, stage, sources[0], shape))
        case Lanes():
            return limited(sheet, dst, lanes.draw(sheet, stage, sources, shape))
        case Rename():
            return _wires(sheet, stage, sources, shape)
        case Digital(subgraph=Subgraph()):
            return limited(sheet, dst, island.draw(sheet, stage, design.buses, sources))
        case Digital():
            return digital.draw(sheet, stage, sources[0], shape)
        case Array():
            raise AssertionError("an Array has become Linear")


def _wires(sheet: Sheet, stage: Rename, sources: list[TwinTensor], shape: Shape) -> TwinTensor:
    if len(sources) == 1 and sources[0].last:
        return gather.rows(sheet, sources[0], stage.index.reshape(shape))
    if len(sources) == 1:
        return gather.take(sheet, sources[0], stage.index.reshape(shape))
    firsts = [sheet.first(source) for source in sources]
    return gather.take(sheet, _joined(sheet, firsts), stage.index.reshape(shape))


def _joined(sheet: Sheet, sources: list[TwinTensor]) -> TwinTensor:
    """Return the sources end to end: along their first axis if the other axes agree, else flat."""
    rests = {source.shape[1:] for source in sources}
    if len(rests) > 1 or () in {source.shape for source in sources}:
        sources = [sheet.reshape(source, (source.width,)) for source in sources]
    name = sheet.op("Concat", *(source.name for source in sources), axis=1)
    return TwinTensor(name, (sum(source.shape[0] for source in sources), *sources[0].shape[1:]))


def _assembled(
    sheet: Sheet, design: Design, signals: dict[str, TwinTensor], ends: Ends
) -> onnx.ModelProto:
    buses = design.buses
    results = [
        (name, twin_ends.answered(sheet, buses[name], signals[name], ends.outputs.get(name)))
        for name in design.outputs
    ]
    nodes = _used(sheet.nodes, {tensor for _, tensor in results})
    # Two outputs may have one tensor, and an output may be an input: Identity gives it its name.
    nodes += [helper.make_node("Identity", [tensor], [name], name=name) for name, tensor in results]
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "twin",
        [twin_ends.declared(buses[name], ends.inputs.get(name)) for name in design.inputs],
        [twin_ends.declared(buses[name], ends.outputs.get(name)) for name in design.outputs],
        [tensor for name, tensor in sheet.constants.items() if name in read],
    )
    opset = [helper.make_opsetid("", sheet.opset)]
    version = max(_IR, helper.find_min_ir_version_for(opset))
    return helper.make_model(graph, opset_imports=opset, ir_version=version, producer_name="memxc")


def _used(nodes: list[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes whose results are read, in order."""
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
