"""The manifest: what a router compares, whoever makes it and whenever."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.supplier.domain.jobs import JobState
from services.supplier.manifest import manifest, name_of
from services.supplier.store.jobs import Job
from services.supplier.store.letters import Batch
from topics.supplier import Ending, FileEncoding, FileFormat, FileLayout, Handover

JOB = Job(
    file_id=UUID(int=1),
    run_id=UUID(int=2),
    campaign_id=UUID(int=3),
    campaign_number=1042,
    campaign_label="Autumn",
    service_id=UUID(int=4),
    chunks=1,
    columns=("reference", "recipient"),
    file_name="C-1042.csv",
    state=JobState.FILE_WRITTEN,
    rows=12,
    sha256="ab" * 32,
    announced=True,
    failures=0,
    error="",
    lease_epoch=1,
    letter="",
    letter_language="en",
    letter_window="din_5008_b",
    pages=0,
    created_at=datetime(2026, 3, 2, 12, 0, 1, 5, tzinfo=UTC),
    layout=FileLayout(encoding=FileEncoding.LATIN_9, names=("Numéro", "Destinataire")),
    file_approval=False,
    handover=Handover.ATTACHED,
    ending=Ending.CONFIRMATION,
    bytes=345,
    replaced=1,
    cut=0,
    approved_sha256=None,
    rest_outcome=None,
    transferred_sha256=None,
    router_proof=False,
    proof_name="",
    proof_sha256=None,
    proof_approved=False,
)


def said(job: Job, batches: list[Batch] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifest(job, batches or []))
    return found


def test_a_manifest_says_what_to_compare_and_how_to_read_the_file() -> None:
    assert name_of(JOB.file_name) == "C-1042.csv.manifest.json"
    assert said(JOB) == {
        "file": "C-1042.csv",
        "rows": 12,
        "bytes": 345,
        "sha256": "ab" * 32,
        "format": "csv",
        "encoding": "iso-8859-15",
        "columns": ["reference", "recipient"],
        "titles": ["Numéro", "Destinataire"],
        "replaced": 1,
        "cut": 0,
        "campaign": "C-1042",
        "run": str(UUID(int=2)),
        "created_at": "2026-03-02T12:00:01+00:00",
        "separator": ",",
        "line_end": "crlf",
    }


def test_a_manifest_of_fixed_width_names_the_widths_and_no_titles_where_there_are_none() -> None:
    layout = FileLayout(format=FileFormat.FIXED_WIDTH, widths=(8, 30), titles=False)
    found = said(dataclasses.replace(JOB, layout=layout))
    assert (found["widths"], found["titles"]) == ([8, 30], [])
    assert "separator" not in found


def test_a_manifest_lists_the_letters() -> None:
    found = said(JOB, [Batch(1, 0, 9, (1, 2), "cd" * 32, 999)])
    assert found["letters"] == [
        {"file": "letters-0001.pdf", "letters": 2, "pages": 3, "bytes": 999, "sha256": "cd" * 32}
    ]
