"""``docs/results/faults.json``: what the fault tests saw, a row per kind of fault."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.conftest import REPOSITORY
from tests.faults.scenario import Result
from tests.provenance import provenance

RESULTS: Final = REPOSITORY / "docs" / "results" / "faults.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault over all its runs."""

    fault: str
    runs: int
    lost: int
    doubled_outside_ambiguous: int
    ambiguous: int
    recovery_s_max: float


def rows_of(results: Sequence[Result]) -> list[Row]:
    """Return a row per kind of fault, in order of its name."""
    grouped: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        grouped[result.fault].append(result)
    return [
        Row(
            fault=name,
            runs=len(found),
            lost=sum(one.lost for one in found),
            doubled_outside_ambiguous=sum(one.doubled for one in found),
            ambiguous=sum(one.ambiguous for one in found),
            recovery_s_max=round(max(one.recovery_seconds for one in found), 1),
        )
        for name, found in sorted(grouped.items())
    ]


def write(
    results: Sequence[Result],
    *,
    part: str,
    seeds: int,
    failed: Sequence[int],
    command: str,
    path: Path = RESULTS,
) -> None:
    """Write the file that the tables in docs are made from; what other parts wrote stays.

    Args:
        results: what was played.
        part: which fault tests these are: ``spine`` for all services, ``delivery`` for it alone.
        seeds: how many were to be played.
        failed: seeds that did not come to their end, or broke an invariant.
        command: what plays them again.
        path: the file.
    """
    before = json.loads(path.read_text()) if path.exists() else {"parts": {}, "rows": []}
    told = provenance(command) | {"seeds": seeds}
    content = told | {
        "parts": before["parts"] | {part: told | {"failed_seeds": list(failed)}},
        "rows": [row for row in before["rows"] if row["part"] != part]
        + [{"part": part} | asdict(row) for row in rows_of(results)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
