"""One campaign from creation to Finished over real Kafka, PostgreSQL and SMTP, in processes."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
import pytest

from deploy.sample import CRM_DIR
from services.cli.catalogue import NAMES
from services.cli.checking import verdicts
from tests.driving import Rig, rig
from tests.e2e import main_job
from tests.e2e.main_job import Means
from tests.faults.checks import campaign_totals
from tests.faults.deciding import deciding
from tests.faults.nursery import nursery
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics.actions import ActionMove, MoveActions
from topics.names import EVENTS_REALTIME

PATIENCE_SECONDS: Final = 120.0
# When each service has the campaign's work in hand: that is when it is killed.
AT_WORK: Final = {
    "web": "SELECT status = 'proof_pending' FROM campaign.campaigns WHERE campaign_id = $1",
    "campaign": "SELECT status = 'proof_pending' FROM campaign.campaigns WHERE campaign_id = $1",
    "targeting": "SELECT 1 FROM targeting.snapshots WHERE campaign_id = $1",
    "actions": "SELECT 1 FROM actions.actions WHERE campaign_id = $1 LIMIT 1",
    "delivery": "SELECT 1 FROM delivery.ledger JOIN delivery.runs r USING (run_id)"
    " WHERE r.campaign_id = $1 AND r.kind = 'campaign' AND outcome = 'sent' LIMIT 1",
    "supplier": "SELECT 1 FROM supplier.jobs WHERE campaign_id = $1",
    "budget": "SELECT 1 FROM budget.holds WHERE campaign_id = $1",
    "stock": "SELECT 1 FROM stock.reservations WHERE campaign_id = $1",
    "events_status": "SELECT 1 FROM events_status.events WHERE ce_id = $1::uuid::text",
    "workflows": "SELECT status = 'running' FROM campaign.campaigns WHERE campaign_id = $1",
    "bot": "SELECT status = 'proof_pending' FROM campaign.campaigns WHERE campaign_id = $1",
}


# What a killed process had in hand is taken over after seconds, not after a minute or two.
QUICK: dict[str, dict[str, Any]] = {
    "delivery": {"SENDER_LEASE_SECONDS": "5", "SMTP_TIMEOUT_SECONDS": "2"},
    "supplier": {"SUPPLIER_LEASE_SECONDS": "20"},
}


@asynccontextmanager
async def all_services(servers: Servers, folder: Path) -> AsyncIterator[tuple[Rig, Means]]:
    async with (
        fresh_instance(servers) as instance,
        nursery() as spawn,
        rig(instance, folder, spawn=spawn) as made,
    ):
        for name in NAMES:
            made.start(name, **QUICK.get(name, {}))
        await made.ready(*NAMES)
        await main_job.import_sample(made)
        yield made, await main_job.save_means(made)


async def whole_job(made: Rig, means: Means, campaign_id: UUID) -> dict[str, int]:
    """Bring one campaign from creation to Finished; return what it came to."""
    await tell_an_event(made, campaign_id)
    await main_job.create(made, means, campaign_id)
    await main_job.prove(made, campaign_id)
    await main_job.approve(made, campaign_id)
    await eventually(
        lambda: made.value(
            "SELECT delivery_done AND actions_completed FROM campaign.campaigns"
            " WHERE campaign_id = $1",
            campaign_id,
        ),
        seconds=PATIENCE_SECONDS,
        what="the messages and the actions",
    )
    await made.send(
        MoveActions(campaign_id=campaign_id, move=ActionMove.EXECUTE, actor=main_job.BY_MANAGER)
    )
    await made.reach(campaign_id, "finished")
    await eventually(
        lambda: made.value(
            "SELECT funds = 'closed' AND goods IN ('none', 'closed') FROM campaign.campaigns"
            " WHERE campaign_id = $1",
            campaign_id,
        ),
        seconds=PATIENCE_SECONDS,
        what="the costs and goods being booked",
    )
    await eventually(
        lambda: made.value(
            "SELECT status = 'not_covered' FROM events_status.events WHERE ce_id = $1",
            str(campaign_id),
        ),
        seconds=PATIENCE_SECONDS,
        what="the event's end",
    )
    return await campaign_totals(made, campaign_id)


async def tell_an_event(made: Rig, event_id: UUID) -> None:
    """Have an outside system tell of something that nobody covers."""
    names = {"specversion": "1.0", "id": str(event_id), "source": "/shop", "type": "parcel.lost"}
    headers = [(f"ce_{name}", value.encode()) for name, value in names.items()]
    headers.append(("content-type", b"application/json"))
    value = orjson.dumps({"email": "somebody@client.example"})
    await made.send_raw(EVENTS_REALTIME, str(event_id).encode(), headers, value)


async def kill_at_work(made: Rig, name: str, campaign_id: UUID) -> None:
    """Kill a service with -9 once it has the campaign's work in hand, and start it again."""
    await eventually(
        lambda: made.value(AT_WORK[name], campaign_id),
        seconds=2 * PATIENCE_SECONDS,
        what=f"{name} at work",
    )
    made.workers[name, 1].kill()
    made.start(name, **QUICK.get(name, {}))


@pytest.mark.timeout(500)
async def test_every_number_adds_up_and_adds_up_the_same_when_every_service_is_killed(
    servers: Servers, tmp_path: Path
) -> None:
    assert set(AT_WORK) == set(NAMES)
    async with all_services(servers, tmp_path) as (made, means):
        undisturbed = await whole_job(made, means, first := uuid4())
        await counts_add_up(made, first)
        assert undisturbed["emails"] > 0
        assert undisturbed["executed"] == undisturbed["targeted"]

        second = uuid4()
        async with deciding(made, NAMES), asyncio.TaskGroup() as group:
            killing = [group.create_task(kill_at_work(made, name, second)) for name in NAMES]
            disturbed = group.create_task(whole_job(made, means, second))
        assert all(one.done() for one in killing)
        assert disturbed.result() == undisturbed
        await counts_add_up(made, second)

        await made.ready(*NAMES)
        await made.drained(*NAMES)
        broken = [line for v in await verdicts(made.settings) for line in v.broken]
        assert broken == []
        assert addresses_in(tmp_path) == []


async def counts_add_up(made: Rig, campaign_id: UUID) -> None:
    [row] = await made.rows(
        "SELECT snapshot_members, delivery_counts FROM campaign.campaigns WHERE campaign_id = $1",
        campaign_id,
    )
    counts = orjson.loads(row["delivery_counts"])
    parts = ("sent", "failed", "ignored", "ambiguous", "pending")
    assert counts["targeted"] == row["snapshot_members"] == sum(counts[p] for p in parts)


def addresses_in(logs: Path) -> list[str]:
    """Return the sample addresses that stand in any log; there must be none."""
    with (CRM_DIR / "contacts.csv").open(newline="") as file:
        addresses = {row["email"] for row in csv.DictReader(file)} - {""}
    written = "".join(path.read_text() for path in logs.glob("*.log"))
    assert "service.ready" in written  # the logs are really there
    return sorted(address for address in addresses if address in written)
