"""The rules that Muster ships: well-known words of servers, then RFC 3463's codes.

Words come first: many servers send a general code with an exact sentence. The patterns are over the
text that :func:`services.delivery.domain.qualification.reply_of` makes.
"""

from __future__ import annotations

import re
from typing import Final

from services.delivery.domain.qualification import Rule
from topics.bounces import ErrorReason, Severity


def _words(reason: ErrorReason, severity: Severity, *patterns: str) -> Rule:
    return Rule(reason, severity, words=re.compile("|".join(patterns)))


def _codes(reason: ErrorReason, severity: Severity, *patterns: str) -> Rule:
    return Rule(reason, severity, codes=re.compile("|".join(patterns)))


_MAILBOX: Final = r"(?:mailbox|mail box|inbox|account|user|recipient|address|adresse|bo[iî]te)"

DEFAULT_RULES: Final = (
    # Blocks first: they often name the recipient, whose address is not at fault.
    _words(
        ErrorReason.REFUSED,
        Severity.SOFT,
        r"\bspam\b",
        r"\bblack ?list",
        r"\bblock ?list",
        r"\bdnsbl\b",
        r"\brbl\b",
        r"reputation",
        r"\bdmarc\b",
        r"\bdkim\b",
        r"\bspf\b",
        r"gr[ae]ylist",
        r"rate limit",
        r"too many (?:connections|messages|recipients)",
        r"(?:content|message) (?:was )?rejected",
        r"message (?:is )?too (?:big|large)",
        r"message size exceeds",
        r"policy (?:violation|reason)",
    ),
    _words(
        ErrorReason.MAILBOX_FULL,
        Severity.SOFT,
        rf"{_MAILBOX}(?: \S+){{0,3}} (?:is |est )?(?:full|over ?quota|pleine)",
        r"over ?quota",
        r"quota (?:is )?(?:exceeded|d[ée]pass[ée])",
        r"exceed\w* (?:the |its |his |their )?(?:storage|quota|mailbox)",
        r"out of storage",
        r"insufficient (?:mailbox )?(?:storage|space)",
    ),
    _words(
        ErrorReason.ACCOUNT_DISABLED,
        Severity.HARD,
        rf"{_MAILBOX}(?: \S+){{0,3}} (?:is |has been |was )?(?:disabled|deactivated|suspended)",
        r"(?:disabled|inactive|suspended|expired) (?:account|mailbox|user|recipient)",
        rf"{_MAILBOX} (?:is )?(?:inactive|not active|closed|discontinued)",
        r"compte d[ée]sactiv[ée]",
    ),
    _words(
        ErrorReason.INVALID_DOMAIN,
        Severity.SOFT,
        r"(?:domain|host) (?:name )?(?:\S+ )?"
        r"(?:not found|unknown|does ?n[o']t exist|does not exist)",
        r"(?:unknown|invalid|bad|no such) (?:domain|host)",
        r"unrouteable (?:mail )?domain",
        r"name or service not known",
        r"\bnxdomain\b",
        r"null mx",
        r"domain (?:\S+ )?does not accept mail",
    ),
    _words(
        ErrorReason.USER_UNKNOWN,
        Severity.HARD,
        r"(?:user|recipient|mailbox|account|address|destinataire|utilisateur) (?:\S+ ){0,2}"
        r"(?:is )?(?:unknown|not found|not exist|inconnue?|invalid)",
        r"(?:unknown|invalid|no such|bad) (?:local )?"
        r"(?:user|recipient|mailbox|account|address|person)",
        r"(?:does ?n[o']t|does not|n'existe) (?:exist|have an? \S+ account|pas)",
        r"no (?:such )?(?:mailbox|user|recipient|person)(?: here)?\b",
        r"(?:mailbox|user|account|recipient) (?:is )?unavailable",
        r"not (?:a )?(?:known|valid) (?:user|recipient|mailbox|address)",
        r"user not found|not our customer|not listed in",
        r"recipient address rejected: access denied",
    ),
    _words(
        ErrorReason.UNREACHABLE,
        Severity.SOFT,
        r"(?:connection|connexion) (?:timed out|refused|reset|lost)",
        r"no route to host|network is unreachable|host (?:is )?unreachable",
        r"(?:retry|delivery) (?:time|timeout) ?(?:has )?(?:been )?(?:expired|exceeded)",
        r"(?:could not be|not been) delivered (?:for|within)",
        r"temporar(?:y|ily) (?:failure|unavailable|error|rejected|deferred)",
        r"try again later",
        r"too many hops|mail loop|routing loop",
    ),
    _codes(ErrorReason.USER_UNKNOWN, Severity.HARD, r"5\.1\.[136]", r"551"),
    _codes(ErrorReason.INVALID_DOMAIN, Severity.SOFT, r"[45]\.1\.(?:2|10)", r"[45]\.4\.4", "556"),
    _codes(ErrorReason.ACCOUNT_DISABLED, Severity.HARD, r"[45]\.2\.1"),
    _codes(ErrorReason.MAILBOX_FULL, Severity.SOFT, r"[45]\.2\.2", "552"),
    _codes(
        ErrorReason.REFUSED,
        Severity.SOFT,
        r"[45]\.[67]\.\d+",
        r"[45]\.[23]\.[34]",
        r"5\.1\.[78]",  # our own sender address did not please
    ),
    _codes(
        ErrorReason.UNREACHABLE,
        Severity.SOFT,
        r"[45]\.[34]\.\d+",
        r"4\.\d+\.\d+",
        r"4\d\d",
    ),
    _codes(ErrorReason.REFUSED, Severity.SOFT, r"5\.5\.\d+", "554", "553"),
)
