"""Say pydantic's errors in memxc's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

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
    "model_type": "is not a table",
    "tuple_type": "is not a list",
}


def said(error: Mapping[str, Any]) -> str:
    """Return the sentence of one pydantic error; it follows the name of the key."""
    text = str(error["msg"]).removeprefix("Value error, ")
    # pydantic's own text is good for bounds, finite numbers and literals; only its subject is cut.
    return _WORDS.get(error["type"]) or re.sub("^(Input|String|Tuple) should ", "has to ", text)
