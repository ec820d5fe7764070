"""Arrays in an .npz file: the same bytes for the same arrays, and read with care.

An .npz may come from anybody. Nothing in it is run, and what it claims to hold is held against what
the file can hold before memory is taken for it.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

#: numpy's own header of a zip member; a fixed date, so that equal arrays are equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
#: The first bytes of an array without a name, as numpy.save writes it.
_SINGLE = b"\x93NUMPY"
#: Arrays may take 256 MiB of memory, or, if that is more, so many times the bytes of their file.
#: Deflate packs a thousand zeros into one byte, so a small file could claim any memory.
_FREE = 1 << 28
_RATIO = 100
#: Readers of numpy's header by its version. What has another one holds names of fields in Unicode,
#: so no numbers.
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz whose bytes depend on the arrays alone (order, names, contents)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue(), compresslevel=1)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an .npz, read-only. ValueError or OSError where it is not a sound one."""
    with path.open("rb") as file:
        if file.read(len(_SINGLE)) == _SINGLE:
            raise ValueError("it holds a single array without a name, as numpy.save writes")
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no .npz file")
        try:
            return _arrays(file, path.stat().st_size)
        except OSError:
            raise
        # zipfile, its decompressors and numpy's headers raise errors of a dozen kinds for a file
        # that is not what it says; what they say is what the user can know.
        except Exception as error:
            words = str(error) or type(error).__name__
            raise ValueError(f"{path.name} is not a sound .npz file: {words}") from error


def _arrays(file: IO[bytes], size: int) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        names = [member.filename.removesuffix(".npy") for member in members]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"it holds {twice[0]!r} more than once")
        claimed = sum(member.file_size for member in members)
        if claimed > max(_FREE, _RATIO * size):
            raise ValueError(
                f"its arrays take {claimed:,} bytes, more than {_RATIO} times the file's own: "
                "write it with numpy.savez, which does not compress"
            )
        return dict(zip(names, (_array(archive, member) for member in members), strict=True))


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array, after its header was held against the size of its member."""
    with archive.open(member) as data:
        version = np.lib.format.read_magic(data)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename!r} holds no numbers")
        shape, _, dtype = _HEADERS[version](data)
        if dtype.hasobject:
            raise ValueError(f"{member.filename!r} holds objects of Python, which are not read")
        if min(shape, default=0) < 0:
            raise ValueError(f"{member.filename!r} has an axis of less than nothing")
        claimed, held = math.prod(shape) * dtype.itemsize, member.file_size - data.tell()
        if claimed != held:
            raise ValueError(f"{member.filename!r} claims {claimed:,} bytes and holds {held:,}")
    with archive.open(member) as data:
        array: NDArray[Any] = np.lib.format.read_array(data, allow_pickle=False)
    array.setflags(write=False)
    return array
