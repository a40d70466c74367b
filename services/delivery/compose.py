"""A claimed row as the mail that leaves."""

from __future__ import annotations

from datetime import datetime

from services.delivery.domain.content import Content
from services.delivery.domain.runs import RunKind
from services.delivery.links import (
    PROOF_LINK,
    Link,
    ListUnsubscribe,
    list_unsubscribe,
    token_of,
)
from services.delivery.mail import Outgoing, build, message_id
from services.delivery.personal import variables
from services.delivery.rendering import render, with_subject
from services.delivery.settings import DeliverySettings
from services.delivery.store.sending import Claimed

NO_LINK = ListUnsubscribe(None, one_click=False)


def compose(row: Claimed, content: Content, settings: DeliverySettings, *, at: datetime) -> bytes:
    """Return the mail of a row.

    Raises:
        BadTemplate: the content cannot be rendered for this recipient.
    """
    url = _url(row, settings)
    rendered = render(
        content,
        variables(
            row.merge, number=row.campaign_number, label=row.campaign_label, unsubscribe_url=url
        ),
    )
    header = NO_LINK
    if row.kind is RunKind.CAMPAIGN:
        header = list_unsubscribe(url, settings.unsubscribe_mailto)
    return build(
        Outgoing(
            from_name=content.from_name,
            from_address=content.from_address,
            to=row.address,
            message_id=message_id(row.run_id, row.member_id, content.from_address),
            rendered=with_subject(rendered, row.subject_prefix),
            unsubscribe=header,
            at=at,
        )
    )


def _url(row: Claimed, settings: DeliverySettings) -> str:
    if row.kind is RunKind.TRANSACTIONAL:
        return ""
    token = PROOF_LINK
    if row.kind is RunKind.CAMPAIGN:
        token = token_of(settings.secret, Link(row.recipient_key, row.run_id))
    return f"{settings.public_url}/u/{token}"
