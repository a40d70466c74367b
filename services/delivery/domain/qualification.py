"""Rules of qualification: what a server's words say about an address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from topics.bounces import ErrorReason, QualificationStatus, Severity

LABELS: Final[dict[ErrorReason, dict[str, str]]] = {
    ErrorReason.UNDEFINED: {"en": "Undefined", "fr": "Non défini"},
    ErrorReason.USER_UNKNOWN: {"en": "User unknown", "fr": "Utilisateur inconnu"},
    ErrorReason.INVALID_DOMAIN: {"en": "Invalid domain", "fr": "Domaine invalide"},
    ErrorReason.UNREACHABLE: {"en": "Unreachable", "fr": "Injoignable"},
    ErrorReason.ACCOUNT_DISABLED: {"en": "Account disabled", "fr": "Compte désactivé"},
    ErrorReason.MAILBOX_FULL: {"en": "Mailbox full", "fr": "Boîte pleine"},
    ErrorReason.NOT_CONNECTED: {"en": "Not connected", "fr": "Non connecté"},
    ErrorReason.NO_ADDRESS: {"en": "No address", "fr": "Adresse absente"},
    ErrorReason.DENYLISTED: {"en": "Denylisted", "fr": "En liste noire"},
    ErrorReason.IN_QUARANTINE: {"en": "In quarantine", "fr": "En quarantaine"},
    ErrorReason.DOUBLE: {"en": "Double", "fr": "Doublon"},
    ErrorReason.SQL_RULE: {"en": "SQL rule", "fr": "Règle SQL"},
    ErrorReason.ARBITRATION: {"en": "Arbitration", "fr": "Arbitrage"},
    ErrorReason.BAD_QUALITY: {"en": "Bad quality", "fr": "Mauvaise qualité"},
    ErrorReason.UNQUALIFIED: {"en": "Unqualified", "fr": "Non qualifié"},
    ErrorReason.NOT_ELIGIBLE: {"en": "Not eligible for offers", "fr": "Non éligible aux offres"},
    ErrorReason.SIZE_LIMIT: {"en": "Target size limit", "fr": "Limite de taille de la cible"},
    ErrorReason.REFUSED: {"en": "Refused", "fr": "Refusé"},
    ErrorReason.ERROR_IGNORED: {"en": "Error ignored", "fr": "Erreur ignorée"},
    ErrorReason.CONTROL_GROUP: {"en": "Control group", "fr": "Groupe témoin"},
}
# What a bounce can be qualified as, and how serious that may be taken.
ALLOWED: Final[dict[ErrorReason, frozenset[Severity]]] = {
    ErrorReason.USER_UNKNOWN: frozenset({Severity.HARD}),
    ErrorReason.INVALID_DOMAIN: frozenset({Severity.SOFT}),
    ErrorReason.UNREACHABLE: frozenset({Severity.SOFT, Severity.HARD}),
    ErrorReason.ACCOUNT_DISABLED: frozenset({Severity.SOFT, Severity.HARD}),
    ErrorReason.MAILBOX_FULL: frozenset({Severity.SOFT}),
    ErrorReason.NOT_CONNECTED: frozenset({Severity.IGNORED}),
    ErrorReason.UNQUALIFIED: frozenset({Severity.SOFT}),
    ErrorReason.REFUSED: frozenset({Severity.SOFT, Severity.HARD}),
    ErrorReason.ERROR_IGNORED: frozenset({Severity.IGNORED}),
}

_CODE: Final = re.compile(r"\b([2-5][0-5]\d)\b(?!\.)")
_ENHANCED: Final = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b(?!\.\d)")
_CODES: Final = re.compile(r"\b[2-5][0-5]\d[- ](?:[245]\.\d{1,3}\.\d{1,3}\b)?")
_ADDRESS: Final = re.compile(r"<?[^\s<>@\"']{1,64}@[^\s<>@\"',;:()]{1,255}>?")
_URL: Final = re.compile(r"\bhttps?://\S+")
# Host names, IP addresses, file names: anything with a dot or several colons inside.
_DOTTED: Final = re.compile(r"\[?\b[\w-]+(?:[.:][\w-]+)+\b\]?")
_NUMBERED: Final = re.compile(r"\b[\w-]*\d[\w-]*\b")
_REPEATED: Final = re.compile(r"#xxx#(?:[\s,;:()\[\]-]*#xxx#)+")
READ_CHARACTERS: Final = 2_000
TEXT_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply.

    Attributes:
        enhanced: the code of RFC 3463, or nothing.
        words: the normalised text that rules are written over.
        text: the same without the recipient's local part, which may be one of those words
            (``full@example.org``): what may be kept.
    """

    code: str
    enhanced: str
    words: str
    text: str

    @property
    def codes(self) -> str:
        """Both codes, such as ``550 5.1.1``."""
        return " ".join(filter(None, (self.code, self.enhanced)))

    @property
    def telling(self) -> str:
        """The code that says more: ``5.1.1`` of ``550 5.1.1``, but ``551`` of ``551 5.0.0``."""
        vague = not self.enhanced or self.enhanced.endswith(".0.0")
        return self.code or self.enhanced if vague else self.enhanced

    @property
    def normalised(self) -> str:
        """The whole as one line: what equal bounces of different messages have in common."""
        return " ".join(filter(None, (self.codes, self.text)))

    @property
    def temporary(self) -> bool:
        """Whether the server said that another try may succeed."""
        return (self.enhanced or self.code).startswith("4")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it applies when all that it names is found.

    Attributes:
        codes: a pattern over the code that says more: the enhanced one, unless it says nothing.
        words: a pattern over the normalised words.
    """

    reason: ErrorReason
    severity: Severity
    codes: re.Pattern[str] | None = None
    words: re.Pattern[str] | None = None

    def applies(self, reply: Reply) -> bool:
        """Whether the rule speaks of this reply."""
        if self.codes and not self.codes.fullmatch(reply.telling):
            return False
        return not self.words or bool(self.words.search(reply.words))


@dataclass(frozen=True, slots=True)
class Qualified:
    """What a reply means."""

    reason: ErrorReason
    severity: Severity
    status: QualificationStatus

    @property
    def counts(self) -> bool:
        """Whether it is an error at all."""
        return self.severity is not Severity.IGNORED


UNQUALIFIED: Final = Qualified(
    ErrorReason.UNQUALIFIED, Severity.SOFT, QualificationStatus.TO_QUALIFY
)
COMPLAINT: Final = Qualified(ErrorReason.DENYLISTED, Severity.HARD, QualificationStatus.KEEP)
UNKNOWN_NUMBER: Final = Qualified(ErrorReason.USER_UNKNOWN, Severity.HARD, QualificationStatus.KEEP)
"""An SMS gateway says that nobody has this number."""


def reply_of(code: str, text: str = "", address: str = "") -> Reply:
    """Return a reply in the form that rules are written over.

    Variables become ``#xxx#`` and addresses ``*``, so that nobody's data is kept and equal bounces
    look equal. ``address`` is the recipient's: many servers repeat its local part alone.
    """
    said = " ".join(text[:READ_CHARACTERS].split())
    smtp = _CODE.search(code) or _CODE.search(said)
    enhanced = _enhanced(code, said)
    words = _normalise(said)
    return Reply(smtp[1] if smtp else "", enhanced, words, _without(address, said) or words)


def _enhanced(code: str, said: str) -> str:
    """Return the enhanced code; the one of the text where the report's own says nothing."""
    told, quoted = _ENHANCED.search(code), _ENHANCED.search(said)
    if told and (not quoted or not told[1].endswith(".0.0")):
        return told[1]
    return quoted[1] if quoted else ""


def _without(address: str, said: str) -> str:
    """Return the normalised text without the local part of an address."""
    local = address.partition("@")[0].strip().lower()
    if not local or local not in said.lower():
        return ""
    whole = rf"(?<![\w.@-]){re.escape(local)}(?![\w@-]|\.\w)"
    return _normalise(re.sub(whole, "*", _ADDRESS.sub("*", said.lower())))


def _normalise(said: str) -> str:
    text = _CODES.sub(" ", _ADDRESS.sub("*", said.lower()))
    text = _URL.sub("#xxx#", text)
    text = _DOTTED.sub("#xxx#", _ENHANCED.sub(" ", text))
    text = _NUMBERED.sub("#xxx#", text.replace("#xxx#", "\0")).replace("\0", "#xxx#")
    return " ".join(_REPEATED.sub("#xxx#", text).split())[:TEXT_CHARACTERS].strip()


def qualify(reply: Reply, rules: Sequence[Rule]) -> Qualified:
    """Return what the first rule that applies makes of a reply.

    A reply that no rule knows waits for a person, and counts as a soft error meanwhile. What a
    server calls temporary is never taken for more than a soft error.
    """
    for rule in rules:
        if not rule.applies(reply):
            continue
        severity = rule.severity
        if severity is Severity.HARD and reply.temporary:
            if Severity.SOFT not in ALLOWED[rule.reason]:
                continue
            severity = Severity.SOFT
        return Qualified(rule.reason, severity, QualificationStatus.KEEP)
    return UNQUALIFIED


def refusal_of(reason: ErrorReason, severity: Severity, status: QualificationStatus) -> str | None:
    """Return why a person may not qualify a text so; ``None`` when they may."""
    if status is QualificationStatus.TO_QUALIFY:
        return None
    allowed = ALLOWED.get(reason)
    if allowed is None:
        names = ", ".join(f"{one.value} ({LABELS[one]['en']})" for one in ALLOWED)
        return f"a bounce has one of the reasons {names}"
    if severity not in allowed:
        return f"{LABELS[reason]['en']} is {' or '.join(sorted(allowed))}, not {severity}"
    return None
