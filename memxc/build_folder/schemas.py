"""Make the JSON schemas of memxc's documents, and the page of the report's keys, from the models.

`python -m memxc.cli._generated` writes them into a checkout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from memxc import documents, render
from memxc.backends.programming.rows import Programmed
from memxc.build_folder.diff.document import Comparison
from memxc.build_folder.report.document import Report
from memxc.compiler import declaration
from memxc.compiler.options import Settings
from memxc.simulate.document import Simulation
from memxc.target.characterisation import Characterisation
from memxc.verify.document import Verified


class _TypedReport(Report):
    """The report of a compilation: report.json."""

    options: Settings = Field(description="Options of the compilation.")  # type: ignore[assignment]


_DOCUMENTS: dict[str, tuple[type[documents.Part], str]] = {
    "memxc-report-1.json": (_TypedReport, "memxc compile: report.json"),
    "memxc-verify-1.json": (Verified, "memxc verify --json"),
    "memxc-simulate-1.json": (Simulation, "memxc simulate --json"),
    "memxc-program-1.json": (Programmed, "memxc program --json"),
    "memxc-characterisation-1.json": (Characterisation, "memxc characterize --json"),
    "memxc-diff-1.json": (Comparison, "memxc diff --json"),
}


def files(
    more: Mapping[str, tuple[type[documents.Part], str]],
) -> Iterator[tuple[Path, str]]:
    """Yield each file that is made from the models: its path in a checkout, and its text.

    more: documents of the rooms above, by the names of their files: the model and the command.
    """
    made = {name: documents.schema(*known) for name, known in (_DOCUMENTS | dict(more)).items()}
    report = made["memxc-report-1.json"]
    for name, option in declaration.fields_of(Settings).items():
        report["$defs"]["Settings"]["properties"][name]["description"] = option.option.help
    for name, schema in made.items():
        yield Path("memxc", "schemas", name), json.dumps(schema, indent=1) + "\n"
    rows = list(_keys(report, report["$defs"], "", {"Target": "docs/targets.md"}))
    page = render.report("report-keys.md", rows=rows, renamed=_python_names(Report))
    yield Path("docs", "report-keys.md"), page


def _python_names(document: type[documents.Part]) -> dict[str, str]:
    """Return, for each key that has another name in Python, this name."""
    keys, names = (document.model_json_schema(by_alias=alias) for alias in (True, False))
    parts = [
        (keys, names),
        *((keys["$defs"][part], names["$defs"][part]) for part in keys["$defs"]),
    ]
    return {
        key: name
        for one, other in parts
        for key, name in zip(one.get("properties", ()), other.get("properties", ()), strict=True)
        if key != name
    }


def _keys(
    part: Mapping[str, Any], parts: Mapping[str, Any], place: str, known: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield each key of a document with dots between its parts, its type, and its description.

    If a part is used in several places, its keys are listed at the first one.
    """
    for key, value in part["properties"].items():
        where, name = f"{place}{key}", _named(value)
        # pydantic leaves out a description that equals the description of the part.
        told = value.get("description") or parts[name]["description"]
        if name in known:
            told += f" Its keys are those of `{known[name]}`."
        yield where, _type(value), told
        if name and name not in known:
            known[name] = where
            below = f"{where}[]." if "items" in value else f"{where}."
            yield from _keys(parts[name], parts, below, known)


def _named(value: Mapping[str, Any]) -> str:
    """The name of the part that a value is, may be, or is a list of; "" for other values."""
    inner = value.get("items", value)
    found = [one["$ref"] for one in inner.get("anyOf", [inner]) if "$ref" in one]
    return found[0].rpartition("/")[2] if found else ""


_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "table",
}


def _type(value: Mapping[str, Any]) -> str:
    """A type in plain words."""
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(map(_type, value["anyOf"])))
    if "const" in value or "enum" in value:
        return " or ".join(f'"{word}"' for word in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        # A pair lists the types of its two parts, which are equal.
        inner = _type(value.get("items") or value["prefixItems"][0])
        return f"list of {inner}" if '"' in inner else f"list of {inner}s"
    return _TYPES[value.get("type", "object")]
