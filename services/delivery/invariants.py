"""What must hold in the rows of deliveries; each check returns the rows that break it, in words."""

from __future__ import annotations

from typing import Final

from services.delivery.bounces import checks as quarantine
from services.delivery.domain.runs import Reason
from services.delivery.store.ledger import LEFT, OWN
from shared.database import Connection

CHECKS: Final[dict[str, str]] = {
    **quarantine.CHECKS,
    "I1 one ledger row per run, recipient and channel": """
        SELECT format('run %s, channel %s: %s rows for one recipient', run_id, channel, count(*))
        FROM ledger WHERE twin IS NULL GROUP BY run_id, recipient_key, channel HAVING count(*) > 1
    """,
    "I1 nobody is sent to before the wave they are in": """
        SELECT format('run %s: %s messages before their wave', r.run_id, count(*))
        FROM runs r JOIN ledger l ON l.run_id = r.run_id
        WHERE l.position >= r.wave_until AND l.channel = 'email'
          AND l.outcome IN ('sent', 'ambiguous') GROUP BY r.run_id
    """,
    "I1 doubles go only where the approved content says so": """
        SELECT format('run %s, member %s stands as a double of its own', l.run_id, l.member_id)
        FROM ledger l JOIN runs r USING (run_id) LEFT JOIN contents c USING (template_hash)
        WHERE l.twin IS NOT NULL
          AND (l.twin <> l.member_id OR c.send_doubles IS NOT TRUE OR r.kind <> 'campaign')
    """,
    "I1 one message per run and address": """
        SELECT format('run %s: %s messages to one address', run_id, count(*))
        FROM ledger
        WHERE channel = 'email' AND twin IS NULL AND outcome IN ('sent', 'pending', 'ambiguous')
        GROUP BY run_id, lower(trim(address)) HAVING count(*) > 1 AND lower(trim(address)) <> ''
    """,
    "I2 every member of an approved snapshot is in the ledger": """
        SELECT format('run %s: %s members, %s rows', r.run_id, r.count, count(l.run_id))
        FROM runs r LEFT JOIN ledger l ON l.run_id = r.run_id
        WHERE r.kind = 'campaign' AND r.filled AND r.purged_at IS NULL GROUP BY r.run_id, r.count
        HAVING count(l.run_id) <> r.count
    """,
    "I2 finished only when nothing is pending or ambiguous": """
        SELECT format('run %s is finished with %s rows pending or ambiguous', r.run_id, count(*))
        FROM runs r JOIN ledger l ON l.run_id = r.run_id
        WHERE r.state = 'finished' AND l.outcome IN ('pending', 'ambiguous') GROUP BY r.run_id
    """,
    "I1 no recipient is dealt with by two runs of a campaign": f"""
        SELECT format('campaign %s, member %s: %s runs', r.campaign_id, l.member_id, count(*))
        FROM ledger l JOIN runs r ON r.run_id = l.run_id
        WHERE r.kind = 'campaign' AND l.reason <> '{Reason.EARLIER_RUN}' AND NOT {LEFT}
          AND EXISTS (SELECT 1 FROM runs e WHERE e.campaign_id = r.campaign_id
                      AND e.kind = 'campaign' AND e.rest = 'taken')
        GROUP BY r.campaign_id, l.member_id HAVING count(*) > 1
    """,
    "I1 no address gets a campaign twice": """
        SELECT format('campaign %s: %s messages to one address', r.campaign_id, count(*))
        FROM ledger l JOIN runs r ON r.run_id = l.run_id
        WHERE r.kind = 'campaign' AND l.channel = 'email' AND l.twin IS NULL
          AND l.outcome IN ('sent', 'pending', 'ambiguous')
          AND EXISTS (SELECT 1 FROM runs e WHERE e.campaign_id = r.campaign_id
                      AND e.kind = 'campaign' AND e.rest = 'taken')
        GROUP BY r.campaign_id, l.recipient_key HAVING count(*) > 1
    """,
    "I2 the totals that were published are those of the rows": f"""
        SELECT format('run %s: published %s %s, the rows are %s', r.run_id, p.said, p.name,
                      coalesce(l.rows, 0))
        FROM runs r
        CROSS JOIN LATERAL (VALUES
            ('pending', r.counts ->> 'pending'), ('sent', r.counts ->> 'sent'),
            ('failed', r.counts ->> 'failed'), ('ignored', r.counts ->> 'ignored'),
            ('ambiguous', r.counts ->> 'ambiguous')) AS p (name, said)
        LEFT JOIN (SELECT l.run_id, l.outcome, count(*) AS rows
                   FROM ledger l JOIN runs r ON r.run_id = l.run_id
                   WHERE {OWN} GROUP BY l.run_id, l.outcome) l
            ON l.run_id = r.run_id AND l.outcome = p.name
        WHERE r.kind = 'campaign' AND r.state = 'finished' AND r.filled AND r.purged_at IS NULL
          AND p.said::int <> coalesce(l.rows, 0)
    """,
    "I3 a message that was sent has an attempt": """
        SELECT format('run %s, member %s is sent without an attempt', l.run_id, l.member_id)
        FROM ledger l
        WHERE l.outcome = 'sent' AND l.channel <> 'direct_mail' AND l.attempts < 1
    """,
    "I3 a message was accepted twice only after an ambiguous attempt": """
        SELECT format('run %s, member %s was accepted %s times', run_id, member_id,
                      count(*) FILTER (WHERE outcome = 'sent'))
        FROM attempts GROUP BY run_id, member_id
        HAVING count(*) FILTER (WHERE outcome = 'sent') > 1
    """,
    "I3 what is pending is handed out by a slice or waits in the queue": """
        SELECT format('run %s, member %s is pending and nobody will send it', l.run_id, l.member_id)
        FROM ledger l JOIN runs r ON r.run_id = l.run_id
        WHERE l.outcome = 'pending' AND l.channel <> 'direct_mail' AND r.stop_reason IS NULL
          AND NOT EXISTS (SELECT 1 FROM queue q
                          WHERE q.run_id = l.run_id AND q.member_id = l.member_id)
          AND NOT EXISTS (SELECT 1 FROM slices s
                          WHERE s.run_id = l.run_id AND s.number = l.position / 10000
                            AND s.window_from <= l.position)
    """,
    "I3 a queue's row is of its ledger row's channel": """
        SELECT format('run %s, member %s: %s in the queue, %s in the ledger', q.run_id, q.member_id,
                      q.channel, l.channel)
        FROM queue q JOIN ledger l USING (run_id, member_id)
        WHERE q.channel <> l.channel OR q.urgent AND q.channel <> 'email'
    """,
    # The transaction that writes an attempt has read consent; it lasts at most 5 s.
    "I5 no attempt begins after an opt-out": """
        SELECT format('run %s, member %s: attempted %s after the opt-out', l.run_id, l.member_id,
                      a.started_at - c.recorded_at)
        FROM consents c
        JOIN ledger l ON l.recipient_key = c.recipient_key AND l.channel = c.channel
        JOIN runs r ON r.run_id = l.run_id AND r.kind = 'campaign'
        JOIN attempts a ON a.run_id = l.run_id AND a.member_id = l.member_id
        WHERE c.opted_out AND a.started_at > c.recorded_at + interval '5 seconds'
    """,
    # A window's first attempts have no row of their own: their outcome is written behind the call.
    "I5 nothing is sent long after an opt-out": """
        SELECT format('run %s, member %s: sent %s after the opt-out', l.run_id, l.member_id,
                      l.outcome_at - c.recorded_at)
        FROM consents c
        JOIN ledger l ON l.recipient_key = c.recipient_key AND l.channel = c.channel
        JOIN runs r ON r.run_id = l.run_id AND r.kind = 'campaign'
        WHERE c.opted_out AND l.outcome = 'sent'
          AND l.outcome_at > c.recorded_at + interval '60 seconds'
          AND NOT EXISTS (SELECT 1 FROM attempts a
                          WHERE a.run_id = l.run_id AND a.member_id = l.member_id)
    """,
    # The oldest window may have lost some of its rows to the purge; windows are kept longer.
    "I2 windows add up to the events of the tracking log": """
        WITH since AS (
            SELECT date_bin('5 minutes', min(at), timestamptz 'epoch') AS first FROM tracking_log
        ), seen AS (
            SELECT run_id, url, kind, date_bin('5 minutes', at, timestamptz 'epoch') AS begins,
                   count(*) AS events
            FROM tracking_log WHERE counted GROUP BY 1, 2, 3, 4)
        SELECT format('run %s, link %s at %s: %s events, counted %s times', run_id, url, begins,
                      coalesce(s.events, 0), coalesce(w.events, 0))
        FROM seen s FULL JOIN tracking_windows w USING (run_id, url, kind, begins)
        WHERE coalesce(s.events, 0) > coalesce(w.events, 0)
           OR coalesce(s.events, 0) < coalesce(w.events, 0)
              AND begins > (SELECT first FROM since)
    """,
    # A picture may lag behind; showing more than there is, it counted something twice. What is sent
    # is left out: a sender whose commit was not heard of tells of the same results again.
    "I2 the live view shows no more than the rows": """
        SELECT format('run %s: the live view shows %s %s, the rows are %s', a.run_id, s.shown,
                      s.name, s.rows)
        FROM live_activity a
        CROSS JOIN LATERAL (VALUES
            ('opens', (a.totals ->> 'opens')::int, (
                SELECT count(*) FROM tracking_log t WHERE t.run_id = a.run_id AND t.kind = 2)),
            ('clicks', (a.totals ->> 'clicks')::int, (
                SELECT count(*) FROM tracking_log t WHERE t.run_id = a.run_id AND t.kind = 1))
        ) AS s (name, shown, rows)
        WHERE s.shown > s.rows
    """,
    "I6 what was approved is what was sent": """
        SELECT format('run %s was sent on other hashes or another count than approved', r.run_id)
        FROM runs r LEFT JOIN approvals a ON a.approval_id = r.approval_id
        WHERE r.kind = 'campaign'
          AND EXISTS (SELECT 1 FROM ledger l WHERE l.run_id = r.run_id AND l.outcome = 'sent')
          AND (a.approval_id IS NULL OR a.campaign_id <> r.campaign_id
               OR a.outcome NOT IN ('approved', 'withdrawn')
               OR a.content_hash IS DISTINCT FROM r.content_hash
               OR a.snapshot_hash IS DISTINCT FROM r.snapshot_hash OR a.count <> r.count)
    """,
}
SHOWN: Final = 20


async def broken(connection: Connection) -> list[str]:
    """Return what does not hold, one line a row, at most 20 of each check; empty when all does."""
    found = []
    for name, query in CHECKS.items():
        rows = await connection.fetch(f"{query} LIMIT {SHOWN}")
        found += [f"{name}: {row['format']}" for row in rows]
    return found
