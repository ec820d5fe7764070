"""The interfaces of passes, costs, engines and operators, which rooms and plug-ins share.

Other packages import from here what docs/plugins.md describes: GraphPass, DesignPass, Result,
Graph, Design, Cost, Engine, `get_engine`, and for operators `operator`, `Call`, `Parts`, `each` and
`Circuit`. A dialect or a target is a file, and its plug-in is the pathlib.Path of this file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from numpy.typing import NDArray

from memxc.engines import Engine
from memxc.engines import get as get_engine
from memxc.evaluation.samples import Samples
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Circuit, Signed
from memxc.ops import Call, Parts, each, operator
from memxc.target import Target

__all__ = [
    "Call", "Circuit", "Context", "Cost", "Design", "DesignPass", "Engine", "Graph", "GraphPass",
    "Parts", "Pass", "Result", "Zeros", "each", "get_engine", "operator",
]  # fmt: skip

Network = TypeVar("Network", Graph, Design)
#: The type of a field that --stage-set may set for one stage: it lists the field's values.
Word = TypeVar("Word", bound=str)
#: How a weight of exactly zero is built: as no device, or as a pair at g_min.
Zeros = Literal["absent", "parked"]


@dataclass(frozen=True)
class Context:
    """The input of a pass besides the network. It is read-only: a pass returns a Result.

    samples: input tensors by name, (samples, *shape without batch).
    assumed_inputs: the samples are random, so calibrate keeps a margin.
    stage_set: options of single stages, {stage: {key: value}}; the value of tile is (rows,
    columns).
    judged: the samples, with labels, on which losses are measured; None if none are measured.
    fitted: the samples to which weights are fitted, other than `judged`; None if none are.
    """

    target: Target
    samples: Mapping[str, NDArray[Any]]
    assumed_inputs: bool = False
    stage_set: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signed: Signed = "differential"
    zeros: Zeros = "parked"
    judged: Samples | None = None
    fitted: Samples | None = None

    def option(self, stage: str, key: str, default: Word) -> Word:
        """Return an option of one stage, or `default` if the stage has none of its own."""
        found: Word = self.stage_set.get(stage, {}).get(key, default)
        return found

    def fit_to(self) -> Mapping[str, NDArray[Any]]:
        """Return the inputs to which weights are fitted."""
        chosen = self.fitted or self.judged
        return self.samples if chosen is None else chosen.inputs

    def tile(self, stage: str) -> tuple[int, int]:
        """Return rows and columns of the unit crossbar of a stage."""
        unit = self.target.crossbar
        rows, columns = self.stage_set.get(stage, {}).get("tile", (unit.rows, unit.columns))
        return rows, columns

    def lines(self, stage: str) -> tuple[int, int]:
        """Return how many inputs (with bias lines) and signed outputs one unit crossbar holds."""
        rows, columns = self.tile(stage)
        return (rows, columns // 2) if self.signed == "differential" else (rows // 2, columns)


@dataclass(frozen=True)
class Option:
    """How a field is set on the command line, and its text in the help and in docs/cli.md.

    A field declares it as `field(default=..., metadata={"option": Option(...)})`.

    metavar: the form of a value; "" where the field's type lists its values, or is bool.
    read: turns a text into a value, or raises ValueError; None: the text is the value.
    separator: the character between the parts of a value.
    example: the option on a command line.  repeated: the option may be given several times.
    default: a text to show in place of the field's default.  page: a page in docs/ that says more.
    instead: what to write in --passes in place of this option; "" if both may be given.
    per_stage: --stage-set may set it, and the pass asks `Context.option` for it.
    of_nodes: it says what becomes of the nodes, so `check` and `show` take it as well.
    of_network: it chooses the network that is read from the file, so `check` and `show` take it as
    well, and the copy of the model in the folder does not need it again.
    """

    flag: str
    help: str
    metavar: str = ""
    read: Callable[[str], Any] | None = None
    separator: str = ","
    example: str = ""
    repeated: bool = False
    default: str = ""
    page: str = ""
    instead: str = ""
    per_stage: bool = False
    of_nodes: bool = False
    of_network: bool = False


def declared_options(kind: type) -> dict[str, Option]:
    """Return the options that a dataclass declares, by the names of their fields."""
    return {
        f.name: f.metadata["option"] for f in dataclasses.fields(kind) if "option" in f.metadata
    }


@dataclass(frozen=True)
class Result(Generic[Network]):
    """What a pass returns.

    ir: the changed network. warnings: sentences for the user.
    figures: numbers that the pass counted, by name. They are added to the size of the network after
    the pass in its record.
    """

    ir: Network
    warnings: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


class Pass:
    """A named change. Its options are its fields."""

    name: ClassVar[str]
    #: Whether the outputs stay the same to 1e-9. The loss of any other pass is measured.
    exact: ClassVar[bool] = True
    #: Whether it works on crossbars. Such passes, and no others, come after program.
    programmed: ClassVar[bool] = False
    #: Whether it acts against wire resistance. Then the circuit is measured with its wires.
    wired: ClassVar[bool] = False

    @property
    def fits(self) -> bool:
        """Whether it fits weights to samples. Then losses are measured on other samples."""
        return False

    def options(self) -> dict[str, object]:
        """Return the fields by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]


class GraphPass(Pass):
    """A pass over the graph, before the network is lowered."""

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the changed graph. The given graph stays as it is."""
        raise NotImplementedError


class DesignPass(Pass):
    """A pass over the design, after the network is lowered."""

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the changed design. The given design stays as it is."""
        raise NotImplementedError


class Cost:
    """Figures of a programmed design that are added to the report.

    The class is called without arguments.
    """

    name: ClassVar[str]

    def measure(self, design: Design, context: Context) -> object:
        """Return the figures: a frozen dataclass of numbers, words, booleans or None.

        The end of a field's name is its unit (`energy_j`). None is a figure that is not known.
        """
        raise NotImplementedError
