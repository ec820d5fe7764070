"""How an option is declared: as a field with its type, its default and its texts.

The command line, the check of a manifest and the table of docs/cli.md are made from these fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from types import NoneType
from typing import Any, Concatenate, Literal, ParamSpec, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from memxc.documents import said
from memxc.errors import once
from memxc.interfaces import Option, Pass, declared_options

P = ParamSpec("P")


def _owner(option: Callable[P, Option]) -> Callable[Concatenate[Any, P], Any]:
    def own(default: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        metadata = {"option": option(*args, **kwargs)}
        if default is dict:
            return field(default_factory=dict, metadata=metadata)
        return field(default=default, metadata=metadata)

    return own


#: Declare an option that belongs to no single pass: its default, and the arguments of Option. The
#: default `dict` means an empty dict.
own = _owner(Option)


def of_pass(change: type[Pass], name: str, *default: Any) -> Any:
    """Declare an option that sets a field of a pass.

    Its texts are those of the pass, and so is its default unless another one is given.
    """
    option = replace(declared_options(change)[name], instead=f"write {change.name}{{{name}=...}}")
    found = default[0] if default else getattr(change, name)
    return field(default=found, metadata={"option": option})


@dataclass(frozen=True)
class Declared:
    """One declared option: the name of its field, its type and its default."""

    name: str
    option: Option
    kind: Any
    default: Any

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that the option can have, if its type lists them."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    def read(self, text: str) -> Any:
        """The value that a text stands for; for a repeated option, one of its values.

        Raises ValueError, with a sentence, if the option cannot have this value.
        """
        value = self.option.read(text) if self.option.read else text
        try:
            return TypeAdapter(self._single).validate_python(value)
        except ValidationError as error:
            raise ValueError("; ".join(what for _, what in wrong_values(error))) from None

    def joined(self, values: Iterable[Any]) -> Any:
        """The value of a repeated option. Raises ValueError if a name is given twice."""
        if not issubclass(get_origin(self.kind), Mapping):
            return tuple(values)
        found: dict[str, Any] = {}
        for name, value in values:
            once(name, found)
            found[name] = value
        return found

    def words(self, values: Any) -> Iterator[str]:
        """The arguments of a command line that give the option these values."""
        join = self.option.separator.join
        if isinstance(values, Mapping):
            for name, parts in values.items():
                yield f"{self.option.flag}={name}={join(map(str, parts))}"
        elif values:
            yield f"{self.option.flag}={join(map(str, values))}"

    @property
    def _single(self) -> Any:
        """The type of one value of a repeated option; for a mapping it is a pair (name, value)."""
        if not self.option.repeated:
            return self.kind
        pair: Any = tuple
        parts = get_args(self.kind)
        return pair[parts] if issubclass(get_origin(self.kind), Mapping) else parts[0]


def fields_of(options: type) -> dict[str, Declared]:
    """The declared fields of a class of options, in their order."""
    hints, found = get_type_hints(options, include_extras=True), {}
    for part in fields(options):
        if "option" in part.metadata:
            default = None if part.default is MISSING else part.default
            kind = _without_none(hints[part.name])
            found[part.name] = Declared(part.name, part.metadata["option"], kind, default)
    return found


def in_tuples(options: type, given: Any) -> Any:
    """The arguments of a class of options, with a tuple of one in place of a single value.

    Such a value is a text for a tuple of texts, and a text or a number in a mapping to tuples.
    Python would otherwise take a text for a tuple of letters.
    """
    if not isinstance(given, ArgsKwargs):
        return given
    asked = dict(given.kwargs or {})
    for name, known in fields_of(options).items():
        value = asked.get(name)
        if known.default == () and isinstance(value, str):
            asked[name] = (value,)
        elif get_origin(known.kind) is Mapping and isinstance(value, Mapping):
            asked[name] = {key: v if _several(v) else (v,) for key, v in value.items()}
    return ArgsKwargs(given.args, asked)


def _several(value: Any) -> bool:
    """Whether a value is a collection. An array without an axis is one number."""
    collection = isinstance(value, Iterable) and not isinstance(value, str)
    return collection and getattr(value, "ndim", 1) > 0


def _without_none(kind: Any) -> Any:
    some = [part for part in get_args(kind) if part is not NoneType]
    return some[0] if NoneType in get_args(kind) and len(some) == 1 else kind


def wrong_values(error: ValidationError) -> list[tuple[str, str]]:
    """For each error the name of the field ("" for a single value), and what is wrong with it."""
    return [
        (str(part["loc"][0]) if part["loc"] else "", said(dict(part))) for part in error.errors()
    ]
