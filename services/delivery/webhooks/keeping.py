"""Registering, changing and rotating endpoints; the API and the command line share this."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from services.delivery.approving import settings_of
from services.delivery.store.webhooks import Endpoint, EndpointStore, Target
from services.delivery.webhooks.addresses import fault_of
from shared.errors import Refused
from shared.sealing import seal, unseal
from shared.uow import Work
from shared.webhook_signatures import new_secret, secret_text

PURPOSE: Final = "webhook"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
UNKNOWN: Final = "no endpoint has this name"


async def add(work: Work, *, name: str, url: str) -> tuple[Endpoint, str]:
    """Register an endpoint; return it with its secret, which is shown this once.

    Raises:
        Refused: the name or the URL is none, or the name is taken.
    """
    if not _NAME.fullmatch(name):
        raise Refused("takes up to 60 lower-case letters, digits and hyphens", field="name")
    _check(work, url)
    secret = new_secret()
    store = EndpointStore(work.connection)
    if not await store.add(name, url, _sealed(work, name, secret), work.now):
        raise Refused("an endpoint of this name is registered already", field="name")
    found = await store.find(name)
    if found is None:
        raise Refused(UNKNOWN, field="name")
    return found, secret_text(secret)


async def change(
    work: Work, *, name: str, url: str | None = None, active: bool | None = None
) -> Endpoint:
    """Move an endpoint to another URL, switch it off, or on again.

    Raises:
        Refused: the URL is none, or there is no such endpoint.
    """
    if url is not None:
        _check(work, url)
    reason = "switched off" if active is False else ""
    found = await EndpointStore(work.connection).change(
        name, url=url, active=active, reason=reason, at=work.now
    )
    if found is None:
        raise Refused(UNKNOWN, field="name")
    return found


async def rotate(work: Work, *, name: str) -> tuple[Endpoint, str]:
    """Give an endpoint a new secret; the one before signs as well for WEBHOOK_ROTATION_HOURS.

    Raises:
        Refused: there is no such endpoint.
    """
    secret = new_secret()
    until = work.now + timedelta(hours=settings_of(work).webhook_rotation_hours)
    found = await EndpointStore(work.connection).rotate(
        name, _sealed(work, name, secret), previous_until=until, at=work.now
    )
    if found is None:
        raise Refused(UNKNOWN, field="name")
    return found, secret_text(secret)


def keys_of(secret: bytes, target: Target) -> list[bytes]:
    """Return the secrets that sign for an endpoint now, the newest first.

    Raises:
        WrongSecret: they were kept under another MUSTER_SECRET_KEY.
    """
    sealed = [target.sealed_secret, *filter(None, [target.sealed_previous])]
    return [unseal(secret, PURPOSE, one, bound_to=target.name) for one in sealed]


def _check(work: Work, url: str) -> None:
    if fault := fault_of(url, allow_private=settings_of(work).webhook_allow_private):
        raise Refused(fault, field="url")


def _sealed(work: Work, name: str, secret: bytes) -> bytes:
    return seal(work.settings.secret, PURPOSE, secret, bound_to=name)
