"""A part of the network that stays digital: one stage for each tensor that leaves it."""

from __future__ import annotations

from memxc.ir import stages
from memxc.ir.graph import ISLAND
from memxc.ir.stages import Digital
from memxc.ir.subgraph import Subgraph
from memxc.ops._call import Call, Parts
from memxc.ops._registry import operator


@operator(ISLAND, attrs={"model": None, "operators": ()}, outputs=None, integers=True)
def island(call: Call) -> Parts:
    """Return a digital stage for each output; all of them have the same model."""
    model, operators = call.attrs["model"], tuple(call.attrs["operators"])
    srcs = tuple(call.bus(index) for index in range(len(call.inputs)))
    return [
        Digital(
            call.name,
            srcs,
            dst,
            stages.ISLAND,
            subgraph=Subgraph(call.name, operators, model, number),
        )
        for number, dst in enumerate(call.node.outputs)
    ]
