"""Inputs bound as constants, as weights are: what would be computed from them before the circuit.

A network whose run-time inputs are bound is the same network only as long as nothing but shapes
is computed from them while it is folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx  # noqa: TID251

#: Operators that read nothing but the shape or the type of an input, and which.
SHALLOW = {"Shape": (0,), "Size": (0,), "CastLike": (1,)}


def dependent(nodes: Sequence[onnx.NodeProto], bound: Iterable[str]) -> dict[str, str]:
    """Tensors whose numbers depend on bound inputs -> the node that makes each, in order."""
    known, found = set(bound), dict[str, str]()
    for node in nodes:
        shallow = SHALLOW.get(node.op_type, ())
        if any(name in known for i, name in enumerate(node.input) if i not in shallow):
            made = [name for name in node.output if name]
            known.update(made)
            found.update(dict.fromkeys(made, node.name))
    return found


def folded(made: Mapping[str, str], constants: Iterable[str]) -> list[str]:
    """The nodes among `dependent` that folding has computed, each once."""
    computed = set(constants)
    return list(dict.fromkeys(node for tensor, node in made.items() if tensor in computed))
