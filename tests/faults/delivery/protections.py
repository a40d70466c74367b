"""The engine's protections, and how each is switched off: in child processes of red controls only.

A check that stays green without the protection it stands for proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from services.delivery import claims
from services.delivery.store import slices
from services.delivery.store.sending import Claimed
from services.delivery.store.slices import Abandoned, Hold, Slice, SliceStore


def _window_after_the_call() -> None:
    """Nothing says which rows are being called: a window abandoned is one that never was."""

    async def unmarked(*_: object, **__: object) -> None:
        return None

    SliceStore.open_window = unmarked  # type: ignore[method-assign]  # in a child process only


def _called_rows_go_again() -> None:
    """A slice whose holder is gone is handed out from the front of its window."""

    async def nobody(self: SliceStore, part: Abandoned) -> list[Any]:  # noqa: ARG001 - the method's names
        return []

    async def all_of_it(self: SliceStore, part: Abandoned, at: Any) -> None:
        await self._connection.execute(
            slices._RELEASE, part.run_id, part.number, part.window_from, at
        )

    SliceStore.in_doubt = nobody  # type: ignore[method-assign]  # in a child process only
    SliceStore.give_back = all_of_it  # type: ignore[method-assign]  # the same


def _cursor_at_the_claim() -> None:
    """A slice counts as done from the moment it is handed out, as a cursor moved at fetch does."""

    async def nobody(self: SliceStore, part: Abandoned) -> list[Any]:  # noqa: ARG001 - the method's names
        return []

    async def none_of_it(self: SliceStore, part: Abandoned, at: Any) -> None:  # noqa: ARG001 - the same
        await self.finish(part)

    SliceStore.in_doubt = nobody  # type: ignore[method-assign]  # in a child process only
    SliceStore.give_back = none_of_it  # type: ignore[method-assign]  # the same


def _snapshot_trusted() -> None:
    """Consent is what it was when the snapshot was made."""

    async def all_of_them(_: Any, rows: Sequence[Claimed]) -> Sequence[Claimed]:
        return rows

    claims.wanted = all_of_them  # type: ignore[assignment]  # in a child process only


def _pause_read_once() -> None:
    """Whether a run is paused is read when a slice is claimed, and not again."""
    inner = SliceStore.held

    async def held(self: SliceStore, part: Slice, owner: str) -> Hold | None:
        hold = await inner(self, part, owner)
        return None if hold is None else replace(hold, halted=False)

    SliceStore.held = held  # type: ignore[method-assign]  # in a child process only


WITHOUT: Final[dict[str, Callable[[], None]]] = {
    "window before the call": _window_after_the_call,
    "only what was never called goes again": _called_rows_go_again,
    "rows, not a cursor": _cursor_at_the_claim,
    "consent read again": _snapshot_trusted,
    "pause read again": _pause_read_once,
}
