"""The walls of the house (docs/architecture.md), read from the source by ast."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import memxc

PACKAGE = Path(memxc.__file__).parent

#: A room imports only from rooms that stand after it: nothing looks up.
ORDER = (
    "__main__", "cli", "exploration", "library", "conformance", "build_folder", "compiler",
    "verify", "lvs", "simulate", "backends", "passes", "analysis", "mapping", "interfaces", "ops",
    "frontend", "evaluation", "physics", "cells", "netlist_reader", "target", "documents", "ir",
    "engines", "dialects", "render", "pdk", "datasets", "jobs", "worker", "plugins", "units",
    "errors",
)  # fmt: skip

#: What these rooms may know beside themselves: less than what stands after them.
KNOWS = {
    "analysis": {"errors", "evaluation", "interfaces", "ir", "ops"},
    "mapping": {"errors", "interfaces", "ir", "physics", "target"},
    "physics": {"errors", "ir", "target"},
    "netlist_reader": {"errors"},
    "cells": {"engines", "errors", "netlist_reader", "pdk", "render", "target"},
    "ir": {"errors"},
    "pdk": {"errors"},
}
#: Who reads netlists back, or takes cells of the user's own. The writer, backends.netlist, may have
#: nothing else from the reader, which shares nothing with it.
READERS = {
    "cells", "cli.bench", "compiler.options", "library.checks", "library.compile", "lvs", "verify",
}  # fmt: skip
OF_OWN_CELLS = {"memxc.netlist_reader.Cells", "memxc.netlist_reader.parameters"}

#: Modules that stand beside the rooms: each is small, and many rooms use it.
LOOSE = {
    "__init__", "__main__", "interfaces", "documents", "errors", "units", "jobs", "render",
    "plugins",
}  # fmt: skip

#: Libraries that only some rooms know, however the import is marked for the linter.
OWNERS = {
    "onnx": {"frontend", "conformance", "backends.twin"},
    "onnxruntime": {"evaluation.reference"},
    "jinja2": {"render"},
    "click": {"cli"},
    "subprocess": {"engines", "worker"},
    "multiprocessing": {"worker"},
    "neospice": {"engines"},
    "gdstk": {"backends.layout"},
    "pydantic": {
        "compiler",
        "documents",
        "passes",
        "target",
        "evaluation.losses",
        "backends.cost.erc_rows",
        "backends.cost.latency_rows",
        "backends.cost.network_rows",
        "backends.cost.power_rows",
        "backends.cost.rows",
        "backends.cost.storage_rows",
        "backends.programming.rows",
        "verify.document",
        "simulate.document",
        "build_folder.diff.document",
        "exploration.document",
        "build_folder.kept",
        "build_folder.report",
        "build_folder.schemas",
    },
    "matplotlib": {
        "backends.pictures",
        "build_folder.page.drawing",
        "exploration",
        "simulate",
    },
}

#: Files and functions over the budget, each with the reason that was good enough.
LONGER: dict[str, str] = {}
FILE_LINES, FUNCTION_LINES = 300, 60

SOURCES = sorted(PACKAGE.rglob("*.py"))


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> list[str]:
    """Full names of what a file imports, wherever in the file."""
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} has a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_every_room_has_its_place():
    rooms = {module(path).partition(".")[0] for path in SOURCES} - {""}
    assert rooms <= set(ORDER)


def test_the_page_has_these_rooms():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8").partition("## Rooms")[2]
    listed = re.search(r"\n\n((?:    [a-z_ ]+\n)+)", page)[1].split()
    assert listed == list(ORDER[1:])
    cells = re.findall(r"^\| (`[^|]*) \|", page, re.M)
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(listed)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: module(p) or "memxc")
def test_nothing_looks_up(path):
    room = module(path).partition(".")[0]
    # The package itself names what is public.
    allowed = {room, "__version__", *ORDER[ORDER.index(room or "exploration") :]}
    used = {name.split(".")[1] for name in imports(path) if name.startswith("memxc.")}
    assert used <= allowed


@pytest.mark.parametrize("room", KNOWS)
def test_a_room_knows_no_more(room):
    for path in SOURCES:
        if module(path).partition(".")[0] == room:
            used = {name.split(".")[1] for name in imports(path) if name.startswith("memxc.")}
            assert used <= {room, *KNOWS[room]}, path.name


def test_few_modules_stand_beside_the_rooms():
    assert {path.stem for path in PACKAGE.glob("*.py")} == LOOSE


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: module(p) or "memxc")
def test_libraries_stay_with_their_owners(path):
    name = module(path)
    for library in {full.partition(".")[0] for full in imports(path)} & set(OWNERS):
        assert any(f"{name}.".startswith(f"{owner}.") for owner in OWNERS[library]), library


def test_the_reader_of_netlists_is_for_those_who_read():
    for path in SOURCES:
        name, used = module(path), {n for n in imports(path) if "netlist_reader" in n}
        own = name.startswith("backends.netlist.") and used <= OF_OWN_CELLS
        reads = any(f"{name}.".startswith(f"{room}.") for room in (*READERS, "netlist_reader"))
        assert not used or own or reads, f"{name} imports {used}"


def test_a_public_class_has_a_name_of_its_own():
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module(path))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_a_pass_stands_alone():
    for path in sorted((PACKAGE / "passes").glob("*.py")):
        assert not path.stem.startswith("_") or path.stem == "__init__", f"a helper: {path.name}"
        found = [name for name in imports(path) if name.startswith("memxc.passes")]
        assert not found, f"{path.name} imports {found}"


def sizes():
    for path in SOURCES:
        text = path.read_text("utf-8")
        yield module(path), text.count("\n"), FILE_LINES
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                yield f"{module(path)}:{node.name}", lines, FUNCTION_LINES


def test_budget():
    over = {name for name, lines, limit in sizes() if lines > limit}
    assert over == set(LONGER)
