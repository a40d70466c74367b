"""Importing the directory: what is kept, what is rejected, and what a second run changes."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import pytest

from deploy.sample import CRM_DIR
from services.targeting.app import SERVICE
from services.targeting.import_tables import TABLES
from services.targeting.imports import ImportReport, Kind, import_csv
from shared.errors import NotAllowed, Refused
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.targeting_world import (
    ITSELF,
    answers,
    emitted,
    open_world,
    operator,
    put,
    row_of,
    sample,
)
from topics.message import system_actor
from topics.operators import Role
from topics.targeting import ConsentChanged, RecordConsent

HEADER = ",".join(TABLES[Kind.CONTACTS].header)


def outcome(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.rows, report.created, report.updated, report.unchanged, report.rejected


def contacts(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "contacts.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


async def opted_out(runtime: Runtime, address: str) -> bool | None:
    found: bool | None = await runtime.pool.fetchval(
        "SELECT opted_out FROM consents WHERE recipient_key = $1",
        recipient_key(SECRET.encode(), "email", address),
    )
    return found


async def test_the_sample_is_imported_and_a_second_run_changes_nothing(open_service: Open) -> None:
    runtime = await open_service(SERVICE)
    sizes = {Kind.SITES: 420, Kind.CONTACTS: 2_100, Kind.EMPLOYEES: 26, Kind.DEALS: 630}
    for kind, size in sizes.items():
        assert outcome(await put(runtime, kind)) == (size, size, 0, 0, 0)
    said_no = {row["email"].lower() for row in sample("contacts") if row["email_consent"] == "no"}
    changes = await answers(runtime, ConsentChanged)
    assert len(changes) == len(said_no - {""})
    before = await runtime.pool.fetch("SELECT * FROM contacts ORDER BY contact_id")
    for kind, size in sizes.items():
        assert outcome(await put(runtime, kind)) == (size, 0, 0, size, 0)
    assert await runtime.pool.fetch("SELECT * FROM contacts ORDER BY contact_id") == before
    assert not await emitted(runtime)
    assert await runtime.pool.fetchval("SELECT count(*) FROM import_refs") == 0


async def test_every_column_of_the_files_is_kept(open_service: Open) -> None:
    runtime = await open_world(open_service)
    row = await row_of(runtime, "SELECT * FROM directory.deals WHERE deal_ref='DEAL-000002'")
    expected = next(row for row in sample("deals") if row["deal_ref"] == "DEAL-000002")
    for name, value in expected.items():
        assert str(row[name]) == value, name
    contact = sample("contacts")[0]
    row = await row_of(
        runtime, "SELECT * FROM directory.contacts WHERE contact_ref = $1", contact["contact_ref"]
    )
    assert {name: row[name] for name in contact if name != "email_consent"} == {
        name: value for name, value in contact.items() if name != "email_consent"
    }
    site = sample("sites")[0]
    row = await row_of(
        runtime, "SELECT * FROM directory.sites WHERE site_ref = $1", site["site_ref"]
    )
    assert {name: str(row[name]) for name in site} == site


async def test_bad_rows_go_to_the_reject_file_with_line_field_and_reason(
    open_service: Open, tmp_path: Path
) -> None:
    runtime = await open_world(open_service)
    rejects = tmp_path / "rejects.csv"
    report = await import_csv(
        runtime.uow, Kind.CONTACTS, CRM_DIR / "contacts_with_errors.csv", rejects, ITSELF
    )
    assert outcome(report) == (26, 0, 0, 12, 14)
    with rejects.open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == ["line", "field", "reason", *TABLES[Kind.CONTACTS].header]
    assert [(int(row[0]), row[1]) for row in found[1:]] == [
        (8, "contact_ref"),
        (9, "site_ref"),
        (10, "site_ref"),
        (11, "last_name"),
        (12, "email"),
        (13, "email"),
        (14, "email"),
        (16, "email"),
        (17, "language"),
        (18, "email_consent"),
        (19, "first_name"),
        (20, ""),
        (21, ""),
        (22, "contact_ref"),
    ]
    reasons = {int(row[0]): row[2] for row in found[1:]}
    assert reasons[9] == "names no record of sites: import sites first"
    assert reasons[12] == "is no e-mail address such as name@company.example"
    assert reasons[18] == "is not yes, no or empty"
    assert reasons[20] == "has 4 fields; the header has 10"
    assert reasons[22] == "stands in this file before: the first row counts"
    assert "CON-0000014" in found[2]
    assert await runtime.pool.fetchval("SELECT count(*) FROM import_rejects") == 14
    name = await runtime.pool.fetchval(
        "SELECT first_name FROM contacts WHERE contact_ref = 'CON-0000001'"
    )
    assert name == "Megan"


async def test_a_reference_that_comes_again_in_a_later_chunk_is_rejected_too(
    open_service: Open, tmp_path: Path
) -> None:
    runtime = await open_service(SERVICE)
    header = ",".join(TABLES[Kind.EMPLOYEES].header)
    path = tmp_path / "employees.csv"
    lines = [f"E{n},Ada,Number {n},,," for n in range(10_500)]
    path.write_text("\n".join([header, *lines, "E7,Eve,Again,,,"]), encoding="utf-8")
    report = await put(runtime, Kind.EMPLOYEES, path)
    assert outcome(report) == (10_501, 10_500, 0, 0, 1)
    name = await runtime.pool.fetchval("SELECT last_name FROM employees WHERE employee_ref = 'E7'")
    assert name == "Number 7"


async def test_semicolons_a_byte_order_mark_and_another_order_of_columns_are_read(
    open_service: Open, tmp_path: Path
) -> None:
    runtime = await open_world(open_service)
    names = list(reversed(TABLES[Kind.CONTACTS].header))
    row = dict.fromkeys(names, "") | {
        "contact_ref": "N-1",
        "site_ref": "SITE-000001",
        "last_name": "Œuvrard",
        "email": "  Ada.Œ@x.example ".replace("Œ", "O"),
    }
    text = ";".join(names) + "\r\n" + ";".join(row[name] for name in names) + "\r\n"
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert outcome(await put(runtime, Kind.CONTACTS, path)) == (1, 1, 0, 0, 0)
    kept = await row_of(
        runtime, "SELECT last_name, email, recipient_key FROM contacts WHERE contact_ref = 'N-1'"
    )
    assert tuple(kept.values()) == (
        "Œuvrard",
        "ada.o@x.example",
        recipient_key(SECRET.encode(), "email", "ADA.O@x.example"),
    )


async def test_bytes_that_are_no_utf8_reject_their_row_only(
    open_service: Open, tmp_path: Path
) -> None:
    runtime = await open_world(open_service)
    path = contacts(tmp_path, "N-1,SITE-000001,Zoe,Fine,,,,,fr,", "N-2,SITE-000001,Zo@,Bad,,,,,fr,")
    path.write_bytes(path.read_bytes().replace(b"@", "é".encode("latin-1")))
    assert outcome(await put(runtime, Kind.CONTACTS, path)) == (2, 1, 0, 0, 1)
    reject = await row_of(runtime, "SELECT line, field, reason FROM import_rejects")
    assert tuple(reject.values()) == (
        3,
        "first_name",
        "holds characters that are not text (is the file UTF-8?)",
    )


HEADERS = (
    (HEADER.replace("email,", ""), "email is missing"),
    (HEADER + ",shoe_size", "shoe_size is unknown"),
    (HEADER.replace("mobile", "language"), "mobile is missing; language stands twice"),
    ("", "contact_ref is missing"),
)


async def test_a_wrong_header_is_refused_and_named(open_service: Open, tmp_path: Path) -> None:
    runtime = await open_service(SERVICE)
    for header, fault in HEADERS:
        with pytest.raises(Refused, match="the header is not that of contacts") as caught:
            await put(runtime, Kind.CONTACTS, contacts(tmp_path, header=header))
        assert fault in caught.value.reason
        assert HEADER in caught.value.reason
    assert await runtime.pool.fetchval("SELECT count(*) FROM imports") == 0


async def test_only_those_who_manage_targetings_import(open_service: Open) -> None:
    runtime = await open_service(SERVICE)
    reviewer = await operator(runtime, Role.REVIEWER)
    with pytest.raises(NotAllowed, match="may not manage targetings"):
        await import_csv(runtime.uow, Kind.SITES, CRM_DIR / "sites.csv", None, reviewer)
    assert await runtime.pool.fetchval("SELECT count(*) FROM sites") == 0


async def test_consent_follows_the_column_where_it_changes_and_never_undoes_a_click(
    open_service: Open, tmp_path: Path
) -> None:
    runtime = await open_world(open_service)
    line = "N-1,SITE-000001,Ada,Once,,ada@x.example,,,en,{}"
    twin = "N-2,SITE-000001,Ada,Twin,,ADA@x.example,,,en,{}"

    async def imported(*lines: str) -> list[bool]:
        await emitted(runtime)
        await put(runtime, Kind.CONTACTS, contacts(tmp_path, *lines))
        changed = await answers(runtime, ConsentChanged)
        return [one.opted_out for one in changed if isinstance(one, ConsentChanged)]

    assert await imported(line.format("yes")) == []
    assert await opted_out(runtime, "ada@x.example") is False
    click = RecordConsent(
        recipient_key=recipient_key(SECRET.encode(), "email", "ada@x.example"),
        opted_out=True,
        actor=system_actor("targeting"),
        at=runtime.clock.now(),
    )
    await runtime.execute(click)
    assert await imported(line.format("yes")) == []
    assert await imported(twin.format("yes")) == []
    assert await opted_out(runtime, "ada@x.example") is True, "a new row lifted an opt-out"
    assert await imported(line.format("no")) == []
    assert await imported(line.format("")) == []
    assert await imported(line.format("yes")) == [False]
    assert await imported(line.format("no"), twin.format("yes")) == [True]
    assert await imported(line.format("no"), twin.format("yes")) == []
    assert await imported(line.format("yes"), twin.format("no")) == []
    assert await imported(line.format("no")) == []
    assert await imported(line.format("yes")) == [], "the twin still says no"
    assert await opted_out(runtime, "ada@x.example") is True
    back = click.model_copy(update={"opted_out": False, "at": runtime.clock.now()})
    await runtime.execute(back)
    assert await imported(twin.format("no")) == [], "an old no undid a click"
    assert await opted_out(runtime, "ada@x.example") is False


async def test_a_consent_that_was_said_earlier_changes_nothing(open_service: Open) -> None:
    runtime = await open_service(SERVICE)
    now = runtime.clock.now()
    late = RecordConsent(recipient_key="k", opted_out=True, actor=ITSELF, at=now)
    early = late.model_copy(update={"opted_out": False, "at": now.replace(year=2020)})
    [first] = await runtime.execute(late)
    [second] = await runtime.execute(early)
    assert first == second == ConsentChanged(recipient_key="k", opted_out=True, at=now)


async def test_a_large_import_needs_no_more_memory_than_a_small_one(
    open_service: Open, tmp_path: Path
) -> None:
    runtime = await open_service(SERVICE)
    header = ",".join(TABLES[Kind.EMPLOYEES].header)
    peaks = {}
    for size in (1_500, 1_500, 12_000):  # the first run fills caches
        path = tmp_path / "employees.csv"
        lines = (f"E{n},Ada,Number {n},ada{n}@x.example,Buyer,North\n" for n in range(size))
        path.write_text(f"{header}\n{''.join(lines)}", encoding="utf-8")
        tracemalloc.start()
        report = await import_csv(runtime.uow, Kind.EMPLOYEES, path, None, ITSELF, chunk_rows=1_000)
        peaks[size] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.rows == size
    assert peaks[12_000] < 2 * peaks[1_500]  # eight times the rows; what else is alive varies
