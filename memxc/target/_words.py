"""What pydantic found to be wrong, in memxc's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "float_type": "is no number",
    "float_parsing": "is no number",
    "int_type": "is no whole number",
    "int_parsing": "is no whole number",
    "int_parsing_size": "is no whole number",
    "int_from_float": "is no whole number",
    "string_type": "is no text",
    "string_too_short": "is empty",
    "model_type": "is no table",
    "tuple_type": "is no list",
}


def said(error: Mapping[str, Any]) -> str:
    """The sentence of one of pydantic's errors, to stand behind the name of the key."""
    text = str(error["msg"]).removeprefix("Value error, ")
    # Bounds, finite numbers and the words that a key may have are told well, but for their subject.
    return _WORDS.get(error["type"]) or re.sub("^(Input|String|Tuple) should ", "has to ", text)
