"""What mails meet once they left, played by the demo: servers, readers, reports."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import httpx
from asyncpg import Record

from deploy.embedded.mail.faults import Action, FaultRule
from services.cli.demo.campaigns import Campaign
from services.cli.demo.cast import Cast, Person
from services.cli.demo.mailbox import BROWSER, MACHINE, Mailbox, follow
from services.cli.demo.returning import report, send_back
from services.cli.demo.stage import Stage
from services.cli.demo.telling import Stuck, Telling

SOFT_TIMES: Final = 2
MACHINES: Final = 2
"""Of the readers: proxies that fetch every picture. They count, and are labelled."""
CLICKERS: Final = 5
_STANDING: Final = """
SELECT status FROM delivery.quarantine WHERE recipient_key = $1 AND channel = 'email'
"""


def faults(cast: Cast) -> tuple[FaultRule, ...]:
    """Return what two mailboxes' servers will say."""
    return (
        FaultRule(
            action=Action.REFUSE_RECIPIENT,
            recipient=cast.slow.email,
            code=451,
            enhanced="4.3.0",
            text="mailbox not ready, try again later",
            times=SOFT_TIMES,
        ),
        FaultRule(
            action=Action.REFUSE_RECIPIENT,
            recipient=cast.unknown.email,
            code=550,
            enhanced="5.1.1",
            text="no such user here",
        ),
    )


async def row_of(stage: Stage, run_id: UUID, person: Person) -> Record:
    """Return a person's row of a run's ledger."""
    rows = await stage.rows(
        "SELECT outcome, reason, code, attempts FROM delivery.ledger"
        " WHERE run_id = $1 AND recipient_key = $2 AND channel = 'email'",
        run_id,
        person.recipient_key,
    )
    return rows[0]


class Aftermath:
    """Tells what became of the first campaign's mails."""

    def __init__(
        self, stage: Stage, telling: Telling, cast: Cast, client: httpx.AsyncClient
    ) -> None:
        self._stage = stage
        self._telling = telling
        self._cast = cast
        self._client = client
        self.mailbox = Mailbox(client, stage.variables["MAIL_URL"])

    async def refusals(self, run_id: UUID, hits: list[int]) -> None:
        """Tell of the server that was not ready, and of the one that knows nobody."""
        step = self._telling.step("Refusals in the session", 2)
        slow = await row_of(self._stage, run_id, self._cast.slow)
        _expect(hits == [SOFT_TIMES, 1], f"the catcher refused {hits} times")
        _expect(
            (slow["outcome"], slow["attempts"]) == ("sent", SOFT_TIMES + 1),
            f"the mail that was deferred is {slow['outcome']} after {slow['attempts']} attempts",
        )
        step.advance(f"451, 451, then 250: delivered at attempt {slow['attempts']}")
        refused = await row_of(self._stage, run_id, self._cast.unknown)
        await self._quarantined(self._cast.unknown)
        step.advance(f"{refused['code']}: {refused['reason']}, now in quarantine")

    async def bounce(self, campaign: Campaign, run_id: UUID) -> None:
        """Send a mail back that had been taken, and wait for what it changes."""
        step = self._telling.step("A mail comes back later (RFC 3464)", 2)
        person = self._cast.returned
        before = await campaign.counts()
        mail = await self.mailbox.find(run_id, person.email)
        content = report(person.email, mail.mail_from, mail.message_id)
        port = int(self._stage.variables["BOUNCE_SMTP_PORT"])
        await send_back(content, mail.mail_from, port=port)
        step.advance("its server's report reached the bounce receiver")

        async def counted() -> bool:
            now = await campaign.counts()
            return now["failed"] == before["failed"] + 1 and now["sent"] == before["sent"] - 1

        await self._telling.until(counted, "the bounce in the campaign's totals")
        await self._quarantined(person)
        step.advance("sent became failed; the address is in quarantine")

    async def readers(self, run_id: UUID) -> None:
        """Open, click and look at the mirror page as readers and their servers do."""
        step = self._telling.step("Readers open and click", len(self._cast.readers))
        for number, reader in enumerate(self._cast.readers):
            mail = await self.mailbox.find(run_id, reader.email)
            agent = BROWSER.format(number=number)
            if number < CLICKERS:
                await follow(self._client, mail.link("t"), agent, expected=302)
            elif number == CLICKERS:
                await follow(self._client, mail.link("m"), agent)
            is_machine = number >= len(self._cast.readers) - MACHINES
            await follow(self._client, mail.link("o"), MACHINE if is_machine else agent)
            step.advance(f"{CLICKERS} clicked, 1 mirror page, {MACHINES} opens are machines'")

    async def unsubscribe(self, run_id: UUID) -> None:
        """Unsubscribe as a mail reader's button does (RFC 8058): no cookie, no page, one POST."""
        step = self._telling.step("One-click unsubscribe", 2)
        person = self._cast.leaving
        url = (await self.mailbox.find(run_id, person.email)).link("u")
        await follow(self._client, url, BROWSER.format(number="leaving"))
        _expect(not await self._opted_out(person), "looking at the link unsubscribed")
        step.advance("a scanner's GET changes nothing")
        answer = await self._client.post(url, data={"List-Unsubscribe": "One-Click"})
        _expect(answer.status_code == 200, f"the POST was answered with {answer.status_code}")
        await self._telling.until(
            lambda: self._opted_out(person), "the opt-out in the directory", seconds=60
        )
        step.advance("POST List-Unsubscribe=One-Click: opted out")

    async def _opted_out(self, person: Person) -> bool:
        found = await self._stage.value(
            "SELECT opted_out FROM targeting.consents"
            " WHERE recipient_key = $1 AND channel = 'email'",
            person.recipient_key,
        )
        return bool(found)

    async def _quarantined(self, person: Person) -> None:
        async def blocked() -> bool:
            status: Any = await self._stage.value(_STANDING, person.recipient_key)
            return bool(status == "quarantine")

        await self._telling.until(blocked, "the address being in quarantine", seconds=60)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Stuck(otherwise)
