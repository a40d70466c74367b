"""Each of the five campaign workflows stopped in turn: a campaign waits, says so, and goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx
import pytest

from deploy.embedded.slack import SlackStub, Workspace
from services.cli.catalogue import port_of
from services.cli.checking import verdicts
from shared import identity
from shared.clock import SystemClock
from tests.driving import SUPERVISOR
from tests.faults.checks import campaign_totals, mails
from tests.faults.world import World, manager, reviewer, world
from tests.integration.bot_story import CHANNEL, free_port, slack_settings
from tests.servers import Servers
from tests.waiting import PATIENCE, eventually
from topics.actions import ActionMove, MoveActions
from topics.campaign import CreateCampaign, RequestProof
from topics.message import Actor, Via
from topics.workflows import Control, ControlWorkflow

SERVICES: Final = (
    "campaign",
    "targeting",
    "actions",
    "delivery",
    "supplier",
    "budget",
    "stock",
    "bot",
)
SUPERVISES: Final = Actor(id=str(SUPERVISOR), via=Via.WEB)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A workflow, whose service it is, and where a campaign stops without it.

    Attributes:
        status: the campaign's state there.
        emails, letters: messages that have left by then.
        consumed: goods booked by then.
    """

    name: str
    service: str
    status: str
    emails: int = 0
    letters: int = 0
    consumed: int = 0


def stops(whole: dict[str, int]) -> tuple[Stopped, ...]:
    """Return where campaigns stop; ``whole`` is what one comes to that nothing holds up."""
    mailed = {"emails": whole["emails"]}
    goods = mailed | {"letters": whole["letters"], "consumed": whole["consumed"]}
    return (
        Stopped("deliveryMgt", "delivery", "proof_generating"),
        Stopped("operationMgt", "campaign", "ready_to_run"),
        Stopped("supplierMgt", "supplier", "running", **mailed),
        Stopped("budgetMgt", "budget", "finished", **goods),
        Stopped("stockMgt", "stock", "finished", **goods | {"consumed": 0}),
    )


@pytest.mark.timeout(400)
async def test_a_campaign_waits_for_the_workflow_that_is_stopped_and_says_for_which(
    servers: Servers, tmp_path: Path
) -> None:
    async with SlackStub(tmp_path / "slack") as stub, stub.workspace() as people:
        variables = {"bot": slack_settings(stub, "socket", free_port())}
        async with world(servers, tmp_path, services=SERVICES, variables=variables) as found:
            whole = await through(found, uuid4())
            for stopped in stops(whole):
                await wait_for_it(found, people, stopped, whole)
            await found.rig.drained(*SERVICES)
            broken = [one for v in await verdicts(found.rig.settings, SERVICES) for one in v.broken]
            assert broken == []
            assert (await mails(found)).broken == []


async def wait_for_it(
    found: World, people: Workspace, stopped: Stopped, whole: dict[str, int]
) -> None:
    """Stop a workflow, see a campaign wait for it and say so, start it, see the same sums."""
    await control(found, stopped, Control.STOP)
    campaign_id = uuid4()
    going = asyncio.create_task(through(found, campaign_id))
    try:
        await says_so(found, people, campaign_id, stopped)
        await comes_to(found, campaign_id, stopped)
        assert await found.rig.campaign_status(campaign_id) == stopped.status
        assert not going.done()
        await control(found, stopped, Control.START)
        assert await going == whole
    finally:
        going.cancel()


async def comes_to(found: World, campaign_id: UUID, stopped: Stopped) -> None:
    """Wait until all has left that needs the stopped workflow for nothing; no more has."""
    wanted = {name: getattr(stopped, name) for name in ("emails", "letters", "consumed")}

    async def all_left() -> bool:
        totals = await campaign_totals(found.rig, campaign_id)
        assert all(totals[name] <= wanted[name] for name in wanted), (stopped.name, totals)
        return all(totals[name] == wanted[name] for name in wanted)

    await eventually(all_left, what=f"{wanted} without {stopped.name}")


async def control(found: World, stopped: Stopped, what: Control) -> None:
    """Have a supervisor stop or start a workflow, and wait until campaigns know."""
    command = ControlWorkflow(name=stopped.name, control=what, actor=SUPERVISES)
    await found.rig.send(command)
    status = "stopped" if what is Control.STOP else "started"
    await eventually(
        lambda: found.rig.value(
            "SELECT status = $2 FROM campaign.workflow_states WHERE name = $1", stopped.name, status
        ),
        what=f"{stopped.name} being {status}",
    )


async def says_so(found: World, people: Workspace, campaign_id: UUID, stopped: Stopped) -> None:
    """Wait until a campaign says over the API and in Slack what it waits for."""
    said = f"waits for {stopped.name}, which is stopped"
    actor = Actor(id=manager.id, via=Via.WEB)
    port = port_of("campaign", found.rig.base_port)
    url = f"http://127.0.0.1:{port}/api/v1/campaign/campaigns/{campaign_id}"

    async def over_the_api() -> bool:
        token = identity.issue(
            found.rig.settings.secret, actor, audience="campaign", now=SystemClock().now()
        )
        async with httpx.AsyncClient(timeout=10, verify=False) as client:
            answer = await client.get(url, headers={identity.HEADER: token})
        state = answer.json()["state"] if answer.is_success else {}
        return (state.get("waiting_for"), state.get("waiting_workflow")) == (said, stopped.name)

    await eventually(over_the_api, what=f"the API saying that it {said}")
    number = await found.rig.value(
        "SELECT number FROM campaign.campaigns WHERE campaign_id = $1", campaign_id
    )

    async def in_slack() -> bool:
        texts = [one.text for one in await people.messages(CHANNEL)]
        return any(f"C-{number}" in text and said in text for text in texts)

    await eventually(in_slack, what=f"the bot saying that it {said}")


async def through(found: World, campaign_id: UUID) -> dict[str, int]:
    """Bring a campaign from creation to closed accounts; return what it came to."""
    rig = found.rig
    await rig.send(CreateCampaign(campaign_id=campaign_id, actor=manager, plan=found.plan()))
    await rig.reach(campaign_id, "ready_to_test")
    await rig.send(RequestProof(campaign_id=campaign_id, actor=manager))
    await rig.send(await rig.approval(campaign_id, reviewer, seconds=2 * PATIENCE))
    await eventually(
        lambda: rig.value(
            "SELECT actions_completed FROM campaign.campaigns WHERE campaign_id = $1", campaign_id
        ),
        seconds=2 * PATIENCE,
        what="the actions",
    )
    done = MoveActions(
        campaign_id=campaign_id, move=ActionMove.EXECUTE, report="done", actor=manager
    )
    await rig.send(done)
    await rig.reach(campaign_id, "finished", seconds=2 * PATIENCE)
    await eventually(
        lambda: rig.value(
            "SELECT funds = 'closed' AND goods = 'closed' FROM campaign.campaigns"
            " WHERE campaign_id = $1",
            campaign_id,
        ),
        seconds=2 * PATIENCE,
        what="the accounts",
    )
    return await campaign_totals(rig, campaign_id)
