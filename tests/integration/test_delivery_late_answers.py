"""Answers that come after all, of attempts that were given up."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.delivery import ambiguous
from services.delivery.app import SERVICE
from services.delivery.domain.runs import RunKind, Verdict
from services.delivery.results import write_results
from services.delivery.store.sending import Result
from tests.conftest import Open
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
    run_id, member_id = uuid4(), uuid4()
    async with runtime.uow.begin() as work:
        await work.connection.execute(_RUN, run_id)
        await work.connection.execute(_ROW, run_id, member_id)
        await work.connection.execute(_ATTEMPT, run_id, member_id)
        assert await ambiguous.assume_sent(work, run_id=run_id) == 1
    late = Result(
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
    async with runtime.uow.begin() as work:
        await write_results(work, [late])
    row = await runtime.pool.fetchrow(
        "SELECT l.outcome, a.outcome AS told FROM ledger l JOIN attempts a USING (run_id)"
        " WHERE run_id = $1",
        run_id,
    )
    assert row is not None
    assert (row["outcome"], row["told"]) == ("sent", told)
