"""memxc show: any of the three representations as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.errors import fail, printable

if TYPE_CHECKING:
    from memxc.ir.deck import Deck
    from memxc.ir.design import Design
    from memxc.ir.graph import Graph
    from memxc.passes import Pass
    from memxc.pipeline import Options


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), metavar="MODEL.onnx|DIR")
@click.option(
    "--at",
    "at",
    type=click.Choice(["graph", "design", "deck"]),
    help="Default: the graph of a model, the design of a folder.",
)
@click.option("--after", metavar="PASS", help="As it stands after this pass of the pipeline.")
@click.option(
    "--shape",
    "shapes",
    type=_options.SHAPE,
    multiple=True,
    help="The shape of an input whose size the model leaves open; again for others.",
)
def command(
    path: Path,
    at: str | None,
    after: str | None,
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
) -> None:
    """Print what a model or a folder is made of, readably."""
    if path.is_dir():
        if after:
            raise fail(
                "usage",
                "--after",
                "a folder holds the end of the pipeline only",
                "give the model instead",
            )
        _terminal.say(_readable(_folder(path, at or "design")))
    else:
        _terminal.say(_readable(_model(path, at, after, dict(shapes))))


def _readable(ir: Graph | Design | Deck) -> str:
    """The text of a representation, with no name in it that a terminal would obey."""
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
    # Attributes may hold text, too.
    return "\n".join(printable(line, len(line) + 1) for line in text.split("\n"))


def _folder(path: Path, at: str) -> Design | Deck:
    from memxc import store
    from memxc.backends import spice

    if at == "graph":
        raise fail("usage", "--at graph", "a folder holds no graph", "give the model instead")
    design = store.load(path)
    return design if at == "design" else spice.assemble(design)


def _model(
    path: Path, at: str | None, after: str | None, shapes: dict[str, tuple[int, ...]]
) -> Graph | Design | Deck:
    from memxc import frontend, pipeline, target
    from memxc.backends import spice
    from memxc.lower import lower
    from memxc.passes import GraphPass

    options = pipeline.Options(path, target.load("hfox-128"), shapes=shapes)
    done = _until(pipeline.default_passes(options), after)
    graph_only = all(isinstance(change, GraphPass) for change in done)
    if at == "graph" or (at is None and graph_only):
        if not graph_only:
            raise fail("usage", f"--after {after}", "comes after the graph has become a design")
        return _graph(frontend.load(path, shapes), done)
    if at == "deck":
        if after:
            raise fail("usage", "--after", "a deck is made after the last pass", "leave it out")
        return spice.assemble(pipeline.compile_model(options).design)
    if graph_only:
        return lower(_graph(frontend.load(path, shapes), done))
    return _compiled(options, done)


def _until(passes: list[Pass], after: str | None) -> list[Pass]:
    names = [change.name for change in passes]
    if after is None:
        return []
    if after not in names:
        raise fail("usage", f"--after {after}", "is not in the pipeline", f"{', '.join(names)}")
    return passes[: names.index(after) + 1]


def _graph(graph: Graph, passes: list[Pass]) -> Graph:
    from memxc.passes import Context, GraphPass
    from memxc.target import load

    ctx = Context(load("hfox-128"), {})
    for change in passes:
        assert isinstance(change, GraphPass)
        graph = change.run(graph, ctx)
    return graph


def _compiled(options: Options, passes: list[Pass]) -> Design:
    from dataclasses import replace

    from memxc.pipeline import compile_model

    texts = []
    for change in passes:
        chosen = ",".join(f"{key}={value}" for key, value in change.options().items())
        texts.append(f"{change.name}{{{chosen}}}" if chosen else change.name)
    return compile_model(replace(options, passes=",".join(texts))).design
