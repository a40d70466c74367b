"""How many parts an SMS takes, at the edges of the two alphabets."""

from __future__ import annotations

import pytest

from services.delivery.domain.sms_parts import parts_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # 153 septets: the escape of the 77th would be parted from its character.
        ("€" * 152, 2),
        ("€" * 153, 3),
        ("a" + "€" * 76 + "€" * 76 + "a", 2),
        ("é\n" * 80, 1),
        ("œ" * 70, 1),
        ("œ" * 71, 2),
        ("œ" * 134, 2),
        ("œ" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        # 67 units hold 33 of them, and half of one is none.
        ("😀" * 66, 2),
        ("😀" * 67, 3),
        ("ç", 1),
        ("ç" + "a" * 70, 2),
    ],
)
def test_a_text_takes_as_many_parts_as_the_standard_says(text: str, parts: int) -> None:
    assert parts_of(text) == parts
