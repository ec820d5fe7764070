"""Passes: one change each, one file each, found by discovery. Options are the fields of a pass.

A pass is a frozen dataclass with a `name`; an exact one keeps the meaning to 1e-9, a lossy one
has what it lost measured and recorded.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from memxc.errors import Fault, MemxcError, like, once
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Signed
from memxc.samples import Samples
from memxc.target import Target

#: What stands for a weight of exactly zero: no device at all, or a pair at g_min.
Zeros = Literal["absent", "parked"]


@dataclass(frozen=True)
class Context:
    """What a pass may look at besides the IR.

    samples: input tensors by name (samples, *shape without batch).
    assumed_inputs: the samples are made up from a range, so calibrate keeps a margin.
    stage_set: options of single stages, {stage: {key: value}}.
    judged: what losses are measured on, more of the samples and their labels; None where nothing
    is compared. fitted: other samples, which weights are fitted to; None where none are.
    warnings: what passes have to tell the user. figures: what the pass that runs counted, for its
    record beside the numbers after it.
    squares: by calibrate, of each bus that weights read: the mean over the samples of the squared
    volts, (width,).
    """

    target: Target
    samples: Mapping[str, NDArray[Any]]
    assumed_inputs: bool = False
    stage_set: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    signed: Signed = "differential"
    zeros: Zeros = "parked"
    judged: Samples | None = None
    fitted: Samples | None = None
    warnings: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    squares: dict[str, NDArray[Any]] = field(default_factory=dict)

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

    def run(self, graph: Graph, ctx: Context) -> Graph:
        """The changed graph."""
        raise NotImplementedError


class DesignPass(Pass):
    """Design -> Design."""

    def run(self, design: Design, ctx: Context) -> Design:
        """The changed design."""
        raise NotImplementedError


@cache
def available() -> dict[str, type[Pass]]:
    """Every pass by name, from the files of this folder."""
    found: dict[str, type[Pass]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Pass) and "name" in vars(value):
                other = found.setdefault(value.name, value)
                assert other is value, f"pass {value.name!r} stands in two files"
    return dict(sorted(found.items()))


def parse(text: str) -> list[Pass]:
    """A pipeline as text, "partition{policy=paper},tile": passes and their options.

    Raises MemxcError (usage) with everything that cannot be read.
    """
    found, faults = [], []
    for item in re.findall(r"[^,{]+(?:\{[^}]*\})?", text):
        name, _, body = item.strip().partition("{")
        cls = available().get(name)
        if cls is None:
            hint = like(name, available()) or "memxc passes lists them"
            faults.append(Fault("usage", f"--passes {item}", f"no pass {name!r}", hint))
            continue
        try:
            found.append(cls(**_options(cls, body.rstrip("}"))))
        except ValueError as error:
            faults.append(Fault("usage", f"--passes {item}", str(error)))
    if faults:
        raise MemxcError(faults)
    return found


def _options(cls: type[Pass], body: str) -> dict[str, object]:
    default = cls().options()
    options: dict[str, object] = {}
    for part in filter(None, (p.strip() for p in body.split(","))):
        key, _, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if key not in default:
            raise ValueError(f"no option {key!r}; it has {', '.join(default) or 'none'}")
        once(key, options)
        kind: Any = type(default[key])
        options[key] = kind(value.strip())
    return options
