"""Consent: targeting decides it, the sender's copy follows."""

from __future__ import annotations

from services.delivery.store.consents import ConsentStore
from shared.registry import Registry
from shared.uow import Work
from topics.targeting import ConsentChanged

registry = Registry()


@registry.on(ConsentChanged)
async def consent_changed(event: ConsentChanged, work: Work) -> None:
    """Keep the latest word on a recipient key and channel; an earlier one changes nothing."""
    await ConsentStore(work.connection).record(
        event.recipient_key,
        event.channel,
        opted_out=event.opted_out,
        at=event.at,
        recorded_at=work.now,
    )
