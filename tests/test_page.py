"""The page for people: layers, the drawing's lines, the ladder, and pictures of crossbars."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import target
from memxc.backends.pictures import floor, page, tile, values
from memxc.build_folder.page.html import html
from memxc.build_folder.page.layers import LayerCost, layers
from memxc.build_folder.page.outline import outline
from memxc.build_folder.report.build import build
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.ir.kernel import BIAS
from memxc.ir.windows import ints
from memxc.physics.network.nodal import WireResistance
from memxc.target import Device


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A report of two branches: conv, relu, pool; then a conv beside a gate, added, and a dense."""
    rng, node = np.random.default_rng(4), helper.make_node
    shapes = {"w": (4, 2, 3, 3), "v": (4, 4, 1, 1), "u": (36, 3)}
    inits = [numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n)
             for n, s in shapes.items()]  # fmt: skip
    nodes = [
        node("Conv", ["x", "w"], ["a"], name="stem"),
        node("Relu", ["a"], ["b"], name="relu"),
        node("MaxPool", ["b"], ["c"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["c", "v"], ["d"], name="side"),
        node("Sigmoid", ["c"], ["c2"], name="gate"),
        node("Add", ["c2", "d"], ["e"], name="add"),
        node("Flatten", ["e"], ["f"], name="flat"),
        node("Gemm", ["f", "u"], ["y"], name="dense"),
    ]
    info = helper.make_tensor_value_info
    ends = ([info("x", TensorProto.FLOAT, (1, 2, 8, 8))], [info("y", TensorProto.FLOAT, (1, 3))])
    path = tmp_path_factory.mktemp("page") / "two.onnx"
    graph = helper.make_graph(nodes, "two", *ends, inits)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    np.savez(path.with_suffix(".samples.npz"), x=rng.uniform(-1, 1, (5, 2, 8, 8)))
    done = compile_model(Options(path, target.load("hfox-128"), passes=PASSES), check=False)
    return SimpleNamespace(compiled=done, report=build(done, "0" * 64))


#: The default ones without `amplify`, which would add stages to some layers.
PASSES = "calibrate,partition,tile,program"


def test_what_follows_a_stage_alone_is_one_layer_with_it(made):
    found = layers(made.report)
    assert [layer.name for layer in found] == ["stem", "side", "gate", "add", "dense"]
    assert [layer.stages for layer in found[:2]] == [["stem", "relu", "pool"], ["side"]]
    assert [sorted(layer.sources) for layer in found] == [[0], [1], [1], [2, 3], [4]]


def test_layers_cost_together_what_the_network_costs(made):
    found, report = layers(made.report), made.report
    assert sum(layer.memristors for layer in found) == report.resources.total.memristors
    assert sum(layer.opamps for layer in found) == report.resources.total.opamps
    whole = report.power.crossbar_w + report.power.amplifier_w
    assert sum(layer.power_w for layer in found) == pytest.approx(whole)
    assert sum(layer.area_m2 for layer in found) == pytest.approx(report.area.total_m2)
    # Every stage of this network is on the longest path.
    assert sum(layer.seconds for layer in found) == pytest.approx(report.latency.clocked_s, 1e-4)
    assert sum(layer.share["power_w"] for layer in found) == pytest.approx(1)


def test_an_older_report_is_a_chain(made):
    found = layers(made.report.model_copy(update={"network": None}))
    assert [sorted(layer.sources) for layer in found] == [[0], [1], [2]]
    assert found[0].stages == ["stem", "relu", "pool"]


def test_what_is_not_modelled_is_no_zero(made):
    rows = [row.model_copy(update={"made_of": "island"}) if row.stage == "gate" else row
            for row in made.report.network]  # fmt: skip
    text = html(made.report.model_copy(update={"network": tuple(rows)}))
    assert [layer.known for layer in layers(made.report)] == [True] * 5
    assert text.count("not modelled<") >= 2
    assert text.count("not modelled<") > html(made.report).count("not modelled<")


def test_a_line_of_the_drawing_stays_until_its_last_reader():
    """1 reads the input; 2 and 3 read 1; 4 reads 1, 2 and 3."""
    sources = [{0}, {1}, {1}, {1, 2, 3}]
    rows = outline([LayerCost(n, str(n), sources=s) for n, s in enumerate(sources, 1)])
    assert [row.column for row in rows] == [0, 0, 1, 2, 0]
    assert [row.passing for row in rows] == [(), (), (0,), (0, 1), ()]
    assert [row.reads for row in rows] == [(), (0,), (0,), (0,), (0, 1, 2)]
    assert [row.drives for row in rows] == [True, True, True, True, False]


def test_the_page_says_what_costs_most_and_what_was_not_checked(made):
    text = html(made.report)
    (lead,) = re.findall(r'<p class="lead">(.*?)</p>', text)
    assert lead.startswith("Most power: <b>stem</b>, ")
    assert "not run: memxc verify DIR" in text
    assert "not simulated yet" in text
    assert html(made.report) == text


def crossbar(cell, line, column, polarity, g):
    """What floor plans and heat maps look at."""
    return SimpleNamespace(
        cell=ints(cell), line=ints(line), column=ints(column), polarity=ints(polarity), g=g,
        word_lines=len(cell), bit_lines=len(cell[0]), devices=int((ints(cell) >= 0).sum()),
    )  # fmt: skip


def test_a_kernel_at_two_places_is_one_kernel_of_the_floor_plan():
    """Two kernels, of conductances 0 to 3 and 4 to 7, each at two places, the second one cut."""
    cell = [
        [0, 1, -1, -1, 4, 5, -1, -1],
        [2, 3, 0, 1, 6, 7, 4, 5],
        [8, 8, 8, 8, 8, 8, 8, 8],
    ]
    found = floor.kernels(
        crossbar(cell, [0, 1, BIAS], [0, 0, 1, 1, 2, 2, 3, 3], [1, -1] * 4, np.ones((1, 9)))
    )
    assert found.tolist() == [
        [0, 0, floor.EMPTY, floor.EMPTY, 1, 1, floor.EMPTY, floor.EMPTY],
        [0, 0, 0, 0, 1, 1, 1, 1],
        [floor.BIASED] * 8,
    ]


def test_the_heat_maps_of_one_device_are_a_series_resistance(made):
    stage = made.compiled.design.arrays[0]
    one = crossbar([[0]], [0], [0], [1], np.array([[1e-4]]))
    one.conductance = lambda groups: np.full((1, 1, 1), 1e-4)
    one.definition = ints([6])
    alone = SimpleNamespace(name="a", crossbars=[one], drive="left")
    found = tile.measure(alone, 0, 0, WireResistance(100.0, 20.0, 30.0, 50.0), 2e-4)
    # 10,000 ohm in series with 200 ohm.
    assert found.definition == 6
    assert found.drop == pytest.approx(np.array([[200 / 10200]]))
    assert found.error == pytest.approx(np.array([[(1 / 10200 - 1e-4) / 2e-4]]))
    assert tile.measure(alone, 0, 0, WireResistance(0.0, 0.0, 0.0, 0.0), 2e-4).drop is None
    assert tile.busiest([stage])[0] is stage


def test_every_device_of_every_definition_is_in_the_histogram(made):
    device = made.compiled.target.device
    edges = values.conductance_edges(device)
    found = list(values.conductances(made.compiled.design.arrays, edges))
    assert [row.stage for row in found] == ["stem", "side", "dense"]
    defined = made.report.resources.total.memristors_defined
    assert sum(row.counts.sum() for row in found) == defined


def test_volts_are_a_share_of_the_limit_or_of_the_usual_volts(made):
    """Twice the usual volts halve the shares of stages without limiters, and no others."""
    design, samples = made.compiled.design, made.compiled.samples
    once, twice = (values.volts(design, samples, usual_v) for usual_v in (0.2, 0.4))
    kinds = {row.note == "no limiter" for row in once}
    assert kinds == {True, False}
    for row, other in zip(once, twice, strict=True):
        most = [int(np.nonzero(one.counts)[0].max()) for one in (row, other)]
        assert row.counts.sum() == other.counts.sum()
        if row.note == "no limiter":
            assert most[1] == pytest.approx(most[0] / 2, abs=1)
        else:
            assert (row.counts == other.counts).all()
            assert re.fullmatch(r"[\d.]+ V, [\d.]+% at it", row.note)
    found = {row.stage: row for row in once}
    # Four samples of four channels of 3 x 3 places.
    assert found["pool"].counts.sum() == 4 * 4 * 9


def test_pictures_are_the_same_twice_and_harmless():
    pytest.importorskip("matplotlib")
    names = ["<script>$x^2$</script>", "$\\frac{1}{", "\u5377\u7a4d"]
    rows = [values.Histogram(name, np.arange(48.0), "no limiter") for name in names]
    (one,) = values.volts_svgs(rows)
    assert values.volts_svgs(rows) == [one]
    assert "<script" not in one
    assert one.startswith("<svg ")
    assert "http" not in one
    assert page.INK not in one
    ids = set(re.findall(r' id="([^"]*)"', one))
    assert ids
    assert all(name.startswith("v0-") for name in ids)
    assert set(re.findall(r'href="#([^"]*)"', one)) <= ids


def test_states_of_a_device_are_marked():
    pytest.importorskip("matplotlib")
    device = Device(source="test", r_on_ohm=1e5, r_off_ohm=1e7, read_voltage_v=0.2,
                    threshold_v=0.3, levels=4)  # fmt: skip
    assert values._states(device) == pytest.approx([1e-7, 3.4e-6, 6.7e-6, 1e-5])
