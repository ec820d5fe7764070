"""Parts of a network that stay digital: from check to the twin, against onnxruntime."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import memxc
from memxc import target
from memxc.errors import MemxcError
from memxc.evaluation import reference
from memxc.ir import store

RNG = np.random.default_rng(7)


def integers(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(path, nodes, inputs, outputs, opset=17, **weights):
    constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", opset)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(made)
    onnx.save(made, path)
    return path


def node(kind, inputs, outputs, **attrs):
    return helper.make_node(kind, inputs.split(), outputs.split(), outputs.split()[0], **attrs)


def drawn(*shape):
    return RNG.normal(size=shape).astype(np.float32)


GRID = np.stack(np.meshgrid(np.linspace(-0.9, 0.8, 3), np.linspace(-0.8, 0.9, 2)), -1)[None]


@pytest.fixture(scope="module")
def middle(tmp_path_factory):
    """A convolution, a Relu, an operator without a circuit, and a convolution."""
    nodes = [
        node("Conv", "x w1", "c1"),
        node("Relu", "c1", "r1"),
        node("GridSample", "r1 grid", "sample"),
        node("Conv", "sample w2", "y"),
    ]
    folder = tmp_path_factory.mktemp("middle")
    ends = [floats("x", "N", 2, 5, 4)], [floats("y", "N", 4, 1, 2)]
    grid = GRID.astype(np.float32)
    return model(
        folder / "middle.onnx", nodes, *ends, w1=drawn(3, 2, 2, 2), w2=drawn(4, 3, 2, 2), grid=grid
    )


@pytest.fixture(scope="module")
def samples():
    return RNG.random((3, 2, 5, 4), dtype=np.float32)


@pytest.fixture(scope="module")
def build(middle, samples):
    return memxc.compile(middle, target="ideal", samples=samples, digital=("auto",))


def test_a_refusal_says_what_auto_would_do(middle):
    with pytest.raises(MemxcError) as caught:
        memxc.compile(middle, target="ideal")
    (fault,) = caught.value.faults
    assert fault.code == "unsupported-op"
    # 3 maps of 4 x 3 go in, 3 maps of 2 x 3 come out.
    assert "--digital auto keeps it digital, in an island of 1 node behind 36 ADCs" in fault.hint
    assert "18 DACs" in fault.hint


def test_verify_goes_through_an_island(build, middle, samples):
    done = build.verify(count=2)
    assert done.ok
    assert [stage.name for stage in done.stages] == ["c1", "r1", "y"]
    assert done.outputs.max_rel_error < 1e-5


def test_lvs_knows_the_ports_of_an_island(build, tmp_path):
    assert build.lvs().ok
    top = build.folder / "netlist" / "middle.cir"
    text = top.read_text()
    assert "* output 1 to s02_island_1, lanes 0 to 35: n2_0 to n2_35," in text
    assert "* input from s02_island_1, lanes 0 to 17: n3_0 to n3_17," in text
    edited = memxc.load(build.save(tmp_path / "edited"))
    top = edited.folder / "netlist" / "middle.cir"
    top.write_text(
        text.replace(
            "input from s02_island_1, lanes 0 to 17: n3_0",
            "input from s02_island_1, lanes 0 to 17: n3_1",
        )
    )
    assert [each.where for each in edited.lvs().differences] == [
        "input from s02_island_1, lanes 0 to 17 nets"
    ]


def test_the_circuit_answers_as_the_network_does(build, middle, samples):
    answers = reference.run(middle, {"x": samples})["y"]
    assert np.abs(build.predict(samples)["y"] - answers).max() < 1e-4 * np.abs(answers).max()
    twin = build.twin().SerializeToString()
    # In one batch: the nodes of an island compute one sample, so a Scan goes through them.
    (found,) = reference.session(twin).run(None, {"x": samples})
    assert np.abs(found - answers).max() < 1e-4 * np.abs(answers).max()


def networks():
    """Nodes, inputs, outputs, weights and the opset of networks with islands at several places."""
    yield pytest.param(
        [
            node("Gemm", "x a", "h"),
            node("Relu", "h", "r"),
            node("TopK", "r k", "v i"),
            node("Gather", "table i", "e"),  # indices stay inside the island
            node("Flatten", "e", "f"),
            node("Concat", "v f", "both", axis=1),
            node("Gemm", "both b", "h2"),
            node("Cos", "h2", "c"),  # a second island
            node("Gemm", "c d", "y"),
        ],
        [floats("x", "N", 5)],
        [floats("y", "N", 3)],
        {"a": (5, 7), "k": [2], "table": (7, 4), "b": (10, 6), "d": (6, 3)},
        17,
        id="integers inside, and two islands",
    )
    yield pytest.param(
        [node("Gemm", "x a", "h"), node("TopK", "h k", "values indices")],
        [floats("x", "N", 4)],
        [floats("values", "N", 2), integers("indices", "N", 2)],
        {"a": (4, 6), "k": [2]},
        20,
        id="an island at the end, of a newer opset than the twin",
    )
    yield pytest.param(
        [node("Gather", "table ids", "e"), node("Flatten", "e", "f"), node("Gemm", "f a", "y")],
        [integers("ids", "N", 3)],
        [floats("y", "N", 2)],
        {"table": (9, 4), "a": (12, 2)},
        17,
        id="an island at the beginning, of integers",
    )
    yield pytest.param(
        [
            node("Gemm", "x a", "h"),
            node("Unsqueeze", "h", "u", axes=[0]),  # axes were attributes until opset 12
            node("Squeeze", "u", "s", axes=[0]),
            node("Mod", "s m", "q", fmod=1),
            node("Add", "q h", "y"),  # h goes to the island and past it
        ],
        [floats("x", "N", 3)],
        [floats("y", "N", 4)],
        {"a": (3, 4), "m": 0.5},
        11,
        id="an older opset, and a signal that goes past the island",
    )


def weights(shapes):
    constant = {list: np.array, float: np.float32}
    return {
        name: constant[type(shape)](shape) if type(shape) in constant else drawn(*shape)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize(("nodes", "inputs", "outputs", "shapes", "opset"), [*networks()])
def test_networks_with_islands_are_right_from_end_to_end(
    nodes, inputs, outputs, shapes, opset, tmp_path
):
    path = model(tmp_path / "net.onnx", nodes, inputs, outputs, opset, **weights(shapes))
    name, size = inputs[0].name, inputs[0].type.tensor_type.shape.dim[1].dim_value
    kind = inputs[0].type.tensor_type.elem_type
    x = RNG.random((4, size)).astype(np.float32)
    x = RNG.integers(0, 9, (4, size)) if kind == TensorProto.INT64 else x
    made = memxc.compile(path, target="ideal", samples={name: x}, digital="auto")
    assert made.lvs().ok
    done = made.verify(count=2)
    assert done.ok
    assert done.outputs.max_rel_error < 1e-4
    wanted = reference.run(path, {name: x})
    twin = reference.session(made.twin().SerializeToString())
    names = [value.name for value in twin.get_outputs()]
    found = dict(zip(names, twin.run(names, {name: x}), strict=True))
    for output in outputs:
        right = wanted[output.name]
        assert found[output.name].dtype == right.dtype
        assert np.abs(found[output.name] - right).max() <= 1e-4 * np.abs(right).max()


def test_converters_stand_at_the_borders(tmp_path):
    nodes = [
        node("Gemm", "x a", "h"),
        node("Cos", "h", "c"),
        node("Add", "c h", "s"),
        node("Gemm", "s b", "y"),
    ]
    ends = [floats("x", "N", 3)], [floats("y", "N", 2)]
    path = model(tmp_path / "net.onnx", nodes, *ends, a=drawn(3, 5), b=drawn(5, 2))
    bits = ("converter.adc_bits=5", "converter.dac_bits=6", "converter.adc_energy_j=2e-12")
    made = memxc.compile(path, target=target.load("ideal").with_set(*bits), digital="Cos")
    stages = {stage.dst: stage for stage in store.load(made.folder).stages}
    # Only the island reads what the ADC gives; the sum gets h as it is.
    assert stages["c~raw"].srcs == ("h~adc",)
    assert stages["c"].srcs == ("c~raw",)
    assert stages["s"].srcs == ("c", "h")
    assert made.verify(count=2).ok
    assert made.lvs().ok
    (row,) = made.report.islands
    assert (row.operators, row.adcs, row.dacs, row.adc_bits, row.dac_bits) == (
        {"Cos": 1},
        5,
        5,
        5,
        6,
    )
    # The joules of DACs are not known, so those of all conversions are not.
    assert row.conversion_j is None
    assert "converter.dac_energy_j" in row.missing
    assert "converter.adc_energy_j" not in row.missing


def test_named_nodes_stay_digital(middle, samples):
    made = memxc.compile(middle, target="ideal", samples=samples, digital=("GridSample", "r1"))
    (row,) = made.report.islands
    assert row.operators == {"Relu": 1, "GridSample": 1}
    with pytest.raises(MemxcError) as caught:
        memxc.compile(middle, target="ideal", digital=("auto", "GridSampel"))
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("usage", "--digital GridSampel")
    assert "GridSample" in fault.hint


def test_a_draw_at_random_stays_refused(tmp_path):
    nodes = [node("Gemm", "x a", "h"), node("RandomNormalLike", "h", "r"), node("Add", "h r", "y")]
    ends = [floats("x", "N", 3)], [floats("y", "N", 4)]
    path = model(tmp_path / "net.onnx", nodes, *ends, a=drawn(3, 4))
    for digital in ("auto", "RandomNormalLike"):
        with pytest.raises(MemxcError) as caught:
            memxc.compile(path, target="ideal", digital=digital)
        assert caught.value.faults[0].code == "unsupported-op"
        assert "--digital" not in caught.value.faults[0].hint


def test_a_single_number_enters_an_island(tmp_path):
    nodes = [node("Gemm", "x a", "h"), node("ReduceMax", "h", "m", keepdims=0)]
    nodes += [node("Cos", "m", "c"), node("Mul", "h c", "y")]
    ends = [floats("x", 1, 3)], [floats("y", 1, 4)]
    path = model(tmp_path / "net.onnx", nodes, *ends, a=drawn(3, 4))
    x = {"x": RNG.random((3, 3), dtype=np.float32)}
    made = memxc.compile(path, target="ideal", digital="Cos", samples=x)
    assert made.verify(count=2).ok
    answers = reference.run(path, x)["y"]
    assert np.abs(made.predict(x)["y"] - answers).max() < 1e-4


def edited(build, folder, data, number=0):
    """A copy of a build whose island has other bytes."""
    copy = build.save(folder)
    design = store.load(copy)
    (island,) = design.islands
    subgraph = replace(island.subgraph, model=np.frombuffer(data, np.uint8), output=number)
    changed = replace(island, subgraph=subgraph)
    stages = [changed if stage is island else stage for stage in design.stages]
    store.save(design.with_stages(stages), copy)
    return memxc.load(copy)


def of_island(build, change):
    """The bytes of an island's model after a change."""
    (island,) = store.load(build.folder).islands
    made = onnx.ModelProto.FromString(island.subgraph.model.tobytes())
    change(made)
    return made.SerializeToString()


def foreign(made):
    made.graph.node[0].domain = "com.example"


def external(made):
    tensor = made.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")


def wider(made):
    made.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5


def nested(made):
    graph = helper.make_graph([], "inner", [], [])
    made.graph.node[0].attribute.append(helper.make_attribute("body", graph))


@pytest.mark.parametrize("change", [foreign, external, wider, nested])
def test_an_edited_island_is_a_fault(build, change, tmp_path):
    other = edited(build, tmp_path / "edited", of_island(build, change))
    with pytest.raises(MemxcError) as caught:
        other.verify(count=1)
    assert [fault.code for fault in caught.value.faults] == ["bad-design"]


def test_bytes_that_are_no_island_are_a_fault(build, tmp_path):
    for place, data, number in (("noise", b"\xff" * 99, 0), ("second", b"", 1)):
        other = edited(build, tmp_path / place, data or of_island(build, lambda made: None), number)
        with pytest.raises(MemxcError) as caught:
            other.lvs()
        assert [fault.code for fault in caught.value.faults] == ["bad-design"]


def test_an_island_that_asks_for_all_memory_is_a_fault(build, tmp_path):
    def greedy(made):
        size = numpy_helper.from_array(np.array([1 << 42]), "w7")
        made.graph.initializer.append(size)
        made.graph.node[0].output[0] = "t1"
        ends = (["w7"], ["t2"], "big"), (["t2"], ["t3"], "sum"), (["t1", "t3"], ["y0"], "add")
        for (reads, makes, name), kind in zip(
            ends, ("ConstantOfShape", "ReduceMax", "Add"), strict=True
        ):
            made.graph.node.append(helper.make_node(kind, reads, makes, name))

    other = edited(build, tmp_path / "edited", of_island(build, greedy))
    with pytest.raises(MemxcError) as caught:
        other.verify(count=1)
    assert [fault.code for fault in caught.value.faults] == ["unsupported-model"]
    assert caught.value.faults[0].where == "island_1"


def test_designs_and_reports_of_older_versions_can_still_be_read(tmp_path):
    nodes = [node("Gemm", "x a", "h"), node("Softmax", "h", "y")]
    ends = [floats("x", "N", 3)], [floats("y", "N", 4)]
    path = model(tmp_path / "net.onnx", nodes, *ends, a=drawn(3, 4))
    made = memxc.compile(path, target="ideal", output=tmp_path / "build")
    for name, key in (("design.json", "subgraph"), ("report.json", "islands")):
        text = (made.folder / name).read_text()
        (made.folder / name).write_text(re.sub(rf',\s*"{key}": (null|\[\])', "", text))
        assert key not in (made.folder / name).read_text()
    other = memxc.load(made.folder)
    assert other.report.islands is None
    assert [row.function for row in other.report.digital] == ["softmax"]
    assert other.lvs().ok


def test_only_what_analog_stages_read_has_volts(tmp_path):
    """The network's output is what the island computes, and not what comes behind its DAC."""
    nodes = [
        node("Gather", "table ids", "e"),
        node("Flatten", "e", "f"),
        node("Gemm", "f a", "y"),
    ]
    ends = [integers("ids", "N", 3)], [floats("e", "N", 3, 4), floats("y", "N", 2)]
    path = model(tmp_path / "net.onnx", nodes, *ends, table=drawn(9, 4), a=drawn(12, 2))
    coarse = target.load("ideal").with_set("converter.dac_bits=3")
    ids = {"ids": RNG.integers(0, 9, (4, 3))}
    made = memxc.compile(path, target=coarse, digital="Gather", samples=ids)
    assert made.verify(count=1).ok
    assert made.lvs().ok
    found, wanted = made.predict(ids), reference.run(path, ids)
    assert (found["e"] == wanted["e"]).all()
    assert np.abs(found["y"] - wanted["y"]).max() > 0.01  # behind a DAC of 8 levels
