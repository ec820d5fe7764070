"""Options of the commands: those that the compiler declares, and those that a command adds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click  # noqa: TID251

from memxc import units
from memxc.build_folder.quantities import Limit
from memxc.build_folder.verdict import BUDGETS
from memxc.compiler.forms import tile_size
from memxc.errors import once
from memxc.jobs import Shard

if TYPE_CHECKING:
    from memxc.compiler.declaration import Declared

F = TypeVar("F", bound=Callable[..., Any])

MODEL = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Form(click.ParamType[Any]):
    """A parameter that `parse` reads. A ValueError of it becomes a usage error with an example."""

    def __init__(self, name: str, parse: Callable[[str], Any], example: str) -> None:
        self.name, self._parse, self._example = name, parse, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            example = f"; for example {self._example}" if self._example else ""
            self.fail(f"{value!r}: {error}{example}", param, ctx)


def budget(text: str) -> dict[str, float]:
    """KEY=LIMIT,...: the limit of each key, in SI units. Raises ValueError."""
    return {key: units.parse(value, BUDGETS[key].unit) for key, value in _limits(text).items()}


def growth(text: str) -> dict[str, Limit]:
    """KEY=LIMIT,...: how much each figure may grow (an amount, or per cent). Raises ValueError."""
    found = {}
    for key, value in _limits(text).items():
        relative = value.endswith("%")
        amount = units.parse(value.removesuffix("%"), "" if relative else BUDGETS[key].unit)
        found[key] = Limit(amount / 100 if relative else amount, relative)
    return found


def _limits(text: str) -> dict[str, str]:
    """The text of each limit by its key."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (word.strip() for word in part.partition("="))
        if key not in BUDGETS or not equals:
            raise ValueError(f"the keys of a budget are {', '.join(BUDGETS)}, each with =LIMIT")
        once(key, found)
        found[key] = value
    return found


def sweep(text: str) -> tuple[str, tuple[str, ...]]:
    """KEY=A,B,C: a key of the target, and its values in a sweep. Raises ValueError."""
    key, equals, values = text.partition("=")
    found = tuple(value.strip() for value in values.split(","))
    if not (equals and key.strip() and all(found)):
        raise ValueError("give a key, and values with commas between them")
    return key.strip(), found


TILE = Form("R[xC]", tile_size, "--tile 128 or --tile 256x64")
BUDGET = Form("KEY=LIMIT,...", budget, "--budget crossbars=200,power=2W,latency=500ns")

GROWTH = Form("KEY=LIMIT,...", growth, "--budget crossbars=5%,power=0%,loss=0.01")


def _shard(text: str) -> Shard:
    return Shard.read(text, os.environ)


SHARD = Form("K/N|slurm", _shard, "--shard 3/40")
SWEEP = Form("KEY=A,B,C", sweep, "--sweep device.sigma=0,0.05,0.1")


class _Placeholder(click.Option):
    """Marks the position of the declared options among the options of a command."""

    def __init__(self, of_network: bool) -> None:
        super().__init__(["--declared"])
        self.of_network = of_network


class Command(click.Command):
    """A command with options that the compiler declares.

    These options come from the passes, whose import takes time. So they are made when a command
    line is read, and not for the list of all commands. `begin` is called with the arguments first.
    """

    def __init__(
        self, *args: Any, begin: Callable[[list[str]], None] = lambda args: None, **attrs: Any
    ) -> None:
        super().__init__(*args, **attrs)
        self._begin = begin

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read a command line."""
        if not set(ctx.help_option_names) & set(args):
            self._begin(args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters, each placeholder replaced by the options it stands for."""
        found: list[click.Parameter] = []
        for param in super().get_params(ctx):
            found += _declared(param.of_network) if isinstance(param, _Placeholder) else [param]
        return found


def declared(of_network: bool = False) -> Callable[[F], F]:
    """Add the options that compiler.options declares to a command of the class `Command`.

    of_network: add only those that choose the network, and what becomes of its nodes.
    """

    def placed(command: F) -> F:
        params = vars(command).setdefault("__click_params__", [])
        params.append(_Placeholder(of_network))
        return command

    return placed


def _declared(of_network: bool) -> list[click.Option]:
    from memxc.compiler.declaration import fields_of
    from memxc.compiler.options import Options

    fields = fields_of(Options).values()
    return [
        _option(field)
        for field in fields
        if field.option.of_network or field.option.of_nodes or not of_network
    ]


def _option(field: Declared) -> click.Option:
    """The option of the command line that a field of Options declares."""
    option = field.option
    return click.Option(
        [option.flag, field.name],
        help=option.help,
        metavar=option.metavar or None,
        type=_kind(field),
        is_flag=field.kind is bool,
        multiple=option.repeated,
        default=field.default,
        show_default=option.default or (field.default not in (None, ()) and field.kind is not bool),
        callback=_joined(field) if option.repeated else None,
    )


def _kind(field: Declared) -> click.ParamType[Any] | None:
    if field.kind is bool:
        return None
    if field.choices:
        return click.Choice(field.choices)
    if field.kind is Path:
        return FILE
    return Form(field.option.metavar, field.read, field.option.example)


def _joined(field: Declared) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, param: click.Parameter, values: Any) -> Any:
        try:
            return field.joined(values)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return callback


def as_json(command: F) -> F:
    """Add the option --json to a command."""
    text = "Print one JSON document on standard output."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def settings(command: F) -> F:
    """Add the option --set to a command."""
    text = (
        "Change a key of the target, for example wire.r_word_line=2. Repeat the option for others."
    )
    return click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=text)(command)


def conductances(command: F) -> F:
    """Add the option --conductances to a command."""
    return click.option(
        "--conductances",
        type=FILE,
        metavar="FILE.npz",
        help="Take the conductances that were read back from a chip in place of the programmed "
        "ones: an array of siemens for each crossbar.",
    )(command)


def draw_per(command: F) -> F:
    """Add the option --draw-per to a command."""
    return click.option(
        "--draw-per",
        type=click.Choice(["placement", "definition"]),
        default="placement",
        show_default=True,
        help="Draw devices for every placed crossbar, or once for each definition (faster).",
    )(command)
