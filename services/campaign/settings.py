"""The campaign service's settings: how many start at once, how late, and the quiet hours."""

from __future__ import annotations

from datetime import time, timedelta
from typing import cast

from pydantic import Field

from services.campaign.domain.starts import Window
from shared.settings import Settings
from shared.uow import Work


class CampaignSettings(Settings):
    """Settings of the campaign service."""

    campaign_limit_concurrency: int = Field(
        default=10,
        ge=1,
        le=50,
        description="how many targets may be frozen, and runs prepared, at once",
    )
    campaign_preparation_days: int = Field(
        default=7,
        ge=1,
        le=60,
        description="after so many days a preparation that does not end takes no place any more",
    )
    campaign_start_grace_minutes: int = Field(
        default=60,
        ge=1,
        le=10_080,
        description="how late a start is still made without asking, in minutes",
    )
    campaign_low_activity: str = Field(
        default="22:00-06:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="the hours of low activity in the instance's zone, such as 22:00-06:00",
    )

    @property
    def start_grace(self) -> timedelta:
        """How late a start is still made without asking."""
        return timedelta(minutes=self.campaign_start_grace_minutes)

    @property
    def preparation(self) -> timedelta:
        """How long a preparation may take a place."""
        return timedelta(days=self.campaign_preparation_days)

    @property
    def low_activity(self) -> Window:
        """The hours of low activity."""
        opens, closes = map(time.fromisoformat, self.campaign_low_activity.split("-"))
        return Window(opens, closes)


def settings_of(work: Work) -> CampaignSettings:
    """Return this service's settings."""
    return cast("CampaignSettings", work.settings)
