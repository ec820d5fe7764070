"""Read a model file: parse it, check its version, put in external data and functions."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import onnx  # noqa: TID251
from google.protobuf.message import DecodeError

from memxc.errors import fail
from memxc.frontend import external
from memxc.frontend.functions import inlined
from memxc.frontend.fused import written_out
from memxc.frontend.part import ModelPart
from memxc.frontend.subgraphs import walk
from memxc.frontend.text import check_text

#: protobuf's own limit for one message.
_LARGEST_FILE = 2**31 - 1
#: Ten times the largest known networks; more nodes would only fill the memory with faults.
_MOST_NODES = 100_000
OLDEST_OPSET = 6
#: From this opset on operators broadcast as numpy does; an older model is read as this opset.
PLAIN_OPSET = 7
#: The first bytes of files that are often taken for ONNX models.
_OTHERS = (
    (b"\x89PNG", "a PNG picture", ""),
    (b"PK\x03\x04", "a zip archive (a PyTorch checkpoint?)", "export it with torch.onnx.export"),
    (b"\x89HDF", "an HDF5 file (a Keras model?)", "convert it, for instance with tf2onnx"),
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with git lfs pull"),
)


def read(path: Path | ModelPart) -> onnx.ModelProto:
    """Return the model of a file, with local functions inlined and external data loaded.

    Raises MemxcError (broken-model, unsupported-model).
    """
    if isinstance(path, ModelPart):
        return path.model()
    model = prepared(parse(path), str(path))
    external.load(model, path)
    return model


def prepared(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """Return the model with one name for the standard domain, functions inlined, every node named.

    Raises MemxcError (broken-model, unsupported-model).
    """
    check_text(model, where)
    _plain_domain(model)
    written_out(model)
    model = inlined(model, where)
    _check_version(model, where)
    _check_graph(model.graph, where)
    _name_nodes(model.graph)
    return model


def parse(path: Path) -> onnx.ModelProto:
    """Return the model exactly as the file holds it. Raises MemxcError (broken-model)."""
    data = _bytes(path)
    for start, kind, hint in _OTHERS:
        if data.startswith(start):
            raise fail("broken-model", str(path), f"is {kind}, not an ONNX model", hint)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise fail("broken-model", str(path), "is not an ONNX model, or is cut short") from error
    if sum(1 for _ in islice(walk(model.graph.node), _MOST_NODES + 1)) > _MOST_NODES:
        raise fail("unsupported-model", str(path), f"has more than {_MOST_NODES:,} nodes")
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operators; 0 if the model does not say."""
    return max((o.version for o in model.opset_import if o.domain == ""), default=0)


def _bytes(path: Path) -> bytes:
    where = str(path)
    try:
        if not path.exists():
            raise fail("broken-model", where, "no such file")
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "a device or a pipe"
            raise fail("broken-model", where, f"is {kind}, not a file")
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            hint = "save the weights as external data beside the model"
            what = f"is {size} bytes, and an ONNX file ends at 2 GiB"
            raise fail("broken-model", where, what, hint)
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise fail("broken-model", where, f"cannot be read: {reason}") from error
    if not data:
        raise fail("broken-model", where, "is empty (no bytes)")
    return data


def _plain_domain(model: onnx.ModelProto) -> None:
    """Use one name for the standard operators: `ai.onnx` and the empty domain are the same."""
    nodes = [*walk(model.graph.node), *(node for f in model.functions for node in walk(f.node))]
    imports = [*model.opset_import, *(o for f in model.functions for o in f.opset_import)]
    for part in (*nodes, *imports, *model.functions):
        if part.domain == "ai.onnx":
            part.domain = ""


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node its own name: the model's, or the operator with its number."""
    taken = {node.name for node in graph.node}
    seen = {""}
    for index, node in enumerate(graph.node):
        name = node.name or f"{node.op_type}_{index}"
        if node.name in seen:
            while name in taken or name in seen:
                name = f"{name}_{index}"
        node.name = name
        seen.add(name)


def _check_version(model: onnx.ModelProto, where: str) -> None:
    if model.ir_version > onnx.IR_VERSION:
        what = f"has IR version {model.ir_version}; onnx {onnx.__version__} reads 3 to"
        hint = "update onnx, or export the model for an older version"
        raise fail("unsupported-model", where, f"{what} {onnx.IR_VERSION}", hint)
    if model.ir_version < 1:
        raise fail("broken-model", where, "does not say its IR version: it is not an ONNX model")
    opset, newest = opset_of(model), onnx.defs.onnx_opset_version()
    if opset > newest:
        what = f"has opset {opset}; onnx {onnx.__version__} knows {OLDEST_OPSET} to {newest}"
        hint = "update onnx, or export the model for an older opset"
        raise fail("unsupported-model", where, what, hint)
    if opset < OLDEST_OPSET:
        said = f"has opset {opset}" if opset else "does not say which opset it uses"
        hint = "convert it with onnx.version_converter.convert_version, or export it again"
        what = f"{said}; memxc reads {OLDEST_OPSET} to {newest}"
        raise fail("unsupported-model", where, what, hint)


def _check_graph(graph: onnx.GraphProto, where: str) -> None:
    if not graph.node:
        raise fail("broken-model", where, "holds no network: it has no nodes")
    if not graph.output:
        raise fail("broken-model", where, "the network has no outputs")
    if graph.sparse_initializer:
        hint = "store the weights as ordinary (dense) tensors"
        raise fail("unsupported-model", where, "holds sparse tensors", hint)
