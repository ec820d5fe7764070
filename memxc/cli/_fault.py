"""Write a file about an error in memxc itself. It has no model, unless the user asks for it."""

from __future__ import annotations

import base64
import json
import os
import platform
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from memxc import __version__
from memxc.cli import _machine
from memxc.errors import why

#: If this environment variable is 1, the files of the command line are added to the file.
WITH_FILES = "MEMXC_FAULT_FILES"
#: Larger files are not added.
_MOST_BYTES = 1 << 27


def write(error: Exception, arguments: list[str]) -> str:
    """Write the file, and return where it is, or why it could not be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace",
            prefix="memxc-fault-", suffix=".txt", delete=False,
        ) as file:  # fmt: skip
            file.writelines(f"{line}\n" for line in _lines(error, arguments))
        return f"the details are in {file.name}"
    except OSError as failed:
        return f"the details could not be written ({why(failed)})"


def _lines(error: Exception, arguments: list[str]) -> Iterator[str]:
    yield f"memxc {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield f"processor: {_machine.processor()}, {os.cpu_count()} cores"
    yield ", ".join(f"{name} {version}" for name, version in _machine.versions().items())
    yield f"arguments: {arguments!r}"
    paths = list(_paths(arguments))
    for path in paths:
        yield from _about(path)
    yield "".join(traceback.format_exception(error))
    for path in paths if os.environ.get(WITH_FILES) == "1" else ():
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            yield f"{path} in base64:"
            yield base64.encodebytes(path.read_bytes()).decode("ascii")


def _paths(arguments: list[str]) -> Iterator[Path]:
    """The existing files and folders that the command line names."""
    for argument in arguments:
        for text in dict.fromkeys((argument, argument.partition("=")[2])):
            if text and os.path.exists(text):  # noqa: PTH110 - Path's raises for long names
                yield Path(text)


def _about(path: Path) -> Iterator[str]:
    """The size and hash of a file; for a folder, its model and options."""
    try:
        from memxc.build_folder.read import MANIFEST, sha256

        if path.is_file():
            yield f"{path}: {path.stat().st_size:,} bytes, SHA-256 {sha256(path)}"
        elif (path / MANIFEST).is_file():
            tree = json.loads((path / MANIFEST).read_text("utf-8"))
            kept = {key: tree[key] for key in ("memxc", "model", "options") if key in tree}
            yield f"{path}: {json.dumps(kept)}"
    # The original error must be reported, even if this fails.
    except Exception as failed:  # noqa: BLE001
        yield f"{path}: cannot be read, {failed}"
