"""Tokens of links: whose message (run and member), which of its links, signed.

A message has many links and is made in a hurry. So one HMAC per recipient is the seed of a stream
(SHAKE-256), and the signature of link n is the n-th piece of that stream: whoever knows any number
of pieces knows nothing of another, and a message of 50 links costs as much as one of two.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from services.delivery.domain.tracking import FIRST_LINK, MAX_LINKS
from shared.settings import derived

# 12 octets are 16 characters of base64, so pieces can be cut from the text of the whole stream.
_PIECE: Final = 12
_PIECE_TEXT: Final = 16
_HEAD_TEXT: Final = 43
_SHAPE: Final = re.compile(
    r"(?P<head>[A-Za-z0-9_-]{43})\.(?P<number>[1-9][0-9]{0,2})\.(?P<piece>[A-Za-z0-9_-]{16})"
)
MAX_NUMBER: Final = FIRST_LINK + MAX_LINKS - 1
SOURCE_BYTES: Final = 8


@lru_cache(maxsize=4)
def tracking_key(secret: bytes) -> bytes:
    """Return the key of an instance's links."""
    return bytes.fromhex(derived(secret, "tracking"))


@dataclass(frozen=True, slots=True)
class Followed:
    """Which link of whose message."""

    run_id: UUID
    member_id: UUID
    number: int


class Signed:
    """The tokens of one recipient's message, for numbers up to ``most``."""

    __slots__ = ("_head", "_pieces")

    def __init__(self, key: bytes, run_id: UUID, member_id: UUID, *, most: int) -> None:
        body = run_id.bytes + member_id.bytes
        self._head = urlsafe_b64encode(body)[:_HEAD_TEXT].decode()
        self._pieces = urlsafe_b64encode(_stream(key, body, most)).decode()

    def token(self, number: int) -> str:
        """Return the token of a link: about 63 characters, fit for a URL."""
        end = number * _PIECE_TEXT
        return f"{self._head}.{number}.{self._pieces[end - _PIECE_TEXT : end]}"


def _stream(key: bytes, body: bytes, most: int) -> bytes:
    seed = hmac.digest(key, body, "sha256")
    return hashlib.shake_256(seed).digest(most * _PIECE)


def read_followed(key: bytes, token: str) -> Followed | None:
    """Return what a token stands for; ``None`` when this instance did not sign it so."""
    shape = _SHAPE.fullmatch(token)
    if shape is None or int(shape["number"]) > MAX_NUMBER:
        return None
    head, number, piece = shape["head"], int(shape["number"]), shape["piece"]
    body = urlsafe_b64decode(f"{head}=")
    # The last of 43 characters holds two bits that say nothing: one spelling is ours.
    if urlsafe_b64encode(body)[:_HEAD_TEXT].decode() != head:
        return None
    right = urlsafe_b64encode(_stream(key, body, number)[-_PIECE:]).decode()
    if not hmac.compare_digest(piece, right):
        return None
    return Followed(UUID(bytes=body[:16]), UUID(bytes=body[16:]), number)


def source_of(key: bytes, followed: Followed, *told: str) -> bytes:
    """Return what tells browsers of one recipient apart, without a cookie and without naming them.

    It is made of what a browser says of itself, so two alike count as one person.
    """
    body = followed.run_id.bytes + followed.member_id.bytes + "\n".join(told).encode()
    return hmac.digest(key, body, "sha256")[:SOURCE_BYTES]
