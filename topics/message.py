"""What every message is: a frozen, closed pydantic model bound to a topic and a key."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from topics.names import Topic

_WORD_START: Final = re.compile(r"(?<!^)(?=[A-Z])")
_BY_TYPE: dict[str, type[Message]] = {}


class Value(BaseModel):
    """A part of a message: frozen and closed like the message itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Value):
    """Base of all messages; a subclass states its topic, key field and version.

    ``class LaunchCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id")`` registers the
    type ``muster.campaign.launch_campaign.v1``; a changed meaning is a class with ``version=2``.
    """

    topic: ClassVar[Topic]
    key_field: ClassVar[str]
    ce_type: ClassVar[str]
    ce_schema: ClassVar[str]
    version_number: ClassVar[int]

    def __init_subclass__(
        cls, *, topic: Topic | None = None, key: str = "", version: int = 1, **kwargs: Any
    ) -> None:
        """Register a concrete message; a base without a topic is left out."""
        super().__init_subclass__(**kwargs)
        if topic is None:
            return
        area = topic.name.split(".", 1)[0]
        name = _WORD_START.sub("_", cls.__name__.removesuffix(f"V{version}")).lower()
        cls.topic, cls.key_field, cls.version_number = topic, key, version
        cls.ce_type = f"muster.{area}.{name}.v{version}"
        cls.ce_schema = f"/schemas/{cls.ce_type}.json"
        if cls.ce_type in _BY_TYPE:
            message = f"two messages are called {cls.ce_type}"
            raise TypeError(message)
        _BY_TYPE[cls.ce_type] = cls

    @property
    def partition_key(self) -> str:
        """The record key: order holds among messages that share it."""
        return str(getattr(self, self.key_field))


class Command(Message):
    """Somebody wants something done; named in the imperative."""


class Event(Message):
    """Something happened; named in the past."""


class State(Message):
    """The latest state of an aggregate, for read models; kept on a compacted topic.

    ``version`` grows with each change, and a reader drops a version that is not higher than its
    own, so order between topics and replays do not matter.
    """

    version: int = Field(ge=1)


class Via(StrEnum):
    """The door somebody came through."""

    SLACK = "slack"
    WEB = "web"
    CLI = "cli"
    SYSTEM = "system"


class Actor(Value):
    """Who asks: an operator's id, or ``system:<service>`` for the product itself.

    The deciding service looks the operator up in its own copy of the rights; nothing in here
    grants anything.
    """

    id: str = Field(min_length=1, max_length=100)
    via: Via

    @property
    def is_system(self) -> bool:
        """Whether a service of Muster speaks, not a person."""
        return self.via is Via.SYSTEM and self.id.startswith("system:")


def system_actor(service: str) -> Actor:
    """Return the actor a service uses when it acts by itself."""
    return Actor(id=f"system:{service}", via=Via.SYSTEM)


def message_types() -> dict[str, type[Message]]:
    """Return every registered message by CloudEvents type (import :mod:`topics.catalogue`)."""
    return dict(_BY_TYPE)


def message_type(ce_type: str) -> type[Message] | None:
    """Return the message class of a CloudEvents type, or ``None`` when the contract lacks it."""
    return _BY_TYPE.get(ce_type)
