"""The rules of event types: whether their events are enriched, and what they are recycled to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from services.events_status.settings import settings_of
from shared.database import Connection
from shared.errors import Refused
from shared.ids import new_id_text
from shared.uow import Work
from topics.events import EventRulesSet, SetEventRules
from topics.outside import EMAIL, SMS

RECYCLED_TO: Final = (EMAIL, SMS)
"""The channels an event may be recycled to: those that write to a person's own address."""

_REMEMBER: Final = """
INSERT INTO event_rule_changes (source, command_id, event_type, enrich, recycle_to, actor, at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING 1
"""
_SET: Final = """
INSERT INTO event_rules (event_type, enrich, recycle_to, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (event_type) DO UPDATE
SET enrich = excluded.enrich, recycle_to = excluded.recycle_to,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at
"""


class RuleStore:
    """Rules of one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, command: SetEventRules, identity: tuple[str, str], now: datetime) -> bool:
        """Set the rules of a type; return False for a command (source, id) that came before."""
        noted = await self._connection.fetchval(
            _REMEMBER, *identity, *_values(command), command.actor.id, now
        )
        if noted is not None:
            await self._connection.execute(_SET, *_values(command), command.actor.id, now)
        return noted is not None

    async def enriched(self, types: Iterable[str]) -> frozenset[str]:
        """Return which of some types have their events enriched."""
        rows = await self._connection.fetch(
            "SELECT event_type FROM event_rules WHERE enrich AND event_type = ANY ($1::text[])",
            list(set(types)),
        )
        return frozenset(row["event_type"] for row in rows)

    async def recycled(self, types: Iterable[str]) -> dict[str, str]:
        """Return the channel that events of some types are recycled to, where there is one."""
        rows = await self._connection.fetch(
            "SELECT event_type, recycle_to FROM event_rules"
            " WHERE recycle_to IS NOT NULL AND event_type = ANY ($1::text[])",
            list(set(types)),
        )
        return {row["event_type"]: row["recycle_to"] for row in rows}


def _values(command: SetEventRules) -> tuple[str, bool, str | None]:
    return command.event_type, command.enrich, command.recycle_to


async def set_rules(work: Work, command: SetEventRules) -> None:
    """Set the rules of a type, once for each command.

    Raises:
        Refused: a rule needs what is not there.
    """
    if "\x00" in command.event_type:
        raise Refused("holds a NUL character", field="event_type")
    if command.enrich and settings_of(work.settings).events_enrichment_url is None:
        raise Refused("EVENTS_ENRICHMENT_URL names no enrichment service", field="enrich")
    if command.recycle_to not in {None, *RECYCLED_TO}:
        raise Refused(f"is neither {' nor '.join(RECYCLED_TO)}", field="recycle_to")
    cause = work.cause
    identity = (cause.source, cause.id) if cause else (f"/muster/{work.service}", new_id_text())
    if await RuleStore(work.connection).set(command, identity, work.now):
        work.emit(
            EventRulesSet(
                event_type=command.event_type,
                enrich=command.enrich,
                recycle_to=command.recycle_to,
                actor=command.actor,
            )
        )
