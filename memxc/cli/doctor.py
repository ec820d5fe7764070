"""memxc doctor: is everything there, and does it work?"""

from __future__ import annotations

import platform

import click  # noqa: TID251

from memxc import __version__, units
from memxc.cli import _options, _terminal
from memxc.errors import MemxcError, printable

#: The dependencies of pyproject.toml.
_PACKAGES = (
    "numpy", "scipy", "onnx", "onnxruntime", "neospice", "jinja2", "pydantic", "click",
    "threadpoolctl",
)  # fmt: skip


@click.command()
@_options.as_json
def command(as_json: bool) -> int:
    """Check Python, the packages, the templates and every SPICE engine by a small circuit."""
    rows = [*_packages(), *_files(), *_engines()]
    sound = not any(state == "broken" for _, state, _ in rows)
    if as_json:
        checks = [{"name": n, "state": state, "detail": detail} for n, state, detail in rows]
        _terminal.document({"schema": "memxc-doctor/1", "checks": checks, "ok": sound})
        return 0 if sound else 4
    _terminal.say(units.table(rows))
    if sound:
        _terminal.say("\nEverything that is needed works. Next: memxc check MODEL.onnx")
        return 0
    _terminal.say("\nSomething that is needed is broken: install memxc again.")
    return 4


def _packages() -> list[tuple[str, str, str]]:
    from importlib import metadata

    rows = [("memxc", "ok", __version__), ("python", "ok", platform.python_version())]
    for name in _PACKAGES:
        try:
            rows.append((name, "ok", metadata.version(name)))
        except metadata.PackageNotFoundError:
            rows.append((name, "broken", "not installed"))
    return rows


def _files() -> list[tuple[str, str, str]]:
    from memxc import render, target

    dialects = ", ".join(render.dialects())
    return [
        ("templates", "ok" if dialects else "broken", f"dialects: {dialects or 'none found'}"),
        ("targets", "ok", ", ".join(target.load(name).name for name in target.names())),
    ]


def _engines() -> list[tuple[str, str, str]]:
    from memxc import engines

    rows = []
    for name in engines.names():
        engine = engines.get(name)
        version = engine.version()
        if version is None:
            needed = engine is engines.default()
            rows.append((name, "broken" if needed else "missing", "not installed"))
            continue
        try:
            wrong = engines.check(engine)
        except MemxcError as error:
            wrong = error.faults[0].what
        detail = version if wrong is None else f"{version}: {printable(wrong)}"
        rows.append((name, "broken" if wrong else "ok", detail))
    return rows
