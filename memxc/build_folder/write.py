"""Write the output folder: fill a temporary folder beside it, and move that at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from memxc import __version__, plugins, render, target
from memxc.backends import netlist
from memxc.backends.netlist import tables
from memxc.build_folder import read
from memxc.build_folder.page.html import html
from memxc.build_folder.read import MANIFEST, MODEL, SAMPLES, Loaded
from memxc.build_folder.report.build import build
from memxc.build_folder.report.document import Report
from memxc.build_folder.report.text import sizes
from memxc.compiler.run import Compiled
from memxc.errors import Fault, MemxcError, fail
from memxc.frontend.copy import copy
from memxc.ir import store

_EDITED = "was changed since it was compiled, and would be replaced"
_INSTEAD = "copy it elsewhere, give another folder to -o, or replace it with --force"


def check(out: Path, force: bool, inputs: Iterable[Path]) -> None:
    """Refuse an output folder before any work is done.

    A folder that memxc wrote is replaced, except for the results of simulate. If files in it were
    added or changed, it is replaced only with `force`. A folder that contains `inputs` or the
    working folder is never replaced.
    Raises MemxcError: usage, or cannot-write if nothing can be created there.
    """
    where, place = str(out), _real(out)
    if place.exists() and not place.is_dir():
        raise fail("usage", where, "is a file, not a folder", "give another folder to -o")
    for path in (Path.cwd(), *inputs):
        if place == _real(path) or place in _real(path).parents:
            what = f"would be replaced, and {path} is in it"
            raise fail("usage", where, what, "give another folder to -o")
    if place.is_dir() and not force:
        _check_own(where, place)
    try:
        tempfile.TemporaryDirectory(dir=next(p for p in place.parents if p.exists())).cleanup()
    except OSError as error:
        raise _cannot_write(out, error) from error


def _check_own(where: str, place: Path) -> None:
    """Refuse a folder with files that were added or changed. Raises MemxcError (usage)."""
    others = read.foreign(place)
    if others:
        what = f"is not empty: {', '.join(others[:3])}{' ...' if len(others) > 3 else ''}"
        raise fail("usage", where, what, "--force replaces the whole folder")
    edited = read.edited(place)
    if edited:
        faults = [Fault("usage", str(Path(where) / name), _EDITED, _INSTEAD) for name in edited]
        raise MemxcError(faults)


def check_file(path: Path, loaded: Loaded) -> None:
    """Refuse to write a file that belongs to an output folder, or is the model behind it.

    Raises MemxcError (usage).
    """
    place, here = _real(path), _real(loaded.folder)
    parts = {MANIFEST, *loaded.manifest["files"]}
    what = ""
    if place.is_relative_to(here) and place.relative_to(here).as_posix() in parts:
        what = f"is part of {loaded.folder}"
    elif place.is_file() and _same(place, loaded.manifest.get("model")):
        what = "is the model that was compiled"
    if what:
        raise fail("usage", str(path), what, "give another file to -o")


def _same(path: Path, model: Any) -> bool:
    """Whether a file is the model of a manifest."""
    with suppress(OSError):
        return isinstance(model, dict) and read.sha256(path) == model.get("sha256")
    return False


def write(
    compiled: Compiled, out: Path, force: bool = False, dialects: Sequence[str] = ("ngspice",)
) -> Report:
    """Write all files of a compilation (or only the report) to `out`, and return the report.

    If it fails, nothing is left behind. Raises MemxcError as `check` does.
    """
    options = compiled.options
    inputs = [options.model, options.samples, options.cells.folder if options.cells else None]
    check(out, force, [path for path in inputs if path is not None])
    try:
        with _moved_at_the_end(_real(out)) as place:
            found = build(compiled, read.sha256(compiled.options.model))
            _fill(compiled, found, place, dialects)
            _seal(compiled, found, place, dialects)
            _join_results(_real(out), place)
    except OSError as error:
        raise _cannot_write(out, error) from error
    return found


def save(folder: Path, out: Path, force: bool = False) -> None:
    """Copy an output folder to `out`, whole or not at all. Scores in `out` are kept.

    Raises MemxcError as `check` does.
    """
    check(out, force, [])
    if _real(out) == _real(folder):
        return
    if _real(folder) in _real(out).parents:
        raise fail("usage", str(out), f"is inside {folder}, which would be copied into itself")
    try:
        with _moved_at_the_end(_real(out)) as place:
            shutil.copytree(folder, place, symlinks=True, dirs_exist_ok=True)
            _join_results(_real(out), place)
    except OSError as error:
        raise _cannot_write(out, error) from error


def _join_results(old: Path, fresh: Path) -> None:
    """Put the results of an old folder before those of a new one, each score once.

    One complete folder has the old results at any time.
    """
    ours = fresh / read.RESULTS / read.SCORES
    new = ours.read_bytes().splitlines(keepends=True) if ours.is_file() else []
    if not (old / read.RESULTS).is_dir():
        return
    shutil.copytree(old / read.RESULTS, fresh / read.RESULTS, symlinks=True, dirs_exist_ok=True)
    if new and (old / read.RESULTS / read.SCORES).is_file():
        scores = ours.read_bytes()
        known = set(scores.splitlines(keepends=True))
        # A run that was killed may have left a line without its end.
        end = b"\n" if scores and not scores.endswith(b"\n") else b""
        ours.write_bytes(scores + end + b"".join(line for line in new if line not in known))


def write_file(path: Path, data: bytes | Iterable[str]) -> None:
    """Write bytes, or lines of ASCII text, to a file, whole or not at all.

    Raises MemxcError (cannot-write).
    """
    place = _real(path)
    if place.exists() and not place.is_file():
        raise fail("cannot-write", str(path), "is a folder or a device, not a file")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # In a temporary folder, because only its owner could read a file of `tempfile`.
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".memxc-") as holder:
            fresh = Path(holder) / "new"
            if isinstance(data, bytes):
                fresh.write_bytes(data)
            else:
                _write_lines(fresh, data)
            fresh.replace(place)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _fill(compiled: Compiled, found: Report, place: Path, dialects: Sequence[str]) -> None:
    (place / "report.json").write_text(store.dumps(found.tree()), "ascii")
    markdown = render.report("report.md", report=found, sizes=sizes(found))
    for page, text in (("report.md", markdown), ("report.html", html(found))):
        (place / page).write_text(text, "utf-8", newline="\n")
    if not compiled.report_only:
        _fill_design(compiled, place, dialects)


def _fill_design(compiled: Compiled, place: Path, dialects: Sequence[str]) -> None:
    suffixes = render.dialects()
    for dialect in dialects:
        name, device = compiled.options.model.stem, compiled.target.device
        own = compiled.options.cells
        netlist.write(compiled.design, place / "netlist", name, dialect, device, own)
    arrays = dict(compiled.samples)
    if compiled.labels is not None:
        arrays.setdefault("y", compiled.labels)
    store.write_npz(place / SAMPLES, arrays)
    store.save(compiled.design, place)
    _write_lines(place / "mapping.csv", tables.mapping(compiled.design, suffixes[dialects[0]]))
    _write_lines(place / "schedule.csv", tables.schedule(compiled.design))
    copy(compiled.model, place / MODEL)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _seal(compiled: Compiled, found: Report, place: Path, dialects: Sequence[str]) -> None:
    kinds, versions = compiled.graph.kinds, _plugins(compiled, found, dialects)
    own = compiled.options.cells
    files = sorted(p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file())
    manifest = {
        "schema": read.SCHEMA,
        "memxc": __version__,
        "model": {"name": found.model.name, "sha256": found.model.sha256},
        "target": found.target.model_dump(),
        "options": found.tree()["options"],
        "kinds": {name: kinds[name] for name in compiled.design.inputs if name in kinds},
        **({"plugins": versions} if versions else {}),
        **({"cells": dict(own.sha256)} if own is not None else {}),
        "files": {name: read.sha256(place / name) for name in files},
    }
    (place / MANIFEST).write_text(store.dumps(manifest), "ascii")


def _plugins(compiled: Compiled, found: Report, dialects: Sequence[str]) -> dict[str, str]:
    """The versions of the packages whose plug-ins were used, by their names."""
    name = compiled.target.name
    used = [
        *(("memxc.ops", node.op) for node in compiled.graph.nodes),
        *(("memxc.passes", record.name) for record in compiled.records),
        *(("memxc.dialects", dialect) for dialect in dialects),
        *(("memxc.costs", cost) for cost in found.costs),
    ]
    # A file of the user may have the same name as the plug-in; only its values differ.
    if plugins.owner("memxc.targets", name) is not None:
        crossbar = {"crossbar": compiled.target.crossbar}
        if target.load(name).model_copy(update=crossbar) == compiled.target:
            used.append(("memxc.targets", name))
    owners = [plugins.owner(*each) for each in used]
    return {owner.distribution: owner.version for owner in owners if owner is not None}


@contextmanager
def _moved_at_the_end(place: Path) -> Iterator[Path]:
    """A new folder that becomes `place` if the block ends without an error, or is removed."""
    missing = [p for p in reversed(place.parents) if not p.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        holder = Path(tempfile.mkdtemp(prefix=".memxc-", dir=place.parent))
        try:
            fresh = holder / "new"
            fresh.mkdir()
            yield fresh
            _swap(fresh, place, holder / "old")
        finally:
            shutil.rmtree(holder, ignore_errors=True)
    except BaseException:
        for parent in reversed(missing):
            with suppress(OSError):
                parent.rmdir()
        raise


def _swap(fresh: Path, place: Path, old: Path) -> None:
    try:
        if place.exists():
            place.rename(old)
        fresh.rename(place)
    except BaseException:
        if old.exists() and not place.exists():
            old.rename(place)
        raise


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _cannot_write(out: Path, error: OSError) -> MemxcError:
    return fail("cannot-write", str(out), error.strerror or str(error))
