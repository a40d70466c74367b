"""A delivery to measure: its template, its target, its approval, its processes and their sink."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from services.cli.environment import free_block
from services.delivery.app import SERVICE
from shared import kafka, topics_admin
from shared.ids import new_id
from shared.service import Runtime, open_runtime
from tests.bench.databases import SECRET, instance
from tests.bench.processes import Sink
from tests.driving import Process, open_process
from tests.records import record_of
from tests.servers import Servers
from tests.waiting import eventually
from topics.delivery import (
    DeliveryPrepared,
    PrepareDelivery,
    SaveTemplate,
    SendMessage,
    StartDelivery,
    StopDelivery,
)
from topics.message import Actor, Via
from topics.names import DELIVERY_MESSAGES, all_topics
from topics.operators import OperatorState, Role

MAIL_BYTES: Final = 5_000
CHUNK: Final = 500
SENDER_DOMAIN: Final = "sender.example"

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


MANY_ROWS: Final = 500_000
_OLD: Final = """
WITH run AS (
    INSERT INTO delivery.runs (run_id, kind, state, count, retry_until, asked_at, finished_at)
    VALUES ($1, 'campaign', 'finished', $2, now(), now(), now()))
INSERT INTO delivery.ledger (run_id, member_id, recipient_key, channel, outcome, code, address,
    merge, attempts, outcome_at, position)
SELECT $1, uuidv7(), md5($1::text || n), 'email', 'sent', '250 2.0.0',
       'person' || n || '@sample.example', '{}', 1, now(), n / 500 * 10000 + n % 500
FROM generate_series(0, $2::int - 1) AS n
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
        delivery_id, campaign_id = new_id(), new_id()
        template_id = await self._template(
            subject="{{ contact.first_name }}, {{ site.name }} is due",
            body=body(size),
            text="{{ contact.first_name }}, your site {{ site.name }} is due.\n" * 8,
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

    async def receipt(self) -> UUID:
        """Return a template for single messages."""
        return await self._template(
            subject="Order {{ ctx.order }}", body="<p>Order {{ ctx.order }}</p>", text="Thank you"
        )

    async def _template(self, *, subject: str, body: str, text: str) -> UUID:
        template_id = new_id()
        await self.runtime.execute(
            SaveTemplate(
                template_id=template_id,
                actor=Actor(id=str(await self._manager()), via=Via.CLI),
                label="Autumn",
                subject=subject,
                body=body,
                text=text,
                from_name="Workshop",
                from_address=f"news@{SENDER_DOMAIN}",
            )
        )
        return template_id

    async def ask(self, template_id: UUID, a_second: int, seconds: int) -> list[UUID]:
        """Ask for single messages over Kafka, at a rate; return their ids."""
        producer = kafka.plain_producer(self.runtime.settings, client_id="bench")
        await producer.start()
        topic = self.runtime.settings.kafka_namespace + DELIVERY_MESSAGES.name
        asked = []
        began = time.perf_counter()
        for i in range(a_second * seconds):
            message = SendMessage(
                message_id=new_id(),
                template_id=template_id,
                address=f"customer{i}@sample.example",
                recipient_key=f"{i:032x}",
                ctx={"order": f"A-{i}"},
            )
            key, headers, value = record_of(message, source="/bench")
            await producer.send(topic, value, key=key, headers=headers)
            asked.append(message.message_id)
            await asyncio.sleep(max(0.0, began + (i + 1) / a_second - time.perf_counter()))
        await producer.stop()
        return asked

    async def times(self, asked: Sequence[UUID]) -> list[float]:
        """Return how long single messages took (ms), from their row to their outcome."""

        async def all_sent() -> bool:
            count = await self.owner.fetchval(
                "SELECT count(*) FROM delivery.ledger WHERE urgent AND outcome = 'sent'"
            )
            return bool(count == len(asked))

        await eventually(all_sent, seconds=120, what="the single messages")
        rows = await self.owner.fetch(
            "SELECT extract(epoch FROM l.outcome_at - r.asked_at)::float8 * 1000 AS ms"
            " FROM delivery.ledger l JOIN delivery.runs r USING (run_id) WHERE l.urgent"
        )
        return [row["ms"] for row in rows]

    async def sent(self, made: Campaign) -> int:
        """Return how many messages of a campaign were sent."""
        count: int = await self.owner.fetchval(
            "SELECT count(*) FROM delivery.ledger WHERE run_id = $1 AND outcome = 'sent'",
            made.run_id,
        )
        return count

    async def stop(self, made: Campaign) -> None:
        """End a campaign, and wait until it has."""
        actor = Actor(id=str(await self._manager()), via=Via.CLI)
        await self.runtime.execute(
            StopDelivery(campaign_id=made.campaign_id, reason="measured", actor=actor)
        )
        await self.finished(made)

    async def filled(self, made: Campaign) -> bool:
        """Return whether all of a campaign's rows are in the ledger."""
        found: bool = await self.owner.fetchval(
            "SELECT filled FROM delivery.runs WHERE run_id = $1", made.run_id
        )
        return found

    async def age(self, rows: int) -> None:
        """Fill the ledger with rows of runs that ended before, vacuumed as they are by then."""
        for first in range(0, rows, MANY_ROWS):
            await self.owner.execute(_OLD, new_id(), min(MANY_ROWS, rows - first), timeout=600)
        await self.owner.execute("VACUUM (FREEZE, ANALYZE) delivery.ledger", timeout=600)
        await self.owner.execute("CHECKPOINT", timeout=600)

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
