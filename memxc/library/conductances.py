"""Conductances that a laboratory has read back from a chip, in place of the programmed ones.

The file is an .npz. An array has the siemens of one crossbar, (word lines, bit lines). Its name is
that of a placed crossbar (`xs0_k0_g0_p3`, the column `tile` of mapping.csv), or that of a
definition (`xb0`, the column `subckt`), which then stands for all its crossbars without an array of
their own. Values at crossings without a device are ignored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memxc.backends.netlist import names
from memxc.build_folder.read import Loaded, sha256
from memxc.errors import Fault, MemxcError, fail, printable, why
from memxc.ir import store
from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.physics.device import draw, variation
from memxc.simulate import Point
from memxc.target import State, Target

Floats = NDArray[np.float64]
#: An .npz file, or arrays by the names in such a file.
Conductances: TypeAlias = str | Path | Mapping[str, ArrayLike]


def template(design: Design) -> dict[str, Floats]:
    """The programmed conductances by definition, (word lines, bit lines) siemens; nan: no device.

    Written to an .npz, this is a file for `with_measured`.
    """
    found: dict[str, Floats] = {}
    for stage in design.stages:
        if isinstance(stage, Array) and stage.programmable:
            for crossbar in stage.crossbars:
                for group, number in enumerate(crossbar.definition.tolist()):
                    g = crossbar.conductance(slice(group, group + 1))[0]
                    found.setdefault(names.definition(number), np.where(g > 0, g, np.nan))
    return found


def with_measured(loaded: Loaded, given: Conductances | None) -> Loaded:
    """The folder with measured conductances in place of the programmed ones, if any are given.

    A measurement contains all that programming, defects, age and temperature did, so the target
    has none of these effects any more. Raises MemxcError (bad-samples) with a fault for each
    crossbar that is missing, unknown, of another shape, or has values that no device can have.
    """
    if given is None:
        return loaded
    if isinstance(given, str | Path):
        where, digest = str(given), ""
        try:
            arrays: Mapping[str, ArrayLike] = store.read_npz(Path(given))
            digest = sha256(Path(given))
        except (OSError, ValueError) as error:
            hint = "memxc program DIR --template FILE.npz writes such a file"
            what = f"cannot be read as .npz: {why(error)}"
            raise fail("bad-samples", where, what, hint) from error
    else:
        where, arrays = "conductances", dict(given)
        digest = _digest(arrays)
    design = _Measured(where, loaded.design, arrays).design()
    return replace(loaded, design=design, target=_without_effects(loaded.target), measured=digest)


def check_points(points: list[Point]) -> None:
    """Raise MemxcError (usage) if settings add effects that a measurement contains already."""
    if any(draw.active(point.target.device, point.target.wire) for point in points):
        what = "changes conductances, and these were measured"
        hint = (
            "leave out keys of the spread, programming, drift, defects and temperature of devices"
        )
        raise fail("usage", "--set, --sweep", what, hint)


def _digest(arrays: Mapping[str, ArrayLike]) -> str:
    """The SHA-256 of arrays: names, types, shapes and contents."""
    found = hashlib.sha256()
    for name, values in sorted((str(name), np.asarray(values)) for name, values in arrays.items()):
        found.update(repr((name, values.dtype.str, values.shape)).encode())
        found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def _without_effects(target: Target) -> Target:
    """The target without the effects that change a conductance after programming."""
    device = target.device.model_copy(
        update={
            "states": tuple(State(mean_s=s.mean_s, sigma_s=0.0) for s in target.device.states),
            "temperature_k": target.device.reference_temperature_k,
            **dict.fromkeys(
                ("programming_sigma", "r_on_sigma", "r_off_sigma", "stuck_at_lrs", "stuck_at_hrs",
                 "drift_time_s", "drift_nu", "drift_nu_sigma"), 0.0,
            ),
        }
    )  # fmt: skip
    wire = target.wire.model_copy(update={"open_word_line": 0.0, "open_bit_line": 0.0})
    return target.model_copy(update={"device": device, "wire": wire})


@dataclass
class _Measured:
    """A design, and the arrays that replace its conductances. `where` names the file."""

    where: str
    programmed: Design
    arrays: Mapping[str, ArrayLike]

    def __post_init__(self) -> None:
        self.faults: dict[Fault, None] = {}
        self.known = set[str]()
        self.numbers = variation.Numbers()

    def design(self) -> Design:
        """The design with measured conductances. Raises MemxcError (bad-samples)."""
        stages = [self._stage(*numbered) for numbered in enumerate(self.programmed.stages)]
        for name in sorted(set(map(str, self.arrays)) - self.known):
            what = "no crossbar of memristors of this design has this name"
            self._fault(printable(name, 40), what, "the names are in DIR/mapping.csv")
        if self.faults:
            raise MemxcError(self.faults)
        return self.programmed.with_stages(stages)

    def _stage(self, index: int, stage: Any) -> Any:
        if not isinstance(stage, Array):
            return stage
        if not stage.programmable:
            return replace(stage, crossbars=tuple(map(self.numbers.kept, stage.crossbars)))
        stacks = list(enumerate(stage.crossbars))
        tiles = [list(self._tiles(index, k, crossbar, stage)) for k, crossbar in stacks]
        self.known.update(name for stack in tiles for tile in stack for name in tile[:2])
        # Row parts share lanes, so either all crossbars of a stage have their own devices, or none.
        if any(tile in self.arrays for stack in tiles for tile, _, _ in stack):
            variation.check_memory([stage], "placement")
            places = [stage.placed(crossbar.places) for crossbar in stage.crossbars]
        else:
            places = [1] * len(stacks)
            tiles = [
                [(name, name, group) for _, name, group in stack[:: stage.placed(crossbar.places)]]
                for stack, (_, crossbar) in zip(tiles, stacks, strict=True)
            ]
        crossbars = map(self._crossbar, stage.crossbars, tiles, places)
        return replace(stage, crossbars=tuple(crossbars))

    def _tiles(
        self, index: int, k: int, crossbar: Crossbar, stage: Array
    ) -> Iterator[tuple[str, str, int]]:
        """Yield of each placed crossbar its name, that of its definition, and its group."""
        for group, number in enumerate(crossbar.definition.tolist()):
            for place in range(stage.placed(crossbar.places)):
                yield names.tile(index, k, group, place), names.definition(number), group

    def _crossbar(
        self, crossbar: Crossbar, tiles: list[tuple[str, str, int]], places: int
    ) -> Crossbar:
        rows, columns = np.nonzero(crossbar.cell >= 0)
        g = np.zeros((len(tiles), len(rows)))
        for number, (tile, definition, group) in enumerate(tiles):
            wanted = crossbar.g[group, crossbar.cell[rows, columns]]
            name = tile if tile in self.arrays else definition
            values = self._values(name, crossbar)
            if values is not None:
                g[number] = self._checked(name, values[rows, columns], wanted > 0)
        g.setflags(write=False)
        return variation.rewired(crossbar, g, places, self.numbers)

    def _values(self, name: str, crossbar: Crossbar) -> Floats | None:
        """The array of a crossbar; None, and a fault, if there is none of its shape."""
        if name not in self.arrays:
            what = "no siemens for this crossbar"
            hint = "memxc program DIR --template FILE.npz writes a file with all of them"
            self._fault(name, what, hint)
            return None
        values = np.asarray(self.arrays[name])
        shape = crossbar.cell.shape
        if values.shape != shape:
            axes = " x ".join(map(str, values.shape)) or "a single number"
            self._fault(name, f"is {axes}, not {shape[0]} word lines x {shape[1]} bit lines")
            return None
        if values.dtype.kind not in "fiu":
            self._fault(name, f"holds {values.dtype}, not numbers in siemens")
            return None
        return values.astype(np.float64)

    def _checked(self, name: str, values: Floats, device: NDArray[np.bool_]) -> Floats:
        """The values of devices, and 0 where the design has none."""
        wrong = device & ~(np.isfinite(values) & (values >= 0))
        if wrong.any():
            first = values[wrong][0]
            what = f"{wrong.sum()} of {device.sum()} devices have no possible conductance ({first})"
            self._fault(name, what, "give siemens from 0 on; 0 is a device that does not conduct")
        return np.where(device & ~wrong, values, 0.0)

    def _fault(self, name: str, what: str, hint: str = "") -> None:
        self.faults[Fault("bad-samples", f"{self.where}: {name}", what, hint)] = None
