"""What every listener shares: one bounded transaction, then the acknowledgement, nothing after it.

Slack never sends again what was acknowledged, so what a person did is committed first. When that
takes longer than the bound, the person is told that it was not recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar
from uuid import UUID

from bot.blocks import content
from bot.cards import Setting
from bot.choices import Choices
from bot.form_store import Forms
from bot.labels import right_name
from bot.limits import Json, fitted_errors, fitted_message, fitted_options, fitted_view
from bot.memory import Memory
from bot.outgoing import Outgoing
from bot.reading import Reading
from bot.roster import STRANGER_FOR, Roster
from bot.settings import BotSettings
from bot.store import Ask, BotStore
from bot.teams import qualified, team_of
from bot.words import say
from shared import faults
from shared.errors import reason_of
from shared.logs import logger
from shared.rights import Operator, Right, find
from shared.uow import UnitOfWork, Work
from topics.message import Actor, Via

log = logger(__name__)

T = TypeVar("T")
NOTHING: Final[Json] = {}


class NotRecorded(Exception):
    """Nothing was committed in time; the person is asked to try again."""


class Whisper(Protocol):
    """Tells one person something, without a row and without waiting."""

    def __call__(self, user: str, channel: str, content: Json) -> None:
        """Hand over what to say; it may be lost, and then the person asks again."""
        ...


class Wake(Protocol):
    """Says that there are rows to send."""

    def __call__(self) -> None:
        """Wake the posting loop."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A submitted modal does not close: it shows another view."""

    view: Json


Outcome: TypeAlias = dict[str, str] | Shown
"""What becomes of a submitted modal: its errors by field (none: it closes), or another view."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who did something in Slack, how, and where; ``trigger`` is the same when it is sent again."""

    user: str
    channel: str
    trigger: str
    kind: Literal["slash", "click", "view", "event"] = "click"


@dataclass(slots=True)
class Visit:
    """One thing a person did, inside its transaction.

    ``operator`` is ``None`` for a stranger. ``own_words`` goes to the person: as the reply to a
    command, else as a message only they see.
    """

    work: Work
    sender: Sender
    settings: BotSettings
    operator: Operator | None
    slack_language: str | None = None
    store: BotStore = field(init=False)
    memory: Memory = field(init=False)
    outgoing: Outgoing = field(init=False)

    def __post_init__(self) -> None:
        self.store = BotStore(self.work.connection)
        self.memory = Memory(self.work.connection)
        self.outgoing = Outgoing(self.work.connection, self.work.now)

    @property
    def language(self) -> str:
        """The language Slack says, else the operator's; a stranger's is the instance's."""
        own = self.operator.language if self.operator else self.settings.muster_language
        return self.slack_language or own

    @property
    def team(self) -> str:
        """The workspace they are in."""
        return team_of(self.sender.user)

    @property
    def setting(self) -> Setting:
        """How things are shown to this person."""
        return Setting(self.language, self.settings.zone, self.settings.public_url, self.team)

    @property
    def actor(self) -> Actor:
        """The person as commands name them."""
        return Actor(id=self.known.operator_id, via=Via.SLACK)

    @property
    def known(self) -> Operator:
        """The operator; only asked for after :meth:`refusal` found none."""
        if self.operator is None:
            raise RuntimeError("a stranger got past the door")
        return self.operator

    @property
    def ask(self) -> Ask:
        """Where to answer."""
        return Ask(self.known.operator_id, self.sender.channel)

    @property
    def reading(self) -> Reading:
        """The queries of screens."""
        return Reading(self.work.connection)

    @property
    def choices(self) -> Choices:
        """What forms offer."""
        return Choices(self.work.connection)

    async def once(self) -> bool:
        """Whether this is the first delivery of what the person did; only then it has an effect."""
        trigger = qualified(self.team, self.sender.trigger)
        return await self.memory.take(f"{self.sender.kind}:{trigger}", self.work.now)

    @property
    def forms(self) -> Forms:
        """The campaign forms opened here."""
        return Forms(self.work.connection)

    async def open_view(self, key: str, view: Json, *, form: UUID | None = None) -> None:
        """Have a modal opened, that of a campaign form if one is given.

        Who did something is told when that could not be in time.
        """
        late = content(self.say("form_late"))
        teller = {"user": self.sender.user, "channel": self.sender.channel, "content": late}
        await self.outgoing.open_view(key, self.sender.trigger, view, teller, form=form)

    def say(self, key: str, **values: object) -> str:
        """Return a sentence in the person's language."""
        return say(self.language, key, **values)

    def refusal(self, right: Right) -> Json | None:
        """Return the polite no for who lacks a right; ``None`` for who has it."""
        if self.operator is None or not self.operator.active:
            return content(self.say("stranger"))
        if not self.operator.may(right):
            name = self.operator.name
            return content(self.say("no_right", name=name, right=right_name(self.language, right)))
        return None


Act = Callable[[Visit], Awaitable[T]]
Ack = Callable[..., Awaitable[Any]]


class Front:
    """Takes what people do in Slack."""

    def __init__(
        self, uow: UnitOfWork, settings: BotSettings, *, whisper: Whisper, wake: Wake
    ) -> None:
        self._uow = uow
        self._settings = settings
        self._whisper = whisper
        self._wake = wake
        self._abandoned: set[asyncio.Task[Any]] = set()

    async def command(self, ack: Ack, sender: Sender, act: Act[Json]) -> None:
        """Answer a slash command in its acknowledgement; only its writer sees it."""
        try:
            reply = await self._recorded(sender, act)
        except NotRecorded:
            reply = content(self._say("type_again"))
        faults.reach("bot.before_ack")
        await ack(**fitted_message(reply))

    async def click(self, ack: Ack, sender: Sender, act: Act[Json]) -> None:
        """Take a click; what there is to say goes to its author alone."""
        try:
            reply = await self._recorded(sender, act)
        except NotRecorded:
            reply = content(self._say("not_recorded"))
        if reply:
            self._whisper(sender.user, sender.channel, reply)
        faults.reach("bot.before_ack")
        await ack()

    async def event(self, sender: Sender, act: Act[Json]) -> None:
        """Take an event; bolt acknowledges it. What is lost comes again when somebody looks."""
        with suppress(NotRecorded):
            await self._recorded(sender, act)

    async def submission(
        self, ack: Ack, sender: Sender, act: Act[Outcome], *, first_field: str
    ) -> None:
        """Take a submitted modal: it closes, shows its errors by field, or another view."""
        outcome: Outcome
        try:
            outcome = await self._recorded(sender, act)
        except NotRecorded:
            outcome = {first_field: self._say("send_again")}
        faults.reach("bot.before_ack")
        if isinstance(outcome, Shown):
            await ack(response_action="update", view=fitted_view(outcome.view))
        elif outcome:
            await ack(response_action="errors", errors=fitted_errors(outcome))
        else:
            await ack()

    async def suggestion(self, ack: Ack, sender: Sender, act: Act[list[Json]]) -> None:
        """Offer options while somebody types; none when they cannot be read in time."""
        try:
            options = await self._recorded(sender, act)
        except NotRecorded:
            options = []
        await ack(options=fitted_options(options))

    def _say(self, key: str) -> str:
        return say(self._settings.muster_language, key)

    async def _recorded(self, sender: Sender, act: Act[T]) -> T:
        """Return what ``act`` says once its transaction is committed.

        The wait is on a task, not on the database's own time-outs: giving a broken connection
        back may itself take long.

        Raises:
            NotRecorded: not committed within the bound, or it failed.
        """
        task = asyncio.create_task(self._transaction(sender, act))
        done, _ = await asyncio.wait({task}, timeout=self._settings.slack_ack_seconds)
        if not done:
            self._abandon(task)
            log.warning("slack.not_recorded", reason="too slow")
            raise NotRecorded
        problem = task.exception()
        if problem is not None:
            log.warning(
                "slack.not_recorded",
                reason=reason_of(problem),
                exc_info=problem if isinstance(problem, Exception) else None,
            )
            raise NotRecorded from problem
        self._wake()
        return task.result()

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.add(task)
        task.add_done_callback(self._forget)
        task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.info("slack.abandoned", reason=reason_of(task.exception() or Exception()))

    async def _transaction(self, sender: Sender, act: Act[T]) -> T:
        async with self._uow.begin() as work:
            known = await BotStore(work.connection).operator_of(sender.user)
            if known is None:
                # Slack may know them by an operator's address.
                roster = Roster(work.connection)
                await roster.meet([sender.user], work.now, fresh_for=STRANGER_FOR)
                return await act(Visit(work, sender, self._settings, None))
            operator_id, language = known
            operator = await find(work, operator_id)
            if language is None:
                await Roster(work.connection).meet([sender.user], work.now)
            return await act(Visit(work, sender, self._settings, operator, language))
