"""One chunk of a file into its table: COPY to a staging table, checks on references, one upsert.

The staging table is temporary and lives as long as the transaction. Rows that are as they were are
not written again; they count as unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from services.targeting.import_rows import Chunk
from services.targeting.import_tables import Reference, Table
from shared.ids import new_id, recipient_key
from shared.uow import Work


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a chunk's good rows."""

    created: int
    updated: int
    unchanged: int


async def stage(work: Work, table: Table, chunk: Chunk) -> None:
    """Put a chunk's good rows into the staging table."""
    columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    keyed = ", recipient_key text" if table.keyed else ""
    await work.connection.execute(
        f"CREATE TEMPORARY TABLE staging (line bigint, id uuid, {columns}{keyed}) ON COMMIT DROP"
    )
    names = ("line", "id", *table.header, *(("recipient_key",) if table.keyed else ()))
    await work.connection.copy_records_to_table(
        "staging", records=_records(work, table, chunk), columns=names, schema_name="pg_temp"
    )
    # Unseen, a table is thought to be small: a chunk took 25 s instead of one.
    await work.connection.execute("ANALYZE staging")


def _records(work: Work, table: Table, chunk: Chunk) -> Iterator[tuple[object, ...]]:
    if not table.keyed:
        for line, row in chunk.rows.items():
            yield (line, new_id(), *row)
        return
    email = table.header.index("email")
    for line, row in chunk.rows.items():
        address = row[email]
        key = recipient_key(work.settings.secret, "email", str(address)) if address else None
        yield (line, new_id(), *row, key)


async def sift(work: Work, table: Table, chunk: Chunk, import_id: UUID) -> None:
    """Reject staged rows whose references exist nowhere, or that the file has named before."""
    for reference in table.references:
        rows = await work.connection.fetch(_missing(reference))
        reason = f"names no record of {reference.table}: import {reference.table} first"
        await _drop(work, chunk, [row["line"] for row in rows], reference.column, reason)
    again = await _met_before(work, table, chunk, import_id)
    await _drop(work, chunk, again, table.ref, "stands in this file before: the first row counts")


async def _met_before(work: Work, table: Table, chunk: Chunk, import_id: UUID) -> list[int]:
    """Note the references of the staged rows; return the lines whose reference was noted before."""
    rows = await work.connection.fetch(
        f"INSERT INTO import_refs (import_id, ref) SELECT $1, {table.ref} FROM staging"
        " ON CONFLICT DO NOTHING RETURNING ref",
        import_id,
    )
    fresh = {row["ref"] for row in rows}
    place = table.header.index(table.ref)
    again = []
    for line, values in sorted(chunk.rows.items()):
        if values[place] in fresh:
            fresh.discard(values[place])
        else:
            again.append(line)
    return again


def _missing(reference: Reference) -> str:
    return (
        f"SELECT s.line FROM staging s LEFT JOIN {reference.table} t"
        f" ON t.{reference.ref} = s.{reference.column}"
        f" WHERE s.{reference.column} <> '' AND t.{reference.ref} IS NULL"
    )


async def _drop(work: Work, chunk: Chunk, lines: list[int], name: str, reason: str) -> None:
    for line in lines:
        chunk.reject(line, name, reason)
    if lines:
        await work.connection.execute("DELETE FROM staging WHERE line = ANY($1::bigint[])", lines)


async def upsert(work: Work, table: Table, chunk: Chunk) -> Loaded:
    """Write what is new or different of the staged rows."""
    row = await work.connection.fetchrow(_upsert(table), work.now)
    assert row is not None, "counts are one row"
    written = row["created"] + row["updated"]
    return Loaded(row["created"], row["updated"], len(chunk.rows) - written)


def _upsert(table: Table) -> str:
    stored = table.stored
    names = ", ".join(stored)
    joins = " ".join(
        f"LEFT JOIN {r.table} r{i} ON r{i}.{r.ref} = s.{r.column}"
        for i, r in enumerate(table.references)
    )
    ids = {r.stored: f"r{i}.{r.id}" for i, r in enumerate(table.references)}
    values = ", ".join(f"{ids.get(name, f's.{name}')} AS {name}" for name in stored)
    new, old = (", ".join(f"{alias}.{name}" for name in stored) for alias in ("i", "t"))
    updates = ", ".join(f"{name} = excluded.{name}" for name in stored if name != table.ref)
    return f"""
WITH incoming AS (SELECT s.id AS {table.id}, {values} FROM staging s {joins}),
changed AS (
    SELECT i.* FROM incoming i LEFT JOIN {table.kind} t ON t.{table.ref} = i.{table.ref}
    WHERE t.{table.ref} IS NULL OR ({new}) IS DISTINCT FROM ({old})),
written AS (
    INSERT INTO {table.kind} ({table.id}, {names}, updated_at)
    SELECT {table.id}, {names}, $1 FROM changed ORDER BY {table.ref}
    ON CONFLICT ({table.ref}) DO UPDATE SET {updates}, updated_at = excluded.updated_at
    RETURNING xmax = 0 AS made)
SELECT count(*) FILTER (WHERE made) AS created, count(*) FILTER (WHERE NOT made) AS updated
FROM written"""


async def forget_refs(work: Work, import_id: UUID) -> bool:
    """Delete some of the references an import met; return whether there may be more."""
    deleted = await work.connection.fetchval(
        "WITH gone AS (DELETE FROM import_refs WHERE ctid = ANY (ARRAY"
        "(SELECT ctid FROM import_refs WHERE import_id = $1 LIMIT 20000)) RETURNING 1)"
        " SELECT count(*) FROM gone",
        import_id,
    )
    return bool(deleted == 20_000)
