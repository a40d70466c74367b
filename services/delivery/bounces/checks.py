"""What must hold between failures, quarantine and the ledger; part of ``muster check``."""

from __future__ import annotations

from typing import Final

CHECKS: Final[dict[str, str]] = {
    "I2 a message that bounced is not counted as sent": """
        SELECT format('run %s, member %s bounced and is %s', f.run_id, f.member_id, l.outcome)
        FROM failures f JOIN ledger l ON l.run_id = f.run_id AND l.member_id = f.member_id
        WHERE f.kind = 'bounce' AND f.settled AND f.severity <> 'ignored'
          AND l.outcome = 'sent' AND l.outcome_at <= f.at
    """,
    "I5 no attempt begins after its address was blocked": """
        SELECT format('run %s, member %s: attempted %s after the quarantine', l.run_id,
                      l.member_id, a.started_at - q.since)
        FROM quarantine q
        JOIN ledger l ON l.recipient_key = q.recipient_key AND l.channel = q.channel
        JOIN runs r ON r.run_id = l.run_id AND r.kind <> 'proof'
        JOIN attempts a ON a.run_id = l.run_id AND a.member_id = l.member_id
        WHERE q.status IN ('quarantine', 'denylisted')
          AND a.started_at > q.since + interval '5 seconds'
    """,
    "I5 nothing is sent long after its address was blocked": """
        SELECT format('run %s, member %s: sent %s after the quarantine', l.run_id, l.member_id,
                      l.outcome_at - q.since)
        FROM quarantine q
        JOIN ledger l ON l.recipient_key = q.recipient_key AND l.channel = q.channel
        JOIN runs r ON r.run_id = l.run_id AND r.kind = 'campaign'
        WHERE q.status IN ('quarantine', 'denylisted') AND l.outcome IN ('sent', 'failed')
          AND l.outcome_at > q.since + interval '60 seconds'
          AND NOT EXISTS (SELECT 1 FROM attempts a
                          WHERE a.run_id = l.run_id AND a.member_id = l.member_id)
    """,
    "I8 an address is blocked for a written reason": """
        SELECT format('an address is %s, its journal says %s', q.status,
                      coalesce(j.after, 'nothing'))
        FROM quarantine q
        LEFT JOIN LATERAL (
            SELECT after FROM quarantine_journal j
            WHERE j.recipient_key = q.recipient_key AND j.channel = q.channel
            ORDER BY j.seq DESC LIMIT 1) j ON true
        WHERE (q.status IN ('quarantine', 'denylisted')) <> (coalesce(j.after, '')
            IN ('quarantine', 'denylisted'))
    """,
    "I8 an address with errors has as many as are counted": """
        SELECT format('an address is %s with %s soft errors, %s are written', q.status,
                      q.soft_errors, count(f.run_id))
        FROM quarantine q
        LEFT JOIN failures f ON f.recipient_key = q.recipient_key AND f.channel = q.channel
            AND f.severity = 'soft' AND (q.released_at IS NULL OR f.at > q.released_at)
        WHERE q.status IN ('valid', 'with_errors')
        GROUP BY q.recipient_key, q.channel, q.status, q.soft_errors
        HAVING q.soft_errors > count(f.run_id) OR (q.status = 'valid') <> (q.soft_errors = 0)
    """,
}
