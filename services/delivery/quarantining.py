"""Quarantine in motion: errors of messages become standings of addresses, and who is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from services.delivery.answer_log import log_answers
from services.delivery.approving import SERVICE, settings_of
from services.delivery.domain.default_rules import DEFAULT_RULES
from services.delivery.domain.qualification import (
    COMPLAINT,
    UNKNOWN_NUMBER,
    Qualified,
    Reply,
    qualify,
    reply_of,
)
from services.delivery.domain.quarantine import Failure, Standing, held, standing_of
from services.delivery.domain.runs import Reason, RunKind
from services.delivery.store.bounce_messages import BounceMessageStore
from services.delivery.store.failures import FailureStore
from services.delivery.store.indicators import IndicatorStore
from services.delivery.store.quarantine import Change, QuarantineStore
from services.delivery.store.runs import RunStore
from services.delivery.store.sending import Claimed, SendingStore
from shared.database import Connection
from shared.errors import Refused
from shared.uow import Work
from topics.bounces import AddressQuarantined, AddressReleased, ReleaseAddress
from topics.delivery import Channel, MessageOutcome, Outcome

SETTLED_AT_ONCE: Final = 5_000


class _Told(NamedTuple):
    failure: Failure
    reply: Reply
    qualified: Qualified


async def note_failures(work: Work, failures: Sequence[Failure]) -> list[Failure]:
    """Count failures of messages against their addresses, each once; return those that were new.

    For refusals in the session, call it in the transaction that writes their results, with the
    server's code and without its text. A number of statements that does not grow with the
    failures; locks are taken in order of key.
    """
    if not failures:
        return []
    told = await _qualified(work, failures)
    fresh = await _keep(work, told)
    texts = Counter(one.reply.normalised for one in fresh if _is_mail_text(one.failure))
    if texts:
        means = {one.reply.normalised: one.qualified for one in fresh}
        await BounceMessageStore(work.connection).count(
            {text: (means[text], number) for text, number in texts.items()}, work.now
        )
    log_answers(work, [(one.failure, one.reply.normalised, one.qualified) for one in fresh])
    late = {one.failure.run_id for one in fresh if one.failure.late}
    if late:
        await IndicatorStore(work.connection).mark(late)
    return [one.failure for one in fresh]


async def blocked(
    connection: Connection, recipient_keys: Collection[str], channel: str
) -> dict[str, Reason]:
    """Return those of the addresses that are quarantined or denylisted, and which.

    Campaigns and single messages leave them out (Ignored by the delivery); proofs do not.
    """
    if not recipient_keys:
        return {}
    return await QuarantineStore(connection).blocked(recipient_keys, channel)


async def leave_out_blocked(work: Work, rows: list[Claimed]) -> list[Claimed]:
    """Return the rows that may go; those of blocked addresses are Ignored, and said so.

    Single messages too: Message Center knows "ignored by the delivery (quarantine, denylist)". A
    server that has no such mailbox gains nothing from an order confirmation, and whoever called us
    unwanted has said it of every message. Who only opted out of campaigns still gets theirs.
    """
    sendable = [row for row in rows if row.kind is not RunKind.PROOF]
    why: dict[str, Reason] = {}
    for channel in {row.channel for row in sendable}:
        keys = {row.recipient_key for row in sendable if row.channel is channel}
        why |= await blocked(work.connection, keys, channel)
    if not why:
        return rows
    left_out = [row for row in sendable if row.recipient_key in why]
    reasons = [why[row.recipient_key] for row in left_out]
    for reason in set(reasons):
        ended = [row for row in left_out if why[row.recipient_key] is reason]
        await SendingStore(work.connection).ignore(ended, reason, work.now)
    for row, reason in zip(left_out, reasons, strict=True):
        if row.kind is RunKind.TRANSACTIONAL:
            work.emit(
                MessageOutcome(
                    message_id=row.run_id, outcome=Outcome.IGNORED, reason=reason, at=work.now
                )
            )
    others = {row.run_id for row in left_out if row.kind is not RunKind.TRANSACTIONAL}
    if others:
        await RunStore(work.connection).mark(*others)
    refused = {(row.run_id, row.member_id) for row in left_out}
    return [row for row in rows if (row.run_id, row.member_id) not in refused]


async def settle(work: Work) -> int:
    """Make the ledger rows of bounced messages failed and say so; return how many."""
    settled = await FailureStore(work.connection).settle(SETTLED_AT_ONCE)
    for one in settled:
        if one.kind is RunKind.TRANSACTIONAL:
            work.emit(
                MessageOutcome(
                    message_id=one.run_id, outcome=Outcome.FAILED, reason=one.reason, at=work.now
                )
            )
    others = {one.run_id for one in settled if one.kind is not RunKind.TRANSACTIONAL}
    if others:
        await RunStore(work.connection).mark(*others)
        await IndicatorStore(work.connection).mark(others)
    return len(settled)


async def release(work: Work, command: ReleaseAddress) -> None:
    """Make an address valid again, because a person says so.

    Raises:
        Refused: it is not blocked.
    """
    store = QuarantineStore(work.connection)
    before = await store.find(command.recipient_key, command.channel)
    if before is None or not before.blocked:
        raise Refused("this address is neither quarantined nor denylisted", field="recipient_key")
    await store.release(command.recipient_key, command.channel, work.now)
    change = Change(command.recipient_key, before, Standing())
    await store.journal(
        [change], command.channel, by=command.actor, at=work.now, why=command.reason
    )
    work.emit(
        AddressReleased(
            recipient_key=command.recipient_key,
            channel=command.channel,
            actor=command.actor,
            at=work.now,
        )
    )


async def _qualified(work: Work, failures: Sequence[Failure]) -> list[_Told]:
    # Thousands of refusals share a few codes.
    said = {(one.code, one.text, one.address): one for one in failures}
    replies = {key: reply_of(one.code, one.text, one.address) for key, one in said.items()}
    texts = {reply.normalised for reply in replies.values()}
    by_people = await BounceMessageStore(work.connection).by_people(texts)
    means = {key: _meaning(reply, by_people) for key, reply in replies.items()}
    told = []
    for one in failures:
        key = (one.code, one.text, one.address)
        told.append(_Told(one, replies[key], _meaning_of(one) or means[key]))
    return told


def _meaning_of(failure: Failure) -> Qualified | None:
    """Return what a failure means whatever the words; ``None`` when its reply says it."""
    if failure.complaint:
        return COMPLAINT
    return UNKNOWN_NUMBER if failure.channel is Channel.SMS else None


def _is_mail_text(failure: Failure) -> bool:
    """Whether its words are a mail server's, which people qualify."""
    return failure.channel is Channel.EMAIL and not failure.complaint


def _meaning(reply: Reply, by_people: dict[str, Qualified]) -> Qualified:
    """Return what a person made of these words, else what the rules do."""
    return by_people.get(reply.normalised) or qualify(reply, DEFAULT_RULES)


async def _keep(work: Work, told: Sequence[_Told]) -> list[_Told]:
    """Write failures and what they make of their addresses; return those that are new."""
    fresh: list[_Told] = []
    for channel in Channel:
        rows = _once([one for one in told if one.failure.channel is channel])
        if rows:
            fresh += await _keep_on(work, channel, rows)
    return fresh


def _once(told: Sequence[_Told]) -> list[_Told]:
    """Return the earliest of what was told of a message with one code."""
    found: dict[tuple[UUID, UUID, str], _Told] = {}
    for one in sorted(told, key=lambda one: one.failure.at, reverse=True):
        found[_key(one.failure)] = one
    return list(found.values())


def _key(failure: Failure) -> tuple[UUID, UUID, str]:
    return failure.run_id, failure.member_id, failure.code


async def _keep_on(work: Work, channel: Channel, told: Sequence[_Told]) -> list[_Told]:
    quarantine = QuarantineStore(work.connection)
    counted = {one.failure.recipient_key for one in told if one.qualified.counts}
    # Before the failures: of two transactions with one address, the second sees the first's.
    before = await quarantine.lock(counted, channel, work.now) if counted else {}
    new, earlier = await FailureStore(work.connection).add(
        [(one.failure, one.qualified) for one in told]
    )
    changed = [one for one in told if _key(one.failure) in new | earlier and one.qualified.counts]
    keys = {one.failure.recipient_key for one in changed}
    if keys:
        errors = await quarantine.errors(keys, channel)
        limits = settings_of(work).limits
        now = {key: held(before[key], standing_of(errors[key], limits)) for key in keys}
        await quarantine.keep(now, channel, work.now)
        runs = {one.failure.recipient_key: one.failure.run_id for one in changed}
        changes = [
            Change(key, before[key], now[key], runs[key])
            for key in sorted(keys)
            if before[key].status is not now[key].status
        ]
        await _announce(work, channel, changes)
    return [one for one in told if _key(one.failure) in new]


async def _announce(work: Work, channel: Channel, changes: Sequence[Change]) -> None:
    await QuarantineStore(work.connection).journal(changes, channel, by=SERVICE, at=work.now)
    for change in changes:
        if change.now.blocked:
            work.emit(
                AddressQuarantined(
                    recipient_key=change.recipient_key,
                    channel=channel,
                    status=change.now.status,
                    reason=change.now.reason,
                    at=work.now,
                )
            )
