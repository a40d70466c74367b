"""The demo's story: the main job, driven through Slack payloads, a progress bar per step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from deploy.embedded.slack import Message as SlackMessage
from deploy.embedded.slack import View
from deploy.embedded.slack.watcher import WaitedInVain
from services.cli.demo import props as stage_props
from services.cli.demo.props import Props
from services.cli.demo.stage import Stage
from services.cli.letters import opened
from shared import kafka
from shared.settings import Settings, load
from topics.actions import ActionMove, MoveActions
from topics.message import Actor, Via
from topics.names import EVENTS_REALTIME
from topics.operators import Role

MANAGER, REVIEWER, STRANGER = "manager", "reviewer", "stranger"
CANCELLED_CALLS: Final = 25


class Stuck(Exception):
    """A step did not come about in time; the text says which and where to look."""


class Story:
    """Tells the main job on a stage.

    Args:
        contacts: how many are generated; the shipped sample when not told.
    """

    def __init__(self, stage: Stage, console: Console, *, contacts: int | None = None) -> None:
        self.stage = stage
        self.contacts = contacts
        self.times = stage_props.times_of(contacts)
        self.console = console
        self.progress = Progress(
            # What is too long is the note, which goes on below; marks, bars and counts stay whole.
            SpinnerColumn(finished_text="[green]✓[/]", table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12, table_column=Column(no_wrap=True)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=False)),
            console=console,
            redirect_stderr=False,
        )
        self.campaign_id = UUID(int=0)
        self.number = ""
        self.event_ids: dict[str, str] = {}

    async def tell(self) -> Props:
        """Tell the whole story; return the props that the tables speak of.

        Raises:
            Stuck: a step did not come about in time.
        """
        with self.progress:
            props = await self._prepare()
            await self._create_in_slack(props)
            card = await self._prove()
            await self._approve(card)
            await self._run()
            await self._work(props)
            await self._outside_events()
            await self._end()
        return props

    # -- steps

    async def _prepare(self) -> Props:
        step = self._step("Operators and sample CRM", 5)
        people = await stage_props.add_people()
        self._advance(step, note="3 operators linked to Slack")
        async with opened("targeting") as targeting:
            await self._until(
                lambda: targeting.pool.fetchval("SELECT count(*) = 3 FROM operators WHERE active"),
                "the operators reaching targeting",
            )
        props_actor = Actor(id=str(people[Role.MANAGER]), via=Via.CLI)
        crm = await asyncio.to_thread(
            stage_props.sample_of, self.contacts, self.stage.folder / "sample"
        )
        rejects = self.stage.folder / "rejects"
        async for report in stage_props.import_crm(crm, rejects, props_actor):
            self._advance(step, note=f"{report.kind}: {report.rows:,} rows")
        step = self._step("Target, template, models, budget, stock, supplier", 1)
        props = await stage_props.prepare(self.stage, people, times=self.times)
        await self._until(lambda: self._bot_knows(props), "the bot knowing what can be chosen")
        self._advance(step, note="announced on compacted topics")
        return props

    async def _bot_knows(self, props: Props) -> bool:
        view = await self._form()
        if view is None:
            return False
        wanted = {
            "targeting": props.targeting_id,
            "template": props.template_id,
            "budget": props.budget_id,
            "service": props.service_id,
            "stock": props.stock_line_id,
            "models": props.call_model_id,
        }
        found = []
        for name, value in wanted.items():
            options = await self.stage.slack.suggest(MANAGER, view, name)
            found.append(any(option["value"] == str(value) for option in options))
        await self.stage.slack.close(MANAGER, view)
        return all(found)

    async def _form(self, *, contains: str = "") -> View | None:
        """Type the command; a form opens within three seconds, or is to be asked for again."""
        slack = self.stage.slack
        await slack.slash(MANAGER, "/campaign", "new")
        try:
            return await slack.wait_for_view(MANAGER, timeout=15, contains=contains)
        except WaitedInVain:
            return None

    async def _create_in_slack(self, props: Props) -> None:
        step = self._step("/campaign new in Slack", 3)
        slack = self.stage.slack
        last = await self.stage.value("SELECT coalesce(max(number), 0) FROM campaign.campaigns")
        view = await self._until(lambda: self._form(contains="C-"), "the campaign form")
        self._advance(step, note="the form has its number")
        ack = await slack.submit(
            MANAGER,
            view,
            {
                "label": f"Autumn offer {datetime.now(UTC):%H:%M}",
                "targeting": str(props.targeting_id),
                "template": str(props.template_id),
                "budget": str(props.budget_id),
                "models": [str(props.call_model_id), str(props.deal_model_id)],
                "service": str(props.service_id),
                "stock": str(props.stock_line_id),
                "reviewers": [props.reviewer_id],
                "description": "Autumn maintenance offer to every contact in France",
            },
        )
        if ack.errors:
            raise Stuck(f"the form was refused: {ack.errors}")
        self._advance(step, note="submitted")
        row = await self._until(lambda: self._after(last), "the campaign being saved")
        self.campaign_id, self.number = row["campaign_id"], f"C-{row['number']}"
        self._advance(step, note=f"{self.number} is New")

    async def _after(self, last: int) -> Any:
        """Return the campaign of this run: an earlier run on the same data has its own."""
        rows = await self.stage.rows(
            "SELECT campaign_id, number FROM campaign.campaigns WHERE number > $1", last
        )
        return rows[0] if rows else None

    async def _prove(self) -> SlackMessage:
        step = self._step("Target counted, proof sent", 3)
        await self._reach("ready_to_test")
        counts = await self.stage.value(
            "SELECT counts FROM campaign.campaigns WHERE campaign_id = $1", self.campaign_id
        )
        counted = orjson.loads(counts)
        self._advance(
            step,
            note=f"{counted['persons']} contacts: {counted['reachable']} by e-mail,"
            f" {counted['without_email']} by post, {counted['opted_out']} opted out",
        )
        await self.stage.slack.slash(MANAGER, "/campaign", f"proof {self.number}")
        await self._reach("proof_pending")
        self._advance(step, note="the target is frozen, the proof is in the reviewer's mailbox")
        card: SlackMessage = await self.stage.slack.wait_for_message(
            self.number, "#campaigns", timeout=120
        )
        self._advance(step, note="the card is in #campaigns")
        return card

    async def _approve(self, card: SlackMessage) -> None:
        step = self._step("Approval in Slack", 3)
        slack = self.stage.slack
        await slack.click(STRANGER, card, "Approve")
        self._advance(step, note="a stranger's click had no effect")
        await slack.click(REVIEWER, card, "Approve")
        await slack.wait_for_update(card, "Approved", timeout=120)
        self._advance(step, note="approved by the reviewer; the card says so")
        await self._reach("ready_to_run", "running", "finished")
        self._advance(step, note="money and goods are held")

    async def _run(self) -> None:
        step = self._step("Messages leave", 1)
        await self._reach("running", "finished")

        async def over() -> bool:
            row = await self._delivery_counts()
            if row:
                done = row["targeted"] - row["pending"] - row["ambiguous"]
                self.progress.update(
                    step,
                    total=max(row["targeted"], 1),
                    completed=done,
                    note=f"{row['sent']} sent, {row['ignored']} ignored, {row['failed']} failed",
                )
            return bool(
                await self.stage.value(
                    "SELECT delivery_done FROM campaign.campaigns WHERE campaign_id = $1",
                    self.campaign_id,
                )
            )

        await self._until(over, "all messages having left", seconds=600)

    async def _delivery_counts(self) -> dict[str, int]:
        counts = await self.stage.value(
            "SELECT delivery_counts FROM campaign.campaigns WHERE campaign_id = $1",
            self.campaign_id,
        )
        found: dict[str, int] = orjson.loads(counts) if counts else {}
        return found

    async def _work(self, props: Props) -> None:
        step = self._step("Actions done", 1)
        await self._until(self._actions_completed, "the actions being generated")
        calls = await self.stage.rows(
            "SELECT action_id FROM actions.actions WHERE campaign_id = $1 AND status = 'waiting'"
            " ORDER BY action_id LIMIT $2",
            self.campaign_id,
            CANCELLED_CALLS,
        )
        async with opened("web") as web, web.uow.begin() as work:
            for how, ids in (
                (ActionMove.CANCEL, tuple(row["action_id"] for row in calls)),
                (ActionMove.EXECUTE, None),
            ):
                work.emit(
                    MoveActions(
                        campaign_id=self.campaign_id,
                        move=how,
                        action_ids=ids,
                        report="" if ids else "called, interested",
                        actor=props.manager,
                    )
                )

        async def moved() -> bool:
            rows = await self.stage.rows(
                "SELECT status, count(*) AS number FROM actions.actions WHERE campaign_id = $1"
                " GROUP BY status",
                self.campaign_id,
            )
            counts = {row["status"]: row["number"] for row in rows}
            executed, cancelled = counts.get("executed", 0), counts.get("cancelled", 0)
            done = executed + cancelled
            self.progress.update(
                step,
                total=max(sum(counts.values()), 1),
                completed=done,
                note=f"{executed} executed, {cancelled} cancelled",
            )
            return bool(counts) and done == sum(counts.values())

        await self._until(moved, "the actions being done", seconds=300)

    async def _actions_completed(self) -> bool:
        return bool(
            await self.stage.value(
                "SELECT actions_completed FROM campaign.campaigns WHERE campaign_id = $1",
                self.campaign_id,
            )
        )

    async def _outside_events(self) -> None:
        step = self._step("Outside events", 2)
        self.event_ids = {"order.confirmed": str(uuid4()), "parcel.lost": str(uuid4())}
        await self._publish_events()
        await self._until(lambda: self._event_is("order.confirmed", "sent"), "the event's message")
        self._advance(step, note="order.confirmed: Sent")
        await self._until(
            lambda: self._event_is("parcel.lost", "not_covered"), "the unknown event's end"
        )
        self._advance(step, note="parcel.lost: Event not covered, never retried")

    async def _publish_events(self) -> None:
        settings = load(Settings)
        producer = kafka.plain_producer(settings, client_id="shop")
        await producer.start()
        for event_type, event_id in self.event_ids.items():
            headers = {
                "ce_specversion": "1.0",
                "ce_id": event_id,
                "ce_source": "/shop.example",
                "ce_type": event_type,
                "content-type": "application/json",
            }
            data = {
                "email": "marie@client.example",
                "external_id": f"{event_type}-{event_id[:8]}",
                "ctx": {"order": "A-1042", "total": "99.00 EUR"},
            }
            await producer.send_and_wait(
                settings.kafka_namespace + EVENTS_REALTIME.name,
                orjson.dumps(data),
                key=event_id.encode(),
                headers=[(name, text.encode()) for name, text in headers.items()],
            )
        await producer.stop()

    async def _event_is(self, event_type: str, status: str) -> bool:
        found = await self.stage.value(
            "SELECT status FROM events_status.events WHERE external_id = $1",
            f"{event_type}-{self.event_ids[event_type][:8]}",
        )
        return bool(found == status)

    async def _end(self) -> None:
        step = self._step("Finished, accounts closed", 2)
        await self._reach("finished")
        self._advance(step, note=f"{self.number} is Finished")

        async def closed() -> bool:
            funds = await self.stage.value(
                "SELECT funds FROM campaign.campaigns WHERE campaign_id = $1", self.campaign_id
            )
            return bool(funds in {"closed", "none"})

        await self._until(closed, "the costs being booked by budgetMgt")
        self._advance(step, note="the real cost is booked, the rest of the hold is back")

    # -- telling

    def _step(self, name: str, total: int) -> Any:
        return self.progress.add_task(name, total=total, note="")

    def _advance(self, step: Any, *, note: str) -> None:
        self.progress.update(step, advance=1, note=note)

    async def _reach(self, *statuses: str) -> None:
        async def there() -> bool:
            status = await self.stage.value(
                "SELECT status FROM campaign.campaigns WHERE campaign_id = $1", self.campaign_id
            )
            if status == "error":
                problem = await self.stage.value(
                    "SELECT problem FROM campaign.campaigns WHERE campaign_id = $1",
                    self.campaign_id,
                )
                raise Stuck(f"{self.number} is in error: {problem}")
            return status in statuses

        await self._until(there, f"{self.number} being {' or '.join(statuses)}")

    async def _until(
        self, probe: Callable[[], Awaitable[Any]], what: str, *, seconds: float = 180
    ) -> Any:
        # Every wait takes more of more people; what hangs shows in its bar long before.
        seconds *= 1 + (self.times - 1) / 4
        deadline = time.monotonic() + seconds
        while not (found := await probe()):
            if time.monotonic() > deadline:
                raise Stuck(f"{what} did not come about in {seconds:g} s; see {self._logs()}")
            await asyncio.sleep(0.2)
        return found

    def _logs(self) -> str:
        return str(self.stage.folder / "logs")
