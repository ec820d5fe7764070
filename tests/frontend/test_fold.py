"""Constant folding: the shape arithmetic of old exporters, against onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc import worker
from memxc.errors import MemxcError
from memxc.evaluation import reference
from memxc.frontend import load, native

node = helper.make_node


def ints(*values):
    return np.array(values, np.int64)


def constant(name, *values):
    return node("Constant", [], [name], value=tensor(TensorProto.INT64, *values))


def tensor(kind, *values):
    return helper.make_tensor("", kind, [len(values)], values)


def reshape_mess():
    """Return x.view(x.size(0), -1, 2 * x.size(3)) and a slice of half the height, as traced."""
    return [
        node("Shape", ["x"], ["s"]),
        node("Constant", [], ["zero"], value=helper.make_tensor("", TensorProto.INT64, [], [0])),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n"], ["n1"], axes=[0]),
        constant("three", 3),
        node("Gather", ["s", "three"], ["w"], axis=0),
        constant("two", 2),
        node("Mul", ["w", "two"], ["w2"]),
        constant("rest", -1),
        node("Concat", ["n1", "rest", "w2"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["r"]),
        node("Shape", ["r"], ["s2"]),
        node("Slice", ["s2"], ["h"], axes=[0], starts=[1], ends=[2]),
        node("Cast", ["h"], ["hf"], to=TensorProto.FLOAT),
        node("Constant", [], ["half"], value=tensor(TensorProto.FLOAT, 0.5)),
        node("Mul", ["hf", "half"], ["hh"]),
        node("Floor", ["hh"], ["hfl"]),
        node("Cast", ["hfl"], ["stop"], to=TensorProto.INT64),
        node("Concat", ["n1", "stop", "w2"], ["to2"], axis=0),
        node("ConstantOfShape", ["to2"], ["ones"], value=tensor(TensorProto.FLOAT, 1.5)),
        node("Slice", ["r"], ["sl"], axes=[1], starts=[0], ends=[3]),
        node("Add", ["sl", "ones"], ["y"]),
    ]  # fmt: skip


def test_shape_arithmetic_of_old_exporters(build):
    path = build(reshape_mess(), x=("batch", 3, 4, 5), opset=9, ir=4)
    graph = load(path)
    assert [n.op for n in graph.nodes] == ["Reshape", "Slice", "Add"]
    assert graph.shapes["y"] == (1, 3, 10)
    assert graph.weights["to"].tolist() == [1, -1, 10]
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)
    expected = x.reshape(2, 6, 10)[:, :3] + graph.weights["ones"]
    np.testing.assert_allclose(reference.run(path, {"x": x})["y"], expected, rtol=1e-6)


def test_expand_of_a_computed_shape(build):
    """Where(Equal(shape, -1), 1, shape) before Expand, as torch writes it."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("ConstantOfShape", ["four"], ["ones"], value=tensor(TensorProto.INT64, 1)),
        node("Mul", ["ones", "minus"], ["neg"]),
        node("Equal", ["want", "neg"], ["eq"]),
        node("Where", ["eq", "ones", "want"], ["to"]),
        node("Expand", ["w", "to"], ["e"]),
        node("Add", ["x", "e"], ["y"]),
    ]  # fmt: skip
    w = np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1)
    weights = {"four": ints(4), "minus": ints(-1), "want": ints(1, -1, 4, 5), "w": w}
    graph = load(build(nodes, weights, opset=13))
    assert [n.op for n in graph.nodes] == ["Add"]
    np.testing.assert_array_equal(graph.weights["e"], np.broadcast_to(w, (1, 3, 4, 5)))


def test_weights_behind_identity_transpose_and_arithmetic(build):
    rng = np.random.default_rng(2)
    v, g = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(7, 1)).astype(np.float32)
    nodes = [
        node("Identity", ["v"], ["v1"]),
        node("ReduceL2", ["v1"], ["norm"], axes=[1]),
        node("Div", ["v1", "norm"], ["unit"]),
        node("Mul", ["unit", "g"], ["scaled"]),
        node("Transpose", ["scaled"], ["w"], perm=[1, 0]),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    path = build(nodes, {"v": v, "g": g}, opset=17)
    graph = load(path)
    assert [n.op for n in graph.nodes] == ["MatMul"]
    assert set(graph.weights) == {"w"}
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(
        reference.run(path, {"x": x})["y"], x @ graph.weights["w"], rtol=1e-5
    )


def test_random_operators_are_never_folded(build):
    nodes = [
        node("RandomNormal", [], ["r"], shape=[1, 3, 4, 5]),
        node("Add", ["x", "r"], ["a"]),
        node("Dropout", ["w", "ratio", "yes"], ["d"], seed=1),
        node("Add", ["a", "d"], ["y"]),
    ]
    weights = {"w": np.ones(5, np.float32), "ratio": np.float32(0.5), "yes": np.array(True)}
    assert [n.op for n in load(build(nodes, weights)).nodes] == [
        "RandomNormal",
        "Add",
        "Dropout",
        "Add",
    ]


def test_an_operator_that_onnx_reference_lacks_is_not_folded(build):
    nodes = [node("Scatter", ["w", "i", "u"], ["s"], axis=0), node("Add", ["x", "s"], ["y"])]
    weights = {"w": np.zeros(5, np.float32), "i": ints(3), "u": np.ones(1, np.float32)}
    assert [n.op for n in load(build(nodes, weights, opset=9)).nodes] == ["Scatter", "Add"]


def test_dropout_of_a_constant_outside_training_is_folded(build):
    nodes = [node("Dropout", ["w"], ["d"]), node("Add", ["x", "d"], ["y"])]
    graph = load(build(nodes, {"w": np.arange(5, dtype=np.float32)}))
    assert [n.op for n in graph.nodes] == ["Add"]
    assert graph.weights["d"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("nodes", "name"),
    [
        ([node("Expand", ["one", "huge"], ["c"], name="trap")], "trap"),
        ([node("ConstantOfShape", ["huge"], ["b"]),
          node("Exp", ["b"], ["c"], name="trap")], "trap"),
        ([node("ConstantOfShape", ["huge"], ["b"]),
          node("ReduceSumSquare", ["b"], ["c"], name="trap")], "trap"),
        ([node("Tile", ["one", "huge"], ["c"], name="trap")], "trap"),
        ([node("ConstantOfShape", ["picture"], ["b"]),
          node("MaxPool", ["b"], ["c"], name="trap", kernel_shape=[3, 2])], "trap"),
    ],
)  # fmt: skip
def test_constants_that_unfold_without_end(build, faults_of, nodes, name):
    nodes = [*nodes, node("ReduceMax", ["c"], ["m"], keepdims=0), node("Add", ["x", "m"], ["y"])]
    path = build(nodes,
                 {"one": np.ones((1, 1), np.float32), "huge": ints(2**14, 2**13),
                  "picture": ints(1, 1, 2**10, 2**11)})  # fmt: skip
    (fault,) = faults_of(path)
    assert fault.code == "unsupported-shape"
    assert fault.where == f"{path}:{name}"
    assert "unfold" in fault.what


def test_many_small_unfoldings_share_one_budget(build, faults_of):
    nodes = [node("Expand", ["one", "big"], [f"c{i}"]) for i in range(9)]
    nodes += [node("Max", [f"c{i}" for i in range(9)], ["m"])]
    nodes += [node("ReduceMax", ["m"], ["n"], keepdims=0), node("Add", ["x", "n"], ["y"])]
    path = build(nodes, {"one": np.ones((1, 1), np.float32), "big": ints(2**12, 2**11)})
    assert "unfold" in faults_of(path)[0].what


def test_what_cannot_be_computed(build, faults_of):
    nodes = [node("ConstantOfShape", ["s"], ["c"], name="bad"), node("Add", ["x", "c"], ["y"])]
    (fault,) = faults_of(build(nodes, {"s": ints(-3, 5)}))
    assert fault.code == "broken-model"


def test_shapes_that_contradict(build, faults_of):
    path = build(
        [node("MatMul", ["x", "w"], ["y"], name="wrong")], {"w": np.ones((4, 6), np.float32)}
    )
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("broken-model", f"{path}:wrong")


def test_every_node_that_does_not_fit_is_named_but_not_those_behind_it(build, faults_of):
    nodes = [
        node("MatMul", ["x", "w"], ["a"], name="wrong"),
        node("Relu", ["a"], ["b"], name="behind"),
        node("Conv", ["x", "w"], ["c"], name="also"),
        node("Add", ["b", "c"], ["y"]),
    ]
    path = build(nodes, {"w": np.ones((4, 6), np.float32)})
    assert [fault.where for fault in faults_of(path)] == [f"{path}:wrong", f"{path}:also"]


def test_nodes_that_no_output_needs(build):
    """One would not even run, and of another one only the shape is needed."""
    nodes = [
        node("MatMul", ["x", "w"], ["unused"]),
        node("Exp", ["x"], ["e"]),
        node("Shape", ["e"], ["s"]),
        node("Reshape", ["x", "s"], ["y"]),
    ]
    graph = load(build(nodes, {"w": np.ones((4, 6), np.float32)}))
    assert [n.op for n in graph.nodes] == ["Reshape"]


def test_a_repeated_row_of_float16_keeps_its_values(build):
    """A row that Expand repeats is a view, too, but not of one element."""
    nodes = [
        node("Expand", ["row", "to"], ["e"]),
        node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        node("Add", ["h", "e"], ["s"]),
        node("Cast", ["s"], ["y"], to=TensorProto.FLOAT),
    ]
    row = np.arange(5, dtype=np.float16)
    graph = load(build(nodes, {"row": row, "to": ints(1, 3, 4, 5)}))
    assert graph.weights["e"].dtype == np.float32
    np.testing.assert_array_equal(graph.weights["e"], np.broadcast_to(row, (1, 3, 4, 5)))


def test_shape_that_only_the_data_tells(build, faults_of):
    nodes = [
        node("NonZero", ["x"], ["n"], name="culprit"),
        node("Cast", ["n"], ["f"], to=TensorProto.FLOAT),
        node("Relu", ["f"], ["y"]),
    ]
    (fault,) = faults_of(build(nodes))
    assert fault.code == "unsupported-shape"
    assert fault.where.endswith(":culprit")
    assert "'n'" in fault.what


@pytest.mark.parametrize(
    ("last", "what"),
    [
        (node("Tile", ["x", "times"], ["y"], name="last"), "more than the 67,108,864 nets"),
        (node("Slice", ["x", "end", "end"], ["y"], name="last"), "holds nothing"),
    ],
)
def test_tensors_that_no_circuit_has(build, faults_of, last, what):
    path = build([last], {"times": ints(1, 1, 2**20, 2**20), "end": ints(0)})
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("unsupported-shape", f"{path}:last")
    assert what in fault.what


def test_a_tensor_of_one_half_stays_one_number(build):
    nodes = [
        node("ConstantOfShape", ["to"], ["c"], value=tensor(TensorProto.FLOAT16, 1.5)),
        node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        node("MatMul", ["h", "c"], ["m"]),
        node("Cast", ["m"], ["y"], to=TensorProto.FLOAT),
    ]
    held = load(build(nodes, {"to": ints(5, 2**20)})).weights["c"]
    assert (held.dtype, held.shape, held.strides) == (np.float32, (5, 2**20), (0, 0))
    assert held[0, 0] == 1.5


def test_output_that_is_constant(build, faults_of):
    path = build([node("Neg", ["w"], ["z"]), node("Relu", ["x"], ["y"])],
                 {"w": np.ones(3, np.float32)}, out=("y", "z"))  # fmt: skip
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("unsupported-model", f"{path}:z")


def test_nan_after_folding(build):
    path = build(
        [node("Log", ["w"], ["l"]), node("Add", ["x", "l"], ["y"])],
        {"w": np.float32([-1, 1, 2, 3, 4])},
    )
    with pytest.raises(MemxcError, match=r"l: its values are not numbers"):
        load(path)
    assert onnx.load(path).graph.node[0].op_type == "Log"


def test_castlike_of_a_constant_needs_only_the_type_of_the_signal(build):
    """This is CastLike as PyTorch's exporter writes it without optimisation."""
    nodes = [
        node("CastLike", ["low", "x"], ["bound"]),
        node("Clip", ["x", "bound"], ["y"]),
    ]
    graph = load(build(nodes, {"low": np.array(-2)}, opset=18))
    assert [n.op for n in graph.nodes] == ["Clip"]
    assert graph.weights["bound"].dtype == np.float32
    assert graph.weights["bound"] == -2


def test_constants_are_computed_in_bounded_time(build, faults_of, monkeypatch):
    """A map of 2^30 x 0 pixels has no bytes, but the reference loops over its windows."""
    monkeypatch.setattr(native, "_SECONDS", 0.5)
    pool = node("MaxPool", ["w"], ["z"], name="pool", kernel_shape=[2, 7], strides=[2, 5],
                pads=[2**31 - 1, 1, 0, 0])  # fmt: skip
    nodes = [pool, node("GlobalAveragePool", ["z"], ["y"])]
    path = build(nodes, {"w": np.int8([[[[127], [127]]]])}, opset=9)
    (fault,) = faults_of(path)
    assert (fault.code, fault.where) == ("broken-model", f"{path}:pool")
    assert "ONNX's evaluator takes more than 1 s of processor time" in fault.what


def test_what_the_worker_computes_is_what_this_process_would(build):
    """Trilu is computed in the worker, Add in this process."""
    w = np.arange(20, dtype=np.float32).reshape(1, 1, 4, 5)
    nodes = [node("Trilu", ["w"], ["t"]), node("Add", ["x", "t"], ["y"])]
    graph = load(build(nodes, {"w": w}))
    np.testing.assert_array_equal(graph.weights["t"], np.triu(w))


def test_what_the_reference_cannot_compute(build, faults_of):
    """The index is 7 of three elements."""
    nodes = [
        node("GatherND", ["three", "seven"], ["c"], name="beyond"),
        node("Add", ["x", "c"], ["y"]),
    ]
    constants = {"three": np.float32([1, 2, 3]), "seven": ints(7).reshape(1, 1)}
    (fault,) = faults_of(build(nodes, constants))
    assert fault.code == "broken-model"
    assert fault.where.endswith("beyond")
    assert fault.what.startswith("cannot be computed: ")


def test_shapes_and_constants_share_the_seconds_of_a_network(build, monkeypatch):
    """The worker sets its limit again where an allowance is another object."""
    asked, ask = [], worker.ask

    def spy(work, parts, allowance, *rest):
        asked.append((work.partition(":")[2], allowance))
        return ask(work, parts, allowance, *rest)

    monkeypatch.setattr(worker, "ask", spy)
    nodes = [node("Abs", ["x"], ["a"]), node("Trilu", ["w"], ["t"]), node("Relu", ["a"], ["r"]),
             node("Add", ["r", "t"], ["y"])]  # fmt: skip
    load(build(nodes, {"w": np.ones((4, 5), np.float32)}))
    works = [work for work, _ in asked]
    first = works.index("inferred")
    assert {"inferred", "computed"} == {*works[first:]}
    assert len({id(allowance) for _, allowance in asked[first:]}) == 1
