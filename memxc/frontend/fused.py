"""Write onnxruntime's fused operators (com.microsoft) out as the operators of ONNX they stand for.

onnxruntime makes them when it optimises a model. The original model stays as it is, for the
comparison. An operator that is not in `_WRITERS`, or that does more than what is written out here,
stays, and is refused by its name later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np
import onnx  # noqa: TID251
from onnx import helper, numpy_helper  # noqa: TID251

DOMAIN = "com.microsoft"


class _UnknownError(Exception):
    """The node does something that is not written out here."""


class _Writer:
    """Writes the operators that one fused node stands for."""

    def __init__(self, node: onnx.NodeProto, opset: int, taken: set[str]) -> None:
        self.node, self.opset, self._taken = node, opset, taken
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute}

    def input(self, index: int) -> str:
        """Return the name of an input, "" if it is absent."""
        return self.node.input[index] if index < len(self.node.input) else ""

    def attr(self, name: str, default: Any) -> Any:
        """Return an attribute, as text if it is bytes."""
        value = self.attrs.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attrs: Any) -> Any:
        """Add a node, and return the name of its output, or of its outputs."""
        names = [self._fresh(f"{kind}_{len(self.nodes)}_{n}") for n in range(outputs)]
        name = f"{self.node.name or self.node.op_type}/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attrs))
        return names[0] if outputs == 1 else names

    def constant(self, value: Any, kind: type = np.float32) -> str:
        """Add a constant, and return its name."""
        name = self._fresh(f"constant_{len(self.constants)}")
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def mean(self, x: str) -> str:
        """Return the mean along the last axis, which stays."""
        if self.opset >= 18:
            return str(self.op("ReduceMean", x, self.constant([-1], np.int64), keepdims=1))
        return str(self.op("ReduceMean", x, axes=[-1], keepdims=1))

    def end(self, result: str) -> None:
        """Name the result as the node's output. _UnknownError: there are further outputs."""
        if any(self.node.output[1:]):
            raise _UnknownError
        self.nodes.append(helper.make_node("Identity", [result], [self.node.output[0]]))
        self.nodes[-1].name = self.node.name

    def _fresh(self, word: str) -> str:
        name = f"{self.node.output[0]}/{word}"
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name


def written_out(model: onnx.ModelProto) -> None:
    """Replace the fused operators in the main graph of a model, in place."""
    graph = model.graph
    opset = max((known.version for known in model.opset_import if not known.domain), default=0)
    if not any(_fused(node, opset) for node in graph.node):
        return
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        writer = _Writer(node, opset, taken)
        try:
            if not _fused(node, opset):
                raise _UnknownError
            _WRITERS[node.op_type](writer)
        except _UnknownError:
            nodes.append(node)
            continue
        nodes += writer.nodes
        graph.initializer.extend(writer.constants)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def _fused(node: onnx.NodeProto, opset: int) -> bool:
    """Return whether a node has a writer; normalisations have it also before ONNX had them."""
    older = node.domain == "" and node.op_type in _OLDER and opset < _OLDER[node.op_type]
    return older or (node.domain == DOMAIN and node.op_type in _WRITERS)


def _activated(w: _Writer, x: str, kind: str, params: Sequence[float]) -> str:
    names = {
        "LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Elu": ("alpha",),
        "Relu": (), "Tanh": (), "Sigmoid": (), "Softplus": (), "Softsign": (),
    }  # fmt: skip
    if kind == "Clip":
        return str(w.op("Clip", x, *(w.constant(p) for p in params)))
    if kind not in names:
        raise _UnknownError
    given: dict[str, Any] = dict(zip(names[kind], params, strict=False))
    return str(w.op(kind, x, **given))


def _conv(w: _Writer) -> None:
    keep = {k: v for k, v in w.attrs.items() if not k.startswith("activation")}
    y = w.op("Conv", *filter(None, (w.input(n) for n in range(3))), **keep)
    if w.input(3):
        y = w.op("Add", y, w.input(3))
    kind = w.attr("activation", "")
    w.end(_activated(w, y, kind, w.attr("activation_params", [])) if kind else y)


def _gemm(w: _Writer) -> None:
    keep = {k: v for k, v in w.attrs.items() if not k.startswith("activation")}
    y = w.op("Gemm", *filter(None, (w.input(n) for n in range(3))), **keep)
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    given = [w.attrs[name] for name in names if name in w.attrs]
    kind = w.attr("activation", "")
    w.end(_activated(w, y, kind, given) if kind else y)


def _matmul(w: _Writer) -> None:
    if w.attr("transBatchA", 0) or w.attr("transBatchB", 0) or w.attr("transA", 0):
        raise _UnknownError  # how the last two axes change places depends on the number of axes
    if w.attr("transB", 0):
        raise _UnknownError
    y = w.op("MatMul", w.input(0), w.input(1))
    alpha = float(w.attr("alpha", 1.0))
    w.end(y if alpha == 1.0 else w.op("Mul", y, w.constant(alpha)))


def _gelu(w: _Writer, x: str) -> str:
    half = w.op("Add", w.op("Erf", w.op("Mul", x, w.constant(sqrt(0.5)))), w.constant(1.0))
    return str(w.op("Mul", w.op("Mul", x, half), w.constant(0.5)))


def _bias_gelu(w: _Writer) -> None:
    x = w.op("Add", w.input(0), w.input(1)) if w.input(1) else w.input(0)
    w.end(_gelu(w, x))


def _fast_gelu(w: _Writer) -> None:
    x = w.op("Add", w.input(0), w.input(1)) if w.input(1) else w.input(0)
    cube = w.op("Mul", w.op("Pow", x, w.constant(3.0)), w.constant(0.044715))
    inner = w.op("Mul", w.op("Add", x, cube), w.constant(0.7978845608028654))
    half = w.op("Add", w.op("Tanh", inner), w.constant(1.0))
    w.end(w.op("Mul", w.op("Mul", x, half), w.constant(0.5)))


def _quick_gelu(w: _Writer) -> None:
    x, alpha = w.input(0), float(w.attr("alpha", 1.702))
    w.end(w.op("Mul", x, w.op("Sigmoid", w.op("Mul", x, w.constant(alpha)))))


def _normalised(w: _Writer, x: str, scale: str, bias: str, centred: bool) -> str:
    """Return the layer normalisation over the last axis, or that by the mean square alone."""
    if centred:
        x = w.op("Sub", x, w.mean(x))
    square = w.mean(w.op("Mul", x, x))
    root = w.op("Sqrt", w.op("Add", square, w.constant(float(w.attr("epsilon", 1e-5)))))
    y = w.op("Mul", w.op("Div", x, root), scale)
    return str(w.op("Add", y, bias) if bias else y)


def _layer_norm(w: _Writer) -> None:
    if w.attr("axis", -1) != -1:
        raise _UnknownError
    w.end(_normalised(w, w.input(0), w.input(1), w.input(2), centred=True))


def _simplified(w: _Writer) -> None:
    if w.attr("axis", -1) != -1:
        raise _UnknownError
    w.end(_normalised(w, w.input(0), w.input(1), "", centred=False))


def _skip(w: _Writer, scale: int, bias: int, more: int, centred: bool) -> None:
    x = w.op("Add", w.input(0), w.input(1))
    if w.input(more):
        x = w.op("Add", x, w.input(more))
    y = _normalised(w, x, w.input(scale), w.input(bias) if bias else "", centred)
    if len(w.node.output) > 3 and w.node.output[3]:
        # The fourth output is the sum, which the next layer adds to.
        w.nodes.append(helper.make_node("Identity", [x], [w.node.output[3]]))
        w.nodes[-1].name = f"{w.node.name}/sum"
    if any(w.node.output[1:3]):
        raise _UnknownError
    w.nodes.append(helper.make_node("Identity", [y], [w.node.output[0]], name=w.node.name))


def _attention(w: _Writer) -> None:
    """Self attention: one product for queries, keys and values."""
    if any(w.input(n) for n in range(3, 8)) or w.attr("qkv_hidden_sizes", None):
        raise _UnknownError
    if w.attr("unidirectional", 0) or w.attr("do_rotary", 0):
        raise _UnknownError
    y = w.op("MatMul", w.input(0), w.input(1))
    if w.input(2):
        y = w.op("Add", y, w.input(2))
    if w.opset >= 18:
        parts = w.op("Split", y, outputs=3, axis=-1, num_outputs=3)
    else:
        parts = w.op("Split", y, outputs=3, axis=-1)
    w.end(_mixed(w, *parts))


def _multi_head(w: _Writer) -> None:
    """Attention of queries, keys and values that are given apart."""
    if any(w.input(n) for n in range(3, 10)) or not (w.input(1) and w.input(2)):
        raise _UnknownError
    if w.attr("unidirectional", 0):
        raise _UnknownError
    w.end(_mixed(w, w.input(0), w.input(1), w.input(2)))


def _mixed(w: _Writer, query: str, keys: str, values: str) -> str:
    heads, scale = int(w.attr("num_heads", 0)), w.attr("scale", None)
    if heads < 1:
        raise _UnknownError
    shape = w.constant([0, 0, heads, -1], np.int64)
    q, v = (
        w.op("Transpose", w.op("Reshape", part, shape), perm=[0, 2, 1, 3])
        for part in (query, values)
    )
    k = w.op("Transpose", w.op("Reshape", keys, shape), perm=[0, 2, 3, 1])
    if scale:
        factor = w.constant(float(scale))
    else:
        # One over the root of the size of a head: a constant, for the shapes are known.
        size = w.op("Gather", w.op("Shape", k), w.constant(2, np.int64))
        factor = w.op("Reciprocal", w.op("Sqrt", w.op("Cast", size, to=onnx.TensorProto.FLOAT)))
    scores = w.op("Mul", w.op("MatMul", q, k), factor)
    mixed = w.op("MatMul", w.op("Softmax", scores, axis=-1), v)
    back = w.op("Transpose", mixed, perm=[0, 2, 1, 3])
    return str(w.op("Reshape", back, w.constant([0, 0, -1], np.int64)))


_WRITERS: dict[str, Callable[[_Writer], None]] = {
    "Attention": _attention,
    "BiasGelu": _bias_gelu,
    "FastGelu": _fast_gelu,
    "FusedConv": _conv,
    "FusedGemm": _gemm,
    "FusedMatMul": _matmul,
    "Gelu": _bias_gelu,
    "LayerNormalization": _layer_norm,
    "MultiHeadAttention": _multi_head,
    "QuickGelu": _quick_gelu,
    "SimplifiedLayerNormalization": _simplified,
    "SkipLayerNormalization": lambda w: _skip(w, 2, 3, 4, centred=True),
    "SkipSimplifiedLayerNormalization": lambda w: _skip(w, 2, 0, 3, centred=False),
}
#: Operators that onnxruntime has in ONNX's own domain, and the opset in which ONNX got them.
_OLDER = {"LayerNormalization": 17, "SimplifiedLayerNormalization": 1 << 30}
