"""Hands the mails that supervisors are owed to the relay, one attempt at a time.

It is no technical workflow: nobody could be told that it is stopped.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from services.web.settings import WebSettings, web_settings
from services.web.troubles.mails import TroubleMail, TroubleMails
from services.web.troubles.wording import built
from shared import faults
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.mail import sending
from shared.mail.outcome import Answer, Outcome
from shared.service import Runtime
from shared.waiting import wait_or_stop

log = logger(__name__)

LOOK_SECONDS: Final = 5.0
MOST_ATTEMPTS: Final = 12
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)


async def mail_supervisors(runtime: Runtime, stop: asyncio.Event) -> None:
    """Send what is due until ``stop`` is set (a task)."""
    while not stop.is_set():
        try:
            sent = await send_next(runtime)
        except INTERRUPTIONS as problem:
            log.warning("trouble_mails.interrupted", error=reason_of(problem))
            sent = False
        if not sent:
            await wait_or_stop(stop, LOOK_SECONDS)


async def send_next(runtime: Runtime) -> bool:
    """Try the mail that is due first, its attempt written before; return whether there was one."""
    settings = web_settings(runtime.settings)
    async with runtime.uow.begin() as work:
        mail = await TroubleMails(work.connection).take(work.now)
    if mail is None:
        return False
    answer = await _send(settings, mail, runtime) if mail.active else Answer(Outcome.REFUSED)
    async with runtime.uow.begin() as work:
        mails = TroubleMails(work.connection)
        if answer.outcome is not Outcome.DEFERRED:
            await mails.end(mail.mail_id, answer.outcome.value, answer.text)
        elif mail.attempts >= MOST_ATTEMPTS:
            await mails.end(mail.mail_id, "given_up", answer.text)
        else:
            await mails.again(mail.mail_id, work.now + wait_after(mail.attempts), answer.text)
    return True


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts that were put off."""
    return min(LONGEST_WAIT, FIRST_WAIT * (1 << (attempts - 1)))


async def _send(settings: WebSettings, mail: TroubleMail, runtime: Runtime) -> Answer:
    content = built(
        mail,
        sender=settings.supervision_sender,
        recipient=mail.email,
        language=mail.language,
        zone=settings.zone,
        at=runtime.clock.now(),
    )
    faults.reach("sender.before_call")
    answer = await sending.send(
        settings, sender=settings.supervision_sender, recipient=mail.email, mail=content
    )
    faults.reach("sender.after_call")
    return answer
