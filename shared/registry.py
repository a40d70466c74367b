"""Which function handles which message: the list a service hands to its consumer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from shared.errors import Refused
from shared.uow import Work
from topics.cloudevents import Envelope
from topics.message import Message
from topics.names import Topic

M = TypeVar("M", bound=Message)
Handler: TypeAlias = Callable[[M, Work], Awaitable[None]]
BatchHandler: TypeAlias = Callable[[Sequence[M], Work], Awaitable[None]]
V = TypeVar("V")
Taken: TypeAlias = tuple[Envelope, V]
"""An event of an intake topic as it came, and what it was read as."""
IntakeHandler: TypeAlias = Callable[[Sequence[Taken[V]], Work], Awaitable[None]]
RefusalAnswer: TypeAlias = Callable[[M, Refused], Message]


@dataclass(frozen=True, slots=True)
class Entry:
    """How one message type is handled.

    Attributes:
        ordered_strict: a message that goes to the dead letters keeps later ones of its key waiting.
        refusal: makes the answer when the handler raises :class:`Refused`.
    """

    handle: Callable[[Any, Work], Awaitable[None]]
    batched: bool = False
    ordered_strict: bool = False
    refusal: Callable[[Any, Refused], Message] | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """How the events of an intake topic are handled, whose types are those of outside producers.

    Attributes:
        read: returns what an event says; :class:`Permanent` when it says nothing that can be used.
        handle: takes consecutive ones together, each with its envelope.
    """

    read: Callable[[Envelope], Any]
    handle: Callable[[Sequence[Taken[Any]], Work], Awaitable[None]]


class Registry:
    """The handlers of one consumer; each message type has one.

    Attributes:
        gives_way: whether nobody waits for what it handles: its consumer takes small batches, and
            none while the relay is behind.
    """

    def __init__(self, *, gives_way: bool = False) -> None:
        self.gives_way = gives_way
        self._by_type: dict[type[Message], Entry] = {}
        self._by_topic: dict[str, Intake] = {}
        self._topics: dict[str, Topic] = {}

    def on(
        self,
        kind: type[M],
        *,
        refusal: RefusalAnswer[M] | None = None,
        ordered_strict: bool = False,
    ) -> Callable[[Handler[M]], Handler[M]]:
        """Register the handler of a message type.

        With ``refusal``, a :class:`Refused` raised by the handler is answered by the message it
        makes; what the handler emitted before is dropped, so raise before writing rows.
        """

        def register(handle: Handler[M]) -> Handler[M]:
            self._add(kind, Entry(handle, ordered_strict=ordered_strict, refusal=refusal))
            return handle

        return register

    def on_batch(self, kind: type[M]) -> Callable[[BatchHandler[M]], BatchHandler[M]]:
        """Register a handler that takes consecutive messages of one type together."""

        def register(handle: BatchHandler[M]) -> BatchHandler[M]:
            self._add(kind, Entry(handle, batched=True))
            return handle

        return register

    def on_topic(
        self, topic: Topic, read: Callable[[Envelope], V]
    ) -> Callable[[IntakeHandler[V]], IntakeHandler[V]]:
        """Register the handler of an intake topic; what ``read`` refuses is dead-lettered."""

        def register(handle: IntakeHandler[V]) -> IntakeHandler[V]:
            self._by_topic[topic.name] = Intake(read, handle)
            self._topics[topic.name] = topic
            return handle

        return register

    def include(self, other: Registry) -> None:
        """Take over another registry's handlers.

        Raises:
            TypeError: one of the two gives way and the other does not.
        """
        if other.gives_way != self.gives_way:
            message = "who gives way has a consumer of its own"
            raise TypeError(message)
        for kind, entry in other._by_type.items():
            self._add(kind, entry)
        for name, intake in other._by_topic.items():
            self._by_topic[name] = intake
            self._topics[name] = other._topics[name]

    def _add(self, kind: type[Message], entry: Entry) -> None:
        if kind in self._by_type:
            message = f"{kind.__name__} has two handlers"
            raise TypeError(message)
        self._by_type[kind] = entry
        self._topics[kind.topic.name] = kind.topic

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics this consumer reads, by name."""
        return tuple(self._topics[name] for name in sorted(self._topics))

    def entry(self, kind: type[Message]) -> Entry | None:
        """Return how a message type is handled, or ``None`` when it is not ours."""
        return self._by_type.get(kind)

    def intake(self, topic: str) -> Intake | None:
        """Return how events of an intake topic are handled; ``None`` when it is none of ours."""
        return self._by_topic.get(topic)

    @property
    def kinds(self) -> tuple[type[Message], ...]:
        """The message types handled."""
        return tuple(self._by_type)


async def answer(entry: Entry, message: Message, work: Work) -> None:
    """Run a handler; turn its refusal into the answer that was registered for it."""
    mark = work.mark()
    try:
        await entry.handle(message, work)
    except Refused as refusal:
        if entry.refusal is None:
            raise
        work.forget_since(mark)
        work.emit(entry.refusal(message, refusal))
        work.refusals.append(refusal)
