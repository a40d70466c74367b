"""What a restore does to the bot's rows: nothing that Slack may show already is said twice."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

# An attempt noted at the backup's time makes the posting loop look the message up by its key
# before it posts it.
_MAY_STAND: Final = """
UPDATE slack_messages
SET attempted_at = (SELECT backup_at FROM instance), unsure_since = NULL, next_at = now(),
    lease_until = '-infinity'
WHERE ts IS NULL AND NOT failed
"""
_TOLD: Final = """
UPDATE slack_calls SET done_at = now(), error = 'restored', arguments = '{}' WHERE done_at IS NULL
"""
# What waited at the backup may have been sent since; deliveryMgt's next reminder comes anyway.
_REMINDED: Final = """
UPDATE reminders SET done_at = now(), outcome = 'restored' WHERE done_at IS NULL
"""


async def after_restore(connection: Connection) -> None:
    """Have unposted messages looked up first; drop words to one person that may be said already."""
    await connection.execute(_MAY_STAND)
    await connection.execute(_TOLD)
    await connection.execute(_REMINDED)
