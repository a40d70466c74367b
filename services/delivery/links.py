"""Links that need no sign-in: opaque signed tokens, each good for one thing.

An unsubscribe link outlives the ledger row it came with: it is good for a year. A proof link lets
a reviewer who comes from Slack look at one proof for seven days: Slack has no session of ours to
bring along, and a sign-in between the card and the proof is what makes people approve unseen. The
link shows that proof and decides nothing; answers go through the card, where rights are checked.
Seven days is also how long a snapshot may be approved: an older proof has to be asked for again
anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from shared.signing import read_signed, signed

PROOF_LINK: Final = "proof"
"""The link in a proof: its page explains, and changes nobody's consent."""
LINK_LIFETIME: Final = timedelta(days=366)
PROOF_LIFETIME: Final = timedelta(days=7)
_DAY_BYTES: Final = 3
_BODY_BYTES: Final = 16 + 16 + _DAY_BYTES
_FIRST_DAY: Final = date(1970, 1, 1)
_PROOF_BODY_BYTES: Final = 16 + 4


@dataclass(frozen=True, slots=True)
class Link:
    """Whose link it is: the keyed hash of an address (hex); the run it came with; its last day."""

    recipient_key: str
    run_id: UUID
    until: date


def last_day(now: datetime) -> date:
    """Return the last day on which a link that leaves now is good."""
    return now.date() + LINK_LIFETIME


@dataclass(frozen=True, slots=True)
class ProofLink:
    """The one proof a link shows, and until when."""

    proof_id: UUID
    until: datetime


def token_of(secret: bytes, link: Link) -> str:
    """Return the token of a link: 68 characters fit for a URL, without personal data."""
    day = (link.until - _FIRST_DAY).days.to_bytes(_DAY_BYTES)
    body = bytes.fromhex(link.recipient_key) + link.run_id.bytes + day
    return signed(secret, "unsubscribe", body)


def read_token(secret: bytes, token: str) -> Link | None:
    """Return whose link a token is, be it over or not; ``None`` when it was not signed here."""
    body = read_signed(secret, "unsubscribe", token, size=_BODY_BYTES)
    if body is None:
        return None
    until = _FIRST_DAY + timedelta(days=int.from_bytes(body[32:]))
    return Link(body[:16].hex(), UUID(bytes=body[16:32]), until)


def proof_token(secret: bytes, proof_id: UUID, *, now: datetime) -> str:
    """Return the token that shows a proof from now on: 48 characters fit for a URL."""
    until = int((now + PROOF_LIFETIME).timestamp())
    return signed(secret, "proof-link", proof_id.bytes + until.to_bytes(4))


def read_proof_token(secret: bytes, token: str) -> ProofLink | None:
    """Return what a token shows, be it over or not; ``None`` when this instance did not sign it."""
    body = read_signed(secret, "proof-link", token, size=_PROOF_BODY_BYTES)
    if body is None:
        return None
    until = datetime.fromtimestamp(int.from_bytes(body[16:]), UTC)
    return ProofLink(UUID(bytes=body[:16]), until)


@dataclass(frozen=True, slots=True)
class ListUnsubscribe:
    """The header values of a mail (RFC 2369, RFC 8058)."""

    header: str | None
    one_click: bool


def list_unsubscribe(url: str, mailto: str | None) -> ListUnsubscribe:
    """Return what to say in the headers: one click over https only, else an address, else nothing.

    Mail readers act on the header without showing the page, so the link must be a secure one.
    """
    if url.startswith("https://"):
        return ListUnsubscribe(f"<{url}>", one_click=True)
    if mailto:
        return ListUnsubscribe(f"<mailto:{mailto}?subject=unsubscribe>", one_click=False)
    return ListUnsubscribe(None, one_click=False)
