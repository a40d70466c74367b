"""Where authors' templates are rendered: in child processes that can be killed.

A template that is bounded by its data is rendered here. Any other may loop for hours or ask for
all memory there is, and Jinja2's sandbox does not count: it goes to a child, which is killed when
it does not answer in time, and replaced.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import orjson

from services.delivery.content.bounded import is_bounded, loops
from services.delivery.content.child import LENGTH_BYTES
from services.delivery.content.sources import PLAIN
from services.delivery.domain.content import Content, Source
from services.delivery.domain.content_checks import Shown
from services.delivery.domain.tracking import EventKind, Part, TrackedLink
from services.delivery.rendering import BadTemplate, Rendered, TakesTooMuch, render, render_target
from topics.content import ContentWarning

PREPARE_SECONDS: Final = 5.0
RENDER_SECONDS: Final = 2.0
START_SECONDS: Final = 30.0
_CHUNK: Final = 1 << 16


class _Gone(Exception):
    """A child did not answer: it took too long, or died."""


class _Child:
    """A process that renders, one request at a time."""

    def __init__(self) -> None:
        # None of this service's settings: they hold passwords.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.delivery.content.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            bufsize=0,
        )
        self._started = False

    def ask(self, request: bytes, seconds: float) -> bytes:
        """Return the answer to a request.

        Raises:
            _Gone: there is none in time, and there will be no other.
        """
        assert self._process.stdin is not None
        try:
            if not self._started:
                self._answer(START_SECONDS)
                self._started = True
            self._process.stdin.write(len(request).to_bytes(LENGTH_BYTES) + request)
            return self._answer(seconds)
        except (OSError, _Gone):
            self.end()
            raise _Gone from None

    def _answer(self, seconds: float) -> bytes:
        until = time.monotonic() + seconds
        return self._read(int.from_bytes(self._read(LENGTH_BYTES, until)), until)

    def _read(self, length: int, until: float) -> bytes:
        assert self._process.stdout is not None
        found = bytearray()
        while len(found) < length:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise _Gone
            part = os.read(self._process.stdout.fileno(), min(_CHUNK, length - len(found)))
            if not part:
                raise _Gone
            found += part
        return bytes(found)

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


class Kitchen:
    """Children by need: whoever asks takes a free one, or starts one. Safe in threads."""

    def __init__(self) -> None:
        self._free: list[_Child] = []
        self._lock = threading.Lock()

    def prepare(self, source: Source) -> Content:
        """Return the content to render from an author's source.

        Raises:
            BadTemplate: it cannot be used, or takes too much to render.
        """
        made = self._ask("prepare", (source,), PREPARE_SECONDS)
        links = tuple(
            TrackedLink(**link | {"part": Part(link["part"]), "kind": EventKind(link["kind"])})
            for link in made.pop("links")
        )
        return Content(
            language=source.language,
            subject=source.subject,
            from_name=source.from_name,
            from_address=source.from_address,
            switches=source.switches,
            links=links,
            attachments=source.attachments,
            letter=source.letter,
            letter_window=source.letter_window,
            send_doubles=source.send_doubles,
            channel=source.channel,
            endpoint=source.endpoint,
            **made,
        )

    def render(
        self, content: Content, variables: Mapping[str, Any], *, seconds: float = RENDER_SECONDS
    ) -> Rendered:
        """Return the message of one recipient, or give up after so many seconds.

        Raises:
            BadTemplate: a value is missing or does not fit, or rendering takes too much.
        """
        if _is_bounded(content):
            return render(content, variables)
        # What links lead to and what is attached is not rendered here.
        bare = replace(content, links=(), attachments=(), letter="")
        return Rendered(**self._ask("render", (bare, dict(variables)), seconds))

    def target(self, link: TrackedLink, variables: Mapping[str, Any]) -> str:
        """Return a personal link's target, as it would stand in the message.

        Raises:
            BadTemplate: a value is missing or does not fit, or rendering takes too much.
        """
        if _link_is_bounded(link):
            return render_target(link, variables)
        made: str = self._ask("target", (link, dict(variables)), RENDER_SECONDS)
        return made

    def check(self, shown: Shown) -> tuple[ContentWarning, ...]:
        """Return what to look at in a message.

        Always in a child: how long HTML takes to read grows with the square of its faults.

        Raises:
            TakesTooMuch: it cannot be read in time.
        """
        made = self._ask("check", (shown,), RENDER_SECONDS)
        return tuple(map(ContentWarning.model_validate, made))

    def close(self) -> None:
        """End the children that nobody uses."""
        with self._lock:
            free, self._free = self._free, []
        for child in free:
            child.end()

    def _ask(self, work: str, arguments: tuple[Any, ...], seconds: float) -> Any:
        with self._lock:
            child = self._free.pop() if self._free else None
        child = child or _Child()
        try:
            answer = orjson.loads(child.ask(pickle.dumps((work, arguments)), seconds))
        except _Gone:
            raise TakesTooMuch from None
        with self._lock:
            self._free.append(child)
        if "made" not in answer:
            if not answer["reason"]:
                raise TakesTooMuch(answer["field"])
            raise BadTemplate(answer["field"], answer["reason"])
        return answer["made"]


@lru_cache(maxsize=256)
def _is_bounded(content: Content) -> bool:
    # Moving styles takes far more than twice as long for elements nested twice as deep. How deep a
    # template nests them was tried when it was saved; how often data repeat them was not.
    if content.inline_css and loops(PLAIN, content.html):
        return False
    return all(
        is_bounded(PLAIN, source) for source in (content.subject, content.html, content.text)
    )


@lru_cache(maxsize=5_000)
def _link_is_bounded(link: TrackedLink) -> bool:
    return is_bounded(PLAIN, link.url)


KITCHEN: Final = Kitchen()
"""This process's children: they are expensive to start, and cheap to keep."""
