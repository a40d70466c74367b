"""Crash points: places where a test may kill or freeze the process, and nothing else happens.

``MUSTER_FAULT=kill:uow.before_commit:3`` kills the process with SIGKILL the third time it reaches
the point, ``freeze:…`` stops it with SIGSTOP. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from typing import Final

POINTS: Final = (
    "uow.before_commit",
    "consumer.after_commit",
    "relay.before_send",
    "relay.between_send_and_mark",
    "retry.before_commit",
    "workflow.before_commit",
    "sender.window_open",
    "sender.before_call",
    "sender.after_call",
    "sender.before_results",
    "sender.after_results",
    "progress.giving_up",
    "bounce.before_answer",
    "press.before_record",
    "courier.before_record",
    "bot.before_ack",
    "intake.keys_written",
    "intake.before_publish",
    "intake.after_publish",
    "import.chunk",
    "budget.held",
    "budget.spent",
    "budget.invoiced",
    "stock.reserved",
    "stock.consumed",
    "enricher.before_call",
    "enricher.after_call",
    "archive.events",
    "archive.qualifications",
    "archive.delivery_logs",
    "archive.urls",
    "archive.tracking_logs",
    "archive.quarantine",
)
_SIGNALS: Final = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


class _Plan:
    def __init__(self, text: str) -> None:
        kind, self.point, count = text.split(":")
        self.signal = _SIGNALS[kind]
        self.left = int(count)
        if self.point not in POINTS:
            message = f"MUSTER_FAULT: {self.point!r} is none of {', '.join(POINTS)}"
            raise ValueError(message)


_plan = _Plan(os.environ["MUSTER_FAULT"]) if os.environ.get("MUSTER_FAULT") else None


def reach(point: str) -> None:
    """Kill or freeze this process here when the environment asked for it."""
    if _plan is None or _plan.point != point:
        return
    _plan.left -= 1
    if _plan.left == 0:
        os.kill(os.getpid(), _plan.signal)
