"""What happens in Slack besides commands, buttons and modals: the Home tab is opened."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.front import NOTHING, Front, Sender, Visit
from bot.home import home_view, stranger_home
from bot.limits import Json
from shared.rights import Right


def attach(app: AsyncApp, front: Front) -> None:
    """Register the events."""

    async def opened(body: dict[str, Any], event: dict[str, Any]) -> None:
        if event.get("tab") == "home":
            sender = Sender(str(event["user"]), "", str(body["event_id"]), "event")
            await front.event(sender, show_home)

    app.event("app_home_opened")(opened)


async def show_home(visit: Visit) -> Json:
    """Have the person's Home tab show how things stand now; an event sent again changes nothing."""
    if await visit.once():
        await visit.outgoing.show_home(visit.sender.user, visit.sender.trigger, await _home(visit))
    return NOTHING


async def _home(visit: Visit) -> Json:
    refusal = visit.refusal(Right.READ)
    if refusal:
        return stranger_home(str(refusal["text"]))
    seen = await visit.reading.overview(
        visit.known.operator_id, may_approve=visit.known.may(Right.APPROVE)
    )
    people = await visit.store.people(state.requested_by for state in seen.approvals)
    return home_view(
        seen,
        people,
        visit.setting,
        now=visit.work.now,
        may_control=visit.known.may(Right.CONTROL_WORKFLOWS),
    )
