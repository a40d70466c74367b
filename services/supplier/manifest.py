"""The manifest of a file: what a router compares before it prints, as JSON beside the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from services.supplier.domain.layout import titles_of
from services.supplier.store.jobs import Job
from services.supplier.store.letters import Batch
from topics.supplier import FileFormat

ENDING: Final = ".manifest.json"
_TEXTS: Final = (FileFormat.CSV, FileFormat.FIXED_WIDTH)


def name_of(file_name: str) -> str:
    """Return what the manifest of a file is called."""
    return f"{file_name}{ENDING}"


def manifest(job: Job, batches: Sequence[Batch] = ()) -> bytes:
    """Return the manifest of a written file: the same bytes whenever it is made.

    ``rows`` counts addressees, without a line of titles; ``replaced`` are characters that the
    encoding lacks, ``cut`` values that are wider than their column; sizes are in bytes.
    """
    layout = job.layout
    found: dict[str, Any] = {
        "file": job.file_name,
        "rows": job.rows,
        "bytes": job.bytes,
        "sha256": job.sha256,
        "format": layout.format,
        "encoding": layout.encoding if layout.format in _TEXTS else "utf-8",
        "columns": list(job.columns),
        "titles": list(titles_of(layout, job.columns)) if layout.titles else [],
        "replaced": job.replaced,
        "cut": job.cut,
        "campaign": f"C-{job.campaign_number}",
        "run": str(job.run_id),
        "created_at": job.created_at.isoformat(timespec="seconds"),
    }
    if layout.format is FileFormat.CSV:
        found["separator"] = layout.separator
    if layout.format is FileFormat.FIXED_WIDTH:
        found["widths"] = list(layout.widths)
    if layout.format in _TEXTS:
        found["line_end"] = layout.line_end
    if batches:
        found["letters"] = [
            {
                "file": batch.name,
                "letters": len(batch.pages),
                "pages": sum(batch.pages),
                "bytes": batch.bytes,
                "sha256": batch.sha256,
            }
            for batch in batches
        ]
    return orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n"
