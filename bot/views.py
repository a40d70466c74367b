"""Submitted modals, and the options their selects offer while somebody types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.actions import no_longer_open, record_decision
from bot.fields import offered
from bot.form_reading import MANY, ONE
from bot.front import Front, Outcome, Sender, Visit
from bot.limits import OPTIONS, Json
from bot.linking import ACCOUNT, LINK, OPERATOR, submit_link, suggest_operators
from bot.modals import REASON, read_reason
from bot.stopping import ENDED, STOP, read_stop
from shared.rights import Right
from topics.campaign import CancelCampaign

REVIEWERS: Final = "reviewers"


def attach(app: AsyncApp, front: Front) -> None:
    """Register the modals and their selects."""

    async def reason(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await front.submission(
            ack, sender_of(body), lambda visit: give_reason(visit, view), first_field="reason"
        )

    async def stop(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await front.submission(
            ack, sender_of(body), lambda visit: stop_campaign(visit, view), first_field="reason"
        )

    async def link(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await front.submission(
            ack, sender_of(body), lambda visit: submit_link(visit, view), first_field=ACCOUNT
        )

    async def options(ack: AsyncAck, body: dict[str, Any]) -> None:
        kind, query = str(body["action_id"]), str(body.get("value") or "")
        await front.suggestion(ack, sender_of(body), lambda visit: suggest(visit, kind, query))

    app.view(REASON)(reason)
    app.view(STOP)(stop)
    app.view(LINK)(link)
    for name in (*ONE, *MANY, OPERATOR):
        app.options(name)(options)


def sender_of(body: dict[str, Any]) -> Sender:
    """Return who has a modal open; an option request has no trigger."""
    return Sender(body["user"]["id"], "", body.get("trigger_id", ""), "view")


async def give_reason(visit: Visit, view: Json) -> Outcome:
    """Record a request for changes or a rejection with its reason."""
    refusal = visit.refusal(Right.APPROVE)
    if refusal:
        return {"reason": str(refusal["text"])}
    target, decision, channel, reason = read_reason(view)
    if reason is None:
        return {"reason": visit.say("reason_missing")}
    state = await visit.store.approval(target.approval_id)
    closed = await no_longer_open(visit, state, target, by_name=True)
    if closed:
        return {"reason": closed.replace("*", "")}
    await record_decision(visit, target, decision, reason=reason, channel=channel)
    return {}


async def stop_campaign(visit: Visit, view: Json) -> Outcome:
    """Stop a campaign, after its effect was read."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return {"reason": str(refusal["text"])}
    campaign_id, channel, reason = read_stop(view)
    state = await visit.store.campaign(campaign_id)
    if state is not None and state.status in ENDED:
        name = f"C-{state.number}"
        return {"reason": visit.say("ended_already", campaign=name)}
    if await visit.memory.take(f"view:{view['id']}", visit.work.now):
        ask = replace(visit.ask, channel=channel)
        await visit.memory.ask(str(campaign_id), ask, visit.work.now)
        visit.work.emit(CancelCampaign(campaign_id=campaign_id, actor=visit.actor, reason=reason))
    return {}


async def suggest(visit: Visit, kind: str, query: str) -> list[Json]:
    """Return what a select offers for a query; nothing to who may not use it."""
    if kind == OPERATOR:
        return await suggest_operators(visit, query)
    if visit.refusal(Right.MANAGE_CAMPAIGNS):
        return []
    if kind == REVIEWERS:
        found = await visit.choices.reviewers(query, OPTIONS)
    else:
        found = await visit.choices.like(kind, query, OPTIONS)
    return offered([(choice.id, choice.label) for choice in found])
