"""What the delivery service tells of single messages for the archive of Message Center.

Batches, one per transaction at most: no address and no text of a message, but keys and meanings.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.bounces import ErrorReason, QualificationStatus, Severity
from topics.message import Event, Value
from topics.names import DELIVERY_LOGS


class AnswerKind(StrEnum):
    """How a server's words came: in the session, in a mail afterwards, or as a complaint."""

    REFUSAL = "refusal"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"


class Qualification(Value):
    """What a text of mail servers means; nobody's data is in the text (NmsBroadLogMsg)."""

    text: str = Field(min_length=1, max_length=400)
    reason: ErrorReason
    severity: Severity
    status: QualificationStatus


class LoggedAnswer(Value):
    """A server said a text of a message."""

    message_id: UUID
    text: str = Field(min_length=1, max_length=400)
    kind: AnswerKind
    at: datetime


class AnswersLogged(Event, topic=DELIVERY_LOGS, key="batch_id"):
    """What servers said of single messages, with the meaning of each text that occurs.

    Without ``answers`` a person qualified a text anew. Of two meanings the later ``at`` counts.
    """

    batch_id: UUID
    qualifications: tuple[Qualification, ...]
    answers: tuple[LoggedAnswer, ...] = ()
    at: datetime


class LoggedUrl(Value):
    """A numbered link of a content, as its author wrote it (NmsTrackingUrl)."""

    content_hash: str
    number: int
    kind: int = Field(description="1 click, 2 open, 3 opt-out, 6 mirror page")
    url: str
    label: str


class LoggedTracking(Value):
    """A link of a message was followed; ``is_machine``: by a scanner or a proxy, as it seems."""

    tracking_id: UUID
    message_id: UUID
    content_hash: str
    number: int
    kind: int
    at: datetime
    is_machine: bool


class TrackingLogged(Event, topic=DELIVERY_LOGS, key="batch_id"):
    """What was followed of single messages, with each link that occurs."""

    batch_id: UUID
    urls: tuple[LoggedUrl, ...]
    entries: tuple[LoggedTracking, ...]
    at: datetime
