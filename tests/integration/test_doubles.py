"""The doubles do what the real things do: one suite, run on both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.clock import Clock, DrivenClock, SystemClock
from shared.errors import NotAllowed
from shared.outbox import OutboxRow
from shared.producer import unpack_headers
from shared.registry import Registry, answer
from shared.service import Runtime, Service
from shared.testing import DatabaseTouched, RecordedWork
from shared.uow import Work
from tests.conftest import Open
from tests.outboxes import outbox_of
from topics.cloudevents import Envelope
from topics.targeting import CountTarget, TargetCounted, TargetCounts, TargetRefused

CAMPAIGN = UUID(int=1)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CAUSE = Envelope(
    source="/x", id="cause", type="t", time=None, data=b"", correlation_id="c", traceparent=TRACE
)


def counted(number: int) -> TargetCounted:
    return TargetCounted(
        campaign_id=CAMPAIGN, targeting_id=uuid4(), counts=TargetCounts(records=number)
    )


class WorkSuite(ABC):
    """What a unit of work does with what is emitted."""

    @abstractmethod
    def begin(self) -> AbstractAsyncContextManager[Work]:
        """Return a unit of work of ``targeting`` that commits when the block ends."""

    @abstractmethod
    async def published(self) -> list[OutboxRow]:
        """Return what was published by the units of work so far, in order."""

    async def test_what_is_emitted_is_published_in_order_under_its_key(self) -> None:
        messages = [counted(number) for number in range(60)]
        async with self.begin() as work:
            for message in messages:
                work.emit(message)
        rows = await self.published()
        assert [TargetCounted.model_validate_json(row.value) for row in rows] == messages
        assert {(row.topic, row.key) for row in rows} == {("targeting.events.v1", str(CAMPAIGN))}

    async def test_headers_carry_identity_cause_and_trace_on(self) -> None:
        async with self.begin() as work:
            work.emit(counted(1))
            work.cause = CAUSE
            work.emit(counted(2))
        first, second = [
            {name: text.decode() for name, text in unpack_headers(row.headers)}
            for row in await self.published()
        ]
        assert first["ce_source"] == second["ce_source"] == "/muster/targeting"
        assert first["ce_correlationid"] == first["ce_id"] != second["ce_id"]
        assert "ce_causationid" not in first
        assert (second["ce_correlationid"], second["ce_causationid"]) == ("c", "cause")
        assert second["traceparent"][3:35] == TRACE[3:35]

    async def test_what_was_forgotten_is_not_published(self) -> None:
        async with self.begin() as work:
            work.emit(counted(1))
            mark = work.mark()
            work.emit(counted(2))
            work.forget_since(mark)
            work.emit(counted(3))
        rows = await self.published()
        numbers = [TargetCounted.model_validate_json(row.value).counts.records for row in rows]
        assert numbers == [1, 3]

    async def test_a_refused_handler_publishes_its_refusal_only(self) -> None:
        async def refuse(_: CountTarget, work: Work) -> None:
            work.emit(counted(1))
            raise NotAllowed("no")

        registry = Registry()
        registry.on(CountTarget, refusal=_refused)(refuse)
        entry = registry.entry(CountTarget)
        assert entry is not None
        async with self.begin() as work:
            await answer(entry, CountTarget(campaign_id=CAMPAIGN, targeting_id=uuid4()), work)
            assert [refusal.code for refusal in work.refusals] == ["not_allowed"]
        (row,) = await self.published()
        assert TargetRefused.model_validate_json(row.value).reason == "no"

    async def test_nothing_is_published_when_the_block_raises(self) -> None:
        with pytest.raises(LookupError):
            await self._fail()
        assert await self.published() == []

    async def _fail(self) -> None:
        async with self.begin() as work:
            work.emit(counted(1))
            raise LookupError


def _refused(command: CountTarget, refusal: Exception) -> TargetRefused:
    return TargetRefused(
        campaign_id=command.campaign_id, targeting_id=command.targeting_id, reason=str(refusal)
    )


class TestRealWork(WorkSuite):
    """Over a database."""

    @pytest.fixture(autouse=True)
    async def opened(self, open_service: Open) -> None:
        files = Path(__file__).parent / "no_migrations"
        self.runtime: Runtime = await open_service(Service("targeting", Registry(), files))

    def begin(self) -> AbstractAsyncContextManager[Work]:
        return self.runtime.uow.begin()

    async def published(self) -> list[OutboxRow]:
        return await outbox_of(self.runtime)


class TestRecordedWork(WorkSuite):
    """Without one."""

    @pytest.fixture(autouse=True)
    def kept(self) -> None:
        self.rows: list[OutboxRow] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Work]:
        work = RecordedWork(service="targeting")
        yield work
        await work.flush()
        self.rows += work.published

    async def published(self) -> list[OutboxRow]:
        return self.rows

    async def test_touching_the_database_says_so(self) -> None:
        with pytest.raises(DatabaseTouched, match=r"connection\.execute was used"):
            await RecordedWork().connection.execute("SELECT 1")


@pytest.mark.parametrize("clock", [SystemClock(), DrivenClock(datetime(2026, 1, 1, tzinfo=UTC))])
def test_a_clock_tells_utc_and_never_goes_back(clock: Clock) -> None:
    first, second = clock.now(), clock.now()
    assert first.utcoffset() == timedelta(0)
    assert second >= first


def test_a_driven_clock_moves_when_it_is_told() -> None:
    clock = DrivenClock(datetime(2026, 1, 1, tzinfo=UTC))
    before = clock.now()
    assert clock.advance(timedelta(hours=1)) == clock.now() == before + timedelta(hours=1)
