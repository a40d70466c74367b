"""Where the tests' servers come from."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.cluster import EmbeddedCluster


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of running servers; ``cluster`` is set when they are the embedded ones."""

    kafka_bootstrap: str
    database_url: str
    smtp_host: str
    smtp_port: int
    mail_url: str
    cluster: EmbeddedCluster | None = None


FOLDER = "MUSTER_TEST_FOLDER"
"""The variable that names the servers' folder; workers of a session have it from its start."""
MEMORY = Path("/dev/shm")
ROOMY_BYTES = 6 * 2**30

# What README.md advises for a server of its own, on a machine with 8 GB or more.
SIZED = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}

# Tests kill processes, not the machine: what a process wrote, the system keeps. Whole instances of
# several tests run side by side, each service with its pool.
QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "400"}


def servers_folder(repository: Path) -> Path:
    """Return where the servers' data goes: into memory where there is plenty of it.

    A test makes a database and topics, hundreds of files, and nothing of them is kept.
    """
    keep = os.environ.get("MUSTER_TEST_KEEP") == "1"
    if keep or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOMY_BYTES:
        return repository / ".muster" / "test"
    mark = hashlib.sha256(os.fsencode(repository)).hexdigest()[:12]
    folder = MEMORY / f"muster-{os.getuid()}-{mark}"
    # Anybody may make folders there: one of somebody else's is not used.
    stranger = folder.is_symlink() or (folder.exists() and folder.stat().st_uid != os.getuid())
    return repository / ".muster" / "test" if stranger else folder


@contextmanager
def running_servers(root: Path, *, durable: bool = False, brokers: int = 1) -> Iterator[Servers]:
    """Yield the servers the environment names, else Docker's, else embedded ones.

    ``KAFKA_BOOTSTRAP`` and ``DATABASE_URL`` come first; ``MUSTER_TEST_DOCKER=1`` takes containers
    for what they leave; the mail catcher is always the embedded one, whose pages tests read.
    ``durable``: PostgreSQL waits for the disk, as a benchmark's must, and has the memory that
    README.md advises. ``brokers``: embedded ones.
    ``MUSTER_TEST_KEEP=1`` leaves the embedded ones running for the next session; a worker of
    pytest-xdist leaves them to the session that started it.
    """
    with ExitStack() as stack:
        kafka, database = os.environ.get("KAFKA_BOOTSTRAP"), os.environ.get("DATABASE_URL")
        if os.environ.get("MUSTER_TEST_DOCKER") == "1":
            kafka, database = stack.enter_context(containers(kafka, database))
        settings = SIZED if durable else QUICK
        cluster = EmbeddedCluster(
            root,
            kafka=not kafka,
            brokers=brokers,
            postgres=not database,
            postgres_settings=settings,
        )
        asyncio.run(cluster.start())
        try:
            yield Servers(
                kafka or cluster.kafka_bootstrap,
                database or cluster.database_url,
                cluster.smtp_host,
                cluster.smtp_port,
                cluster.mail_url,
                cluster,
            )
        finally:
            if "PYTEST_XDIST_WORKER" not in os.environ:
                stop_servers(root)


@contextmanager
def containers(kafka: str | None, database: str | None) -> Iterator[tuple[str, str]]:
    """Yield addresses of Kafka and PostgreSQL in containers, where none was named."""
    # Imported here: without a Docker engine nothing of this is needed.
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415
    from testcontainers.kafka import KafkaContainer  # noqa: PLC0415

    with ExitStack() as stack:
        if kafka is None:
            broker = KafkaContainer("apache/kafka:4.3.0").with_kraft()
            kafka = str(stack.enter_context(broker).get_bootstrap_server())
        if database is None:
            server = PostgresContainer(
                "postgres:18", username="muster", password="muster", dbname="muster", driver=None
            )
            database = str(stack.enter_context(server).get_connection_url())
        yield kafka, database


def stop_servers(root: Path) -> None:
    """Stop the embedded servers of a folder, unless they are to be kept; memory is given back."""
    if os.environ.get("MUSTER_TEST_KEEP") != "1" and root.exists():
        asyncio.run(EmbeddedCluster(root).stop())
        if root.is_relative_to(MEMORY):
            shutil.rmtree(root)
