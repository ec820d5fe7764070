"""Which nodes stay digital: the smallest islands around some nodes, with few converters.

    analog | ADC ->  [ node  node ]  -> DAC | analog

The nodes that have to stay digital are given. Islands grow from them by two rules:

- A tensor of integers, bool or any other type than real numbers never crosses a border, so that the
  nodes that make and read it stay digital together.
- A node without a crossbar joins, alone or with its neighbours that have none, if there are fewer
  converters then. A tensor of n numbers takes n converters where it crosses a border.

It is greedy: the nodes are tried in order, a few times, in networks of up to 5,000 nodes. A node
with a crossbar joins by the first rule only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from memxc.ir.graph import Graph

#: The nodes are tried so many times; each time fewer converters may let others join.
_ROUNDS = 8
#: In larger networks only the first rule holds, because the second takes time for pairs of nodes.
_MOST_NODES = 5_000


@dataclass(frozen=True)
class Island:
    """A part of the network: the numbers of its nodes, and how many numbers cross its border."""

    nodes: tuple[int, ...]
    adcs: int
    dacs: int


def islands(graph: Graph, digital: Iterable[int], crossbars: Iterable[int]) -> list[Island]:
    """Return the islands of a graph, in the order of their first nodes.

    digital: numbers of the nodes that have to stay digital. crossbars: of those with weights.
    """
    net = _Net(graph)
    inside = net.closed(digital)
    fixed = {*crossbars}
    for _ in range(_ROUNDS if inside and len(graph.nodes) <= _MOST_NODES else 0):
        before = len(inside)
        for group in net.candidates(inside, fixed):
            joined = net.closed(group) - inside
            if joined and not joined & fixed and net.saves(joined, inside):
                inside |= joined
        if len(inside) == before:
            break
    return [net.island(part, inside) for part in net.parts(inside)]


class _Net:
    """The nodes of a graph, and who makes and reads each tensor."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.maker = {t: n for n, node in enumerate(graph.nodes) for t in node.outputs if t}
        self.readers: dict[str, list[int]] = {}
        for number, node in enumerate(graph.nodes):
            for tensor in dict.fromkeys(self.signals(node.inputs)):
                self.readers.setdefault(tensor, []).append(number)

    def signals(self, tensors: Sequence[str]) -> Iterator[str]:
        """Yield the tensors that are no constants."""
        return (tensor for tensor in tensors if tensor and tensor not in self.graph.weights)

    def tensors(self, number: int) -> list[str]:
        """Return the signals that a node reads and makes."""
        node = self.graph.nodes[number]
        return [*self.signals(node.inputs), *filter(None, node.outputs)]

    def around(self, tensor: str) -> list[int]:
        """Return the nodes that make and read a tensor."""
        made = [self.maker[tensor]] if tensor in self.maker else []
        return made + self.readers.get(tensor, [])

    def closed(self, nodes: Iterable[int]) -> set[int]:
        """Return the nodes, with all that share a tensor with them which no analog net carries."""
        found, todo, passed = set[int](), [*nodes], set[str]()
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                kinds = {*self.tensors(number)} & self.graph.kinds.keys() - passed
                passed |= kinds
                todo += (other for tensor in kinds for other in self.around(tensor))
        return found

    def candidates(self, inside: set[int], fixed: set[int]) -> Iterator[set[int]]:
        """Yield each free node beside an island, and then all that hang together with it."""
        free = {n for n in range(len(self.graph.nodes)) if n not in inside and n not in fixed}
        edge = {tensor for number in inside for tensor in self.tensors(number)}
        seen = set[int]()
        for number in sorted(free):
            if edge.intersection(self.tensors(number)):
                yield {number}
                if number not in seen:
                    together = self._together(number, free)
                    seen |= together
                    yield together

    def _together(self, first: int, free: set[int]) -> set[int]:
        found, todo = set[int](), [first]
        while todo:
            number = todo.pop()
            if number in free and number not in found:
                found.add(number)
                todo += (other for t in self.tensors(number) for other in self.around(t))
        return found

    def saves(self, joined: set[int], inside: set[int]) -> bool:
        """Return whether there are fewer converters with these nodes inside."""
        touched = dict.fromkeys(t for number in sorted(joined) for t in self.tensors(number))
        more = inside | joined
        return sum(map(sum, (self.crossings(t, more) for t in touched))) < sum(
            map(sum, (self.crossings(t, inside) for t in touched))
        )

    def crossings(self, tensor: str, inside: set[int]) -> tuple[int, int]:
        """Return the ADCs and DACs of a tensor; an input that only islands read has none."""
        width = prod(self.graph.shapes[tensor])
        readers = [number in inside for number in self.readers.get(tensor, [])]
        if tensor in self.maker and self.maker[tensor] in inside:
            return 0, width * (not all(readers))
        analog = tensor in self.maker or not all(readers)
        return width * (any(readers) and analog), 0

    def parts(self, inside: set[int]) -> list[list[int]]:
        """Return the islands: nodes that hang together, and between which nothing analog is.

        The level of a node is the number of borders into islands on the way to it. Nodes of one
        level have nothing analog between them, so that a part of them never waits for itself.
        """
        level: list[int] = []
        part: dict[int, list[int]] = {}
        for number, node in enumerate(self.graph.nodes):
            before = [self.maker[t] for t in self.signals(node.inputs) if t in self.maker]
            enters = number in inside
            level.append(max((level[b] + (enters and b not in inside) for b in before), default=0))
            if enters:
                mine = [number]
                for other in before:
                    if other in inside and level[other] == level[number]:
                        theirs = part[other]
                        if theirs is not mine:
                            mine = theirs + mine
                            part.update(dict.fromkeys(mine, mine))
                part.update(dict.fromkeys(mine, mine))
        found = {id(members): sorted(members) for members in part.values()}
        return sorted(found.values())

    def island(self, part: Sequence[int], inside: set[int]) -> Island:
        """Return an island with its converters."""
        members = {*part}
        read = dict.fromkeys(t for n in part for t in self.signals(self.graph.nodes[n].inputs))
        made = dict.fromkeys(t for n in part for t in self.graph.nodes[n].outputs if t)
        adcs = sum(self.crossings(t, inside)[0] for t in read if self.maker.get(t) not in members)
        return Island(tuple(part), adcs, sum(self.crossings(t, inside)[1] for t in made))
