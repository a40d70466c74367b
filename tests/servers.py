"""Where the tests' servers come from."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


# Tests kill processes, not the machine: what a process wrote, the system keeps.
QUICK = {"fsync": "off", "full_page_writes": "off"}


@contextmanager
def running_servers(root: Path) -> Iterator[Servers]:
    """Yield the servers the environment names, or embedded ones that stop afterwards.

    ``MUSTER_TEST_KEEP=1`` leaves the embedded ones running for the next session; a worker of
    pytest-xdist leaves them to the session that started it.
    """
    cluster = EmbeddedCluster(root, postgres_settings=QUICK)
    asyncio.run(cluster.start())
    try:
        yield Servers(
            os.environ.get("KAFKA_BOOTSTRAP", cluster.kafka_bootstrap),
            os.environ.get("DATABASE_URL", cluster.database_url),
            cluster.smtp_host,
            cluster.smtp_port,
            cluster.mail_url,
            cluster,
        )
    finally:
        if "PYTEST_XDIST_WORKER" not in os.environ:
            stop_servers(root)


def stop_servers(root: Path) -> None:
    """Stop the embedded servers of a folder, unless they are to be kept."""
    if os.environ.get("MUSTER_TEST_KEEP") != "1" and root.exists():
        asyncio.run(EmbeddedCluster(root).stop())
