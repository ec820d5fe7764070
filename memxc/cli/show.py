"""memxc show: print one of the three representations as text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.errors import fail, pasted, printable

if TYPE_CHECKING:
    from memxc.ir.deck import Deck
    from memxc.ir.design import Design
    from memxc.ir.graph import Graph


@click.command(cls=_options.Command)
@click.argument("path", type=click.Path(exists=True, path_type=Path), metavar="MODEL.onnx|DIR")
@click.option(
    "--at",
    "at",
    type=click.Choice(["graph", "design", "deck"]),
    help="What to print. The default is the graph of a model, or the design of a folder.",
)
@click.option("--after", metavar="PASS", help="Print the network as it is after this pass.")
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.svg",
    help="Draw the network of a folder as a picture, or with --stage the floor plan of a stage.",
)  # fmt: skip
@click.option("--stage", metavar="NAME", help="The stage that --svg draws.")
@_options.declared(of_network=True)
def command(
    path: Path,
    at: str | None,
    after: str | None,
    svg: Path | None,
    stage: str | None,
    **asked: Any,
) -> None:
    """Print the graph, the design or the deck of a model or a folder as text, or draw a folder."""
    if svg is not None:
        _draw(path, svg, stage, at or after)
    elif stage is not None:
        raise fail("usage", "--stage", "goes with --svg", "add --svg FILE.svg")
    elif path.is_dir():
        if after:
            raise fail(
                "usage",
                "--after",
                "a folder has only the result of the last pass",
                "give the model instead",
            )
        _terminal.say(_readable(_folder(path, at or "design")))
    else:
        _terminal.say(_readable(_model(path, at, after, asked)))


def _draw(path: Path, svg: Path, stage: str | None, other: str | None) -> None:
    from memxc.build_folder.page import drawing
    from memxc.build_folder.write import write_file

    if other:
        raise fail("usage", "--svg", "draws a folder, without --at and --after", "leave these out")
    if not path.is_dir():
        hint = pasted("memxc", "compile", path, "-o", "DIR")
        raise fail("usage", "--svg", "draws a folder, and this is a model", hint)
    write_file(svg, drawing.svg(path, stage).encode())
    _terminal.say(f"Written to {svg}")


def _readable(ir: Graph | Design | Deck) -> str:
    """The text of a representation, with control characters in names escaped."""
    from memxc.ir.design import Design
    from memxc.ir.graph import Graph

    names = {ir.name}
    if isinstance(ir, Graph):
        names |= {*ir.shapes, *(node.name for node in ir.nodes)}
    elif isinstance(ir, Design):
        names |= {*ir.buses, *(stage.name for stage in ir.stages)}
    text = str(ir)
    for name in sorted(names, key=len, reverse=True):
        if name != printable(name):
            text = text.replace(name, printable(name))
    # Attributes may contain text, too.
    return "\n".join(printable(line, len(line) + 1) for line in text.split("\n"))


def _folder(path: Path, at: str) -> Design | Deck:
    from memxc.backends import netlist
    from memxc.build_folder import read

    if at == "graph":
        raise fail("usage", "--at graph", "a folder has no graph", "give the model instead")
    design = read.design(path, read.manifest(path))
    return design if at == "design" else netlist.assemble(design)


def _model(
    path: Path, at: str | None, after: str | None, asked: dict[str, Any]
) -> Graph | Design | Deck:
    from memxc import target
    from memxc.backends import netlist
    from memxc.compiler.options import Options
    from memxc.compiler.run import steps
    from memxc.ir.graph import Graph
    from memxc.ops.lower import lower

    options = Options(path, target.load("hfox-128"), **asked)
    if at == "deck":
        if after:
            raise fail("usage", "--after", "the deck is made after the last pass", "leave it out")
        return netlist.assemble(_last(steps(options)))
    stop = after or ("lower" if at == "design" else "load")
    found = {}
    for name, step in steps(options):
        found[name] = step
        if name == stop:
            break
    if stop not in found:
        raise fail(
            "usage", f"--after {after}", "there is no such pass in the pipeline", ", ".join(found)
        )
    ir = found[stop]
    if at == "graph" and not isinstance(ir, Graph):
        raise fail(
            "usage",
            f"--after {after}",
            "the network is a design after this pass, and no longer a graph",
        )
    return lower(ir) if at == "design" and isinstance(ir, Graph) else ir


def _last(steps: Iterable[tuple[str, Graph | Design]]) -> Design:
    from memxc.ir.design import Design

    *_, (_, design) = steps
    assert isinstance(design, Design)
    return design
