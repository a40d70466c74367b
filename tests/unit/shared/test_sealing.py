"""Secrets in rows: read back by who sealed them, for what and whom."""

from __future__ import annotations

import pytest

from shared.sealing import WrongSecret, seal, unseal

SECRET = b"s" * 32


def test_a_secret_is_read_back_and_looks_different_each_time() -> None:
    first, second = (seal(SECRET, "sftp", b"geheim", bound_to="one") for _ in range(2))
    assert first != second
    assert b"geheim" not in first
    assert unseal(SECRET, "sftp", first, bound_to="one") == b"geheim"


@pytest.mark.parametrize(
    ("secret", "purpose", "bound_to"),
    [(b"t" * 32, "sftp", "one"), (SECRET, "dkim", "one"), (SECRET, "sftp", "two")],
)
def test_another_key_purpose_or_owner_reads_nothing(
    secret: bytes, purpose: str, bound_to: str
) -> None:
    sealed = seal(SECRET, "sftp", b"geheim", bound_to="one")
    with pytest.raises(WrongSecret):
        unseal(secret, purpose, sealed, bound_to=bound_to)


@pytest.mark.parametrize("data", [b"", b"x" * 5, b"x" * 60])
def test_what_was_not_sealed_reads_as_nothing(data: bytes) -> None:
    with pytest.raises(WrongSecret):
        unseal(SECRET, "sftp", data, bound_to="one")
