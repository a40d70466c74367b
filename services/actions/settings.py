"""Settings of the actions service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import Settings


class ActionsSettings(Settings):
    """What the actions service reads beside the common settings."""

    actions_keep_members_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="how long members of snapshots are kept when no run needs them",
    )
