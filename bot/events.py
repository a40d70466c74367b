"""What happens in Slack besides commands, buttons and modals: the Home tab, people, a shortcut."""

from __future__ import annotations

from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.cutting import clip, read_marked
from bot.form_reading import LABEL_CHARS
from bot.front import NOTHING, Front, Sender, Visit
from bot.fund_store import askers
from bot.home import home_view, stranger_home
from bot.limits import INPUT_CHARS, Json
from bot.roster import Roster
from bot.stepping import open_form
from shared.rights import Right
from topics.campaign import CampaignPlan

FROM_MESSAGE: Final = "campaign_from_message"


def attach(app: AsyncApp, front: Front) -> None:
    """Register the events."""

    async def opened(body: dict[str, Any], event: dict[str, Any]) -> None:
        if event.get("tab") == "home":
            sender = Sender(str(event["user"]), "", str(body["event_id"]), "event")
            await front.event(sender, show_home)

    async def changed(body: dict[str, Any], event: dict[str, Any]) -> None:
        who = str(event["user"]["id"])
        await front.event(Sender(who, "", str(body["event_id"]), "event"), look_again)

    async def begun(ack: AsyncAck, body: dict[str, Any]) -> None:
        channel = (body.get("channel") or {}).get("id", "")
        sender = Sender(body["user"]["id"], channel, body["trigger_id"], "click")
        said = str((body.get("message") or {}).get("text") or "")
        await front.click(ack, sender, lambda visit: begin_campaign(visit, said))

    app.event("app_home_opened")(opened)
    app.event("user_change")(changed)
    app.shortcut({"type": "message_action", "callback_id": FROM_MESSAGE})(begun)


async def begin_campaign(visit: Visit, said: str) -> Json:
    """Open the campaign form with what a message says: its first line as label."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    words = read_marked(said)
    label = clip(words.partition("\n")[0].strip(), LABEL_CHARS)
    plan = CampaignPlan(label=label or None, description=clip(words, INPUT_CHARS) or None)
    await open_form(visit, plan)
    return NOTHING


async def look_again(visit: Visit) -> Json:
    """Have Slack asked about somebody who changed there: their zone, language, whether they left.

    What the event itself says may be older than what was asked since.
    """
    await Roster(visit.work.connection).changed(visit.sender.user, visit.work.now)
    return NOTHING


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
    asking = (state.requested_by for state in seen.approvals)
    people = await visit.store.people([*askers(seen.funds), *asking])
    return home_view(
        seen,
        people,
        visit.setting,
        now=visit.work.now,
        may_control=visit.known.may(Right.CONTROL_WORKFLOWS),
    )
