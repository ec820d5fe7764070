"""The page of a folder, with pictures of its design and the results of verify, lvs and simulate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from memxc.backends.pictures import floor, tile, values
from memxc.backends.pictures import page as pictures
from memxc.build_folder import kept, read
from memxc.build_folder.page.html import Pictures, html
from memxc.build_folder.page.layers import layers
from memxc.build_folder.page.results import Results
from memxc.build_folder.report import read as reports
from memxc.build_folder.report.document import Report
from memxc.build_folder.report.text import own_sizes
from memxc.errors import printable
from memxc.physics.network.nodal import WireResistance
from memxc.simulate import SweepRow, SweepScores, plot
from memxc.simulate.document import Simulation

#: Floor plans of so many layers, those with most memristors.
_FLOORS = 6
_NO_LIBRARY = "matplotlib draws this, and it is not installed: pip install 'memxc[plot]'"
_NO_DESIGN = "The folder has no circuit to draw: it was compiled with --report-only."
_NO_CROSSBAR = "The circuit has no crossbars to draw."


def page(folder: Path) -> str:
    """Return the page. The same folder gives the same text.

    Raises MemxcError (bad-design) if a file of the folder, or a result, cannot be read.
    """
    report, results, found = reports.read(folder), kept.kept(folder), read.manifest(folder)
    warnings = []
    if results.other:
        warnings.append(
            f"{results.other} of the results in {read.CHECKS}/ belong to another compilation, and "
            "are not shown"
        )
    changed = read.changed(folder)
    if changed:
        warnings.append(
            f"changed since it was compiled, perhaps after the checks: {', '.join(changed)}"
        )
    if not pictures.possible():
        return html(report, results, why=_NO_LIBRARY, warnings=tuple(warnings))
    sweeps = tuple(_sweeps(results))
    if read.report_only(found):
        return html(report, results, Pictures(sweeps=sweeps), tuple(warnings), _NO_DESIGN)
    drawn = replace(_of_design(folder, report), sweeps=sweeps)
    return html(report, results, drawn, tuple(warnings), _NO_CROSSBAR)


def _sweeps(results: Results) -> Iterator[str]:
    """Yield a picture of each simulation with several points, "" for the others."""
    for number, result in enumerate(results.simulated):
        run, drawn = result.simulated, ""
        if run is not None and len(run.rows) > 1:
            # No axis reaches from one end of the floats to the other; the table has such numbers.
            with suppress(ValueError):
                drawn = pictures.svg(f"s{number}", _drawing(run))
        yield drawn


def _drawing(run: Simulation) -> Callable[[], Any]:
    rows = tuple(
        SweepRow(
            tuple(pictures.label(f"{key}={value}", 80) for key, value in row.settings.items()),
            row.scores,
        )
        for row in run.rows
    )
    return lambda: plot.drawn(SweepScores(run.metric, run.count, run.original, rows), (12.0, 4.2))


def _of_design(folder: Path, report: Report) -> Pictures:
    """The pictures of a design."""
    loaded = read.load(folder)
    design, device = loaded.design, loaded.target.device
    volts = values.volts(design, loaded.samples, device.read_voltage_v)
    drawn = Pictures(volts=tuple(values.volts_svgs(volts)))
    arrays = {stage.name: stage for stage in design.arrays if stage.tiled}
    if not arrays:
        return drawn
    edges = values.conductance_edges(device)
    found = list(values.conductances(arrays.values(), edges))
    shown = [arrays[name] for name in _largest(report) if name in arrays][:_FLOORS]
    unit, wires = loaded.target.crossbar, WireResistance.of(loaded.target.wire)
    plans = floor.plans(shown, own_sizes(report), (unit.rows, unit.columns))
    maps = tile.measure(*tile.busiest(arrays.values()), wires, device.g_max)
    return replace(
        drawn,
        floor=floor.svg(plans),
        tile=tile.svg(maps),
        tile_words=_words(maps),
        conductances=values.conductances_svg(found, device, edges),
    )


def _largest(report: Report) -> list[str]:
    """The stage with most memristors of each layer, in the order of their memristors."""
    count = {row.stage: row.memristors for row in report.resources.stages}
    stages = [max(layer.stages, key=lambda name: count.get(name, 0)) for layer in layers(report)]
    return sorted(stages, key=lambda name: -count.get(name, 0))


def _words(maps: tile.TileMaps) -> str:
    """What the heat maps show."""
    text = (
        f"The crossbar with the largest sum of conductances, in {printable(maps.stage, 60)}: its "
        "wires carry the largest currents."
    )
    if maps.drop is None or maps.error is None:
        return f"{text} Its wires have no resistance, or it is too large to solve every crossing."
    return (
        f"{text} IR drop: the share of the drive that does not reach a device, with every word "
        "line driven by the same volts at once. Effective error: the difference between the "
        "conductance that is read at the bit lines, through the wires, and the programmed one. "
        "Bit lines end at ideal summing nodes."
    )
