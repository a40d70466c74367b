"""What an outside system says when something happened: the data of an event, and its identity.

Every way in (Kafka, REST, SOAP, files) reads it with this one model, so that an event which one
of them takes is never refused behind it. Source: Adobe Campaign, Message Center, description of
an event.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID, uuid5

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from topics.names import EVENTS_BATCH, EVENTS_REALTIME, Topic
from topics.phones import e164

EVENT_NAMESPACE: Final = UUID("823796f8-6e05-540d-a289-af091b7fad21")
MAX_TYPE: Final = 200
MAX_CTX_BYTES: Final = 262_144
MAX_DEPTH: Final = 100
FIRST_YEAR, LAST_YEAR = 1970, 9998
EMAIL: Final = "email"
SMS: Final = "sms"
WEBHOOK: Final = "webhook"
CHANNELS: Final = (EMAIL, SMS, WEBHOOK)
EventChannel = Annotated[str, Field(pattern=r"^(email|sms|webhook)$")]
"""A channel that event templates are for."""
_ADDRESS: Final = re.compile(
    r"^[^\s@\x00-\x1f\x7f<>,;:\"()\[\]\\]{1,64}@[^\s@\x00-\x1f\x7f]{1,250}$"
)


class Queue(StrEnum):
    """The two queues of events; real-time ones are always processed first."""

    REALTIME = "realtime"
    BATCH = "batch"

    @property
    def topic(self) -> Topic:
        """Where its events come in."""
        return EVENTS_REALTIME if self is Queue.REALTIME else EVENTS_BATCH


def event_id(source: str, ce_id: str) -> UUID:
    """Return the id of the event with this CloudEvents identity: the same whenever it comes.

    UUIDv5 over the source, a NUL and the id. Neither part can hold a NUL, so two identities never
    make one name.
    """
    return uuid5(EVENT_NAMESPACE, f"{source}\x00{ce_id}")


def is_address(text: str) -> bool:
    """Whether a text looks like one e-mail address, good enough to hand to a server."""
    return _ADDRESS.match(text.strip()) is not None


def unstorable(value: Any, depth: int = 0) -> str | None:
    """Return why a JSON value cannot be kept as it is, or ``None``.

    PostgreSQL keeps no NUL in text, and JSON has no infinite numbers nor, here, over 64 bits.
    Readers of JSON differ in how deep they go; all go as deep as MAX_DEPTH.
    """
    if depth > MAX_DEPTH:
        return f"is nested over {MAX_DEPTH} levels deep"
    if isinstance(value, str):
        return "holds a NUL character" if "\x00" in value else None
    if isinstance(value, float):
        return None if math.isfinite(value) else "holds a number that is not finite"
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**64 else "holds a number of over 64 bits"
    return _first(_parts(value), depth + 1)


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _first(values: Sequence[Any], depth: int) -> str | None:
    found = (unstorable(one, depth) for one in values)
    return next((why for why in found if why is not None), None)


def _wrong(why: str) -> PydanticCustomError:
    return PydanticCustomError("not_valid", "{why}", {"why": why})


def _email(text: str) -> str:
    if not is_address(text):
        raise _wrong("is no e-mail address (such as name@example.org)")
    return text.strip()


def _international(phone: str) -> None:
    if e164(phone) is None:
        raise _wrong("a message by SMS needs the country's code (such as +33 6 12 34 56 78)")


def _text(text: str) -> str:
    if "\x00" in text:
        raise _wrong("holds a NUL character")
    return text


def ctx_fault(ctx: dict[str, Any]) -> str | None:
    """Return why an event cannot have a ``ctx``, or ``None``."""
    written = _written(ctx)
    if written is None or _is_suspect(written):
        why = unstorable(ctx)
        if why is not None:
            return why
    if written is None:
        return "holds what is no text"
    size = len(written)
    return f"{size} bytes, at most {MAX_CTX_BYTES}" if size > MAX_CTX_BYTES else None


def _context(ctx: dict[str, Any]) -> dict[str, Any]:
    why = ctx_fault(ctx)
    if why is not None:
        raise _wrong(why)
    return ctx


def _written(ctx: dict[str, Any]) -> bytes | None:
    try:
        return orjson.dumps(ctx)
    except orjson.JSONEncodeError:
        return None


def _is_suspect(written: bytes) -> bool:
    """Whether a value written as JSON may be unstorable; looked at as a whole, for it rarely is.

    A NUL is escaped, a number that is not finite becomes null, and nothing is nested deeper than
    it has beginnings.
    """
    return (
        b"\\u0000" in written
        or b"null" in written
        or written.count(b"{") + written.count(b"[") > MAX_DEPTH
    )


Context = Annotated[dict[str, Any], AfterValidator(_context)]
"""What an event brings for its template: storable JSON of at most 256 KiB."""
Words = Annotated[str, Field(max_length=200), AfterValidator(_text)]


def _in_calendar(at: datetime) -> datetime:
    """Refuse what another zone, or a second more, takes out of Python's calendar."""
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise _wrong(f"is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return at


Time = Annotated[AwareDatetime, AfterValidator(_in_calendar)]


class OutsideEvent(BaseModel):
    """The data of an outside CloudEvent on an intake topic; its ``type`` is the event's type.

    Unknown fields are refused, so that a misspelt one is not lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wished_channel: str | None = Field(
        default=None,
        description="email, sms or webhook; e-mail unless there is nothing but a phone number",
        examples=[*CHANNELS],
    )
    phone: str | None = Field(
        default=None,
        validate_default=True,
        pattern=r"^\+?[0-9][0-9 ().-]{3,28}$",
        description="whom a message by SMS goes to, with the country's code after + or 00",
    )
    email: str | None = Field(
        default=None,
        validate_default=True,
        min_length=3,
        max_length=254,
        description="whom a message by e-mail goes to",
    )
    external_id: Words | None = Field(default=None, description="the sender's name of the event")
    origin: Words | None = Field(default=None, description="where it happened (a shop, a form)")
    language: str = Field(default="en", pattern=r"^(en|fr)$")
    country: str | None = Field(
        default=None, pattern=r"^[A-Za-z]{2}$", description="ISO 3166-1 alpha-2"
    )
    email_format: str | None = Field(
        default=None, pattern=r"^(html|text)$", description="what the recipient reads"
    )
    scheduled: Time | None = Field(default=None, description="the event is not processed before")
    expiration: Time | None = Field(
        default=None, description="an event not processed by then expires"
    )
    ctx: Context = Field(
        default_factory=dict, description="what its template may say; at most 256 KiB of JSON"
    )

    @field_validator("wished_channel")
    @classmethod
    def _known_channel(cls, wished: str | None) -> str | None:
        if wished is not None and wished not in CHANNELS:
            raise _wrong(f"is none of {', '.join(CHANNELS)}")
        return wished

    # After the wished channel, so that a missing address is told at its own field.
    @field_validator("phone")
    @classmethod
    def _phone_for_sms(cls, phone: str | None, info: ValidationInfo) -> str | None:
        if phone is None and info.data.get("wished_channel") == SMS:
            raise _wrong("a message by SMS needs a phone number")
        if info.data.get("wished_channel") == SMS and phone is not None:
            _international(phone)
        return phone

    @field_validator("email")
    @classmethod
    def _address_for_email(cls, email: str | None, info: ValidationInfo) -> str | None:
        if email is not None:
            return _email(email)
        wished, phone = info.data.get("wished_channel"), info.data.get("phone")
        if wished == EMAIL or (wished is None and phone is None):
            raise _wrong("a message by e-mail needs an address")
        if wished is None and phone is not None:
            _international(phone)
        return None

    @field_validator("expiration")
    @classmethod
    def _after_scheduled(cls, expiration: datetime | None, info: ValidationInfo) -> datetime | None:
        scheduled = info.data.get("scheduled")
        if expiration is not None and scheduled is not None and expiration <= scheduled:
            raise _wrong("is not after the time the event is scheduled for")
        return expiration

    @property
    def channel(self) -> str:
        """The wished channel, or the one there is an address for."""
        return self.wished_channel or (SMS if self.email is None and self.phone else EMAIL)

    @property
    def address(self) -> str | None:
        """The address of its channel, a number in E.164; ``None`` when it has none."""
        if self.channel == SMS:
            return e164(self.phone or "")
        return self.email if self.channel == EMAIL else None

    @property
    def identity(self) -> tuple[str, str] | None:
        """The channel and address that its recipient is known by; ``None`` when it names nobody.

        A webhook goes to an endpoint, and yet is about somebody: whoever it names, or whom its
        sender calls so.
        """
        if self.channel != WEBHOOK:
            return self.channel, self.address or ""
        if self.email is not None:
            return EMAIL, self.email
        if number := e164(self.phone or ""):
            return SMS, number
        return (WEBHOOK, self.external_id) if self.external_id else None

    @property
    def others(self) -> dict[str, str]:
        """The addresses it has for channels other than its own, by channel."""
        given = {EMAIL: self.email, SMS: e164(self.phone or "")}
        return {name: it for name, it in given.items() if it and name != self.channel}
