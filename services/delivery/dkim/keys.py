"""Making DKIM keys, keeping their private half secret, and what to publish of them in the DNS."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from services.delivery.dkim.signing import Algorithm, PrivateKey
from shared.sealing import WrongSecret, seal, unseal

RSA_BITS: Final = 2048
_PURPOSE: Final = "dkim"
_CHUNK: Final = 255
"""A TXT record is made of strings of at most so many octets (RFC 1035, 3.3)."""
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_SELECTOR: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def is_domain(text: str) -> bool:
    """Whether a key can belong to it: a lower-case domain name such as ``example.org``."""
    return len(text) <= 253 and bool(_DOMAIN.fullmatch(text))


def is_selector(text: str) -> bool:
    """Whether a key can be called so."""
    return len(text) <= 63 and bool(_SELECTOR.fullmatch(text))


def new_key(algorithm: Algorithm) -> PrivateKey:
    """Return a new private key."""
    if algorithm is Algorithm.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)


def public_text(key: PrivateKey) -> str:
    """Return the public half as it stands in the DNS (base64)."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(raw).decode()


def record_of(algorithm: Algorithm, public: str) -> str:
    """Return the text of the TXT record at ``selector._domainkey.domain`` (RFC 6376, 3.6.1)."""
    return f"v=DKIM1; k={algorithm}; p={public}"


def zone_line(domain: str, selector: str, record: str) -> str:
    """Return the record as a line of a zone file, in strings that fit."""
    parts = " ".join(f'"{record[i : i + _CHUNK]}"' for i in range(0, len(record), _CHUNK))
    return f"{selector}._domainkey.{domain}. IN TXT ( {parts} )"


def sealed(secret: bytes, key: PrivateKey, *, domain: str, selector: str) -> bytes:
    """Return a private key encrypted (AES-256-GCM), bound to its name."""
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return seal(secret, _PURPOSE, plain, bound_to=_name(domain, selector))


def unsealed(secret: bytes, data: bytes, *, domain: str, selector: str) -> PrivateKey:
    """Return a private key.

    Raises:
        WrongSecret: it was sealed under another secret, or for another name.
    """
    plain = unseal(secret, _PURPOSE, data, bound_to=_name(domain, selector))
    key = load_der_private_key(plain, password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise WrongSecret(_name(domain, selector))
    return key


def _name(domain: str, selector: str) -> str:
    return f"{selector}._domainkey.{domain}"
