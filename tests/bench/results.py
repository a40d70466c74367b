"""Results as files: figures with their machine, commit and versions, beside what bounds them."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.provenance import provenance

RESULTS = Path(__file__).parent.parent.parent / "docs" / "results"
ORIGIN = ("command", "commit", "machine", "date")
PACKAGES = ("aiokafka", "asyncpg", "pydantic", "uvloop")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what was measured in each run, its floor if it has one, what bounds it."""

    name: str
    unit: str
    runs: list[float]
    floor: float | None
    bound: str

    def as_json(self) -> dict[str, object]:
        """Return the figure as it stands in the file."""
        spread = {
            "min": min(self.runs),
            "median": statistics.median(self.runs),
            "max": max(self.runs),
        }
        return asdict(self) | spread


def write(what: str, command: str, figures: list[Figure], *, keep: str | None = None) -> Path:
    """Write ``docs/results/<what>.json``; return its path.

    Of the result before, figures whose names begin with ``keep`` stay unless they were measured
    anew: each says ``from`` where it comes.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{what}.json"
    body = provenance(command) | {
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "figures": [figure.as_json() for figure in figures]
        + (_kept(path, keep, {figure.name for figure in figures}) if keep is not None else []),
    }
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    return path


def _kept(path: Path, keep: str, measured: set[str]) -> list[dict[str, object]]:
    if not path.exists():
        return []
    last = json.loads(path.read_text())
    origin = {name: last[name] for name in ORIGIN}
    return [
        figure | {"from": figure.get("from", origin)}
        for figure in last["figures"]
        if figure["name"].startswith(keep) and figure["name"] not in measured
    ]
