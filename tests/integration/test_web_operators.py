"""Operators and tokens: rows, rights, imports, and what the other services learn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.web import roster, tokens
from services.web.app import SERVICE
from services.web.domain import Change
from services.web.erase import erase
from services.web.operators import (
    add_operator,
    deactivate_operator,
    find_operator,
    update_operator,
)
from shared import rights
from shared.clock import DrivenClock
from shared.errors import NotAllowed, Refused
from shared.service import Runtime
from tests.conftest import Open
from topics.message import Actor, Via
from topics.operators import OperatorState, Role

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
EVERYBODY = (Role.ADMINISTRATOR, Role.MANAGER)


@pytest.fixture
async def web(open_service: Open) -> Runtime:
    return await open_service(SERVICE, DrivenClock(NOW))


async def add(web: Runtime, name: str = "Ada", *roles: Role, actor: Actor | None = None) -> UUID:
    async with web.uow.begin() as work:
        return await add_operator(
            work, name=name, email=f"{name}@Example.org", roles=roles, actor=actor
        )


def by(operator_id: UUID) -> Actor:
    return Actor(id=str(operator_id), via=Via.WEB)


async def test_an_added_operator_is_announced_without_the_address(web: Runtime) -> None:
    async with web.uow.begin() as work:
        made = await add_operator(
            work,
            name="Ada",
            email="Ada@Example.org",
            roles=["manager"],
            groups=["north", "north"],
            slack_user_id="U01",
            language="fr",
        )
        state = work.emitted[0]
    assert state == OperatorState(
        operator_id=made,
        version=1,
        name="Ada",
        roles=(Role.MANAGER,),
        groups=("north",),
        slack_user_id="U01",
        language="fr",
    )
    async with web.uow.begin() as work:
        assert await find_operator(work, "ADA@example.org") == made


async def test_each_change_grows_the_version_and_no_change_announces_nothing(web: Runtime) -> None:
    made = await add(web)
    async with web.uow.begin() as work:
        assert await update_operator(work, made, Change(roles=(Role.REVIEWER,)))
        assert not await update_operator(work, made, Change(roles=(Role.REVIEWER,)))
        assert await deactivate_operator(work, made)
        states = [one for one in work.emitted if isinstance(one, OperatorState)]
    assert [(one.version, one.active) for one in states] == [(2, True), (3, False)]
    lines = await web.pool.fetch("SELECT type, detail FROM account_journal ORDER BY entry_id")
    assert [tuple(line) for line in lines] == [
        ("added", ""),
        ("changed", "roles"),
        ("changed", "active"),
    ]


async def test_the_same_id_twice_adds_one_operator(web: Runtime) -> None:
    operator_id = uuid4()
    async with web.uow.begin() as work:
        for _ in range(2):
            await add_operator(work, name="A", email="a@example.org", operator_id=operator_id)
        assert len(work.emitted) == 1


@pytest.mark.parametrize("field", ["email", "slack_user_id"])
async def test_two_operators_do_not_share_an_address_or_a_slack_account(
    web: Runtime, field: str
) -> None:
    async with web.uow.begin() as work:
        await add_operator(work, name="A", email="a@example.org", slack_user_id="U01")
        other = {"email": "A@example.org", "slack_user_id": "U02"}
        other |= {"slack_user_id": "U01", "email": "b@example.org"} if field != "email" else {}
        with pytest.raises(Refused) as refused:
            await add_operator(work, name="B", **other)  # type: ignore[arg-type]  # both are text
    assert refused.value.field == field


async def test_only_an_administrator_manages_operators(web: Runtime) -> None:
    manager = await add(web, "Max", Role.MANAGER)
    administrator = await add(web, "Root", Role.ADMINISTRATOR)
    with pytest.raises(NotAllowed, match="Max may not manage operators"):
        await add(web, "Eve", actor=by(manager))
    await add(web, "Eve", actor=by(administrator))
    assert await web.pool.fetchval("SELECT count(*) FROM accounts") == 3


async def test_the_last_administrator_stays_one(web: Runtime) -> None:
    first, second = await add(web, "A", *EVERYBODY), await add(web, "B", *EVERYBODY)
    async with web.uow.begin() as work:
        await update_operator(work, first, Change(roles=(Role.MANAGER,)))
    for change in (Change(active=False), Change(roles=())):
        async with web.uow.begin() as work:
            with pytest.raises(Refused, match="last administrator"):
                await update_operator(work, second, change)


async def lines(*rows: str) -> AsyncIterator[bytes]:
    for row in rows:
        yield f"{row}\n".encode()


async def test_an_import_takes_good_rows_and_reports_the_bad_with_line_and_reason(
    web: Runtime,
) -> None:
    known = await add(web, "Ada", Role.REVIEWER)
    content = (
        "name,email,roles,groups,slack_user_id,language",
        "Ada L.,ADA@example.org,manager;reviewer,north;south,U01,fr",
        "Bob,bob@example.org,supervisor,,,",
        "Eve,eve at example,manager,,,",
        "Eve,eve@example.org,queen,,,",
        "Eve,eve@example.org",
        "Zoe,zoe@example.org,,,U01,",
    )
    report = await roster.import_operators(web.uow, lines(*content))
    assert (report.added, report.updated, report.unchanged, report.rejected) == (1, 1, 0, 4)
    assert [(one.line, one.reason.split(":")[0]) for one in report.reasons] == [
        (4, "email"),
        (5, "roles"),
        (6, "2 fields instead of 6"),
        (7, "slack_user_id"),
    ]
    async with web.uow.begin() as work:
        operator = await rights.find(work, str(known))
    assert operator is not None
    assert (operator.name, operator.slack_user_id, operator.language) == ("Ada L.", "U01", "fr")
    assert operator.groups == {"north", "south"}
    again = await roster.import_operators(web.uow, lines(*content))
    assert (again.added, again.updated, again.unchanged, again.rejected) == (0, 0, 2, 4)


async def test_a_column_that_is_left_out_changes_nothing(web: Runtime) -> None:
    made = await add(web, "Ada", Role.REVIEWER)
    await roster.import_operators(web.uow, lines("email,name", "ada@example.org,Ada L."))
    async with web.uow.begin() as work:
        operator = await rights.find(work, str(made))
    assert operator is not None
    assert operator.name == "Ada L."
    assert operator.roles == {Role.REVIEWER}


async def test_a_file_is_read_in_pieces(web: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "operators.csv"
    rows = "".join(f"Name {i},n{i}@example.org\n" for i in range(450))
    path.write_text(f"name,email\n{rows}")
    report = await roster.import_operators(web.uow, roster.chunks_of(path, 100))
    assert report.added == await web.pool.fetchval("SELECT count(*) FROM accounts") == 450


async def make(web: Runtime, operator_id: UUID, *scopes: str) -> str:
    async with web.uow.begin() as work:
        expires = work.now + timedelta(hours=2)
        return await tokens.create_token(work, operator_id, scopes or ("read",), expires)


async def who(web: Runtime, text: str) -> UUID:
    async with web.uow.begin() as work:
        return (await tokens.authenticate(work, text)).operator_id


async def test_a_token_is_shown_once_and_kept_as_a_hash(web: Runtime) -> None:
    operator_id = await add(web)
    text = await make(web, operator_id, "read", "write")
    assert await who(web, text) == operator_id
    kept = str([tuple(row) for row in await web.pool.fetch("SELECT * FROM tokens")])
    journal = str([tuple(row) for row in await web.pool.fetch("SELECT * FROM account_journal")])
    assert text.rpartition("_")[2] not in kept + journal


async def test_a_token_with_another_secret_is_not_known(web: Runtime) -> None:
    text = await make(web, await add(web))
    with pytest.raises(tokens.BadToken, match="not known"):
        await who(web, text[:-1] + ("A" if text[-1] != "A" else "B"))


async def test_a_token_ends_when_it_expires_is_revoked_or_its_operator_leaves(
    web: Runtime,
) -> None:
    operator_id = await add(web)
    expired, revoked, left = [await make(web, operator_id) for _ in range(3)]
    token_id = await web.pool.fetchval(
        "SELECT token_id FROM tokens WHERE prefix = $1", revoked.split("_")[1]
    )
    async with web.uow.begin() as work:
        assert await tokens.revoke_token(work, token_id)
        assert not await tokens.revoke_token(work, token_id)
    with pytest.raises(tokens.BadToken, match="revoked"):
        await who(web, revoked)
    async with web.uow.begin() as work:
        await deactivate_operator(work, operator_id)
        await update_operator(work, operator_id, Change(active=True))
    with pytest.raises(tokens.BadToken, match="revoked"):
        await who(web, left)
    fresh = await make(web, operator_id)
    assert isinstance(web.clock, DrivenClock)
    web.clock.advance(timedelta(hours=2))
    with pytest.raises(tokens.BadToken, match="expired"):
        await who(web, fresh)
    with pytest.raises(tokens.BadToken):
        await who(web, expired)


async def test_the_last_use_is_kept_by_the_hour(web: Runtime) -> None:
    text = await make(web, await add(web))
    await who(web, text)
    used = await web.pool.fetchval("SELECT last_used_at FROM tokens")
    assert used == NOW.replace(minute=0)


@pytest.mark.parametrize(
    ("after", "scopes", "field"),
    [
        (timedelta(0), ["read"], "expires_at"),
        (timedelta(days=400), ["read"], "expires_at"),
        (timedelta(days=1), ["everything"], "scopes"),
    ],
)
async def test_a_token_has_an_end_and_known_scopes(
    web: Runtime, after: timedelta, scopes: list[str], field: str
) -> None:
    operator_id = await add(web)
    async with web.uow.begin() as work:
        with pytest.raises(Refused) as refused:
            await tokens.create_token(work, operator_id, scopes, NOW + after)
    assert refused.value.field == field


async def test_erasing_a_person_removes_kept_answers_that_name_them(web: Runtime) -> None:
    await make(web, await add(web))
    token_id = await web.pool.fetchval("SELECT token_id FROM tokens")
    for key, body in (("a", b'{"email": "Zoe@Example.org"}'), ("b", b"{}"), ("c", None)):
        await web.pool.execute(
            "INSERT INTO kept_answers (token_id, key, target, body_sha256, started_at, claim,"
            " status, body) VALUES ($1, $2, '', '', now(), $3, 201, $4)",
            token_id,
            key,
            uuid4(),
            body,
        )
    async with web.uow.begin() as work:
        assert await erase(work, "key", "zoe@example.org ") == 1
        assert await erase(work, "key", "zoe@example.org ") == 0


async def test_two_who_demote_each_other_leave_one_administrator(web: Runtime) -> None:
    both = [await add(web, name, Role.ADMINISTRATOR) for name in ("A", "B")]

    async def demote(operator_id: UUID) -> None:
        async with web.uow.begin() as work:
            await update_operator(work, operator_id, Change(roles=()))

    outcomes = await asyncio.gather(*(demote(one) for one in both), return_exceptions=True)
    left = await web.pool.fetchval(
        "SELECT count(*) FROM account_roles WHERE role = 'administrator'"
    )
    assert left == 1, outcomes
