"""The driver: does what people do in a stub workspace, in this process or another one."""

from collections.abc import Mapping
from typing import Any

from deploy.embedded.slack import asks
from deploy.embedded.slack.faults import Fault, FaultKind, Pace
from deploy.embedded.slack.seed import Person
from deploy.embedded.slack.watcher import DriverError, Watcher
from deploy.embedded.slack.wire import Ack, Ephemeral, Forgery, Json, Message, View, Wire


def _place(where: Message | Ephemeral | View) -> asks.Place:
    if isinstance(where, View):
        return asks.Place(view_id=where.id)
    if isinstance(where, Ephemeral):
        return asks.Place(channel=where.channel, ts=where.ts)
    return asks.Place(channel=where.channel, ts=where.ts, version=len(where.versions) - 1)


class Workspace(Watcher):
    """Drives the stub at ``url`` (with or without ``/api/``); people go by id or name.

    Deeds return the ``Ack`` of the one payload they send. ``InputRefused`` means Slack's own
    client would not have sent it (an empty required field, a choice that is not offered).
    """

    async def _do(self, deed: str, ask: Wire) -> Ack:
        return Ack.model_validate(await self._tell(f"do/{deed}", ask))

    # What people do

    async def slash(
        self,
        user: str,
        command: str,
        text: str = "",
        channel: str = "#campaigns",
        *,
        forgery: Forgery | None = None,
    ) -> Ack:
        """Type a slash command; a reply in the ack is kept as a message or ephemeral."""
        deed = asks.Slash(user=user, command=command, text=text, channel=channel, forgery=forgery)
        return await self._do("slash", deed)

    async def click(
        self,
        user: str,
        where: Message | Ephemeral | View,
        action_id: str,
        block_id: str | None = None,
        value: Any = None,
        *,
        values: Mapping[str, Any] | None = None,
        forgery: Forgery | None = None,
    ) -> Ack:
        """Press the button with this action id or text, or pick ``value`` in another element.

        The button is looked for in the version of the message that ``where`` holds, so an old
        one shows what a click on an outdated card does. ``values`` fills other fields of a view.
        """
        deed = asks.Click(
            user=user,
            place=_place(where),
            action_id=action_id,
            block_id=block_id,
            value=value,
            values=dict(values or {}),
            forgery=forgery,
        )
        return await self._do("click", deed)

    async def submit(
        self,
        user: str,
        view: View,
        values: Mapping[str, Any] | None = None,
        *,
        forgery: Forgery | None = None,
    ) -> Ack:
        """Fill in a modal and submit it; ``ack.errors`` holds the errors the app answered.

        Keys are ``block_id.action_id``, or either alone where that is clear; values are text,
        an option's value or text, a list of those, a date, a time, an aware datetime, or None.
        """
        deed = asks.Submit(user=user, view_id=view.id, values=dict(values or {}), forgery=forgery)
        return await self._do("submit", deed)

    async def close(self, user: str, view: View, *, forgery: Forgery | None = None) -> Ack:
        """Close a modal by its cross; sends ``view_closed`` where the app asked for it."""
        return await self._do("close", asks.Close(user=user, view_id=view.id, forgery=forgery))

    async def suggest(
        self, user: str, where: Message | View, action_id: str, query: str = ""
    ) -> list[Json]:
        """Type in an external select and return the options offered."""
        deed = asks.Suggest(user=user, place=_place(where), action_id=action_id, query=query)
        ack = await self._do("suggest", deed)
        if not ack.acknowledged or ack.problem:
            raise DriverError(f"no options for {action_id}: {ack.problem}")
        payload = ack.payload or {}
        groups = payload.get("option_groups") or [{"options": payload.get("options", [])}]
        return [option for group in groups for option in group["options"]]

    async def shortcut(self, user: str, callback_id: str, message: Message | None = None) -> Ack:
        """Use a global shortcut, or one on a message."""
        place = _place(message) if message else None
        deed = asks.Shortcut(user=user, callback_id=callback_id, place=place)
        return await self._do("shortcut", deed)

    async def home_opened(self, user: str, *, forgery: Forgery | None = None) -> Ack:
        """Open the app's Home tab."""
        return await self._do("open_home", asks.OpenHome(user=user, forgery=forgery))

    async def say(self, user: str, channel: str, text: str, *, notify: bool = False) -> Ack:
        """Write a message; ``notify`` sends the app the ``message`` event."""
        deed = asks.Say(user=user, channel=channel, text=text, notify=notify)
        return await self._do("say", deed)

    async def event(self, event: Json, *, forgery: Forgery | None = None) -> Ack:
        """Send any event, wrapped as the Events API wraps it."""
        return await self._do("happen", asks.Happen(event=event, forgery=forgery))

    # What Slack does by itself

    async def redeliver(
        self, delivery: Ack | str | None = None, *, attempt: int = 0, reason: str | None = None
    ) -> Ack:
        """Send a payload again under the same envelope id (the last one by default)."""
        delivery_id = delivery.delivery_id if isinstance(delivery, Ack) else delivery
        ask = asks.Again(delivery_id=delivery_id, attempt=attempt, reason=reason)
        return Ack.model_validate(await self._tell("again", ask))

    async def replay(self) -> Ack:
        """Send the last HTTP request again, byte for byte, signature included."""
        return Ack.model_validate(await self._tell("replay"))

    async def verify_url(self) -> Ack:
        """Check the request URL with a ``url_verification`` challenge."""
        return Ack.model_validate(await self._tell("verify"))

    async def disconnect(self, reason: str = "refresh_requested") -> int:
        """Ask the app's connections to leave; return how many there were."""
        return int((await self._tell(f"disconnect/{reason}"))["connections"])

    async def drop_connections(self) -> int:
        """Cut the app's connections without a word; return how many there were."""
        return await self.disconnect("drop")

    async def use_http(self, request_url: str) -> None:
        """Send payloads to a request URL from now on."""
        await self._tell("mode", asks.Mode(request_url=request_url))

    async def use_sockets(self) -> None:
        """Send payloads by Socket Mode from now on."""
        await self._tell("mode", asks.Mode())

    async def wait_at_most(self, ack_seconds: float) -> None:
        """Set how long Slack waits for an ack."""
        await self._tell("timing", asks.Timing(ack_seconds=ack_seconds))

    async def redeliver_after(self, *seconds: float) -> None:
        """Send unacknowledged payloads again after these pauses; none stops it."""
        await self._tell("timing", asks.Timing(redelivery_seconds=list(seconds)))

    # Faults of the Web API

    async def rate_limit(self, method: str, *, times: int = 1, retry_after: float = 1) -> None:
        """Answer the next calls of a method with 429 and ``Retry-After``."""
        kind = FaultKind.RATE_LIMITED
        await self._tell("fault", Fault(kind=kind, method=method, times=times, seconds=retry_after))

    async def lose_answers(self, method: str, *, times: int = 1) -> None:
        """Carry out the next calls of a method, then cut the connection."""
        await self._tell("fault", Fault(kind=FaultKind.LOST, method=method, times=times))

    async def slow_answers(self, method: str, seconds: float, *, times: int = 1) -> None:
        """Take ``seconds`` before the next calls of a method."""
        kind = FaultKind.SLOW
        await self._tell("fault", Fault(kind=kind, method=method, times=times, seconds=seconds))

    async def fail(
        self, method: str, error: str, *, times: int = 1, after_all: bool = False
    ) -> None:
        """Answer the next calls of a method with an error code; ``after_all`` they are done."""
        kind = FaultKind.HALF if after_all else FaultKind.ERROR
        await self._tell("fault", Fault(kind=kind, method=method, times=times, error=error))

    async def keep_pace(
        self, method: str, *, per_second: float = 1.0, burst: int = 1, per_channel: bool = True
    ) -> None:
        """Refuse calls above this pace, as Slack does (one post a second in a channel)."""
        pace = Pace(method=method, per_second=per_second, burst=burst, per_channel=per_channel)
        await self._tell("pace", pace)

    async def no_faults(self) -> None:
        """Forget every scripted fault and pace."""
        await self._tell("calm")

    # People who come, go and sleep

    async def change_member(self, user: str, **fields: Any) -> Person:
        """Set fields of a member: ``deleted=True``, ``snoozed=True``, ``locale=…``, ``tz=…``."""
        body = await self._tell("member", asks.Change(user=user, fields=fields))
        return Person.model_validate(body)

    async def add_member(self, person: Person) -> None:
        """Take in a new member, in every channel."""
        await self._tell("arrival", asks.Arrive(person=person))
