"""Mitigated networks from the model's file to SPICE: netlist, lvs, verify with wires, report."""

from __future__ import annotations

import csv
import json
from importlib import resources

import jsonschema
import numpy as np
import pytest

from memxc import engines, lvs, target, verify
from memxc.backends import twin
from memxc.build_folder import write
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.evaluation.reference import predict
from memxc.passes import parse
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import WireResistance

ALL = ("both-ends", "reorder", "compensate")
SETTINGS = ("wire.r_source=4", "wire.r_word_line=20", "wire.r_bit_line=30", "wire.r_neuron=5")


@pytest.fixture
def compiled(model, tmp_path):
    """A compiler of the small network with high wire resistances, to a folder."""

    def build(*mitigate, tile=(24, 12), settings=(), **options):
        chosen = target.load("paper-128").with_tile(*tile).with_set(*SETTINGS, *settings)
        made = compile_model(Options(model, chosen, mitigate=mitigate, **options))
        write.write(made, tmp_path / "out", force=True)
        return made, tmp_path / "out"

    return build


def spice(made, folder, engine):
    if engines.get(engine).version() is None:
        pytest.skip(f"{engine} is not installed")
    inputs = {name: values[:3] for name, values in made.samples.items()}
    plan = verify.Plan(engine=engine, wire=True)
    return verify.verify(made.design, made.target, folder / "netlist", inputs, None, plan)


@pytest.mark.parametrize("engine", ["neospice", "ngspice", "vacask"])
@pytest.mark.parametrize(
    ("mitigate", "options"),
    [
        (("both-ends",), {}),
        (ALL, {}),
        (ALL, {"signed": "inverted-inputs", "partition": "none"}),
        (ALL, {"schedule": "sequential", "signed": "inverted-inputs"}),
        (("reorder",), {"schedule": "sequential", "settings": ("amplifier.gain=inf",)}),
        (("compensate",), {"partition": "paper", "settings": ("device.levels=32",)}),
    ],
    ids=str,
)
def test_spice_with_wires_agrees_and_the_netlist_is_the_design(compiled, mitigate, options, engine):
    made, folder = compiled(*mitigate, **options)
    found = spice(made, folder, engine)
    assert found.ok
    assert max(stage.max_rel_error for stage in found.stages) < 1e-6
    assert lvs.compare(made.design, folder / "netlist" / "net.cir").differences == ()


def test_spice_itself_says_that_driving_both_ends_is_another_circuit(compiled):
    made, folder = compiled("both-ends")
    left = made.design.with_stages(
        [
            stage if stage.name != "conv" else compiled()[0].design.stages[0]
            for stage in made.design.stages
        ]
    )
    inputs = {name: values[:2] for name, values in made.samples.items()}
    plan = verify.Plan(engine="neospice", wire=True, stage="conv")
    known = verify.verify(made.design, made.target, folder / "netlist", inputs, None, plan)
    other = verify.verify(left, made.target, folder / "netlist", inputs, None, plan)
    assert known.ok
    assert other.ok
    volts = [
        evaluate.outputs(effective(design, WireResistance.of(made.target.wire)), inputs)["y"]
        for design in (made.design, left)
    ]
    assert np.abs(volts[0] - volts[1]).max() > 1e-4


@pytest.mark.parametrize("mitigate", [(name,) for name in ALL] + [ALL])
def test_the_report_has_the_circuit_before_and_after(compiled, mitigate):
    _, folder = compiled(*mitigate)
    report = json.loads((folder / "report.json").read_text())
    schema = json.loads((resources.files("memxc") / "schemas" / "memxc-report-1.json").read_text())
    jsonschema.validate(report, schema)
    records = [record for record in report["passes"] if record["name"] in ALL]
    assert [record["name"] for record in records] == [name for name in ALL if name in mitigate]
    for record in records:
        assert record["after"]["circuit_error"] < record["before"]["circuit_error"]
        assert set(record["after"]) - set(record["before"]) <= {"saturated"}
    errors = [record[side]["circuit_error"] for record in records for side in ("before", "after")]
    assert errors[1:-1:2] == errors[2::2]
    if "compensate" in mitigate:
        assert errors[-1] < errors[0] / 1000
    for page in ("report.md", "report.html"):
        text = (folder / page).read_text()
        assert "before and after a pass" in text


def test_the_errors_are_those_of_the_circuit_itself(compiled, model):
    """By the twin in onnxruntime, against the model in onnxruntime."""
    made, _ = compiled("both-ends", "reorder")
    record = next(record for record in made.records if record.name == "reorder")
    circuit = effective(made.design, WireResistance.of(made.target.wire))
    answers = predict(twin.model(circuit), made.samples)["y"]
    right = predict(model.read_bytes(), made.samples)["y"]
    apart = np.abs(answers - right).max(axis=1) / np.abs(right).max(axis=1)
    assert record.after["circuit_error"] == pytest.approx(apart.mean(), rel=1e-3)


def test_a_second_feed_line_is_counted(compiled):
    _, folder = compiled()
    before = json.loads((folder / "report.json").read_text())["resources"]["total"]
    rows = list(csv.DictReader((folder / "mapping.csv").read_text().splitlines()))
    assert {row["driven"] for row in rows} == {"left"}
    assert before["driven_ends"] == before["word_lines"] > 0
    _, folder = compiled("both-ends")
    after = json.loads((folder / "report.json").read_text())["resources"]["total"]
    rows = list(csv.DictReader((folder / "mapping.csv").read_text().splitlines()))
    assert {row["driven"] for row in rows if row["made_of"] == "memristor"} == {"both"}
    assert after["driven_ends"] == 2 * after["word_lines"]
    assert {key: after[key] for key in after if key != "driven_ends"} == {
        key: before[key] for key in before if key != "driven_ends"
    }


def test_the_same_bytes_again(compiled):
    written = []
    for _ in range(2):
        _, folder = compiled(*ALL)
        written.append({p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()})
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("calibrate,reorder,tile,program", "reorder has to come after program"),
        ("calibrate,program,tile", "tile has to come before program"),
        ("calibrate,program{levels=later},share", "leaves the levels to compensate"),
        ("calibrate,program{levels=soon},share", "no levels 'soon'"),
    ],
)
def test_passes_in_a_place_where_they_cannot_work(model, text, what):
    parse(text)
    with pytest.raises(MemxcError, match=what):
        compile_model(Options(model, target.load("paper-128"), passes=text))
