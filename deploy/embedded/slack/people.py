"""People at work in the workspace: each deed becomes a payload, and the app's ack takes effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.embedded.slack import asks, payloads
from deploy.embedded.slack.calls import Context, Refused
from deploy.embedded.slack.courier import Courier
from deploy.embedded.slack.deliveries import Kind
from deploy.embedded.slack.elements import options_of, suggestion
from deploy.embedded.slack.inputs import (
    EXTERNAL,
    choose,
    filled,
    find_element,
    require_complete,
)
from deploy.embedded.slack.methods.views import shown as shown_view
from deploy.embedded.slack.places import (
    Surroundings,
    UnknownName,
    find_action,
    look,
    require_told,
)
from deploy.embedded.slack.responses import Responses
from deploy.embedded.slack.seed import Channel, Person
from deploy.embedded.slack.submissions import settle_submission
from deploy.embedded.slack.wire import Ack, Content, Json, Message, Version


@dataclass(frozen=True, slots=True)
class People:
    """Does what people do; every method sends one payload and returns what became of it."""

    ctx: Context
    courier: Courier
    responses: Responses

    def _person(self, who: str) -> Person:
        person = self.ctx.state.person(who)
        if person is None:
            names = ", ".join(p.name for p in self.ctx.state.rows.people.values())
            raise UnknownName(f"no member is called {who!r}; there are: {names}")
        return person

    def _channel(self, which: str) -> Channel:
        channel = self.ctx.state.channel(which)
        if channel is None:
            raise UnknownName(f"no channel is called {which!r}")
        return channel

    def _base(self, person: Person, kind: str) -> Json:
        return payloads.by_person(self.ctx.state.seed, person, kind)

    async def slash(self, deed: asks.Slash) -> Ack:
        """Type a command; a reply in the ack is shown to the person or in the channel."""
        person, channel = self._person(deed.user), self._channel(deed.channel)
        seed = self.ctx.state.seed
        payload = payloads.slash_command(seed, person, channel, deed.command, deed.text)
        payload["response_url"] = self.responses.issue(person.id, channel)
        payload["trigger_id"] = self.ctx.triggers.issue(person.id)

        def settle(ack: Ack) -> Ack:
            if not ack.payload or not (ack.payload.get("text") or ack.payload.get("blocks")):
                return ack
            try:
                self.responses.reply(person.id, channel, ack.payload)
            except Refused as refusal:
                return ack.model_copy(update={"problem": f"Slack refuses the reply: {refusal}"})
            return ack

        return await self.courier.send(
            Kind.SLASH, payload, answers=True, settle=settle, forgery=deed.forgery
        )

    async def click(self, deed: asks.Click) -> Ack:
        """Press a button or pick a value; in a view the value stays picked."""
        person = self._person(deed.user)
        around = look(self.ctx, deed.place, person)
        if around.view is not None:
            around = await self._typed(around, person, deed.values)
        block, element = find_action(around.blocks, deed.action_id, deed.block_id, deed.value)
        require_told(block)
        offered = await self._offered(person, around, block, element, deed.value)
        ts = self.ctx.state.next_ts()
        done = payloads.action(block, element, deed.value, offered=offered, ts=ts)
        if around.view is not None and element["type"] not in {"button", "overflow"}:
            around = self._keep(
                around, block, element, filled(element, deed.value, offered=offered)
            )
        payload = {
            **self._base(person, "block_actions"),
            **around.payload(self.ctx),
            "trigger_id": self.ctx.triggers.issue(person.id),
            "actions": [done],
        }
        if around.channel is not None:
            url = self.responses.issue(person.id, around.channel, around.ts)
            payload["response_url"] = url
        return await self.courier.send(Kind.INTERACTIVE, payload, forgery=deed.forgery)

    async def _typed(self, around: Surroundings, person: Person, values: Json) -> Surroundings:
        for key, value in values.items():
            block, element = find_element(around.blocks, key)
            offered = await self._offered(person, around, block, element, value)
            around = self._keep(around, block, element, filled(element, value, offered=offered))
        return around

    def _keep(
        self,
        around: Surroundings,
        block: Mapping[str, Any],
        element: Mapping[str, Any],
        state: Json,
    ) -> Surroundings:
        """Return the surroundings with a field of the view filled in, and remember it."""
        view = around.view
        if view is None:
            return around
        of_block = {**view.values.get(block["block_id"], {}), element["action_id"]: state}
        values = {**view.values, block["block_id"]: of_block}
        kept = self.ctx.state.put_view(view.model_copy(update={"values": values}))
        return around.with_view(kept)

    async def _offered(
        self,
        person: Person,
        around: Surroundings,
        block: Mapping[str, Any],
        element: Mapping[str, Any],
        value: Any,
    ) -> list[Mapping[str, Any]] | None:
        """Return what an external select offers for the values wanted; None for other kinds."""
        if element["type"] not in EXTERNAL or value is None:
            return None
        found: list[Mapping[str, Any]] = []
        for wanted in value if isinstance(value, list) else [value]:
            found += await self._look_for(person, around, block, element, wanted)
        return found

    async def _look_for(
        self,
        person: Person,
        around: Surroundings,
        block: Mapping[str, Any],
        element: Mapping[str, Any],
        wanted: Any,
    ) -> list[Mapping[str, Any]]:
        """Type what is wanted, then nothing, until the app offers it."""
        text = str(wanted.get("value") if isinstance(wanted, dict) else wanted)
        offered: list[Mapping[str, Any]] = []
        for query in (text, ""):
            if len(query) < int(element.get("min_query_length", 3)) and query != text:
                continue
            ack = await self._ask(person, around, block, element, query)
            offered = options_of(ack.payload or {})
            if any(text in (o["value"], o["text"]["text"]) for o in offered) or query == "":
                break
        return [choose(offered, wanted, str(element["action_id"]))]

    async def _ask(
        self,
        person: Person,
        around: Surroundings,
        block: Mapping[str, Any],
        element: Mapping[str, Any],
        query: str,
    ) -> Ack:
        payload = {
            **self._base(person, "block_suggestion"),
            **around.payload(self.ctx),
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "value": query,
        }

        def settle(ack: Ack) -> Ack:
            faults = list(suggestion(ack.payload or {}, "")) if ack.acknowledged else []
            if not faults:
                return ack
            return ack.model_copy(update={"payload": None, "problem": "; ".join(faults)})

        return await self.courier.send(Kind.INTERACTIVE, payload, answers=True, settle=settle)

    async def suggest(self, deed: asks.Suggest) -> Ack:
        """Type in an external select; the ack's payload holds the options."""
        person = self._person(deed.user)
        around = look(self.ctx, deed.place, person)
        block, element = find_action(around.blocks, deed.action_id, deed.block_id, None)
        return await self._ask(person, around, block, element, deed.query)

    async def submit(self, deed: asks.Submit) -> Ack:
        """Fill in a modal and submit it; the ack closes it, changes it or shows its errors."""
        person = self._person(deed.user)
        around = look(self.ctx, asks.Place(view_id=deed.view_id), person)
        around = await self._typed(around, person, deed.values)
        view = around.opened_view()
        require_complete(view.blocks, view.values)
        state = self.ctx.state
        payload = {
            **self._base(person, "view_submission"),
            "trigger_id": self.ctx.triggers.issue(person.id),
            "view": shown_view(state, view),
            "response_urls": [],
        }
        return await self.courier.send(
            Kind.INTERACTIVE,
            payload,
            answers=True,
            settle=lambda ack: settle_submission(state, view, ack),
            forgery=deed.forgery,
        )

    async def close(self, deed: asks.Close) -> Ack:
        """Close a modal; the app hears of it only where it asked to."""
        person = self._person(deed.user)
        view = look(self.ctx, asks.Place(view_id=deed.view_id), person).opened_view()
        cleared = bool(view.given.get("clear_on_close"))
        depth = [v.id for v in self.ctx.state.stack(person.id)].index(view.id)
        self.ctx.state.close_views(person.id, keep=0 if cleared else depth)
        if not view.given.get("notify_on_close"):
            return Ack(acknowledged=True, delivery_id="")
        payload = {
            **self._base(person, "view_closed"),
            "view": shown_view(self.ctx.state, view),
            "is_cleared": cleared,
        }
        return await self.courier.send(Kind.INTERACTIVE, payload, forgery=deed.forgery)

    async def shortcut(self, deed: asks.Shortcut) -> Ack:
        """Use a shortcut."""
        person = self._person(deed.user)
        kind = "message_action" if deed.place else "shortcut"
        payload = {
            **self._base(person, kind),
            "callback_id": deed.callback_id,
            "action_ts": self.ctx.state.next_ts(),
            "trigger_id": self.ctx.triggers.issue(person.id),
        }
        if deed.place:
            around = look(self.ctx, deed.place, person)
            payload |= around.payload(self.ctx) | {"message_ts": around.ts}
        return await self.courier.send(Kind.INTERACTIVE, payload, forgery=deed.forgery)

    async def open_home(self, deed: asks.OpenHome) -> Ack:
        """Open the app's Home tab: an ``app_home_opened`` event."""
        person, state = self._person(deed.user), self.ctx.state
        event: Json = {
            "type": "app_home_opened",
            "user": person.id,
            "channel": state.direct_channel([person.id]).id,
            "tab": deed.tab,
            "event_ts": state.next_ts(),
        }
        home = state.home(person.id)
        if home is not None:
            event["view"] = shown_view(state, home)
        return await self.happen(asks.Happen(event=event, forgery=deed.forgery))

    async def say(self, deed: asks.Say) -> Ack:
        """Write a message in a channel."""
        person, channel, state = (
            self._person(deed.user),
            self._channel(deed.channel),
            self.ctx.state,
        )
        version = Version(at=state.clock(), content=Content(text=deed.text))
        message = state.put_message(
            Message(channel=channel.id, ts=state.next_ts(), user=person.id, versions=[version])
        )
        if not deed.notify:
            return Ack(acknowledged=True, delivery_id="")
        event: Json = {
            "type": "message",
            "channel": channel.id,
            "channel_type": "im" if channel.direct else "channel",
            "user": person.id,
            "text": deed.text,
            "ts": message.ts,
            "event_ts": message.ts,
        }
        return await self.happen(asks.Happen(event=event, forgery=deed.forgery))

    async def happen(self, deed: asks.Happen) -> Ack:
        """Send an event."""
        state = self.ctx.state
        now = int(state.clock().timestamp())
        payload = payloads.event_callback(state.seed, deed.event, state.make_id("Ev"), now)
        return await self.courier.send(Kind.EVENT, payload, forgery=deed.forgery)
