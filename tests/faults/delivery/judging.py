"""What must hold after a run of the engine; each broken row has its invariant's name first."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.delivery import invariants
from services.delivery.claims import WINDOW_SECONDS
from services.delivery.domain.runs import Reason
from services.delivery.mail import message_id
from tests.faults import checks
from tests.faults.checks import Mails
from tests.faults.delivery.lanes import Campaign, Lane
from tests.faults.delivery.people import Lot, Person
from tests.faults.delivery.printed import read_letters, with_letters
from tests.faults.world import FROM_ADDRESS

GRACE_SECONDS: Final = WINDOW_SECONDS + 2.0
"""How long after an opt-out or a pause was seen in the rows a call may begin: what was claimed
before may wait ``WINDOW_SECONDS`` for its call; the rest is for machines that are busy."""
MAY_BE: Final[dict[Lot, tuple[tuple[str, str], ...]]] = {
    Lot.MAIL: (("sent", ""),),
    Lot.DOUBLE: (("ignored", "double"),),
    Lot.OPTED_OUT: (("ignored", "opted_out"),),
    Lot.NO_ADDRESS: (("ignored", "no_address"),),
    Lot.BAD_ADDRESS: (("failed", "bad_address"),),
    Lot.REFUSED_BY_SERVER: (("failed", "refused_by_server"),),
    Lot.LETTER: (("sent", ""),),
}
STOP_REASON: Final = "enough"
STOPPABLE: Final = frozenset({Lot.MAIL, Lot.BAD_ADDRESS, Lot.REFUSED_BY_SERVER, Lot.LETTER})
"""Whose row waits for what will become of it; of the others it is known once it is there."""
FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)
_ROWS: Final = """
SELECT l.run_id, l.member_id, l.outcome, l.reason, l.attempts,
       count(*) FILTER (WHERE a.outcome = 'sent') AS sent,
       count(*) FILTER (WHERE a.outcome IN ('ambiguous', 'open')) AS unclear,
       array_agg(a.started_at) FILTER (WHERE a.number IS NOT NULL) AS started
FROM delivery.ledger l
LEFT JOIN delivery.attempts a ON a.run_id = l.run_id AND a.member_id = l.member_id
WHERE l.run_id = ANY ($1::uuid[])
GROUP BY l.run_id, l.member_id
"""
_COUNTS: Final = """
SELECT outcome, count(*)::int AS rows FROM delivery.ledger WHERE run_id = $1 GROUP BY outcome
"""


@dataclass
class Meanwhile:
    """What people did while a run was under way, and when it was seen in the rows (UTC).

    Attributes:
        pauses: of each run, from when a pause was seen until the word to go on was given.
        opted_out: by recipient key, when the opt-out was seen.
        ambiguous: messages (run, member) that were ambiguous at some time.
        bounced: addresses whose servers sent the mail back.
        stopped: runs that were stopped; each is a pause without an end, too.
    """

    pauses: dict[UUID, list[tuple[datetime, datetime]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    opted_out: dict[str, datetime] = field(default_factory=dict)
    ambiguous: set[tuple[UUID, UUID]] = field(default_factory=set)
    bounced: set[str] = field(default_factory=set)
    stopped: set[UUID] = field(default_factory=set)

    def stop(self, run_id: UUID, since: datetime) -> None:
        """Note that a run's stop is in the rows."""
        self.stopped.add(run_id)
        self.pauses[run_id].append((since, FOR_EVER))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a run: what is broken, in words, and how its mails stand."""

    broken: tuple[str, ...]
    mails: Mails


async def judge(
    lane: Lane,
    campaigns: list[Campaign],
    singles: list[UUID],
    meanwhile: Meanwhile,
    *,
    assumed: bool,
) -> Judgement:
    """Check all that must hold after runs have come to rest.

    Args:
        assumed: whether ambiguous messages may have been taken for sent.
    """
    runs = [campaign.run_id for campaign in campaigns] + singles
    rows = {(row["run_id"], row["member_id"]): row for row in await lane.rig.rows(_ROWS, runs)}
    mails = await checks.compared(lane.rig.rows, lane.receiver, runs=runs, assumed=assumed)
    broken = []
    for campaign in campaigns:
        if any(person.lot is Lot.LETTER for person in campaign.people):
            printed = await read_letters(lane, campaign.run_id)
            mails = with_letters(mails, campaign, printed, rows)
            broken += printed.broken
        broken += await _totals(lane, campaign)
        broken += _people(campaign, rows, meanwhile, assumed=assumed)
        broken += _too_late(lane, campaign, rows, meanwhile)
    broken += mails.broken
    broken += _singles(lane, singles, rows)
    broken += lane.news.broken
    async with lane.door.uow.begin() as work:
        broken += await invariants.broken(work.connection)
    return Judgement(tuple(broken), mails)


async def _totals(lane: Lane, campaign: Campaign) -> list[str]:
    """I2: everybody is accounted for, and the end that was published says the same."""
    found = {row["outcome"]: row["rows"] for row in await lane.rig.rows(_COUNTS, campaign.run_id)}
    wanted = len(campaign.people)
    broken = []
    if sum(found.values()) != wanted:
        broken.append(f"I2 {wanted} people were targeted, the ledger has {found}")
    left = {name: found[name] for name in ("pending", "ambiguous") if found.get(name)}
    if left:
        broken.append(f"I2 the run is over and has {left}")
    told = list(lane.news.finished.get(campaign.run_id, {}).values())
    if len(told) != 1:
        return [*broken, f"I4 the end of a run was published {len(told)} times"]
    said = {name: told[0].get(name, 0) for name in ("sent", "failed", "ignored")}
    if any(found.get(name, 0) != count for name, count in said.items()):
        broken.append(f"I2 the end that was published says {said}, the ledger {found}")
    return broken


def _people(
    campaign: Campaign,
    rows: dict[tuple[UUID, UUID], dict[str, Any]],
    meanwhile: Meanwhile,
    *,
    assumed: bool,
) -> list[str]:
    """I2: what became of each person is one of the things that may."""
    broken: Counter[str] = Counter()
    for person in campaign.people:
        row = rows.get((campaign.run_id, person.member_id))
        if row is None:
            broken[f"I2 somebody ({person.lot}) is missing from the ledger"] += 1
        elif _was_stopped(person, row, meanwhile):
            continue
        elif not _may_be(person, row, meanwhile, assumed=assumed):
            broken[f"I2 {person.lot} became {row['outcome']} ({row['reason']})"] += 1
    return [f"{line}: {count} people" for line, count in broken.items()]


def _was_stopped(person: Person, row: dict[str, Any], meanwhile: Meanwhile) -> bool:
    end = "ignored", f"{Reason.STOPPED}: {STOP_REASON}"
    return (
        row["run_id"] in meanwhile.stopped
        and person.lot in STOPPABLE
        and (row["outcome"], row["reason"]) == end
    )


def _may_be(person: Person, row: dict[str, Any], meanwhile: Meanwhile, *, assumed: bool) -> bool:
    if person.lot is Lot.MAIL and person.address in meanwhile.bounced:
        return bool(row["outcome"] == "failed")
    end = row["outcome"], row["reason"]
    if end in MAY_BE[person.lot]:
        return True
    if end == ("ignored", "opted_out"):
        return person.key in meanwhile.opted_out
    return assumed and row["outcome"] == "sent" and row["unclear"] > 0 and row["sent"] == 0


def _too_late(
    lane: Lane,
    campaign: Campaign,
    rows: dict[tuple[UUID, UUID], dict[str, Any]],
    meanwhile: Meanwhile,
) -> list[str]:
    """I5: nothing is called once a pause or an opt-out is in the rows, beyond the grace."""
    people = {
        message_id(campaign.run_id, one.member_id, FROM_ADDRESS): one for one in campaign.people
    }
    grace, pauses = timedelta(seconds=GRACE_SECONDS), meanwhile.pauses[campaign.run_id]
    broken = []
    for mail in lane.receiver.kept:
        person = people.get(mail.message_id)
        if person is None:
            continue
        gone_at = meanwhile.opted_out.get(person.key)
        if gone_at is not None and mail.begun_at > gone_at + grace:
            late = (mail.begun_at - gone_at).total_seconds()
            broken.append(f"I5 {mail.message_id} was called {late:.1f} s after the opt-out")
        if any(since + grace < mail.begun_at < until for since, until in pauses):
            broken.append(f"I5 {mail.message_id} was called in a pause")
    for (run_id, _), row in rows.items():
        # What claims a row has read the pause in its own transaction: there is no grace for that.
        if run_id == campaign.run_id and any(
            since < started < until for started in row["started"] or () for since, until in pauses
        ):
            broken.append("I5 an attempt was written in a pause")
    return broken


def _singles(
    lane: Lane, singles: list[UUID], rows: dict[tuple[UUID, UUID], dict[str, Any]]
) -> list[str]:
    """I2 and I4: every single message has an end, which was published once."""
    broken = []
    for message in singles:
        row = rows.get((message, message))
        if row is None:
            broken.append("I2 a single message is missing from the ledger")
            continue
        if row["outcome"] != "sent":
            broken.append(f"I2 a single message is {row['outcome']} ({row['reason']})")
        told = list(lane.news.outcomes.get(message, {}).values())
        if told != [row["outcome"]]:
            broken.append(f"I4 a single message is {row['outcome']}, published as {told}")
    return broken
