"""Secrets in rows: encrypted under ``MUSTER_SECRET_KEY``, bound to what they are for."""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.settings import derived

_NONCE: Final = 12


class WrongSecret(Exception):
    """A secret cannot be read: ``MUSTER_SECRET_KEY`` has changed, or it is another's."""


def seal(secret: bytes, purpose: str, plain: bytes, *, bound_to: str) -> bytes:
    """Return a secret encrypted (AES-256-GCM) for a purpose, readable for one owner alone."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher(secret, purpose).encrypt(nonce, plain, bound_to.encode())


def unseal(secret: bytes, purpose: str, data: bytes, *, bound_to: str) -> bytes:
    """Return a secret.

    Raises:
        WrongSecret: it was sealed under another key, for another purpose or owner.
    """
    cipher = _cipher(secret, purpose)
    try:
        return cipher.decrypt(data[:_NONCE], data[_NONCE:], bound_to.encode())
    except (InvalidTag, ValueError):
        raise WrongSecret(bound_to) from None


def _cipher(secret: bytes, purpose: str) -> AESGCM:
    return AESGCM(bytes.fromhex(derived(secret, purpose)))
