"""JSON documents: the base of their models, the types of their numbers, and their JSON schemas.

A document is a tree of frozen pydantic models. A model is declared in the room that fills it, and
each field has a description. JSON has no infinite number and no NaN, so they are written as words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, SupportsIndex

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema


class Part(BaseModel):
    """A part of a document. Its fields are all keys that it may have, and it is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def tree(self) -> dict[str, Any]:
        """The part as plain values under the keys of the JSON, for `ir.store.dumps`."""
        return self.model_dump(by_alias=True)


class OfStage(Part):
    """The first column of a table of stages."""

    stage: str = Field(description="Name of the stage.")


def _whole(value: object) -> object:
    """Turn an integer of numpy into one of Python; return anything else as it is."""
    whole = isinstance(value, SupportsIndex) and not isinstance(value, bool)
    return value.__index__() if whole else value  # type: ignore[attr-defined]


def _from_word(value: object) -> object:
    """Return the number for "inf", "-inf" or "nan"; return anything else as it is."""
    return float(value) if isinstance(value, str) and value in _NO_NUMBERS else value


_NO_NUMBERS = ("inf", "-inf", "nan")
_WORDED = {"anyOf": [{"type": "number"}, {"enum": [*_NO_NUMBERS]}]}

#: A number of things. The bound is far above any circuit, and a float can hold it.
Count = Annotated[int, Field(strict=True, ge=0, lt=1 << 63), BeforeValidator(_whole)]
#: A finite number that is not negative: watts, seconds, square metres.
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
#: A share of a whole, 0 to 1.
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
#: Any number. JSON has the words "inf", "-inf" and "nan" for infinite numbers and NaN.
Number = Annotated[float, Field(strict=True), BeforeValidator(_from_word), WithJsonSchema(_WORDED)]


class _Generator(GenerateJsonSchema):
    """Makes schemas without a title for each field, for a title would only repeat the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema(model: type[Part], title: str) -> dict[str, Any]:
    """The JSON schema of a document. `title` names the command or file of the document."""
    found = model.model_json_schema(schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, **found, "title": title}


#: Words for pydantic's kinds of errors. They follow the name of the key.
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "float_type": "is not a number",
    "float_parsing": "is not a number",
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is not a whole number",
    "int_from_float": "is not a whole number",
    "string_type": "is not text",
    "string_too_short": "is empty",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "model_type": "is not a table",
    "dict_type": "is not a table",
    "tuple_type": "is not a list",
}


def said(error: Mapping[str, Any]) -> str:
    """What one of pydantic's errors says, in words that follow the name of the key."""
    text = str(error["msg"]).removeprefix("Value error, ")
    # pydantic's other messages (bounds, finite numbers, allowed words) only need another subject.
    return _WORDS.get(error["type"]) or re.sub("^(Input|String|Tuple) should ", "has to ", text)


def place(loc: Iterable[object]) -> str:
    """The place of one of pydantic's errors: keys and indices with dots between them."""
    return ".".join(map(str, loc))
