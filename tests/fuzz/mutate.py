"""Mutations that leave a file what it is: a model with other numbers, operators and wirings, a
design with other values, arrays of other types. libFuzzer's own mutations rarely do."""

from __future__ import annotations

import contextlib
import io
import json
import random
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from targets import SPLIT

from memxc import ops

#: Numbers at which arithmetic changes: around 0, small sizes, and the ends of what types hold.
NUMBERS = (
    *range(-4, 9), 16, 127, 255, 1000, 4096, 65535, 10**6, 2**24, 2**28, 2**30, 2**31 - 1, 2**31,
    2**32, 2**40, 2**62, 2**63 - 1, -128, -65536, -(2**31), -(2**31) - 1, -(2**63),
)  # fmt: skip
FLOATS = (
    0.0,
    1.0,
    -1.0,
    0.5,
    1e-9,
    1e9,
    3.4e38,
    -3.4e38,
    float("inf"),
    -float("inf"),
    float("nan"),
)
WORDS = (
    "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", "constant", "edge", "reflect", "wrap", "linear",
    "nearest", "cubic", "asymmetric", "align_corners", "tf_crop_and_resize", "half_pixel", "DCR",
    "CRD", "none", "add", "tanh", "ij,jk->ik", "i->", "...i,ij->...j", "", "\xff",
)  # fmt: skip
_KINDS = (
    TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.UINT8,
    TensorProto.INT8, TensorProto.FLOAT16, TensorProto.DOUBLE,
)  # fmt: skip
_OPERATORS = tuple(ops.available())
_ALL = tuple(sorted({schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}))


def model(data: bytes, seed: int) -> bytes | None:
    """A model with one to four things otherwise; None where `data` is no model."""
    found = onnx.ModelProto()
    try:
        found.ParseFromString(data)
    except DecodeError:
        return None
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 4)):
        # What is changed may already be broken: a name that is no text, say.
        with contextlib.suppress(ValueError, TypeError):
            draw.choice(_CHANGES)(found, draw)
    return found.SerializeToString()


def _number(model: onnx.ModelProto, draw: random.Random) -> None:
    """Another number in an attribute."""
    found = [a for node in model.graph.node for a in node.attribute if a.ints or a.HasField("i")]
    if found:
        attribute = draw.choice(found)
        if attribute.ints:
            attribute.ints[draw.randrange(len(attribute.ints))] = draw.choice(NUMBERS)
        else:
            attribute.i = draw.choice(NUMBERS)


def _attribute(model: onnx.ModelProto, draw: random.Random) -> None:
    """An attribute that the operator has, with any value of any type."""
    node = _node(model, draw)
    column = ops.available().get(node.op_type) if node else None
    if not column or not column.attrs:
        return
    name = draw.choice(list(column.attrs))
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)
    count = draw.choice((1, 2, 2, 3, 4, 4, 6))
    value = draw.choice(
        (
            draw.choice(NUMBERS),
            [draw.choice(NUMBERS) for _ in range(count)],
            [draw.choice((0, 1, 1, 2, 3)) for _ in range(count)],
            draw.choice(FLOATS),
            draw.choice(WORDS),
        )
    )
    node.attribute.append(helper.make_attribute(name, value))


def _less(model: onnx.ModelProto, draw: random.Random) -> None:
    """A node without one of its attributes."""
    node = _node(model, draw)
    if node and node.attribute:
        del node.attribute[draw.randrange(len(node.attribute))]


def _operator(model: onnx.ModelProto, draw: random.Random) -> None:
    """Another operator in the same place."""
    node = _node(model, draw)
    if node:
        node.op_type = draw.choice(_ALL if draw.random() < 0.1 else _OPERATORS)
        if draw.random() < 0.7:
            del node.attribute[:]


def _input(model: onnx.ModelProto, draw: random.Random) -> None:
    """A node that reads something else, or one tensor more or less."""
    node = _node(model, draw)
    if not node:
        return
    names = ["", *_tensors(model)]
    match draw.randrange(3):
        case 0 if node.input:
            node.input[draw.randrange(len(node.input))] = draw.choice(names)
        case 1 if node.input:
            node.input.pop()
        case _:
            node.input.append(draw.choice(names))


def _constant(model: onnx.ModelProto, draw: random.Random) -> None:
    """A weight with another shape, type or values."""
    if not model.graph.initializer:
        return
    which = draw.randrange(len(model.graph.initializer))
    name = model.graph.initializer[which].name
    model.graph.initializer[which].CopyFrom(_tensor(name, draw))


def _more_constants(model: onnx.ModelProto, draw: random.Random) -> None:
    """A node that reads a new constant as its last input."""
    node = _node(model, draw)
    if node:
        name = f"k{draw.randrange(1000)}"
        model.graph.initializer.append(_tensor(name, draw))
        node.input.append(name)


def _next(model: onnx.ModelProto, draw: random.Random) -> None:
    """One more node behind the output, which it takes over."""
    if not model.graph.output or len(model.graph.node) > 8:
        return
    out = model.graph.output[0].name
    name = f"n{draw.randrange(10000)}"
    node = helper.make_node(draw.choice(_OPERATORS), [out], [name])
    model.graph.node.append(node)
    model.graph.output[0].name = name
    del model.graph.output[0].type.tensor_type.shape.dim[:]


def _shape(model: onnx.ModelProto, draw: random.Random) -> None:
    """An input of another size or rank."""
    if not model.graph.input:
        return
    dims = draw.choice(model.graph.input).type.tensor_type.shape.dim
    if dims and draw.random() < 0.8:
        dims[draw.randrange(len(dims))].dim_value = draw.choice(NUMBERS)
    else:
        del dims[1:]
        for _ in range(draw.randrange(4)):
            dims.add().dim_value = draw.choice((1, 2, 3, 5, 8))


def _opset(model: onnx.ModelProto, draw: random.Random) -> None:
    """Another version of the operators."""
    if model.opset_import:
        model.opset_import[0].version = draw.randint(6, 24)


_CHANGES = (
    *(_number, _number, _attribute, _attribute, _less, _operator, _input, _constant),
    *(_constant, _more_constants, _next, _shape, _opset),
)


def _node(model: onnx.ModelProto, draw: random.Random) -> onnx.NodeProto | None:
    return draw.choice(model.graph.node) if model.graph.node else None


def _tensors(model: onnx.ModelProto) -> list[str]:
    graph = model.graph
    made = [name for node in graph.node for name in node.output]
    return [*(v.name for v in graph.input), *(t.name for t in graph.initializer), *made]


def _tensor(name: str, draw: random.Random) -> TensorProto:
    kind = draw.choice(_KINDS)
    shape = [draw.choice((0, 1, 1, 2, 3, 4)) for _ in range(draw.choice((0, 0, 1, 1, 2, 3, 4)))]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    pool = FLOATS if dtype.kind == "f" else NUMBERS if draw.random() < 0.5 else (0, 1, 2, -1, 3)
    values = [draw.choice(pool) for _ in range(int(np.prod(shape, dtype=int)))]
    with np.errstate(all="ignore"):
        if dtype.kind in "iu":
            bits = np.iinfo(dtype)
            values = [min(max(v, int(bits.min)), int(bits.max)) for v in values]
        array = np.array(values, dtype=dtype).reshape(shape)
    return numpy_helper.from_array(array, name)


def design(data: bytes, seed: int) -> bytes | None:
    """design.json with one to three values otherwise, or design.npz with an array otherwise."""
    draw = random.Random(seed)
    text, _, packed = data.partition(SPLIT)
    if draw.random() < 0.4:
        other = arrays(packed, seed)
        return None if other is None else text + SPLIT + other
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for _ in range(draw.randint(1, 3)):
        _value(tree, draw)
    return json.dumps(tree).encode() + SPLIT + packed


def _value(tree: Any, draw: random.Random) -> None:
    """Another value somewhere in a JSON tree."""
    while isinstance(tree, (dict, list)) and tree:
        key = draw.choice(list(tree)) if isinstance(tree, dict) else draw.randrange(len(tree))
        if not isinstance(tree[key], (dict, list)) or not tree[key] or draw.random() < 0.1:
            tree[key] = draw.choice(
                (None, True, "", "x", "a0", [], {}, {"array": "a1"}, {"float": "nan"}, [[]],
                 draw.choice(NUMBERS), draw.choice((0.0, -1.0, 1e308)))
            )  # fmt: skip
            return
        tree = tree[key]


def arrays(data: bytes, seed: int) -> bytes | None:
    """An .npz with one array of another type, shape or content."""
    draw = random.Random(seed)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    # Whatever is no archive is left to libFuzzer.
    except Exception:  # noqa: BLE001
        return None
    if not found:
        return None
    name = draw.choice(list(found))
    # A text is not every number, a single number has no first element.
    with np.errstate(all="ignore"), contextlib.suppress(ValueError, TypeError):
        found[name] = _array(found[name], draw)
    if draw.random() < 0.2:
        found[draw.choice(("x", "y", "k", "a0", "other", ""))] = found[name]
    packed = io.BytesIO()
    np.savez(packed, **found)
    return packed.getvalue()


def _array(values: np.ndarray, draw: random.Random) -> np.ndarray:
    match draw.randrange(5):
        case 0:
            return values.astype(draw.choice(("f2", "f4", "f8", "i1", "i8", "u1", "?", "c8", "U3")))
        case 1:
            return values.reshape(-1)[: draw.choice((0, 1, values.size - 1))]
        case 2:
            return values[None] if draw.random() < 0.5 else values.reshape(-1)
        case 3 if values.size:
            changed = values.copy()
            number = draw.choice((*FLOATS, -1, 0, 1, 2**31 - 1))
            with contextlib.suppress(ValueError, OverflowError, TypeError):
                changed.flat[draw.randrange(values.size)] = number
            return changed
        case _:
            return np.array(draw.choice(NUMBERS), dtype=np.float64)


def lines(data: bytes, seed: int) -> bytes | None:
    """A text with lines or words in another place, or one of SPICE's own put in."""
    draw = random.Random(seed)
    parts = data.split(b"\n")
    at, other = draw.randrange(len(parts)), draw.randrange(len(parts))
    words = parts[at].split(b" ")
    match draw.randrange(5):
        case 0:
            parts[at] = parts[other]
        case 1:
            parts.insert(at, parts[other])
        case 2:
            del parts[at]
        case 3:
            words[draw.randrange(len(words))] = draw.choice(_CARDS)
            parts[at] = b" ".join(words)
        case _:
            parts.insert(at, draw.choice(_CARDS) + b" " + parts[other])
    return b"\n".join(parts)


_CARDS = (
    b".subckt", b".ends", b".include", b".control", b".endc", b"shell", b".lib", b".param", b"+",
    b"*", b"* supply of x: a at 1 v", b"x1", b"r1", b"e1", b"b1", b"{", b"}", b"value={v(a)}",
    b"1e400", b"nan", b"-1", b"1k", b"params:", b"gain=1", b"..", b"c.cir",
    b'"cells/c.cir"', b"\r", b"",
)  # fmt: skip
#: The mutation that knows each target's files.
OF = {"frontend": model, "design": design, "samples": arrays, "netlist": lines, "target": lines}
