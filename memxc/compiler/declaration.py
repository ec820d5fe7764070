"""What one field of the options declares: its type, its default, and its words.

The command line, the check of a manifest and the table of docs/cli.md are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from types import NoneType
from typing import Any, Concatenate, Literal, ParamSpec, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from memxc.documents import said
from memxc.errors import once
from memxc.interfaces import Option, Pass, declared

P = ParamSpec("P")


def _owner(option: Callable[P, Option]) -> Callable[Concatenate[Any, P], Any]:
    def own(default: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        metadata = {"option": option(*args, **kwargs)}
        if default is dict:
            return field(default_factory=dict, metadata=metadata)
        return field(default=default, metadata=metadata)

    return own


#: A field that stands for no field of a pass: its default, and the arguments of Option. The default
#: `dict` is an empty one.
own = _owner(Option)


def of(change: type[Pass], name: str, *default: Any) -> Any:
    """A field that stands for a field of a pass: its words, its default unless another is given."""
    option = replace(declared(change)[name], instead=f"write {change.name}{{{name}=...}}")
    found = default[0] if default else getattr(change, name)
    return field(default=found, metadata={"option": option})


@dataclass(frozen=True)
class Declared:
    """A field of the options by its name, with its type and default."""

    name: str
    option: Option
    kind: Any
    default: Any

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a type that lists them."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    def read(self, text: str) -> Any:
        """The value of a text; of an option that is repeated, one of its values.

        Raises ValueError, in a sentence, where it can be none.
        """
        value = self.option.read(text) if self.option.read else text
        try:
            return TypeAdapter(self._single).validate_python(value)
        except ValidationError as error:
            raise ValueError("; ".join(what for _, what in faults(error))) from None

    def joined(self, values: Iterable[Any]) -> Any:
        """The value of an option that is repeated. Raises ValueError where a name comes again."""
        if not issubclass(get_origin(self.kind), Mapping):
            return tuple(values)
        found: dict[str, Any] = {}
        for name, value in values:
            once(name, found)
            found[name] = value
        return found

    def words(self, values: Any) -> Iterator[str]:
        """The words of a command line that give these names or values by name."""
        join = self.option.separator.join
        if isinstance(values, Mapping):
            for name, parts in values.items():
                yield f"{self.option.flag}={name}={join(map(str, parts))}"
        elif values:
            yield f"{self.option.flag}={join(map(str, values))}"

    @property
    def _single(self) -> Any:
        """The type of one value of an option that is repeated: of a mapping, a name and a value."""
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


def _without_none(kind: Any) -> Any:
    some = [part for part in get_args(kind) if part is not NoneType]
    return some[0] if NoneType in get_args(kind) and len(some) == 1 else kind


def faults(error: ValidationError) -> list[tuple[str, str]]:
    """The name of each field that is wrong, "" for a single value, and a sentence why."""
    return [
        (str(part["loc"][0]) if part["loc"] else "", said(dict(part))) for part in error.errors()
    ]
