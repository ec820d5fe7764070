"""compile --report-only: the numbers of the whole compilation, in seconds and little memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from memxc import target
from memxc.backends.cost import estimate
from memxc.build_folder import read, write
from memxc.build_folder.report.build import build
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError

ROOT = Path(__file__).parent.parent
MSCCNN = ROOT / "models" / "msccnn_fashion.onnx"
EXPORTED = Path(__file__).parent / "exporters"
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
NETWORKS = sorted(path.stem for path in LIGHT.glob("light_*.onnx"))
#: Everything but weights is small: of 575 MB of weights in VGG-19 no second copy in float64 fits.
MOST_MB = 3600


def both_ways(model, tile=(128, 128), **options):
    asked = Options(model, target.load("paper-128").with_tile(*tile), **options)
    made = [compile_model(asked, report_only=only) for only in (True, False)]
    return made, [build(compiled, "0" * 64).tree() for compiled in made]


def shared(found):
    """What a report says of the circuit, whichever way it was made."""
    keys = ("model", "target", "options", "samples", "resources", "area", "digital")
    return {key: found[key] for key in keys} | {
        "passes": [{k: v for k, v in row.items() if k != "loss"} for row in found["passes"]]
    }


#: Options by what they change.
LAYOUTS = {
    "as it is": {},
    "in turns": {"schedule": "sequential"},
    "inverted inputs, by the paper": {"signed": "inverted-inputs", "partition": "paper"},
    "a stage of batch normalisation": {"batchnorm": "stage"},
    "zeros absent": {"zeros": "absent", "passes": (
        "fold-batchnorm,calibrate,schedule,partition,tile,program,share"
    )},
    "without share": {"passes": "calibrate,partition,tile,program"},
}  # fmt: skip
EXPORTS = {
    "msccnn": MSCCNN,
    "shufflenet": EXPORTED / "shufflenet_rough18.onnx",
    "sefcn": EXPORTED / "sefcn_plain13.onnx",
}


def agree(one, other):
    """Whether two parts of a report are the same, numbers up to their last digits.

    The loads of a report alone are kept in single precision.
    """
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(agree(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(agree, one, other))
    return one == pytest.approx(other, rel=1e-3) if isinstance(one, float) else one == other


def same_numbers(model, **options):
    made, (only, whole) = both_ways(model, **options)
    assert made[0].estimated is not None
    assert all(crossbar.g.size == 0 for a in made[0].design.arrays for crossbar in a.crossbars)
    assert shared(only) == shared(whole)
    assert agree(only["latency"], whole["latency"])
    for key in ("ledger", "total_w", "energy_per_inference_j", "energy_gated_j"):
        assert agree(only["power"].pop(key), whole["power"].pop(key))
    # The sums of watts, too, are in the same order.
    assert only["power"] == whole["power"]
    assert only["power"]["crossbar_w"] > 0


@pytest.mark.parametrize("name", EXPORTS)
def test_the_numbers_are_those_of_the_whole_compilation(name):
    same_numbers(EXPORTS[name])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_numbers_are_the_same_in_every_layout(small, layout):
    model = small.with_stem("small_bn") if "batch" in layout else small
    same_numbers(model, tile=(16, 12), **LAYOUTS[layout])


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_numbers_are_the_same_in_every_layout_of_msccnn(layout):
    model = MSCCNN.with_stem("msccnn_fashion_bn") if "batch" in layout else MSCCNN
    same_numbers(model, **LAYOUTS[layout])


def test_settling_times_are_those_of_the_whole_compilation(small):
    table = ["gm1_s=1e-4", "r1_ohm=1e6", "c1_f=3e-14", "c_miller_f=5e-13", "gm2_s=3e-4",
             "r2_ohm=2e5", "c2_f=1e-13", "c_in_f=5e-14", "r_f_min_ohm=2e4"]  # fmt: skip
    keys = ["crossbar.guard=1.2", "wire.c_word_line_f=1e-15", "wire.c_bit_line_f=1e-15"]
    chosen = target.load("paper-128").with_tile(16, 12)
    chosen = chosen.with_set(*keys, *(f"amplifier.{key}" for key in table))
    options = Options(small, chosen)
    only, whole = (
        build(compile_model(options, report_only=only), "0" * 64).latency for only in (True, False)
    )
    assert agree(only.model_dump(mode="json"), whole.model_dump(mode="json"))
    assert only.free_running_s < only.clocked_s
    assert len(only.stages) > 5


def test_equal_crossbars_are_one_definition(tmp_path):
    """Four filters of 2 x 3, of which three are the same: two definitions of a pair a weight."""
    one, other = np.random.default_rng(2).normal(size=(2, 1, 2, 3)).astype(np.float32)
    weight = onnx.numpy_helper.from_array(np.stack([one, one, other, one]), "w")
    ends = [("x", (1, 4, 5, 6)), ("y", (1, 4, 4, 4))]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"], group=4)], "equal",
        *([onnx.helper.make_tensor_value_info(name, 1, shape)] for name, shape in ends), [weight],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 17)]
    path = tmp_path / "equal.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    _, reports = both_ways(path, partition="none")
    totals = [found["resources"]["total"] for found in reports]
    assert [total["memristors_defined"] for total in totals] == [2 * 12, 2 * 12]


@pytest.mark.parametrize("passes", [None, "calibrate,partition,tile,program"])
def test_large_stacks_are_counted_in_parts(monkeypatch, small, passes):
    monkeypatch.setattr("memxc.ir.kernel._CHUNK", 1 << 6)
    made, (only, whole) = both_ways(small, tile=(16, 12), passes=passes)
    stacks = [sum(len(a.crossbars) for a in compiled.design.arrays) for compiled in made]
    assert stacks[0] > stacks[1]
    assert shared(only) == shared(whole)
    assert only["power"] == whole["power"]


def test_passes_that_look_at_the_whole_circuit_are_run_on_it(small):
    mitigate = ("both-ends", "compensate")
    made, (only, whole) = both_ways(small, tile=(16, 12), mitigate=mitigate)
    assert made[0].estimated is None
    assert shared(only)["resources"] == shared(whole)["resources"]
    assert only["power"] == whole["power"]


@pytest.mark.parametrize(
    ("names", "possible"),
    [
        ("partition,tile,program,share", True),
        ("schedule,partition,tile,program", True),
        ("partition,tile,program{levels=later},compensate,share", False),
        ("partition,drop-lines,tile,program", False),
        ("tile,partition,program", False),
        ("partition,tile", False),
    ],
)
def test_what_can_be_done_stage_by_stage(names, possible):
    from memxc.passes import parse  # noqa: PLC0415

    assert estimate.possible(parse(names)) is possible


def test_nothing_is_compared_and_that_is_said(tmp_path, small):
    options = Options(small, target.load("paper-128"))
    found = write.write(compile_model(options, report_only=True), tmp_path / "out")
    assert found.fidelity.rungs == ()
    assert found.baselines == ()
    (said,) = [text for text in found.warnings if text.startswith("report only")]
    assert "nothing was compared with onnxruntime" in said
    assert "no baseline" in said
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"report.json", "report.md", "report.html", "manifest.json"}
    for page in ("report.md", "report.html"):
        assert "nothing was compared with" in (tmp_path / "out" / page).read_text("utf-8")
    assert read.changed(tmp_path / "out") == []
    with pytest.raises(MemxcError) as caught:
        read.load(tmp_path / "out")
    assert caught.value.faults[0].code == "bad-design"
    assert "--report-only" in caught.value.faults[0].hint


def memory_of(model, out):
    """The report of a light network, and the megabytes that a process of its own took."""
    command = [sys.executable, "-m", "memxc", "compile", model, "-o", out, "--report-only"]
    script = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "print(done.stderr, file=sys.stderr)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)\n"
        "sys.exit(done.returncode)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, command)],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "report only" in done.stderr
    return json.loads((out / "report.json").read_text()), float(done.stdout)


def test_a_network_of_imagenet_in_little_memory(tmp_path):
    found, megabytes = memory_of(LIGHT / "light_squeezenet.onnx", tmp_path / "out")
    assert megabytes < 1000
    assert found["model"]["macs"] > 3e8
    assert found["resources"]["total"]["memristors"] > 1e8


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_imagenet_in_bounded_memory(tmp_path, name):
    found, megabytes = memory_of(LIGHT / f"{name}.onnx", tmp_path / "out")
    assert megabytes < MOST_MB
    assert found["model"]["macs"] > 1e8
    assert len(found["resources"]["stages"]) > 10


def test_all_nine_networks_are_found():
    assert len(NETWORKS) == 9
