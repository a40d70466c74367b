"""The campaign service needs no setting of its own: the instance's zone and secret suffice."""

from __future__ import annotations

from shared.settings import Settings


class CampaignSettings(Settings):
    """Settings of the campaign service."""
