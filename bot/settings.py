"""The bot's settings: tokens, the way Slack reaches it, where cards go."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from bot.hours import WorkingHours
from shared.settings import Settings

_NEEDED = {"socket": "SLACK_APP_TOKEN", "http": "SLACK_SIGNING_SECRET"}


class BotSettings(Settings):
    """All optional: without ``SLACK_BOT_TOKEN`` the bot keeps its read models and says so."""

    slack_bot_token: SecretStr | None = Field(default=None, description="xoxb-…")
    slack_app_token: SecretStr | None = Field(default=None, description="xapp-…, for Socket Mode")
    slack_signing_secret: SecretStr | None = Field(default=None, description="for signed HTTP")
    slack_api_url: str = Field(default="https://slack.com/api/", pattern=r"^https?://")
    slack_channel: str = Field(
        default="#campaigns", min_length=2, description="a channel's id or #name, for cards"
    )
    proof_browser: str = Field(
        default="", description="Chromium for pictures of proofs; empty: whichever is installed"
    )
    proof_browser_sandbox: bool = Field(
        default=True, description="false only where the bot's container is Chromium's sandbox"
    )
    proof_pages_url: str = Field(
        default="",
        pattern=r"^(https?://.*)?$",
        description="where the bot reaches the proofs' pages; empty: PUBLIC_URL",
    )
    reminder_hours: str = Field(
        default="9-18", description="hours of people's own zones in which they are reminded"
    )
    reminder_days: str = Field(
        default="1-5", description="days of the week on which they are (1 is Monday)"
    )
    slack_client_id: str | None = Field(default=None, description="to be installed by workspaces")
    slack_client_secret: SecretStr | None = None
    slack_teams: str = Field(
        default="",
        pattern=r"^([TE][A-Z0-9]+(, *[TE][A-Z0-9]+)*)?$",
        description="ids of the workspaces that may install the bot, T…, T…",
    )
    slack_redirect_url: str = Field(
        default="",
        pattern=r"^(https?://.*)?$",
        description="where Slack sends browsers back to; empty: PUBLIC_URL/slack/oauth_redirect",
    )
    slack_http_host: str = "127.0.0.1"
    slack_http_port: int = Field(default=3000, ge=1, le=65_535)
    slack_ack_seconds: float = Field(
        default=2.0, gt=0, le=2.5, description="what is not committed by then is answered as such"
    )
    slack_update_seconds: float = Field(
        default=3.0, ge=0, le=60, description="least time between two changes of one message"
    )
    # After the tokens, so that what the mode needs can be checked against them.
    slack_mode: Literal["socket", "http"] = Field(default="socket", validate_default=True)

    @field_validator(
        *("slack_bot_token", "slack_app_token", "slack_signing_secret", "slack_client_id"),
        "slack_client_secret",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("slack_mode")
    @classmethod
    def _has_what_it_needs(cls, mode: str, info: ValidationInfo) -> str:
        needed = _NEEDED[mode]
        for given in ("SLACK_BOT_TOKEN", "SLACK_CLIENT_ID"):
            if info.data.get(given.lower()) and not info.data.get(needed.lower()):
                message = f"{mode} needs {needed} beside {given}"
                raise ValueError(message)
        if info.data.get("slack_client_id") and not info.data.get("slack_client_secret"):
            message = "SLACK_CLIENT_ID needs SLACK_CLIENT_SECRET"
            raise ValueError(message)
        return mode

    @field_validator("reminder_hours", "reminder_days")
    @classmethod
    def _are_ranges(cls, value: str, info: ValidationInfo) -> str:
        hours, days = (value, "1-5") if info.field_name == "reminder_hours" else ("9-18", value)
        WorkingHours.read(hours, days)
        return value

    @property
    def reminder_hours_of_work(self) -> WorkingHours:
        """When people may be reminded."""
        return WorkingHours.read(self.reminder_hours, self.reminder_days)

    @property
    def slack_is_on(self) -> bool:
        """Whether there is a workspace to talk to."""
        return self.slack_bot_token is not None or self.slack_has_oauth

    @property
    def slack_has_oauth(self) -> bool:
        """Whether workspaces may install the bot."""
        return self.slack_client_id is not None

    @property
    def slack_teams_allowed(self) -> frozenset[str]:
        """The workspaces that may."""
        return frozenset(one.strip() for one in self.slack_teams.split(",") if one.strip())
