"""What the consent column of a contacts file changes, and what it never does.

``no`` opts out, ``yes`` opts in, nothing says nothing. But a file is older than a click: an import
acts on a contact's column only where it differs from what that contact's last import said, so the
same file twice undoes no unsubscription; and a ``yes`` lifts an opt-out only where that very
contact said ``no`` before and no other contact of the address still does. Two contacts with one
address who disagree have opted out.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from shared.uow import Work
from topics.targeting import ConsentChanged

_SAID: Final = """
SELECT s.recipient_key AS key, s.email_consent AS said,
       coalesce(bool_or(c.email_consent = 'no' AND c.recipient_key = s.recipient_key), false)
           AS reversed
FROM staging s LEFT JOIN contacts c ON c.contact_ref = s.contact_ref
WHERE s.recipient_key IS NOT NULL AND s.email_consent <> ''
  AND (c.contact_id IS NULL OR c.email_consent <> s.email_consent
       OR c.recipient_key IS DISTINCT FROM s.recipient_key)
GROUP BY s.recipient_key, s.email_consent
"""
# What the file leaves open stays what it was.
_KEEP: Final = """
UPDATE staging s SET email_consent = c.email_consent FROM contacts c
WHERE s.email_consent = '' AND c.contact_ref = s.contact_ref
"""
_OPT_OUT: Final = """
INSERT INTO consents (recipient_key, channel, opted_out, at, recorded_by)
SELECT key, 'email', true, $2, $3 FROM unnest($1::text[]) key ORDER BY key
ON CONFLICT (recipient_key, channel) DO UPDATE
SET opted_out = true, at = excluded.at, recorded_by = excluded.recorded_by
WHERE NOT consents.opted_out AND consents.at < excluded.at
RETURNING recipient_key
"""
_FIRST_YES: Final = """
INSERT INTO consents (recipient_key, channel, opted_out, at, recorded_by)
SELECT key, 'email', false, $2, $3 FROM unnest($1::text[]) key ORDER BY key
ON CONFLICT DO NOTHING
"""
_OPT_IN: Final = """
UPDATE consents k SET opted_out = false, at = $2, recorded_by = $3
WHERE k.recipient_key = ANY($1::text[]) AND k.channel = 'email' AND k.opted_out AND k.at < $2
  AND NOT EXISTS (SELECT 1 FROM contacts c
                  WHERE c.recipient_key = k.recipient_key AND c.email_consent = 'no')
RETURNING k.recipient_key
"""


async def said(work: Work) -> list[asyncpg.Record]:
    """Return what the staged contacts say anew; call before they are written."""
    rows = await work.connection.fetch(_SAID)
    await work.connection.execute(_KEEP)
    return rows


async def apply(work: Work, rows: list[asyncpg.Record], by: str) -> int:
    """Change consents after the contacts were written; return how many changed."""
    out = {row["key"] for row in rows if row["said"] == "no"}
    agreed = {row["key"] for row in rows if row["said"] == "yes"} - out
    reversed_keys = {row["key"] for row in rows if row["reversed"]} & agreed
    changed = [(row[0], True) for row in await _write(work, _OPT_OUT, out, by)]
    changed += [(row[0], False) for row in await _write(work, _OPT_IN, reversed_keys, by)]
    await _write(work, _FIRST_YES, agreed, by)
    for key, opted_out in changed:
        work.emit(ConsentChanged(recipient_key=key, opted_out=opted_out, at=work.now))
    return len(changed)


async def _write(work: Work, sql: str, keys: set[str], by: str) -> list[asyncpg.Record]:
    if not keys:
        return []
    return await work.connection.fetch(sql, sorted(keys), work.now, by)
