"""slackPosting: the switch of the posting loop, and the tidying of what it has posted.

Stopped, for instance after a restore, what is to be said waits as rows; forms still open and
clicks still count, so that a person can start it again from Slack.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from bot.memory import Memory
from bot.outgoing import POSTING
from bot.roster import Roster
from shared.schedules import Every
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow

INBOX_KEPT: Final = timedelta(days=90)
CALLS_KEPT: Final = timedelta(days=7)


async def tidy(work: Work) -> Step:
    """Forget old identities and finished calls."""
    await Memory(work.connection).prune(
        inbox_before=work.now - INBOX_KEPT, calls_before=work.now - CALLS_KEPT
    )
    await Roster(work.connection).prune(work.now - INBOX_KEPT)
    return Step()


WORKFLOWS: Final = (
    TechnicalWorkflow(
        name=POSTING,
        label="Posting to Slack",
        label_fr="Publication dans Slack",
        package="Slack",
        run=tidy,
        schedule=Every(600),
    ),
)
