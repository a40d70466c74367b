"""A claimed row as the mail that leaves."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from services.delivery.content.attached import parts_of_files
from services.delivery.content.kitchen import KITCHEN, RENDER_SECONDS
from services.delivery.content.placing import NotOrdinary
from services.delivery.content.plan import Plan, plan_of
from services.delivery.dkim.signing import Signer
from services.delivery.domain.attachments import Attachment
from services.delivery.domain.content import Content
from services.delivery.domain.runs import RunKind
from services.delivery.links import (
    PROOF_LINK,
    Link,
    ListUnsubscribe,
    last_day,
    list_unsubscribe,
    token_of,
)
from services.delivery.mail import Envelope, Parts, Writer, message_id, parts_of
from services.delivery.personal import EMAIL_FORMAT, LETTER, TEXT, variables
from services.delivery.rendering import Rendered, TakesTooMuch
from services.delivery.settings import DeliverySettings
from services.delivery.store.sending import Claimed
from services.delivery.tracking.personal_links import followed_links, proof_links

PATIENCE: Final = 3
"""Recipients whose mails may take their time; all of a content's after them have less of it."""
IMPATIENT_SECONDS: Final = 0.1
PDF: Final = "application/pdf"
NO_LINK: Final = ListUnsubscribe(None, one_click=False)


class Composer:
    """Composes the mails of one content; what they share is made once.

    Attributes:
        content: what it is made of.
        signer: signs the mails; without one the relay may.

    Args:
        content: what is made into mails.
        settings: the service's.
        signer: signs them.
        files: what the attachments hold, by SHA-256.

    Raises:
        KeyError: an attachment's file is missing; a mail without it would not be the one approved.
    """

    def __init__(
        self,
        content: Content,
        settings: DeliverySettings,
        signer: Signer | None = None,
        *,
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self.content = content
        self.signer = signer
        self._settings = settings
        self._files = files
        attached = parts_of_files(content.attachments, files)
        self._writer = Writer(content.from_name, content.from_address, attached=attached)
        self._plans: dict[bool, Plan | None] = {}
        self._given_up = 0

    def compose(self, row: Claimed, *, at: datetime) -> bytes:
        """Return the mail of a row.

        Raises:
            BadTemplate: the content cannot be rendered for this recipient; the field is named.
        """
        url = _url(row, self._settings, at)
        parts = self._parts(row, url)
        if row.subject_prefix:
            subject = (row.subject_prefix + parts.subject).rstrip()
            parts = Parts(subject, parts.text, parts.html)
        if row.merge.get(EMAIL_FORMAT) == TEXT:
            parts = Parts(parts.subject, parts.text, b"")
        header = NO_LINK
        if row.kind.may_be_refused:
            header = list_unsubscribe(url, self._settings.unsubscribe_mailto)
        mail = self._writer_for(row).write(
            parts,
            Envelope(
                to=row.address,
                message_id=message_id(row.run_id, row.member_id, self.content.from_address),
                unsubscribe=header,
                at=at,
            ),
        )
        return self.signer.signed(mail, at=int(at.timestamp())) if self.signer else mail

    def _writer_for(self, row: Claimed) -> Writer:
        """Return the content's writer; a proof's row may bring a letter to attach."""
        letter = row.merge.get(LETTER)
        if not letter:
            return self._writer
        attachments = (*self.content.attachments, Attachment("letter.pdf", PDF, LETTER))
        files = {**self._files, LETTER: b64decode(letter)}
        return Writer(
            self.content.from_name,
            self.content.from_address,
            attached=parts_of_files(attachments, files),
        )

    def _parts(self, row: Claimed, url: str) -> Parts:
        values = variables(
            row.merge, number=row.campaign_number, label=row.campaign_label, unsubscribe_url=url
        )
        values |= _links(row, self.content, self._settings, values)
        plan = self._plan(linked=bool(url))
        if plan is not None:
            try:
                return plan.parts(values)
            except NotOrdinary:
                # Rendering places it as well, or says what is wrong with it.
                pass
        return parts_of(self._rendered(values))

    def _rendered(self, values: Mapping[str, Any]) -> Rendered:
        seconds = RENDER_SECONDS if self._given_up < PATIENCE else IMPATIENT_SECONDS
        try:
            return KITCHEN.render(self.content, values, seconds=seconds)
        except TakesTooMuch:
            self._given_up += 1
            raise

    def _plan(self, *, linked: bool) -> Plan | None:
        if linked not in self._plans:
            self._plans[linked] = plan_of(self.content, linked=linked)
        return self._plans[linked]


def _links(
    row: Claimed, content: Content, settings: DeliverySettings, values: dict[str, Any]
) -> dict[str, Any]:
    if not content.switches:
        return {}
    if row.kind in {RunKind.PROOF, RunKind.SEEDS, RunKind.TEST}:
        # What a colleague opens or clicks is nobody's reaction to a campaign.
        return proof_links(content, values, settings)
    links = followed_links(
        content,
        values,
        settings,
        run_id=row.run_id,
        member_id=row.member_id,
        label=row.campaign_label,
    )
    return {"links": links.named, "mirror_url": links.mirror_url}


def _url(row: Claimed, settings: DeliverySettings, at: datetime) -> str:
    if row.kind in {RunKind.TRANSACTIONAL, RunKind.TEST}:
        return ""
    token = PROOF_LINK
    if row.kind.may_be_refused:
        link = Link(row.recipient_key, row.run_id, last_day(at))
        token = token_of(settings.secret, link)
    return f"{settings.public_url}/u/{token}"
