"""Whether a request comes from Slack: its signature over timestamp and body, and its age."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

MAX_AGE_SECONDS: Final = 300
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


class Forged(Exception):
    """The request is not from Slack, or too old to tell; the text says why."""


def check(
    *, secret: str, timestamps: Sequence[str], signatures: Sequence[str], body: bytes, now: float
) -> None:
    """Let a request pass that Slack signed within the last five minutes.

    ``timestamps`` and ``signatures`` are all values of their headers: there must be one of each.

    Raises:
        Forged: anything else.
    """
    if len(timestamps) != 1 or len(signatures) != 1:
        raise Forged("there must be one timestamp and one signature")
    timestamp, signature = timestamps[0], signatures[0]
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise Forged("the timestamp is no number")
    if abs(now - int(timestamp)) > MAX_AGE_SECONDS:
        raise Forged("the timestamp is over five minutes away")
    signed = b"v0:" + timestamp.encode() + b":" + body
    wanted = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        raise Forged("the signature is wrong")
