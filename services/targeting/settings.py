"""The settings of targeting."""

from __future__ import annotations

from pydantic import Field

from shared.settings import Settings


class TargetingSettings(Settings):
    """What targeting needs besides the common settings."""

    direct_sql_rows_max: int = Field(
        default=2_000_000, ge=1, le=50_000_000, description="how many ids direct SQL may give out"
    )
    direct_sql_timeout_seconds: float = Field(
        default=20, gt=0, le=600, description="how long one direct SQL query may run"
    )
    preview_timeout_seconds: float = Field(
        default=5, gt=0, le=60, description="how long a count that somebody watches may take"
    )
    freeze_timeout_seconds: float = Field(
        default=900, gt=0, le=7_200, description="how long reading a whole snapshot may take"
    )
    targeting_wait_seconds: float = Field(
        default=10, ge=0, le=600, description="how long a count waits for a targeting to arrive"
    )
    import_body_max_bytes: int = Field(
        default=2_000_000_000, ge=1_000, description="the largest CSV file that the API takes"
    )
