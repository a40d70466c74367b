"""The demo's story: the main job, driven through Slack payloads, and what mails meet outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

import httpx
from rich.console import Console

from deploy.embedded.slack import Message as SlackMessage
from services.cli.demo import props as stage_props
from services.cli.demo.after import Aftermath, faults
from services.cli.demo.campaigns import STRANGER, Campaign
from services.cli.demo.cast import Cast, choose
from services.cli.demo.figures import Figures, read_figures
from services.cli.demo.mailing import Mailing
from services.cli.demo.outside import Outside
from services.cli.demo.props import Props
from services.cli.demo.recurring import Recurring
from services.cli.demo.slack_screens import Screen, Screens
from services.cli.demo.stage import Stage
from services.cli.demo.telling import Telling
from services.cli.letters import opened
from topics.actions import ActionMove, MoveActions
from topics.message import Actor, Via
from topics.operators import Role

CANCELLED_CALLS: Final = 25


class Story:
    """Tells the main job on a stage.

    Attributes:
        first: the campaign to everybody in France.
        second: a small one after it, to the town where four of them live.

    Args:
        contacts: how many are generated; the shipped sample when not told.
    """

    props: Props
    cast: Cast
    figures: Figures
    mailing: Mailing
    screens: Sequence[Screen]
    recurring: Recurring
    outside: Outside

    def __init__(self, stage: Stage, console: Console, *, contacts: int | None = None) -> None:
        self.stage = stage
        self.contacts = contacts
        self.times = stage_props.times_of(contacts)
        self.telling = Telling(console, stage.folder / "logs", times=self.times)
        self.first = Campaign(stage, self.telling)
        self.second = Campaign(stage, self.telling)

    async def tell(self) -> None:
        """Tell the whole story.

        Raises:
            Stuck: a step did not come about, or not in time.
        """
        with self.telling:
            async with httpx.AsyncClient(timeout=30) as client:
                await self._prepare()
                card = await self._create()
                after = Aftermath(self.stage, self.telling, self.cast, client)
                await self._approve_and_run(card, after)
                await self._mails_outside(after)
            await self._work()
            self.outside = Outside(self.stage, self.telling, self.cast, self.props)
            await self.outside.tell()
            await self._end()
            self.mailing = Mailing(self.stage, self.telling, self.props, self.props.mailing)
            await self.mailing.begin()
            await self._second_campaign()
            await self.mailing.finish()
            self.figures = await read_figures(
                self.stage,
                self.telling,
                campaign_id=self.first.campaign_id,
                operator_id=UUID(self.props.manager.id),
                opens=len(self.cast.readers),
            )
            self.screens = await Screens(self.stage, self.mailing).all()
            # Last: it puts the clock ahead, under everything that is on its way.
            self.recurring = Recurring(self.stage, self.telling, self.props)
            await self.recurring.tell()

    # -- steps

    async def _prepare(self) -> None:
        step = self.telling.step("Operators and sample CRM", 5)
        people = await stage_props.add_people()
        step.advance("3 operators linked to Slack")
        for name in ("targeting", "supplier"):
            await self.telling.until(partial(self._knows_people, name), f"{name} knowing them")
        manager = Actor(id=str(people[Role.MANAGER]), via=Via.CLI)
        crm = await asyncio.to_thread(
            stage_props.sample_of, self.contacts, self.stage.folder / "sample"
        )
        rejects = self.stage.folder / "rejects"
        async for report in stage_props.import_crm(crm, rejects, manager):
            step.advance(f"{report.kind}: {report.rows:,} rows")
        step = self.telling.step("Targets, templates, models, means", 1)
        self.cast = await choose(self.stage)
        self.props = await stage_props.prepare(
            self.stage, people, town=self.cast.town, times=self.times
        )
        await self.telling.until(self._bot_knows, "the bot knowing what can be chosen")
        step.advance("announced on compacted topics")

    async def _knows_people(self, service: str) -> bool:
        query = f"SELECT count(*) = 3 FROM {service}.operators WHERE active"
        return bool(await self.stage.value(query))

    async def _bot_knows(self) -> bool:
        """Whether the form's selects offer all that the campaigns are made of."""
        props, made = self.props, self.props.mailing
        wanted = {
            *(props.targeting_id, props.template_id, props.budget_id, props.service_id),
            *(props.stock_line_id, props.call_model_id, made.targeting_id, made.template_id),
            *(made.budget_id, made.service_id, made.stock_line_id),
        }
        query = "SELECT count(DISTINCT id) FROM bot.choices WHERE id = ANY ($1::uuid[])"
        return bool(await self.stage.value(query, list(wanted)) == len(wanted))

    async def _create(self) -> SlackMessage:
        props, first = self.props, self.first
        values = {
            "label": f"Autumn offer {datetime.now(UTC):%H:%M}",
            "targeting": str(props.targeting_id),
            "template": str(props.template_id),
            "budget": str(props.budget_id),
            "models": [str(props.call_model_id), str(props.deal_model_id)],
            "service": str(props.service_id),
            "stock": str(props.stock_line_id),
            "reviewers": [props.reviewer_id],
            "description": "Autumn maintenance offer to every contact in France",
        }
        await first.create(values, self.telling.step("/campaign new in Slack", 3))
        return await first.prove(self.telling.step("Target counted, proof sent", 3))

    async def _approve_and_run(self, card: SlackMessage, after: Aftermath) -> None:
        # Before the approval: the first messages leave a moment after it.
        async with after.mailbox.misbehaving(faults(self.cast)):
            step = self.telling.step("Approval in Slack", 3)
            await self.stage.slack.click(STRANGER, card, "Approve")
            step.advance("a stranger's click had no effect")
            await self.first.approve(card, step)
            step.advance("money and goods are held")
            await self.first.leave(self.telling.step("Messages leave", 1))
            hits = await after.mailbox.hits()
        await after.refusals(await self.first.run_id(), hits)

    async def _mails_outside(self, after: Aftermath) -> None:
        run_id = await self.first.run_id()
        await after.bounce(self.first, run_id)
        await after.readers(run_id)
        await after.unsubscribe(run_id)

    async def _second_campaign(self) -> None:
        props, second = self.props, self.second
        values = {
            "label": f"Reminder, {self.cast.town} {datetime.now(UTC):%H:%M}",
            "targeting": str(props.town_targeting_id),
            "template": str(props.template_id),
            "reviewers": [props.reviewer_id],
        }
        step = self.telling.step(f"Meanwhile, an e-mail to {self.cast.town}", 7)
        await second.create(values, step)
        await second.approve(await second.prove(step), step)
        await second.leave(self.telling.step("Its messages leave", 1))
        await second.reach("finished")

    async def _work(self) -> None:
        step = self.telling.step("Actions done", 1)
        await self.telling.until(self._actions_completed, "the actions being generated")
        calls = await self.stage.rows(
            "SELECT action_id FROM actions.actions WHERE campaign_id = $1 AND status = 'waiting'"
            " ORDER BY action_id LIMIT $2",
            self.first.campaign_id,
            CANCELLED_CALLS,
        )
        async with opened("web") as web, web.uow.begin() as work:
            for how, ids in (
                (ActionMove.CANCEL, tuple(row["action_id"] for row in calls)),
                (ActionMove.EXECUTE, None),
            ):
                work.emit(
                    MoveActions(
                        campaign_id=self.first.campaign_id,
                        move=how,
                        action_ids=ids,
                        report="" if ids else "called, interested",
                        actor=self.props.manager,
                    )
                )

        async def moved() -> bool:
            rows = await self.stage.rows(
                "SELECT status, count(*) AS number FROM actions.actions WHERE campaign_id = $1"
                " GROUP BY status",
                self.first.campaign_id,
            )
            counts = {row["status"]: row["number"] for row in rows}
            executed, cancelled = counts.get("executed", 0), counts.get("cancelled", 0)
            done = executed + cancelled
            note = f"{executed} executed, {cancelled} cancelled"
            step.show(done, sum(counts.values()), note)
            return bool(counts) and done == sum(counts.values())

        await self.telling.until(moved, "the actions being done", seconds=300)

    async def _actions_completed(self) -> bool:
        return bool(await self.first.value("actions_completed"))

    async def _end(self) -> None:
        step = self.telling.step("Finished, accounts closed", 2)
        await self.first.reach("finished")
        step.advance(f"{self.first.number} is Finished")

        async def closed() -> bool:
            return bool(await self.first.value("funds") in {"closed", "none"})

        await self.telling.until(closed, "the costs being booked by budgetMgt")
        step.advance("real cost booked, the rest of the hold is back")
