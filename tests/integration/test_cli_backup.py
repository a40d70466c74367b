"""A backup becomes another instance: whole, in its second life, with sending stopped."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from services.cli.backup import SENDING
from services.cli.supervision import owners
from shared import kafka
from tests.integration.cli_shell import Shell, shell
from tests.records import record_of
from tests.servers import Servers
from topics.names import STOCK_COMMANDS
from topics.stock import ReleaseStock


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """An instance with an operator and a workflow that runs."""
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        made.does("migrate")
        made.does("topics", "apply")
        made.does("operator", "add", "Ada", "ada@example.org", "--role", "administrator")
        made.sql("INSERT INTO delivery.technical_workflows (name) VALUES ('deliveryMgt')")
        made.sql(
            "INSERT INTO delivery.workflow_orders (name, control, actor)"
            " VALUES ('deliveryMgt', 'start', '{}')"
        )
        made.sql(
            "INSERT INTO bot.slack_messages (key, target, content, wanted_hash, next_at)"
            " VALUES ('card', '#c', '{}', 'h', now())"
        )
        made.sql(
            "INSERT INTO bot.slack_calls (key, lane, kind, arguments, next_at, expires_at)"
            " VALUES ('tell', 'user:u', 'tell', '{}', now(), now() + interval '1 hour')"
        )
        made.sql("INSERT INTO stock.technical_workflows (name) VALUES ('stockMgt')")
        yield made


async def publish(cli: Shell, count: int) -> None:
    settings = cli.instance.settings()
    producer = kafka.plain_producer(settings, client_id="test")
    await producer.start()
    for _ in range(count):
        command = ReleaseStock(reservation_id=uuid4(), campaign_id=uuid4(), reason="over")
        key, headers, value = record_of(command)
        topic = settings.kafka_namespace + STOCK_COMMANDS.name
        await producer.send_and_wait(topic, value, key=key, headers=headers)
    await producer.stop()


async def left_to_read(cli: Shell) -> int:
    """Return how many stock commands the group has not read by its offsets."""
    settings = cli.instance.settings()
    name = settings.kafka_namespace + STOCK_COMMANDS.name
    parts = [TopicPartition(name, number) for number in range(STOCK_COMMANDS.partitions)]
    client = kafka.consumer(settings, [], group="muster.stock", instance=None)
    await client.start()
    try:
        client.assign(parts)
        ends = await client.end_offsets(parts)
        return sum([ends[part] - (await client.committed(part) or 0) for part in parts])
    finally:
        await client.stop()


def test_a_backup_restored_elsewhere_is_whole_and_sends_nothing(
    cli: Shell, servers: Servers, tmp_path: Path
) -> None:
    asyncio.run(publish(cli, 2))
    before = datetime.now(UTC)
    file = tmp_path / "muster.backup"
    assert "schemas in" in cli.does("backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "it holds people's addresses"
    assert "exists already" in cli.refuses("backup", str(file))
    asyncio.run(publish(cli, 3))
    with shell(servers, tmp_path, namespace=cli.instance.namespace) as other:
        said = other.process("restore", str(file)).output
        assert "restored: epoch 2" in said
        assert "consumer groups read again from that time" in said
        assert f"Sending is stopped: {', '.join(SENDING)}" in said
        assert "muster workflows start slackPosting" in said
        (call,) = other.sql("SELECT done_at IS NOT NULL AS done, error FROM bot.slack_calls")
        assert call == {"done": True, "error": "restored"}
        (card,) = other.sql("SELECT attempted_at FROM bot.slack_messages")

        assert other.sql("SELECT name FROM web.operators") == cli.sql(
            "SELECT name FROM web.operators"
        )
        (row,) = other.sql("SELECT epoch, backup_at, restored_at FROM bot.instance")
        assert row["epoch"] == 2
        assert before <= row["backup_at"] < row["restored_at"]
        assert card["attempted_at"] == row["backup_at"], "looked up in Slack before it is posted"
        for name, schema in owners().items():
            if name in SENDING:
                states = other.sql(
                    f"SELECT status FROM {schema}.technical_workflows WHERE name = $1", name
                )
                assert states == [{"status": "stopped"}], name
        assert other.sql("SELECT * FROM delivery.workflow_orders") == [], "nothing starts it again"
        assert other.sql("SELECT status FROM stock.technical_workflows") == [{"status": "started"}]
        assert asyncio.run(left_to_read(other)) == 3, "what came after the backup is read again"
        assert "restored from a backup" in other.does("doctor")
        assert other.does("migrate").splitlines() == ["schemas are up to date"]
        assert "the database is not empty" in other.refuses("restore", str(file))
    assert cli.sql("SELECT epoch FROM campaign.instance") == [{"epoch": 1}], "the first lives on"
    assert cli.sql("SELECT status FROM delivery.technical_workflows") == [{"status": "started"}]


def test_a_file_that_is_no_backup_restores_nothing(servers: Servers, tmp_path: Path) -> None:
    with shell(servers, tmp_path) as empty:
        file = tmp_path / "nonsense"
        file.write_text("nonsense")
        assert "pg_restore failed" in empty.refuses("restore", str(file))
        assert "there is no file" in empty.refuses("restore", str(tmp_path / "nothing"))
        assert empty.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'web'") == []
        assert "run: muster migrate" in empty.refuses("backup", str(tmp_path / "b"))
        assert not (tmp_path / "b").exists()
