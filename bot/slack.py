"""Calls of Slack's Web API, their failures sorted by what is known afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.limits import Json
from bot.settings import BotSettings
from bot.teams import bare

CALL_SECONDS: Final = 10.0
EVENT_TYPE: Final = "muster_message"
CLOCKS_APART: Final = timedelta(minutes=10)
PAGES: Final = 5
PAGE: Final = 200
# The message itself is refused, or its place is gone: trying again cannot help.
_HOPELESS: Final = frozenset(
    (
        *("invalid_blocks", "invalid_blocks_format", "invalid_arguments", "msg_too_long"),
        *("no_text", "invalid_metadata_format", "invalid_metadata_schema", "thread_not_found"),
        *("message_not_found", "cant_update_message", "edit_window_closed", "cannot_dm_bot"),
        *("user_not_found", "user_disabled", "users_not_found"),
    )
)
# Slack says of these that some of the operation may have succeeded before they were raised.
_UNSURE: Final = frozenset(("internal_error", "fatal_error", "service_unavailable"))
NOT_THERE: Final = frozenset(
    ("channel_not_found", "not_in_channel", "user_not_in_channel", "is_archived")
)


class Denied(Exception):
    """Slack answered no; it surely did nothing."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error

    @property
    def hopeless(self) -> bool:
        """Whether the same call can never succeed."""
        return self.error in _HOPELESS


class Limited(Denied):
    """Slack asks to wait before the next call."""

    def __init__(self, seconds: float) -> None:
        super().__init__("ratelimited")
        self.seconds = seconds


class Lost(Exception):
    """No answer came, or one that says nothing: Slack may have done it or not."""


def _retry_after(response: Any) -> float:
    try:
        return max(1.0, float(response.headers.get("Retry-After", 1)))
    except (TypeError, ValueError):
        return 1.0


def _sorted_out(problem: SlackApiError) -> Exception:
    response = problem.response
    status = int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)
    if status == 429:
        return Limited(_retry_after(response))
    if status >= 500 or not isinstance(response, AsyncSlackResponse):
        return Lost(f"HTTP {status}")
    error = str(response.get("error", "unknown_error"))
    return Lost(error) if error in _UNSURE else Denied(error)


async def answered(call: Awaitable[AsyncSlackResponse]) -> Json:
    """Return Slack's answer.

    Raises:
        Limited: wait, and call again.
        Denied: refused; nothing was done.
        Lost: nobody knows whether it was done.
    """
    try:
        response = await call
    except SlackApiError as problem:
        raise _sorted_out(problem) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as problem:
        raise Lost(type(problem).__name__) from None
    return response.data if isinstance(response.data, dict) else {}


@asynccontextmanager
async def web_client(
    settings: BotSettings, token: str | None = None
) -> AsyncIterator[AsyncWebClient]:
    """Yield a client, by default of the bot's own workspace, that never calls twice by itself.

    slack_sdk repeats a call whose connection broke, which posts twice; and its own wait for a rate
    limit would hold a row's lease. Rows are tried again instead, after what Retry-After says.
    """
    own = settings.slack_bot_token
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield AsyncWebClient(
            token=token or (own.get_secret_value() if own else None),
            base_url=settings.slack_api_url,
            timeout=int(CALL_SECONDS),
            session=session,
            retry_handlers=[],
        )


class Places:
    """Where messages go: a channel's name or a person's id, as the id of a conversation."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    async def find(self, target: str) -> str:
        """Return the conversation of ``C…``, ``#name`` or ``U…``."""
        if target not in self._known:
            self._known[target] = await self._look(target)
        return self._known[target]

    def forget(self, target: str) -> None:
        """Look a place up anew the next time."""
        self._known.pop(target, None)

    async def _look(self, place: str) -> str:
        target = bare(place)
        if target.startswith("#"):
            return await self._named(target[1:])
        if target[:1] in {"U", "W"}:
            opened = await answered(self._client.conversations_open(users=target))
            return str(opened["channel"]["id"])
        return target

    async def _named(self, name: str) -> str:
        cursor = ""
        while True:
            page = await answered(
                self._client.conversations_list(
                    types="public_channel,private_channel",
                    exclude_archived=True,
                    limit=PAGE,
                    cursor=cursor,
                )
            )
            for channel in page["channels"]:
                if channel["name"] == name:
                    return str(channel["id"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                raise Denied("channel_not_found")


async def find_posted(
    client: AsyncWebClient, channel: str, key: str, *, since: datetime, thread_ts: str | None
) -> tuple[str, str] | None:
    """Return (ts, content hash) of a message posted with our key, looked up by its metadata."""
    oldest = str((since - CLOCKS_APART).timestamp())
    cursor = ""
    for _ in range(PAGES):
        options: dict[str, Any] = {
            "channel": channel,
            "oldest": oldest,
            "include_all_metadata": True,
            "limit": PAGE,
            "cursor": cursor,
        }
        call = (
            client.conversations_replies(ts=thread_ts, **options)
            if thread_ts
            else client.conversations_history(**options)
        )
        page = await answered(call)
        for message in page["messages"]:
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT_TYPE and payload.get("key") == key:
                return str(message["ts"]), str(payload.get("hash", ""))
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return None
