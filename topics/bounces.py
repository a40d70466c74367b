"""Messages of bounces: addresses put into quarantine and released, texts qualified by people."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum

from pydantic import Field

from topics.delivery import Channel
from topics.message import Actor, Command, Event
from topics.names import DELIVERY_COMMANDS, DELIVERY_EVENTS


class AddressStatus(StrEnum):
    """Where an address stands; the last two get no campaign and no single message."""

    VALID = "valid"
    WITH_ERRORS = "with_errors"
    QUARANTINE = "quarantine"
    DENYLISTED = "denylisted"


class Severity(StrEnum):
    """What an error means for the address: at once, when repeated, not at all."""

    HARD = "hard"
    SOFT = "soft"
    IGNORED = "ignored"


class QualificationStatus(StrEnum):
    """Where a bounce's text stands: not looked at, counted as qualified, counted for nothing."""

    TO_QUALIFY = "to_qualify"
    KEEP = "keep"
    IGNORE = "ignore"


class ErrorReason(IntEnum):
    """Why a message failed, or was never sent, by the numbers that people of the trade use."""

    UNDEFINED = 0
    USER_UNKNOWN = 1
    INVALID_DOMAIN = 2
    UNREACHABLE = 3
    ACCOUNT_DISABLED = 4
    MAILBOX_FULL = 5
    NOT_CONNECTED = 6
    NO_ADDRESS = 7
    DENYLISTED = 8
    IN_QUARANTINE = 9
    DOUBLE = 10
    SQL_RULE = 11
    ARBITRATION = 12
    BAD_QUALITY = 14
    UNQUALIFIED = 15
    NOT_ELIGIBLE = 16
    SIZE_LIMIT = 17
    REFUSED = 20
    ERROR_IGNORED = 25
    CONTROL_GROUP = 127


class ReleaseAddress(Command, topic=DELIVERY_COMMANDS, key="recipient_key"):
    """Take an address out of quarantine or off the denylist; only a person decides that.

    Answers: ``AddressReleased`` or ``ReleaseRefused``. ``reason`` goes into the journal.
    """

    recipient_key: str = Field(min_length=1, max_length=100)
    channel: Channel = Channel.EMAIL
    reason: str = Field(min_length=1, max_length=1000)
    actor: Actor


class QualifyBounce(Command, topic=DELIVERY_COMMANDS, key="text_id"):
    """Say what a bounce's text means, from now on. Answers: ``BounceQualified`` or a refusal."""

    text_id: int = Field(ge=1)
    status: QualificationStatus
    reason: ErrorReason
    severity: Severity
    actor: Actor


class AddressQuarantined(Event, topic=DELIVERY_EVENTS, key="recipient_key"):
    """An address gets nothing any more: quarantined after errors, or denylisted by a complaint."""

    recipient_key: str
    channel: Channel
    status: AddressStatus
    reason: ErrorReason
    at: datetime


class AddressReleased(Event, topic=DELIVERY_EVENTS, key="recipient_key"):
    """A person released an address; its errors until then count no more."""

    recipient_key: str
    channel: Channel
    actor: Actor
    at: datetime


class ReleaseRefused(Event, topic=DELIVERY_EVENTS, key="recipient_key"):
    """An address could not be released."""

    recipient_key: str
    reason: str
    actor: Actor


class BounceQualified(Event, topic=DELIVERY_EVENTS, key="text_id"):
    """What a bounce's text means from now on."""

    text_id: int
    status: QualificationStatus
    reason: ErrorReason
    severity: Severity
    actor: Actor


class QualificationRefused(Event, topic=DELIVERY_EVENTS, key="text_id"):
    """A bounce's text could not be qualified."""

    text_id: int
    reason: str
    field: str | None = None
    actor: Actor
