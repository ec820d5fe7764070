"""Results of verify, lvs and simulate, kept in DIR/results for the page that `memxc report` makes.

Each result names the compilation that it belongs to, by the SHA-256 of manifest.json, so a result
of another compilation is never shown. Files that compile wrote are not changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from memxc.build_folder.page.results import Results
from memxc.build_folder.read import CHECKS, MANIFEST, sha256
from memxc.build_folder.write import write_file
from memxc.documents import Count, Part, place, said
from memxc.errors import fail, why
from memxc.ir import store
from memxc.lvs import NetlistComparison
from memxc.simulate.document import Simulation
from memxc.verify.document import Verified

SCHEMA: Final = "memxc-result/1"
#: A larger file is none that a command of memxc wrote.
_MOST_BYTES = 1 << 24
#: More results than this are shown by no page that anybody could read.
_MOST_FILES = 1000
Command = Literal["verify", "lvs", "simulate"]


class Compared(Part):
    """What lvs compared, and how much of it differs."""

    devices: Count = Field(description="Devices that were compared.")
    instances: Count = Field(description="Instances that were compared.")
    connections: Count = Field(description="Connections to nets that were compared.")
    rows: Count = Field(description="Rows of tables that were compared.")
    differences: Count = Field(description="Places that differ from the design.")
    user_cells: Count = Field(description="Cells of the user, which only verify can judge.")

    @classmethod
    def of(cls, found: NetlistComparison) -> Compared:
        """Return the counts of a comparison."""
        return cls(
            devices=found.devices,
            instances=found.instances,
            connections=found.connections,
            rows=found.rows,
            differences=len(found.differences),
            user_cells=len(found.user_cells),
        )


class KeptResult(Part):
    """The result of one command, with what it was asked for; only one of the documents is there."""

    schema_: Literal["memxc-result/1"] = Field(
        default=SCHEMA,
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    command: Command = Field(description="The command.")
    asked: dict[str, str] = Field(description="The options that make a difference to the result.")
    manifest: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of manifest.json, which names the compilation.",
    )
    verified: Verified | None = Field(default=None, description="The result of verify.")
    compared: Compared | None = Field(default=None, description="The result of lvs.")
    simulated: Simulation | None = Field(default=None, description="The result of simulate.")

    @property
    def words(self) -> str:
        """What it was asked for: "wire, count=4"."""
        return ", ".join(f"{k}={v}" if v != "True" else k for k, v in self.asked.items())


def keep(folder: Path, command: Command, asked: Mapping[str, object], **document: Part) -> None:
    """Write the result of a command into folder/results, in place of one with the same options.

    asked: the options; those that are None, False or empty are left out. document: `verified`,
    `compared` or `simulated`. Raises MemxcError (cannot-write).
    """
    options = {
        key: str(value) for key, value in asked.items() if value not in (None, False, (), "")
    }
    result = KeptResult(
        command=command,
        asked=options,
        manifest=sha256(folder / MANIFEST),
        **document,  # type: ignore[arg-type]
    )
    name = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:8]
    data = store.dumps(result.tree()).encode("ascii")
    write_file(folder / CHECKS / f"{command}-{name}.json", data)


def kept(folder: Path) -> Results:
    """Return the results in a folder. Raises MemxcError (bad-design) if one cannot be read."""
    now = sha256(folder / MANIFEST)
    paths = sorted((folder / CHECKS).glob("*.json"))
    if len(paths) > _MOST_FILES:
        hint = "remove those that the page need not show"
        raise fail("bad-design", str(folder / CHECKS), f"has {len(paths):,} results", hint)
    every = [_read(path) for path in paths]
    valid = [result for result in every if result.manifest == now]
    return Results(
        tuple(result for result in valid if result.verified is not None),
        tuple(result for result in valid if result.compared is not None),
        tuple(result for result in valid if result.simulated is not None),
        len(every) - len(valid),
    )


def _read(path: Path) -> KeptResult:
    hint = "remove this file, and run the command again"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise fail("bad-design", str(path), "is too large for a result of memxc", hint)
        tree: Any = json.loads(path.read_text("utf-8"))
        return KeptResult.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"cannot be read: {place(first['loc'])} {said(dict(first))}"
        raise fail("bad-design", str(path), what, hint) from error
    except (OSError, ValueError, RecursionError) as error:
        raise fail("bad-design", str(path), f"cannot be read: {why(error)}", hint) from error
