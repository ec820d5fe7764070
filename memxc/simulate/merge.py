"""Shards of a plan: where each keeps its results, and how they become one journal.

    DIR/simulate/shards/PLAN.json           the plan: the digests of all its results, in order
    DIR/simulate/shards/PLAN.3-of-40.jsonl  the results of a shard, as lines of a journal

PLAN is the first 16 digits of the SHA-256 of these digests, and a digest covers all that a result
depends on: the design, the data, the settings, the draw. So a shard can be computed in the folder
itself, or in a copy of it on another machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from memxc.errors import Fault, MemxcError, fail, why
from memxc.jobs import Shard
from memxc.simulate.journal import entry_of

_FOLDER = "shards"
#: Bytes of a digest and what is around it, and the most results that a plan may have.
_DIGEST, _MOST = 70, 10_000_000
#: The largest journal of a shard, in bytes.
_LARGEST = 1 << 30


@dataclass(frozen=True)
class JoinedPlan:
    """What came of a merge.

    added: results that the journal did not have. missing: the numbers of results of the plan that
    no shard has, from 0 on. spoilt: lines that do not fit their checksum, as texts.
    """

    plan: str
    total: int
    added: int
    missing: tuple[int, ...]
    spoilt: tuple[str, ...]


def plan_name(digests: Sequence[str]) -> str:
    """Return the name of a plan."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def journal_of(results: Path, digests: Sequence[str], shard: Shard) -> Path:
    """Return the path of a shard's journal. results: the folder of all results."""
    name = f"{plan_name(digests)}.{shard.number}-of-{shard.of}.jsonl"
    return results / _FOLDER / name


def plan_text(digests: Sequence[str]) -> str:
    """Return the text of the plan's file."""
    return json.dumps({"plan": plan_name(digests), "results": list(digests)}, indent=0) + "\n"


def plan_file(results: Path, digests: Sequence[str]) -> Path:
    """Return the path of the plan's file."""
    return results / _FOLDER / f"{plan_name(digests)}.json"


def merge(kept: Path, parts: Sequence[Path]) -> tuple[list[JoinedPlan], list[str]]:
    """Join the results of all shards in some folders of results with those of a journal.

    kept: the journal, which may be missing. Returns what came of each plan, and the lines of the
    joined journal: those of no plan first, then those of each plan in its order, as a single run
    writes them. Raises MemxcError: usage without any shard, or where two results of one key differ.
    """
    plans = dict[str, list[str]]()
    for part in parts:
        for file in sorted((part / _FOLDER).glob("*.json")):
            plans.setdefault(file.stem, _plan(file))
    if not plans:
        where = ", ".join(map(str, parts))
        hint = "memxc simulate DIR --data FILE.npz --shard 1/40 makes one"
        raise fail("usage", where, "has no results of shards", hint)
    mine, found = _Found(), _Found()
    if kept.is_file():
        mine.read(kept)
    for name in plans:
        for part in parts:
            for file in sorted((part / _FOLDER).glob(f"{name}.*-of-*.jsonl")):
                found.read(file)
    found.compare(mine)
    if found.faults:
        raise MemxcError(found.faults)
    known = found.lines | mine.lines
    planned = {digest for digests in plans.values() for digest in digests}
    lines = mine.unread + [line for digest, line in mine.lines.items() if digest not in planned]
    lines += [known[one] for digests in plans.values() for one in digests if one in known]
    merged = [
        JoinedPlan(
            plan=name,
            total=len(digests),
            added=sum(one in known and one not in mine.lines for one in digests),
            missing=tuple(n for n, one in enumerate(digests) if one not in known),
            spoilt=tuple(found.spoilt),
        )
        for name, digests in plans.items()
    ]
    return merged, lines


class _Found:
    """The lines of journals by the digest of their keys, and what is wrong with others."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.unread: list[str] = []
        self.spoilt: list[str] = []
        self.faults: list[Fault] = []
        self._values: dict[str, tuple[float, Path]] = {}

    def read(self, file: Path) -> None:
        """Read a journal."""
        for number, line in _lines(file):
            entry = entry_of(line)
            if entry is None:
                self.unread.append(line)
                self.spoilt.append(f"{file}: line {number} was changed or cut, and is not used")
                continue
            digest, value = entry
            self.lines.setdefault(digest, line)
            before, where = self._values.setdefault(digest, (value, file))
            if before != value:
                self._differs(file, digest, where)

    def compare(self, other: _Found) -> None:
        """Find results that differ from those of others."""
        for digest, (value, file) in self._values.items():
            theirs, where = other._values.get(digest, (value, file))
            if theirs != value:
                self._differs(file, digest, where)

    def _differs(self, file: Path, digest: str, where: Path) -> None:
        what = f"result {digest[:16]} differs from that in {where}"
        hint = "one of them was computed on another type of processor, or was changed"
        self.faults.append(Fault("usage", str(file), what, hint))


def _plan(file: Path) -> list[str]:
    """Return the digests of a plan's file. Raises MemxcError (usage) if it is no plan."""
    try:
        if not file.is_file() or file.stat().st_size > _DIGEST * _MOST:
            raise ValueError("it is too long, or no file")
        digests = json.loads(file.read_text("utf-8"))["results"]
        if plan_name(digests) != file.stem:
            raise ValueError("its results are not those that its name says")
    except OSError as error:
        raise fail("usage", str(file), why(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        what = "is no plan of shards"
        raise fail("usage", str(file), what, "compute the shard again") from error
    return list(digests)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            raise fail("usage", str(file), f"is no file of at most {_LARGEST:,} bytes")
        text = file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise fail("usage", str(file), why(error)) from error
    yield from enumerate(text.removesuffix("\n").split("\n") if text else (), 1)
