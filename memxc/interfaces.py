"""What may be plugged in, and what it may look at: the interfaces that rooms share.

Packages of other people import from here what docs/plugins.md describes: GraphPass, DesignPass,
Result, Cost, Engine, and for operators `operator`, `Call`, `Parts`, `each` and `Circuit`. A dialect
and a target are files: the plug-in is the pathlib.Path of one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from numpy.typing import NDArray

from memxc.engines import Engine
from memxc.evaluation.samples import Samples
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Circuit, Signed
from memxc.ops import Call, Parts, each, operator
from memxc.target import Target

__all__ = [
    "Call", "Circuit", "Context", "Cost", "DesignPass", "Engine", "GraphPass", "Parts", "Pass",
    "Result", "Zeros", "each", "operator",
]  # fmt: skip

Network = TypeVar("Network", Graph, Design)
#: What stands for a weight of exactly zero: no device at all, or a pair at g_min.
Zeros = Literal["absent", "parked"]


@dataclass(frozen=True)
class Context:
    """What a pass may look at besides the network. It is read-only: a pass tells by its Result.

    samples: input tensors by name, (samples, *shape without batch).
    assumed_inputs: the samples were drawn from a range, so calibrate keeps a margin.
    stage_set: options of single stages, {stage: {key: value}}.
    judged: samples, and their labels, on which losses are measured; None where none are measured.
    fitted: other samples, to which weights are fitted; None where none are.
    """

    target: Target
    samples: Mapping[str, NDArray[Any]]
    assumed_inputs: bool = False
    stage_set: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    signed: Signed = "differential"
    zeros: Zeros = "parked"
    judged: Samples | None = None
    fitted: Samples | None = None

    def option(self, stage: str, key: str, default: str) -> str:
        """An option of one stage, or what the rest has."""
        return self.stage_set.get(stage, {}).get(key, default)

    def fit_to(self) -> Mapping[str, NDArray[Any]]:
        """The inputs that weights are fitted to."""
        found = self.fitted or self.judged
        return self.samples if found is None else found.inputs

    def tile(self, stage: str) -> tuple[int, int]:
        """Rows and columns of the unit crossbar of a stage."""
        own = self.stage_set.get(stage, {}).get("tile")
        if own is None:
            return self.target.crossbar.rows, self.target.crossbar.columns
        rows, _, columns = own.partition("x")
        return int(rows), int(columns or rows)

    def lines(self, stage: str) -> tuple[int, int]:
        """Inputs (bias lines among them) and signed outputs that one unit crossbar holds."""
        rows, columns = self.tile(stage)
        return (rows, columns // 2) if self.signed == "differential" else (rows // 2, columns)


@dataclass(frozen=True)
class Option:
    """How a field is set on the command line, and what its help and docs/cli.md say of it.

    A field declares it as `field(default=..., metadata={"option": Option(...)})`.

    metavar: the form of a value; "" where the field's type lists its values, or is bool.
    read: makes a value of a text, ValueError where it cannot; None: the text is the value.
    separator: stands between the parts of a value.
    example: of the option on a command line.  repeated: the option may be given again.
    default: words in place of the field's default.  page: a page in docs/ that says more.
    instead: what --passes takes in place of this option; "" if both may be given.
    per_stage: --stage-set may set it, and the pass asks `Context.option` for it.
    of_network: it says which network is read from the file, so `check` and `show` take it as well,
    and the copy in the folder of a build needs it no more.
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
    of_network: bool = False


def declared(kind: type) -> dict[str, Option]:
    """The options that a dataclass declares, by the names of their fields."""
    return {
        f.name: f.metadata["option"] for f in dataclasses.fields(kind) if "option" in f.metadata
    }


@dataclass(frozen=True)
class Result(Generic[Network]):
    """What a pass returns.

    ir: the changed network. warnings: sentences for the user. figures: numbers that the pass
    counted, by name; they stand in its record beside the size of the network after it.
    """

    ir: Network
    warnings: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


class Pass:
    """A named change with its options as fields."""

    name: ClassVar[str]
    #: Keeps the meaning to 1e-9; a pass that is not exact has its loss measured.
    exact: ClassVar[bool] = True
    #: Works on crossbars: has its place after program, and no other pass has.
    programmed: ClassVar[bool] = False
    #: What it is for shows with the wires of the target only: the circuit is measured with them.
    wired: ClassVar[bool] = False

    @property
    def fits(self) -> bool:
        """Whether weights are fitted to samples: what is lost is measured on others then."""
        return False

    def options(self) -> dict[str, object]:
        """The fields by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]


class GraphPass(Pass):
    """Graph -> Graph."""

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the changed graph; the graph that was given stays as it is."""
        raise NotImplementedError


class DesignPass(Pass):
    """Design -> Design."""

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the changed design; the design that was given stays as it is."""
        raise NotImplementedError


class Cost:
    """Figures of a programmed design that stand in the report beside memxc's own.

    It is made without arguments.
    """

    name: ClassVar[str]

    def measure(self, design: Design, context: Context) -> object:
        """Return the figures: a frozen dataclass of numbers, words, booleans or None.

        A field's name says its unit (`energy_j`); None is a figure that is not known.
        """
        raise NotImplementedError
