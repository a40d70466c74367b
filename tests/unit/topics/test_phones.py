"""Phone numbers in E.164."""

from __future__ import annotations

import pytest

from topics.phones import e164


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+33612345678", "+33612345678"),
        (" +33 (0)6 12.34-56 78 ", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("+1 (202) 555-0123", "+12025550123"),
        ("06 12 34 56 78", None),
        ("33612345678", None),
        ("+0612345678", None),
        ("+3361", None),
        ("+1234567890123456", None),
        ("+٣٣٦١٢٣٤٥٦٧٨", None),
        ("+33612345678\n9", None),
        ("", None),
    ],
)
def test_a_number_with_its_country_code_is_one_however_it_is_written(
    text: str, number: str | None
) -> None:
    assert e164(text) == number
