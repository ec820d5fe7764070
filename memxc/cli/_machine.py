"""Describe the machine: versions of packages, and the processor."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

#: The dependencies of pyproject.toml.
PACKAGES = (
    "numpy", "scipy", "onnx", "onnxruntime", "neospice", "jinja2", "pydantic", "click",
    "threadpoolctl",
)  # fmt: skip
#: Instructions of x86 processors that change how libraries compute.
_TELLING = ("avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8")


def versions() -> dict[str, str | None]:
    """The version of each dependency, None if it is not installed."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def processor() -> str:
    """The name of the processor, and its instructions that change how libraries compute."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    pairs = [line.partition(":") for line in lines]
    # Every core has the same keys, and the first one is taken.
    fields = {key.strip(): value.strip() for key, _, value in reversed(pairs)}
    name = fields.get("model name") or platform.machine()
    there = [flag for flag in _TELLING if flag in fields.get("flags", "").split()]
    return f"{name} ({', '.join(there)})" if there else name
