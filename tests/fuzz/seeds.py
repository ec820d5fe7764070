"""Writes the seed corpus: `python tests/fuzz/seeds.py`. Small, and all of our own making."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
SHIPPED = sorted((HERE.parents[1] / "memxc" / "targets").glob("*.toml"))
sys.path.insert(0, str(HERE))

import targets  # noqa: E402

Node = tuple[str, list[str], dict]
Weights = dict[str, np.ndarray]


def main() -> None:
    """All seeds of all targets."""
    for name, data in models():
        write("frontend", f"{name}.onnx", data)
    for name, data in files():
        target, _, rest = name.partition("/")
        write(target, rest, data)


def write(target: str, name: str, data: bytes) -> None:
    """One seed."""
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def model(shape: tuple[int, ...], nodes: list[Node], weights: Weights, opset: int = 17) -> bytes:
    """A chain of nodes: each reads the output of the one before it as its first input."""
    made, src = [], "x"
    for index, (kind, more, settings) in enumerate(nodes):
        dst = f"t{index}"
        made.append(helper.make_node(kind, [src, *more], [dst], name=f"{kind}{index}", **settings))
        src = dst
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        made, "net", [info("x", TensorProto.FLOAT, shape)], [info(src, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def floats(*shape: int) -> np.ndarray:
    """Weights that differ."""
    return (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - 3) / 7


def whole(*numbers: int) -> np.ndarray:
    """A list of integers."""
    return np.array(numbers, np.int64)


def models() -> list[tuple[str, bytes]]:
    """Families of operators, a few nodes each."""
    image = (1, 2, 5, 4)
    conv = {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "strides": [2, 1], "dilations": [1, 1]}
    pool = {"kernel_shape": [2, 3], "pads": [1, 1, 0, 0], "strides": [2, 1]}
    return [
        (
            "conv",
            model(
                image,
                [("Conv", ["w", "b"], conv), ("Relu", [], {})],
                {"w": floats(3, 2, 3, 2), "b": floats(3)},
            ),
        ),
        (
            "deconv",
            model(
                image,
                [("ConvTranspose", ["w"], {"strides": [2, 3], "group": 2})],
                {"w": floats(2, 3, 3, 2)},
            ),
        ),
        (
            "pools",
            model(
                image,
                [
                    ("MaxPool", [], pool),
                    ("AveragePool", [], {"kernel_shape": [2, 1], "count_include_pad": 1}),
                    ("GlobalAveragePool", [], {}),
                ],
                {},
            ),
        ),
        ("lppool", model(image, [("LpPool", [], {"kernel_shape": [2, 2], "p": 2})], {}, 18)),
        (
            "dense",
            model(
                (1, 6),
                [("Gemm", ["w", "b"], {"alpha": 0.5, "transB": 1}), ("Softmax", [], {"axis": 1})],
                {"w": floats(4, 6), "b": floats(4)},
            ),
        ),
        (
            "matmul",
            model(
                (1, 3, 6),
                [("MatMul", ["w"], {}), ("Add", ["b"], {}), ("Tanh", [], {})],
                {"w": floats(6, 4), "b": floats(4)},
            ),
        ),
        (
            "norm",
            model(
                image,
                [
                    ("BatchNormalization", ["s", "b", "m", "v"], {"epsilon": 1e-3}),
                    ("LeakyRelu", [], {"alpha": 0.1}),
                    ("LRN", [], {"size": 3}),
                ],
                {"s": floats(2), "b": floats(2), "m": floats(2), "v": abs(floats(2)) + 1},
            ),
        ),
        (
            "slices",
            model(
                (1, 4, 6),
                [
                    ("Slice", ["s", "e", "a"], {}),
                    ("Transpose", [], {"perm": [0, 2, 1]}),
                    ("Reshape", ["r"], {}),
                ],
                {"s": whole(1, 0), "e": whole(3, 5), "a": whole(1, 2), "r": whole(1, -1)},
            ),
        ),
        (
            "gathers",
            model(
                (1, 4, 6),
                [
                    ("Gather", ["g"], {"axis": 2}),
                    ("GatherElements", ["i"], {"axis": 1}),
                    ("GatherND", ["n"], {}),
                ],
                {
                    "g": whole(3, 1),
                    "i": np.zeros((1, 2, 2), np.int64),
                    "n": whole(0, 1).reshape(1, 2),
                },
            ),
        ),
        (
            "pad",
            model(
                image,
                [("Pad", ["p", "v"], {"mode": "constant"}), ("Clip", ["v", "o"], {})],
                {"p": whole(0, 0, 1, 0, 0, 0, 0, 2), "v": np.float32(0.0), "o": np.float32(1.0)},
            ),
        ),
        (
            "resize",
            model(
                image,
                [("Resize", ["", "s"], {"mode": "linear"})],
                {"s": np.array([1, 1, 2, 1.5], np.float32)},
            ),
        ),
        (
            "resize_sizes",
            model(image, [("Resize", ["", "", "s"], {"mode": "cubic"})], {"s": whole(1, 2, 7, 3)}),
        ),
        (
            "reduce",
            model(
                (1, 4, 6),
                [
                    ("ReduceMean", [], {"axes": [2], "keepdims": 1}),
                    ("CumSum", ["a"], {}),
                    ("ReduceMax", [], {"axes": [1]}),
                ],
                {"a": np.int64(1)},
            ),
        ),
        (
            "split",
            model(
                (1, 6),
                [("Unsqueeze", ["a"], {}), ("Tile", ["r"], {}), ("Squeeze", ["a"], {})],
                {"a": whole(1), "r": whole(1, 1, 2)},
            ),
        ),
        (
            "several",
            model(
                (1, 6),
                [("Max", ["c"], {}), ("Sum", ["c"], {}), ("Min", ["c"], {})],
                {"c": floats(6)},
            ),
        ),
        (
            "compare",
            model(
                (1, 6),
                [("Greater", ["c"], {}), ("Not", [], {}), ("Cast", [], {"to": 1})],
                {"c": floats(1, 6)},
            ),
        ),
        (
            "einsum",
            model((1, 3, 6), [("Einsum", ["w"], {"equation": "abc,cd->abd"})], {"w": floats(6, 2)}),
        ),
        (
            "scatter",
            model(
                (1, 6),
                [
                    ("ScatterElements", ["i", "u"], {"axis": 1}),
                    ("ScatterND", ["n", "v"], {}),
                    ("Trilu", [], {}),
                ],
                {
                    "i": whole(1, 3).reshape(1, 2),
                    "u": floats(1, 2),
                    "n": whole(0, 2).reshape(1, 2),
                    "v": floats(1),
                },
            ),
        ),
        (
            "codes",
            model(
                (1, 6),
                [("QuantizeLinear", ["s", "z"], {}), ("DequantizeLinear", ["s", "z"], {})],
                {"s": np.float32(0.1), "z": np.uint8(128)},
            ),
        ),
        (
            "col2im",
            model(
                (1, 8, 6),
                [("Col2Im", ["i", "k"], {"strides": [1, 1]})],
                {"i": whole(3, 4), "k": whole(2, 2)},
                18,
            ),
        ),
        (
            "space",
            model(
                (1, 4, 4, 2),
                [
                    ("DepthToSpace", [], {"blocksize": 2}),
                    ("SpaceToDepth", [], {"blocksize": 2}),
                    ("Flatten", [], {"axis": 1}),
                ],
                {},
            ),
        ),
        (
            "old",
            model(
                image,
                [("Add", ["b"], {"broadcast": 1, "axis": 1}), ("Relu", [], {})],
                {"b": floats(2)},
                6,
            ),
        ),
    ]


def files() -> list[tuple[str, bytes]]:
    """Seeds of the other targets."""
    packed = io.BytesIO()
    np.savez(
        packed, x=np.ones((2, 2, 3), np.float32), k=np.full((2, 4), 7, np.uint8), y=whole(0, 1)
    )
    squeezed = io.BytesIO()
    np.savez_compressed(squeezed, x=np.ones((1, 2, 3)), k=np.zeros((1, 4)))
    single = io.BytesIO()
    np.save(single, np.ones(3))
    top = b"""* net
* supply of bias: vb at 0.1 v
.include "cells/c.cir"
.subckt fc i0 i1 b o0
R0_0 i0 o0 1e4
R1_0 i1 o0 2e4
.ends fc
X1 x0 x1 vb y0 fc
X2 y0 z0 relu gain=1
"""
    cells = b".subckt relu a b params: gain=1\nE1 b 0 value={gain*max(v(a),0)}\n.ends relu\n"
    return [
        ("samples/plain.npz", packed.getvalue()),
        ("samples/squeezed.npz", squeezed.getvalue()),
        ("samples/single.npy", single.getvalue()),
        ("netlist/two.cir", top + targets.SPLIT + cells),
        ("design/one.bin", targets.design_seed()),
        *((f"target/{path.name}", path.read_bytes()) for path in SHIPPED),
    ]


if __name__ == "__main__":
    main()
