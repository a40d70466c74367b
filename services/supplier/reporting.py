"""Routers' result files, taken in whole before their first line counts.

Killed on the way, a file is sent again: the same content is the same import. supplierMgt applies
its lines.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.supplier.domain.jobs import JobState
from services.supplier.domain.results import (
    UNKNOWN_LETTER,
    Rejected,
    Reported,
    UnreadableFile,
    read_results,
)
from services.supplier.instances import SUPPLIER_MGT
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.results import Import, ResultStore
from shared.errors import Refused
from shared.ids import new_id
from shared.rights import Right, require
from shared.service import Runtime
from shared.workflows import wake
from topics.message import Actor
from topics.supplier import Ending

MOST_BYTES: Final = 50_000_000
LINES_AT_ONCE: Final = 20_000
REPORTABLE: Final = (JobState.NOTIFIED, JobState.AWAITING_RESULTS, JobState.POST_PROCESSED)


async def take_in(runtime: Runtime, file_id: UUID, content: bytes, actor: Actor) -> UUID:
    """Keep a router's result file and return its import; supplierMgt applies it.

    Raises:
        Refused: the actor may not, this file takes no results, or the content cannot be read.
    """
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_SUPPLIERS)
        job = await JobStore(work.connection).lock(file_id)
        _must_take_results(job)
    if not 0 < len(content) <= MOST_BYTES:
        raise Refused(f"a result file has 1 to {MOST_BYTES:,} bytes", field="content")
    lines = await asyncio.to_thread(_read, content)
    sha256 = hashlib.sha256(content).hexdigest()
    async with runtime.uow.begin() as work:
        results = ResultStore(work.connection)
        one = await results.open(new_id(), file_id, sha256, actor.id, work.now)
    if not one.is_complete:
        await _keep(runtime, one, lines)
    return one.import_id


def _must_take_results(job: Job | None) -> None:
    if job is None:
        raise Refused("no extraction file has this id", field="file_id")
    if job.ending is not Ending.RESULTS:
        raise Refused(
            "letters of this file count as sent since the router confirmed it; have the service"
            " end by results before the next campaign"
        )
    if job.state not in REPORTABLE:
        raise Refused(f"this file is {job.state}: its router has nothing to report")


def _read(content: bytes) -> list[Reported | Rejected]:
    try:
        return list(read_results(content))
    except UnreadableFile as problem:
        raise Refused(str(problem), field="content") from None


async def _keep(runtime: Runtime, one: Import, lines: Sequence[Reported | Rejected]) -> None:
    for start in range(0, len(lines), LINES_AT_ONCE):
        async with runtime.uow.begin() as work:
            part = lines[start : start + LINES_AT_ONCE]
            await ResultStore(work.connection).keep_lines(one, part, UNKNOWN_LETTER)
    async with runtime.uow.begin() as work:
        await ResultStore(work.connection).complete(one.import_id, len(lines))
        await wake(work, SUPPLIER_MGT)
