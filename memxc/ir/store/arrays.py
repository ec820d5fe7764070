"""Arrays in an .npz file: equal arrays give equal bytes, and reading is safe.

An .npz may come from anybody. Nothing in it is executed, and the size that it claims is compared
with the size of the file before memory is allocated.
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

#: A fixed date for every member of the zip file, so that equal arrays give equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
#: The first bytes of a file of numpy.save, which holds a single array without a name.
_SINGLE = b"\x93NUMPY"
#: Arrays may take 256 MiB of memory or _RATIO times the bytes of their file, whichever is more.
#: Deflate packs a thousand zeros into one byte, so without this a small file could claim any
#: memory.
_FREE = 1 << 28
_RATIO = 100
#: Readers of numpy's header by its version. Version 3 is only for fields with Unicode names, so
#: such an array holds no plain numbers.
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz whose bytes depend only on the arrays: their order, names and contents."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue(), compresslevel=1)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return every array of an .npz, read-only. Raises ValueError or OSError if it is not sound."""
    with path.open("rb") as file:
        if file.read(len(_SINGLE)) == _SINGLE:
            raise ValueError("it holds a single array without a name, as numpy.save writes")
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no .npz file")
        try:
            return _arrays(file, path.stat().st_size)
        except OSError:
            raise
        # zipfile, its decompressors and numpy raise a dozen kinds of errors for a broken file;
        # their text is all that can be said about it.
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
    """Return one array, after its header was compared with the size of its member."""
    with archive.open(member) as data:
        version = np.lib.format.read_magic(data)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename!r} holds no numbers")
        shape, _, dtype = _HEADERS[version](data)
        if dtype.hasobject:
            raise ValueError(f"{member.filename!r} holds objects of Python, which are not read")
        if min(shape, default=0) < 0:
            raise ValueError(f"{member.filename!r} has an axis of negative length")
        claimed, held = math.prod(shape) * dtype.itemsize, member.file_size - data.tell()
        if claimed != held:
            raise ValueError(f"{member.filename!r} claims {claimed:,} bytes and holds {held:,}")
    with archive.open(member) as data:
        array: NDArray[Any] = np.lib.format.read_array(data, allow_pickle=False)
    array.setflags(write=False)
    return array
