"""The output folder, read back: what verify, lvs and report work on."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
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
#: Results of simulate: memxc's own, and not part of what compile wrote. Each knows its design, so
#: they stay where the design is replaced.
RESULTS = "simulate"
SCORES = "results.jsonl"


@dataclass(frozen=True)
class Loaded:
    """An output folder. samples by input name, first axis samples; options as report.json's.

    kinds: the element types of inputs that are no real numbers.
    """

    folder: Path
    design: Design
    target: Target
    options: Mapping[str, Any]
    kinds: Mapping[str, str]
    samples: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    manifest: Mapping[str, Any]

    @property
    def model(self) -> Path | None:
        """The copy of the model, None where it could not be copied."""
        path = self.folder / MODEL
        return path if path.is_file() else None


def load(folder: Path) -> Loaded:
    """Read an output folder. MemxcError (bad-design) where it is none, or not whole."""
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
    """The manifest of an output folder. MemxcError (bad-design) where there is no sound one."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        hint = "give the folder that `memxc compile -o` wrote"
        raise fail("bad-design", str(folder), "not an output folder of memxc", hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(folder, f"{MANIFEST}: {why(error)}") from error
    if not isinstance(found, dict):
        raise _broken(folder, f"{MANIFEST} is no table")
    if found.get("schema") != SCHEMA:
        raise _of_another_version(folder, found)
    if not isinstance(found.get("files"), dict):
        raise _broken(folder, f"{MANIFEST} lists no files")
    return found


def _of_another_version(folder: Path, found: Mapping[str, Any]) -> MemxcError:
    """The fault of a manifest that has another schema: that of an older memxc, or a newer one."""
    schema, version = (printable(str(found.get(key)), 40) for key in ("schema", "memxc"))
    what = (
        f"was compiled by memxc {version}, whose {MANIFEST} has the schema {schema}; "
        f"memxc {__version__} reads {SCHEMA}"
    )
    hint = f"compile the model again, or read the folder with memxc {version}"
    return fail("bad-design", str(folder), what, hint)


def design(folder: Path, found: Mapping[str, Any]) -> Design:
    """The design of an output folder, `found` its manifest. MemxcError (bad-design): as `load`."""
    if report_only(found):
        hint = "compile without --report-only"
        raise fail("bad-design", str(folder), "holds a report and no design", hint)
    made = store.load(folder)
    try:
        _check_circuit(made)
    except ValueError as error:
        raise _broken(folder, f"the design cannot be read back: {error}") from error
    return made


def _check_circuit(made: Design) -> None:
    """ValueError where a design is no programmed circuit: compile leaves none without volts."""
    digital_buses = set[str]()
    for stage in made.stages:
        if isinstance(stage, Linear):
            raise ValueError(f"stage {stage.name!r} is not programmed")
        if isinstance(stage, Digital):
            widths = [made.buses[src].width for src in stage.srcs]
            digital.check(stage.function, stage.options, widths, made.buses[stage.dst].width)
        if isinstance(stage, Digital) or digital_buses.issuperset(stage.srcs):
            digital_buses.add(stage.dst)
    for name, bus in made.buses.items():
        if bus.scale is None and name not in digital_buses:
            raise ValueError(f"design.buses[{name!r}].scale is None, volts per unit are wanted")


def report_only(found: Mapping[str, Any]) -> bool:
    """Whether a manifest is that of a report without a circuit."""
    return "design.json" not in found["files"] and "report.json" in found["files"]


def changed(folder: Path) -> list[str]:
    """Files that are missing or are not what the manifest says, sorted by name."""
    return sorted(
        name for name, known in manifest(folder)["files"].items() if _hash(folder, name) != known
    )


def edited(folder: Path) -> list[str]:
    """Files that are there and are not what the manifest says: somebody's work, sorted by name.

    No file where there is no sound manifest: then all of them are `foreign`, unless there is none.
    """
    try:
        known = manifest(folder)["files"]
    except MemxcError:
        return []
    return sorted(name for name in known if _hash(folder, name) not in (None, known[name]))


def foreign(folder: Path) -> list[str]:
    """Files in an output folder that memxc did not write; every file where it is no such folder."""
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not _is_folder(p)}
    try:
        known = {MANIFEST, *manifest(folder)["files"]}
    except MemxcError:
        return sorted(files)
    return sorted(name for name in files - known if not name.startswith(f"{RESULTS}/"))


@contextmanager
def alone(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other process is in such a block with this folder, and keep others out.

    The system ends a lock with its process, however that ends, and nothing is written. `tell` hears
    that another one is waited for, or that a file system has no locks: then nobody is kept out.
    """
    place = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"another memxc is at work in {folder}: waiting for it")
            fcntl.flock(place, fcntl.LOCK_EX)
        except OSError as error:
            tell(f"{folder} cannot be locked ({error.strerror}): start no other memxc in it")
        yield
    finally:
        os.close(place)


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file. OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _hash(folder: Path, name: str) -> str | None:
    # A manifest is text from a file: it must not lead out of the folder.
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return None
    try:
        return sha256(folder / path)
    except (OSError, ValueError):
        return None


def _broken(folder: Path, what: str) -> MemxcError:
    return fail("bad-design", str(folder), what, "compile the model again")
