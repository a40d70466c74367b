"""Looking at a stub workspace and waiting for what comes, over its control endpoints."""

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from pydantic import TypeAdapter

from deploy.embedded.slack.inputs import InputRefused
from deploy.embedded.slack.render import render_text
from deploy.embedded.slack.wire import Ephemeral, Json, Message, StoredFile, View, Wire

T = TypeVar("T")
R = TypeVar("R", Message, Ephemeral, View, StoredFile)
WAIT_SECONDS = 10.0
_POLL_SECONDS = 5.0


class DriverError(RuntimeError):
    """The stub refused what the driver asked for; the message says why."""


class WaitedInVain(TimeoutError):
    """What was waited for did not come in time; the message says what there was instead."""


class Watcher:
    """Reads the workspace at ``url``; every wait is for a condition and has an end."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/").removesuffix("/api")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close_session()

    async def close_session(self) -> None:
        """Close the driver's own connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(self, verb: str, path: str, **options: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        address = f"{self.url}/control/{path}"
        async with self._session.request(verb, address, **options) as answer:
            body = await answer.json()
            if answer.status == 422:
                raise InputRefused(body["error"])
            if answer.status != 200:
                raise DriverError(f"{path}: {body['error']}")
            return body

    async def _tell(self, path: str, ask: Wire | None = None) -> Any:
        body = ask.model_dump_json() if ask else "{}"
        headers = {"Content-Type": "application/json"}
        return await self._call("POST", path, data=body, headers=headers)

    async def _rows(self, path: str, kind: type[R], **query: str) -> list[R]:
        body = await self._call("GET", path, params=query)
        return TypeAdapter(list[kind]).validate_python(body)  # type: ignore[valid-type]

    async def about(self) -> Json:
        """Return who is there, how the app is reached, and its connections."""
        body: Json = await self._call("GET", "about")
        return body

    async def messages(self, channel: str | None = None) -> list[Message]:
        """Return a channel's messages (``#name``, id, or a person for their direct channel)."""
        query = {"channel": channel} if channel else {}
        return await self._rows("messages", Message, **query)

    async def ephemerals(self, user: str) -> list[Ephemeral]:
        """Return what one user alone was told."""
        return await self._rows("ephemerals", Ephemeral, user=user)

    async def views(self, user: str) -> list[View]:
        """Return a user's open modals, the one on top last."""
        return await self._rows("views", View, user=user)

    async def home(self, user: str) -> View | None:
        """Return a user's Home tab."""
        found = await self._rows("views", View, user=user, home="1")
        return found[0] if found else None

    async def files(self) -> list[StoredFile]:
        """Return the files uploaded."""
        return await self._rows("files", StoredFile)

    async def wait_until(
        self, look: Callable[[], Awaitable[T | None]], what: str, timeout: float = WAIT_SECONDS
    ) -> T:
        """Return what ``look`` finds; it looks again after every change in the workspace."""
        deadline = time.monotonic() + timeout
        while True:
            seen = (await self._call("GET", "changes"))["changes"]
            found = await look()
            if found is not None:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitedInVain(f"no {what} within {timeout:g} s; {await self._scene()}")
            query = {"since": str(seen), "timeout": f"{min(left, _POLL_SECONDS):.3f}"}
            await self._call("GET", "changes", params=query)

    async def _scene(self) -> str:
        about, rows = await self.about(), await self.messages()
        last = f"the last message is {rows[-1].text[:120]!r}" if rows else "no message was posted"
        return f"{about['connected']} connection(s), {len(rows)} message(s), {last}"

    async def wait_for_message(
        self,
        contains: str = "",
        channel: str | None = None,
        timeout: float = WAIT_SECONDS,
        *,
        where: Callable[[Message], bool] | None = None,
        after: Message | None = None,
    ) -> Message:
        """Return the newest message of the app that holds ``contains`` and passes ``where``.

        The text and the rendered blocks of the current version are searched; ``after`` leaves
        out that message and the older ones.
        """

        async def look() -> Message | None:
            for row in reversed(await self.messages(channel)):
                late = after is None or row.ts > after.ts
                if row.by_app and late and _holds(row, contains) and (not where or where(row)):
                    return row
            return None

        return await self.wait_until(look, f"message with {contains!r}", timeout)

    async def wait_for_update(
        self, message: Message, contains: str = "", timeout: float = WAIT_SECONDS
    ) -> Message:
        """Return the message once it has a later version than the one given, with this in it."""

        async def look() -> Message | None:
            for row in await self.messages(message.channel):
                newer = len(row.versions) > len(message.versions)
                if row.ts == message.ts and newer and _holds(row, contains):
                    return row
            return None

        return await self.wait_until(look, f"update with {contains!r}", timeout)

    async def wait_for_ephemeral(
        self, user: str, contains: str = "", timeout: float = WAIT_SECONDS
    ) -> Ephemeral:
        """Return the newest message that only ``user`` sees and that holds ``contains``."""

        async def look() -> Ephemeral | None:
            rows = [row for row in await self.ephemerals(user) if _holds(row, contains)]
            return rows[-1] if rows else None

        return await self.wait_until(look, f"ephemeral with {contains!r} for {user}", timeout)

    async def wait_for_view(
        self,
        user: str,
        timeout: float = WAIT_SECONDS,
        *,
        contains: str = "",
        callback_id: str | None = None,
        after: View | None = None,
    ) -> View:
        """Return the modal on top for a user; ``after`` waits for another one or a newer state."""

        async def look() -> View | None:
            for view in reversed(await self.views(user)):
                fresh = after is None or (view.id, view.hash) != (after.id, after.hash)
                named = callback_id in (None, view.callback_id)
                return view if fresh and named and _holds(view, contains) else None
            return None

        return await self.wait_until(look, f"view with {contains!r} for {user}", timeout)

    async def wait_for_home(
        self, user: str, contains: str = "", timeout: float = WAIT_SECONDS
    ) -> View:
        """Return a user's Home tab once it is published and holds ``contains``."""

        async def look() -> View | None:
            view = await self.home(user)
            return view if view and _holds(view, contains) else None

        return await self.wait_until(look, f"Home tab with {contains!r} for {user}", timeout)

    async def wait_for_connection(self, count: int = 1, timeout: float = WAIT_SECONDS) -> None:
        """Return once the app has ``count`` Socket Mode connections or more."""

        async def look() -> bool | None:
            return (await self.about())["connected"] >= count or None

        await self.wait_until(look, f"{count} connection(s)", timeout)


def _holds(row: Message | Ephemeral | View, wanted: str) -> bool:
    text = "" if isinstance(row, View) else row.text
    return wanted in text or wanted in render_text(row)
