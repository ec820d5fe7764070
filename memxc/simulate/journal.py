"""Results so far, in a file: a run that was interrupted goes on where it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """One JSON line a result, appended as it comes; keyed by everything the result depends on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, float] = {}
        text = path.read_text("utf-8") if path.is_file() else ""
        self._cut = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            self._note(line)

    def get(self, key: Mapping[str, Any]) -> float | None:
        """The result of a run that was finished before, or None."""
        return self._known.get(_digest(key))

    def add(self, key: Mapping[str, Any], value: float) -> None:
        """Keep a result at once. OSError where the file cannot be written."""
        self._known[_digest(key)] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": _digest(key), "value": value, **key}, sort_keys=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._cut + line + "\n")
        self._cut = False

    def _note(self, line: str) -> None:
        try:
            entry = json.loads(line)
            self._known[str(entry["key"])] = float(entry["value"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return  # The last line of a run that was killed while it wrote.


def _digest(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
