"""Read the options back that the manifest of a folder keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from memxc.compiler.declaration import wrong_values
from memxc.compiler.options import Settings


def read(tree: Mapping[str, Any]) -> Settings:
    """The options of a manifest. The manifest may be anybody's text; unknown keys are ignored.

    Raises ValueError, with a sentence that names all options whose value is wrong.
    """
    try:
        return TypeAdapter(Settings).validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        # A text that is not Unicode has no place in the document.
        names = dict.fromkeys(name or what for name, what in wrong_values(error))
        what = f"these options have a value that they cannot have: {', '.join(names)}"
        raise ValueError(what) from error
