"""Composers by content, kept by a sender: a content never changes, its domain's keys may."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from services.delivery.compose import Composer
from services.delivery.dkim.keeping import signer_of
from services.delivery.settings import DeliverySettings
from services.delivery.store.attachments import AttachmentStore
from services.delivery.store.templates import TemplateStore
from shared.database import Pool

KEPT: Final = 200
KEYS_KEPT: Final = timedelta(seconds=60)
"""A DKIM key begins and ends signing so much later."""


class Composers:
    """The composers of a process."""

    def __init__(self, pool: Pool, settings: DeliverySettings) -> None:
        self._pool = pool
        self._settings = settings
        self._kept: dict[str, Composer] = {}
        self._read_at: dict[str, datetime] = {}

    async def of(self, template_hashes: Iterable[str], *, now: datetime) -> dict[str, Composer]:
        """Return composers by their content's hash.

        Raises:
            KeyError: no content has a hash.
            WrongSecret: a DKIM key of its domain cannot be read.
        """
        wanted = set(template_hashes)
        due = {one for one in wanted if one not in self._kept or self._is_old(one, now)}
        if due:
            if len(self._kept) >= KEPT:
                self._kept = {one: self._kept[one] for one in wanted & self._kept.keys()}
            async with self._pool.acquire() as connection:
                for one in due:
                    kept = self._kept.get(one)
                    content = kept.content if kept else await TemplateStore(connection).content(one)
                    domain = content.from_address.rpartition("@")[2].lower()
                    signer = await signer_of(connection, self._settings.secret, domain, now)
                    if kept is None:
                        hashes = {attached.sha256 for attached in content.attachments}
                        files = await AttachmentStore(connection).files(hashes) if hashes else {}
                        kept = self._kept[one] = Composer(content, self._settings, files=files)
                    kept.signer = signer
                    self._read_at[one] = now
        return {one: self._kept[one] for one in wanted}

    def _is_old(self, template_hash: str, now: datetime) -> bool:
        return abs(now - self._read_at[template_hash]) >= KEYS_KEPT
