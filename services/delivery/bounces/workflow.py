"""bounces: reads inbound mails, counts what they say, tells the ledger, removes what is old.

Each step is one transaction: killed in the middle, it is as if it had not begun.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from prometheus_client import Counter

from services.delivery.approving import SERVICE, settings_of
from services.delivery.bounces.matching import Match, Matcher
from services.delivery.bounces.parsing import READ_BYTES, Kind, Report, read
from services.delivery.domain.qualification import reply_of
from services.delivery.domain.quarantine import Failure
from services.delivery.quarantining import note_failures, settle
from services.delivery.store.bounce_messages import BounceMessageStore
from services.delivery.store.consents import ConsentStore
from services.delivery.store.inbound import InboundMail, InboundStore
from services.delivery.store.quarantine import QuarantineStore
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.delivery import Channel
from topics.targeting import RecordConsent

MAILS_A_STEP: Final = 200
READ_SECONDS: Final = 1.0
"""A transaction stays short also when every mail of a step is made to be read slowly."""
PURGED_A_STEP: Final = 2_000
COMPLAINT_CODE: Final = "complaint"
READ: Final = Counter("muster_delivery_inbound_mails_total", "Inbound mails read", ["kind"])


async def bounces(work: Work) -> Step:
    """Do one bounded piece: mails first, then ledger rows, then what is old."""
    mails = await InboundStore(work.connection).lock_new(MAILS_A_STEP, head_bytes=READ_BYTES)
    if mails:
        reports = await asyncio.to_thread(_read_some, mails)
        await _take(work, mails[: len(reports)], reports)
    settled = await settle(work)
    if mails or settled:
        return Step(rows_in=len(mails), rows_out=settled, more=True)
    old = await _tidy(work)
    return Step(rows_in=old, more=old > 0)


def _read_some(mails: Sequence[InboundMail]) -> list[Report]:
    """Return what the first mails say, as many as there is time for, at least one."""
    until = time.monotonic() + READ_SECONDS
    reports = []
    for mail in mails:
        reports.append(read(mail.raw, mail.recipients))
        if time.monotonic() > until:
            break
    return reports


async def _take(work: Work, mails: Sequence[InboundMail], reports: Sequence[Report]) -> None:
    store = InboundStore(work.connection)
    matches = await Matcher(store, work.settings.secret, work.now).match(reports)
    failures = []
    handled = []
    for mail, report, found in zip(mails, reports, matches, strict=True):
        failures += [_failure(mail, report, match) for match in found if match.told]
        handled.append((mail.seq, report.kind.value, found[0].row.recipient_key if found else ""))
        READ.labels(report.kind).inc()
    # A complaint that comes again must not undo what its sender said since.
    for failure in await note_failures(work, failures):
        if failure.complaint:
            await _opt_out(work, failure)
    await store.handled(handled, work.now)


def _failure(mail: InboundMail, report: Report, match: Match) -> Failure:
    row, told = match.row, match.told
    complaint = report.kind is Kind.COMPLAINT
    text = "" if complaint or told is None else told.text
    code = COMPLAINT_CODE if complaint or told is None else reply_of(told.code, text).codes
    return Failure(
        run_id=row.run_id,
        member_id=row.member_id,
        recipient_key=row.recipient_key,
        channel=Channel.EMAIL,
        code=code,
        at=mail.received_at,
        text=text,
        address=row.address,
        complaint=complaint,
        late=True,
    )


async def _opt_out(work: Work, complaint: Failure) -> None:
    """Opt whoever complained out, here at once and in the directory by a command."""
    news = await ConsentStore(work.connection).record(
        complaint.recipient_key,
        complaint.channel,
        opted_out=True,
        at=complaint.at,
        recorded_at=work.now,
    )
    if not news:
        return
    work.emit(
        RecordConsent(
            recipient_key=complaint.recipient_key,
            channel=complaint.channel,
            opted_out=True,
            actor=SERVICE,
            at=complaint.at,
        )
    )


async def _tidy(work: Work) -> int:
    keep = timedelta(days=settings_of(work).bounce_keep_days)
    purged = await InboundStore(work.connection).purge(work.now - keep, PURGED_A_STEP)
    forgotten = await QuarantineStore(work.connection).forget(work.now, PURGED_A_STEP)
    return purged + forgotten + await BounceMessageStore(work.connection).trim()


BOUNCES: Final = TechnicalWorkflow(
    name="bounces",
    label="Bounces and complaints",
    label_fr="Retours en erreur et plaintes",
    package="Delivery",
    run=bounces,
)
