"""Plug-ins: parts that other packages add to memxc by entry points (docs/plugins.md).

Each room loads its own plug-ins and checks them. A plug-in cannot take a name that memxc itself
uses. A plug-in that cannot be used is left out, and `left_out` says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from memxc.errors import printable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The groups of entry points, and the word for a plug-in of each.
KINDS = {
    "memxc.ops": "operator",
    "memxc.passes": "pass",
    "memxc.dialects": "dialect",
    "memxc.engines": "engine",
    "memxc.targets": "target",
    "memxc.costs": "cost",
}
#: A name is used on the command line, in tables and in file names.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Plugin:
    """One plug-in of an installed package. `value` is the loaded object."""

    group: str
    name: str
    distribution: str
    version: str
    module: str
    value: Any = field(repr=False)

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


_added: dict[tuple[str, str], Plugin] = {}
_left_out: dict[tuple[str, str, str], str] = {}


def added(
    group: str, ours: Container[str], wrong: Callable[[str, Any], str | None]
) -> dict[str, Plugin]:
    """The plug-ins of a group by name, in alphabetical order of their distributions.

    ours: the names that memxc itself uses; a plug-in cannot replace them. wrong: returns why a
    loaded object does not fit the group, or None if it fits.
    """
    found: dict[str, Plugin] = {}
    for entry in _installed(group):
        plugin, reason = _loaded(entry, ours, found, wrong)
        if plugin is not None:
            found[entry.name] = _added[group, entry.name] = plugin
        else:
            _left_out[group, entry.name, _distribution(entry)[0]] = reason
    return found


def owner(group: str, name: str) -> Plugin | None:
    """The plug-in of this name, None if it is memxc's own. The group has to be loaded before."""
    return _added.get((group, name))


def every() -> list[Plugin]:
    """All plug-ins of the groups that were loaded so far, by group and name."""
    return [plugin for _, plugin in sorted(_added.items())]


def distribution(group: str, name: str) -> str:
    """The name of the package that has this plug-in, or "memxc"."""
    plugin = owner(group, name)
    return "memxc" if plugin is None else plugin.distribution


def note(group: str, name: str) -> str:
    """A remark for a list: the package that has this plug-in, "" for memxc's own parts."""
    plugin = owner(group, name)
    return "" if plugin is None else f"(from {plugin})"


def left_out() -> list[str]:
    """A sentence for each plug-in of the groups loaded so far that cannot be used."""
    return [
        printable(f"plug-in {distribution}: its {KINDS[group]} {name!r} is left out: {reason}", 400)
        for (group, name, distribution), reason in sorted(_left_out.items())
    ]


def not_installed(packages: Iterable[str]) -> list[str]:
    """Those of the packages that have no plug-in here, in their order."""
    found = {_distribution(entry)[0] for group in KINDS for entry in _installed(group)}
    return [name for name in packages if name not in found]


def modules(group: str) -> set[str]:
    """The modules of all entry points of a group, including plug-ins that are left out."""
    return {entry.module for entry in _installed(group)}


def blamed(error: BaseException) -> Plugin | None:
    """The plug-in whose code raised an exception, None if it was not raised in a plug-in."""
    modules = []
    trace = error.__traceback__
    while trace is not None:
        modules.append(str(trace.tb_frame.f_globals.get("__name__")))
        trace = trace.tb_next
    roots = {plugin.module.partition(".")[0]: plugin for plugin in _added.values()}
    found = [roots[root] for root in (name.partition(".")[0] for name in modules) if root in roots]
    return found[-1] if found else None


@cache
def _installed(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, ordered by the names of their packages and their own names."""
    # This import takes longer than `memxc --help` may take, so it is done only for plug-ins.
    from importlib.metadata import entry_points  # noqa: PLC0415

    return tuple(sorted(entry_points(group=group), key=lambda e: (_distribution(e), e.name)))


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return ("?", "?") if entry.dist is None else (entry.dist.name, entry.dist.version)


def _loaded(
    entry: EntryPoint,
    ours: Container[str],
    others: dict[str, Plugin],
    wrong: Callable[[str, Any], str | None],
) -> tuple[Plugin | None, str]:
    """The plug-in of an entry point, or None and the reason why it cannot be used."""
    name = entry.name
    if not _NAME.fullmatch(name):
        return None, "a name has up to 40 letters, digits, - and _"
    if name in ours:
        return None, "memxc itself uses this name"
    if name in others:
        return None, f"{others[name]} uses this name"
    try:
        value = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is somebody else's code
        return None, f"{entry.value} cannot be imported: {type(error).__name__}: {error}"
    reason = wrong(name, value)
    if reason is not None:
        return None, f"{entry.value} {reason}"
    return Plugin(entry.group, name, *_distribution(entry), entry.module, value), ""
