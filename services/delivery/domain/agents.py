"""Who opened or clicked, as far as headers tell: a label, never a reason to drop an event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from services.delivery.domain.tracking import EventKind


@dataclass(frozen=True, slots=True)
class Agent:
    """A class of programs, and whether it acts without anybody looking."""

    name: str
    is_machine: bool


PEOPLE: Final = Agent("browser", is_machine=False)
MAIL_PROGRAM: Final = Agent("mail program", is_machine=False)
UNKNOWN: Final = Agent("unknown", is_machine=False)
HEAD: Final = Agent("head request", is_machine=True)
PREFETCH: Final = Agent("prefetch", is_machine=True)
APPLE: Final = Agent("apple mail privacy", is_machine=True)

_SCANNERS: Final = (
    "barracuda|proofpoint|mimecast|fireeye|trend ?micro|symantec|messagelabs|sophos|forcepoint"
    "|safelinks|cloudmark|ironport|zscaler|virustotal|kaspersky|urlscan|checkpoint"
)
_PREVIEWS: Final = (
    "facebookexternalhit|slackbot|twitterbot|linkedinbot|whatsapp|telegrambot|discordbot"
    "|skypeuripreview|bingpreview"
)
_MACHINES: Final = (
    ("gmail image proxy", r"googleimageproxy|ggpht\.com"),
    ("yahoo image proxy", r"yahoomailproxy|yahoo.*slurp"),
    ("security scanner", _SCANNERS),
    ("preview", _PREVIEWS),
    (
        "crawler",
        r"bot[/;]|\bbot\b|\+https?://|crawl|spider|scanner|headless|phantomjs|lighthouse|monitor",
    ),
    (
        "program",
        r"^(?:curl|wget|python|go-http|java|libwww|okhttp|ruby|php|axios|node|apache-http|perl)",
    ),
)
_MACHINE_FORMS: Final = tuple((name, re.compile(form, re.IGNORECASE)) for name, form in _MACHINES)
_MAIL: Final = re.compile(r"outlook|thunderbird|microsoft office|applemail|airmail", re.IGNORECASE)
# Apple's proxy fetches every image of every mail and says no more than this (seen since iOS 15).
_APPLE_PRIVACY: Final = "Mozilla/5.0"


def agent_of(method: str, headers: Mapping[str, str], kind: EventKind) -> Agent:
    """Return what asked; header names are in lower case."""
    if method == "HEAD":
        return HEAD
    purpose = f"{headers.get('sec-purpose', '')} {headers.get('purpose', '')}"
    if "prefetch" in purpose.lower() or headers.get("x-moz", "").lower() == "prefetch":
        return PREFETCH
    text = headers.get("user-agent", "").strip()[:1_000]
    if text == _APPLE_PRIVACY and kind is EventKind.OPEN:
        return APPLE
    return _program(text)


@lru_cache(maxsize=5_000)
def _program(text: str) -> Agent:
    for name, form in _MACHINE_FORMS:
        if form.search(text):
            return Agent(name, is_machine=True)
    if _MAIL.search(text):
        return MAIL_PROGRAM
    return PEOPLE if text.startswith("Mozilla/") else UNKNOWN
