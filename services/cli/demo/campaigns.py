"""A campaign of the demo, driven through Slack payloads; its rows are only read."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import orjson

from deploy.embedded.slack import Message as SlackMessage
from deploy.embedded.slack import View
from deploy.embedded.slack.watcher import WaitedInVain
from services.cli.demo.stage import Stage
from services.cli.demo.telling import Step, Stuck, Telling

MANAGER: Final = "manager"
REVIEWER: Final = "reviewer"
STRANGER: Final = "stranger"
UNSAVED: Final = UUID(int=0)


async def form(stage: Stage, *, contains: str = "") -> View | None:
    """Type the command; a form opens within three seconds, or is to be asked for again."""
    await stage.slack.slash(MANAGER, "/campaign", "new")
    try:
        return await stage.slack.wait_for_view(MANAGER, timeout=15, contains=contains)
    except WaitedInVain:
        return None


class Campaign:
    """One campaign, from the form to Finished.

    Attributes:
        campaign_id: its id, once it is saved.
        number: as people say it, such as ``C-1006``.
    """

    def __init__(
        self, stage: Stage, telling: Telling, campaign_id: UUID = UNSAVED, number: str = ""
    ) -> None:
        self._stage = stage
        self._telling = telling
        self.campaign_id = campaign_id
        self.number = number

    async def create(self, values: dict[str, Any], step: Step) -> None:
        """Fill the form in Slack and wait for the campaign.

        Raises:
            Stuck: the form is refused.
        """
        slack = self._stage.slack
        last = await self._stage.value("SELECT coalesce(max(number), 0) FROM campaign.campaigns")
        view = await self._telling.until(
            lambda: form(self._stage, contains="C-"), "the campaign form"
        )
        step.advance("the form has its number")
        while True:
            held = {block["block_id"] for block in view.blocks}
            typed = {name: value for name, value in values.items() if name in held}
            ack = await slack.submit(MANAGER, view, typed)
            if ack.errors or ack.problem:
                raise Stuck(f"the form was refused: {ack.errors or ack.problem}")
            shown = await slack.views(MANAGER)
            if not shown:
                break
            view = shown[-1]
        step.advance("its three steps are submitted")
        row = await self._telling.until(lambda: self._after(last), "the campaign being saved")
        self.campaign_id, self.number = row["campaign_id"], f"C-{row['number']}"
        step.advance(f"{self.number} is New")

    async def _after(self, last: int) -> Any:
        """Return the campaign of this run: an earlier run on the same data has its own."""
        rows = await self._stage.rows(
            "SELECT campaign_id, number FROM campaign.campaigns WHERE number > $1", last
        )
        return rows[0] if rows else None

    async def prove(self, step: Step) -> SlackMessage:
        """Ask for the proof in Slack and return the card that asks for approval."""
        await self.reach("ready_to_test")
        counted = orjson.loads(await self.value("counts"))
        step.advance(
            f"{counted['persons']} contacts: {counted['reachable']} by e-mail,"
            f" {counted['without_email']} by post, {counted['opted_out']} opted out"
        )
        await self._stage.slack.slash(MANAGER, "/campaign", f"proof {self.number}")
        await self.reach("proof_pending")
        step.advance("target frozen, proof in the reviewer's mailbox")
        card = await self.card(self.number)
        step.advance("the card is in #campaigns")
        return card

    async def card(self, contains: str) -> SlackMessage:
        """Return the newest message in the channel that holds a text, once there is one."""
        found: SlackMessage = await self._stage.slack.wait_for_message(
            contains, "#campaigns", timeout=120
        )
        return found

    async def approve(self, card: SlackMessage, step: Step) -> None:
        """Approve the proof as the reviewer, on its card; the campaign goes on."""
        await self.say_yes(card)
        step.advance("approved by the reviewer; the card says so")
        await self.reach("ready_to_run", "running", "finished")

    async def say_yes(self, card: SlackMessage) -> None:
        """Approve what a card asks about, as the reviewer; the card says so."""
        await self._stage.slack.click(REVIEWER, card, "Approve")
        await self._stage.slack.wait_for_update(card, "Approved", timeout=120)

    async def leave(self, step: Step) -> None:
        """Wait until every message has left or has its reason not to."""
        await self.reach("running", "finished")

        async def over() -> bool:
            counts = await self.counts()
            if counts:
                done = counts["targeted"] - counts["pending"] - counts["ambiguous"]
                note = (
                    f"{counts['sent']} sent, {counts['ignored']} ignored, {counts['failed']} failed"
                )
                step.show(done, counts["targeted"], note)
            return bool(await self.value("delivery_done"))

        await self._telling.until(over, "all messages having left", seconds=600)

    async def counts(self) -> dict[str, int]:
        """Return the campaign's messages by outcome; nothing before the first of them."""
        counts = await self.value("delivery_counts")
        found: dict[str, int] = orjson.loads(counts) if counts else {}
        return found

    async def run_id(self) -> UUID:
        """Return the run that sent it."""
        found: UUID = await self._stage.value(
            "SELECT run_id FROM delivery.runs WHERE campaign_id = $1 AND kind = 'campaign'",
            self.campaign_id,
        )
        return found

    async def reach(self, *statuses: str) -> None:
        """Wait until the campaign has one of some statuses.

        Raises:
            Stuck: not in time, or it ran into an error.
        """

        async def there() -> bool:
            status = await self.value("status")
            if status == "error":
                raise Stuck(f"{self.number} is in error: {await self.value('problem')}")
            return status in statuses

        await self._telling.until(there, f"{self.number} being {' or '.join(statuses)}")

    async def value(self, column: str) -> Any:
        """Return one column of the campaign's row."""
        return await self._stage.value(
            f"SELECT {column} FROM campaign.campaigns WHERE campaign_id = $1",
            self.campaign_id,
        )
