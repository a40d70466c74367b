"""The transcript: one JSON line per call and per delivery, written before anything goes on.

It holds ids, kinds and counts, never a token, a text or an address: the page shows the messages.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.embedded.slack.state import Clock
from deploy.embedded.slack.wire import Json

_PLAIN = frozenset(
    {
        "channel",
        "channel_id",
        "file_id",
        "hash",
        "include_all_metadata",
        "length",
        "limit",
        "message_ts",
        "thread_ts",
        "ts",
        "user",
        "user_id",
        "users",
        "view_id",
    }
)


def _counted(name: str, value: Any) -> Json:
    if name == "blocks" and isinstance(value, list):
        return {"blocks": [b.get("type") if isinstance(b, dict) else None for b in value]}
    if name == "view" and isinstance(value, dict):
        return {"view": {key: value.get(key) for key in ("type", "callback_id")}}
    if name == "metadata" and isinstance(value, dict):
        return {"metadata": value.get("event_type")}
    return {f"{name}_chars": len(value)} if isinstance(value, str) else {name: "given"}


def summary(args: Mapping[str, Any]) -> Json:
    """Return what may be written of a call's arguments."""
    told: Json = {}
    for name, value in args.items():
        if name == "token":
            continue
        told |= {name: value} if name in _PLAIN else _counted(name, value)
    return told


class Transcript:
    """Appends to ``transcript.jsonl`` in the stub's data folder."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "transcript.jsonl"
        self._clock = clock
        self._file = self.path.open("a", encoding="utf-8")

    def write(self, what: str, **fields: Any) -> None:
        """Add one line and hand it to the operating system, so that a kill does not lose it."""
        line = {"at": self._clock().isoformat(), "what": what, **fields}
        self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
