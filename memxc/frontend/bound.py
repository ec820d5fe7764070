"""Inputs that are bound as constants, as weights are, and what folding computes from them.

A network with bound run-time inputs is still the same network only if folding computes nothing but
shapes from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx  # noqa: TID251

from memxc.frontend.subgraphs import reads

#: Operators that read only the shape or the type of some inputs, and the numbers of these inputs.
SHALLOW = {"Shape": (0,), "Size": (0,), "CastLike": (1,)}


def dependent(nodes: Sequence[onnx.NodeProto], bound: Iterable[str]) -> dict[str, str]:
    """Return the tensors that depend on bound inputs' numbers, each with the node that makes it."""
    reached, makers = set(bound), dict[str, str]()
    for node in nodes:
        shallow = SHALLOW.get(node.op_type, ())
        seen = [name for i, name in enumerate(node.input) if i not in shallow]
        if not reached.isdisjoint(
            [*seen, *(name for name in reads(node) if name not in node.input)]
        ):
            outputs = [name for name in node.output if name]
            reached.update(outputs)
            makers.update(dict.fromkeys(outputs, node.name))
    return makers


def folded(made: Mapping[str, str], constants: Iterable[str]) -> list[str]:
    """Return the nodes of `dependent` that folding has computed, each once."""
    computed = set(constants)
    return list(dict.fromkeys(node for tensor, node in made.items() if tensor in computed))
