"""``muster events push``: files of events."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.cli.letters import opened
from services.events_status.app import SERVICE as EVENTS
from services.events_status.copying import update_statuses
from services.events_status.domain import Received
from services.events_status.intake import read_event
from services.events_status.settings import EventsStatusSettings
from services.events_status.workflows import process_realtime
from shared.service import open_runtime
from shared.settings import Settings
from tests.integration.cli_shell import Shell, shell
from tests.integration.events_story import KIND, MANAGER, actor, know_operators
from tests.integration.test_events_status_rows import step, take
from tests.records import records_of
from tests.servers import Servers
from topics.cloudevents import decode_envelope
from topics.delivery import MessageOutcome, Outcome
from topics.events import RouteEventType
from topics.names import EVENTS_BATCH, EVENTS_REALTIME, Topic
from topics.operators import OperatorState, Role
from topics.outside import Queue

WHO = ("--operator", "ops@example.org")


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        made.does("migrate")
        made.does("topics", "apply")
        made.does("operator", "add", "Olga", "ops@example.org", "--role", "manager")
        made.does("operator", "add", "Rita", "rita@example.org", "--role", "reviewer")
        yield made


def events(cli: Shell, topic: Topic = EVENTS_BATCH) -> list[Received]:
    """Return the events of a topic as Message Center reads them."""
    found = asyncio.run(records_of(cli.instance.settings(Settings), topic))
    return [read_event(decode_envelope(one.headers, one.value), Queue.BATCH) for one in found]


def rejected(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def known_to_message_center(cli: Shell) -> None:
    """Have events_status know the operators, as its consumer would."""
    rows = cli.sql("SELECT operator_id, name FROM web.operators")

    async def hear() -> None:
        settings = cli.instance.settings(EventsStatusSettings)
        async with opened("events_status", settings) as events_status:
            for row in rows:
                role = Role.MANAGER if row["name"] == "Olga" else Role.REVIEWER
                await events_status.execute(OperatorState(version=9, roles=(role,), **row))

    asyncio.run(hear())


def test_service_levels_and_thresholds_are_set_and_shown(cli: Shell) -> None:
    known_to_message_center(cli)
    assert "nothing is known yet" in cli.muster("events", "levels").output
    page = json.loads(cli.muster("events", "levels", "--json", "--window", "hour").output)
    assert (page["is_late"], page["levels"]) == (True, [])
    limits = ("--warning", "100", "--alert", "1000")
    said = cli.muster("events", "threshold", "set", "queued", *limits, *WHO, "--channel", "email")
    assert said.code == 0, said
    listed = json.loads(cli.muster("events", "threshold", "list", "--json").output)["thresholds"]
    [mine] = [one for one in listed if one["indicator"] == "queued"]
    assert (mine["channel"], mine["warning"], mine["alert"]) == ("email", 100, 1000)
    assert "error_rate" in cli.muster("events", "threshold", "list").output
    refused = {
        ("queued", "--warning", "9", "--alert", "1", *WHO): "an alert lies over its warning",
        ("error_rate", "--warning", "5", *WHO): "warning: a rate is between 0 and 1",
        ("queued", *WHO): "give --warning",
        ("queued", *limits, "--operator", "rita@example.org"): "may not manage",
    }
    for words, why in refused.items():
        said = cli.muster("events", "threshold", "set", *words)
        assert (said.code != 0, why in said.error + said.output) == (True, True), said
    gone = cli.muster("events", "threshold", "remove", "queued", *WHO, "--channel", "email")
    assert gone.code == 0
    assert '"queued"' not in cli.muster("events", "threshold", "list", "--json").output


def test_a_csv_file_is_pushed_once_and_its_bad_rows_are_kept_apart(cli: Shell) -> None:
    path = cli.folder / "orders.csv"
    path.write_text(
        "type;email;language;ctx.order.id;ctx.total\n"
        "order.confirmed;ann@example.org;fr;A-1;9,90\n"
        "order.confirmed;nobody;;A-2;\n"
        "\n"
        'order.confirmed;bob@example.org;;"A;3";\n'
    )
    before = len(events(cli))
    said = cli.muster("events", "push", str(path), *WHO)
    assert (said.code, "2 events taken, 1 rejected" in said.output) == (1, True), said
    taken = events(cli)[before:]  # of two partitions, in either order
    first, second = sorted(taken, key=lambda one: one.address)
    assert (first.address, first.language) == ("ann@example.org", "fr")
    assert first.ctx == {"order": {"id": "A-1"}, "total": "9,90"}
    assert second.ctx == {"order": {"id": "A;3"}}
    (wrong,) = rejected(cli.folder / "orders.rejects.csv")
    assert (wrong["item"], wrong["field"]) == ("2", "email")
    assert json.loads(wrong["text"])["email"] == "nobody"
    again = cli.muster("events", "push", str(path), *WHO)
    assert "0 events taken, 2 taken before, 1 rejected" in again.output
    assert len(events(cli)) == before + 2


def test_a_parquet_file_is_pushed_once_and_its_bad_rows_are_kept_apart(cli: Shell) -> None:
    path = cli.folder / "orders.parquet"
    many, wrong = 1000, 700
    table = pa.table(
        {
            "type": ["order.shipped"] * many,
            "email": ["" if n == wrong else f"p{n}@example.org" for n in range(many)],
            "external_id": list(range(many)),
            "ctx": [{"order": {"id": n, "gift": None}} for n in range(many)],
        }
    )
    pq.write_table(table, path, row_group_size=300)
    before = len(events(cli))
    said = cli.muster("events", "push", str(path), *WHO)
    assert (said.code, "999 events taken, 1 rejected" in said.output) == (1, True), said
    taken = {one.external_id: one for one in events(cli) if one.event_type == "order.shipped"}
    assert set(taken) == {str(n) for n in range(many) if n != wrong}
    assert (taken["7"].address, taken["7"].ctx) == ("p7@example.org", {"order": {"id": 7}})
    (kept,) = rejected(cli.folder / "orders.rejects.csv")
    assert (kept["item"], kept["field"]) == ("701", "email")
    assert json.loads(kept["text"])["ctx"] == {"order": {"id": 700}}
    again = cli.muster("events", "push", str(path), *WHO)
    assert "0 events taken, 999 taken before, 1 rejected" in again.output
    assert len(events(cli)) == before + 999


def test_a_context_of_a_csv_file_may_be_as_long_as_any(cli: Shell) -> None:
    path = cli.folder / "long.csv"
    long = json.dumps({"text": "x" * 250_000}).replace('"', '""')
    path.write_text(f'type,email,ctx\nlong.one,a@example.org,"{long}"\nlong.one,a@example.org,x\n')
    said = cli.muster("events", "push", str(path), *WHO)
    assert "1 events taken, 1 rejected" in said.output, said
    (kept,) = rejected(cli.folder / "long.rejects.csv")
    assert (kept["item"], kept["field"], kept["text"]) == ("2", "ctx", "x")


def test_lines_are_pushed_to_the_queue_that_was_named(cli: Shell) -> None:
    path = cli.folder / "many.ndjson"
    lines = [
        json.dumps({"type": "parcel.sent", "email": f"a{n}@example.org", "ctx": {"n": n}})
        for n in range(1203)
    ]
    path.write_text("\n\n".join(lines))
    said = cli.does("events", "push", str(path), "--queue", "realtime", *WHO)
    assert "1203 events taken, 0 rejected" in said
    assert not (cli.folder / "many.rejects.csv").exists()
    taken = events(cli, EVENTS_REALTIME)
    assert sorted(one.ctx["n"] for one in taken) == list(range(1203))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "kind,email\n", "no column type"),
        ("b.csv", "type,mail\n", "'mail' is not known"),
        ("c.csv", "", "no column type"),
        ("d.ndjson", "\n \n", "holds no event"),
        ("e.csv", 'type,origin\na,"' + "x\n" * 300_000, "line 262146: field larger than"),
        ("f.csv", "type\n" + "x" * 600_000, "line 2: over 524288 characters"),
        ("g.parquet", "type,email\n", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(
    cli: Shell, name: str, content: str, reason: str
) -> None:
    path = cli.folder / name
    path.write_text(content)
    said = cli.muster("events", "push", str(path), *WHO)
    assert said.code == 1
    assert reason in said.error


def test_pushing_takes_the_right_to_manage_events(cli: Shell) -> None:
    path = cli.folder / "one.ndjson"
    path.write_text('{"type": "a", "email": "a@example.org"}')
    said = cli.muster("events", "push", str(path), "--operator", "rita@example.org")
    assert said.code == 1
    assert "may not" in said.error or "right" in said.error


def test_a_sample_context_is_said_in_json_and_in_xml(cli: Shell) -> None:
    xml, other = cli.folder / "sample.xml", cli.folder / "sample.json"
    xml.write_text("<ctx><order id='A-1'><line>é</line><line>y</line></order></ctx>")
    said = cli.does("events", "ctx", str(xml))
    assert json.loads(said) == {"order": {"@id": "A-1", "line": ["é", "y"]}}
    other.write_text(said)
    back = cli.does("events", "ctx", str(other))
    assert "".join(line.strip() for line in back.splitlines()) == (
        '<ctx><order id="A-1"><line>é</line><line>y</line></order></ctx>'
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<ctx><a></ctx>", "line 1: not well-formed"),
        ("<!DOCTYPE ctx [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><ctx>&a;</ctx>", "document type"),
        ("<event/>", "no <ctx> element"),
        ("[1]", "body: Input should be"),
        ("{", "body: Invalid JSON"),
        ('{"a": "\\u0000"}', "body: holds a NUL character"),
        ('{"a b": 1}', "ctx: Invalid tag name"),
    ],
)
def test_a_sample_that_is_no_context_is_refused(cli: Shell, content: str, reason: str) -> None:
    path = cli.folder / "sample"
    path.write_text(content)
    said = cli.muster("events", "ctx", str(path))
    assert said.code == 1
    assert reason in said.error


def test_the_archive_is_shown_and_made_anew(cli: Shell) -> None:
    said = cli.does("events", "archive")
    assert "0 events are archived" in said
    assert json.loads(cli.does("events", "archive", "--weeks", "--json")) == {"deliveries": []}
    said = cli.does("events", "rebuild")
    assert "0 states of 0 events read" in said


def test_an_event_is_shown_and_what_is_done_with_it_is_refused_with_the_reason(cli: Shell) -> None:
    known_to_message_center(cli)
    event = asyncio.run(an_event(cli))
    shown = cli.does("events", "show", str(event))
    assert "order.confirmed" in shown
    assert "unknown_template" in shown
    assert json.loads(cli.does("events", "show", str(event), "--json"))["event"]["errors"] == 1
    said = cli.muster("events", "recycle", str(event), "--channel", "sms", *WHO)
    assert (said.code, "an event that is pending is not recycled" in said.error) == (1, True)
    assert cli.does("events", "pause", str(event), *WHO).strip() == str(event)
    assert "paused" in cli.does("events", "show", str(event))
    assert cli.does("events", "resume", str(event), *WHO).strip() == str(event)
    assert "is not sent again" in cli.muster("events", "resend", str(event), *WHO).error
    missing = cli.muster("events", "show", "00000000-0000-0000-0000-000000000000")
    assert "there is no such event" in missing.error


async def an_event(cli: Shell) -> UUID:
    """Have an event come in whose first message the delivery has not taken."""
    settings = cli.instance.settings(EVENTS.settings)
    runtime = await open_runtime(EVENTS, settings)
    try:
        await know_operators(runtime)
        await runtime.execute(
            RouteEventType(event_type=KIND, template_id=uuid4(), actor=actor(MANAGER))
        )
        event = await take(runtime, "cli-1")
        await step(runtime, process_realtime)
        await runtime.execute(
            MessageOutcome(
                message_id=event,
                outcome=Outcome.FAILED,
                reason="unknown_template",
                at=runtime.clock.now(),
                not_taken=True,
            )
        )
        await step(runtime, update_statuses)
        return event
    finally:
        await runtime.pool.close()


def test_the_rules_of_a_type_are_set_and_listed(cli: Shell) -> None:
    known_to_message_center(cli)
    asyncio.run(an_event(cli))
    cli.does("events", "rules", "set", "order.confirmed", "--recycle-to", "sms", *WHO)
    [one] = json.loads(cli.does("events", "rules", "list", "--json"))["rules"]
    assert (one["event_type"], one["recycle_to"]) == ("order.confirmed", "sms")
    said = cli.muster("events", "rules", "set", "order.confirmed", "--enrich", *WHO)
    assert "enrich: EVENTS_ENRICHMENT_URL names no enrichment service" in said.error
