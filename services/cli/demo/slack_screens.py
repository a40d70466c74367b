"""What Slack shows of the demo: lists that the manager asks for, cards, how a campaign ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.emoji import Emoji
from rich.panel import Panel
from rich.text import Text

from deploy.embedded.slack import Message, render_text
from services.cli.demo.campaigns import MANAGER
from services.cli.demo.mailing import Mailing
from services.cli.demo.stage import Stage

CHANNEL = "#campaigns"
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Screen:
    """A message as somebody sees it."""

    title: str
    text: str

    def panel(self) -> Panel:
        """Return it for a terminal, line by line as Slack breaks it."""
        shown = Text(Emoji.replace(self.text), overflow="fold")
        return Panel(shown, title=self.title, title_align="left", width=WIDTH)


class Screens:
    """Looks into the workspace, as people do, at what concerns a direct-mail campaign."""

    def __init__(self, stage: Stage, mailing: Mailing) -> None:
        self._slack = stage.slack
        self._mailing = mailing

    async def all(self) -> Sequence[Screen]:
        """Return the lists asked for now, the cards of the campaign, and its end."""
        made, number = self._mailing.means, self._mailing.campaign.number
        names = {one["id"]: one["real_name"] for one in (await self._slack.about())["people"]}
        messages = await self._slack.messages(CHANNEL)
        return [
            await self._asked("/budget", made.budget_label, names),
            await self._asked("/stock", made.stock_label, names),
            *(
                Screen(f"in {CHANNEL}", _rendered(message, names))
                for message in messages
                if number in message.text
            ),
        ]

    async def _asked(self, command: str, words: str, names: dict[str, str]) -> Screen:
        await self._slack.slash(MANAGER, command, words, CHANNEL)
        answer = await self._slack.wait_for_ephemeral(MANAGER, words, timeout=60)
        return Screen(f"{command} {words}", render_text(answer, lambda one: names.get(one, one)))


def _rendered(message: Message, names: dict[str, str]) -> str:
    return render_text(message, lambda one: names.get(one, one))
