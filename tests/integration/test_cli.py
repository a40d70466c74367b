"""The command line as people use it: what it says, and its exit codes."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.cli.letters import opened
from shared import dead_letters, kafka
from shared.kafka import Record
from tests.conftest import REPOSITORY
from tests.instances import SECRET
from tests.integration.cli_shell import Said, Shell, shell
from tests.records import record_of
from tests.servers import Servers
from topics.names import STOCK_COMMANDS, all_topics
from topics.operators import OperatorState, Role
from topics.stock import ReleaseStock

ADDRESS = "zoe.martin@example.org"


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """An instance with schemas and topics, made by the commands themselves."""
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        assert "stock: stock/0001_stock.pre.sql" in made.process("migrate").output
        assert f"{len(all_topics())} topics made" in made.does("topics", "apply")
        yield made


def test_migrating_again_applies_nothing(cli: Shell) -> None:
    assert cli.does("migrate").splitlines() == ["schemas are up to date"]


def test_topics_are_there_as_the_catalogue_says(cli: Shell) -> None:
    assert "every topic is there" in cli.does("topics", "apply")
    assert "the broker has every topic as the catalogue says" in cli.does("topics", "check")
    said = cli.muster("topics", "check", KAFKA_NAMESPACE="nowhere.")
    assert said.code == 1
    assert "nowhere.campaign.commands.v1 is missing" in said.output


def test_access_rules_are_printed_to_be_run(cli: Shell) -> None:
    lines = cli.does("topics", "acl", "--producer", "shop").splitlines()
    assert all(line.startswith("kafka-acls.sh --bootstrap-server") for line in lines)
    assert sum("User:shop" in line for line in lines) == 2


def test_the_doctor_is_green_and_says_what_to_do_when_it_is_not(cli: Shell) -> None:
    said = cli.does("doctor")
    assert said.count("✓") == 9, said
    assert "its first life" in said
    wrong = {"SMTP_PORT": "1", "BOUNCE_DOMAIN": "b.example", "SMS_GATEWAY_URL": "http://[::1]:1/"}
    ill = cli.muster("doctor", KAFKA_NAMESPACE="nowhere.", **wrong)
    assert ill.code == 1
    assert "nobody reads that mail" in ill.output
    assert "check SMTP_HOST and SMTP_PORT" in ill.output
    assert "check SMS_GATEWAY_URL" in ill.output
    assert "run: muster topics apply" in ill.output


def test_operators_are_added_imported_and_given_tokens(cli: Shell, tmp_path: Path) -> None:
    said = cli.does("operator", "add", "Ada", "ada@example.org", "--role", "administrator")
    assert said.startswith("Ada is operator ")
    again = cli.refuses("operator", "add", "Ada", "ada@example.org", "--role", "manager")
    assert "email" in again
    file = tmp_path / "operators.csv"
    file.write_text(
        "name,email,roles,language\nBo,bo@example.org,manager;reviewer,fr\nX,,manager,en\n"
    )
    imported = cli.muster("operator", "import", str(file))
    assert imported.code == 1
    assert "1 added, 0 updated, 0 unchanged, 1 rejected" in imported.output
    assert "line 3: " in imported.output
    token = cli.process("token", "create", "bo@example.org", "--scope", "read", "--days", "3")
    assert (token.code, token.error) == (0, "")
    assert len(token.output.split()) == 1
    kept = cli.sql("SELECT to_jsonb(t)::text AS row FROM web.tokens t")
    assert token.output.strip() not in "".join(row["row"] for row in kept)
    assert "there is no operator with that e-mail" in cli.refuses(
        "token", "create", "who@example.org", "--scope", "read"
    )


def known_to_targeting(cli: Shell, operator_id: UUID) -> None:
    """Do what targeting's consumer does when web announces an operator."""

    async def hear() -> None:
        async with opened("targeting", cli.instance.settings()) as targeting:
            await targeting.execute(
                OperatorState(operator_id=operator_id, version=9, name="I", roles=(Role.MANAGER,))
            )

    asyncio.run(hear())


def test_the_directory_is_imported_twice_and_bad_rows_are_listed(
    cli: Shell, tmp_path: Path
) -> None:
    said = cli.does("operator", "add", "Imre", "imre@example.org", "--role", "manager")
    known_to_targeting(cli, UUID(said.split()[-1]))
    file = tmp_path / "sites.csv"
    sample = (REPOSITORY / "deploy" / "sample" / "crm" / "sites.csv").read_text().splitlines()
    file.write_text("\n".join([*sample[:2], "S-BAD" + "," * sample[0].count(",")]) + "\n")
    words = ("targeting", "import", "sites", str(file), "--operator", "imre@example.org")
    first = cli.muster(*words)
    assert first.code == 1, first.error
    assert "2 rows: 1 new, 0 updated, 0 unchanged, 1 rejected" in first.output
    assert (tmp_path / "sites.rejects.csv").exists()
    assert "2 rows: 0 new, 0 updated, 1 unchanged, 1 rejected" in cli.muster(*words).output
    stranger = cli.refuses(*words[:-1], "who@example.org")
    assert "add one with: muster operator add" in stranger


def test_a_consent_is_noted_and_shown_by_those_who_may(cli: Shell) -> None:
    said = cli.does("operator", "add", "Ines", "ines@example.org", "--role", "manager")
    known_to_targeting(cli, UUID(said.split()[-1]))
    who = ("--operator", "ines@example.org")
    assert "email: nobody said anything" in cli.does("targeting", "consent", ADDRESS)
    assert "email: opted out since" in cli.does("targeting", "opt-out", ADDRESS, *who)
    assert "email: opted out since" in cli.does("targeting", "consent", ADDRESS.upper())
    assert "phone: nobody" in cli.does("targeting", "consent", ADDRESS, "--channel", "phone")
    told = cli.sql("SELECT key FROM targeting.outbox WHERE topic = 'targeting.events.v1'")
    assert len(told) == 1, "delivery hears of it"
    assert "email: opted in since" in cli.does("targeting", "opt-in", ADDRESS, *who)
    assert "address: " in cli.refuses("targeting", "opt-out", "zoe at example", *who)
    assert "there is no operator" in cli.refuses(
        "targeting", "opt-out", ADDRESS, "--operator", "who@example.org"
    )


def test_a_workflows_history_counts_idle_runs(cli: Shell) -> None:
    cli.sql(
        "INSERT INTO budget.technical_workflows (name, idle_runs, idle_since, last_run_at)"
        " VALUES ('budgetMgt', 3, '2026-11-26T09:00Z', '2026-11-26T09:02Z')"
    )
    cli.sql(
        "INSERT INTO budget.workflow_runs (run_id, name, scheduled_for, started_at, ended_at,"
        " rows_in, error, idle_before) VALUES (gen_random_uuid(), 'budgetMgt', '2026-11-26T08:00Z',"
        " '2026-11-26T08:00:01Z', '2026-11-26T08:00:02Z', 41, 'KeyError', 17)"
    )
    said = " ".join(cli.does("workflows", "history", "budgetMgt").split())
    assert "41" in said
    assert "17" in said
    assert "3 runs found nothing to do since 2026-11-26T09:00:00+00:00" in said


def test_workflows_are_listed_and_stopped_where_they_run(cli: Shell) -> None:
    assert "not registered yet" in cli.does("workflows", "list")
    cli.sql("INSERT INTO stock.technical_workflows (name) VALUES ('stockMgt')")
    assert "stockMgt is stopped" in cli.does("workflows", "stop", "stockMgt", "--local")
    assert "is stopped: it cannot pause" in cli.does("workflows", "pause", "stockMgt", "--local")
    line = next(one for one in cli.does("workflows", "list").splitlines() if "stockMgt" in one)
    assert "stopped" in line
    states = cli.sql("SELECT key FROM stock.outbox WHERE topic = 'workflows.state.v1'")
    assert states == [{"key": "stockMgt"}], "the catalogue hears of it"
    assert "say who asks with --operator" in cli.refuses("workflows", "start", "stockMgt")
    said = cli.does("workflows", "policy", "stockMgt", "--ignore", "7", "--local")
    assert "stockMgt: ignores 7 failures in a row" in said
    assert "say either --stop" in cli.refuses("workflows", "policy", "stockMgt", "--local")
    assert "there is no technical workflow 'noMgt'" in cli.refuses("workflows", "start", "noMgt")


def release() -> ReleaseStock:
    return ReleaseStock(reservation_id=uuid4(), campaign_id=uuid4(), reason="over")


def bury(cli: Shell, *, body: bytes, offset: int) -> UUID:
    """Put a dead letter into stock's rows, as its consumer does."""

    async def run() -> UUID:
        key, headers, _ = record_of(release())
        record = Record(STOCK_COMMANDS.name, 0, offset, key.decode(), headers, body)
        settings = cli.instance.settings()
        async with opened("stock", settings) as stock, stock.uow.begin() as work:
            await dead_letters.bury(work, "stock", record, reason="never")
            found: UUID = await work.connection.fetchval(
                "SELECT id FROM dead_letters WHERE kafka_offset = $1", offset
            )
            return found

    return asyncio.run(run())


def test_dead_letters_are_listed_shown_without_addresses_and_replayed_once(cli: Shell) -> None:
    letter = bury(cli, body=f'{{"email": "{ADDRESS}"}}'.encode(), offset=1)
    listed = cli.does("dlq", "list")
    assert str(letter) in listed
    assert "never" in listed
    shown = cli.does("dlq", "show", "stock", str(letter))
    assert ReleaseStock.ce_type in shown
    assert "[removed]" in shown
    assert ADDRESS not in shown
    assert "handed back" in cli.does("dlq", "replay", "stock", str(letter))
    assert cli.sql("SELECT kafka_offset FROM stock.retries") == [{"kafka_offset": 1}]
    assert "waits for a replay" in cli.refuses("dlq", "replay", "stock", str(letter))
    assert "no dead letters" in cli.does("dlq", "list", "--service", "stock")
    assert str(letter) in cli.does("dlq", "list", "--service", "stock", "--replayed")
    cli.sql("DELETE FROM stock.retries")


def test_a_person_is_forgotten_in_dead_letters_too(cli: Shell) -> None:
    bury(cli, body=f'{{"email": "{ADDRESS.upper()}"}}'.encode(), offset=2)
    bury(cli, body=b'{"email": "somebody.else@example.org"}', offset=3)
    before = cli.does("erase", ADDRESS)
    assert int(before.split()[0]) >= 1
    bodies = {row["value"] for row in cli.sql("SELECT value FROM stock.dead_letters")}
    assert bodies == {b"", b'{"email": "somebody.else@example.org"}'}
    assert cli.does("erase", ADDRESS).startswith("0 rows")


def replay(*words: str) -> tuple[str, ...]:
    return ("replay", STOCK_COMMANDS.name, "--group", "stock", *words)


def test_a_replay_refuses_while_the_group_has_members_and_names_them(cli: Shell) -> None:
    settings = cli.instance.settings()

    async def as_a_member() -> str:
        client = kafka.consumer(
            settings, [STOCK_COMMANDS.name], group="muster.stock", instance=None
        )
        await client.start()
        try:
            await client.getmany(timeout_ms=500)
            return await asyncio.to_thread(cli.refuses, *replay("--repair"))
        finally:
            await client.stop()

    said = asyncio.run(as_a_member())
    assert "stock is running" in said
    assert "muster.stock-reader at " in said
    assert "stop it first, then replay" in said


def test_a_repair_says_what_would_be_read_again(cli: Shell) -> None:
    async def publish() -> datetime:
        settings = cli.instance.settings()
        producer = kafka.plain_producer(settings, client_id="test")
        await producer.start()
        between = datetime.now(UTC)
        for i in range(3):
            if i == 1:
                await asyncio.sleep(0.05)
                between = datetime.now(UTC)
            key, headers, value = record_of(release())
            topic = settings.kafka_namespace + STOCK_COMMANDS.name
            await producer.send_and_wait(topic, value, key=key, headers=headers)
        await producer.stop()
        return between

    between = asyncio.run(publish())
    assert "3 records" in cli.does(*replay("--repair", "--dry-run"))
    later = replay("--repair", "--dry-run", "--from", between.isoformat())
    assert "2 records" in cli.does(*later)
    assert "done: start the service" in cli.does(*replay("--repair"))
    assert "choose one: --repair" in cli.refuses(*replay())
    assert "add a zone" in cli.refuses(*replay("--repair", "--from", "2026-11-22T08:00:00"))
    assert "has no read model 'nothing'" in cli.refuses(*replay("--rebuild", "nothing"))


def test_check_is_clean_until_a_row_is_wrong(servers: Servers, tmp_path: Path) -> None:
    with shell(servers, tmp_path) as clean:
        clean.does("migrate")
        clean.does("topics", "apply")
        said = clean.process("check")
        assert (said.code, "✗" in said.output) == (0, False), said
        clean.sql(
            "INSERT INTO stock.stock_lines (line_id, version, stock, label, initial, alert_level)"
            " VALUES ($1, 1, 's', 'l', 7, 0)",
            uuid4(),
        )
        clean.sql(
            "INSERT INTO budget.outbox (topic, headers, value, created_at)"
            " VALUES ('x', '[]', '{}', now() - interval '2 minutes')"
        )
        said = clean.process("check")
    assert said.code == 1
    assert "I7 a stock line's levels are the sums of its ledger" in said.output
    assert "I4 budget has 1 messages in its outbox" in said.output
    assert said.output.count("✗") >= 2


def test_it_says_its_version_and_which_services_there_are(cli: Shell) -> None:
    version = f"muster {importlib.metadata.version('muster')}"
    assert cli.process("--version") == Said(0, f"{version}\n", "")
    said = cli.process("service", "nothing")
    assert said.code == 1
    assert said.error.startswith("there is no service 'nothing'; there are web, campaign")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning', 'error'"),
        ("MUSTER_SECRET_KEY", "", "Field required"),
        ("SMTP_PORT", "mail", "valid integer"),
    ],
)
def test_a_wrong_setting_is_named_by_the_service_that_needs_it(
    cli: Shell, name: str, value: str, allowed: str
) -> None:
    said = cli.process("service", "delivery", **{name: value})
    assert said.code == 1
    assert said.error.startswith(f"{name}: "), "a sentence, not a stack trace"
    assert allowed in said.error
    assert SECRET not in said.error


def test_a_server_that_does_not_answer_is_a_sentence_not_a_stack_trace(cli: Shell) -> None:
    nowhere = cli.instance.database_url.rpartition("@")[0] + "@127.0.0.1:1/muster"
    said = cli.refuses("migrate", DATABASE_URL=nowhere)
    assert "see what is missing with: muster doctor" in said
