"""Which message a report speaks of: by its token, else by Message-ID, else by address.

A token is signed, so it names its own message and nothing else can be changed with it. Without one
the report must know the address that the message went to: its keyed hash is the ledger row's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.delivery.bounces.parsing import Report, Told
from services.delivery.bounces.verp import Sent, read_token
from services.delivery.store.inbound import InboundStore, SentRow
from shared.ids import recipient_key
from topics.delivery import Channel

BOUNCE_DAYS: Final = 14
"""Servers try for up to five days, and bounces come up to a week after sending."""

Rows = Mapping[tuple[UUID, UUID], SentRow]


@dataclass(frozen=True, slots=True)
class Match:
    """A message, and what a report says of it; nothing when it is no report of a failure."""

    row: SentRow
    told: Told | None


class Matcher:
    """Finds the messages of many reports with a few statements."""

    def __init__(self, store: InboundStore, secret: bytes, now: datetime) -> None:
        self._store = store
        self._secret = secret
        self._since = now - timedelta(days=BOUNCE_DAYS)

    async def match(self, reports: Sequence[Report]) -> list[list[Match]]:
        """Return the messages each report speaks of, in the order of the reports."""
        signed = [self._signed(one) for one in reports]
        named = [sent for one in reports for sent in one.sent]
        wanted = {(one.run_id, one.member_id) for one in [*filter(None, signed), *named]}
        rows = await self._store.rows(list(wanted)) if wanted else {}
        found = [
            self._by_token(one, token, rows) or self._by_message_id(one, rows)
            for one, token in zip(reports, signed, strict=True)
        ]
        lost = [one for one, matches in zip(reports, found, strict=True) if not matches]
        keys = {self._key_of(told) for one in lost for told in one.told}
        latest = await self._store.latest(list(keys), self._since) if keys else {}
        return [
            matches or self._by_address(one, latest)
            for one, matches in zip(reports, found, strict=True)
        ]

    def _signed(self, report: Report) -> Sent | None:
        proven = (read_token(self._secret, token) for token in report.tokens)
        return next(filter(None, proven), None)

    def _by_token(self, report: Report, token: Sent | None, rows: Rows) -> list[Match]:
        row = rows.get((token.run_id, token.member_id)) if token else None
        if row is None:
            return []
        # Behind a forwarding the address is another one; the token says whose message it was.
        own = [told for told in report.told if self._key_of(told) == row.recipient_key]
        return [Match(row, next(iter(own or report.told), None))]

    def _by_message_id(self, report: Report, rows: Rows) -> list[Match]:
        named = (rows.get((one.run_id, one.member_id)) for one in report.sent)
        return [
            Match(row, told)
            for row in filter(None, named)
            for told in report.told
            if self._key_of(told) == row.recipient_key
        ][:1]

    def _by_address(self, report: Report, latest: Mapping[str, SentRow]) -> list[Match]:
        known = ((latest.get(self._key_of(told)), told) for told in report.told)
        return [Match(row, told) for row, told in known if row is not None]

    def _key_of(self, told: Told) -> str:
        return recipient_key(self._secret, Channel.EMAIL, told.address)
