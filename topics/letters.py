"""What a letter is printed from, as it travels between services."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from topics.message import Value


class LetterWindow(StrEnum):
    """Where the envelope's window is: DIN 5008 forms A and B, and NF Z 11-001."""

    DIN_5008_A = "din_5008_a"
    DIN_5008_B = "din_5008_b"
    NF_Z11_001 = "nf_z11_001"


class LetterSource(Value):
    """The author's markup of a letter, as it was approved."""

    source: str = Field(min_length=1, max_length=60_000)
    language: str = Field(pattern="^(en|fr)$")
    window: LetterWindow
