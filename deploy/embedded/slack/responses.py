"""Response URLs: five answers to one command or click, within thirty minutes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.embedded.slack.calls import Args, Context, Refused
from deploy.embedded.slack.methods.chat import post, read_content
from deploy.embedded.slack.seed import Channel
from deploy.embedded.slack.wire import Content, Ephemeral, Json, Version

USES = 5
SECONDS = 1800.0


@dataclass(slots=True)
class _Reply:
    user: str
    channel: Channel
    ts: str | None
    issued_at: float
    left: int = USES


class Responses:
    """The response URLs handed out, and what is posted to them."""

    def __init__(self, ctx: Context, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ctx = ctx
        self._monotonic = monotonic
        self._replies: dict[str, _Reply] = {}

    def issue(self, user: str, channel: Channel, ts: str | None = None) -> str:
        """Return a URL to answer ``user`` in ``channel``; ``ts`` is the message clicked on."""
        key = self._ctx.state.make_id("R")
        self._replies[key] = _Reply(user, channel, ts, self._monotonic())
        return f"{self._ctx.url}/response/{key}"

    def post(self, key: str, body: Json) -> None:
        """Take an answer posted to a URL; raise ``Refused`` where Slack would."""
        reply = self._replies.get(key)
        if reply is None:
            raise Refused("invalid_url")
        if not reply.left or self._monotonic() - reply.issued_at > SECONDS:
            raise Refused("used_url" if not reply.left else "expired_url")
        reply.left -= 1
        if body.get("delete_original"):
            self._delete(reply)
        else:
            self.reply(reply.user, reply.channel, body, ts=reply.ts)

    def reply(self, user: str, channel: Channel, body: Json, *, ts: str | None = None) -> None:
        """Show an answer: in the channel, to the user alone, or in place of a message."""
        content = read_content(Args(body), self._ctx.state)
        if body.get("replace_original") and ts:
            self._replace(channel, ts, content)
        elif body.get("response_type") == "in_channel":
            post(self._ctx, channel, content)
        else:
            state = self._ctx.state
            state.put_ephemeral(
                Ephemeral(channel=channel.id, ts=state.next_ts(), user=user, content=content)
            )

    def _replace(self, channel: Channel, ts: str, content: Content) -> None:
        state = self._ctx.state
        message = state.message(channel.id, ts)
        if message is None:
            raise Refused("message_not_found")
        version = Version(at=state.clock(), content=content)
        versions = [*message.versions, version]
        state.put_message(message.model_copy(update={"versions": versions}))

    def _delete(self, reply: _Reply) -> None:
        state = self._ctx.state
        message = state.message(reply.channel.id, reply.ts or "")
        if message is not None:
            state.put_message(message.model_copy(update={"deleted_at": state.clock()}))
