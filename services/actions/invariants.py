"""What must hold in the rows of actions; each check returns the rows that break it, in words."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

CHECKS: Final[dict[str, str]] = {
    "I2 actions generated = waiting + suspended + executed + finished + cancelled": """
        SELECT format('campaign %s: %s says %s, its rows are %s', t.campaign_id, s.name, s.said,
                      coalesce(r.number, 0))
        FROM totals t
        CROSS JOIN LATERAL (VALUES ('waiting', waiting), ('suspended', suspended),
            ('executed', executed), ('finished', finished), ('cancelled', cancelled)
        ) AS s (name, said)
        LEFT JOIN (SELECT campaign_id, status, count(*) AS number
                   FROM actions GROUP BY campaign_id, status) r
            ON r.campaign_id = t.campaign_id AND r.status = s.name
        WHERE s.said <> coalesce(r.number, 0)
    """,
    "I2 every action is counted": """
        SELECT format('campaign %s has %s actions and no totals', campaign_id, count(*))
        FROM actions a WHERE NOT EXISTS (SELECT 1 FROM totals t WHERE t.campaign_id = a.campaign_id)
        GROUP BY campaign_id
    """,
    "I2 deals and dossier items are counted": """
        SELECT format('campaign %s: totals say %s deals and %s items, the rows are %s and %s',
                      campaign_id, t.deals, t.dossier_items, d.number, i.number)
        FROM totals t
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM deals
                            WHERE campaign_id = t.campaign_id) d
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM dossier_items
                            WHERE campaign_id = t.campaign_id) i
        WHERE t.deals <> d.number OR t.dossier_items <> i.number
    """,
    "actions exactly once per campaign, member and model": """
        SELECT format('campaign %s, member %s, model %s: %s actions',
                      campaign_id, member_id, model_id, count(*))
        FROM actions GROUP BY campaign_id, member_id, model_id HAVING count(*) > 1
    """,
    "deals exactly once per campaign, site and model": """
        SELECT format('campaign %s, site %s, model %s: %s deals',
                      campaign_id, site_id, model_id, count(*))
        FROM deals GROUP BY campaign_id, site_id, model_id HAVING count(*) > 1
    """,
    "dossier items exactly once per campaign, subject and model": """
        SELECT format('campaign %s, subject %s, model %s: %s dossier items',
                      campaign_id, subject_id, model_id, count(*))
        FROM dossier_items GROUP BY campaign_id, subject_id, model_id HAVING count(*) > 1
    """,
    "a run's counts are its rows": """
        SELECT format('run %s (%s): it says %s actions, %s deals, %s items;'
                      ' the rows are %s, %s, %s',
                      j.run_id, j.status, j.actions, j.deals, j.dossier_items,
                      coalesce(a.number, 0), coalesce(d.number, 0), coalesce(i.number, 0))
        FROM generation_jobs j
        LEFT JOIN (SELECT run_id, count(*) AS number FROM actions GROUP BY run_id) a USING (run_id)
        LEFT JOIN (SELECT run_id, count(*) AS number FROM deals GROUP BY run_id) d USING (run_id)
        LEFT JOIN (SELECT run_id, count(*) AS number
                   FROM dossier_items GROUP BY run_id) i USING (run_id)
        WHERE (j.actions, j.deals, j.dossier_items)
              <> (coalesce(a.number, 0), coalesce(d.number, 0), coalesce(i.number, 0))
    """,
    "a completed run has generated all its slices": """
        SELECT format('run %s is done at slice %s of %s', run_id, next_chunk, chunks)
        FROM generation_jobs WHERE status = 'done' AND next_chunk <> chunks
    """,
    "a state has its date": """
        SELECT format('action %s of campaign %s is %s without its date',
                      action_id, campaign_id, status)
        FROM actions
        WHERE (status = 'executed' AND executed_at IS NULL)
           OR (status = 'finished' AND finished_at IS NULL)
           OR (status = 'cancelled' AND cancelled_at IS NULL)
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
