"""Crossbar definitions with wires, in both engines, against the nodal equations."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import engines, netlist_reader
from memxc.errors import MemxcError
from memxc.physics.network import nodal
from memxc.verify.library import Library, wired

ROWS, COLUMNS = 9, 6


def _sparse(seed=3):
    """Return a crossbar with few devices, and a word line and a bit line without any."""
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-5, 1e-3, (ROWS, COLUMNS)) * (rng.random((ROWS, COLUMNS)) < 0.3)
    g[4], g[:, 2] = 0.0, 0.0
    return g


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize("drive", ["left", "both"])
@pytest.mark.parametrize(
    "ohms", [(1.5, 4.0, 2.0, 3.0), (0.0, 4.0, 2.0, 0.0), (2.0, 0.0, 2.0, 1.0), (0.0, 0.0, 2.0, 0.0),
             (2.0, 4.0, 0.0, 0.0)],
)  # fmt: skip
def test_currents_of_the_definition(engine, drive, ohms, ngspice):
    g, wires = _sparse(), nodal.WireResistance(*ohms)
    volts = np.random.default_rng(5).uniform(-0.2, 0.2, ROWS)
    ends = np.arange(COLUMNS)
    grid = nodal.Grid(g, ends, volts[None], drive)
    wanted = nodal.admittance(grid, wires)[ROWS:, :ROWS] @ -volts
    cards = ["* t", "vk k 0 0", wired("xb0", g, wires, drive)]
    cards += [f"v{i} i{i} 0 {v:.12e}" for i, v in enumerate(volts)]
    cards += [f"va{j} o{j} 0 0" for j in ends]
    cards.append(" ".join(["x0", *(f"i{i}" for i in range(ROWS)), *(f"o{j}" for j in ends), "xb0"]))
    found = engines.get(engine).sweep("\n".join([*cards, ""]), [f"i(va{j})" for j in ends], 1)[0]
    assert found == pytest.approx(wanted, rel=1e-8, abs=1e-15)
    assert found[2] == 0


def test_segments_without_a_device_between_them_are_one_resistor():
    g = np.zeros((5, 4))
    g[1, 2] = g[3, 2] = 1e-4
    cards = wired("xb0", g, nodal.WireResistance(0.5, 10.0, 100.0, 7.0)).splitlines()
    assert sorted(cards) == sorted(
        [
            ".subckt xb0 w0 w1 w2 w3 w4 c0 c1 c2 c3",
            "Rw1_2 w1 w1_2 3.050000000e+01",  # the source and three segments
            "Rw3_2 w3 w3_2 3.050000000e+01",
            "Rb3_2 c2 b3_2 2.070000000e+02",  # the neuron and two segments
            "Rb1_2 b3_2 b1_2 2.000000000e+02",
            "R1_2 w1_2 b1_2 1.000000000e+04",
            "R3_2 w3_2 b3_2 1.000000000e+04",
            ".ends xb0",
        ]
    )


@pytest.mark.parametrize(
    ("device", "fault"),
    [
        ("R1_2 w1 c2 4e3", None),
        ("R1_2 w1 c2 0", "r1_2 w1 c2 0 is not one of 2 x 3"),
        ("R2_0 w1 c0 4e3", "r2_0 w1 c0 4e3 is not one of 2 x 3"),
        ("R1_3 w1 c2 4e3", "r1_3 w1 c2 4e3 is not one of 2 x 3"),
    ],
)
def test_the_conductances_of_a_definition(tmp_path, device, fault):
    cells = [".subckt xb0 w0 w1 c0 c1 c2", "R0_1 w0 c1 1e3", device, ".ends xb0", ""]
    (tmp_path / "net.cir").write_text("\n".join(["* title", *cells]))
    library = Library.of(netlist_reader.read(tmp_path / "net.cir"))
    if fault is None:
        assert library.conductance("xb0", (2, 3)).tolist() == [[0, 1e-3, 0], [0, 0, 2.5e-4]]
    else:
        with pytest.raises(MemxcError, match=fault):
            library.conductance("xb0", (2, 3))
