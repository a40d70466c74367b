"""What must hold in the rows of suppliers; each check returns the rows that break it, in words."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

CHECKS: Final[dict[str, str]] = {
    "a file's count is its rows": """
        SELECT format('file %s (%s): it says %s rows of which %s erased; there are %s',
                      file_id, state, j.rows, j.erased, r.number)
        FROM jobs j CROSS JOIN LATERAL (
            SELECT count(*) AS number FROM extraction_rows WHERE file_id = j.file_id) r
        WHERE state NOT IN ('collecting', 'rows_complete', 'removed', 'refused')
          AND NOT (state = 'post_processed' AND ordered)
          AND j.rows <> r.number + j.erased
    """,
    "a file is written from all its chunks": """
        SELECT format('file %s (%s): %s chunks of %s', file_id, state, c.number, j.chunks)
        FROM jobs j CROSS JOIN LATERAL (
            SELECT count(*) AS number FROM extraction_chunks WHERE file_id = j.file_id) c
        WHERE state NOT IN ('collecting', 'refused') AND c.number <> j.chunks
    """,
    "a written file has its name and SHA-256": """
        SELECT format('file %s (%s) has no name or SHA-256', file_id, state)
        FROM jobs
        WHERE state NOT IN ('collecting', 'rows_complete', 'refused')
          AND (sha256 IS NULL OR file_name = '')
    """,
    "every letter is in one PDF file once": """
        SELECT format('file %s (%s): %s addressees, %s letters in files, %s files not written',
                      file_id, state, j.rows, b.letters, b.unset)
        FROM jobs j CROSS JOIN LATERAL (
            SELECT coalesce(sum(cardinality(pages)), 0) AS letters,
                   count(*) FILTER (WHERE sha256 IS NULL) AS unset
            FROM letter_batches WHERE file_id = j.file_id) b
        WHERE letter <> '' AND state NOT IN ('collecting', 'rows_complete', 'refused', 'removed')
          AND (b.letters <> j.rows OR b.unset > 0)
        UNION ALL
        SELECT format('file %s: an addressee is in batches %s and %s', a.file_id, a.batch, b.batch)
        FROM letter_batches a JOIN letter_batches b
          ON b.file_id = a.file_id AND b.batch > a.batch AND b.first <= a.last AND a.first <= b.last
    """,
    "pages of letters add up": """
        SELECT format('file %s (%s): it says %s pages; its letters have %s',
                      file_id, state, j.pages, b.pages)
        FROM jobs j CROSS JOIN LATERAL (
            SELECT coalesce(sum(p), 0) AS pages
            FROM letter_batches, unnest(letter_batches.pages) AS p WHERE file_id = j.file_id) b
        WHERE letter <> '' AND state NOT IN ('collecting', 'rows_complete', 'refused', 'removed')
          AND b.pages <> j.pages
    """,
    "what a router reported is counted once a letter": """
        SELECT format('file %s (%s): it says %s sent and %s failed; its results are %s and %s',
                      file_id, state, j.sent, j.failed, r.sent, r.failed)
        FROM jobs j CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE outcome = 'sent') AS sent,
                   count(*) FILTER (WHERE outcome = 'failed') AS failed
            FROM results WHERE file_id = j.file_id) r
        WHERE (j.sent, j.failed) <> (r.sent, r.failed)
    """,
    "the lines of a result file add up": """
        SELECT format('import %s: %s lines; %s taken, %s repeated, %s rejected of which %s listed',
                      import_id, lines, taken, repeated, rejected, r.number)
        FROM imports i CROSS JOIN LATERAL (
            SELECT count(*) AS number FROM import_rejects WHERE import_id = i.import_id) r
        WHERE applied_at IS NOT NULL
          AND (lines <> taken + repeated + rejected OR rejected <> r.number)
    """,
    "I6 a file that needs approval left as it was approved": """
        SELECT format('file %s (%s): approved %s, left %s', file_id, state, approved_sha256, sha256)
        FROM jobs
        WHERE file_approval
          AND state IN ('file_written', 'mail_attempted', 'ambiguous', 'failed', 'notified',
                        'awaiting_results', 'post_processed', 'removed')
          AND approved_sha256 IS DISTINCT FROM sha256
    """,
    "I3 a notified router took the mail, or a person says so": """
        SELECT format('file %s (%s): no attempt was accepted', file_id, state)
        FROM jobs j
        WHERE state IN ('notified', 'awaiting_results', 'post_processed', 'removed')
          AND NOT EXISTS (SELECT 1 FROM mail_attempts a
                          WHERE a.file_id = j.file_id AND a.outcome = 'accepted')
          AND NOT EXISTS (SELECT 1 FROM decisions d
                          WHERE d.file_id = j.file_id AND d.decision = 'sent')
    """,
    "I3 a router takes a file twice only when a person had it sent again": """
        SELECT format('file %s: %s attempts were accepted', file_id, count(*))
        FROM mail_attempts a WHERE outcome = 'accepted'
        GROUP BY file_id
        HAVING count(*) > 1 + (SELECT proof_approved::int FROM jobs j WHERE j.file_id = a.file_id)
                            + (SELECT count(*) FROM decisions d
                               WHERE d.file_id = a.file_id AND d.decision = 'send_again')
    """,
    "I3 an attempt without outcome is under way": """
        SELECT format('file %s (%s): an attempt of %s has no outcome', j.file_id, state, started_at)
        FROM mail_attempts a JOIN jobs j USING (file_id)
        WHERE a.outcome IS NULL AND state <> 'mail_attempted'
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
