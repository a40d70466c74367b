"""Cells of lists that people open in a spreadsheet."""

from __future__ import annotations

from typing import Final

# What a spreadsheet takes for the start of a formula, the wide forms of Asian keyboards included.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: a quote stands before such a start."""
    return f"'{text}" if text.startswith(_FORMULA) else text
