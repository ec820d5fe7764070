"""Results so far, in a file, so that an interrupted run continues where it stopped."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memxc.errors import MemxcError, fail


class Journal:
    """One JSON line for each result, written at once; its key is all that the result depends on.

    Each line has a checksum. A line that does not match its own was changed or cut off: it is not
    used, it stays in the file, and its number is in `spoilt`. Raises MemxcError (cannot-write) if
    results cannot be kept in the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, float] = {}
        self.spoilt: list[int] = []
        try:
            text = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
        except OSError as error:
            raise self._useless(error) from error
        self._cut = bool(text) and not text.endswith("\n")
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
            self._note(number, line)

    def get(self, key: Mapping[str, Any]) -> float | None:
        """Return the result of an earlier run, or None."""
        return self._known.get(digest_of(key))

    def add(self, key: Mapping[str, Any], value: float) -> None:
        """Write a result at once. Raises MemxcError (cannot-write) if that is not possible."""
        self._known[digest_of(key)] = value
        entry = {"key": digest_of(key), "value": value, **key}
        line = json.dumps({**entry, "check": digest_of(entry)}, sort_keys=True)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._cut + line + "\n")
        except OSError as error:
            raise self._useless(error) from error
        self._cut = False

    def _note(self, number: int, line: str) -> None:
        found = entry_of(line)
        if found is None:
            self.spoilt.append(number)
        elif math.isfinite(found[1]):
            self._known[found[0]] = found[1]

    def _useless(self, error: OSError) -> MemxcError:
        what = f"results cannot be kept there: {error.strerror}"
        return fail(
            "cannot-write", str(self.path), what, "move away what is there, or choose another path"
        )


def entry_of(line: str) -> tuple[str, float] | None:
    """Return the digest of the key and the value of a line, or None if it was changed or cut."""
    try:
        entry = json.loads(line)
        sound = entry.pop("check") == digest_of(entry)
        key, value = str(entry["key"]), float(entry["value"])
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return (key, value) if sound else None


def digest_of(key: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a key."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
