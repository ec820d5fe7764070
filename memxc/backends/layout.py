"""The floor plan of a chip as OASIS or GDS: unit crossbars with their devices, and boxes by area.

A stage is a strip as wide as the chip: its unit crossbars in rows, and above them boxes of the area
of its op-amps and of what holds its nets. There is no room for wires between them, because a target
has no figure for that; the cell of a device is drawn square. A unit crossbar has a cell of its own,
which is placed by reference as often as the netlist places it, and its devices are one reference
that is repeated.

    layer   what it is
      1     word lines
      2     bit lines
      3     devices, on crossbars and beside them
     10     outline of a unit crossbar
     20     op-amps of a stage, a box
     21     sample-and-holds and multiplexers of a stage, a box
     30     outline of a stage, with its name
"""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memxc.backends.cost.resources import ResourceRow, Tile
from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.target import Target

WORD_LINE, BIT_LINE, DEVICE, CROSSBAR, AMPLIFIERS, HOLDS, STAGE = 1, 2, 3, 10, 20, 21, 30
#: The drawing is in micrometres, with a grid of a nanometre.
_UNIT_M, _GRID_M = 1e-6, 1e-9
#: Share of the pitch that a line or a device takes.
_FILLED = 0.5
_SUFFIXES = (".oas", ".gds")
#: GDS has times; the same layout has to be the same bytes.
_NO_TIME = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Floor:
    """A layout: its file, and what was counted in the file when it was read back.

    width_m, height_m: of the whole chip, as it is drawn.
    """

    data: bytes
    crossbars: int
    memristors: int
    width_m: float
    height_m: float


def check(path: Path) -> None:
    """Raise MemxcError: missing-engine without gdstk, usage for a file of another format."""
    if importlib.util.find_spec("gdstk") is None:
        hint = "pip install 'memxc[layout]'"
        raise fail("missing-engine", "layout", "gdstk is not installed", hint)
    if path.suffix not in _SUFFIXES:
        what = f"a layout ends in {' or '.join(_SUFFIXES)}"
        raise fail("usage", str(path), what)


def layout(
    design: Design, bills: Sequence[ResourceRow], target: Target, tile: Tile, suffix: str
) -> Floor:
    """Return the floor plan of a programmed design.

    bills: the bill of each stage that is hardware. suffix: `.oas` or `.gds`. Equal designs give
    equal bytes.
    """
    gdstk = importlib.import_module("gdstk")
    drawing = _Drawing(gdstk, target, _width(bills, target))
    arrays = {stage.name: stage for stage in design.arrays}
    for bill in bills:
        drawing.stage(bill, arrays.get(bill.stage), tile)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"chip{suffix}"
        if suffix == ".oas":
            drawing.library.write_oas(place, compression_level=6)
        else:
            drawing.library.write_gds(place, timestamp=_NO_TIME)
        data = place.read_bytes()
        counts = _counted(gdstk, place, suffix)
    return Floor(data, *counts)


def _counted(gdstk: Any, place: Path, suffix: str) -> tuple[int, int, float, float]:
    """Count unit crossbars and devices of a file, and measure it."""
    read = gdstk.read_oas if suffix == ".oas" else gdstk.read_gds
    (top,) = read(place).top_level()
    crossbars = memristors = 0
    for strip in top.references:
        for reference in strip.cell.references:
            count = max(1, reference.repetition.size)
            if reference.cell.name == "memristor":
                memristors += count
                continue
            devices = sum(max(1, part.repetition.size) for part in reference.cell.references)
            crossbars += count * any(p.layer == CROSSBAR for p in reference.cell.polygons)
            memristors += count * devices
    (left, low), (right, high) = top.bounding_box()
    return crossbars, memristors, (right - left) * _UNIT_M, (high - low) * _UNIT_M


def _areas(bill: ResourceRow, target: Target) -> dict[int, float]:
    """Return the square metres of each box of a stage, by its layer."""
    hold, counts, held = target.hold, bill.resources, 0.0
    if hold is not None:
        held = counts.holds * hold.area_m2 + counts.switches * hold.switch_area_m2
    return {AMPLIFIERS: counts.opamps * target.amplifier.area_m2, HOLDS: held}


def _width(bills: Sequence[ResourceRow], target: Target) -> float:
    """Return the width of the chip, in micrometres, that makes it about square."""
    places = sum(max(b.resources.places_available, b.resources.memristors) for b in bills)
    boxes = sum(sum(_areas(bill, target).values()) for bill in bills)
    return math.sqrt(places * target.crossbar.cell_area_m2 + boxes) / _UNIT_M


class _Drawing:
    """The library while the stages are drawn, one strip above the other."""

    def __init__(self, gdstk: Any, target: Target, width: float) -> None:
        self._gdstk, self._target = gdstk, target
        self.library = gdstk.Library("chip", unit=_UNIT_M, precision=_GRID_M)
        self._pitch = _snapped(math.sqrt(target.crossbar.cell_area_m2) / _UNIT_M)
        self._top = self.library.new_cell("chip")
        self._device = self.library.new_cell("memristor")
        edge = self._pitch * (1 - _FILLED) / 2
        box = gdstk.rectangle((edge, edge), (self._pitch - edge,) * 2, layer=DEVICE)
        self._device.add(box)
        self._cells: dict[int, Any] = {}
        self._width, self._height = _snapped(width), 0.0

    def stage(self, bill: ResourceRow, array: Array | None, tile: Tile) -> None:
        """Draw the strip of a stage."""
        number, height, width = len(self._top.references), 0.0, self._width
        strip, devices = self.library.new_cell(f"stage{number}"), bill.resources.memristors
        if array is not None and array.tiled:
            width, height = self._crossbars(strip, array, *tile(array.name))
        elif devices:
            width, height = self._loose(strip, devices)
        for layer, area_m2 in _areas(bill, self._target).items():
            if area_m2:
                high = _snapped(area_m2 / _UNIT_M**2 / width)
                strip.add(self._gdstk.rectangle((0, height), (width, height + high), layer=layer))
                height += high
        if not height:
            self.library.remove(strip)
            return
        strip.add(self._gdstk.rectangle((0, 0), (width, height), layer=STAGE))
        # Names of a model may hold anything; a stage's number and kind are ours.
        label = f"stage {number}: {bill.kind}"
        strip.add(self._gdstk.Label(label, (0, 0), anchor="sw", layer=STAGE))
        self._top.add(self._gdstk.Reference(strip, (0, self._height)))
        self._height += height

    def _crossbars(self, strip: Any, array: Array, rows: int, columns: int) -> tuple[float, float]:
        """Place the unit crossbars of a stage in rows. Returns width and height."""
        wide, high = columns * self._pitch, rows * self._pitch
        placed = [
            (number, crossbar, g)
            for crossbar in array.crossbars
            for g, number in enumerate(crossbar.definition.tolist())
            for _ in range(array.placed(crossbar.places))
        ]
        across = max(1, int(self._width // wide))
        for at, (number, crossbar, g) in enumerate(placed):
            cell = self._cells.get(number) or self._unit(number, crossbar, g, rows, columns)
            where = (at % across * wide, at // across * high)
            strip.add(self._gdstk.Reference(cell, where))
        return max(self._width, across * wide), math.ceil(len(placed) / across) * high

    def _unit(self, number: int, crossbar: Crossbar, g: int, rows: int, columns: int) -> Any:
        """Return the cell of a unit crossbar: its lines, and a device for each conductance."""
        gdstk, pitch = self._gdstk, self._pitch
        cell = self._cells[number] = self.library.new_cell(f"xb{number}")
        wide, high, edge = columns * pitch, rows * pitch, pitch * (1 - _FILLED) / 2
        cell.add(gdstk.rectangle((0, 0), (wide, high), layer=CROSSBAR))
        word = gdstk.rectangle((0, edge), (wide, pitch - edge), layer=WORD_LINE)
        word.repetition = gdstk.Repetition(columns=1, rows=crossbar.word_lines, spacing=(0, pitch))
        bit = gdstk.rectangle((edge, 0), (pitch - edge, high), layer=BIT_LINE)
        bit.repetition = gdstk.Repetition(columns=crossbar.bit_lines, rows=1, spacing=(pitch, 0))
        cell.add(word, bit)
        there = (crossbar.cell >= 0) & (crossbar.g[g][np.maximum(crossbar.cell, 0)] > 0)
        lines, columns_of = np.nonzero(there)
        if len(lines):
            origin = (float(columns_of[0] * pitch), float(lines[0] * pitch))
            device = gdstk.Reference(self._device, origin)
            offsets = np.stack([columns_of - columns_of[0], lines - lines[0]], axis=1)[1:] * pitch
            if len(offsets):
                device.repetition = gdstk.Repetition(offsets=[tuple(o) for o in offsets.tolist()])
            cell.add(device)
        return cell

    def _loose(self, strip: Any, count: int) -> tuple[float, float]:
        """Place devices that are on no unit crossbar, in full rows and a rest."""
        across = min(count, max(1, int(self._width // self._pitch)))
        for first, columns, rows in (
            (0, across, count // across),
            (count // across, count % across, 1),
        ):
            if columns and rows:
                device = self._gdstk.Reference(self._device, (0, first * self._pitch))
                device.repetition = self._gdstk.Repetition(
                    columns=columns, rows=rows, spacing=(self._pitch, self._pitch)
                )
                strip.add(device)
        return max(self._width, across * self._pitch), math.ceil(count / across) * self._pitch


def _snapped(micrometres: float) -> float:
    """Return a length on the grid, rounded up."""
    return math.ceil(micrometres * _UNIT_M / _GRID_M - 1e-6) * _GRID_M / _UNIT_M
