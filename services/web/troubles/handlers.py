"""What web does when something goes wrong with a workflow: supervisors are owed a mail each."""

from __future__ import annotations

from datetime import datetime

from services.web.troubles.mails import TroubleMails
from shared.registry import Registry
from shared.rights import Right, roles_with
from shared.uow import Work
from topics.workflows import Trouble, TroubleCleared, TroubleRaised

registry = Registry()


@registry.on(TroubleRaised)
async def owe_mails(event: TroubleRaised, work: Work) -> None:
    """Owe each supervisor a mail, or whoever may control workflows; show a late service."""
    mails = TroubleMails(work.connection)
    if event.trouble is Trouble.LATE:
        await mails.late(event.name, event.since)
    operators = event.supervisors or await mails.usual(roles_with(Right.CONTROL_WORKFLOWS))
    await mails.raise_(event, operators, _told_at(work))


@registry.on(TroubleCleared)
async def owe_relief(event: TroubleCleared, work: Work) -> None:
    """Owe a second mail to those whom the first may have reached."""
    mails = TroubleMails(work.connection)
    if event.trouble is Trouble.LATE:
        await mails.late(event.name, None)
    await mails.clear(event, _told_at(work))


def _told_at(work: Work) -> datetime:
    """Return when it was said: what is read late, or again after a restore, is old news."""
    return (work.cause.time if work.cause else None) or work.now
