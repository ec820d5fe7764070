"""The network between file and Graph: nodes that still compute, constants, shapes and types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx  # noqa: TID251

from memxc import worker
from memxc.errors import Fault, MemxcError
from memxc.frontend import native
from memxc.frontend.read import PLAIN_OPSET, opset_of
from memxc.frontend.subgraphs import walk
from memxc.frontend.tensors import Array, array

Shape = tuple[int, ...]

#: Bytes of constants that the worker may compute for one node.
_COMPUTED = 2**27
#: Most nodes in all copies of the bodies of loops.
MOST_COPIED = 20_000


@dataclass
class Network:
    """What is known about a network while it is folded, by tensor name.

    Folding moves nodes to `constants` where it can. opset: the version that nodes are folded as;
    nodes of an `old` one are upgraded first. inputs: every axis is fixed. types: ONNX's numbers of
    element types. taken: all names of nodes and tensors, also of later ones. sequences: lists of
    tensors by their name. allowance: the limits of inference for all nodes together.
    copied: nodes in copies of the bodies of loops so far, and their bytes.
    """

    opset_imports: Sequence[onnx.OperatorSetIdProto]
    opset: int
    old: bool
    inputs: dict[str, Shape]
    outputs: tuple[str, ...]
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    shapes: dict[str, Shape]
    types: dict[str, int]
    taken: set[str]
    sequences: dict[str, tuple[str, ...]]
    allowance: worker.Allowance
    members: int = 0
    renamed: int = 0
    copied: int = 0
    copied_bytes: int = 0

    def add(self, name: str, value: Array) -> None:
        """Add a constant with its shape and type."""
        self.taken.add(name)
        self.constants[name] = value
        self.shapes[name] = value.shape
        self.types[name] = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)

    def fresh(self, name: str) -> str:
        """Return a name that is not taken: this one, or this one with a number."""
        free = name
        while free in self.taken:
            self.renamed += 1  # never from 1 again, because a hostile model may take many names
            free = f"{name}~{self.renamed}"
        self.taken.add(free)
        return free


def network_of(model: onnx.ModelProto, inputs: dict[str, Shape]) -> Network:
    """Return the network of a checked model.

    Raises MemxcError with every initialiser that is broken.
    """
    graph, opset = model.graph, opset_of(model)
    old = opset < PLAIN_OPSET
    loops = any(node.op_type in ("Loop", "Scan") for node in walk(graph.node))
    network = Network(
        [onnx.helper.make_opsetid("", PLAIN_OPSET)] if old else model.opset_import,
        max(opset, PLAIN_OPSET),
        old,
        inputs,
        tuple(value.name for value in graph.output),
        list(graph.node),
        {},
        dict(inputs),
        {value.name: value.type.tensor_type.elem_type for value in graph.input},
        {*inputs, *(name for node in graph.node for name in (node.name, *node.output))},
        {},
        native.allowance(len(graph.node) + (MOST_COPIED if loops else 0), _COMPUTED),
    )
    faults: list[Fault] = []
    for tensor in graph.initializer:
        try:
            network.add(tensor.name, array(tensor, tensor.name))
        except MemxcError as error:
            faults += error.faults
    if faults:
        raise MemxcError(faults)
    return network
