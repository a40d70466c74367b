"""The embedded Kafka as a real broker, and how its jars get here."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded import jars
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.jars import Jar, ensure_jars
from deploy.embedded.kafka import EmbeddedKafka
from deploy.embedded.ports import free_port

TOPIC = "orders"


@pytest.fixture
async def kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbeddedKafka]:
    """A broker, started where no other Java can be found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1k")
    server = EmbeddedKafka(tmp_path / "with space")
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def make_topic(server: EmbeddedKafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()


async def produce(server: EmbeddedKafka, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server.bootstrap, transactional_id="t")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(TOPIC, value)
    finally:
        await producer.stop()


async def consume(server: EmbeddedKafka) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=server.bootstrap, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        records = await consumer.getmany(partition, timeout_ms=10_000)
        return [record.value for batch in records.values() for record in batch]
    finally:
        await consumer.stop()


async def test_acknowledged_messages_survive_a_kill_and_the_address_stays(
    kafka: EmbeddedKafka,
) -> None:
    await make_topic(kafka)
    await produce(kafka, b"first")
    bootstrap = kafka.bootstrap
    await kafka.kill()
    assert await kafka.start(keep_ports=True)
    assert kafka.bootstrap == bootstrap
    await produce(kafka, b"second")
    assert await consume(kafka) == [b"first", b"second"]


async def test_a_topic_nobody_made_does_not_appear(kafka: EmbeddedKafka) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await consumer.start()
    try:
        consumer.subscribe(["never.made"])
        await consumer.getmany(timeout_ms=300)
        assert "never.made" not in await consumer.topics()
    finally:
        await consumer.stop()


async def test_a_broker_nobody_recorded_is_named_not_hurt(kafka: EmbeddedKafka) -> None:
    await make_topic(kafka)
    process = kafka.running()
    state = kafka.folder / "state.json"
    kept = state.read_text()
    state.unlink()
    with pytest.raises(EmbeddedError, match="Kafka that was not started from here"):
        await kafka.start()
    state.write_text(kept)
    assert kafka.running() == process
    await produce(kafka, b"unharmed")


# -- the jars, from a repository on this machine


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository over HTTP on loopback, the only one jgo knows of."""
    folder = tmp_path / "repository"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    only_known(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield folder
    server.shutdown()
    server.server_close()


def only_known(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    whole = jars._maven

    def maven(folder: Path) -> object:
        context = whole(folder)
        context.remote_repos = {"here": url}
        return context

    monkeypatch.setattr(jars, "_maven", maven)


def publish(repository: Path, name: str, content: bytes) -> Jar:
    path = PurePosixPath(f"org/example/{name}/1.0/{name}-1.0.jar")
    target = repository / path
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    return Jar(path, hashlib.sha256(content).hexdigest())


async def test_jars_are_fetched_once_and_verified(repository: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    wanted = tuple(publish(repository, f"jar{number}", os.urandom(9_000)) for number in range(9))
    paths = await asyncio.to_thread(ensure_jars, cache, wanted)
    assert [jars.sha256_of(path) for path in paths] == [jar.sha256 for jar in wanted]
    for jar in wanted:
        (repository / jar.path).unlink()
    assert await asyncio.to_thread(ensure_jars, cache, wanted) == paths
    paths[3].write_bytes(b"changed on disk")
    with pytest.raises(EmbeddedError, match=r"jar3-1\.0\.jar could not be downloaded"):
        await asyncio.to_thread(ensure_jars, cache, wanted)


async def test_a_jar_that_is_not_the_one_of_the_list_is_refused(
    repository: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    jar = publish(repository, "evil", b"good")
    (repository / jar.path).write_bytes(b"evil")
    with pytest.raises(EmbeddedError, match="is not the file this version was tested with"):
        await asyncio.to_thread(ensure_jars, cache, (jar,))
    assert not (cache / jar.path).exists()


async def test_no_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_known(monkeypatch, f"http://127.0.0.1:{free_port()}")
    jar = Jar(PurePosixPath("org/example/a/1/a-1.jar"), "0" * 64)
    with pytest.raises(EmbeddedError, match=r"could not be downloaded.*connect this machine"):
        await asyncio.to_thread(ensure_jars, tmp_path, (jar,))
