"""memxc layout: the drawing has the devices of the netlist, where their lines cross."""

from __future__ import annotations

import json

import numpy as np
import pytest

from memxc import netlist_reader

gdstk = pytest.importorskip("gdstk", reason="gdstk is not installed (memxc[layout])")


def read(path):
    library = (gdstk.read_oas if path.suffix == ".oas" else gdstk.read_gds)(path)
    return {cell.name: cell for cell in library.cells}


@pytest.mark.parametrize("suffix", [".oas", ".gds"])
@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
def test_every_device_is_where_its_lines_cross(memxc, compiled, tmp_path, suffix, schedule):
    out, chip = compiled("--schedule", schedule, "--tile", "16x12"), tmp_path / f"chip{suffix}"
    done = memxc("layout", out, "-o", chip)
    assert (done.code, done.err) == (0, "")
    total = json.loads((out / "report.json").read_text())["resources"]["total"]
    assert f"{total['crossbars']} unit crossbars and {total['memristors']:,} memristors" in done.out
    cells = read(chip)
    pitch = 0.317  # the root of 1e-13 m2, on a grid of 1 nm
    netlist = netlist_reader.read_folder(out / "netlist")
    drawn = 0
    for name, definition in netlist.definitions.items():
        if name not in cells or not name.startswith("xb"):
            continue
        drawn += 1
        ports = np.array(definition.ports)
        words = int(np.char.startswith(ports, "w").sum())
        ends = np.sort([definition.devices.first, definition.devices.second], axis=0)
        wanted = {(int(row), int(column) - words) for row, column in ends.T}
        boxes = cells[name].get_polygons(layer=3, datatype=0)
        middles = [np.mean(box.bounding_box(), axis=0) / pitch - 0.5 for box in boxes]
        assert {(round(y), round(x)) for x, y in middles} == wanted
        (outline,) = cells[name].get_polygons(layer=10, datatype=0)
        np.testing.assert_allclose(outline.bounding_box()[1], (12 * pitch, 16 * pitch), rtol=1e-6)
    assert drawn > 1


def test_areas_of_boxes_and_the_same_bytes_twice(memxc, compiled, tmp_path):
    out = compiled("--schedule", "sequential")
    for name in ("a.gds", "b.gds"):
        assert memxc("layout", out, "-o", tmp_path / name).code == 0
    assert (tmp_path / "a.gds").read_bytes() == (tmp_path / "b.gds").read_bytes()
    covered = json.loads((out / "report.json").read_text())["area"]
    top = read(tmp_path / "a.gds")["chip"]
    for layer, key in ((20, "amplifier_m2"), (21, "hold_m2")):
        area = sum(p.area() for p in top.get_polygons(layer=layer, datatype=0)) * 1e-12
        assert area == pytest.approx(covered[key], rel=0.02)  # heights are on a grid


def test_another_suffix_is_refused(memxc, compiled, tmp_path):
    done = memxc("layout", compiled(), "-o", tmp_path / "chip.png")
    assert done.code == 2
    assert "a layout ends in .oas or .gds" in done.err
