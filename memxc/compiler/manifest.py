"""The options that the manifest of a folder keeps, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from memxc.compiler.declaration import faults
from memxc.compiler.options import Settings


def read(tree: Mapping[str, Any]) -> Settings:
    """The options of a manifest, which may be anybody's text; keys that are none do not count.

    Raises ValueError, in a sentence, with the names of all options that are wrong.
    """
    try:
        return TypeAdapter(Settings).validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        names = dict.fromkeys(name for name, _ in faults(error))
        what = f"options with a value that none can have: {', '.join(names)}"
        raise ValueError(what) from error
