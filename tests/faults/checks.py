"""What must hold after every scenario, each broken row with its invariant's name first."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from services.cli.checking import Seen, published, verdicts
from services.delivery.mail import message_id
from shared import kafka
from shared.settings import Settings
from tests.driving import Rig
from tests.faults.story import Story
from tests.faults.world import (
    BROCHURES_PER_LETTER,
    DOUBLES,
    EMAIL_COST_MINOR,
    FROM_ADDRESS,
    LETTER_COST_MINOR,
    MEMBERS,
    OPTED_OUT,
    SITE_COST_MINOR,
    SITES,
    WITH_EMAIL,
    WITHOUT_EMAIL,
    World,
)
from tests.waiting import PATIENCE
from topics.cloudevents import Malformed, decode_envelope
from topics.names import CHANGELOGS, TOPICS, Topic

CATCH_UP_SECONDS: Final = PATIENCE
"""Longer than a client waits for an answer that never comes: then it asks again."""


@dataclass(frozen=True, slots=True)
class Mails:
    """The sink beside the ledger: what is missing, what came twice, what may have."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    unknown: tuple[str, ...]
    ambiguous: int

    @property
    def lost_lines(self) -> list[str]:
        """What was lost, in words."""
        return [f"I3 {one} is sent and never reached the sink" for one in self.lost]

    @property
    def doubled_lines(self) -> list[str]:
        """What came twice, in words."""
        return [f"I3 {one} reached the sink twice and is not ambiguous" for one in self.doubled]

    @property
    def broken(self) -> list[str]:
        """I3, in words."""
        unknown = [f"I3 the sink has a mail without an attempt: {one}" for one in self.unknown]
        return self.lost_lines + self.doubled_lines + unknown


@dataclass(frozen=True, slots=True)
class Attempted:
    """A ledger row of the e-mail channel, with its attempts by what came of them."""

    message_id: str
    outcome: str
    sent: int
    unclear: int


def compare(
    rows: Sequence[Attempted], caught: Mapping[str, int], *, assumed: bool = False
) -> Mails:
    """Hold what was caught (count by Message-ID) against what was attempted.

    Args:
        assumed: whether somebody may have taken an ambiguous message for sent: it need not have
            arrived.
    """
    known = {row.message_id for row in rows}
    lost, doubled = [], []
    for row in rows:
        count = caught.get(row.message_id, 0)
        taken_for_sent = assumed and row.unclear > 0 and row.sent == 0
        if count < max(row.sent, int(row.outcome == "sent" and not taken_for_sent)):
            lost.append(row.message_id)
        if count > row.sent + row.unclear or (count > 1 and not row.unclear):
            doubled.append(row.message_id)
    return Mails(
        lost=tuple(lost),
        doubled=tuple(doubled),
        unknown=tuple(one for one in caught if one not in known),
        ambiguous=sum(row.unclear > 0 for row in rows),
    )


# Sent at the first attempt is told by the ledger row alone, also when it bounced since; in an open
# window anything is unclear.
_ATTEMPTED: Final = """
SELECT l.run_id, l.member_id, l.outcome,
       count(*) FILTER (WHERE a.outcome = 'sent')
           + (l.attempts = 1 AND count(a.number) = 0 AND (l.outcome = 'sent' OR EXISTS (
                SELECT 1 FROM delivery.failures f
                WHERE f.run_id = l.run_id AND f.member_id = l.member_id AND f.kind = 'bounce'
             )))::int AS sent,
       count(*) FILTER (WHERE a.outcome IN ('ambiguous', 'open'))
           + (l.outcome = 'pending' AND EXISTS (
                SELECT 1 FROM delivery.slices s
                WHERE s.run_id = l.run_id AND s.number = l.position / 10000
                  AND l.position >= s.window_from AND l.position < s.window_to))::int AS unclear
FROM delivery.ledger l
LEFT JOIN delivery.attempts a ON a.run_id = l.run_id AND a.member_id = l.member_id
WHERE l.channel = 'email' AND ($1::uuid[] IS NULL OR l.run_id = ANY ($1))
GROUP BY l.run_id, l.member_id
"""


async def mails(world: World) -> Mails:
    """Compare the ledger of a world, and its attempts, with what its sink caught."""
    return await compared(world.rig.rows, world.sink)


class Caught(Protocol):
    """What a sink caught."""

    recipients: dict[str, str]
    """By Message-ID."""

    async def read(self) -> Counter[str]:
        """Return how often each message was caught, by Message-ID."""


async def compared(
    fetch: Callable[..., Awaitable[Iterable[Any]]],
    sink: Caught,
    *,
    runs: Sequence[UUID] | None = None,
    assumed: bool = False,
) -> Mails:
    """Compare a ledger, or some runs of it, and its attempts, with what a sink caught."""
    caught = {
        one: count
        for one, count in (await sink.read()).items()
        if not sink.recipients[one].startswith("router@")
    }
    rows = [_attempted(dict(row)) for row in await fetch(_ATTEMPTED, runs)]
    return compare(rows, caught, assumed=assumed)


def _attempted(row: dict[str, Any]) -> Attempted:
    return Attempted(
        message_id(row["run_id"], row["member_id"], FROM_ADDRESS),
        row["outcome"],
        row["sent"],
        row["unclear"],
    )


@dataclass
class Journal:
    """Everything that was published, read on from where it stopped.

    A unit of work stamps what it emits with one time. So a message that caused records of two
    times was acted on in two transactions.
    """

    settings: Settings
    topics: Sequence[Topic] = tuple(topic for topic in TOPICS if topic not in CHANGELOGS)
    acted: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    copies: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    seen: Seen = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    _client: AIOKafkaConsumer | None = None

    async def open(self) -> None:
        """Connect."""
        self._client = kafka.reader(self.settings, [topic.name for topic in self.topics])
        await self._client.start()

    async def close(self) -> None:
        """Disconnect; a loop that stood still since the last reading has fetches that are over."""
        if self._client is not None:
            with suppress(KafkaError, asyncio.CancelledError):
                await self._client.stop()

    async def read(self) -> None:
        """Take note of all that was published until now."""
        client = self._client
        assert client is not None, "open it first"
        ends = await client.end_offsets(client.assignment())
        while any([await client.position(part) < end for part, end in ends.items()]):
            for records in (await client.getmany(timeout_ms=300, max_records=5000)).values():
                for raw in records:
                    self.note(kafka.as_record(self.settings, raw))

    def note(self, record: kafka.Record) -> None:
        """Take note of one record."""
        try:
            envelope = decode_envelope(record.headers, record.value)
        except Malformed:
            return
        identity = envelope.source, envelope.id
        self.copies[identity] += 1
        self.seen[record.topic][envelope.type].add(identity)
        if envelope.causation_id and envelope.time:
            cause = envelope.source, envelope.causation_id
            self.acted[cause].add(envelope.time.isoformat())

    async def forget(self, services: Sequence[str]) -> None:
        """Leave out what was read until now, after the inboxes of services were emptied on purpose.

        What a compacted topic no longer holds nobody can have handled again.
        """
        self.acted.clear()
        self.seen = await published(self.settings, services)

    def unanswered(self, told: Iterable[str]) -> list[str]:
        """I4: commands, by CloudEvents id, that nobody answered; those told always are."""
        answered = {cause for _, cause in self.acted}
        return [f"I4 nothing followed from {one}" for one in told if one not in answered]

    @property
    def doubled(self) -> list[str]:
        """I4: records that are on their topic more than once, though no relay has died."""
        return [
            f"I4 {one} of {source} was published {count} times"
            for (source, one), count in self.copies.items()
            if count > 1 and source.startswith("/muster/")
        ]

    @property
    def broken(self) -> list[str]:
        """I4: messages that one service acted on in two transactions."""
        return [
            f"I4 {source} acted on {cause} in {len(times)} transactions"
            for (source, cause), times in self.acted.items()
            if len(times) > 1
        ]


async def totals(world: World, story: Story) -> list[str]:
    """Return how a scenario's campaigns and events differ from what they must come to."""
    with_letters = "supplier" in story.services
    found: list[str] = []
    for campaign_id in story.campaigns:
        found += _differences(
            f"campaign {campaign_id}",
            await campaign_totals(world.rig, campaign_id),
            _expected(with_letters=with_letters),
        )
    ends = await world.rig.rows(
        "SELECT e.ce_id, e.status, count(m.event_id) AS messages FROM events_status.events e"
        " LEFT JOIN events_status.event_messages m USING (event_id)"
        " WHERE e.ce_id = ANY ($1::text[]) GROUP BY 1, 2",
        list(story.events),
    )
    wanted = {(one, end, int(end == "sent")) for one, end in story.events.items()}
    got = {(row["ce_id"], row["status"], row["messages"]) for row in ends}
    return found + [f"I2 events: {one}" for one in wanted ^ got]


def _expected(*, with_letters: bool) -> dict[str, int]:
    letters = WITHOUT_EMAIL if with_letters else 0
    return {
        "targeted": MEMBERS,
        "emails": WITH_EMAIL,
        "letters": letters,
        "ignored": DOUBLES + OPTED_OUT + WITHOUT_EMAIL - letters,
        "executed": MEMBERS,
        "spent_minor": WITH_EMAIL * EMAIL_COST_MINOR
        + letters * LETTER_COST_MINOR
        + SITES * SITE_COST_MINOR,
        "held_minor": 0,
        "consumed": letters * BROCHURES_PER_LETTER,
        "reserved": 0,
        "files": int(with_letters),
    }


async def campaign_totals(rig: Rig, campaign_id: UUID) -> dict[str, int]:
    """Return what a campaign came to, in every service's own rows."""
    [row] = await rig.rows(_TOTALS, campaign_id)
    row["files"] = (
        await rig.value(
            "SELECT count(*) FROM supplier.jobs WHERE campaign_id = $1 AND sha256 IS NOT NULL",
            campaign_id,
        )
        if await rig.value("SELECT to_regclass('supplier.jobs')")
        else 0
    )
    return row


_TOTALS = """
SELECT
  (SELECT count(*) FROM delivery.ledger l JOIN delivery.runs r USING (run_id)
   WHERE r.campaign_id = $1 AND r.kind = 'campaign') AS targeted,
  (SELECT count(*) FROM delivery.ledger l JOIN delivery.runs r USING (run_id)
   WHERE r.campaign_id = $1 AND r.kind = 'campaign' AND l.outcome = 'sent'
     AND l.channel = 'email') AS emails,
  (SELECT count(*) FROM delivery.ledger l JOIN delivery.runs r USING (run_id)
   WHERE r.campaign_id = $1 AND r.kind = 'campaign' AND l.outcome = 'sent'
     AND l.channel = 'direct_mail') AS letters,
  (SELECT count(*) FROM delivery.ledger l JOIN delivery.runs r USING (run_id)
   WHERE r.campaign_id = $1 AND r.kind = 'campaign' AND l.outcome = 'ignored') AS ignored,
  (SELECT count(*) FROM actions.actions
   WHERE campaign_id = $1 AND status = 'executed') AS executed,
  (SELECT coalesce(sum(amount_minor), 0) FROM budget.cost_lines
   WHERE campaign_id = $1) AS spent_minor,
  (SELECT count(*) FROM budget.holds
   WHERE campaign_id = $1 AND status IN ('pending', 'held', 'committed')) AS held_minor,
  (SELECT coalesce(sum(c.taken), 0) FROM stock.consumptions c
   JOIN stock.reservations s USING (reservation_id) WHERE s.campaign_id = $1) AS consumed,
  (SELECT coalesce(sum(rest), 0) FROM stock.reservations
   WHERE campaign_id = $1 AND status = 'held') AS reserved
"""


def _differences(who: str, got: dict[str, Any], wanted: dict[str, int]) -> list[str]:
    return [
        f"I2 {who}: {name} is {got[name]}, should be {value}"
        for name, value in wanted.items()
        if got[name] != value
    ]


async def invariants(world: World, services: Sequence[str], journal: Journal) -> list[str]:
    """Do what ``muster check`` does over the services of a world, once they have read all."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while True:
        await journal.read()
        found = await verdicts(world.rig.settings, services, seen=journal.seen)
        gone = _gone(world, services)
        broken = gone + [line for verdict in found for line in verdict.broken]
        waiting = not gone and any("never handled" in line for line in broken)
        if not waiting or time.monotonic() > deadline:
            return broken
        await asyncio.sleep(0.5)


def _gone(world: World, services: Sequence[str]) -> list[str]:
    """Return services without a process, told apart from those that are late."""
    workers = [world.rig.workers.get((name, 1)) for name in services]
    return [
        f"I4 {one.name} has ended with {one.process.poll()}, see {world.rig.folder}"
        for one in workers
        if one is not None and not one.alive
    ]


def assert_holds(lines: Iterable[str]) -> None:
    """Fail with the broken rows."""
    broken = list(lines)
    assert not broken, "\n".join(broken[:40])
