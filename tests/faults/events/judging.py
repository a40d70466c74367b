"""What must hold once a seed has come to rest; each broken row has its invariant's name first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from services.cli.checking import verdicts
from tests.faults import checks
from tests.faults.checks import Mails
from tests.faults.events.archived import archived
from tests.faults.events.center import SERVICES, Center
from tests.faults.events.draws import Fate
from tests.faults.events.pushing import Client, Event
from topics.events import EventStatus

ENDS: Final[dict[Fate, EventStatus]] = {
    Fate.PLAIN: EventStatus.SENT,
    Fate.SCHEDULED: EventStatus.SENT,
    Fate.EXPIRED: EventStatus.EXPIRED,
    Fate.NOT_COVERED: EventStatus.NOT_COVERED,
    Fate.REFUSED: EventStatus.DELIVERY_ERROR,
    Fate.NO_MAILBOX: EventStatus.DELIVERY_ERROR,
    Fate.BOUNCED: EventStatus.DELIVERY_ERROR,
}
FINAL: Final = frozenset(ENDS.values()) | {EventStatus.IGNORED}
MAILED: Final = frozenset({Fate.PLAIN, Fate.SCHEDULED, Fate.BOUNCED})
ROWS: Final = """
SELECT e.event_id, e.external_id, e.status, e.version,
       array(SELECT h.after FROM events_status.event_history h
             WHERE h.event_id = e.event_id ORDER BY h.version) AS history,
       EXISTS (SELECT 1 FROM delivery.attempts a
               WHERE a.run_id = e.event_id AND a.outcome = 'ambiguous') AS unclear
FROM events_status.events e WHERE e.external_id = ANY ($1::text[])
"""
_NUMBERS: Final = "SELECT number, event_id FROM web.event_numbers WHERE number = ANY ($1::bigint[])"
_LETTERS: Final = """
SELECT consumer, ce_id, reason FROM events_status.dead_letters
UNION ALL SELECT consumer, ce_id, reason FROM delivery.dead_letters
UNION ALL SELECT consumer, ce_id, reason FROM web.dead_letters
"""


async def judge(
    center: Center, events: Sequence[Event], client: Client, *, assumed: bool
) -> tuple[list[str], Mails]:
    """Check everything about a seed's events; return what is broken, and how its mails stand.

    Args:
        assumed: whether ambiguous messages were taken for sent.
    """
    rows = await center.rig.rows(ROWS, [one.name for one in events])
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["external_id"], []).append(row)
    broken = list(client.wrong)
    for event in events:
        broken += _one(event, by_name.get(event.name, []), client, assumed=assumed)
    broken += await _numbers(center, by_name, client)
    broken += _published(center, rows)
    mails = await checks.compared(
        center.rig.rows,
        center.receiver,
        runs=[row["event_id"] for row in rows],
        assumed=assumed,
    )
    broken += mails.broken + _mailed(center, events)
    broken += await archived(center, [one.name for one in events])
    broken += [
        f"I4 {row['consumer']} buried {row['ce_id']}: {row['reason']}"
        for row in await center.rig.rows(_LETTERS)
    ]
    return broken, mails


def _one(
    event: Event, rows: Sequence[Mapping[str, Any]], client: Client, *, assumed: bool
) -> list[str]:
    """I1 and I2: an accepted event is one row, of the id that was told, with its one end."""
    if len(rows) != 1:
        return [f"I1 event {event.name} ({event.fate}) was accepted and has {len(rows)} rows"]
    [row] = rows
    broken = []
    told = client.ids[event.name]
    if told - {row["event_id"]}:
        broken.append(f"I1 event {event.name} was told {sorted(map(str, told))}")
    taken_for_sent = assumed and row["unclear"] and row["status"] == EventStatus.SENT
    if row["status"] != ENDS[event.fate] and not taken_for_sent:
        broken.append(f"I2 event {event.name} ({event.fate}) is {row['status']}: {row['history']}")
    ends = [one for one in row["history"] if one in FINAL]
    late = [EventStatus.SENT, EventStatus.DELIVERY_ERROR]
    if len(ends) != 1 and ends != late:
        broken.append(f"I2 event {event.name} ({event.fate}) ended twice: {row['history']}")
    return broken


async def _numbers(
    center: Center, by_name: Mapping[str, Sequence[Mapping[str, Any]]], client: Client
) -> list[str]:
    """I1: an event has one number, however often it was asked for."""
    wanted = {name: numbers for name, numbers in client.numbers.items() if numbers}
    asked = sorted(number for numbers in wanted.values() for number in numbers)
    found = {row["number"]: row["event_id"] for row in await center.rig.rows(_NUMBERS, asked)}
    return [
        f"I1 event {name} was told the numbers {sorted(numbers)}"
        for name, numbers in wanted.items()
        if {found.get(number) for number in numbers}
        != {row["event_id"] for row in by_name.get(name, [])}
    ]


def _published(center: Center, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """I4: each change was published, once, in order; the latest state is the row's."""
    broken = []
    for row in rows:
        event: UUID = row["event_id"]
        changes = list(center.told.changes[event].values())
        if [after for _, after in changes] != row["history"]:
            broken.append(f"I4 event {event} went {row['history']}, published as {changes}")
        state = center.told.states.get(event)
        if state != (row["status"], row["version"]):
            broken.append(
                f"I4 event {event} is {row['status']} ({row['version']}), its state says {state}"
            )
    return broken


def _mailed(center: Center, events: Sequence[Event]) -> list[str]:
    """I3: nobody gets a mail of an event that is not to be sent."""
    silent = {one.address: one for one in events if one.fate not in MAILED}
    return [
        f"I3 event {silent[address].name} ({silent[address].fate}) reached the mail server"
        for address in center.receiver.recipients.values()
        if address in silent
    ]


async def checked(center: Center) -> list[str]:
    """Do what ``muster check`` does over the center's rows and all that was published."""
    await center.told.read()
    found = await verdicts(center.rig.settings, SERVICES, seen=center.told.seen)
    return center.told.broken + [line for verdict in found for line in verdict.broken]
