"""The bot runs without Slack, and says what is missing when it is half set up."""

from __future__ import annotations

import pytest

from bot.settings import BotSettings
from shared.settings import SettingsError, load

BASE = {
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:5432/muster",
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "MUSTER_SECRET_KEY": "0123456789abcdef",
}
NAMES = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_MODE")


def settings(monkeypatch: pytest.MonkeyPatch, **given: str) -> BotSettings:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in (BASE | given).items():
        monkeypatch.setenv(name, value)
    return load(BotSettings)


def test_without_a_token_the_bot_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not settings(monkeypatch).slack_is_on
    assert not settings(monkeypatch, SLACK_BOT_TOKEN="", SLACK_APP_TOKEN="").slack_is_on


@pytest.mark.parametrize(
    ("mode", "given", "missing"),
    [
        ("socket", {"SLACK_SIGNING_SECRET": "s"}, "SLACK_APP_TOKEN"),
        ("http", {"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_SIGNING_SECRET"),
    ],
)
def test_a_mode_names_the_variable_it_lacks(
    monkeypatch: pytest.MonkeyPatch, mode: str, given: dict[str, str], missing: str
) -> None:
    with pytest.raises(SettingsError, match=rf"SLACK_MODE.*{missing}"):
        settings(monkeypatch, SLACK_MODE=mode, SLACK_BOT_TOKEN="xoxb-1", **given)
    both = {"SLACK_APP_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "s", "SLACK_BOT_TOKEN": "xoxb-1"}
    assert settings(monkeypatch, SLACK_MODE=mode, **both).slack_is_on


def test_an_unknown_mode_names_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"SLACK_MODE.*'socket' or 'http'"):
        settings(monkeypatch, SLACK_MODE="pigeon")
