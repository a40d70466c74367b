"""Suspended half-way, edited, approved again, sent in waves: the sums are those of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from services.cli.checking import verdicts
from tests.faults.checks import campaign_totals, mails
from tests.faults.deciding import deciding
from tests.faults.delivery.asked import quick_waves
from tests.faults.world import (
    BROCHURES_PER_LETTER,
    DOUBLES,
    EMAIL_COST_MINOR,
    FROM_ADDRESS,
    LETTER_COST_MINOR,
    MEMBERS,
    OPTED_OUT,
    SITE_COST_MINOR,
    SITES,
    WITH_EMAIL,
    WITHOUT_EMAIL,
    World,
    manager,
    reviewer,
    world,
)
from tests.servers import Servers
from tests.waiting import eventually
from topics.actions import ActionMove, MoveActions
from topics.campaign import (
    CampaignPlan,
    CreateCampaign,
    EditCampaign,
    RequestProof,
    SuspendCampaign,
)
from topics.delivery import SaveTemplate

SERVICES: Final = (
    "campaign",
    "targeting",
    "actions",
    "delivery",
    "supplier",
    "budget",
    "stock",
)
WAVES: Final = 4
PUT_OFF: Final = "c[0-6]"
"""Whose messages are put off until the campaign was edited: seven of fourteen mailboxes."""


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_suspended_campaign_that_is_edited_comes_to_what_it_would_have_come_to(
    servers: Servers, tmp_path: Path
) -> None:
    async with world(servers, tmp_path, services=SERVICES) as found, deciding(found.rig, SERVICES):
        await put_off(found, f"{PUT_OFF}@{found.domain}")
        campaign_id = await first_half(found)
        template_id = await other_template(found)
        plan = CampaignPlan(template_id=template_id, waves=quick_waves())
        edit = EditCampaign(campaign_id=campaign_id, actor=manager, plan=plan)
        await found.rig.send(edit, edit)
        for name in ("campaign", "delivery", "budget", "stock"):
            killed_and_back(found, name)
        await found.rig.reach(campaign_id, "ready_to_test")
        await put_off(found)
        await second_half(found, campaign_id)

        await found.rig.drained(*SERVICES)
        assert [one for v in await verdicts(found.rig.settings, SERVICES) for one in v.broken] == []
        assert (await mails(found)).broken == []
        assert await sent_by_address(found) == {
            f"c{number}@{found.domain}": 1 for number in range(WITH_EMAIL)
        }
        await the_sums_are_those_of_one_run(found, campaign_id)
        assert await found.rig.value("SELECT count(opened_at) FROM delivery.waves") == WAVES


async def put_off(found: World, *patterns: str) -> None:
    """Have the mail server put off mails to addresses; to nobody without one."""
    rules = [{"action": "refuse_recipient", "recipient": one, "code": 451} for one in patterns]
    async with httpx.AsyncClient(timeout=20, verify=False) as client:
        url = f"{found.servers.mail_url}/api/faults"
        (await client.put(url, json={"rules": rules})).raise_for_status()


async def first_half(found: World) -> UUID:
    """Run a campaign until half of its mails have left, do some of its actions, suspend it."""
    campaign_id = uuid4()
    await found.rig.send(CreateCampaign(campaign_id=campaign_id, actor=manager, plan=found.plan()))
    await found.rig.reach(campaign_id, "ready_to_test")
    await prove_and_approve(found, campaign_id)
    await eventually(
        lambda: found.rig.value(
            "SELECT count(*) = $2 FROM delivery.ledger l JOIN delivery.runs r USING (run_id)"
            " WHERE r.campaign_id = $1 AND r.kind = 'campaign' AND l.outcome = 'sent'"
            " AND l.channel = 'email'",
            campaign_id,
            WITH_EMAIL - 7,
        ),
        seconds=60,
        what="half of the mails",
    )
    await actions_made(found, campaign_id)
    rows = await found.rig.rows(
        "SELECT action_id FROM actions.actions WHERE campaign_id = $1 LIMIT 5", campaign_id
    )
    await found.rig.send(
        MoveActions(
            campaign_id=campaign_id,
            move=ActionMove.EXECUTE,
            action_ids=tuple(row["action_id"] for row in rows),
            report="done",
            actor=manager,
        ),
        SuspendCampaign(campaign_id=campaign_id, actor=manager, reason="a wrong price"),
    )
    await found.rig.reach(campaign_id, "suspended")
    await actions_are(found, campaign_id, {"executed": 5, "suspended": MEMBERS - 5})
    return campaign_id


async def second_half(found: World, campaign_id: UUID) -> None:
    """Approve the edited campaign, and bring it to its end."""
    await prove_and_approve(found, campaign_id)
    for name in ("campaign", "delivery", "actions"):
        killed_and_back(found, name)
    await found.rig.reach(campaign_id, "running")
    await actions_made(found, campaign_id)
    await actions_are(found, campaign_id, {"executed": 5, "waiting": MEMBERS - 5})
    await found.rig.send(
        MoveActions(campaign_id=campaign_id, move=ActionMove.EXECUTE, report="done", actor=manager)
    )
    await found.rig.reach(campaign_id, "finished", seconds=90)
    await eventually(
        lambda: found.rig.value(
            "SELECT funds = 'closed' AND goods IN ('none', 'closed')"
            " FROM campaign.campaigns WHERE campaign_id = $1",
            campaign_id,
        ),
        seconds=60,
        what="the accounts",
    )


def killed_and_back(found: World, name: str) -> None:
    found.rig.workers[name, 1].kill()
    found.start(name)


async def other_template(found: World) -> UUID:
    template_id = uuid4()
    await found.rig.send(
        SaveTemplate(
            template_id=template_id,
            actor=manager,
            label="The right price",
            subject="The right price",
            body="<p>Ten</p>",
            text="Ten",
            from_address=FROM_ADDRESS,
            proof_recipients=(f"reviewer@{found.domain}",),
        )
    )
    await eventually(
        lambda: found.rig.value(
            "SELECT 1 FROM delivery.templates WHERE template_id = $1", template_id
        ),
        what="the other template",
    )
    return template_id


async def prove_and_approve(found: World, campaign_id: UUID) -> None:
    await eventually(
        lambda: found.rig.value(
            "SELECT content_hash IS NOT NULL FROM campaign.campaigns WHERE campaign_id = $1",
            campaign_id,
        ),
        what="the content",
    )
    await found.rig.send(RequestProof(campaign_id=campaign_id, actor=manager))
    await found.rig.reach(campaign_id, "proof_pending")
    await found.rig.send(await found.rig.approval(campaign_id, reviewer))
    await found.rig.reach(campaign_id, "ready_to_run", "running")


async def actions_made(found: World, campaign_id: UUID) -> None:
    await eventually(
        lambda: found.rig.value(
            "SELECT actions_completed FROM campaign.campaigns WHERE campaign_id = $1", campaign_id
        ),
        seconds=60,
        what="the actions",
    )


async def actions_are(found: World, campaign_id: UUID, wanted: dict[str, int]) -> None:
    async def so() -> bool:
        rows = await found.rig.rows(
            "SELECT status, count(*) AS actions FROM actions.actions WHERE campaign_id = $1"
            " GROUP BY status",
            campaign_id,
        )
        return {row["status"]: row["actions"] for row in rows} == wanted

    await eventually(so, seconds=60, what=f"the actions being {wanted}")


async def sent_by_address(found: World) -> dict[str, int]:
    """Return how many of the campaign's mails each contact's mailbox got."""
    await found.sink.read()
    got: dict[str, int] = {}
    for message, count in found.sink.by_message.items():
        address = found.sink.recipients[message]
        if address.startswith("c"):
            got[address] = got.get(address, 0) + count
    return got


async def the_sums_are_those_of_one_run(found: World, campaign_id: UUID) -> None:
    totals = await campaign_totals(found.rig, campaign_id)
    wanted = {
        "emails": WITH_EMAIL,
        "letters": WITHOUT_EMAIL,
        "executed": MEMBERS,
        "spent_minor": WITH_EMAIL * EMAIL_COST_MINOR
        + WITHOUT_EMAIL * LETTER_COST_MINOR
        + SITES * SITE_COST_MINOR,
        "held_minor": 0,
        "consumed": WITHOUT_EMAIL * BROCHURES_PER_LETTER,
        "reserved": 0,
    }
    assert {name: totals[name] for name in wanted} == wanted

    async def summed() -> dict[str, int]:
        [row] = await found.rig.rows(
            "SELECT delivery_counts, earlier_runs FROM campaign.campaigns WHERE campaign_id = $1",
            campaign_id,
        )
        runs = [orjson.loads(row["delivery_counts"])]
        runs += [run["counts"] for run in orjson.loads(row["earlier_runs"])]
        return {name: sum(run[name] for run in runs) for name in runs[0]}

    async def settled() -> bool:
        return (await summed())["targeted"] == MEMBERS

    await eventually(settled, what="everybody being counted once")
    counts = await summed()
    assert (counts["sent"], counts["ignored"]) == (WITH_EMAIL + WITHOUT_EMAIL, DOUBLES + OPTED_OUT)
    assert counts["failed"] == counts["pending"] == counts["ambiguous"] == 0
