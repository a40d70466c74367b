"""The mail catcher answers for a mail only once it is on disk."""

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.embedded.mail.store import MailStore

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MailStore]:
    found = MailStore(tmp_path / "mails.sqlite3")
    yield found
    found.close()


async def add(store: MailStore, raw: bytes = b"x") -> None:
    await store.add(at=AT, mail_from="a@x.example", recipients=["b@x.example"], raw=raw)


async def test_a_mail_is_not_answered_for_before_it_is_written(
    store: MailStore, tmp_path: Path
) -> None:
    blocker = sqlite3.connect(tmp_path / "mails.sqlite3", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    adding = asyncio.create_task(add(store))
    await asyncio.wait({adding}, timeout=0.2)
    assert not adding.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    await adding
    assert await store.count() == 1


async def test_a_mail_that_cannot_be_written_is_an_error_and_later_ones_are_not(
    store: MailStore, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "mails.sqlite3", isolation_level=None)
    other.execute("ALTER TABLE messages RENAME TO elsewhere")
    with pytest.raises(sqlite3.Error):
        await add(store)
    other.execute("ALTER TABLE elsewhere RENAME TO messages")
    other.close()
    await add(store)
    assert await store.count() == 1


async def test_mails_come_in_order_and_page_by_id(store: MailStore) -> None:
    for number in range(5):
        await add(store, str(number).encode())
    after = await store.after(2, 2)
    before = await store.before(4, 2)
    assert [mail.raw for mail in after] == [b"2", b"3"]
    assert [mail.id for mail in before] == [3, 2]
    one = await store.get(1)
    assert one is not None
    assert (one.received_at, one.recipients) == (AT, ("b@x.example",))
    assert await store.get(9) is None


async def test_mails_to_one_recipient_are_found_among_the_others(store: MailStore) -> None:
    await add(store)
    await store.add(
        at=AT, mail_from="a@x.example", recipients=["c@x.example", "d@x.example"], raw=b"y"
    )
    assert [mail.raw for mail in await store.after(0, 9, to="d@x.example")] == [b"y"]
    assert [mail.raw for mail in await store.after(0, 9, to="x.example")] == []
