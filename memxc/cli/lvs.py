"""memxc lvs: the netlist read back against the programmed design."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path, PurePosixPath

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import printable

SCHEMA = "memxc-lvs/1"
_SHOWN = 20


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@_options.as_json
def command(folder: Path, as_json: bool) -> int:
    """Read the netlist in DIR back and compare every conductance and connection."""
    from memxc import output
    from memxc.lvs import compare

    loaded = output.load(folder)
    # One top file a dialect; the first is what verify simulates.
    tops = [name for name in loaded.manifest["files"] if PurePosixPath(name).match("netlist/*.*")]
    result = compare(loaded.design, folder / min(tops, default="netlist"))
    clean = not result.differences
    if as_json:
        _terminal.document({"schema": SCHEMA, **asdict(result), "ok": clean})
        return 0 if clean else 1
    for difference in result.differences[:_SHOWN]:
        place = f"{difference.file}:{difference.line}" if difference.line else difference.file
        _terminal.say(
            f"{printable(place)}: {printable(difference.where)}: expected "
            f"{printable(difference.expected)}, found {printable(difference.found)}"
        )
    if len(result.differences) > _SHOWN:
        _terminal.say(f"... {len(result.differences) - _SHOWN} more; --json lists them all")
    _terminal.say(
        f"{result.devices:,} devices, {result.instances:,} instances and "
        f"{result.connections:,} connections compared: "
        + ("clean." if clean else f"{len(result.differences)} differences.")
    )
    _terminal.say(
        f"Next: memxc {'verify' if clean else 'compile'} "
        f"{folder if clean else 'MODEL.onnx -o ' + str(folder)}"
    )
    return 0 if clean else 1
