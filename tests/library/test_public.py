"""Public names are declared, typed and documented; and `import memxc` is quick."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import memxc
from memxc.documents import Part
from memxc.library.options import Keywords

PAGE = (Path(memxc.__file__).parent.parent / "docs" / "library.md").read_text("utf-8")


def own(kind):
    """The public members of a class that memxc itself defines, by name."""
    found = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("memxc"):
            found |= {n: member for n, member in vars(base).items() if not n.startswith("_")}
    return found


def function(member):
    """The function of a method or a property; None for a field."""
    member = getattr(member, "func", None) or getattr(member, "fget", None) or member
    member = getattr(member, "__func__", member)
    return member if inspect.isfunction(member) else None


def classes(hint):
    """The classes of memxc in a type."""
    if inspect.isclass(hint) and hint.__module__.startswith("memxc"):
        yield hint
    for part in get_args(hint):
        yield from classes(part)


def results():
    """The records that methods of a Build return, and those in their fields.

    The fields of a `Part` are described where they stand, and so in the schemas.
    """
    methods = map(function, own(memxc.Build).values())
    todo = [get_type_hints(method)["return"] for method in methods if method]
    found = {}
    while todo:
        for kind in classes(todo.pop()):
            if (dataclasses.is_dataclass(kind) or issubclass(kind, Part)) and kind not in found:
                found[kind] = None
                todo += get_type_hints(kind).values()
    return list(found)


def members():
    """(name in the page or None, name of the place, what it is) of all that is public."""
    for name in set(memxc.__all__) - {"__version__"}:
        yield name, f"memxc.{name}", getattr(memxc, name)
    for name in memxc.samples.__all__:
        yield name, f"samples.{name}", getattr(memxc.samples, name)
    for name, member in own(memxc.Build).items():
        yield name, f"Build.{name}", function(member)
    for kind in results():
        yield None, kind.__name__, kind
        if not issubclass(kind, Part):
            for name, member in own(kind).items():
                yield name, f"{kind.__name__}.{name}", function(member)
            for field in dataclasses.fields(kind):
                yield field.name, f"{kind.__name__}.{field.name}", None


MEMBERS = sorted({place: (name, what) for name, place, what in members()}.items())


def test_the_walk_comes_to_the_end_of_results():
    places = dict(MEMBERS)
    for place in (
        "memxc.load",
        "Build.twin",
        "SweepScores.to_pandas",
        "SweepRow.mean",
        "UserCell.line",
    ):
        assert place in places


@pytest.mark.parametrize(
    ("place", "name"), [(place, name) for place, (name, _) in MEMBERS if name is not None]
)
def test_a_public_name_is_in_the_page(place, name):
    assert re.search(rf"`(\w+\.)?{name}\b", PAGE), f"{place} is not in docs/library.md"


@pytest.mark.parametrize(
    ("place", "what"),
    [(place, what) for place, (_, what) in MEMBERS if what is not None],
)
def test_a_public_name_is_documented_and_typed(place, what):
    assert inspect.getdoc(what), f"{place} has no docstring"
    if inspect.isfunction(what):
        hints = get_type_hints(what)
        names = set(inspect.signature(what).parameters) - {"self"}
        assert names | {"return"} <= set(hints), f"{place} has arguments without a type"


def test_every_keyword_is_in_the_page():
    for what in (memxc.compile, memxc.load, *map(function, own(memxc.Build).values())):
        for name in set(inspect.signature(what).parameters) - {"self", "options"} if what else ():
            assert re.search(rf"[`(, {{]{name}\b", PAGE), name


def test_the_keywords_of_compile_are_the_options():
    """They are the options of memxc.Options with a default, and have the same types.

    Where an option is a tuple, the keyword may also be the only one of its values.
    """
    hints = get_type_hints(memxc.Options)
    for name in ("model", "target", "samples", "cells"):  # arguments of compile
        del hints[name]
    found = get_type_hints(Keywords)
    assert found.keys() == hints.keys()
    for name in ("digital", "mitigate", "prune", "inputs", "outputs", "stage_set"):
        found[name] = get_args(found[name])[-1]
    for name in ("fix", "shapes"):
        found[name] = Mapping[str, get_args(get_args(found[name])[1])[-1]]
    assert found == hints


def test_public_names_are_declared_once_for_python_and_for_type_checkers():
    tree = ast.parse(Path(memxc.__file__).read_text("utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If) and not n.orelse)
    typed = {(a.name, n.module) for n in block.body for a in n.names}
    assert typed == set(memxc._MODULES.items())
    assert {*memxc._MODULES, "__version__"} == set(memxc.__all__)
    assert dir(memxc) == sorted(memxc.__all__)
    assert not hasattr(memxc, "nothing")


def test_the_import_is_quick():
    heavy = "numpy", "scipy", "onnx", "onnxruntime", "pydantic", "click", "jinja2"
    code = f"import sys, memxc; dir(memxc); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
