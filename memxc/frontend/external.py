"""External data: read only from beside the model, and no more than a tensor claims."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError, fail
from memxc.frontend.tensors import byte_size, tensors

#: Several tensors may share data (tied weights), but not more than this factor in all.
_MOST_READS = 4


def load(model: onnx.ModelProto, path: Path) -> None:
    """Put the external data of a model's tensors into the model.

    Raises MemxcError (broken-model) with every tensor whose data is not beside the model.
    """
    outside = [t for t in tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL]
    faults: list[Fault] = []
    total, files = 0, dict[Path, int]()
    for tensor in outside:
        try:
            file, _, length = _place(tensor, path.parent)
        except MemxcError as error:
            faults += error.faults
        else:
            total += length
            files[file] = file.stat().st_size
    if faults:
        raise MemxcError(faults)
    if total > _MOST_READS * sum(files.values()):
        raise fail("broken-model", str(path), "its tensors claim far more data than its files hold")
    for tensor in outside:
        file, offset, length = _place(tensor, path.parent)
        with file.open("rb") as stream:
            stream.seek(offset)
            tensor.raw_data = stream.read(length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _place(tensor: onnx.TensorProto, folder: Path) -> tuple[Path, int, int]:
    """Return file, offset and length of a tensor's data. Raises MemxcError if they are wrong."""
    name = tensor.name or "a constant"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = _file(name, entries.get("location", ""), folder)
    claimed = byte_size(tensor, name)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", claimed))
    except ValueError:
        raise fail("broken-model", name, "its offset or length is not a number") from None
    if length != claimed or offset < 0:
        what = f"claims {claimed} bytes, its external data has {length} at {offset}"
        raise fail("broken-model", name, what)
    size = file.stat().st_size
    if offset + length > size:
        what = f"its data ends at byte {offset + length}, its file {file.name} at {size}"
        raise fail("broken-model", name, what)
    return file, offset, length


def _file(name: str, location: str, folder: Path) -> Path:
    hint = "external data is read from beside the model only"
    parts = PurePosixPath(location)
    far = parts.is_absolute() or PureWindowsPath(location).drive or ".." in parts.parts
    if not parts.name or far or "\\" in location or "\0" in location:
        raise fail("broken-model", name, f"its data is said to be at {location!r}", hint)
    file = folder / parts
    try:
        inside = file.resolve().is_relative_to(folder.resolve())
        there = inside and file.is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise fail("broken-model", name, f"its data cannot be read: {error}") from error
    if not inside:
        raise fail("broken-model", name, f"its data {location!r} is a link out of the folder", hint)
    if not there:
        raise fail("broken-model", name, f"its data file {location!r} is missing", hint)
    return file
