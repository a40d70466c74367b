"""What a template of each channel holds."""

from __future__ import annotations

from typing import Final

from topics.delivery import Channel, SaveTemplate

TEMPLATE_CHANNELS: Final = frozenset({Channel.EMAIL, Channel.SMS, Channel.WEBHOOK})
MOST_SMS_SOURCE: Final = 20_000
_OF_MAIL: Final = (
    "body",
    "from_address",
    "attachments",
    "letter",
    "track_clicks",
    "track_opens",
    "mirror",
    "utm",
    "proof_recipients",
    "seeds",
)


def misfit(command: SaveTemplate) -> tuple[str, str] | None:
    """Return the field of a template that its channel lacks or has no use for, and why.

    What would be silently left out is refused as well.
    """
    if command.channel not in TEMPLATE_CHANNELS:
        return "channel", "takes email, sms or webhook; letters belong to e-mail templates"
    if command.channel is Channel.EMAIL:
        return _mail_misfit(command)
    unused = next((name for name in _OF_MAIL if getattr(command, name)), None)
    if unused is not None:
        return unused, f"is for e-mail; a template of the channel {command.channel} has none"
    if command.channel is Channel.SMS:
        return _sms_misfit(command)
    if not command.endpoint:
        return "endpoint", "names the registered endpoint that gets the event"
    return None


def _mail_misfit(command: SaveTemplate) -> tuple[str, str] | None:
    for name in ("subject", "body", "from_address"):
        if not getattr(command, name).strip():
            return name, "is needed in an e-mail"
    if command.endpoint:
        return "endpoint", "is for templates of the channel webhook"
    return None


def _sms_misfit(command: SaveTemplate) -> tuple[str, str] | None:
    if command.endpoint:
        return "endpoint", "is for templates of the channel webhook"
    if not command.text.strip():
        return "text", "is the whole message of an SMS: it is needed"
    if len(command.text) > MOST_SMS_SOURCE:
        return "text", f"has {len(command.text)} characters; an SMS takes {MOST_SMS_SOURCE}"
    return None
