"""Reading operators' CSV: bytes cut anywhere, quoted lines, wrong files."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.web import roster
from shared.errors import Refused


async def cut(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(content: bytes, size: int = 7) -> list[tuple[int, list[str]]]:
    return [(r.line, list(r.values)) async for r in roster.records_of(cut(content, size))]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
async def test_records_are_the_same_wherever_the_bytes_are_cut(size: int) -> None:
    content = "\ufeffname,email\r\nZoé,z@example.org\r\n\r\nA,a@example.org".encode()
    assert await read(content, size) == [
        (1, ["name", "email"]),
        (2, ["Zoé", "z@example.org"]),
        (4, ["A", "a@example.org"]),
    ]


async def test_a_quoted_field_may_span_lines_and_counts_from_its_first() -> None:
    content = b'name,email\n"Ada\nL.",a@example.org\nB,b@example.org\n'
    assert await read(content) == [
        (1, ["name", "email"]),
        (2, ["Ada\nL.", "a@example.org"]),
        (4, ["B", "b@example.org"]),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'name,email\n"Ada,a@example.org\n', "line 2: a quotation mark"),
        (b"name,email\nZo\xe9,z@example.org\n", "UTF-8"),
        (b"x" * 20_000, "over 16384"),
        (b'"' + b"x\n" * 10_000, "line 1: a record over"),
    ],
)
async def test_a_wrong_file_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        await read(content, 500)


@pytest.mark.parametrize("names", [["name"], ["name", "email", "phone"], ["name", "email", "name"]])
def test_columns_are_known_ones_and_each_once(names: list[str]) -> None:
    with pytest.raises(Refused, match="name and email"):
        roster.checked_columns(names)
