"""stockMgt: books what files took, receives orders whose date is reached, raises and clears alerts.

Alerts are looked for here and nowhere else: while stockMgt is stopped nobody is told, and a line
that fell and rose again meanwhile is no crossing.
"""

from __future__ import annotations

from typing import Final

from services.stock.booking import book_next
from services.stock.domain import alert_after, receive
from services.stock.handlers import WORKFLOW
from services.stock.store import Line, LineStore
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.stock import OrderReceived, StockAlertCleared, StockAlertRaised


async def manage_stock(work: Work) -> Step:
    """Book a reservation's files, receive a due order or settle an alert: one a transaction."""
    if await book_next(work) or await _receive_next(work) or await _settle_next(work):
        return Step(rows_in=1, rows_out=1, more=True)
    return Step()


async def _receive_next(work: Work) -> bool:
    store = LineStore(work.connection)
    order = await store.next_due(work.now.astimezone(work.settings.zone).date())
    line = await store.lock(order.line_id) if order else None
    if order is None or line is None:
        return False
    line = await store.received(line, order, work.now)
    line = await store.book(line, order.order_id, receive(order.quantity), work.now)
    work.emit(
        OrderReceived(
            order_id=order.order_id,
            line_id=order.line_id,
            quantity=order.quantity,
            in_stock=line.levels.in_stock,
        )
    )
    work.emit(line.state)
    return True


async def _settle_next(work: Work) -> bool:
    store = LineStore(work.connection)
    line = await store.next_crossed()
    if line is None:
        return False
    alert = alert_after(line.alert, in_stock=line.levels.in_stock, alert_level=line.alert_level)
    if alert != line.alert:
        line = await store.set_alert(line, alert)
        work.emit(_told(line))
        work.emit(line.state)
    return True


def _told(line: Line) -> StockAlertRaised | StockAlertCleared:
    if line.alert.raised:
        return StockAlertRaised(
            line_id=line.line_id,
            label=line.label,
            in_stock=line.levels.in_stock,
            alert_level=line.alert_level,
            crossing=line.alert.crossing,
            group=line.group,
            stock=line.stock,
            on_order=line.on_order,
        )
    return StockAlertCleared(
        line_id=line.line_id,
        label=line.label,
        in_stock=line.levels.in_stock,
        crossing=line.alert.crossing,
    )


WORKFLOWS: Final = (
    TechnicalWorkflow(
        name=WORKFLOW,
        label="Stock: Orders and alerts",
        label_fr="Stock : commandes et alertes",
        package="Campaign",
        run=manage_stock,
    ),
)
