"""Moving actions: at once when few are concerned, else chunk by chunk in the order asked."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.actions.domain import ROWS_PER_STEP, Totals, movable, nothing_to_move, target
from services.actions.store.generations import GenerationStore
from services.actions.store.moves import MoveStore, QueuedMove, Taken
from services.actions.store.totals import TotalsStore
from shared.errors import Refused
from shared.uow import UnitOfWork, Work
from topics.actions import ActionsMoved, ActionsRefused, MoveActions

BEFORE_ALL: Final = UUID(int=0)


async def ask(command: MoveActions, work: Work) -> None:
    """Move actions now, or queue the move behind what the campaign is doing.

    A move waits while earlier moves of the campaign wait, or a large one is under way, so that
    moves take effect in the order they were asked for; "all" waits for a generation too, and then
    takes what it generated.

    Raises:
        Refused: no action can be moved.
    """
    totals = await TotalsStore(work.connection).lock(command.campaign_id)
    moves = MoveStore(work.connection)
    cause = f"{work.cause.source} {work.cause.id}" if work.cause else None
    if cause is not None and await moves.known(cause):
        return
    await _check_ids(command, moves)
    if await _must_wait(command, totals, work):
        await moves.add(command, cause, queued=True, moved=0, now=work.now)
        return
    move = _as_queued(command)
    taken = await _chunk(move, work)
    if not taken.number:
        raise Refused(nothing_to_move(command.move))
    await moves.add(command, cause, queued=False, moved=taken.number, now=work.now)
    await _tell(move, taken, work)


async def _check_ids(command: MoveActions, moves: MoveStore) -> None:
    if command.action_ids is None:
        return
    ids = set(command.action_ids)
    if not ids:
        raise Refused("name at least one action, or ask for all", field="action_ids")
    unknown = len(ids) - await moves.known_actions(command.campaign_id, list(ids))
    if unknown:
        reason = f"{unknown} of these {len(ids)} actions are not in this campaign: list them again"
        raise Refused(reason, field="action_ids")


async def _must_wait(command: MoveActions, totals: Totals, work: Work) -> bool:
    if await MoveStore(work.connection).queue_is_open(command.campaign_id):
        return True
    if command.action_ids is not None:
        return False
    if await GenerationStore(work.connection).unfinished(command.campaign_id):
        return True
    return movable(command.move, totals) > ROWS_PER_STEP


def _as_queued(command: MoveActions) -> QueuedMove:
    return QueuedMove(
        seq=0,
        campaign_id=command.campaign_id,
        move=command.move,
        action_ids=command.action_ids,
        report=command.report,
        after_id=BEFORE_ALL,
        moved=0,
    )


async def _chunk(move: QueuedMove, work: Work) -> Taken:
    moves = MoveStore(work.connection)
    if move.action_ids is None:
        return await moves.all(move, limit=ROWS_PER_STEP, now=work.now)
    return await moves.by_id(move, move.action_ids, now=work.now)


async def _tell(move: QueuedMove, taken: Taken, work: Work) -> None:
    totals = await TotalsStore(work.connection).shift(
        move.campaign_id, taken.by_state, target(move.move)
    )
    work.emit(
        ActionsMoved(
            campaign_id=move.campaign_id,
            move=move.move,
            moved=taken.number,
            counts=totals.counts(),
            revision=totals.revision,
        )
    )


async def move_step(uow: UnitOfWork) -> bool:
    """Carry out one chunk of a queued move; return whether there was one."""
    async with uow.begin() as work:
        moves = MoveStore(work.connection)
        move = await moves.claim()
        if move is None:
            return False
        await TotalsStore(work.connection).lock(move.campaign_id)
        taken = await _chunk(move, work)
        done = move.action_ids is not None or taken.number < ROWS_PER_STEP
        await moves.advance(move.seq, taken, done=done)
        if taken.number:
            await _tell(move, taken, work)
        elif not move.moved:
            work.emit(
                ActionsRefused(
                    subject_id=move.campaign_id,
                    command=MoveActions.__name__,
                    reason=nothing_to_move(move.move),
                )
            )
    return True
