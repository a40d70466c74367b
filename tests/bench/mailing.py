"""A delivery to measure: its template, its target, its approval, its processes and their sink."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from deploy.embedded.ports import free_port
from services.cli.environment import free_block
from services.delivery.app import SERVICE
from shared import topics_admin
from shared.ids import new_id
from shared.service import Runtime, open_runtime
from tests.bench.databases import SECRET, instance
from tests.driving import Process, open_process
from tests.servers import Servers
from tests.waiting import eventually
from topics.delivery import DeliveryPrepared, PrepareDelivery, SaveTemplate, StartDelivery
from topics.message import Actor, Via
from topics.names import all_topics
from topics.operators import OperatorState, Role

MAIL_BYTES: Final = 5_000
CHUNK: Final = 500
SINK_CONNECTIONS: Final = 1_000
_TICK: Final = os.sysconf("SC_CLK_TCK")

_CHUNKS: Final = """
INSERT INTO delivery.snapshot_chunks (snapshot_id, index, size, members)
SELECT $1, c, $2, (
    SELECT jsonb_agg(jsonb_build_object(
        'member_id', uuidv7(), 'contact_id', uuidv7(), 'kind', 'contacts', 'deal_id', null,
        'first_name', 'Anne ' || n, 'last_name', 'Person', 'language', 'en',
        'email', 'person' || n || '@sample.example', 'direct_line', '', 'mobile', '',
        'recipient_key', md5('person' || n), 'opted_out', false,
        'site', jsonb_build_object('site_id', uuidv7(), 'name', 'Atelier ' || n,
            'street', '1 rue du Moulin', 'postal_code', '59000', 'town', 'Lille',
            'country', 'FR', 'phone', '')))
    FROM generate_series(c * $2::int, c * $2 + $2 - 1) AS n)
FROM generate_series($3::int, $4::int - 1) AS c
"""


def body(size: int = MAIL_BYTES) -> str:
    """Return an HTML body whose mail, with its text part and headers, has about ``size`` bytes."""
    line = "<p>{{ contact.first_name }}, your site {{ site.name }} in {{ site.town }} is due.</p>"
    filler = "<p>Our workshop looks after boilers, pumps and lifts all over the north.</p>\n"
    return f"<html><body>{line}\n{filler * ((size - 1_700) // len(filler))}</body></html>"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign that may start: its content and target are approved."""

    campaign_id: UUID
    delivery_id: UUID
    snapshot_id: UUID
    content_hash: str
    count: int
    run_id: UUID = field(default_factory=new_id)

    def start(self, rate_per_minute: int | None = None) -> StartDelivery:
        """Return the command that starts it."""
        return StartDelivery(
            campaign_id=self.campaign_id,
            run_id=self.run_id,
            delivery_id=self.delivery_id,
            campaign_number=1042,
            campaign_label="Autumn",
            snapshot_id=self.snapshot_id,
            snapshot_hash="bench",
            content_hash=self.content_hash,
            count=self.count,
            chunks=self.count // CHUNK,
            rate_per_minute=rate_per_minute,
        )


@dataclass
class Site:
    """An instance with delivery alone, its processes and the sink they send to."""

    runtime: Runtime
    owner: asyncpg.Connection[asyncpg.Record]
    variables: Mapping[str, str]
    folder: Path
    senders: list[Process] = field(default_factory=list)

    async def approved(self, count: int, *, size: int = MAIL_BYTES) -> Campaign:
        """Return a campaign over ``count`` contacts, as if its proof had been approved."""
        actor = Actor(id=str(await self._manager()), via=Via.CLI)
        template_id, delivery_id, campaign_id = new_id(), new_id(), new_id()
        await self.runtime.execute(
            SaveTemplate(
                template_id=template_id,
                actor=actor,
                label="Autumn",
                subject="{{ contact.first_name }}, {{ site.name }} is due",
                body=body(size),
                text="{{ contact.first_name }}, your site {{ site.name }} is due.\n" * 8,
                from_name="Workshop",
                from_address="news@sender.example",
            )
        )
        [prepared] = await self.runtime.execute(
            PrepareDelivery(
                campaign_id=campaign_id, delivery_id=delivery_id, template_id=template_id
            )
        )
        assert isinstance(prepared, DeliveryPrepared)
        made = Campaign(campaign_id, delivery_id, new_id(), prepared.content_hash, count)
        await self._snapshot(made)
        await self._approval(made)
        return made

    async def _manager(self) -> UUID:
        manager = new_id()
        await self.runtime.execute(
            OperatorState(operator_id=manager, version=1, name="Bench", roles=(Role.MANAGER,))
        )
        return manager

    async def _snapshot(self, made: Campaign) -> None:
        await self.owner.execute(
            "INSERT INTO delivery.snapshots (snapshot_id, campaign_id, first_at)"
            " VALUES ($1, $2, now())",
            made.snapshot_id,
            made.campaign_id,
        )
        chunks = made.count // CHUNK
        for first in range(0, chunks, 200):
            await self.owner.execute(
                _CHUNKS,
                made.snapshot_id,
                CHUNK,
                first,
                min(first + 200, chunks),
            )

    async def _approval(self, made: Campaign) -> None:
        await self.owner.execute(
            "INSERT INTO delivery.approvals (approval_id, campaign_id, campaign_number,"
            " campaign_label, delivery_id, revision, kind, outcome, count, content_hash,"
            " snapshot_id, snapshot_hash, requested_by, requested_at, deadline_at, reviewer_ids)"
            " VALUES ($1, $2, 1042, 'Autumn', $3, 1, 'proof', 'approved', $4, $5, $6, 'bench',"
            " 'bench', now(), now() + interval '3 days', '{}')",
            new_id(),
            made.campaign_id,
            made.delivery_id,
            made.count,
            made.content_hash,
            made.snapshot_id,
        )

    async def finished(self, made: Campaign, seconds: float = 900) -> None:
        """Wait until a campaign's run is finished."""
        await eventually(
            lambda: self.owner.fetchval(
                "SELECT state = 'finished' FROM delivery.runs WHERE run_id = $1", made.run_id
            ),
            seconds=seconds,
            what="the run's end",
        )

    def add_sender(self, **more: str) -> Process:
        """Start one more process of delivery."""
        replica = len(self.senders) + 1
        process = open_process(
            ("service", "delivery", "--replica", str(replica)),
            {**self.variables, **more},
            self.folder / f"delivery-{replica}.log",
        )
        self.senders.append(process)
        return process

    async def ready(self) -> None:
        """Wait until every process says that it is ready."""

        async def up() -> bool:
            logs = [self.folder / f"delivery-{i + 1}.log" for i in range(len(self.senders))]
            return all(b"service.ready" in log.read_bytes() for log in logs)

        await eventually(up, seconds=60, what=f"delivery (see {self.folder})")

    def stop_senders(self) -> None:
        """End the processes."""
        for process in self.senders:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.senders:
            process.wait(20)
        self.senders.clear()


@asynccontextmanager
async def site(servers: Servers, folder: Path, sink: Sink, **more: str) -> AsyncIterator[Site]:
    """Yield an empty instance whose mails go to a sink."""
    async with instance(servers, SERVICE) as (settings, owner):
        await topics_admin.apply(settings, topics=all_topics())
        runtime = await open_runtime(SERVICE, settings)
        variables = {
            "DATABASE_URL": settings.database_url,
            "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "KAFKA_NAMESPACE": settings.kafka_namespace,
            "MUSTER_SECRET_KEY": SECRET,
            "HTTP_BASE_PORT": str(free_block(9000 + os.getpid() % 200 * 50, 40)),
            "LOG_LEVEL": "info",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(sink.port),
            **more,
        }
        made = Site(runtime, owner, variables, folder)
        try:
            yield made
        finally:
            made.stop_senders()
            await runtime.pool.close()


@dataclass(frozen=True, slots=True)
class Sink:
    """A running ``smtp-sink``."""

    port: int
    pid: int


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    """Run Debian's ``smtp-sink`` and yield it.

    Raises:
        SystemExit: it is not installed.
    """
    program = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")
    if program is None:
        raise SystemExit("smtp-sink is missing: install the package postfix")
    port = free_port()
    # It drops its privileges when started as root, and counts nothing: it only answers.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [program, *user, "-m", str(SINK_CONNECTIONS), f"127.0.0.1:{port}", "1000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield Sink(port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("smtp-sink does not answer")


def server_pids(root: Path) -> dict[str, list[int]]:
    """Return the processes of embedded servers, by name; none where they are not ours."""
    found = {}
    for name in ("postgres", "kafka"):
        state = root / name / "state.json"
        if state.exists():
            found[name] = [int(json.loads(state.read_text())["process"]["pid"])]
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its children and those it has waited for."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_or_descends_from(int(entry.name), pid):
            total += sum(int(one) for one in _stat(int(entry.name))[11:15]) / _TICK
    return total


def _is_or_descends_from(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        fields = _stat(pid)
        if not fields:
            return False
        pid = int(fields[1])
    return pid == ancestor


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's accounting from its state on; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def peak_mb(pid: int) -> float:
    """Return a process's peak resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
