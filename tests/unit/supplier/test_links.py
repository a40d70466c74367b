"""Links to routers' files: good for one file, until they end, if we signed them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.supplier.links import file_token, link_to, read_file_token

NOON = datetime(2026, 3, 2, 12, 0, 0, 999, tzinfo=UTC)
SECRET = b"s" * 32
LINK = link_to(UUID(int=7), now=NOON, days=7)


def test_a_link_says_its_file_and_its_end() -> None:
    assert LINK.until == NOON.replace(microsecond=0) + timedelta(days=7)
    assert read_file_token(SECRET, file_token(SECRET, LINK)) == LINK


@pytest.mark.parametrize("place", range(0, 48, 5))
def test_a_changed_link_gives_nothing(place: int) -> None:
    token = file_token(SECRET, LINK)
    other = "A" if token[place] != "A" else "B"
    assert read_file_token(SECRET, token[:place] + other + token[place + 1 :]) is None


@pytest.mark.parametrize("token", ["", "x", "é" * 48, "A" * 48, "A" * 5000])
def test_what_we_did_not_sign_gives_nothing(token: str) -> None:
    assert read_file_token(SECRET, token) is None
    assert read_file_token(b"t" * 32, file_token(SECRET, LINK)) is None
