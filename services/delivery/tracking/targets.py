"""Where a link leads: found from our own rows, never from what came with the request.

Contents and runs do not change once a mail has left, so what was read is kept in memory: links go
on working while the database is away, except those nobody followed before in this process.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar, cast
from uuid import UUID
from weakref import WeakKeyDictionary

from services.delivery.content.kitchen import KITCHEN
from services.delivery.domain.content import Content
from services.delivery.domain.runs import RunKind
from services.delivery.domain.tracking import MIRROR_NUMBER, EventKind, TrackedLink
from services.delivery.domain.urls import NotWeb, web_target, with_utm
from services.delivery.links import Link, last_day, token_of
from services.delivery.personal import variables
from services.delivery.rendering import BadTemplate
from services.delivery.settings import DeliverySettings
from services.delivery.store.templates import TemplateStore
from services.delivery.store.tracking import FollowedRun, TrackingStore
from services.delivery.tracking.personal_links import plain_links, target_of, utm_of
from services.delivery.tracking.tokens import Followed, Signed, tracking_key
from shared.service import Runtime

GOOD_FOR: Final = timedelta(days=366)
RUNS_KEPT: Final = 20_000
CONTENTS_KEPT: Final = 200

K = TypeVar("K")
V = TypeVar("V")


class NoTarget(Exception):
    """The link leads nowhere any more: its run, its content or its reader's data are gone."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send the reader.

    Attributes:
        logged: whether the event is still to be written: for a year after the run was asked for.
    """

    url: str
    logged: bool


class _Kept(Generic[K, V]):
    """The latest values that were asked for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)


class Targets:
    """The links of one service's process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = cast("DeliverySettings", runtime.settings)
        self._runs: _Kept[UUID, FollowedRun] = _Kept(RUNS_KEPT)
        self._contents: _Kept[str, Content] = _Kept(CONTENTS_KEPT)

    async def of_click(self, followed: Followed) -> Target:
        """Return where a clicked link leads.

        Raises:
            NoTarget: it leads nowhere, or to what is no web page.
        """
        run, content = await self._known(followed.run_id)
        link = _link(content, followed.number, EventKind.CLICK)
        values = await self._values(run, followed) if link.is_personal else {}
        try:
            url = await _target(link, values)
            utm = utm_of(content, self._settings, run.campaign_label)
            url = web_target(with_utm(url, utm) if utm else url)
        except (BadTemplate, NotWeb):
            raise NoTarget from None
        return Target(url, self._fresh(run))

    async def is_logged(self, followed: Followed) -> bool:
        """Whether an open of this message is still to be written.

        Raises:
            NoTarget: the message is of no run that follows opens.
        """
        run, content = await self._known(followed.run_id)
        _link(content, followed.number, EventKind.OPEN)
        return self._fresh(run)

    async def mirror(self, followed: Followed) -> str:
        """Return a recipient's message as a page: plain links, and nothing that follows.

        Raises:
            NoTarget: the recipient's data is gone, or it is over a year old.
        """
        run, content = await self._known(followed.run_id)
        _link(content, followed.number, EventKind.MIRROR)
        if not self._fresh(run):
            raise NoTarget
        values = await self._values(run, followed)
        values["mirror_url"] = self._mirror_url(followed)
        try:
            # Rendering may wait for a child.
            return await asyncio.to_thread(_page, content, values)
        except BadTemplate:
            raise NoTarget from None

    def _mirror_url(self, followed: Followed) -> str:
        key = tracking_key(self._settings.secret)
        signed = Signed(key, followed.run_id, followed.member_id, most=MIRROR_NUMBER)
        return f"{self._settings.public_url}/m/{signed.token(MIRROR_NUMBER)}"

    def _fresh(self, run: FollowedRun) -> bool:
        return run.asked_at > self._now - GOOD_FOR

    @property
    def _now(self) -> datetime:
        return self._runtime.clock.now()

    async def _values(self, run: FollowedRun, followed: Followed) -> dict[str, Any]:
        async with self._bounded(), self._runtime.pool.acquire() as connection:
            store = TrackingStore(connection)
            merge = await store.copy(followed.run_id, followed.member_id)
            key = await store.recipient_key(followed.run_id, followed.member_id)
        if merge is None:
            raise NoTarget
        url = ""
        if key is not None and run.kind is RunKind.CAMPAIGN:
            token = token_of(self._settings.secret, Link(key, run.run_id, last_day(self._now)))
            url = f"{self._settings.public_url}/u/{token}"
        return variables(
            merge, number=run.campaign_number, label=run.campaign_label, unsubscribe_url=url
        )

    async def _known(self, run_id: UUID) -> tuple[FollowedRun, Content]:
        run = self._runs.get(run_id)
        content = self._contents.get(run.template_hash or "") if run else None
        if run is None or content is None:
            run, content = await self._read(run_id)
        return run, content

    async def _read(self, run_id: UUID) -> tuple[FollowedRun, Content]:
        async with self._bounded(), self._runtime.pool.acquire() as connection:
            run = await TrackingStore(connection).run(run_id)
            if run is None or run.template_hash is None:
                raise NoTarget
            content = await TemplateStore(connection).content(run.template_hash)
        self._runs.put(run_id, run)
        self._contents.put(run.template_hash, content)
        return run, content

    def _bounded(self) -> asyncio.Timeout:
        return asyncio.timeout(self._settings.tracking_wait_seconds)


def _link(content: Content, number: int, kind: EventKind) -> TrackedLink:
    for link in content.links:
        if link.number == number and link.kind is kind:
            return link
    raise NoTarget


_TARGETS: WeakKeyDictionary[Runtime, Targets] = WeakKeyDictionary()


def targets_of(runtime: Runtime) -> Targets:
    """Return the links of a running service."""
    found = _TARGETS.get(runtime)
    if found is None:
        found = _TARGETS[runtime] = Targets(runtime)
    return found


async def _target(link: TrackedLink, values: dict[str, Any]) -> str:
    if not link.is_personal:
        return target_of(link, values)
    # Its template may wait for a child.
    return await asyncio.to_thread(target_of, link, values)


def _page(content: Content, values: dict[str, Any]) -> str:
    return KITCHEN.render(content, values | {"links": plain_links(content, values)}).html
