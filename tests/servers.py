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


@contextmanager
def running_servers(root: Path) -> Iterator[Servers]:
    """Yield the servers the environment names, or embedded ones that stop afterwards.

    ``MUSTER_TEST_KEEP=1`` leaves the embedded ones running for the next session.
    """
    cluster = EmbeddedCluster(root)
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
        if os.environ.get("MUSTER_TEST_KEEP") != "1":
            asyncio.run(cluster.stop())
