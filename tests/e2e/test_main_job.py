"""One campaign from creation to Finished over real Kafka, PostgreSQL and SMTP, in processes."""

from __future__ import annotations

import csv
from pathlib import Path

import orjson
import pytest

from deploy.sample import CRM_DIR
from services.cli.catalogue import NAMES
from services.cli.checking import verdicts
from tests.conftest import Instance
from tests.driving import rig
from tests.e2e import main_job
from tests.waiting import eventually
from topics.actions import ActionMove, MoveActions


@pytest.mark.timeout(300)
async def test_a_campaign_reaches_finished_and_every_number_adds_up(
    instance: Instance, tmp_path: Path
) -> None:
    async with rig(instance, tmp_path) as made:
        for name in NAMES:
            made.start(name)
        await made.ready(*NAMES)
        await main_job.import_sample(made)
        means = await main_job.save_means(made)
        campaign_id = await main_job.create(made, means)
        await main_job.prove(made, campaign_id)
        await main_job.approve(made, campaign_id)
        await eventually(
            lambda: made.value(
                "SELECT delivery_done AND actions_completed FROM campaign.campaigns"
                " WHERE campaign_id = $1",
                campaign_id,
            ),
            seconds=60,
            what="the messages and the actions",
        )
        await made.send(
            MoveActions(campaign_id=campaign_id, move=ActionMove.EXECUTE, actor=main_job.BY_MANAGER)
        )
        await made.reach(campaign_id, "finished")
        await eventually(
            lambda: made.value(
                "SELECT funds = 'closed' FROM campaign.campaigns WHERE campaign_id = $1",
                campaign_id,
            ),
            what="the costs being booked",
        )
        row = (
            await made.rows(
                "SELECT snapshot_members, delivery_counts FROM campaign.campaigns"
                " WHERE campaign_id = $1",
                campaign_id,
            )
        )[0]
        counts = orjson.loads(row["delivery_counts"])
        parts = ("sent", "failed", "ignored", "ambiguous", "pending")
        assert counts["targeted"] == row["snapshot_members"] == sum(counts[p] for p in parts)
        assert counts["sent"] > 0
        await made.drained(*NAMES)
        broken = [line for v in await verdicts(made.settings) for line in v.broken]
        assert broken == []
        assert addresses_in(tmp_path) == []


def addresses_in(logs: Path) -> list[str]:
    """Return the sample addresses that stand in any log; there must be none."""
    with (CRM_DIR / "contacts.csv").open(newline="") as file:
        addresses = {row["email"] for row in csv.DictReader(file)} - {""}
    written = "".join(path.read_text() for path in logs.glob("*.log"))
    assert "service.ready" in written  # the logs are really there
    return sorted(address for address in addresses if address in written)
