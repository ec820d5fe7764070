"""ngspice, as a process: the reference engine, a system package."""

from __future__ import annotations

import re
import shutil
import subprocess  # noqa: TID251
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memxc.engines import OPTIONS, Floats, checked
from memxc.errors import MemxcError, fail

#: Seconds; a 128 x 128 crossbar with wires takes ngspice 39 about three minutes.
_PATIENCE = 3600


class _Ngspice:
    name = "ngspice"
    reports_power = True

    def version(self) -> str | None:
        path = shutil.which("ngspice")
        if path is None:
            return None
        text = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        ).stdout
        found = re.search(r"ngspice-(\S+)", text)
        return found[1] if found else "unknown"

    def sweep(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        path = shutil.which("ngspice")
        if path is None:
            raise fail(
                "missing-engine",
                "ngspice",
                "is not installed",
                "apt-get install ngspice, or take --engine neospice",
            )
        # Only what is asked for is saved; lines stay short.
        saves = "".join(f".save {_vector(net)}\n" for net in outputs)
        text = f"{deck}{saves}.dc vk 0 {max(points - 1, 1)} 1\n{OPTIONS} noacct\n.end\n"
        with tempfile.TemporaryDirectory(prefix="memxc-ngspice-") as folder:
            here = Path(folder)
            (here / "deck.cir").write_text(text, "ascii")
            try:
                done = subprocess.run(
                    [path, "-n", "-b", "-r", "out.raw", "deck.cir"],
                    cwd=here,
                    check=False,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    stdin=subprocess.DEVNULL,
                    timeout=_PATIENCE,
                )
            except subprocess.TimeoutExpired as error:
                raise fail(
                    "engine-failed",
                    "ngspice",
                    f"no answer in {_PATIENCE} s",
                    "take --engine neospice",
                ) from error
            raw = here / "out.raw"
            if done.returncode or not raw.is_file():
                raise _failed(done.stdout + done.stderr)
            table = _read(raw.read_bytes())
        lost = [net for net in outputs if _vector(net) not in table]
        if lost:
            raise fail("engine-failed", "ngspice", f"has no net {', '.join(lost[:5])}")
        values = np.stack([table[_vector(net)] for net in outputs], axis=1)
        if len(values) != max(points, 2):
            raise _failed(done.stdout + done.stderr)
        return checked("ngspice", values[:points])


def _vector(output: str) -> str:
    """ngspice's name of a net's volts, or of what a device reports (`@r.x1.r2[p]`)."""
    return output if output.startswith("@") else f"v({output})"


def _read(raw: bytes) -> dict[str, Floats]:
    """The vectors of a binary raw file of real numbers, by lower-case name."""
    head, _, data = raw.partition(b"Binary:\n")
    text = head.decode("latin-1")
    names = [
        line.split()[1].lower()
        for line in text.partition("Variables:\n")[2].splitlines()
        if line.strip()
    ]
    table = np.frombuffer(data, dtype="<f8")
    table = table[: len(table) // len(names) * len(names)].reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))


def _failed(words: str) -> MemxcError:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if re.search("error|singular|fail|abort", line, re.I)]
    return fail("engine-failed", "ngspice", "; ".join((telling or lines)[-3:]) or "no answer")


ENGINE = _Ngspice()
