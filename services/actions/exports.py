"""Lists as CSV and HTML, piece by piece, so that a million rows need no more memory than a page."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.actions.columns import STATUSES, Column, Language
from shared.cells import harmless

Row = Mapping[str, Any]
Pages = AsyncIterator[Sequence[Row]]

_HEAD: Final = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font:14px/1.4 system-ui,sans-serif;margin:2rem}}table{{border-collapse:collapse}}
td,th{{border:1px solid #ccd;padding:.25rem .5rem;text-align:left;vertical-align:top}}
.executed,.finished{{background:#e3f5e3}}.cancelled{{background:#fbe3e3}}
.overdue .due_on{{color:#b00020;font-weight:600}}
</style></head><body><h1>{title}</h1><table><thead><tr>{titles}</tr></thead><tbody>
"""


def text_of(value: object, zone: ZoneInfo) -> str:
    """Return a value as people read it: times in the instance's zone, nothing for none."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return value.isoformat() if isinstance(value, date) else str(value)


def _cells(row: Row, columns: Sequence[Column], language: Language, zone: ZoneInfo) -> list[str]:
    cells = []
    for column in columns:
        value = row[column.field]
        if column.field == "status":
            value = STATUSES.get(value, {}).get(language, value)
        cells.append(text_of(value, zone))
    return cells


async def as_csv(
    pages: Pages, columns: Sequence[Column], *, language: Language, zone: ZoneInfo
) -> AsyncIterator[str]:
    """Yield a list as CSV (RFC 4180): titles first, then a piece per page."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([column.title(language) for column in columns])
    async for page in pages:
        for row in page:
            writer.writerow([harmless(cell) for cell in _cells(row, columns, language, zone)])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


async def as_html(
    pages: Pages, columns: Sequence[Column], *, title: str, language: Language, zone: ZoneInfo
) -> AsyncIterator[str]:
    """Yield a list as one HTML page: done is green, cancelled red, a passed due date red."""
    titles = "".join(f"<th>{html.escape(column.title(language))}</th>" for column in columns)
    yield _HEAD.format(language=language, title=html.escape(title), titles=titles)
    async for page in pages:
        yield "".join(_html_row(row, columns, language, zone) for row in page)
    yield "</tbody></table></body></html>\n"


def _html_row(row: Row, columns: Sequence[Column], language: Language, zone: ZoneInfo) -> str:
    classes = html.escape(f"{row.get('status', '')}{' overdue' if row.get('overdue') else ''}")
    cells = "".join(
        f'<td class="{column.field}">{html.escape(text)}</td>'
        for column, text in zip(columns, _cells(row, columns, language, zone), strict=True)
    )
    return f'<tr class="{classes}">{cells}</tr>\n'
