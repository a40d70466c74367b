"""The content of a message and the hashes that approvals bind to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from uuid import UUID

from services.delivery.domain.attachments import Attachment
from services.delivery.domain.tracking import NO_SWITCHES, Switches, TrackedLink
from topics.delivery import Channel
from topics.letters import LetterWindow


@dataclass(frozen=True, slots=True)
class Source:
    """What an author writes: everything that makes the message, and nothing else.

    A change of any field changes the hash, and so voids an approval; a template's label or its
    proof recipients do not reach a reader and do not count.
    """

    language: str
    subject: str
    body: str
    mjml: bool
    text: str
    from_name: str
    from_address: str
    switches: Switches = NO_SWITCHES
    attachments: tuple[Attachment, ...] = ()
    letter: str = ""
    letter_window: LetterWindow = LetterWindow.DIN_5008_B
    send_doubles: bool = False
    channel: Channel = Channel.EMAIL
    endpoint: str = ""

    @property
    def template_hash(self) -> str:
        """The SHA-256 of the source (hex)."""
        return _sha256(
            self.language,
            self.subject,
            self.body,
            self.mjml,
            self.text,
            self.from_name,
            self.from_address,
            # A source without switches keeps the hash it had before there were any; so does one
            # without attachments.
            *sorted(self.switches),
            *(part for one in self.attachments for part in astuple(one)),
            # Likewise one without a letter, and one that sends once to an address.
            *(("letter", self.letter, self.letter_window) if self.letter else ()),
            *(("send_doubles",) if self.send_doubles else ()),
            # Likewise an e-mail.
            *((self.channel, self.endpoint) if self.channel is not Channel.EMAIL else ()),
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What is rendered per recipient: the source with MJML turned into HTML.

    Attributes:
        inline_css: whether style sheets are to be moved into the elements after rendering.
        links: what can be opened or followed; their targets stand as ``links`` in the parts.
        send_doubles: whether contacts that share an address each get their message.
        endpoint: the name of the registered endpoint that a webhook goes to.
    """

    language: str
    subject: str
    html: str
    inline_css: bool
    text: str
    from_name: str
    from_address: str
    switches: Switches = NO_SWITCHES
    links: tuple[TrackedLink, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    letter: str = ""
    letter_window: LetterWindow = LetterWindow.DIN_5008_B
    send_doubles: bool = False
    channel: Channel = Channel.EMAIL
    endpoint: str = ""


def content_hash(template_hash: str, supplier_service_id: UUID | None) -> str:
    """Return the hash of a delivery's content: its message, and who gets the letters."""
    return _sha256(template_hash, str(supplier_service_id or ""))


def _sha256(*parts: str | bool) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


PROOF_PREFIX = {"en": "PROOF", "fr": "BAT"}


def proof_prefix(language: str, number: int) -> str:
    """Return what stands before a proof's subject: ``[PROOF n]``, in French ``[BAT n]``."""
    return f"[{PROOF_PREFIX.get(language, PROOF_PREFIX['en'])} {number}] "
