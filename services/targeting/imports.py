"""Importing the directory from CSV files: streamed, checked by row, and safe to run again.

Each chunk of at most 10,000 rows is one transaction, so an import that is cut short has kept whole
chunks, and running it again finds them unchanged. Files build on each other: sites, then contacts,
employees and deals.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from services.targeting import import_consents
from services.targeting.import_load import forget_refs, sift, stage, upsert
from services.targeting.import_rows import CHUNK_ROWS, Chunk, Reject, Rows, open_rows
from services.targeting.import_tables import TABLES, Kind, Table
from shared import faults
from shared.errors import Refused
from shared.ids import new_id
from shared.rights import Right, require
from shared.uow import UnitOfWork, Work
from topics.message import Actor

__all__ = ["ImportReport", "Kind", "import_csv"]

REJECTS_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; ``rows = created + updated + unchanged + rejected``."""

    import_id: UUID
    kind: Kind
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    consent_changes: int = 0


class _Rejects(Protocol):
    """Takes rejected rows."""

    def write(self, rejects: Sequence[Reject]) -> None:
        """Keep rejected rows."""


async def import_csv(
    uow: UnitOfWork,
    kind: Kind,
    path: Path,
    rejects_path: Path | None,
    actor: Actor,
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> ImportReport:
    """Import one file and return what became of its rows.

    Args:
        uow: targeting's unit of work.
        kind: what the file holds.
        path: the CSV file.
        rejects_path: where rejected rows go, as CSV: line, field, reason, then the row as it was.
            Made anew, with its header alone when nothing is rejected; ``None`` for no file.
        actor: who imports; needs the right to manage targetings.
        chunk_rows: the rows of one transaction, and what is held in memory; 20,000 at most.

    Raises:
        Refused: the actor may not, a file cannot be opened, or it has another header.
    """
    table = TABLES[Kind(kind)]
    report = ImportReport(new_id(), table.kind)
    with open_rows(path) as file:
        rows = Rows(file, table)
        with _reject_file(rejects_path, rows.header) as rejects:
            await _begin(uow, report, path.name, actor)
            try:
                while (chunk := await asyncio.to_thread(rows.chunk, chunk_rows)).size:
                    report = await _load(uow, table, chunk, report, actor)
                    rejects.write(chunk.rejects)
                    faults.reach("import.chunk")
            finally:
                await _forget(uow, report.import_id)
    await _end(uow, report)
    return report


async def _begin(uow: UnitOfWork, report: ImportReport, name: str, actor: Actor) -> None:
    async with uow.begin() as work:
        await require(work, actor, Right.MANAGE_TARGETINGS)
        await work.connection.execute(
            "INSERT INTO imports (import_id, kind, file_name, started_by, started_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            report.import_id,
            report.kind.value,
            name[:200],
            actor.id,
            work.now,
        )


async def _load(
    uow: UnitOfWork, table: Table, chunk: Chunk, report: ImportReport, actor: Actor
) -> ImportReport:
    async with uow.begin() as work:
        await stage(work, table, chunk)
        await sift(work, table, chunk, report.import_id)
        said = await import_consents.said(work) if table.keyed else []
        loaded = await upsert(work, table, chunk)
        changes = await import_consents.apply(work, said, actor.id)
        after = replace(
            report,
            rows=report.rows + chunk.size,
            created=report.created + loaded.created,
            updated=report.updated + loaded.updated,
            unchanged=report.unchanged + loaded.unchanged,
            rejected=report.rejected + len(chunk.rejects),
            consent_changes=report.consent_changes + changes,
        )
        await _note(work, after)
        await _keep_rejects(work, after, chunk.rejects)
        return after


async def _note(work: Work, report: ImportReport) -> None:
    await work.connection.execute(
        "UPDATE imports SET rows = $2, created = $3, updated = $4, unchanged = $5, rejected = $6,"
        " consent_changes = $7 WHERE import_id = $1",
        report.import_id,
        report.rows,
        report.created,
        report.updated,
        report.unchanged,
        report.rejected,
        report.consent_changes,
    )


async def _keep_rejects(work: Work, report: ImportReport, rejects: Sequence[Reject]) -> None:
    room = REJECTS_KEPT - (report.rejected - len(rejects))
    await work.connection.executemany(
        "INSERT INTO import_rejects (import_id, line, field, reason) VALUES ($1, $2, $3, $4)",
        [(report.import_id, r.line, r.field, r.reason) for r in rejects[: max(room, 0)]],
    )


async def _forget(uow: UnitOfWork, import_id: UUID) -> None:
    more = True
    while more:
        async with uow.begin() as work:
            more = await forget_refs(work, import_id)


async def _end(uow: UnitOfWork, report: ImportReport) -> None:
    async with uow.begin() as work:
        await work.connection.execute(
            "UPDATE imports SET ended_at = $2 WHERE import_id = $1", report.import_id, work.now
        )


class _RejectFile:
    def __init__(self, write_row: Callable[[Sequence[object]], object]) -> None:
        self._write_row = write_row

    def write(self, rejects: Sequence[Reject]) -> None:
        """Add rows, in the order of the file."""
        for reject in sorted(rejects, key=lambda one: one.line):
            self._write_row((reject.line, reject.field, reject.reason, *reject.values))


class _NoFile:
    def write(self, rejects: Sequence[Reject]) -> None:
        """Keep nothing."""


@contextmanager
def _reject_file(path: Path | None, header: tuple[str, ...]) -> Iterator[_Rejects]:
    if path is None:
        yield _NoFile()
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as problem:
        raise Refused(f"cannot write {path.name}: {problem.strerror}", field="rejects") from None
    with file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "field", "reason", *header))
        yield _RejectFile(writer.writerow)
