"""The letters of a run as they lie on the supplier's disk, and as its router got them."""

from __future__ import annotations

import asyncio
import csv
import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from services.supplier.press import INDEX_NAME
from services.supplier.store.letters import name_of
from tests.faults.checks import Mails
from tests.faults.delivery.lanes import Campaign, Lane
from tests.faults.delivery.people import Lot

_JOBS: Final = """
SELECT file_id, state,
       (SELECT count(*) FROM supplier.mail_attempts a
        WHERE a.file_id = j.file_id AND a.outcome = 'accepted') AS accepted,
       (SELECT count(*) FROM supplier.mail_attempts a
        WHERE a.file_id = j.file_id AND a.outcome = 'ambiguous') AS unclear
FROM supplier.jobs j WHERE run_id = $1
"""
_BATCHES: Final = """
SELECT batch, sha256, cardinality(pages) AS letters, (SELECT sum(p) FROM unnest(pages) p) AS pages
FROM supplier.letter_batches WHERE file_id = $1 ORDER BY batch
"""
HANDED_OVER: Final = frozenset({"notified", "post_processed"})


@dataclass
class Printed:
    """The letters of one run.

    Attributes:
        letters: how often each member has a letter in a PDF that the router was told of.
        broken: what does not hold of the files themselves.
        unclear: mails to the router of which nobody knows whether they came.
    """

    letters: Counter[UUID] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    unclear: int = 0


async def read_letters(lane: Lane, run_id: UUID) -> Printed:
    """Read what was printed for a run: the index, the PDF files, the mails to the router."""
    found, jobs = Printed(), await lane.rig.rows(_JOBS, run_id)
    if len(jobs) > 1:
        found.broken.append(f"I1 the letters of a run have {len(jobs)} files")
    for job in jobs:
        if job["state"] not in HANDED_OVER:
            continue
        batches = await lane.rig.rows(_BATCHES, job["file_id"])
        folder = lane.rig.folder / "supplier-files" / str(job["file_id"])
        await asyncio.to_thread(_read_files, folder, batches, found)
        # Its Message-ID is the file's, whenever it is sent.
        router = job["file_id"].hex
        kept = sum(one.message_id[1:].startswith(router) for one in lane.receiver.kept)
        found.unclear += job["unclear"]
        if not max(1, job["accepted"]) <= kept <= job["accepted"] + job["unclear"]:
            found.broken.append(
                f"I3 the router has the letters {kept} times: {job['accepted']} attempts were"
                f" accepted, {job['unclear']} are ambiguous"
            )
    return found


def _read_files(folder: Path, batches: list[dict[str, Any]], found: Printed) -> None:
    with (folder / INDEX_NAME).open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    found.letters.update(UUID(line["recipient_id"]) for line in lines)
    for batch in batches:
        name = name_of(batch["batch"])
        content = (folder / name).read_bytes()
        if not content.startswith(b"%PDF-"):
            found.broken.append(f"I3 {name} is no PDF")
        if hashlib.sha256(content).hexdigest() != batch["sha256"]:
            found.broken.append(f"I3 {name} is not the file that was recorded")
        listed = [line for line in lines if line["file"] == name]
        pages = sum(int(line["pages"]) for line in listed)
        if (len(listed), pages) != (batch["letters"], batch["pages"]):
            found.broken.append(f"I3 the index tells of other letters than {name} has")


def with_letters(
    mails: Mails,
    campaign: Campaign,
    printed: Printed,
    rows: dict[tuple[UUID, UUID], dict[str, Any]],
) -> Mails:
    """Return how a campaign's messages stand, its letters among them: one each, once."""
    people = [one.member_id for one in campaign.people if one.lot is Lot.LETTER]
    sent = {one for one in people if rows[campaign.run_id, one]["outcome"] == "sent"}
    lost = tuple(f"the letter to {one}" for one in sent if not printed.letters[one])
    doubled = tuple(f"the letter to {one}" for one, count in printed.letters.items() if count > 1)
    unknown = tuple(f"the letter to {one}" for one in printed.letters if one not in people)
    return replace(
        mails,
        lost=mails.lost + lost,
        doubled=mails.doubled + doubled,
        unknown=mails.unknown + unknown,
        ambiguous=mails.ambiguous + printed.unclear,
    )
