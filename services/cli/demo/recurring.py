"""A campaign that comes back: three dates of a schedule, on a clock that is put ahead to each.

It is told last. Every service of the demo goes by that clock, so nothing else may be on its way:
the deadlines of whatever waits would pass in a moment.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from asyncpg import Record

from services.cli.demo.campaigns import MANAGER, Campaign
from services.cli.demo.props import Props
from services.cli.demo.stage import Stage
from services.cli.demo.telling import Telling
from services.cli.letters import opened
from shared.settings import Settings, load
from topics.schedules import CampaignKind, Frequency, Recurrence, Schedule, SetSchedule

TIMES: Final = 3
AT: Final = time(9)
AHEAD: Final = timedelta(days=1)
"""How long before its date an occurrence is created, and its approval asked for."""
_OCCURRENCES: Final = """
SELECT o.local_at, o.zone, o.starts_at, c.campaign_id, c.number, c.label, c.status,
       count(*) FILTER (WHERE l.outcome = 'sent') AS sent,
       min(l.outcome_at) FILTER (WHERE l.outcome = 'sent') AS first_at
FROM campaign.occurrences o
JOIN campaign.campaigns c ON c.campaign_id = o.occurrence_id
LEFT JOIN delivery.runs r ON r.campaign_id = c.campaign_id AND r.kind = 'campaign'
LEFT JOIN delivery.ledger l ON l.run_id = r.run_id
WHERE o.campaign_id = $1 GROUP BY o.campaign_id, o.local_at, o.zone, c.campaign_id
ORDER BY o.local_at
"""
_HEARD: Final = "SELECT bool_and(at >= $1) FROM workflows.heartbeats"
_SCHEDULED: Final = "SELECT count(*) FROM campaign.schedules WHERE campaign_id = $1"


class Recurring:
    """Tells a recurring campaign from its form to its third date."""

    def __init__(self, stage: Stage, telling: Telling, props: Props) -> None:
        self._stage = stage
        self._telling = telling
        self._props = props
        self.campaign = Campaign(stage, telling)

    async def tell(self) -> None:
        """Have three occurrences created, approved and sent, each on its date."""
        zone = ZoneInfo(load(Settings).muster_zone)
        day = self._stage.clock.now().astimezone(zone).date() + 2 * AHEAD
        await self._launch(datetime.combine(day, AT, zone))
        for number in range(1, TIMES + 1):
            await self._occur(number, datetime.combine(day + (number - 1) * AHEAD, AT, zone))
        await self.campaign.reach("finished")
        await self._heard_since(datetime.combine(day + (TIMES - 1) * AHEAD, AT, zone))

    async def _heard_since(self, at: datetime) -> None:
        """Wait for every service's heartbeat: one of before the clock went on looks days late."""

        async def heard() -> bool:
            return bool(await self._stage.value(_HEARD, at))

        await self._telling.until(heard, "a heartbeat of every service by the new time")

    async def _launch(self, first: datetime) -> None:
        step = self._telling.step("A campaign that comes back", 5)
        props = self._props
        values = {
            "label": f"Daily tip, {props.town}",
            "targeting": str(props.town_targeting_id),
            "template": str(props.template_id),
            "reviewers": [props.reviewer_id],
            "start_date": first.date(),
            "start_time": first.time(),
        }
        await self.campaign.create(values, step)
        await self.campaign.reach("ready_to_test")
        every_day = Schedule(
            recurrence=Recurrence(frequency=Frequency.DAILY, count=TIMES),
            create_ahead_days=AHEAD.days,
            prove_before_hours=24 * AHEAD.days,
        )
        async with opened("web") as web, web.uow.begin() as work:
            work.emit(
                SetSchedule(
                    campaign_id=self.campaign.campaign_id,
                    actor=props.manager,
                    kind=CampaignKind.RECURRING,
                    schedule=every_day,
                )
            )
        await self._telling.until(self._is_scheduled, "the schedule being set")
        step.advance("the schedule is set")
        await self._stage.slack.slash(MANAGER, "/campaign", f"launch {self.campaign.number}")
        await self.campaign.reach("running")
        step.advance(f"launched: every day at {AT:%H:%M}, {TIMES} times")

    async def _is_scheduled(self) -> bool:
        return bool(await self._stage.value(_SCHEDULED, self.campaign.campaign_id))

    async def _occur(self, number: int, at: datetime) -> None:
        """Have one occurrence created, approved the day before, and sent on its date."""
        step = self._telling.step(f"Occurrence #{number}: the clock goes on", 3)
        self._stage.clock.go_on_to(at - AHEAD)

        async def created() -> Record | None:
            found = await self.occurrences()
            return found[number - 1] if len(found) >= number else None

        row = await self._telling.until(created, f"occurrence {number} being created")
        one = Campaign(self._stage, self._telling, row["campaign_id"], f"C-{row['number']}")
        step.advance(f"{one.number} {row['label']} is created")
        await one.reach("proof_pending")
        card = await one.card(f"to approve: {one.number} ")
        await one.say_yes(card)
        await one.reach("ready_to_run")
        step.advance(f"{one.number} is approved the day before")
        self._stage.clock.go_on_to(at)
        await one.reach("finished")
        counts = await one.counts()
        step.advance(f"{one.number}: {counts['sent']} sent on {at:%d %B, %H:%M}")

    async def occurrences(self) -> list[Record]:
        """Return what each date became, the first one first."""
        return await self._stage.rows(_OCCURRENCES, self.campaign.campaign_id)
