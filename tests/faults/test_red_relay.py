"""The relay's protection switched off: its lease, with Kafka's fence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from services.campaign.app import SERVICE as CAMPAIGN
from shared import kafka, relay
from shared.relay import Relay
from tests.conftest import Open
from tests.faults.switches import (
    a_campaign,
    a_service,
    answering,
    drained,
    names,
    reading,
    switched,
)


@switched
async def test_without_the_relays_lease_two_relays_publish_everything_twice(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    # One of them leads throughout: a lease that lapses on a busy machine is another test.
    runtime = await a_service(open_service, CAMPAIGN, RELAY_LEASE_SECONDS="60")
    all_published: Callable[[], Awaitable[Any]] = partial(drained, runtime)
    if not protected:
        all_published = switch_the_lease_off(monkeypatch)
    async with reading(runtime) as journal:
        async with runtime.uow.begin() as work:
            for _ in range(20):
                work.emit(a_campaign())
        relays = [
            asyncio.create_task(Relay(runtime.pool, runtime.settings, "campaign").run())
            for _ in range(2)
        ]
        await asyncio.wait_for(all_published(), 60)
        for one in relays:
            one.cancel()
        await asyncio.wait(relays)
        await journal.read()
        assert names(journal.doubled) == (set() if protected else {"I4"})


def switch_the_lease_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[Any]]:
    """Let two relays lead at once; return a wait for both to have published the same rows."""
    inner = kafka.producer
    both_read, both_published = asyncio.Barrier(2), asyncio.Barrier(3)
    publish = Relay._publish

    def unfenced(settings: Any, *, transactional_id: str) -> Any:
        return inner(settings, transactional_id=f"{transactional_id}.{uuid4()}")

    async def together(self: Relay, producer: Any, epoch: int, rows: Any) -> None:
        # Both have read the same rows before either marks them.
        await both_read.wait()
        await publish(self, producer, epoch, rows)
        await both_published.wait()

    monkeypatch.setattr(Relay, "_acquire", answering(1))
    monkeypatch.setattr(Relay, "_renew", answering(None))
    monkeypatch.setattr(Relay, "_publish", together)
    monkeypatch.setattr(
        relay,
        "_MARK",
        "WITH gone AS (DELETE FROM outbox WHERE seq = ANY ($2::bigint[])) SELECT $1::bigint",
    )
    monkeypatch.setattr(kafka, "producer", unfenced)
    return both_published.wait
