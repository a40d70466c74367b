"""Operators, tokens and scopes: what is refused, and what grows a version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.web import domain
from services.web.domain import Account, Change, Token
from shared.errors import Refused
from topics.operators import Role

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = domain.new_secret(bytes(8), bytes(32))


def an_account(**more: object) -> Account:
    account = Account(
        operator_id=UUID(int=1),
        version=3,
        name="Ada",
        email="ada@example.org",
        roles=(Role.MANAGER,),
        groups=("north",),
        slack_user_id="U01",
        language="en",
        active=True,
    )
    return replace(account, **more)  # type: ignore[arg-type]  # a builder


def a_token(**more: object) -> Token:
    token = Token(
        token_id=uuid4(),
        operator_id=uuid4(),
        secret_sha256=SECRET.sha256,
        scopes=("read",),
        expires_at=NOW + timedelta(hours=1),
        revoked_at=None,
        operator_active=True,
    )
    return replace(token, **more)  # type: ignore[arg-type]  # a builder


def test_a_change_grows_the_version_by_one() -> None:
    after = domain.changed(an_account(), Change(name=" Ada L. ", slack_user_id=""))
    assert (after.name, after.slack_user_id, after.version) == ("Ada L.", None, 4)


def test_a_change_to_what_is_there_already_grows_nothing() -> None:
    before = an_account()
    same = Change(name="Ada", email="ADA@example.org ", roles=(Role.MANAGER,), groups=("north",))
    assert domain.changed(before, same) == before


def test_the_journal_names_the_fields_and_not_their_values() -> None:
    before = an_account()
    after = domain.changed(before, Change(email="b@example.org", active=False))
    assert domain.differences(before, after) == ["email", "active"]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("name", Change(name="  ")),
        ("email", Change(email="ada at example")),
        ("email", Change(email="a@b@example.org")),
        ("groups", Change(groups=("x" * 101,))),
        ("slack_user_id", Change(slack_user_id="@ada")),
        ("language", Change(language="de")),
    ],
)
def test_a_wrong_value_names_its_field(field: str, change: Change) -> None:
    with pytest.raises(Refused) as refused:
        domain.changed(an_account(), change)
    assert refused.value.field == field


def test_an_unknown_role_is_told_which_there_are() -> None:
    with pytest.raises(Refused, match="administrator, manager, reviewer, supervisor"):
        domain.checked_roles(["boss"])


def test_the_state_that_other_services_learn_holds_no_address() -> None:
    assert "ada@example.org" not in an_account().state.model_dump_json()


@pytest.mark.parametrize(
    ("scopes", "method", "service", "allowed"),
    [
        (["read"], "GET", "campaign", True),
        (["read"], "POST", "campaign", False),
        (["read"], "GET", "web", False),
        (["write"], "DELETE", "stock", True),
        (["write"], "GET", "stock", True),
        (["write"], "POST", "web", False),
        (["admin"], "POST", "web", True),
        (["admin"], "POST", "campaign", True),
        (["events"], "GET", "events_status", True),
        (["events"], "GET", "campaign", False),
        (["campaign"], "POST", "campaign", True),
        (["campaign"], "POST", "budget", False),
        (["campaign:read"], "HEAD", "campaign", True),
        (["campaign:read"], "POST", "campaign", False),
    ],
)
def test_a_scope_reaches_what_it_says_and_nothing_else(
    scopes: list[str], method: str, service: str, *, allowed: bool
) -> None:
    assert domain.allows(scopes, method, service) is allowed


@pytest.mark.parametrize("scopes", [[], ["all"], ["read", "nowhere:read"]])
def test_a_token_has_known_scopes(scopes: list[str]) -> None:
    with pytest.raises(Refused):
        domain.checked_scopes(scopes, ["campaign"])


def test_a_token_is_known_by_the_hash_of_its_secret() -> None:
    parts = domain.split_token(f" {SECRET.plaintext} ")
    assert parts == (SECRET.prefix, SECRET.sha256)
    assert SECRET.plaintext.startswith("mst_")
    assert SECRET.sha256.hex() not in SECRET.plaintext


@pytest.mark.parametrize("text", ["", "mst_", "mst_00_x", SECRET.plaintext + "A", "xoxb-1"])
def test_what_is_no_token_is_seen_without_looking_for_it(text: str) -> None:
    assert domain.split_token(text) is None


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "not known"),
        (a_token(secret_sha256=bytes(32)), "not known"),
        (a_token(revoked_at=NOW), "revoked"),
        (a_token(expires_at=NOW), "expired"),
        (a_token(operator_active=False), "deactivated"),
    ],
)
def test_a_token_that_is_not_good_says_why(token: Token | None, reason: str) -> None:
    assert reason in (domain.why_not(token, SECRET.sha256, NOW) or "")


def test_a_good_token_is_good() -> None:
    assert domain.why_not(a_token(), SECRET.sha256, NOW) is None
