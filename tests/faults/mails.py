"""The mails that reached the catcher, of one world alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import httpx

PAGE = 1_000


@dataclass
class Sink:
    """Counts mails by their Message-ID; a ledger row keeps its own whenever it is sent.

    Attributes:
        url: the mail catcher's.
        suffix: how the addresses of this world end, such as ``@t1.example``.
    """

    url: str
    suffix: str
    last_id: int = 0
    by_message: Counter[str] = field(default_factory=Counter)
    recipients: dict[str, str] = field(default_factory=dict)

    async def begin(self) -> None:
        """Leave out what was caught before now."""
        await self.read()
        self.by_message.clear()
        self.recipients.clear()

    async def read(self) -> Counter[str]:
        """Return how often each message was caught, by Message-ID."""
        async with httpx.AsyncClient(timeout=20, verify=False) as client:
            while await self._page(client):
                pass
        return self.by_message

    async def _page(self, client: httpx.AsyncClient) -> bool:
        response = await client.get(
            f"{self.url}/api/messages", params={"since_id": self.last_id, "limit": PAGE}
        )
        found = response.raise_for_status().json()["messages"]
        for mail in found:
            self.last_id = max(self.last_id, mail["id"])
            if mail["recipients"][0].endswith(self.suffix):
                self.by_message[mail["message_id"]] += 1
                self.recipients[mail["message_id"]] = mail["recipients"][0]
        return len(found) == PAGE
