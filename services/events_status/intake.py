"""What an intake record must hold: the event in it, or the reason it is none."""

from __future__ import annotations

import orjson
from pydantic import ValidationError

from services.events_status.domain import (
    MAX_CTX_BYTES,
    MAX_TYPE,
    Queue,
    Received,
    event_id,
    is_address,
    unstorable,
)
from shared.errors import Permanent
from topics.cloudevents import Envelope, describe
from topics.events import OutsideEvent


def read_event(envelope: Envelope, queue: Queue) -> Received:
    """Return the event of an envelope.

    Raises:
        Permanent: a field is missing or wrong; the reason names it and repeats no value.
    """
    if len(envelope.type) > MAX_TYPE:
        raise Permanent(f"attribute 'type': {len(envelope.type)} characters, at most {MAX_TYPE}")
    data = _data(envelope)
    if not is_address(data.email):
        raise Permanent("email: is no e-mail address (such as name@example.org)")
    _check_ctx(data)
    return Received(
        event_id(envelope.source, envelope.id),
        envelope.source,
        envelope.id,
        envelope.type,
        queue,
        data.wished_channel,
        data.email.strip(),
        data.language,
        data.external_id,
        data.ctx,
    )


def _data(envelope: Envelope) -> OutsideEvent:
    try:
        data = OutsideEvent.model_validate_json(envelope.data)
    except ValidationError as problem:
        raise Permanent(describe(problem)) from None
    if data.external_id is not None and "\x00" in data.external_id:
        raise Permanent("external_id: holds a NUL character")
    return data


def _check_ctx(data: OutsideEvent) -> None:
    why = unstorable(data.ctx)
    if why is not None:
        raise Permanent(f"ctx: {why}")
    size = len(orjson.dumps(data.ctx))
    if size > MAX_CTX_BYTES:
        raise Permanent(f"ctx: {size} bytes, at most {MAX_CTX_BYTES}")
