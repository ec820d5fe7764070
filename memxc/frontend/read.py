"""Bytes -> ModelProto, with its external data, nothing larger than what the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path, PurePosixPath

import onnx  # noqa: TID251
from google.protobuf.message import DecodeError
from onnx import external_data_helper, inliner  # noqa: TID251

from memxc.errors import Fault, MemxcError, fail

#: protobuf's own limit for one message.
_LARGEST_FILE = 2**31 - 1
_LARGEST_TENSOR = 2**31


def read(path: Path) -> onnx.ModelProto:
    """The model of a file, its functions inlined and its external data loaded."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(_bytes(path))
    except DecodeError as error:
        raise fail("broken-model", str(path), "is not an ONNX model, or is truncated") from error
    if not model.HasField("graph") or not model.graph.node:
        raise fail("broken-model", str(path), "holds no network: it has no nodes")
    if not model.graph.output:
        raise fail("broken-model", str(path), "the network has no outputs")
    _check_version(model, str(path))
    _load_external(model, path)
    faults = [fault for tensor in tensors(model) if (fault := _size(tensor, str(path)))]
    if faults:
        raise MemxcError(faults)
    return inliner.inline_local_functions(model) if model.functions else model


def tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every constant tensor of the main graph: initialisers and tensor attributes."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "no such file"
        raise fail("broken-model", str(path), what)
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise fail(
                "broken-model",
                str(path),
                f"is {size} bytes; ONNX files end at 2 GiB",
                "save the weights as external data beside the model",
            )
        data = path.read_bytes()
    except OSError as error:
        raise fail("broken-model", str(path), f"cannot be read: {error.strerror}") from error
    if not data:
        raise fail("broken-model", str(path), "is empty")
    return data


def _check_version(model: onnx.ModelProto, where: str) -> None:
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    newest = onnx.defs.onnx_opset_version()
    if opset is None:
        raise fail("broken-model", where, "does not say which version of the operators it uses")
    if not 7 <= opset <= newest:
        raise fail(
            "unsupported-model",
            where,
            f"has opset {opset}; memxc reads 7 to {newest}",
            "convert it with onnx.version_converter" if opset < 7 else "pip install --upgrade onnx",
        )
    if model.ir_version > onnx.IR_VERSION:
        raise fail(
            "unsupported-model",
            where,
            f"has IR version {model.ir_version}, the installed onnx reads up to {onnx.IR_VERSION}",
            "pip install --upgrade onnx",
        )


def _load_external(model: onnx.ModelProto, path: Path) -> None:
    faults = []
    for tensor in tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            fault = _external_fault(tensor, path)
            if fault is None:
                external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
                tensor.data_location = onnx.TensorProto.DEFAULT
            else:
                faults.append(fault)
    if faults:
        raise MemxcError(faults)


def _external_fault(tensor: onnx.TensorProto, path: Path) -> Fault | None:
    where = f"{path}:{tensor.name}"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(entries.get("location", ""))
    file = path.parent / location
    if (
        not location.name
        or location.is_absolute()
        or ".." in location.parts
        or (not file.resolve().is_relative_to(path.parent.resolve()))
    ):
        return Fault(
            "broken-model",
            where,
            f"its data lies outside the model's folder: {location}",
            "external data is read from beside the model only",
        )
    if not file.is_file():
        return Fault("broken-model", where, f"its data file {location} is missing")
    try:
        end = int(entries.get("offset", 0)) + int(entries.get("length", 0))
    except ValueError:
        return Fault("broken-model", where, "its external data has a broken offset or length")
    if end > file.stat().st_size or end < 0:
        return Fault("broken-model", where, f"its data reaches past the end of {location}")
    return None


def _size(tensor: onnx.TensorProto, path: str) -> Fault | None:
    """What is wrong between the shape a tensor claims and the data it brings."""
    where = f"{path}:{tensor.name}"
    count = prod(tensor.dims)
    if any(dim < 0 for dim in tensor.dims) or count > _LARGEST_TENSOR:
        return Fault("broken-model", where, f"claims a shape of {list(tensor.dims)}")
    if tensor.data_type == onnx.TensorProto.STRING:
        return Fault("unsupported-model", where, "holds strings")
    try:
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, ValueError):
        return Fault("broken-model", where, f"has the unknown data type {tensor.data_type}")
    if tensor.HasField("raw_data") and len(tensor.raw_data) < count * item // (
        8 if item == 1 else 1
    ):
        held = len(tensor.raw_data)
        return Fault("broken-model", where, f"claims {count} elements but holds {held} bytes")
    if not tensor.HasField("raw_data") and count > 8 * (tensor.ByteSize() + 1):
        return Fault("broken-model", where, f"claims {count} elements that it does not hold")
    return None
