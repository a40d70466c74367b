"""Identity between web and the services: a signed token that is good for 60 seconds.

``web`` authenticates people; the service it passes a call on to trusts nothing but this token, and
still checks the operator's rights against its own copy.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from shared.settings import derived
from topics.message import Actor, Via

HEADER: Final = "X-Muster-Identity"
LIFETIME: Final = timedelta(seconds=60)


class NoIdentity(Exception):
    """The call carries no valid identity token; the text says what is wrong with it."""


def issue(secret: bytes, actor: Actor, *, audience: str, now: datetime) -> str:
    """Return a token that tells the service ``audience`` who calls."""
    body = {
        "sub": actor.id,
        "via": actor.via.value,
        "aud": audience,
        "exp": int((now + LIFETIME).timestamp()),
    }
    payload = base64.urlsafe_b64encode(orjson.dumps(body)).decode()
    return f"{payload}.{_signature(secret, payload)}"


def read(secret: bytes, token: str | None, *, audience: str, now: datetime) -> Actor:
    """Return who calls.

    Raises:
        NoIdentity: no token, a wrong signature, another service's, or an old one.
    """
    payload, _, signature = (token or "").partition(".")
    given = signature.encode("utf-8", "replace")
    if not hmac.compare_digest(_signature(secret, payload).encode(), given):
        raise NoIdentity("the identity token is missing or was not signed here")
    body = orjson.loads(base64.urlsafe_b64decode(payload))
    if body["aud"] != audience:
        raise NoIdentity(f"the identity token is for {body['aud']}")
    if datetime.fromtimestamp(body["exp"], UTC) < now:
        raise NoIdentity("the identity token is over 60 seconds old")
    return Actor(id=body["sub"], via=Via(body["via"]))


def _signature(secret: bytes, payload: str) -> str:
    key = derived(secret, "identity").encode()
    return hmac.new(key, payload.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
