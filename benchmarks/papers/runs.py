"""Run memxc as a user does: reports of compiled networks, each compiled once."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "papers"


@cache
def report(model: str, options: str = "") -> dict[str, Any]:
    """report.json of a network of models/, compiled with the options (one string)."""
    return json.loads((folder(model, options, "--report-only") / "report.json").read_text())


@cache
def checked(model: str, options: str = "") -> dict[str, Any]:
    """report.json of a network compiled without --report-only, so it has the losses."""
    return json.loads((folder(model, options) / "report.json").read_text())


@cache
def folder(model: str, *options: str) -> Path:
    """The folder of a network of models/, compiled again."""
    words = " ".join(options).split()
    digest = hashlib.sha256(repr((model, words)).encode()).hexdigest()[:8]
    out = WORK / f"{Path(model).stem}-{digest}"
    out.parent.mkdir(parents=True, exist_ok=True)
    target = [] if "--target" in words else ["-t", "paper-128"]
    model = str(ROOT / "models" / model)
    memxc("compile", model, "-o", str(out), "--force", "--quiet", *target, *words)
    return out


def memxc(*words: str) -> dict[str, Any] | None:
    """The JSON document that a command prints, None if it prints nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "memxc", *words], check=False, capture_output=True, text=True
    )
    # Exit code 1 is a failed check; the row shows by how much.
    if done.returncode > 1:
        raise SystemExit(f"memxc {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout) if done.stdout.startswith("{") else None
