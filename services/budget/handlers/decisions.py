"""The approval of what a hold commits, by a person other than who asked."""

from __future__ import annotations

from dataclasses import replace

from services.budget.books import WORKFLOW, Books
from services.budget.domain.holds import HoldStatus, approve, decline
from services.budget.holding import UNKNOWN, give_back, reserved
from services.budget.stocking import all_held
from services.budget.store.goods import GoodsStore
from services.budget.store.holds import HoldRow, HoldStore
from shared.answers import AnswerStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.budget import FundsRefused, FundsReserved, ReserveFunds
from topics.funds import DecideFunds, FundsUndecided

registry = Registry()


def _undecided(command: DecideFunds, refusal: Refused) -> FundsUndecided:
    return FundsUndecided(
        campaign_id=command.campaign_id,
        hold_id=command.hold_id,
        reason=refusal.reason,
        actor=command.actor,
    )


@registry.on(DecideFunds, refusal=_undecided)
async def decide_funds(command: DecideFunds, work: Work) -> None:
    """Commit a hold or give its money back, as a person decides; the first answer closes it.

    Goods are asked of the stock after a yes; the hold is answered once it has them.
    """
    await require(work, command.actor, Right.APPROVE)
    holds, answers = HoldStore(work.connection), AnswerStore(work.connection)
    row = await holds.find_locked(command.hold_id)
    if row is None or row.budget_id is None:
        raise Refused("there is no such hold", field="hold_id")
    answer = await answers.find(command.hold_id, ReserveFunds)
    if answer is None and row.decided_by == command.actor and command.approve:
        await all_held(row, work)
        return
    same = row.decided_by == command.actor and isinstance(answer, FundsReserved) is command.approve
    if answer is not None and same:
        work.emit(answer)
        return
    _check(command, row)
    books = await Books.open(work, row.budget_id, str(row.hold_id))
    if books is None:
        raise Refused(UNKNOWN)
    await holds.sign(command, work.now)
    decided = await _decided(command, row, books, work)
    if decided is not None:
        await answers.keep(command.hold_id, ReserveFunds, decided)
        work.emit(decided)
    if await holds.commit_waits(command.hold_id):
        await wake(work, WORKFLOW)


def _check(command: DecideFunds, row: HoldRow) -> None:
    if row.hold.status is not HoldStatus.PENDING:
        raise Refused("this hold waits for no approval; it was decided or given back already")
    if row.requested_by is not None and row.requested_by.id == command.actor.id:
        reason = "whoever asked for money may not approve it; ask another reviewer"
        raise Refused(reason, code="self_approval")
    if not command.approve and not command.reason.strip():
        raise Refused("say why, so that whoever asked knows", field="reason")


async def _decided(
    command: DecideFunds, row: HoldRow, books: Books, work: Work
) -> FundsReserved | FundsRefused | None:
    decision = approve(row.hold) if command.approve else decline(row.hold)
    await HoldStore(work.connection).decide(row.hold_id, decision.hold)
    if command.approve:
        books.add(decision.entries)
        books.touch(await books.delivery(row.campaign_id))
        stands = reserved(replace(row, decided_by=command.actor), await books.close())
        return stands if await all_held(row, work) else None
    await give_back(books, row, decision)
    booked = await books.close()
    await GoodsStore(work.connection).release(row.hold_id)
    return FundsRefused(
        campaign_id=row.campaign_id,
        hold_id=row.hold_id,
        budget_id=booked.budget_id,
        asked_minor=row.hold.amount_minor,
        left_minor=booked.balance.left_minor,
        reason=f"the budget was not approved: {command.reason.strip()}",
        decided_by=command.actor,
    )
