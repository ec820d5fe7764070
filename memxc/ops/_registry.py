"""How a column is declared. No operator has its name here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from memxc.ops._call import Call, Parts
from memxc.ops._traits import Channelwise


@dataclass(frozen=True)
class Column:
    """An operator: its name, the lowest opset covered, declared attributes and their defaults.

    integers: whether its circuit is right for signals that are integers or bool.
    infinite: attributes that may be infinite, which is to say absent.
    channelwise, keeps_order, zero_absorbs: its traits, as `operator` says.
    """

    name: str
    since: int
    attrs: Mapping[str, Any]
    outputs: int | None
    integers: bool
    infinite: tuple[str, ...]
    channelwise: Channelwise | None
    keeps_order: bool
    zero_absorbs: bool
    lower: Callable[[Call], Parts]

    @property
    def file(self) -> str:
        """The file of the column."""
        return self.lower.__code__.co_filename


#: Every column by the operator's name; filled while the files of the package are imported.
COLUMNS: dict[str, Column] = {}
#: Why an operator of ONNX has no circuit and what to do, by the operator's name.
REASONS: dict[str, tuple[str, str]] = {}


def operator(
    name: str,
    since: int = 7,
    attrs: Mapping[str, Any] | None = None,
    outputs: int | None = 1,
    integers: bool = False,
    infinite: tuple[str, ...] = (),
    channelwise: Channelwise | None = None,
    keeps_order: bool = False,
    zero_absorbs: bool = False,
) -> Callable[[Callable[[Call], Parts]], Callable[[Call], Parts]]:
    """Declare a column: `attrs` are all attributes it covers, with the defaults of ONNX.

    outputs: how many outputs it drives (a further one in use is a fault), None for any number.
    integers: its circuit is right for signals that are integers or bool, too: nothing wraps around
    and nothing is truncated. Where it is not said, only wires may carry them.
    infinite: attributes that may be infinite, which is to say absent; any other has to be finite.
    channelwise: how it works on each channel alone, None where it does not.
    keeps_order: the output has the elements of the first input in the same order, in another shape.
    zero_absorbs: where one signal is 0, so is the output, whatever the others are.
    Raises ImportError where the operator has a column already, or, for a file of memxc's own, a
    reason for not having one.
    """

    def declare(lower: Callable[[Call], Parts]) -> Callable[[Call], Parts]:
        column = Column(
            name,
            since,
            dict(attrs or {}),
            outputs,
            integers,
            infinite,
            channelwise,
            keeps_order,
            zero_absorbs,
            lower,
        )
        if name in COLUMNS:
            raise ImportError(
                f"operator {name!r} has two columns: {COLUMNS[name].file} and {column.file}"
            )
        # A plug-in may have a circuit where memxc has only a reason for having none.
        if name in REASONS and lower.__module__.startswith("memxc."):
            raise ImportError(f"operator {name!r} has a column in {column.file} and is refused")
        COLUMNS[name] = column
        return lower

    return declare


def refused(*names: str, reason: str, hint: str) -> None:
    """Declare operators that have no circuit, why, and what to do.

    Raises ImportError where one has a column, or a reason already.
    """
    for name in names:
        if name in COLUMNS or name in REASONS:
            raise ImportError(f"operator {name!r} is refused and has a column or another reason")
        REASONS[name] = (reason, hint)
