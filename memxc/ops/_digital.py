"""What --digital keeps digital: nodes by their names, or all that have no circuit.

parts and faults, arguments of the functions here, are what became of each node, by its number: the
stages and inner buses of those with a circuit, and the faults of those without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memxc import ops, units
from memxc.errors import Fault, MemxcError, like
from memxc.ir.graph import Graph
from memxc.ir.stages import Linear
from memxc.ops._call import Parts
from memxc.ops._islands import Island, islands

#: In place of names: everything that has no circuit stays digital.
AUTO = "auto"
_Faults = Mapping[int, Sequence[Fault]]


def chosen(
    graph: Graph, digital: Sequence[str], parts: Mapping[int, Parts], faults: _Faults
) -> list[Island]:
    """Return the parts of a graph that stay digital.

    digital: names of nodes and of operators; AUTO stands for all nodes that have no circuit. Raises
    MemxcError: usage with every other name, and the faults of nodes in an island that draw at
    random.
    """
    known = {*(node.name for node in graph.nodes), *(node.op for node in graph.nodes), AUTO}
    unknown = [
        Fault("usage", f"--digital {name}", "no such node or operator", like(name, known))
        for name in digital
        if name not in known
    ]
    if unknown:
        raise MemxcError(unknown)
    # A node with a circuit is also at fault where the network up to it is too large: one digital
    # node would change nothing.
    too_large = {n for n in faults if n in parts and faults[n][0].code == "unsupported-shape"}
    random = {n for n, node in enumerate(graph.nodes) if n in faults and node.op in ops.RANDOM}
    named = {n for n, node in enumerate(graph.nodes) if {node.name, node.op} & {*digital}}
    wanted = named | ({*faults} - too_large - random if AUTO in digital else set())
    crossbars = {
        number
        for number, made in parts.items()
        if any(isinstance(part, Linear) and part.tiled for part in made)
    }
    found = islands(graph, wanted, crossbars)
    inside = random.intersection(number for island in found for number in island.nodes)
    if inside:
        raise MemxcError([fault for number in sorted(inside) for fault in faults[number]])
    return found


def instead(graph: Graph, parts: Mapping[int, Parts], faults: _Faults) -> dict[int, str]:
    """Return what --digital auto does with each node that it keeps digital, by its number."""
    try:
        found = chosen(graph, (AUTO,), parts, faults) if faults else []
    except MemxcError:  # an island would draw at random
        return {}
    return {
        number: f"--digital {AUTO} keeps it digital, in an island of "
        f"{units.some(len(island.nodes), 'node')} behind {units.some(island.adcs, 'ADC')} and "
        f"before {units.some(island.dacs, 'DAC')}"
        for island in found
        for number in island.nodes
    }
