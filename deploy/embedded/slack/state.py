"""The workspace's memory: people, channels, messages with their versions, views, files.

Plain data and lookups; what Slack allows is decided by the Web API methods. Everything that
changes says so to ``changes``, on which the driver waits, and is kept in a snapshot file.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, Field

from deploy.embedded.slack.seed import Channel, Person, Seed
from deploy.embedded.slack.wire import Ephemeral, Message, StoredFile, View, ViewStatus

Clock = Callable[[], datetime]
MakeId = Callable[[str], str]


def utc_now() -> datetime:
    """Return the time now, aware, in UTC."""
    return datetime.now(UTC)


def random_id(prefix: str) -> str:
    """Return an id in Slack's form: a letter, then ten letters or digits."""
    return prefix + secrets.token_hex(5).upper()


class Changes:
    """A counter that goes up with every change, and a way to wait for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._moved = asyncio.Event()

    def note(self) -> None:
        """Count a change and wake whoever waits."""
        self.count += 1
        self._moved.set()
        self._moved = asyncio.Event()

    async def after(self, seen: int, timeout: float) -> int:
        """Return the count once it is above ``seen``, or as it is after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self.count <= seen:
                    await self._moved.wait()
        except TimeoutError:
            pass
        return self.count


class Snapshot(BaseModel):
    """What is written to disk, so that a stub started again still knows its messages."""

    people: dict[str, Person] = Field(default_factory=dict)
    channels: dict[str, Channel] = Field(default_factory=dict)
    messages: dict[str, dict[str, Message]] = Field(default_factory=dict)
    ephemerals: list[Ephemeral] = Field(default_factory=list)
    views: dict[str, View] = Field(default_factory=dict)
    stacks: dict[str, list[str]] = Field(default_factory=dict)
    homes: dict[str, str] = Field(default_factory=dict)
    files: dict[str, StoredFile] = Field(default_factory=dict)


class State:
    """One workspace. ``clock`` and ``make_id`` are given, so that tests can fix them."""

    def __init__(
        self, seed: Seed, folder: Path, *, clock: Clock = utc_now, make_id: MakeId = random_id
    ) -> None:
        self.seed = seed
        self.folder = folder
        self.clock = clock
        self.make_id = make_id
        self.changes = Changes()
        self.rows = Snapshot()
        self._last_ts = 0
        self._saved = -1
        self._load()

    @property
    def _path(self) -> Path:
        return self.folder / "workspace.json"

    def _load(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self.rows = Snapshot.model_validate_json(self._path.read_text(encoding="utf-8"))
        for person in self.seed.people:
            self.rows.people.setdefault(person.id, person)
        for channel in self.seed.channels:
            self.rows.channels.setdefault(channel.id, channel)

    def save(self) -> None:
        """Write the snapshot if anything changed since the last one."""
        if self._saved == self.changes.count:
            return
        draft = self._path.with_suffix(".part")
        draft.write_text(self.rows.model_dump_json(), encoding="utf-8")
        draft.replace(self._path)
        self._saved = self.changes.count

    def next_ts(self) -> str:
        """Return a message timestamp: epoch seconds with six digits, never the same twice."""
        now = int(self.clock().timestamp() * 1_000_000)
        self._last_ts = max(now, self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def person(self, who: str) -> Person | None:
        """Return the member with this id or name."""
        if who in self.rows.people:
            return self.rows.people[who]
        return next((p for p in self.rows.people.values() if p.name == who.lstrip("@")), None)

    def channel(self, which: str) -> Channel | None:
        """Return the channel with this id or (``#``)name."""
        if which in self.rows.channels:
            return self.rows.channels[which]
        name = which.lstrip("#")
        found = (c for c in self.rows.channels.values() if c.name == name and not c.direct)
        return next(found, None)

    def direct_channel(self, people: list[str]) -> Channel:
        """Return the direct channel of the app with these people, opened if need be."""
        wanted = sorted(people)
        for channel in self.rows.channels.values():
            if channel.direct and channel.members == wanted:
                return channel
        prefix = "D" if len(wanted) == 1 else "G"
        channel = Channel(
            id=self.make_id(prefix), name="-".join(wanted), members=wanted, direct=True
        )
        self.rows.channels[channel.id] = channel
        self.changes.note()
        return channel

    def message(self, channel: str, ts: str) -> Message | None:
        """Return the message, or None when there is none or it was deleted."""
        found = self.rows.messages.get(channel, {}).get(ts)
        return None if found is None or found.deleted_at else found

    def messages(self, channel: str) -> list[Message]:
        """Return a channel's messages, oldest first, without the deleted ones."""
        rows = self.rows.messages.get(channel, {}).values()
        return sorted((row for row in rows if not row.deleted_at), key=lambda row: row.ts)

    def put_message(self, message: Message) -> Message:
        """Keep a message, new or changed."""
        self.rows.messages.setdefault(message.channel, {})[message.ts] = message
        self.changes.note()
        return message

    def put_ephemeral(self, ephemeral: Ephemeral) -> Ephemeral:
        """Keep a message that one user sees."""
        self.rows.ephemerals.append(ephemeral)
        self.changes.note()
        return ephemeral

    def is_settled(self, file_id: str) -> bool:
        """Whether a file is uploaded, completed and looked at, so that blocks may show it."""
        file = self.rows.files.get(file_id)
        return file is not None and file.completed and file.settled

    def put_file(self, file: StoredFile) -> StoredFile:
        """Keep what is known of a file."""
        self.rows.files[file.id] = file
        self.changes.note()
        return file

    def put_view(self, view: View) -> View:
        """Keep a view, new or changed."""
        self.rows.views[view.id] = view
        self.changes.note()
        return view

    def stack(self, user: str) -> list[View]:
        """Return the modals a user has open, the one on top last."""
        return [self.rows.views[view_id] for view_id in self.rows.stacks.get(user, [])]

    def push_view(self, view: View) -> View:
        """Show a modal on top of what its user has open."""
        self.rows.stacks.setdefault(view.user, []).append(view.id)
        return self.put_view(view)

    def close_views(self, user: str, *, keep: int) -> list[View]:
        """Close a user's modals down to the lowest ``keep``; return those closed."""
        ids = self.rows.stacks.get(user, [])
        gone = [self.rows.views[view_id] for view_id in ids[keep:]]
        self.rows.stacks[user] = ids[:keep]
        for view in gone:
            self.put_view(view.model_copy(update={"status": ViewStatus.CLOSED}))
        return gone

    def home(self, user: str) -> View | None:
        """Return a user's Home view, if the app published one."""
        view_id = self.rows.homes.get(user)
        return self.rows.views[view_id] if view_id else None
