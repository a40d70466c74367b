"""What an intake record must hold: the event in it, or the reason it is none."""

from __future__ import annotations

from pydantic import ValidationError

from services.events_status.domain import Received
from shared.errors import Permanent
from topics.cloudevents import Envelope, describe
from topics.outside import MAX_TYPE, WEBHOOK, OutsideEvent, Queue, event_id


def read_event(envelope: Envelope, queue: Queue) -> Received:
    """Return the event of an envelope.

    Raises:
        Permanent: a field is missing or wrong; the reason names it and repeats no value.
    """
    if len(envelope.type) > MAX_TYPE:
        raise Permanent(f"attribute 'type': {len(envelope.type)} characters, at most {MAX_TYPE}")
    try:
        data = OutsideEvent.model_validate_json(envelope.data)
    except ValidationError as problem:
        raise Permanent(describe(problem)) from None
    identity = event_id(envelope.source, envelope.id)
    return Received(
        identity,
        envelope.source,
        envelope.id,
        envelope.type,
        queue,
        data.channel,
        data.address or "",
        data.language,
        data.external_id,
        data.ctx,
        data.origin,
        data.country,
        data.email_format,
        data.scheduled,
        data.expiration,
        data.identity or (WEBHOOK, str(identity)),
        data.others,
    )
