"""Forgetting a person: addresses and names go from ledgers, copies, snapshots and proofs.

Counts stay.
"""

from __future__ import annotations

from typing import Final

from services.delivery.domain.runs import Reason
from services.delivery.store.runs import RunStore
from services.delivery.store.tracking import TrackingStore
from shared.ids import normalise_email
from shared.uow import Work
from topics.delivery import MessageOutcome, Outcome

# A campaign's rows are found by each run's own index, single messages by the person's.
_ROWS: Final = """
WITH rows AS (
    SELECT l.run_id, l.member_id FROM runs r JOIN ledger l
        ON l.run_id = r.run_id AND l.recipient_key = $1
    WHERE r.kind <> 'transactional'
    UNION
    SELECT run_id, member_id FROM ledger WHERE recipient_key = $1 AND urgent),
free AS (
    SELECT l.run_id, l.member_id FROM rows JOIN ledger l USING (run_id, member_id)
    WHERE l.outcome IN ('pending', 'ambiguous')
      AND NOT EXISTS (SELECT 1 FROM queue q
                      WHERE q.run_id = l.run_id AND q.member_id = l.member_id
                        AND q.lease_until IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM slices s
                      WHERE s.run_id = l.run_id AND s.lease_until IS NOT NULL
                        AND l.position >= s.window_from AND l.position < s.window_to)),
dequeued AS (
    DELETE FROM queue q USING free f WHERE q.run_id = f.run_id AND q.member_id = f.member_id)
UPDATE ledger l
SET recipient_key = 'erased:' || l.member_id, address = '', merge = '{}',
    outcome = CASE WHEN f.run_id IS NOT NULL THEN 'ignored' ELSE l.outcome END,
    reason = CASE WHEN f.run_id IS NOT NULL THEN $2 ELSE l.reason END,
    outcome_at = coalesce(l.outcome_at, $3)
FROM rows JOIN runs r USING (run_id) LEFT JOIN free f USING (run_id, member_id)
WHERE l.run_id = rows.run_id AND l.member_id = rows.member_id
RETURNING l.run_id, l.member_id, l.outcome, l.reason, r.kind
"""
# Whoever is still to be written to from this snapshot is counted, and gets nothing.
_SNAPSHOTS: Final = """
UPDATE snapshot_chunks c
SET members = (
    SELECT jsonb_agg(
        CASE WHEN m.member ->> 'recipient_key' = $1
             THEN m.member || '{"first_name": "", "last_name": "", "direct_line": "", "mobile": "",
                                "email": null, "recipient_key": null, "opted_out": true}'::jsonb
             ELSE m.member END ORDER BY m.place)
    FROM jsonb_array_elements(c.members) WITH ORDINALITY AS m (member, place))
WHERE c.members @> jsonb_build_array(jsonb_build_object('recipient_key', $1::text))
"""
_PROOFS: Final = """
UPDATE proofs SET html = '', text = '', subject = '', letter = NULL, sample_key = NULL
WHERE sample_key = $1
"""
_TEMPLATES: Final = """
UPDATE templates SET proof_recipients = array(
    SELECT one FROM unnest(proof_recipients) AS one WHERE lower(trim(one)) <> $1)
WHERE EXISTS (SELECT 1 FROM unnest(proof_recipients) AS one WHERE lower(trim(one)) = $1)
"""
_SEEDS: Final = """
UPDATE {table} SET seeds = coalesce(
    (SELECT jsonb_agg(one) FROM jsonb_array_elements(seeds) AS one
     WHERE lower(trim(one ->> 'address')) <> $1), '[]')
WHERE EXISTS (SELECT 1 FROM jsonb_array_elements(seeds) AS one
              WHERE lower(trim(one ->> 'address')) = $1)
"""
# Read mails are found by the message they spoke of; those nobody read yet by the address in them.
_PLANS: Final = """
DELETE FROM forecast f USING planned p
WHERE f.snapshot_id = p.snapshot_id AND f.recipient_key = $1
"""
_MAILS: Final = """
DELETE FROM inbound_mails
WHERE recipient_key = $1
   OR position(encode(convert_to($2, 'UTF8'), 'escape') IN lower(encode(raw, 'escape'))) > 0
"""
_FAILURES: Final = """
UPDATE failures SET recipient_key = 'erased:' || member_id WHERE recipient_key = $1
"""
_ERRORS: Final = """
DELETE FROM quarantine WHERE recipient_key = $1 AND status IN ('valid', 'with_errors')
"""


async def erase(work: Work, recipient_key: str, address: str) -> int:
    """Forget an address; return how many rows held it.

    A message that has not left will not; one in a server's hands ends as its answer says. The
    opt-out stays under its keyed hash, which names nobody: without it a later import would write
    to the person again. So does a quarantine, and that somebody called us unwanted.
    """
    rows = await work.connection.fetch(_ROWS, recipient_key, Reason.ERASED.value, work.now)
    for row in rows:
        if row["kind"] == "transactional" and row["reason"] == Reason.ERASED:
            work.emit(
                MessageOutcome(
                    message_id=row["run_id"],
                    outcome=Outcome.IGNORED,
                    reason=Reason.ERASED,
                    at=work.now,
                )
            )
    others = {row["run_id"] for row in rows if row["kind"] != "transactional"}
    if others:
        await RunStore(work.connection).mark(*others)
    number = len(rows) + await TrackingStore(work.connection).erase(
        [(row["run_id"], row["member_id"]) for row in rows]
    )
    for query in (_SNAPSHOTS, _PLANS, _PROOFS, _FAILURES, _ERRORS):
        status = await work.connection.execute(query, recipient_key)
        number += int(status.rpartition(" ")[2])
    lists = (_SEEDS.format(table=table) for table in ("templates", "campaign_seeds"))
    for query in (_TEMPLATES, *lists):
        status = await work.connection.execute(query, normalise_email(address))
        number += int(status.rpartition(" ")[2])
    status = await work.connection.execute(_MAILS, recipient_key, normalise_email(address))
    return number + int(status.rpartition(" ")[2])
