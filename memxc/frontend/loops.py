"""Loop and Scan with a constant number of turns: copies of the body, one for each turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx  # noqa: TID251

from memxc.errors import MemxcError, fail
from memxc.frontend.network import MOST_COPIED, Network
from memxc.frontend.sequences import with_numbers
from memxc.frontend.subgraphs import walk

#: Most bytes of all copies.
_MOST_BYTES = 2**28
#: Before this opset a Scan has a batch axis.
_SCAN_SINCE = 9

Names = Mapping[str, str]


class Turns(ABC):
    """A Loop or a Scan while it is written out, turn after turn.

    body: the graph of a turn. carried: the network's names of the values that go from turn to turn.
    """

    def __init__(self, node: onnx.NodeProto, names: Names, network: Network) -> None:
        bodies = [a.g for a in node.attribute if a.name == "body" and a.HasField("g")]
        if len(bodies) != 1:
            raise fail("broken-model", node.name, f"{node.op_type} has no body")
        (self.body,) = bodies
        if self.body.sparse_initializer:
            raise fail("unsupported-model", node.name, "its body holds sparse tensors")
        self.node, self.network = node, network
        self._nodes = 1 + sum(1 for _ in walk(self.body.node))
        self.inputs = [names.get(name, name) for name in node.input]
        self.outputs = [names.get(name, name) for name in node.output]
        self.turn = 0
        self.carried: list[str] = []
        self.scanned: list[list[str]] = []

    @abstractmethod
    def more(self) -> bool:
        """Return whether there is a further turn. Raises MemxcError if the data say so."""

    @abstractmethod
    def nodes(self) -> list[onnx.NodeProto]:
        """Return nodes that a turn needs in front of its body."""

    @abstractmethod
    def given(self) -> list[str]:
        """Return the network's names of what the inputs of the body are in this turn."""

    @abstractmethod
    def passed(self, results: list[str]) -> list[str]:
        """Take the results of a turn, and return those that are carried or stacked."""

    def inner(self) -> dict[str, str]:
        """Return the network's names for the inputs of the body. Counts the copy.

        Raises MemxcError if there are too many, or if they have other inputs.
        """
        self.check_size(1)
        self.network.copied += self._nodes
        self.network.copied_bytes += self.body.ByteSize()
        given = self.given()
        names = [value.name for value in self.body.input]
        if len(names) != len(given):
            raise self.misfit(f"its body has {len(names)} inputs, it gets {len(given)}")
        return dict(zip(names, given, strict=True))

    def check_size(self, turns: int) -> None:
        """Raise MemxcError (unsupported-shape) if this many further copies are too many."""
        nodes = self.network.copied + turns * self._nodes
        size = self.network.copied_bytes + turns * self.body.ByteSize()
        if nodes > MOST_COPIED or size > _MOST_BYTES:
            what = f"its copies make more than {MOST_COPIED:,} nodes, or {_MOST_BYTES >> 20} MiB"
            raise self.refused(what, "fewer turns fit", "unsupported-shape")

    def end(self, names: Names) -> None:
        """Take the results of a turn under the network's names of the body's tensors."""
        results = [names.get(value.name, value.name) for value in self.body.output]
        parts = self.passed(results)
        if len(parts) != len(self.outputs):
            raise self.misfit(f"its body gives {len(parts)} results, it has {len(self.outputs)}")
        count = len(self.carried)
        self.carried = parts[:count]
        self.scanned = self.scanned or [[] for _ in parts[count:]]
        for stack, part in zip(self.scanned, parts[count:], strict=True):
            stack.append(part)
        self.turn += 1

    def results(self) -> Iterator[onnx.NodeProto]:
        """Yield nodes that give the node's outputs. Raises MemxcError if one has no turn."""
        count = len(self.carried)
        for output, value in zip(self.outputs, self.carried, strict=False):
            if output:
                yield self._node("Identity", [value], output)
        for number, output in enumerate(self.outputs[count:]):
            if output and not self.turn:
                what = "it has no turn, so that its output holds nothing"
                raise self.refused(what, code="unsupported-shape")
            if output:
                yield from self._stacked(number, self.scanned[number], output)

    def _stacked(self, number: int, parts: Sequence[str], output: str) -> Iterator[onnx.NodeProto]:
        axis, backwards = self._placed(number)
        stacked = [self.network.fresh(f"{output}/{turn}") for turn in range(len(parts))]
        for part, name in zip(parts, stacked, strict=True):
            yield with_numbers("Unsqueeze", [part], [name], "axes", [axis], self.network)
        joined = stacked[::-1] if backwards else stacked
        yield self._node("Concat", joined, output, axis=axis)

    def _placed(self, number: int) -> tuple[int, bool]:
        """Return the axis along which a result is stacked, and whether the last turn is first."""
        return 0, False

    def _node(self, kind: str, inputs: Iterable[str], output: str, **more: Any) -> onnx.NodeProto:
        name = self.network.fresh(self.node.name)
        return onnx.helper.make_node(kind, list(inputs), [output], name=name, **more)

    def refused(self, what: str, hint: str = "", code: str = "unsupported-op") -> MemxcError:
        """Return a fault of the node, to be raised."""
        return fail(code, self.node.name, f"{self.node.op_type}: {what}", hint)

    def misfit(self, what: str) -> MemxcError:
        """Return the fault of a node that makes no sense, to be raised."""
        return fail("broken-model", self.node.name, f"{self.node.op_type}: {what}")


class _Loop(Turns):
    """Turns until their number is reached, or until the condition is false."""

    def __init__(self, node: onnx.NodeProto, names: Names, network: Network) -> None:
        super().__init__(node, names, network)
        count, condition, *self.carried = [*self.inputs, "", ""][: max(2, len(self.inputs))]
        self._most = int(self._known(count)) if count else None
        self._condition = self._asked = condition
        if self._most is not None and not condition:
            self.check_size(self._most)

    def more(self) -> bool:
        if self._most is not None and self.turn >= self._most:
            return False
        on = not self._condition or bool(self._known(self._condition))
        if not on and not self._asked:
            raise self.refused("its body ends it, but it has no condition; runtimes do not agree")
        return on

    def nodes(self) -> list[onnx.NodeProto]:
        return []

    def given(self) -> list[str]:
        number, true = (self.network.fresh(f"{self.node.name}/{word}") for word in ("turn", "on"))
        self.network.add(number, np.array(self.turn))
        self.network.add(true, np.array(True))
        return [number, true, *self.carried]

    def passed(self, results: list[str]) -> list[str]:
        if not results:
            raise self.misfit("its body has no condition")
        self._condition, *parts = results
        return parts

    def _known(self, name: str) -> Any:
        value = self.network.constants.get(name)
        if value is None:
            what = "the input says at run time how many turns it takes"
            hint = (
                "a circuit has a fixed number of stages: export it with a constant number of turns"
            )
            raise self.refused(what, hint)
        if value.size != 1:
            raise self.misfit(f"{name!r} is not a single value")
        return value.reshape(())


class _Scan(Turns):
    """One turn for each slice of its scanned inputs."""

    def __init__(self, node: onnx.NodeProto, names: Names, network: Network) -> None:
        super().__init__(node, names, network)
        if network.opset < _SCAN_SINCE:
            what = f"the one of opset {network.opset} has a batch axis"
            raise self.refused(what, f"export the model for opset {_SCAN_SINCE} or newer")
        settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        count = settings.get("num_scan_inputs", 0)
        if not 0 < count <= len(self.inputs):
            raise self.misfit(f"num_scan_inputs = {count} of {len(self.inputs)} inputs")
        first = len(self.inputs) - count
        self.carried, self._sources = self.inputs[:first], self.inputs[first:]
        made = len(self.outputs) - first
        self._axes = self._listed(settings, "scan_input_axes", count)
        self._turned = self._listed(settings, "scan_input_directions", count)
        self._out_axes = self._listed(settings, "scan_output_axes", made)
        self._out_turned = self._listed(settings, "scan_output_directions", made)
        self._length = self._same_length()
        self.check_size(self._length)
        self._slices: list[str] = []

    def more(self) -> bool:
        return self.turn < self._length

    def nodes(self) -> list[onnx.NodeProto]:
        self._slices, made = [], []
        for source, axis, turned in zip(self._sources, self._axes, self._turned, strict=True):
            place = self._length - 1 - self.turn if turned else self.turn
            index, name = (self.network.fresh(f"{source}/{word}") for word in ("place", "slice"))
            self.network.add(index, np.array(place))
            made.append(self._node("Gather", [source, index], name, axis=axis))
            self._slices.append(name)
        return made

    def given(self) -> list[str]:
        return [*self.carried, *self._slices]

    def passed(self, results: list[str]) -> list[str]:
        return results

    def _placed(self, number: int) -> tuple[int, bool]:
        return self._out_axes[number], bool(self._out_turned[number])

    def _listed(self, settings: Mapping[str, Any], name: str, count: int) -> list[int]:
        numbers = list(settings.get(name, [0] * count))
        if len(numbers) != count:
            raise self.misfit(f"{name} has {len(numbers)} numbers, it should have {count}")
        return numbers

    def _same_length(self) -> int:
        lengths = set()
        for source, axis in zip(self._sources, self._axes, strict=True):
            shape = self.network.shapes[source]
            if not -len(shape) <= axis < len(shape):
                raise self.misfit(f"it scans axis {axis} of {list(shape)}")
            lengths.add(shape[axis])
        if len(lengths) != 1:
            raise self.misfit(f"its scanned inputs have the lengths {sorted(lengths)}")
        return lengths.pop()


#: The operators that repeat their body.
KINDS: Mapping[str, type[Turns]] = {"Loop": _Loop, "Scan": _Scan}
