"""Who opened or clicked: machines are labelled, people are not taken for machines."""

from __future__ import annotations

import pytest

from services.delivery.domain.agents import agent_of
from services.delivery.domain.tracking import EventKind

CLICK, OPEN = EventKind.CLICK, EventKind.OPEN
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36"
)
CUBOT = "Mozilla/5.0 (Linux; Android 13; CUBOT X30) AppleWebKit/537.36 Chrome/120.0 Mobile"


@pytest.mark.parametrize(
    ("text", "kind", "name", "machine"),
    [
        (CHROME, CLICK, "browser", False),
        (CUBOT, CLICK, "browser", False),
        ("Mozilla/5.0", OPEN, "apple mail privacy", True),
        ("Mozilla/5.0", CLICK, "browser", False),
        ("Mozilla/5.0 (via ggpht.com GoogleImageProxy)", OPEN, "gmail image proxy", True),
        ("YahooMailProxy; https://help.yahoo.com/", OPEN, "yahoo image proxy", True),
        ("Mozilla/5.0 (compatible; Proofpoint)", CLICK, "security scanner", True),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", CLICK, "crawler", True),
        ("Slackbot-LinkExpanding 1.0", CLICK, "preview", True),
        ("python-requests/2.32", CLICK, "program", True),
        ("Go-http-client/2.0", OPEN, "program", True),
        ("Microsoft Office/16.0 (Microsoft Outlook 16.0)", OPEN, "mail program", False),
        ("", OPEN, "unknown", False),
        ("\x00<script>", OPEN, "unknown", False),
    ],
)
def test_a_user_agent(text: str, kind: EventKind, name: str, *, machine: bool) -> None:
    agent = agent_of("GET", {"user-agent": text}, kind)
    assert (agent.name, agent.is_machine) == (name, machine)


@pytest.mark.parametrize(
    "headers",
    [{"purpose": "prefetch"}, {"sec-purpose": "prefetch;prerender"}, {"x-moz": "prefetch"}],
)
def test_a_prefetch_is_a_machine_whatever_it_calls_itself(headers: dict[str, str]) -> None:
    agent = agent_of("GET", {"user-agent": CHROME} | headers, CLICK)
    assert (agent.name, agent.is_machine) == ("prefetch", True)


def test_looking_at_the_head_alone_is_a_machine() -> None:
    assert agent_of("HEAD", {"user-agent": CHROME}, CLICK).is_machine
