"""The tables in docs, generated from the results (``python -m tests.bench.tables``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parent.parent.parent / "docs"
PAGES: Final = {
    "benchmarks.md": ("core", "delivery", "events", "timings"),
    "reliability.md": ("faults",),
}

FAULT_PARTS: Final = {
    "spine": "All services, campaigns from creation to the end",
    "delivery": "The delivery service alone, a mail server that misbehaves, short runs",
    "money": "Budget and stock alone, everything told again; recovery ends with the last invoice",
    "events": "Message Center alone, events by every door; recovery ends with the last event's end",
}


def figures_table(result: dict[str, Any]) -> list[str]:
    """Return the lines of a benchmark's table."""
    lines = [
        "| figure | unit | min | median | max | floor | bounded by |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for figure in result["figures"]:
        numbers = [f"{figure[name]:,.0f}" for name in ("min", "median", "max")]
        floor = f"{figure['floor']:,.0f}" if figure["floor"] else "–"
        row = [f"`{figure['name']}`", figure["unit"], *numbers, floor, figure["bound"]]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def faults_table(result: dict[str, Any]) -> list[str]:
    """Return the lines of the fault tests' table."""
    lines = [
        "| fault | runs | lost | doubled outside the ambiguous | ambiguous | longest recovery |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        counts = [str(row[n]) for n in ("runs", "lost", "doubled_outside_ambiguous", "ambiguous")]
        cells = [row["fault"], *counts, f"{row['recovery_s_max']:.1f} s"]
        lines.append(f"| {' | '.join(cells)} |")
    failed = result.get("failed_seeds", [])
    if failed:
        seeds = ", ".join(map(str, failed))
        lines += ["", f"Seeds that failed; runs without an end are not counted above: {seeds}."]
    return lines


def faults_part(result: dict[str, Any]) -> str:
    """Return the fault tests' tables, one of each part that was run."""
    found = []
    for part, title in FAULT_PARTS.items():
        if part in result["parts"]:
            rows = [row for row in result["rows"] if row["part"] == part]
            ran = result["parts"][part] | {"rows": rows}
            found += [f"**{title}**", "", *faults_table(ran), "", source_line("faults", ran), ""]
    return "\n".join(found[:-1])


def source_line(what: str, result: dict[str, Any]) -> str:
    """Return where a table's numbers come from."""
    parts = [f"`{result['command']}`", f"commit {result['commit']}", result["machine"]]
    parts.append(str(result["date"])[:10])
    return f"From [results/{what}.json](results/{what}.json): {', '.join(parts)}."


def generated(what: str) -> str | None:
    """Return a result's part of its page, or ``None`` when there is no result yet."""
    path = DOCS / "results" / f"{what}.json"
    if not path.exists():
        return None
    result = json.loads(path.read_text())
    if what == "faults":
        return faults_part(result)
    return "\n".join([*figures_table(result), "", source_line(what, result), *kept_lines(result)])


def kept_lines(result: dict[str, Any]) -> list[str]:
    """Return where figures come from that another run measured, a line for each run."""
    names: dict[str, list[str]] = {}
    for figure in result["figures"]:
        if "from" in figure:
            origin = figure["from"]
            run = f"`{origin['command']}`, commit {origin['commit']}, {str(origin['date'])[:10]}"
            names.setdefault(run, []).append(f"`{figure['name']}`")
    return [f"Of another run, {run}: {', '.join(found)}." for run, found in names.items()]


def refreshed(page: str, what: str) -> str:
    """Return a page's text with the generated part between its marks replaced."""
    text = (DOCS / page).read_text()
    begin, end = f"<!-- generated: {what} -->", f"<!-- end: {what} -->"
    part = generated(what)
    if part is None or begin not in text:
        return text
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    return f"{before}{begin}\n{part}\n{end}{after}"


def main() -> None:
    """Write every generated table."""
    for page, results in PAGES.items():
        for what in results:
            (DOCS / page).write_text(refreshed(page, what))


if __name__ == "__main__":
    main()
