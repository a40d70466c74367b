"""What happens in a scenario: campaigns from creation to Finished, and outside events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from tests.faults.deciding import deciding
from tests.faults.telling import Teller, new_event_id
from tests.faults.world import World, manager, reviewer
from tests.waiting import eventually
from topics.actions import ActionMove, MoveActions
from topics.campaign import CreateCampaign, RequestProof

PATIENCE_SECONDS = 90.0
UNKNOWN_TYPE = "parcel.lost"


class Stuck(AssertionError):
    """A campaign went wrong for good; the text says how."""


@dataclass
class Story:
    """The campaigns and events of one scenario.

    Attributes:
        events: outside events, with the status each must end in.
    """

    world: World
    teller: Teller
    services: tuple[str, ...]
    campaigns: list[UUID] = field(default_factory=list)
    events: dict[str, str] = field(default_factory=dict)

    async def tell(self, *, campaigns: int, events: int) -> None:
        """Run campaigns and events side by side until all of them are final."""
        async with deciding(self.world.rig, self.services):
            async with asyncio.TaskGroup() as group:
                for number in range(campaigns):
                    group.create_task(self._campaign(number))
                group.create_task(self._events(events))
            await self.teller.tell_the_rest()

    async def has_runs(self) -> bool:
        """Whether a campaign's messages have begun to leave."""
        return bool(
            await self.world.rig.value(
                "SELECT count(*) FROM delivery.runs WHERE campaign_id = ANY ($1::uuid[])"
                " AND kind = 'campaign'",
                self.campaigns,
            )
        )

    # -- campaigns

    async def _campaign(self, number: int) -> None:
        campaign_id = uuid4()
        self.campaigns.append(campaign_id)
        plan = self.world.plan(f"Campaign {number}", letters="supplier" in self.services)
        await self.teller.tell(CreateCampaign(campaign_id=campaign_id, actor=manager, plan=plan))
        await self._reach(campaign_id, "ready_to_test")
        await self.teller.tell(RequestProof(campaign_id=campaign_id, actor=manager))
        await self._reach(campaign_id, "proof_pending")
        rig = self.world.rig
        approval = await rig.approval(campaign_id, reviewer, seconds=PATIENCE_SECONDS)
        await self.teller.tell(approval)
        await self._reach(campaign_id, "running", "finished")
        await self._all_actions_made(campaign_id)
        await self.teller.tell(
            MoveActions(
                campaign_id=campaign_id, move=ActionMove.EXECUTE, report="done", actor=manager
            )
        )
        await self._reach(campaign_id, "finished")
        await self._accounts_closed(campaign_id)

    async def _reach(self, campaign_id: UUID, *statuses: str) -> None:
        async def there() -> bool:
            status = await self.world.rig.campaign_status(campaign_id)
            if status in {"error", "cancelled"}:
                problem = await self.world.rig.value(
                    "SELECT problem FROM campaign.campaigns WHERE campaign_id = $1", campaign_id
                )
                raise Stuck(f"campaign {campaign_id} is {status}: {problem}")
            return status in statuses

        what = f"campaign {campaign_id} being {' or '.join(statuses)}"
        await eventually(there, seconds=PATIENCE_SECONDS, what=what)

    async def _all_actions_made(self, campaign_id: UUID) -> None:
        await eventually(
            lambda: self.world.rig.value(
                "SELECT actions_completed FROM campaign.campaigns WHERE campaign_id = $1",
                campaign_id,
            ),
            seconds=PATIENCE_SECONDS,
            what=f"the actions of {campaign_id}",
        )

    async def _accounts_closed(self, campaign_id: UUID) -> None:
        await eventually(
            lambda: self.world.rig.value(
                "SELECT funds IN ('none', 'closed') AND goods IN ('none', 'closed')"
                " FROM campaign.campaigns WHERE campaign_id = $1",
                campaign_id,
            ),
            seconds=PATIENCE_SECONDS,
            what=f"the accounts of {campaign_id}",
        )

    # -- outside events

    async def _events(self, count: int) -> None:
        for number in range(count):
            event_id = new_event_id()
            known = number % 3 != 2
            self.events[event_id] = "sent" if known else "not_covered"
            await self.teller.tell_event(
                "order.confirmed" if known else UNKNOWN_TYPE,
                {
                    "email": f"e{number}@{self.world.domain}",
                    "external_id": event_id,
                    "ctx": {"order": str(number)},
                },
                event_id,
            )
        await eventually(self._events_final, seconds=PATIENCE_SECONDS, what="the events' ends")

    async def _events_final(self) -> bool:
        count = await self.world.rig.value(
            "SELECT count(*) FROM events_status.events"
            " WHERE ce_id = ANY ($1::text[]) AND status IN ('sent', 'not_covered')",
            list(self.events),
        )
        return bool(count == len(self.events))
