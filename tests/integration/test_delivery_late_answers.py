"""Answers that come after all, of attempts that were given up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.delivery import ambiguous
from services.delivery.app import SERVICE
from services.delivery.domain.runs import RunKind, Verdict
from services.delivery.results import write_results
from services.delivery.store.sending import Result, SendingStore
from shared.database import Connection
from shared.service import Runtime
from tests.conftest import Open
from tests.waiting import eventually
from topics.delivery import Outcome

_RUN = """
INSERT INTO runs (run_id, kind, state, count, filled, retry_until, asked_at, started_at)
VALUES ($1, 'campaign', 'started', 1, true, now(), now(), now())
"""
_ROW = """
INSERT INTO ledger (run_id, member_id, recipient_key, channel, outcome, address, merge, attempts)
VALUES ($1, $2, 'k', 'email', 'ambiguous', 'a@b.example', '{}', 1)
"""
_ATTEMPT = """
INSERT INTO attempts (run_id, member_id, number, owner, started_at, outcome)
VALUES ($1, $2, 1, 'somebody', now(), 'ambiguous')
"""


_STANDS = """
SELECT l.outcome, a.outcome AS told FROM ledger l JOIN attempts a USING (run_id) WHERE run_id = $1
"""
_WAITING = """
SELECT EXISTS (SELECT 1 FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


async def an_ambiguous_message(runtime: Runtime) -> tuple[UUID, UUID]:
    run_id, member_id = uuid4(), uuid4()
    await runtime.pool.execute(_RUN, run_id)
    await runtime.pool.execute(_ROW, run_id, member_id)
    await runtime.pool.execute(_ATTEMPT, run_id, member_id)
    return run_id, member_id


def late(
    runtime: Runtime, run_id: UUID, member_id: UUID, verdict: Verdict, outcome: Outcome
) -> Result:
    return Result(
        run_id=run_id,
        member_id=member_id,
        number=1,
        kind=RunKind.CAMPAIGN,
        verdict=verdict,
        code="451",
        outcome=outcome,
        reason="",
        next_at=runtime.clock.now(),
    )


@pytest.mark.parametrize(
    ("verdict", "outcome", "told"),
    [
        (Verdict.SENT, Outcome.SENT, "sent"),
        (Verdict.DEFERRED, Outcome.PENDING, "ambiguous"),
        (Verdict.FAILED, Outcome.FAILED, "ambiguous"),
    ],
)
async def test_what_was_taken_for_sent_and_was_not_stays_ambiguous_in_its_attempt(
    open_service: Open, verdict: Verdict, outcome: Outcome, told: str
) -> None:
    runtime = await open_service(SERVICE)
    run_id, member_id = await an_ambiguous_message(runtime)
    async with runtime.uow.begin() as work:
        assert await ambiguous.assume_sent(work, run_id=run_id) == 1
    async with runtime.uow.begin() as work:
        await write_results(work, [late(runtime, run_id, member_id, verdict, outcome)])
    row = await runtime.pool.fetchrow(_STANDS, run_id)
    assert row is not None
    assert tuple(row) == ("sent", told)


@dataclass
class Interrupted:
    """A connection after whose first statement somebody else has their say, or waits to have it."""

    inner: Connection
    runtime: Runtime
    run_id: UUID
    said: asyncio.Task[int] | None = None

    async def fetch(self, *arguments: Any) -> Any:
        found = await self.inner.fetch(*arguments)
        await self._interrupted()
        return found

    async def execute(self, *arguments: Any) -> Any:
        done = await self.inner.execute(*arguments)
        await self._interrupted()
        return done

    async def _interrupted(self) -> None:
        if self.said is not None:
            return
        self.said = asyncio.create_task(self._take_for_sent())

        async def said_or_waiting() -> bool:
            assert self.said is not None
            return self.said.done() or bool(await self.runtime.pool.fetchval(_WAITING))

        await eventually(said_or_waiting, what="what the person says")

    async def _take_for_sent(self) -> int:
        async with self.runtime.uow.begin() as work:
            return await ambiguous.assume_sent(work, run_id=self.run_id)


async def test_who_takes_it_for_sent_while_an_answer_says_never_called_never_loses_it(
    open_service: Open,
) -> None:
    runtime = await open_service(SERVICE)
    run_id, member_id = await an_ambiguous_message(runtime)
    result = late(runtime, run_id, member_id, Verdict.RELEASED, Outcome.PENDING)
    async with runtime.uow.begin() as work:
        between = Interrupted(work.connection, runtime, run_id)
        await SendingStore(cast("Connection", between)).end([result], work.now)
    assert between.said is not None
    assert await between.said == 0, "the answer was first"
    row = await runtime.pool.fetchrow(_STANDS, run_id)
    assert row is not None
    assert tuple(row) == ("pending", "released"), "it goes again"
