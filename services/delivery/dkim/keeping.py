"""Adding, listing and retiring DKIM keys; the API and the command line share this."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.delivery.dkim.keys import (
    is_domain,
    is_selector,
    new_key,
    public_text,
    sealed,
    unsealed,
)
from services.delivery.dkim.signing import Algorithm, Signer, SigningKey
from services.delivery.store.dkim import DkimKey, DkimStore
from shared.database import Connection
from shared.errors import Refused
from shared.uow import Work

MOST_HOURS: Final = 24 * 90


async def add(
    work: Work, *, domain: str, selector: str | None, algorithm: Algorithm, in_hours: float
) -> DkimKey:
    """Make a key that signs from then on; its record has to be in the DNS before.

    Args:
        work: the unit of work it is kept in.
        domain: the domain of senders' addresses.
        selector: its name; by default made of the algorithm and the day.
        algorithm: how it signs.
        in_hours: when it begins to sign.

    Raises:
        Refused: the domain or the selector is none, or is taken.
    """
    domain = domain.lower().rstrip(".")
    name = (selector or f"m{algorithm}{work.now:%Y%m%d}").lower()
    if not is_domain(domain):
        raise Refused("is no domain name such as example.org", field="domain")
    if not is_selector(name):
        raise Refused("takes letters, digits and hyphens", field="selector")
    if not 0 <= in_hours <= MOST_HOURS:
        raise Refused(f"takes hours from 0 to {MOST_HOURS}", field="in_hours")
    private = new_key(algorithm)
    key = DkimKey(
        domain=domain,
        selector=name,
        algorithm=algorithm,
        public_key=public_text(private),
        valid_from=work.now + timedelta(hours=in_hours),
        retired_at=None,
    )
    hidden = sealed(work.settings.secret, private, domain=domain, selector=name)
    if not await DkimStore(work.connection).add(key, hidden, work.now):
        raise Refused(f"{domain} has a key {name} already; name another", field="selector")
    return key


async def retire(work: Work, *, domain: str, selector: str) -> DkimKey:
    """Let a key sign no more; its private half is forgotten.

    Raises:
        Refused: there is no such key.
    """
    key = await DkimStore(work.connection).retire(domain, selector, work.now)
    if key is None:
        raise Refused(f"{domain} has no key of that name", field="selector")
    return key


async def signer_of(
    connection: Connection, secret: bytes, domain: str, now: datetime
) -> Signer | None:
    """Return what signs a domain's mails; ``None`` when nothing does, and the relay may.

    Raises:
        WrongSecret: a key was kept under another MUSTER_SECRET_KEY; unsigned mail would be refused.
    """
    keys = [
        SigningKey(
            domain=domain,
            selector=key.selector,
            algorithm=key.algorithm,
            private=unsealed(secret, key.sealed_key, domain=domain, selector=key.selector),
        )
        for key in await DkimStore(connection).signing(domain, now)
    ]
    return Signer(keys) if keys else None
