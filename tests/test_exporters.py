"""One network, exported from PyTorch in four ways, is one circuit.

tests/exporters/make.py and make_recurrent.py write the files.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from memxc import target
from memxc.backends.cost import resources
from memxc.compiler.options import Options
from memxc.compiler.run import Compiled, compile_model
from memxc.ir.stages import Array, Lanes, Rename

FILES = Path(__file__).parent / "exporters"
PICTURES = ("shufflenet", "sefcn")
NETWORKS = (*PICTURES, "keywords")
EXPORTERS = ("dynamo20", "script17", "plain13", "rough18")
OTHERS = [(network, exporter) for network in NETWORKS for exporter in EXPORTERS[1:]]
#: Two exporters fold batch normalisation in float32, memxc in float64.
ROUNDING = 1e-6


@cache
def compiled(network: str, exporter: str) -> Compiled:
    return compile_model(Options(FILES / f"{network}_{exporter}.onnx", target.load("paper-128")))


def parts(network: str, exporter: str) -> list[str]:
    """Every stage but wires: its kind and what it is made of, in the order of the circuit."""
    found = []
    for stage in compiled(network, exporter).design.stages:
        match stage:
            case Array():
                found.append(f"{stage.cell} {' '.join(map(str, stage.crossbars))}")
            case Lanes():
                found.append(f"{stage.circuit.name} {stage.expr}")
            case Rename():
                pass
            case _:
                found.append(str(type(stage)))
    return found


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("shufflenet_dynamo20", {"Split": 3, "ReduceMean": 1, "BatchNormalization": 0}),
        ("shufflenet_script17", {"Slice": 6, "Gather": 3, "Flatten": 1, "GlobalAveragePool": 1}),
        ("shufflenet_plain13", {"Slice": 6, "BatchNormalization": 21, "Unsqueeze": 45}),
        ("shufflenet_rough18", {"SplitToSequence": 3, "CastLike": 21, "BatchNormalization": 21}),
        ("sefcn_dynamo20", {"ReduceMean": 3, "ConvTranspose": 2, "BatchNormalization": 0}),
        ("sefcn_script17", {"GlobalAveragePool": 3, "BatchNormalization": 2}),
        ("sefcn_plain13", {"GlobalAveragePool": 3, "BatchNormalization": 9}),
        ("sefcn_rough18", {"ReduceMean": 3, "CastLike": 7, "BatchNormalization": 9}),
        ("keywords_dynamo20", {"LSTM": 1, "GRU": 1, "Shape": 0, "Expand": 0}),
        ("keywords_script17", {"LSTM": 1, "GRU": 1, "Shape": 3, "Expand": 3}),
        ("keywords_plain13", {"LSTM": 1, "GRU": 1, "Slice": 36, "Concat": 21}),
        ("keywords_rough18", {"LSTM": 1, "GRU": 1, "Slice": 55, "Mul": 54}),
    ],
)
def test_the_files_differ_as_exporters_do(name, operators):
    kinds = Counter(node.op_type for node in onnx.load(FILES / f"{name}.onnx").graph.node)
    assert {kind: kinds[kind] for kind in operators} == operators


def test_no_file_tells_of_the_machine_that_made_it():
    for path in sorted(FILES.glob("*.onnx")):
        model = onnx.load(path)
        assert path.stat().st_size < 150_000
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
        assert b".py" not in path.read_bytes()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_circuit_is_the_network(network, exporter):
    rungs = {rung.end: rung for rung in compiled(network, exporter).rungs}
    assert rungs["lowered"].start == "onnxruntime"
    assert rungs["lowered"].max_rel_error <= 1e-6
    assert max(rung.max_rel_error for rung in rungs.values()) < 3e-3  # amplifiers of gain 1e5
    nodes = {node.op for node in compiled(network, exporter).graph.nodes}
    assert not nodes & {"Shape", "Constant", "Cast", "CastLike", "Unsqueeze", "Expand"}
    assert network == "keywords" or "Gather" not in nodes  # it takes the last step


@pytest.mark.parametrize(("network", "exporter"), OTHERS)
def test_the_same_stages(network, exporter):
    assert parts(network, exporter) == parts(network, "dynamo20")
    kinds = Counter(part.split()[0] for part in parts(network, exporter))
    assert kinds["batchnorm"] == 0, "a batch normalisation is left"
    assert kinds["resistor"] == {"shufflenet": 1, "sefcn": 3, "keywords": 0}[network]


@pytest.mark.parametrize(("network", "exporter"), OTHERS)
def test_the_same_crossbars(network, exporter):
    arrays = compiled(network, exporter).design.arrays
    others = compiled(network, "dynamo20").design.arrays
    assert len(arrays) == len(others) == {"shufflenet": 23, "sefcn": 19, "keywords": 20}[network]
    for array, other in zip(arrays, others, strict=True):
        np.testing.assert_allclose(array.r_f, other.r_f, rtol=ROUNDING)
        np.testing.assert_allclose(array.r_join, other.r_join, rtol=1e-3)  # of three digits
        for one, two in zip(array.crossbars, other.crossbars, strict=True):
            np.testing.assert_allclose(one.g, two.g, rtol=ROUNDING)
            for part in ("cell", "line", "sign", "column", "polarity", "definition"):
                np.testing.assert_array_equal(getattr(one, part), getattr(two, part))
            for part in ("taps", "sinks"):
                nets = (getattr(crossbar, part).nets() for crossbar in (one, two))
                np.testing.assert_array_equal(*nets)


def test_the_steps_of_a_layer_share_a_definition():
    """A convolution, an LSTM of two directions and a GRU of six steps each, and a dense layer."""
    arrays = compiled("keywords", "dynamo20").design.arrays
    numbers = [int(array.crossbars[0].definition[0]) for array in arrays]
    assert numbers == [0, *[1] * 6, *[2] * 6, *[3] * 6, 4]


@pytest.mark.parametrize(("network", "exporter"), OTHERS)
def test_the_same_resources(network, exporter):
    chosen = target.load("paper-128")
    tile = (chosen.crossbar.rows, chosen.crossbar.columns)
    found = [
        [
            (row.kind, row.resources)
            for row in resources.measure(
                compiled(network, e).design, chosen.device.g_min, lambda _: tile
            )
        ]
        for e in (exporter, "dynamo20")
    ]
    assert found[0] == found[1]
    assert resources.Resources.of() not in [row for _, row in found[0]]


@pytest.mark.parametrize("network", PICTURES)
def test_a_batch_normalisation_that_is_kept_is_counted(network):
    path, paper = FILES / f"{network}_plain13.onnx", target.load("paper-128")
    options = Options(path, paper, batchnorm="stage")
    arrays = compile_model(options).design.arrays
    kept = [array for array in arrays if array.cell == "batchnorm"]
    assert len(kept) == {"shufflenet": 21, "sefcn": 9}[network]
    assert len(arrays) - len(kept) == len(compiled(network, "dynamo20").design.arrays)
