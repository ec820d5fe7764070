"""mapping.csv and schedule.csv, compared with the cards of the netlist."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest

from memxc import target
from memxc.backends import netlist
from memxc.backends.cost import resources
from memxc.backends.netlist import schedule, tables
from memxc.backends.netlist.nets import Nets
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.lvs import compare_folder
from memxc.ops.lower import lower
from memxc.passes import parse

TURNED = ["parallel", "sequential"]


@pytest.fixture(params=TURNED)
def turned(design, request):
    return design.with_stages(
        replace(stage, schedule=request.param) if hasattr(stage, "schedule") else stage
        for stage in design.stages
    )


def unrolled(design):
    """The rows of schedule.csv with a row for each period, as docs/netlist.md says."""
    found = []
    for row in rows(schedule.lines(design)):
        bus, _, lane = row["net"].partition("_")
        for k in range(int(row["count"])):
            net = f"{bus}_{int(lane) + k * int(row['step'])}" if lane else bus
            found.append({**row, "period": str(int(row["period"]) + k), "net": net})
    return found


def rows(lines):
    return list(csv.DictReader(lines))


def cards(folder):
    """X cards of the top file: name -> words."""
    text = next(folder.glob("*.cir")).read_text().replace("\n+", "")
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line[:1] == "x"}


def test_every_row_is_a_card_of_the_netlist(turned, tmp_path):
    netlist.write(turned, tmp_path / "netlist", "hand")
    placed = {n: w for n, w in cards(tmp_path / "netlist").items() if w[-1].startswith("xb")}
    found = rows(tables.mapping(turned, "cir"))
    assert [row["tile"] for row in found] == list(placed)
    for row in found:
        words = placed[row["tile"]]
        assert row["subckt"] == words[-1]
        assert len(words) - 1 == int(row["rows"]) + int(row["columns"])
        assert row["first_row_net"] == words[0]
        assert row["first_column_net"] == words[int(row["rows"])]
        text = (tmp_path / row["file"]).read_text()
        assert re.search(rf"^\.subckt {row['subckt']}\b", text, re.M)


@pytest.mark.parametrize("mode", TURNED)
def test_a_first_word_line_may_be_an_inverse(mode, tmp_path):
    """Word lines from the last to the first: the last is the inverse of an input or of the bias."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(2, 2, 1, 1)), "b": rng.normal(size=2)}
    shapes = {"x": (1, 2, 1, 3), "y": (1, 2, 1, 3), "w": (2, 2, 1, 1), "b": (2,)}
    nodes = (Node("conv", "Conv", ("x", "w", "b"), ("y",)),)
    made = lower(Graph("net", ("x",), ("y",), nodes, shapes, weights, 17))
    # Two inputs and their inverses fill the word lines, so the bias has a crossbar of its own.
    x = {"x": rng.uniform(-1, 1, (2, 2, 1, 3))}
    ctx = Context(target.load("paper-128").with_tile(4, 4), x, signed="inverted-inputs")
    for change in parse(f"calibrate,schedule{{mode={mode}}},partition{{policy=none}},tile,program"):
        made = change.run(made, ctx).ir
    (stage,) = made.arrays
    turned = tuple(
        replace(c, cell=c.cell[::-1], line=c.line[::-1], sign=c.sign[::-1]) for c in stage.crossbars
    )
    made = made.with_stages([replace(stage, crossbars=turned)])
    netlist.write(made, tmp_path / "netlist", "net")
    placed = [w for w in cards(tmp_path / "netlist").values() if w[-1].startswith("xb")]
    found = [row["first_row_net"] for row in rows(tables.mapping(made, "cir"))]
    assert found == [words[0] for words in placed]
    assert {net[0] for net in found} == {"i", "v"}
    assert "vbiasn0" in found


def test_as_many_rows_as_the_report_counts(turned):
    found = rows(tables.mapping(turned, "cir"))
    total = resources.total(resources.measure(turned, 1e-6, lambda stage: (32, 16)))
    assert len(found) == total.crossbars
    assert sum(int(row["rows"]) for row in found) == total.word_lines
    assert sum(int(row["columns"]) for row in found) == total.bit_lines


def test_a_rename_has_the_nets_of_its_sources(design):
    nets = Nets(design)
    order = design.stages[0].index
    assert nets.names(nets.of["t"][:3]) == ["0", f"n0_{order[1]}", f"n0_{order[2]}"]
    assert nets.name(int(nets.of["c"][4])) == "n4_4"


def test_a_schedule_carried_out_by_hand_computes_the_stage(design):
    """Put the nets on the ports, period by period, and collect the outputs: a whole convolution."""
    rng = np.random.default_rng(5)
    turned = design.with_stages(
        replace(s, schedule="sequential") if s.name == "depthwise" else s for s in design.stages
    )
    buses = evaluate.run(design, {"x": rng.uniform(-1, 1, (1, 2, 3, 4))})
    volts = {"0": 0.0}
    for b, name in enumerate(design.buses):
        volts |= {f"n{b}_{lane}": v for lane, v in enumerate(buses[name][0])}
    stage, seen = turned.arrays[0], {}
    crossbar = stage.crossbars[0]
    found = unrolled(turned)
    assert {row["stage"] for row in found} == {"s01_depthwise"}
    assert {int(row["period"]) for row in found} == set(range(6))
    for period in range(6):
        now = {row["port"]: row["net"] for row in found if row["period"] == str(period)}
        for g in range(2):
            inputs = [volts[now[f"q1_0_{g}_{w}"]] for w in range(4)] + [stage.v_bias]
            weights = crossbar.conductance()[g]
            current = inputs @ (weights[:, 0] - weights[:, 1])
            port = f"n2_{6 * g}"
            lane = int(now[port].removeprefix("n2_"))
            seen[now[port]] = max(-0.25, min(0.25, current * stage.r_f[lane]))
    assert len(seen) == 12
    for net, v in seen.items():
        assert v == pytest.approx(volts[net], rel=1e-9)


def test_a_parallel_design_has_no_schedule(design):
    assert unrolled(design) == []


def test_a_phase_may_finish_before_a_later_one(tmp_path):
    """Stride 2 on 2 x 1 pixels: phases of 3 x 2, 3 x 1, 2 x 2 and 2 x 1 of the 5 x 3 outputs."""
    rng = np.random.default_rng(0)
    graph = Graph(
        "net", ("x",), ("y",),
        (Node("up", "ConvTranspose", ("x", "w"), ("y",), {"strides": (2, 2)}),),
        {"x": (1, 1, 2, 1), "y": (1, 2, 5, 3), "w": (1, 2, 3, 3)},
        {"w": rng.normal(size=(1, 2, 3, 3))}, 17,
    )  # fmt: skip
    made = lower(graph)
    ctx = Context(target.load("paper-128"), {"x": rng.uniform(0, 1, (2, 1, 2, 1))})
    for change in parse("calibrate,schedule{mode=sequential},partition,tile,program,share"):
        made = change.run(made, ctx).ir
    assert [crossbar.places for crossbar in made.arrays[0].crossbars] == [6, 3, 4, 2]
    netlist.write(made, tmp_path / "netlist", "net")
    for name, lines in (
        ("mapping", tables.mapping(made, "cir")),
        ("schedule", schedule.lines(made)),
    ):
        (tmp_path / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines))
    assert compare_folder(made, tmp_path).differences == ()
    live = {
        (row["period"], row["port"].split("_")[1])
        for row in unrolled(made)
        if row["port"][0] == "q" and row["net"] != "0"
    }
    assert {period for period, crossbar in live if crossbar == "2"} == set("0123")
    assert {period for period, crossbar in live if crossbar == "1"} <= set("012")


def test_no_port_of_a_phase_that_has_finished_floats(tmp_path):
    """Stride 2 along 3 columns: the even outputs are 4 places, the odd ones 3."""
    rng = np.random.default_rng(0)
    graph = Graph(
        "net", ("x",), ("y",),
        (Node("up", "ConvTranspose", ("x", "w"), ("y",), {"strides": (1, 2)}),),
        {"x": (1, 1, 1, 3), "y": (1, 2, 1, 7), "w": (1, 2, 1, 3)},
        {"w": rng.normal(size=(1, 2, 1, 3))}, 17,
    )  # fmt: skip
    made = lower(graph)
    ctx = Context(target.load("paper-128"), {"x": rng.uniform(0, 1, (2, 1, 1, 3))})
    for change in parse("calibrate,schedule{mode=sequential},partition,tile,program,share"):
        made = change.run(made, ctx).ir
    assert [crossbar.places for crossbar in made.arrays[0].crossbars] == [4, 3]
    top = netlist.write(made, tmp_path / "netlist", "net")[0].read_text()
    ports = set(re.findall(r"\bq\d+_\d+_\d+_\d+\b", top))
    found = unrolled(made)
    for period in "0123":
        carried = [row["port"] for row in found if row["period"] == period]
        assert sorted(p for p in carried if p[0] == "q") == sorted(ports)
    last = {row["port"]: row["net"] for row in found if row["period"] == "3"}
    assert last == {
        "q0_0_0_0": "0", "q0_0_0_1": "n0_2", "q0_1_0_0": "0", "n1_0": "n1_6", "n1_7": "n1_13",
    }  # fmt: skip
    for name, lines in (
        ("mapping", tables.mapping(made, "cir")),
        ("schedule", schedule.lines(made)),
    ):
        (tmp_path / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines))
    assert compare_folder(made, tmp_path).differences == ()
    text = (tmp_path / "schedule.csv").read_text()
    (tmp_path / "schedule.csv").write_text(text.replace("s00_up,3,q0_1_0_0,0,1,0\n", ""))
    (difference,) = compare_folder(made, tmp_path).differences
    assert (difference.where, difference.found) == ("s00_up period 3 q0_1_0_0", "missing")
