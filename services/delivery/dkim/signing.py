"""DKIM signatures (RFC 6376; Ed25519: RFC 8463), relaxed in headers and body.

The mail's bytes are hashed as they leave. ``From`` is signed once more than it stands there, so
that nobody adds a second one to a signed mail.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SIGNED: Final = (
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
_SPACES: Final = re.compile(rb"[ \t]{2,}|\t")
_TRAILING: Final = re.compile(rb"[ \t]+(?=\r\n)")
_FOLDS: Final = re.compile(r"(?:[ \t]*\r\n)+[ \t]+|[ \t]{2,}|\t")


class Algorithm(StrEnum):
    """How a key signs."""

    RSA = "rsa"
    ED25519 = "ed25519"


PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with the name its public half is found by: ``selector._domainkey.domain``."""

    domain: str
    selector: str
    algorithm: Algorithm
    private: PrivateKey

    def sign(self, data: bytes) -> bytes:
        """Return the signature of canonical headers."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        # RFC 8463, 3: what Ed25519 signs is their hash.
        return self.private.sign(hashlib.sha256(data).digest())


class Signer:
    """Signs mails with every key it has: a receiver takes the signature it understands."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(keys)

    def signed(self, mail: bytes, *, at: int) -> bytes:
        """Return a mail with its signatures before it.

        Args:
            mail: headers and body with CRLF line ends.
            at: seconds since 1970.
        """
        head, _, body = mail.partition(b"\r\n\r\n")
        body_hash = b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
        headers = relaxed_headers(head.decode("ascii"))
        names = [name for name in SIGNED if name in headers]
        canonical = "".join(f"{name}:{headers[name]}\r\n" for name in names)
        listed = ":".join([*names, "from"])
        signatures = [
            self._signature(key, canonical, listed, body_hash, at).encode() for key in self._keys
        ]
        return b"".join([*signatures, mail])

    @staticmethod
    def _signature(key: SigningKey, canonical: str, listed: str, body_hash: str, at: int) -> str:
        tags = (
            f"v=1; a={key.algorithm}-sha256; c=relaxed/relaxed; d={key.domain};",
            f"s={key.selector}; t={at};",
            f"h={listed};".replace(":list", ":\r\n list"),
            f"bh={body_hash};",
            "b=",
        )
        value = "\r\n ".join(tags)
        data = f"{canonical}dkim-signature:{_FOLDS.sub(' ', value)}"
        made = b64encode(key.sign(data.encode())).decode()
        lines = [made[i : i + 72] for i in range(0, len(made), 72)]
        return f"DKIM-Signature: {value}" + "\r\n ".join(lines) + "\r\n"


def relaxed_body(body: bytes) -> bytes:
    """Return a body in canonical form (RFC 6376, 3.4.4).

    One space for many, none at a line's end, no empty line at the end.
    """
    if b"  " in body or b"\t" in body:
        body = _SPACES.sub(b" ", body)
    if b" \r\n" in body:
        body = _TRAILING.sub(b"", body)
    body = body.rstrip(b" ")
    while body.endswith(b"\r\n"):
        body = body[:-2]
    return body + b"\r\n" if body else b""


def relaxed_headers(head: str) -> dict[str, str]:
    """Return headers in canonical form (RFC 6376, 3.4.2); each stands there once."""
    unfolded = _FOLDS.sub(" ", head)
    lines = (line.partition(":") for line in unfolded.split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}
