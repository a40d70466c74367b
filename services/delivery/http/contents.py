"""Contents by hash and the text they make for a recipient; kept, as a content never changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from services.delivery.content.kitchen import KITCHEN
from services.delivery.domain.content import Content
from services.delivery.personal import variables
from services.delivery.store.sending import Claimed
from services.delivery.store.templates import TemplateStore
from shared.database import Pool

KEPT: Final = 200


class Contents:
    """The contents that the senders of a channel use."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._kept: dict[str, Content] = {}

    async def of(self, template_hashes: Iterable[str]) -> dict[str, Content]:
        """Return contents by hash.

        Raises:
            KeyError: there is none of a hash.
        """
        wanted = set(template_hashes)
        due = wanted - self._kept.keys()
        if due:
            if len(self._kept) >= KEPT:
                self._kept = {one: self._kept[one] for one in wanted & self._kept.keys()}
            async with self._pool.acquire() as connection:
                for one in due:
                    content = await TemplateStore(connection).content(one)
                    self._kept[one] = text_alone(content)
        return {one: self._kept[one] for one in wanted}


def text_alone(content: Content) -> Content:
    """Return a content without what these channels leave out, so that it is not rendered."""
    return replace(content, subject="", html="")


def text_of(content: Content, row: Claimed) -> str:
    """Return the text of a message for its recipient, plain.

    An author's template may take seconds before it is given up: call it in a thread.

    Raises:
        BadTemplate: a value is missing or does not fit; the field is named.
    """
    if not content.text.strip():
        return ""
    values = variables(row.merge, number=None, label="", unsubscribe_url="")
    return KITCHEN.render(content, values).text.strip()
