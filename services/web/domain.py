"""What an operator and a token may be: pure rules, without rows or clocks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.errors import Refused
from topics.operators import OperatorState, Role

LANGUAGES: Final = ("en", "fr")
SCOPES: Final = ("read", "write", "events", "admin")
"""``read`` and ``write`` reach every service but web, ``admin`` all; ``events`` the events'."""
READING: Final = frozenset({"GET", "HEAD"})
_EMAIL: Final = re.compile(r"^[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\.[^@\s,;<>\"]{2,60}$")
_TOKEN: Final = re.compile(r"^mst_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$")


@dataclass(frozen=True, slots=True)
class Account:
    """An operator as web keeps them."""

    operator_id: UUID
    version: int
    name: str
    email: str
    roles: tuple[Role, ...]
    groups: tuple[str, ...]
    slack_user_id: str | None
    language: str
    active: bool

    @property
    def state(self) -> OperatorState:
        """What the other services learn: all but the e-mail."""
        return OperatorState(
            operator_id=self.operator_id,
            version=self.version,
            name=self.name,
            roles=self.roles,
            groups=self.groups,
            slack_user_id=self.slack_user_id,
            language=self.language,
            active=self.active,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of an account; ``None`` leaves a field as it is.

    An empty ``slack_user_id`` unlinks the Slack account.
    """

    name: str | None = None
    email: str | None = None
    roles: tuple[Role, ...] | None = None
    groups: tuple[str, ...] | None = None
    slack_user_id: str | None = None
    language: str | None = None
    active: bool | None = None


def checked_name(name: str) -> str:
    """Return a name, trimmed; refuse an empty or very long one."""
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise Refused("a name has 1 to 200 characters", field="name")
    return name


def checked_email(email: str) -> str:
    """Return an address as it is compared, in lower case; refuse what is none."""
    email = email.strip().lower()
    if not _EMAIL.match(email):
        raise Refused("this is no e-mail address such as name@example.org", field="email")
    return email


def checked_roles(names: Iterable[str]) -> tuple[Role, ...]:
    """Return roles without doubles, by name; refuse an unknown one and say which there are."""
    known = {role.value for role in Role}
    found = {name.strip().lower() for name in names if name.strip()}
    if found - known:
        raise Refused(f"roles are {', '.join(sorted(known))}", field="roles")
    return tuple(Role(name) for name in sorted(found))


def checked_groups(names: Iterable[str]) -> tuple[str, ...]:
    """Return group names without doubles, by name; refuse very long ones."""
    found = {name.strip() for name in names if name.strip()}
    if any(len(name) > 100 for name in found) or len(found) > 50:
        raise Refused("up to 50 groups of up to 100 characters", field="groups")
    return tuple(sorted(found))


def checked_language(language: str) -> str:
    """Return a language that the product speaks; refuse others."""
    language = language.strip().lower()
    if language not in LANGUAGES:
        raise Refused(f"languages are {', '.join(LANGUAGES)}", field="language")
    return language


def checked_slack_id(slack_user_id: str | None) -> str | None:
    """Return a Slack user id; nothing is no link; refuse what Slack would not give."""
    text = (slack_user_id or "").strip()
    if text and not re.fullmatch(r"([TE][A-Z0-9]{1,40}/)?[A-Z0-9]{2,40}", text):
        example = "U024BE7LH or T024BE7LD/U024BE7LH"
        raise Refused(f"a Slack user id looks like {example}", field="slack_user_id")
    return text or None


def changed(account: Account, change: Change) -> Account:
    """Return the account with the change; its version grows only when something differs."""
    after = account
    if change.name is not None:
        after = replace(after, name=checked_name(change.name))
    if change.email is not None:
        after = replace(after, email=checked_email(change.email))
    if change.roles is not None:
        after = replace(after, roles=checked_roles(change.roles))
    if change.groups is not None:
        after = replace(after, groups=checked_groups(change.groups))
    if change.slack_user_id is not None:
        after = replace(after, slack_user_id=checked_slack_id(change.slack_user_id))
    if change.language is not None:
        after = replace(after, language=checked_language(change.language))
    if change.active is not None:
        after = replace(after, active=change.active)
    return after if after == account else replace(after, version=account.version + 1)


def differences(before: Account, after: Account) -> list[str]:
    """Return the names of the fields that differ, for the journal (names, never values)."""
    fields = ("name", "email", "roles", "groups", "slack_user_id", "language", "active")
    return [name for name in fields if getattr(before, name) != getattr(after, name)]


def checked_scopes(scopes: Iterable[str], services: Sequence[str]) -> tuple[str, ...]:
    """Return a token's scopes without doubles; refuse none and unknown ones.

    A scope is ``read``, ``write``, ``events``, ``admin``, a service's name (all of it), or
    ``<service>:read``.
    """
    known = {*SCOPES, *services, *(f"{name}:read" for name in services)}
    found = {scope.strip().lower() for scope in scopes if scope.strip()}
    if not found or found - known:
        raise Refused(
            f"scopes are {', '.join(SCOPES)}, a service's name, or <service>:read;"
            f" services are {', '.join(services)}",
            field="scopes",
        )
    return tuple(sorted(found))


def allows(scopes: Iterable[str], method: str, service: str) -> bool:
    """Whether a token with these scopes may call a service with this method.

    Web's own routes, where operators and tokens are made, take ``admin`` (or the scope ``web``).
    """
    held = set(scopes)
    reading = method in READING
    if held & {"admin", service} or (reading and f"{service}:read" in held):
        return True
    if service == "web":
        return False
    if "write" in held or (reading and "read" in held):
        return True
    return service == "events_status" and "events" in held


@dataclass(frozen=True, slots=True)
class Secret:
    """A new token: what is kept of it, and what is shown once."""

    prefix: str
    sha256: bytes
    plaintext: str


def new_secret(prefix: bytes, secret: bytes) -> Secret:
    """Return the token of 8 random bytes (found by) and 32 random bytes (known by)."""
    text = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    digest = hashlib.sha256(text.encode()).digest()
    return Secret(prefix.hex(), digest, f"mst_{prefix.hex()}_{text}")


def split_token(plaintext: str) -> tuple[str, bytes] | None:
    """Return a token's prefix and the hash of its secret; ``None`` when it is no token."""
    match = _TOKEN.match(plaintext.strip())
    if match is None:
        return None
    return match[1], hashlib.sha256(match[2].encode()).digest()


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept, with whether its operator is active."""

    token_id: UUID
    operator_id: UUID
    secret_sha256: bytes
    scopes: tuple[str, ...]
    expires_at: datetime
    revoked_at: datetime | None
    operator_active: bool


def why_not(token: Token | None, sha256: bytes, now: datetime) -> str | None:
    """Return why a call is not authenticated; ``None`` when it is.

    An unknown prefix costs the same comparison as a known one.
    """
    kept = token.secret_sha256 if token else bytes(32)
    same = hmac.compare_digest(kept, sha256)
    if token is None or not same:
        return "this token is not known"
    return refusal_of(token, now)


def refusal_of(token: Token, now: datetime) -> str | None:
    """Return why a known token is no longer good; ``None`` when it is."""
    if token.revoked_at is not None:
        return "this token was revoked"
    if token.expires_at <= now:
        return "this token has expired; an administrator can make a new one"
    if not token.operator_active:
        return "this token's operator is deactivated"
    return None
