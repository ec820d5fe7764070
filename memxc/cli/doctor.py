"""memxc doctor: check that everything memxc needs is installed and works."""

from __future__ import annotations

import platform

import click  # noqa: TID251

from memxc import __version__, plugins, units
from memxc.cli import _machine, _options, _terminal
from memxc.errors import MemxcError, printable


@click.command()
@_options.as_json
def command(as_json: bool) -> int:
    """Check the installation: Python, packages, processor, templates, plug-ins, SPICE engines."""
    processor = [("processor", "ok", _machine.processor()), ("uint8 x int8", *_products())]
    rows = [*_packages(), *processor, *_files(), *_engines(), *_plugins()]
    sound = not any(state == "broken" for _, state, _ in rows)
    if as_json:
        checks = [{"name": n, "state": state, "detail": detail} for n, state, detail in rows]
        _terminal.document({"schema": "memxc-doctor/1", "checks": checks, "ok": sound})
        return 0 if sound else 4
    _terminal.say(units.table(rows))
    if sound:
        _terminal.following("memxc check MODEL.onnx", "\nEverything that is needed works. ")
        return 0
    _terminal.say("\nSomething that is needed is broken: install memxc again.")
    return 4


def _packages() -> list[tuple[str, str, str]]:
    rows = [("memxc", "ok", __version__), ("python", "ok", platform.python_version())]
    for name, version in _machine.versions().items():
        rows.append((name, "ok", version) if version else (name, "broken", "not installed"))
    return rows


def _products() -> tuple[str, str]:
    """Measure whether onnxruntime computes quantised networks exactly on this processor."""
    try:
        from memxc.frontend import exact

        constant, given = exact.codes_off(constant=True), exact.codes_off(constant=False)
    except Exception as error:  # noqa: BLE001 - a package may be missing or broken
        return "broken", f"cannot be measured: {printable(str(error))}"
    if constant:
        what = f"onnxruntime is wrong by up to {constant} of 255 codes: memxc would compare "
        return "broken", f"{what}quantised networks with wrong answers"
    if given:
        return "inexact", (
            "onnxruntime is exact if weights are constants; if they are an input of the model or "
            f"computed from one, it is wrong by up to {given} of 255 codes on this processor, and "
            "compile, verify and simulate compare such a network with these wrong answers"
        )
    return "ok", "products are exact"


def _files() -> list[tuple[str, str, str]]:
    from memxc import render, target

    dialects = ", ".join(render.dialects())
    return [
        ("templates", "ok" if dialects else "broken", f"dialects: {dialects or 'none found'}"),
        ("targets", "ok", ", ".join(target.load(name).name for name in target.names())),
    ]


def _plugins() -> list[tuple[str, str, str]]:
    """A row for each plug-in, and for each one that cannot be used."""
    from memxc import ops, passes
    from memxc.backends.cost import plugged

    for load in (ops.available, passes.available, plugged.available):
        load()
    rows = [(f"{p.group} {p.name}", "ok", str(p)) for p in plugins.every()]
    return [*rows, *(("plug-in", "left out", sentence) for sentence in plugins.left_out())]


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
