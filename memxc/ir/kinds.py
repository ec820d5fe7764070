"""Element types of signals that are not real numbers, in ONNX's words: int8, uint4, bool ..."""

from __future__ import annotations

import re


def bits(kind: str) -> int:
    """Return the number of bits of an integer type; 1 for bool, 0 for any other type."""
    match = re.fullmatch(r"u?int(\d+)", kind)
    return int(match[1]) if match else int(kind == "bool")


def code_range(kind: str) -> tuple[int, int]:
    """Return the smallest and the largest number of an integer type, or of bool."""
    wide = bits(kind)
    if kind.startswith("int"):
        return -(2 ** (wide - 1)), 2 ** (wide - 1) - 1
    return 0, 2**wide - 1
