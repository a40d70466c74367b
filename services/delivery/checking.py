"""A proof's content as it is checked: what was rendered beside what its author wrote."""

from __future__ import annotations

import asyncio

from services.delivery.approving import settings_of
from services.delivery.content.kitchen import KITCHEN
from services.delivery.domain.content import Content
from services.delivery.domain.content_checks import UNREAD, Shown
from services.delivery.links import list_unsubscribe
from services.delivery.rendering import Rendered, TakesTooMuch
from services.delivery.store.attachments import AttachmentStore
from services.delivery.tracking.personal_links import NO_PIXEL
from shared.uow import Work
from topics.content import ContentWarning

_UNSUBSCRIBE = "unsubscribe_url"


async def noticed(work: Work, content: Content, rendered: Rendered) -> tuple[ContentWarning, ...]:
    """Return what to look at in a proof; ``rendered`` has no prefix before its subject yet."""
    settings = settings_of(work)
    names = {one.sha256 for one in content.attachments}
    sizes = await AttachmentStore(work.connection).sizes(names) if names else {}
    shown = Shown(
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        written=(content.subject, content.html, content.text, *(one.url for one in content.links)),
        ours=(f"{settings.public_url}/", NO_PIXEL),
        attached_bytes=sum(sizes[one.sha256] for one in content.attachments),
        has_unsubscribe=_UNSUBSCRIBE in content.html
        and (not content.text or _UNSUBSCRIBE in content.text),
        one_click=list_unsubscribe(settings.public_url, settings.unsubscribe_mailto).one_click,
    )
    try:
        return await asyncio.to_thread(KITCHEN.check, shown)
    except TakesTooMuch:
        return (UNREAD,)
