"""The mail catcher as the demo uses it: told to misbehave, and looked into as readers do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any, Final
from urllib.parse import urljoin, urlsplit
from uuid import UUID

import httpx

from deploy.embedded.mail.faults import FaultRule, FaultScript
from services.cli.demo.telling import Stuck

BROWSER: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 reader/{number}"
)
MACHINE: Final = "Mozilla/5.0 (compatible; GoogleImageProxy)"
_LINKS: Final = re.compile(r"""(?:href|src)="(https?://[^"]+)\"""")


@dataclass(frozen=True, slots=True)
class Caught:
    """A mail that was caught: its envelope sender, its Message-ID, its HTML."""

    mail_from: str
    message_id: str
    html: str

    def link(self, kind: str) -> str:
        """Return the first link of a kind (``o``, ``t``, ``m`` or ``u``), as Muster serves them.

        Raises:
            Stuck: the mail has none.
        """
        for found in _LINKS.findall(self.html):
            url = unescape(found)
            if urlsplit(url).path.startswith(f"/{kind}/"):
                return url
        raise Stuck(f"a mail has no link /{kind}/…")


class Mailbox:
    """The catcher's mails and its faults, over HTTP."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._api = urljoin(url, "/api/")

    async def find(self, run_id: UUID, address: str) -> Caught:
        """Return the mail of a run to somebody.

        Raises:
            Stuck: it was not caught.
        """
        found = await self._get("messages", to=address, limit=1000)
        for mail in reversed(found["messages"]):
            if mail["message_id"].startswith(f"<{run_id.hex}."):
                detail = await self._get(f"messages/{mail['id']}")
                return Caught(detail["mail_from"], detail["message_id"], detail["html"])
        raise Stuck("a mail that was sent is not in the catcher")

    @asynccontextmanager
    async def misbehaving(self, rules: Sequence[FaultRule]) -> AsyncIterator[None]:
        """Let the catcher play a fault script while the block lasts."""
        await self._play(FaultScript(rules=tuple(rules)))
        try:
            yield
        finally:
            await self._play(FaultScript())

    async def hits(self) -> list[int]:
        """Return how often each rule of the script has hit."""
        found: list[int] = (await self._get("faults"))["hits"]
        return found

    async def _play(self, script: FaultScript) -> None:
        answer = await self._client.put(
            urljoin(self._api, "faults"), content=script.model_dump_json()
        )
        answer.raise_for_status()

    async def _get(self, path: str, **query: str | int) -> dict[str, Any]:
        answer = await self._client.get(urljoin(self._api, path), params=query)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


async def follow(client: httpx.AsyncClient, url: str, agent: str, *, expected: int = 200) -> None:
    """Fetch a link as a program would; a redirect is not followed: it leads out of the demo.

    Raises:
        Stuck: the answer is another one.
    """
    answer = await client.get(url, headers={"User-Agent": agent})
    if answer.status_code != expected:
        kind = urlsplit(url).path[:3]
        raise Stuck(f"a link {kind}… was answered with {answer.status_code}, not {expected}")
