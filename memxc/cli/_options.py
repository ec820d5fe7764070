"""Options with a form of their own: --shape, --tile, --stage-set, --mitigate, --budget ..."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click  # noqa: TID251

from memxc import units
from memxc.build_folder.diff import Limit
from memxc.build_folder.verdict import BUDGETS
from memxc.compiler.stage_set import parse, tile, whole
from memxc.errors import once

F = TypeVar("F", bound=Callable[..., Any])

MODEL = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Form(click.ParamType[Any]):
    """A parameter read by `parse`; its ValueError becomes a usage error with the form beside it."""

    def __init__(self, name: str, parse: Callable[[str], Any], example: str) -> None:
        self.name, self._parse, self._example = name, parse, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}; for example {self._example}", param, ctx)


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """NAME=1x3x48x192: the name of an input and its shape."""
    name, equals, sizes = text.rpartition("=")
    if not equals or not name:
        raise ValueError("an input's name and its shape, NAME=1x3x48x192, are wanted")
    return name, tuple(whole(size) for size in sizes.split("x"))


def span(text: str) -> tuple[float, float]:
    """LO,HI: the range of the inputs."""
    parts = text.split(",")
    if len(parts) != 2:
        raise ValueError("two numbers with a comma between them are wanted")
    low, high = (units.parse(part) for part in parts)
    if not low < high:
        raise ValueError("the first number has to be the smaller one")
    if max(abs(low), abs(high)) > units.FLOAT32:
        raise ValueError(f"an input is float32, which ends at {units.FLOAT32:.4g}")
    return low, high


def stage_set(text: str) -> str:
    """STAGE.key=value; the compiler says which stages there are."""
    parse(text)
    return text


def budget(text: str) -> dict[str, float]:
    """KEY=LIMIT,...: crossbars, memristors, power, latency, loss."""
    return {key: units.parse(value, BUDGETS[key][0]) for key, value in _limits(text).items()}


def growth(text: str) -> dict[str, Limit]:
    """KEY=LIMIT,...: by how much a quantity may grow, as an amount or in per cent."""
    found = {}
    for key, value in _limits(text).items():
        relative = value.endswith("%")
        amount = units.parse(value.removesuffix("%"), "" if relative else BUDGETS[key][0])
        found[key] = Limit(amount / 100 if relative else amount, relative)
    return found


def _limits(text: str) -> dict[str, str]:
    """What stands behind each KEY= of a budget."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (word.strip() for word in part.partition("="))
        if key not in BUDGETS or not equals:
            raise ValueError(f"budgets are {', '.join(BUDGETS)}, each with =LIMIT")
        once(key, found)
        found[key] = value
    return found


def mitigations(text: str) -> tuple[str, ...]:
    """NAME,...: passes against wire resistance."""
    from memxc.compiler.options import MITIGATIONS

    found = tuple(part.strip() for part in text.split(","))
    for name in found:
        if name not in MITIGATIONS:
            raise ValueError(f"no mitigation {name!r}; there are {', '.join(MITIGATIONS)}")
    return found


def prune(text: str) -> str:
    """METHOD:AMOUNT."""
    from memxc.compiler import pruning

    pruning.parse(text)
    return text


def ratio(text: str) -> float:
    """A share of the layers, from 0 to 1."""
    value = units.parse(text)
    if not 0 <= value <= 1:
        raise ValueError("a share from 0 to 1 is wanted")
    return value


def sweep(text: str) -> tuple[str, tuple[str, ...]]:
    """KEY=A,B,C: a key of the target and the values to go through."""
    key, equals, values = text.partition("=")
    found = tuple(value.strip() for value in values.split(","))
    if not (equals and key.strip() and all(found)):
        raise ValueError("a key and values with commas between them are wanted")
    return key.strip(), found


SHAPE = _Form("NAME=1x3x48x192", shape, "--shape input=1x3x48x192")
TILE = _Form("R[xC]", tile, "--tile 128 or --tile 256x64")
SPAN = _Form("LO,HI", span, "--input-range -1,1")
STAGE_SET = _Form("STAGE.KEY=VALUE", stage_set, "--stage-set conv1.schedule=sequential")
BUDGET = _Form("KEY=LIMIT,...", budget, "--budget crossbars=200,power=2W,latency=500ns")

GROWTH = _Form("KEY=LIMIT,...", growth, "--budget crossbars=5%,power=0%,loss=0.01")
PRUNE = _Form("METHOD:AMOUNT", prune, "--prune ckf:0.5")
RATIO = _Form("RATIO", ratio, "--separate 0.5")
MITIGATE = _Form("NAME,...", mitigations, "--mitigate both-ends,compensate")
SWEEP = _Form("KEY=A,B,C", sweep, "--sweep device.sigma=0,0.05,0.1")


def shapes(command: F) -> F:
    """The option --shape: a dictionary by name."""
    text = "The shape of an input whose size the model leaves open; again for others."
    return click.option(
        "--shape", "shapes", type=SHAPE, multiple=True, callback=_by_name, help=text
    )(command)


def _by_name(
    ctx: click.Context, param: click.Parameter, pairs: Iterable[tuple[str, tuple[int, ...]]]
) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for name, sizes in pairs:
        try:
            once(name, found)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error
        found[name] = sizes
    return found


def as_json(command: F) -> F:
    """The option --json."""
    text = "One JSON document on standard output."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def settings(command: F) -> F:
    """The option --set."""
    text = "A key of the target otherwise, e.g. wire.r_word_line=2; may be given again."
    return click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=text)(command)


def draw_per(command: F) -> F:
    """The option --draw-per."""
    return click.option(
        "--draw-per",
        type=click.Choice(["placement", "definition"]),
        default="placement",
        show_default=True,
        help="Own devices for every placed crossbar, or shared by equal ones (cheaper).",
    )(command)
