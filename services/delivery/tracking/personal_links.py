"""What a content's ``links`` and ``mirror_url`` hold for one recipient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from services.delivery.content.kitchen import KITCHEN
from services.delivery.content.placing import NotOrdinary, Pieces, look_up, pieces_of
from services.delivery.content.sources import PLAIN
from services.delivery.domain.content import Content
from services.delivery.domain.tracking import (
    MIRROR_NUMBER,
    OPEN_NUMBER,
    Part,
    Switch,
    TrackedLink,
)
from services.delivery.domain.urls import NotWeb, Utm, attribute_text, web_target, with_utm
from services.delivery.settings import DeliverySettings
from services.delivery.tracking.rewriting import PERSONAL_NAMES
from services.delivery.tracking.tokens import Signed, tracking_key

_HOST: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?[/?#]", re.IGNORECASE)
_OPEN_REFERENCE: Final = re.compile(r"&#?[A-Za-z0-9]*$")
INACTIVE: Final = "inactive"
"""The mirror link of a proof: its page explains."""
# One transparent pixel that asks nobody: proofs and mirror pages follow nothing.
NO_PIXEL: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@dataclass(frozen=True, slots=True)
class Links:
    """What goes into a recipient's variables; ``named`` holds plain strings under plain names."""

    named: dict[str, str]
    mirror_url: str


NO_LINKS: Final = Links({}, "")


def utm_of(content: Content, settings: DeliverySettings, label: str) -> Utm | None:
    """Return the parameters that a content's links get; ``label`` is the campaign's."""
    if Switch.UTM not in content.switches:
        return None
    return Utm(settings.utm_source, settings.utm_medium, label)


def followed_links(
    content: Content,
    values: Mapping[str, Any],
    settings: DeliverySettings,
    *,
    run_id: UUID,
    member_id: UUID,
    label: str,
) -> Links:
    """Return the links of a message on its way: signed ones where clicks are followed.

    ``values`` are what the recipient's links are made of, ``label`` is the campaign's.

    Raises:
        BadTemplate: a personal target cannot be made: now, and not when somebody clicks.
    """
    if not content.switches:
        return NO_LINKS
    most = max(link.number for link in content.links)
    signed = Signed(tracking_key(settings.secret), run_id, member_id, most=most)
    base = settings.public_url
    utm = utm_of(content, settings, label)
    named = {}
    for link in content.links:
        if link.number == OPEN_NUMBER:
            named["open"] = f"{base}/o/{signed.token(OPEN_NUMBER)}.gif"
        elif link.url:
            named[link.name] = _followed(content, link, values, signed, base, utm)
    mirror = Switch.MIRROR in content.switches
    return Links(named, f"{base}/m/{signed.token(MIRROR_NUMBER)}" if mirror else "")


def _followed(
    content: Content,
    link: TrackedLink,
    values: Mapping[str, Any],
    signed: Signed,
    base: str,
    utm: Utm | None,
) -> str:
    clicks = Switch.CLICKS in content.switches
    if clicks and not link.is_personal:
        return f"{base}/t/{signed.token(link.number)}"
    plain = target_of(link, values)
    if not (_has_host(link) and plain.isprintable()) and not _is_web(plain):
        return plain
    if clicks:
        return f"{base}/t/{signed.token(link.number)}"
    return with_utm(plain, utm) if utm else plain


def proof_links(
    content: Content, values: Mapping[str, Any], settings: DeliverySettings
) -> dict[str, Any]:
    """Return a proof's ``links`` and ``mirror_url``: plain targets, and a page that explains.

    Raises:
        BadTemplate: a personal target cannot be made.
    """
    if not content.switches:
        return {}
    links = plain_links(content, values)
    return {"links": links, "mirror_url": f"{settings.public_url}/m/{INACTIVE}"}


def plain_links(content: Content, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the links of a proof or a mirror page: their plain targets, and an empty pixel.

    Raises:
        BadTemplate: a personal target cannot be made.
    """
    named = {"open": NO_PIXEL} if Switch.OPENS in content.switches else {}
    for link in content.links:
        if link.url:
            named[link.name] = target_of(link, values)
    return named


def target_of(link: TrackedLink, values: Mapping[str, Any]) -> str:
    """Return a link's target for a recipient's values, as a reader's program would see it.

    Raises:
        BadTemplate: it is personal, and cannot be made.
    """
    pieces = _pieces(link)
    if pieces is not None:
        try:
            return "".join(
                [p if isinstance(p, str) else look_up(p, values) for p in pieces]
            ).strip()
        except NotOrdinary:
            # Rendering places it as well, or says what is wrong with it.
            pass
    url = KITCHEN.target(link, values)
    return (attribute_text(url) if link.part is Part.HTML else url).strip()


@lru_cache(maxsize=5_000)
def _pieces(link: TrackedLink) -> Pieces | None:
    """Return the text and values of a target that only places them, else ``None``.

    What HTML escapes in a value, a browser reads back; so both are left out here, except where a
    value could complete a character reference.
    """
    found = pieces_of(PLAIN, link.url, PERSONAL_NAMES)
    if found is None or link.part is Part.TEXT:
        return found
    if any(isinstance(p, str) and _OPEN_REFERENCE.search(p) for p in found[:-1]):
        return None
    return tuple(attribute_text(p) if isinstance(p, str) else p for p in found)


@lru_cache(maxsize=5_000)
def _has_host(link: TrackedLink) -> bool:
    """Whether a target begins with a web address that no value can change."""
    return bool(_HOST.match(link.url))


def _is_web(url: str) -> bool:
    try:
        web_target(url)
    except NotWeb:
        return False
    return True
