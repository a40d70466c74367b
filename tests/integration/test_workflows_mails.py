"""Mails to supervisors: one when something goes wrong, one when it is well, none twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from deploy.embedded.catcher import EmbeddedMail
from services.web.app import SERVICE
from services.web.operators import add_operator, deactivate_operator
from services.web.troubles.mails import CUT_OFF, GOOD_FOR
from services.web.troubles.posting import MOST_ATTEMPTS, send_next
from shared.clock import DrivenClock
from shared.mail import sending
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.supplier_story import a_catcher, received, script
from topics.workflows import Trouble, TroubleCleared, TroubleRaised

START = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMail]:
    with a_catcher(tmp_path_factory.mktemp("catcher")) as server:
        yield server


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(START)


@pytest.fixture
async def web(open_service: Open, catcher: EmbeddedMail, clock: DrivenClock) -> Runtime:
    await script(catcher)
    return await open_service(
        SERVICE, clock, SMTP_PORT=str(catcher.smtp_port), MUSTER_ZONE="Europe/Paris"
    )


async def know(web: Runtime, role: str, language: str = "en") -> tuple[UUID, str]:
    email = f"{uuid4().hex}@example.org"
    async with web.uow.begin() as work:
        operator = await add_operator(
            work, name="Zoé", email=email, roles=(role,), language=language
        )
    return operator, email


def raised(*supervisors: UUID, name: str = "budgetMgt") -> TroubleRaised:
    return TroubleRaised(
        name=name,
        trouble=Trouble.FAILED,
        names=(name,),
        since=START,
        error="KeyError",
        supervisors=supervisors,
    )


CLEARED = TroubleCleared(name="budgetMgt", trouble=Trouble.FAILED, since=START)


async def send_all(web: Runtime) -> int:
    sent = 0
    while await send_next(web):
        sent += 1
    return sent


async def rows(web: Runtime, what: str = "outcome, attempts") -> list[dict[str, Any]]:
    found = await web.pool.fetch(f"SELECT {what} FROM trouble_mails ORDER BY over, told_at")
    return [dict(row) for row in found]


async def subjects(catcher: EmbeddedMail, email: str) -> list[str]:
    return [str(one["subject"]) for one in await received(catcher, email)]


async def test_a_supervisor_gets_one_mail_for_a_trouble_and_one_when_it_is_over(
    web: Runtime, catcher: EmbeddedMail
) -> None:
    operator, email = await know(web, "reviewer", "fr")
    _, other = await know(web, "supervisor")
    for _ in range(2):
        await web.execute(raised(operator))
    assert await send_all(web) == 1
    (mail,) = await received(catcher, email)
    assert mail["subject"] == "Muster: budgetMgt est en échec"
    assert "depuis le 2026-11-30 10:00 (Europe/Paris) et ne fait plus rien : KeyError" in str(mail)
    for _ in range(2):
        await web.execute(CLEARED)
    assert await send_all(web) == 1
    assert sorted(await subjects(catcher, email)) == [
        "Muster: budgetMgt est en échec",
        "Muster: budgetMgt fonctionne à nouveau",
    ]
    assert await subjects(catcher, other) == []


async def test_where_nobody_is_named_whoever_may_control_workflows_gets_it(
    web: Runtime, catcher: EmbeddedMail
) -> None:
    _, supervisor = await know(web, "supervisor")
    _, reviewer = await know(web, "reviewer")
    await web.execute(raised())
    assert await send_all(web) == 1
    assert await subjects(catcher, supervisor) == ["Muster: budgetMgt failed"]
    assert await subjects(catcher, reviewer) == []


async def test_what_is_well_again_before_its_mail_left_is_not_written_at_all(
    web: Runtime, catcher: EmbeddedMail
) -> None:
    operator, email = await know(web, "supervisor")
    await web.execute(raised(operator))
    await web.execute(CLEARED)
    assert await send_all(web) == 0
    assert await subjects(catcher, email) == []


async def test_a_mail_that_is_put_off_is_tried_again_until_it_is_given_up(
    web: Runtime, catcher: EmbeddedMail, clock: DrivenClock
) -> None:
    operator, email = await know(web, "supervisor")
    rule = {"action": "refuse_message", "recipient": email, "code": 451}
    await script(catcher, rule | {"times": 1})
    await web.execute(raised(operator))
    assert await send_all(web) == 1, "not before its time"
    assert await rows(web) == [{"outcome": None, "attempts": 1}]
    clock.advance(timedelta(seconds=30))
    assert await send_all(web) == 1
    assert await rows(web) == [{"outcome": "accepted", "attempts": 2}]
    await script(catcher, rule)
    await web.execute(raised(operator, name="stockMgt"))
    for _ in range(MOST_ATTEMPTS):
        await send_next(web)
        clock.advance(timedelta(hours=1))
    assert await rows(web, "outcome") == [{"outcome": "accepted"}, {"outcome": "given_up"}]


async def test_an_attempt_that_was_cut_off_is_ambiguous_and_never_repeated(
    web: Runtime, catcher: EmbeddedMail, clock: DrivenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, email = await know(web, "supervisor")
    await web.execute(raised(operator))

    async def killed(*_: object, **__: object) -> None:
        assert await rows(web) == [{"outcome": None, "attempts": 1}], "written before the call"
        raise ConnectionError("killed in the call")

    with monkeypatch.context() as patched:
        patched.setattr(sending, "send", killed)
        with pytest.raises(ConnectionError):
            await send_next(web)
    clock.advance(CUT_OFF + timedelta(seconds=1))
    assert await send_all(web) == 0
    assert await rows(web) == [{"outcome": "ambiguous", "attempts": 1}]
    assert await subjects(catcher, email) == []
    await web.execute(CLEARED)
    assert await send_all(web) == 1, "the first may have come: the second says that it is over"


async def test_old_news_and_what_was_owed_before_a_restore_are_not_sent(
    web: Runtime, catcher: EmbeddedMail, clock: DrivenClock
) -> None:
    operator, email = await know(web, "supervisor")
    await web.execute(raised(operator))
    await web.pool.execute("UPDATE instance SET restored_at = $1", clock.now())
    assert await send_all(web) == 0
    await web.pool.execute("UPDATE instance SET restored_at = NULL")
    clock.advance(GOOD_FOR)
    assert await send_all(web) == 0
    assert await subjects(catcher, email) == []


async def test_an_operator_who_was_deactivated_gets_nothing(
    web: Runtime, catcher: EmbeddedMail
) -> None:
    await know(web, "administrator")
    operator, email = await know(web, "supervisor")
    await web.execute(raised(operator))
    async with web.uow.begin() as work:
        await deactivate_operator(work, operator)
    await send_all(web)
    assert await rows(web, "outcome") == [{"outcome": "refused"}]
    assert await subjects(catcher, email) == []
