"""Read an output folder back, for verify, lvs, report and the other commands."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import NDArray

from memxc import __version__
from memxc.errors import MemxcError, fail, printable, why
from memxc.evaluation import digital, samples
from memxc.ir import store
from memxc.ir.design import Design
from memxc.ir.stages import Digital, Linear
from memxc.target import Target

MANIFEST = "manifest.json"
SCHEMA = "memxc-manifest/1"
MODEL = "model.onnx"
SAMPLES = "samples.npz"
#: Results of simulate, which compile does not write. Each names its design, so they are kept when
#: the design is replaced.
RESULTS = "simulate"
SCORES = "results.jsonl"
#: Results of verify, lvs and simulate for the page, and the page with them. They belong to one
#: compilation, so they go when the folder is replaced.
CHECKS = "results"
_CHECK = re.compile(rf"{CHECKS}/(report\.html|(verify|lvs|simulate)-[0-9a-f]{{8}}\.json)")


@dataclass(frozen=True)
class Loaded:
    """An output folder.

    samples: by input name, with samples along the first axis. options: as in report.json.
    kinds: the element types of inputs that are not real numbers. measured: the SHA-256 of measured
    conductances that replace those of the folder in `design`, "" for the programmed ones.
    """

    folder: Path
    design: Design
    target: Target
    options: Mapping[str, Any]
    kinds: Mapping[str, str]
    samples: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    manifest: Mapping[str, Any]
    measured: str = ""

    @property
    def model(self) -> Path | None:
        """The copy of the model, None if it could not be copied."""
        path = self.folder / MODEL
        return path if path.is_file() else None


def load(folder: Path) -> Loaded:
    """Read an output folder. Raises MemxcError (bad-design) if it is none, or not complete."""
    found = manifest(folder)
    made = design(folder, found)
    try:
        target = Target.model_validate(found["target"])
        options = dict(found["options"])
        kinds = {str(name): str(kind) for name, kind in found["kinds"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _broken(folder, f"{MANIFEST}: {type(error).__name__}: {error}") from error
    shapes = {name: made.buses[name].shape for name in made.inputs}
    given = samples.read(folder / SAMPLES, shapes, kinds=kinds)
    return Loaded(folder, made, target, options, kinds, given.inputs, given.labels, found)


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an output folder. Raises MemxcError (bad-design) if there is no valid one."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        hint = "give the folder that `memxc compile -o` wrote"
        raise fail("bad-design", str(folder), "not an output folder of memxc", hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(folder, f"{MANIFEST}: {why(error)}") from error
    if not isinstance(found, dict):
        raise _broken(folder, f"{MANIFEST} is not a table")
    if found.get("schema") != SCHEMA:
        raise _of_another_version(folder, found)
    if not isinstance(found.get("files"), dict):
        raise _broken(folder, f"{MANIFEST} lists no files")
    return found


def _of_another_version(folder: Path, found: Mapping[str, Any]) -> MemxcError:
    """The fault for a manifest with another schema, of an older or newer memxc."""
    schema, version = (printable(str(found.get(key)), 40) for key in ("schema", "memxc"))
    what = (
        f"was compiled by memxc {version}, whose {MANIFEST} has the schema {schema}; "
        f"memxc {__version__} reads {SCHEMA}"
    )
    hint = f"compile the model again, or read the folder with memxc {version}"
    return fail("bad-design", str(folder), what, hint)


def design(folder: Path, found: Mapping[str, Any]) -> Design:
    """The design of an output folder, whose manifest is `found`. Raises as `load`."""
    if report_only(found):
        hint = "compile without --report-only"
        raise fail("bad-design", str(folder), "has a report and no design", hint)
    made = store.load(folder)
    try:
        _check_circuit(made)
    except ValueError as error:
        raise _broken(folder, f"the design cannot be read back: {error}") from error
    return made


def _check_circuit(made: Design) -> None:
    """Raise ValueError if a design is not programmed, or if an analog bus has no scale."""
    for stage in made.stages:
        if isinstance(stage, Linear):
            raise ValueError(f"stage {stage.name!r} is not programmed")
        if isinstance(stage, Digital) and stage.subgraph is None:
            widths = [made.buses[src].width for src in stage.srcs]
            digital.check(stage.function, stage.options, widths, made.buses[stage.dst].width)
    digital_buses = made.digital
    for name, bus in made.buses.items():
        if (bus.scale is None) != (name in digital_buses):
            raise ValueError(
                f"design.buses[{name!r}].scale is {bus.scale}: an analog bus has volts per unit, "
                "and a digital one has none"
            )
    if made.islands:
        from memxc.frontend import island  # noqa: PLC0415 - it imports onnx, which takes time

        island.check(made)


def report_only(found: Mapping[str, Any]) -> bool:
    """Whether a manifest belongs to a report without a circuit."""
    return "design.json" not in found["files"] and "report.json" in found["files"]


def changed(folder: Path) -> list[str]:
    """Files that are missing or were changed since the folder was written, sorted by name."""
    return sorted(
        name for name, known in manifest(folder)["files"].items() if _hash(folder, name) != known
    )


def edited(folder: Path) -> list[str]:
    """Files that exist and were changed since the folder was written, sorted by name.

    The list is empty if there is no valid manifest: then all files are `foreign`.
    """
    try:
        known = manifest(folder)["files"]
    except MemxcError:
        return []
    return sorted(name for name in known if _hash(folder, name) not in (None, known[name]))


def foreign(folder: Path) -> list[str]:
    """Files in an output folder that memxc did not write; all files if it is not such a folder."""
    files = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    try:
        known = {MANIFEST, *manifest(folder)["files"]}
    except MemxcError:
        return sorted(files)
    return sorted(
        name
        for name in files - known
        if not name.startswith(f"{RESULTS}/") and not _CHECK.fullmatch(name)
    )


@contextmanager
def locked(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Lock the folder for the block, and wait first while another process has the lock.

    The lock ends with the process, and nothing is written. `tell` is called with a message if
    another process has the lock, or if the file system has no locks: then the folder is not locked.
    """
    place = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"another memxc uses {folder}: waiting for it")
            fcntl.flock(place, fcntl.LOCK_EX)
        except OSError as error:
            tell(f"{folder} cannot be locked ({error.strerror}): start no other memxc in it")
        yield
    finally:
        os.close(place)


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(folder: Path, name: str) -> str | None:
    # Anybody may have written the manifest, so its paths must not lead out of the folder.
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return None
    try:
        return sha256(folder / path)
    except (OSError, ValueError):
        return None


def _broken(folder: Path, what: str) -> MemxcError:
    return fail("bad-design", str(folder), what, "compile the model again")
