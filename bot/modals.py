"""The modal that asks why an approval is not given."""

from __future__ import annotations

from typing import Final

import orjson

from bot.blocks import field, modal, section, text_input
from bot.cards import Setting, Target
from bot.fields import Values
from bot.limits import Json
from bot.words import say
from topics.delivery import Decision

REASON: Final = "approval_reason"


def reason_modal(
    target: Target, decision: Decision, channel: str, *, what: str, setting: Setting
) -> Json:
    """Return the modal that asks why changes are requested or the proof is rejected."""
    language = setting.language
    word = "reject" if decision is Decision.REJECT else "request_changes"
    metadata = orjson.dumps([str(target), decision.value, channel]).decode()
    return modal(
        REASON,
        say(language, word),
        [
            section(what),
            field(
                "reason",
                say(language, "reason"),
                text_input(2000, multiline=True),
                optional=False,
            ),
        ],
        submit=say(language, "send"),
        close=say(language, "close"),
        metadata=metadata,
    )


def read_reason(view: Json) -> tuple[Target, Decision, str, str | None]:
    """Return the target, decision, channel and reason of a submitted reason modal."""
    target, decision, channel = orjson.loads(view["private_metadata"])
    reason = Values(view["state"]["values"]).text("reason")
    return Target.read(target), Decision(decision), channel, reason
