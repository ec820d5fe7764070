"""A part of a network: the nodes between some of its tensors."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import onnx  # noqa: TID251

from memxc import worker
from memxc.errors import Fault, MemxcError, like, pasted
from memxc.frontend import native
from memxc.frontend.check import check, without_weights
from memxc.frontend.fold import fold
from memxc.frontend.network import Network, Shape, network_of
from memxc.frontend.shapes import fixed_inputs, sizes, words
from memxc.frontend.subgraphs import reads

#: What is declared of tensors, by name; None where it is not known.
_Infos = Mapping[str, onnx.ValueInfoProto | None]


def cut(
    model: onnx.ModelProto,
    inputs: Sequence[str],
    outputs: Sequence[str],
    given: Mapping[str, Shape],
    where: str,
) -> onnx.ModelProto:
    """The model of the nodes that compute `outputs` from `inputs`; its nodes are in order.

    No inputs: those of the model that the outputs need. No outputs: the model's. given: shapes of
    inputs, which also tell those of the tensors behind them. where: the name of the model in
    faults. Raises MemxcError: usage with every tensor that is none, that is no signal, or that is
    missing; broken-model if shape inference dies.
    """
    whole = _Whole(model)
    outputs = outputs or [*whole.outputs]
    faults = [*_no_inputs(whole, inputs), *_no_outputs(whole, inputs, outputs)]
    if faults:
        raise MemxcError(faults)
    nodes, read = whole.between(inputs, outputs)
    reached = [name for name in whole.inputs if name in read]
    faults += _misfits(inputs, reached, read)
    if faults:
        raise MemxcError(faults)
    start = {name: whole.inputs.get(name) for name in inputs or reached}
    inner = [name for name, info in start.items() if info is None]
    start |= _typed(whole, inner, given, where) if inner else {}
    ends = {name: whole.outputs.get(name) for name in outputs}
    made = whole.part(nodes, start, ends)
    _declare_outputs(made, given)
    return made


class _Whole:
    """The whole network, by the names of its tensors."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, graph = model, model.graph
        self.weights = {tensor.name for tensor in graph.initializer}
        self.inputs = {v.name: v for v in graph.input if v.name not in self.weights}
        self.outputs = {value.name: value for value in graph.output}
        self.made = {name for node in graph.node for name in node.output if name}

    def between(
        self, inputs: Iterable[str], outputs: Iterable[str]
    ) -> tuple[list[onnx.NodeProto], set[str]]:
        """The nodes that compute outputs from inputs, and every tensor that they read."""
        needed, read, found = {*outputs}, set[str](), []
        given, taken = {*inputs}, {*self.inputs, *self.weights, *self.made}
        for node in reversed(self.model.graph.node):
            if needed.intersection(filter(None, node.output)):
                found.append(_without(node, given, taken))
                read.update(reads(node))
                needed |= {*reads(node)} - given
        return found[::-1], read

    def part(
        self, nodes: Sequence[onnx.NodeProto], inputs: _Infos, outputs: _Infos
    ) -> onnx.ModelProto:
        """A model of some of the nodes, with the weights that they read."""
        model, graph = self.model, self.model.graph
        read = {name for node in nodes for name in reads(node)}
        # Before IR version 4 a weight is listed among the inputs as well.
        listed = [v for v in graph.input if v.name in read & self.weights]
        part = onnx.GraphProto(
            name=graph.name,
            node=nodes,
            input=[*(info for info in inputs.values() if info is not None), *listed],
            output=[info or _unsaid(name) for name, info in outputs.items()],
            initializer=[t for t in graph.initializer if t.name in read],
        )
        return onnx.ModelProto(
            ir_version=model.ir_version, opset_import=model.opset_import, graph=part
        )


def _unsaid(name: str) -> onnx.ValueInfoProto:
    """A tensor of which nothing is declared: the checker wants a type all the same."""
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)


def _without(node: onnx.NodeProto, given: set[str], taken: set[str]) -> onnx.NodeProto:
    """A node that no longer makes a tensor which is given: it makes one of a name not taken."""
    if not given.intersection(node.output):
        return node
    other = onnx.NodeProto()
    other.CopyFrom(node)
    free = (f"unread~{count}" for count in itertools.count())
    other.output[:] = [
        next(name for name in free if name not in taken) if made in given else made
        for made in node.output
    ]
    taken.update(other.output)
    return other


def _no_inputs(whole: _Whole, inputs: Sequence[str]) -> Iterator[Fault]:
    for name in inputs:
        if name not in whole.made and name not in whole.inputs:
            yield _unknown(whole, "--inputs", name)
        elif inputs.count(name) > 1:
            yield Fault("usage", f"--inputs {name}", "is given twice")


def _no_outputs(whole: _Whole, inputs: Sequence[str], outputs: Sequence[str]) -> Iterator[Fault]:
    for name in outputs:
        where = f"--outputs {name}"
        if name in inputs:
            yield Fault("usage", where, "is an input of the part as well")
        elif name in whole.inputs:
            yield Fault("usage", where, "is an input of the network, which nothing computes")
        elif name not in whole.made:
            yield _unknown(whole, "--outputs", name)
        elif outputs.count(name) > 1:
            yield Fault("usage", where, "is given twice")


def _unknown(whole: _Whole, flag: str, name: str) -> Fault:
    if name in whole.weights:
        return Fault("usage", f"{flag} {name}", "is a constant of the network, not a signal")
    hint = like(name, [*whole.inputs, *whole.made]) or "memxc show MODEL lists the tensors"
    return Fault("usage", f"{flag} {name}", "the network has no such tensor", hint)


def _misfits(inputs: Sequence[str], reached: Sequence[str], read: set[str]) -> Iterator[Fault]:
    """Inputs of the part that it does not read, and those of the network that it reads besides."""
    for name in inputs:
        if name not in read:
            what = "no output of the part is computed from it"
            yield Fault("usage", f"--inputs {name}", what, "leave it out")
    for name in reached if inputs else ():
        if name not in inputs:
            what = f"the part also reads the input {name!r} of the network"
            hint = "name it among them, make it a constant with --fix, or name other tensors"
            yield Fault("usage", f"--inputs {','.join(inputs)}", what, hint)
    if not inputs and not reached:
        yield Fault("usage", "--outputs", "the part reads no input of the network")


def _typed(whole: _Whole, names: Sequence[str], given: Mapping[str, Shape], where: str) -> _Infos:
    """Tensors inside the network as inputs of their types and shapes.

    As inference has them; where it cannot reach them, as the user gives and the file declares them.
    Raises MemxcError (usage) with each that stays unknown, is a constant, or has another shape.
    """
    nodes, read = whole.between((), names)
    inputs = {name: info for name, info in whole.inputs.items() if name in read}
    before = whole.part(nodes, inputs, dict.fromkeys(names))
    network = _inferred(before, given)
    graph = whole.model.graph
    declared = {value.name: value for value in (*graph.value_info, *graph.output)}
    if network is None or not network.shapes.keys() >= {*names}:
        declared |= {value.name: value for value in _types(before, where)}
    found, faults = {}, []
    for name in names:
        info = declared.get(name, onnx.ValueInfoProto())
        kind, shape = info.type.tensor_type.elem_type, given.get(name) or _one_sample(info)
        if network is not None:
            kind, shape = network.types.get(name, kind), network.shapes.get(name, shape)
        place = f"--inputs {name}"
        if network is not None and name in network.constants:
            what = "is a constant: it does not depend on the network's inputs"
            faults.append(Fault("usage", place, what))
        elif shape is None or not kind:
            hint = f"say its shape with {pasted('--shape', f'{name}=1x3x48x192')}"
            faults.append(Fault("usage", place, "its type or shape cannot be told", hint))
        elif given.get(name, shape) != shape:
            what = f"{words(given[name])} does not fit the network's {words(shape)}"
            faults.append(Fault("usage", f"--shape {name}", what))
        else:
            found[name] = onnx.helper.make_tensor_value_info(name, kind, shape)
    if faults:
        raise MemxcError(faults)
    return found


def _types(model: onnx.ModelProto, where: str) -> Sequence[onnx.ValueInfoProto]:
    """The outputs as inference of types alone declares them: it goes on behind an unknown shape."""
    bare = without_weights(model)
    for value in bare.graph.output:
        value.ClearField("type")
    try:
        done = native.ask("inferred", bare, native.allowance(len(bare.graph.node)))
    except worker.Refused:
        return []
    except worker.Died as death:
        raise native.fault("ONNX's shape inference", death, where) from death
    return [*done.graph.output]


def _one_sample(info: onnx.ValueInfoProto) -> Shape | None:
    """The declared shape with an open batch axis of 1; None where another axis is open."""
    found = sizes(info) or ()
    shape = tuple(1 if axis == 0 and size is None else size or 0 for axis, size in enumerate(found))
    return shape if shape and all(shape) else None


def _inferred(model: onnx.ModelProto, given: Mapping[str, Shape]) -> Network | None:
    """The network as far as its constants and shapes can be told; None where it is no network."""
    names = {value.name for value in model.graph.input}
    some = {name: shape for name, shape in given.items() if name in names}
    try:
        shapes = fixed_inputs(model, some, "")
        check(model, "")
        network = network_of(model, shapes)
    except MemxcError:
        return None
    with suppress(MemxcError):
        fold(network)
    return network


def _declare_outputs(model: onnx.ModelProto, given: Mapping[str, Shape]) -> None:
    """Declare the types and shapes of the outputs that the file does not declare.

    An output has an open batch axis if an input has one. Where inference does not reach an output
    it stays as it is: `load` says why.
    """
    network = _inferred(model, given)
    if network is None:
        return
    batches = [(sizes(value) or [1])[0] for value in model.graph.input]
    for value in model.graph.output:
        shape = network.shapes.get(value.name)
        if shape is not None and not value.type.tensor_type.HasField("shape"):
            dims = [None, *shape[1:]] if None in batches and shape[:1] == (1,) else shape
            kind = network.types[value.name]
            value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, dims))
