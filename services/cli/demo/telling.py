"""How the demo tells: a progress bar and a note per step, and waiting for what must come about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column


class Stuck(Exception):
    """A step did not come about in time; the text says which and where to look."""


class Step:
    """One line of the story."""

    def __init__(self, progress: Progress, name: str, total: int) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task(name, total=total, note="")

    def advance(self, note: str) -> None:
        """Say that a part of it is done."""
        self._progress.update(self._task, advance=1, note=note)

    def show(self, done: int, total: int, note: str) -> None:
        """Say how far it is."""
        self._progress.update(self._task, total=max(total, 1), completed=done, note=note)


class Telling:
    """The lines of the story, and how long it waits for anything.

    Args:
        times: how many times the shipped sample the demo is.
    """

    def __init__(self, console: Console, logs: Path, *, times: int) -> None:
        self._logs = logs
        self._times = times
        self._progress = Progress(
            # What is too long is the note, which goes on below; marks, bars and counts stay whole.
            SpinnerColumn(finished_text="[green]✓[/]", table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12, table_column=Column(no_wrap=True)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=False)),
            console=console,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self, name: str, total: int) -> Step:
        """Begin a step of so many parts."""
        return Step(self._progress, name, total)

    async def until(
        self, probe: Callable[[], Awaitable[Any]], what: str, *, seconds: float = 180
    ) -> Any:
        """Return what a probe finds, asked until it finds something.

        Raises:
            Stuck: it found nothing in time.
        """
        # Every wait takes more of more people; what hangs shows in its bar long before.
        seconds *= 1 + (self._times - 1) / 4
        deadline = time.monotonic() + seconds
        while not (found := await probe()):
            if time.monotonic() > deadline:
                raise Stuck(f"{what} did not come about in {seconds:g} s; see {self._logs}")
            await asyncio.sleep(0.2)
        return found
